"""What stands between the parentheses of a fact or a pattern, as values and as text.

    list   = "(" [ hole { "," hole } ] ")"
    hole   = "_" | name ":" "_" | value
    value  = string | integer | "true" | "false" | entity
    entity = name ":" ( bare | string )      the id `_`, or one that begins with `:`, is a string

A value is a hole without a hole in it; who reads a fact refuses the others.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, TypeVar

from authz._entity import Entity
from authz._text import BARE, NAME, Scanner, quoted, require_name
from authz.errors import UNREPRESENTABLE, InvalidRequest

Value = Entity | str | int | bool
Argument = TypeVar("Argument")

_INT64: Final = range(-(2**63), 2**63)
_INT64_TEXT: Final = f"an integer from {_INT64[0]} to {_INT64[-1]}"
_INTEGER: Final = re.compile(r"-?[0-9]+", re.ASCII)
_MOST_DIGITS: Final = 19
_VALUE: Final = 'a value such as `User:alice`, `"text"`, `-3` or `true`'


@dataclass(frozen=True, slots=True)
class AnyOf:
    """A hole of a pattern: any value of `type`, or any value at all if that is empty.

    The type is one that the policy declares, or `String`, `Integer`, `Boolean`.
    """

    type: str = ""

    def __post_init__(self) -> None:
        if self.type:
            require_name(self.type, "a type")


ANY: Final = AnyOf()
"""The hole that any value fits."""


def exact(value: Value) -> Value:
    """Return the value as one of the exact types, so that a member of an enum is its value.

    Raises InvalidRequest for an integer beyond 64 bits and TypeError for anything else.
    """
    match value:
        case Entity() | bool():
            return value
        case int():
            return _int64(int(value))
        case str():
            return str.__str__(value)
    raise TypeError(f"expected an Entity, str, int or bool, found {type(value).__name__}")


def _int64(number: int) -> int:
    if number not in _INT64:
        found = number if number.bit_length() < 1000 else f"one of {number.bit_length()} bits"
        message = f"expected {_INT64_TEXT}, found {found}"
        raise InvalidRequest(message, reason=UNREPRESENTABLE)
    return number


def kinds_and_values(
    arguments: tuple[Value | AnyOf, ...],
) -> tuple[tuple[type, Value | AnyOf], ...]:
    """Return what tells argument lists apart: for Python alone, True equals 1."""
    return tuple((type(argument), argument) for argument in arguments)


def argument_text(argument: Value | AnyOf) -> str:
    match argument:
        case AnyOf():
            return f"{argument.type}:_" if argument.type else "_"
        case Entity():
            return f"{argument.type}:{_id_text(argument.id)}"
        case bool():
            return "true" if argument else "false"
        case int():
            return str(argument)
        case str():
            return quoted(argument)


def _id_text(identifier: str) -> str:
    """Return the id bare if it reads back so, and is easy to read: `#` and controls are not."""
    is_bare = (
        BARE.fullmatch(identifier)
        and identifier.isprintable()
        and identifier != "_"
        and identifier[0] != ":"
        and "#" not in identifier
    )
    return identifier if is_bare else quoted(identifier)


def scan_list(scanner: Scanner, scan_one: Callable[[Scanner], Argument]) -> tuple[Argument, ...]:
    """Read a list; its opening parenthesis is behind the scanner already."""
    if scanner.accept(")"):
        return ()
    arguments = [scan_one(scanner)]
    while scanner.accept(","):
        arguments.append(scan_one(scanner))
    scanner.expect(")", "`,` or `)`")
    return tuple(arguments)


def scan_value(
    scanner: Scanner, name: re.Pattern[str] = NAME, bare: re.Pattern[str] = BARE
) -> Value:
    """Read a hole, and refuse it if it is one."""
    scanner.skip_space()
    start = scanner.position
    hole = scan_hole(scanner, name, bare)
    if isinstance(hole, AnyOf):
        scanner.position = start
        scanner.fail(f"{_VALUE} (`_` is for patterns; an id `_` is written in quotes)")
    return hole


def scan_hole(
    scanner: Scanner, name: re.Pattern[str] = NAME, bare: re.Pattern[str] = BARE
) -> Value | AnyOf:
    """Read a hole; `name` and `bare` say what words can be where more than the end of a list is special."""
    scanner.skip_space()
    if scanner.sees('"'):
        return scanner.string()
    start = scanner.position
    word = scanner.take(name)
    if word and scanner.sees(":"):
        return _scan_entity(scanner, word, bare)
    if word == "_":
        return ANY
    if word in ("true", "false"):
        return word == "true"
    scanner.position = start
    if not _INTEGER.fullmatch(word):
        scanner.fail(_VALUE, cure=f"a text is written in quotes, `{quoted(word)}`" if word else "")
    # Python reads no number of thousands of digits.
    if len(word.lstrip("-0")) > _MOST_DIGITS or int(word) not in _INT64:
        scanner.fail(_INT64_TEXT, word)
    scanner.position += len(word)
    return int(word)


def _scan_entity(scanner: Scanner, type_name: str, bare: re.Pattern[str]) -> Entity | AnyOf:
    scanner.position += len(":")
    if scanner.sees(":"):
        scanner.fail("an id (there are no namespaces; an id that begins with `:` is quoted)")
    start = scanner.position
    is_quoted = scanner.sees('"')
    identifier = scanner.string() if is_quoted else scanner.take(bare)
    if not identifier:
        scanner.position = start
        scanner.fail("an id that is not empty")
    if identifier == "_" and not is_quoted:
        return AnyOf(type_name)
    return Entity(type_name, identifier)
