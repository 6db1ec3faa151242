"""Sources: the heads of rules and the shapes of facts that can make conditions on one predicate hold.

Compared by their literals and types alone; what stands behind the head of a rule `names` follows.
"""

from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

from authz_service.errors import UnusableCondition
from authz_service.facts.value import STRING, Value
from authz_service.polar.diagnostic import did_you_mean
from authz_service.polar.goals import Atom, Rule, Variable
from authz_service.polar.matching import Arg, MatchIndex, args_of, bits

SHOWN_TYPES = 3

_Accepted = Arg | tuple[Value, ...]


class Source(NamedTuple):
    """The head of a rule, or the shape of a fact."""

    args: tuple[_Accepted, ...]
    types: tuple[frozenset[str], ...]
    opened: frozenset[int]
    """The positions at which it holds for every value of the types."""


class Sources:
    """What can make conditions on one predicate hold."""

    def __init__(self, arity: int) -> None:
        self._arity = arity
        self._index = MatchIndex(arity)
        self._all: list[Source] = []

    def add_rule(self, rule: Rule) -> None:
        args = tuple(args_of(rule.head, rule.types))
        opened = (n for n, arg in enumerate(rule.head.args) if arg in rule.open)
        self.add(args, tuple(map(rule.types_of, rule.head.args)), frozenset(opened))

    def add(
        self,
        args: Sequence[_Accepted],
        types: tuple[frozenset[str], ...],
        opened: frozenset[int],
    ) -> None:
        self._index.add(len(self._all), args)
        self._all.append(Source(tuple(args), types, opened))

    @property
    def named(self) -> set[Value]:
        """The values that stand there."""
        return {value for number in range(self._arity) for value in self.named_at(number)}

    def named_at(self, number: int) -> Iterator[Value]:
        """Yield the values that stand at a position."""
        for source in self._all:
            arg = source.args[number]
            if not isinstance(arg, frozenset):
                yield from (arg,) if isinstance(arg, Value) else arg

    def matching(self, args: Sequence[Arg]) -> list[Source]:
        return [self._all[number] for number in bits(self._index.matching(args))]

    def types(self, args: Sequence[Arg]) -> list[frozenset[str]]:
        """Return the types that the arguments can have, given what is known of them."""
        found = self.matching(args)
        return [
            frozenset().union(*(source.types[number] for source in found))
            for number in range(len(args))
        ]

    def open_positions(self, args: Sequence[Arg]) -> frozenset[int]:
        return frozenset().union(*(source.opened for source in self.matching(args)))

    def unmet(self, atom: Atom, args: tuple[Arg, ...], place: str) -> UnusableCondition:
        """Explain by the one argument without which the condition could be met, if there is one."""
        message = cannot_be_met(atom)
        for number, arg in enumerate(args):
            anything = self.matching([*args[:number], self._anything(number), *args[number + 1 :]])
            if anything:
                cure = _expected(arg, [source.args[number] for source in anything], number)
                return UnusableCondition(f"{message}; {cure}", field=f"{place}.args[{number}]")
        known = self.types([self._anything(number) for number in range(len(args))])
        if any(known):
            listed = ", ".join(" | ".join(sorted(some)[:SHOWN_TYPES]) for some in known)
            message += f"; it has ({listed})"
        return UnusableCondition(message, field=place)

    def _anything(self, number: int) -> Arg:
        return frozenset().union(*(source.types[number] for source in self._all))


def _expected(arg: Arg, known: Iterable[_Accepted], number: int) -> str:
    names: set[str] = set()
    types: set[str] = set()
    for one in known:
        values = (one,) if isinstance(one, Value) else one
        names.update(v.id for v in values if isinstance(v, Value) and v.type == STRING)
        types.update(v.type if isinstance(v, Value) else v for v in values)
    if isinstance(arg, Value) and arg.type == STRING and names:
        return did_you_mean(arg.id, names)
    return f"argument {number + 1} is {' | '.join(sorted(types)[:10])}"


def cannot_be_met(atom: Atom) -> str:
    """Return the beginning of what there is to say about a condition that is most likely misspelled."""
    return f"no rule and no fact of the policy can meet `{shown(atom)}`"


def shown(atom: Atom) -> str:
    """Return the condition as text, with a `?` before each variable."""
    args = (shown_name(arg) if isinstance(arg, Variable) else str(arg) for arg in atom.args)
    return f"{atom.predicate}({', '.join(args)})"


def shown_name(variable: Variable) -> str:
    return "_" if variable.is_anonymous else f"?{variable.name}"
