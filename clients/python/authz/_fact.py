"""Facts, and the patterns that find them.

    fact    = name list [ ";" ]                         a list without holes
    pattern = ( name | "_" ) [ list ] [ ";" ]           a list of at least one

`_` in the place of the predicate means every predicate. A file of facts has one on each line;
`#` where a word could begin starts a comment.

Law: `Fact.parse(str(fact)) == fact`, and `FactPattern.parse(str(pattern)) == pattern`.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Self

from authz._argument import (
    AnyOf,
    Value,
    argument_text,
    exact,
    kinds_and_values,
    scan_hole,
    scan_list,
    scan_value,
)
from authz._text import NAME, Scanner, require_name
from authz.errors import UNREPRESENTABLE, InvalidRequest


@dataclass(frozen=True, slots=True, init=False, eq=False, repr=False)
class Fact:
    """A statement that holds: `has_role(User:alice, "owner", Organization:acme)`.

    Facts with arguments of different kinds are never equal: `1` is not `True` here.
    """

    predicate: str
    args: tuple[Value, ...]

    def __init__(self, predicate: str, *args: Value) -> None:
        require_name(predicate, "a predicate")
        object.__setattr__(self, "predicate", str.__str__(predicate))
        object.__setattr__(self, "args", tuple(exact(value) for value in args))

    @classmethod
    def parse(cls, text: str) -> Self:
        scanner = Scanner(text)
        fact = cls._scan(scanner)
        _expect_end(scanner)
        return fact

    @classmethod
    def _scan(cls, scanner: Scanner) -> Self:
        predicate = _scan_predicate(scanner)
        scanner.expect("(", "`(`")
        args = scan_list(scanner, scan_value)
        scanner.accept(";")
        return cls(predicate, *args)

    def __eq__(self, other: object) -> bool:
        return (
            isinstance(other, Fact)
            and self.predicate == other.predicate
            and kinds_and_values(self.args) == kinds_and_values(other.args)
        )

    def __hash__(self) -> int:
        return hash((self.predicate, kinds_and_values(self.args)))

    def __repr__(self) -> str:
        return f"Fact({', '.join(map(repr, (self.predicate, *self.args)))})"

    def __str__(self) -> str:
        return f"{self.predicate}({', '.join(map(argument_text, self.args))})"


def parse_facts(text: str) -> list[Fact]:
    """Read one fact per line; blank lines and `#` comments are passed over.

    Raises InvalidRequest that names the line and the column of the first mistake.
    """
    # Not splitlines: a string may contain any of the other characters that split there.
    return [
        fact
        for number, line in enumerate(text.split("\n"), start=1)
        for fact in _facts_of_line(Scanner(line, number))
    ]


def _facts_of_line(scanner: Scanner) -> Iterable[Fact]:
    scanner.skip_space()
    if not scanner.at_end() and not scanner.sees("#"):
        yield Fact._scan(scanner)  # noqa: SLF001 - same module
        scanner.skip_space()
    if not scanner.at_end() and not scanner.sees("#"):
        scanner.fail("the end of the line")


def to_facts(facts: Iterable[Fact | str]) -> tuple[Fact, ...]:
    """Parse what is text.

    Raises TypeError for a single text: it is an iterable of characters, never of facts.
    """
    if isinstance(facts, str):
        raise TypeError("expected a list of facts, found a str; use parse_facts(text)")
    return tuple(fact if isinstance(fact, Fact) else Fact.parse(fact) for fact in facts)


@dataclass(frozen=True, slots=True, init=False, eq=False, repr=False)
class FactPattern:
    """A fact with holes: `has_role(User:alice, _, Organization:_)`.

    It finds the facts that agree with it in everything that it states. Without arguments it
    finds facts with any arguments; with an empty predicate, those of every predicate.
    """

    predicate: str
    args: tuple[Value | AnyOf, ...]

    def __init__(self, predicate: str = "", *args: Value | AnyOf) -> None:
        if predicate:
            require_name(predicate, "a predicate")
        holes = (arg if isinstance(arg, AnyOf) else exact(arg) for arg in args)
        object.__setattr__(self, "predicate", str.__str__(predicate))
        object.__setattr__(self, "args", tuple(holes))

    @classmethod
    def parse(cls, text: str) -> Self:
        scanner = Scanner(text)
        word = _scan_predicate(scanner)
        has_list = scanner.accept("(")
        args = scan_list(scanner, scan_hole) if has_list else ()
        if has_list and not args:
            scanner.position -= len(")")
            scanner.fail(f"an argument (for facts with any arguments, write `{word}` alone)")
        scanner.accept(";")
        _expect_end(scanner)
        return cls("" if word == "_" else word, *args)

    def __eq__(self, other: object) -> bool:
        return (
            isinstance(other, FactPattern)
            and self.predicate == other.predicate
            and kinds_and_values(self.args) == kinds_and_values(other.args)
        )

    def __hash__(self) -> int:
        return hash((self.predicate, kinds_and_values(self.args)))

    def __repr__(self) -> str:
        return f"FactPattern({', '.join(map(repr, (self.predicate, *self.args)))})"

    def __str__(self) -> str:
        holes = f"({', '.join(map(argument_text, self.args))})" if self.args else ""
        return f"{self.predicate or '_'}{holes}"


@dataclass(frozen=True, slots=True)
class StoredFact:
    """A fact, given as such or as text, and when it stops counting; None for never.

    The time must know its zone; what the service returns is in UTC.
    """

    fact: Fact
    expires_at: datetime | None = None

    def __init__(self, fact: Fact | str, expires_at: datetime | None = None) -> None:
        if expires_at is not None:
            require_zone(expires_at)
        object.__setattr__(self, "fact", Fact.parse(fact) if isinstance(fact, str) else fact)
        object.__setattr__(self, "expires_at", expires_at)


AnyFact = StoredFact | Fact | str


def require_zone(moment: datetime) -> datetime:
    """Refuse a time that means another instant on another machine."""
    if moment.tzinfo is None:
        message = "expected a time with a time zone, such as datetime.now(UTC)"
        raise InvalidRequest(message, reason=UNREPRESENTABLE)
    return moment


def to_stored(facts: Iterable[AnyFact]) -> Iterator[StoredFact]:
    """Parse what is text, one after the other. Raises TypeError for a single text, at once."""
    if isinstance(facts, str):
        raise TypeError("expected a list of facts, found a str; use parse_facts(text)")
    return (fact if isinstance(fact, StoredFact) else StoredFact(fact) for fact in facts)


def to_patterns(patterns: Iterable[FactPattern | str]) -> tuple[FactPattern, ...]:
    """Parse what is text. Raises TypeError for a single text."""
    if isinstance(patterns, str):
        raise TypeError("expected a list of patterns, found a str; put it into a list")
    return tuple(
        FactPattern.parse(pattern) if isinstance(pattern, str) else pattern for pattern in patterns
    )


def to_pattern(pattern: FactPattern | str | None) -> FactPattern | None:
    return FactPattern.parse(pattern) if isinstance(pattern, str) else pattern


def _scan_predicate(scanner: Scanner) -> str:
    scanner.skip_space()
    predicate = scanner.take(NAME)
    if not predicate:
        scanner.fail("a predicate such as `has_role`")
    return predicate


def _expect_end(scanner: Scanner) -> None:
    scanner.skip_space()
    if not scanner.at_end():
        scanner.fail("the end")
