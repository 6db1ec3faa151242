"""Which atoms could speak about the same fact: compared by their literals and the types of their variables.

Policies may have thousands of rules for one predicate, and all pairs of conditions and rules would be
millions. So a set of atoms is an integer with a bit for each, and one look-up finds all that match.
"""

from collections.abc import Iterable, Iterator

from authz_service.facts.value import Value
from authz_service.polar.goals import Atom, Types

Arg = Value | frozenset[str]
"""An argument: a literal, or a variable with the types that its values can have."""


def args_of(atom: Atom, types: Types) -> Iterator[Arg]:
    """Yield the arguments of `atom` as an index takes them."""
    return (arg if isinstance(arg, Value) else types[arg] for arg in atom.args)


class MatchIndex:
    """Argument lists of one length, each with a number of its own."""

    def __init__(self, arity: int) -> None:
        self._positions = [_Position() for _ in range(arity)]
        self._all = 0

    def add(self, number: int, args: Iterable[Arg | tuple[Value, ...]]) -> None:
        """Add a list of arguments; a tuple stands for any of its values."""
        bit = 1 << number
        self._all |= bit
        for position, arg in zip(self._positions, args, strict=True):
            position.add(arg, bit)

    def matching(self, args: Iterable[Arg]) -> int:
        """Return, as bits, the numbers of those that one and the same fact could match as well."""
        found = self._all
        for position, arg in zip(self._positions, args, strict=True):
            found &= position.matching(arg)
        return found


class _Position:
    """What stands at one argument position: literals, and variables with their types."""

    def __init__(self) -> None:
        self._variables: dict[str, int] = {}
        self._literals: dict[Value, int] = {}
        self._literals_of: dict[str, int] = {}
        self._known: dict[frozenset[str], int] = {}

    def add(self, arg: Arg | tuple[Value, ...], bit: int) -> None:
        self._known.clear()
        if isinstance(arg, frozenset):
            for name in arg:
                self._variables[name] = self._variables.get(name, 0) | bit
            return
        for value in (arg,) if isinstance(arg, Value) else arg:
            self._literals[value] = self._literals.get(value, 0) | bit
            self._literals_of[value.type] = self._literals_of.get(value.type, 0) | bit

    def matching(self, arg: Arg) -> int:
        if isinstance(arg, Value):
            return self._literals.get(arg, 0) | self._variables.get(arg.type, 0)
        if arg not in self._known:
            found = 0
            for name in arg:
                found |= self._variables.get(name, 0) | self._literals_of.get(name, 0)
            self._known[arg] = found
        return self._known[arg]


def bits(mask: int) -> Iterator[int]:
    """Yield the numbers of the bits that are set, lowest first."""
    while mask:
        lowest = mask & -mask
        yield lowest.bit_length() - 1
        mask ^= lowest
