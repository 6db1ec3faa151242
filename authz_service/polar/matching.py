"""Which atoms could speak about the same fact: compared by their literals and the types of their variables.

Policies may have thousands of rules for one predicate, and all pairs of conditions and rules would be
millions. So a set of atoms is an integer with a bit for each, and one look-up finds all that match.
"""

from collections.abc import Iterable, Iterator, Sequence
from functools import cached_property

from authz_service.facts.value import Value
from authz_service.polar.goals import Atom, Types

Arg = Value | frozenset[str]
"""An argument: a literal, or a variable with the types that its values can have."""

_FEW = 8
_MANY = 64
_CHUNK = 1024


def args_of(atom: Atom, types: Types) -> Iterator[Arg]:
    """Yield the arguments of `atom` as an index takes them."""
    return (arg if isinstance(arg, Value) else types[arg] for arg in atom.args)


class MatchIndex:
    """Argument lists of one length, each with a number of its own. All are added before one is looked up."""

    def __init__(self, arity: int) -> None:
        self._positions = [_Position() for _ in range(arity)]
        self._numbers: list[int] = []
        self._all = 0

    def add(self, number: int, args: Iterable[Arg | tuple[Value, ...]]) -> None:
        """Add a list of arguments; a tuple stands for any of its values."""
        self._numbers.append(number)
        for position, arg in zip(self._positions, args, strict=True):
            position.add(arg, number)

    def matching(self, args: Iterable[Arg]) -> int:
        """Return, as bits, the numbers of those that one and the same fact could match as well."""
        found = self._all = self._all or mask_of(self._numbers)
        for position, arg in zip(self._positions, args, strict=True):
            found &= position.matching(arg)
        return found


class _Position:
    """What stands at one argument position: literals, and variables with their types."""

    def __init__(self) -> None:
        self._variables: dict[frozenset[str], list[int]] = {}
        self._literals: dict[Value, list[int]] = {}
        self._known: dict[Arg, int] = {}
        self._known_types: dict[str, int] = {}

    def add(self, arg: Arg | tuple[Value, ...], number: int) -> None:
        if isinstance(arg, frozenset):
            self._variables.setdefault(arg, []).append(number)
            return
        for value in (arg,) if isinstance(arg, Value) else arg:
            self._literals.setdefault(value, []).append(number)

    def matching(self, arg: Arg) -> int:
        if isinstance(arg, Value):
            return self._literal(arg) | self._of_type(arg.type)
        if arg not in self._known:
            found = self._variable(arg)
            for name in arg & self._literals_of.keys():
                found |= self._literals_of[name]
            self._known[arg] = found
        return self._known[arg]

    def _of_type(self, name: str) -> int:
        """Return the variables that can have values of this type."""
        found = self._known_types.get(name)
        if found is None:
            found = self._variable(frozenset({name}))
            # Then it is a type of the policy; of other names any number may come with facts.
            if found:
                self._known_types[name] = found
        return found

    def _variable(self, types: frozenset[str]) -> int:
        """Return the variables that can have values of some of `types`."""
        found = 0
        if len(self._variables) > _FEW:
            for name in types & self._variables_of.keys():
                found |= self._variables_of[name]
        else:
            for known, mask in self._variables_with.items():
                found |= 0 if known.isdisjoint(types) else mask
        return found

    def _literal(self, value: Value) -> int:
        numbers = self._literals.get(value, ())
        # Kept only if there are many: bits for each of thousands of literals would fill the memory.
        if len(numbers) < _MANY:
            return mask_of(numbers)
        if value not in self._known:
            self._known[value] = mask_of(numbers)
        return self._known[value]

    @cached_property
    def _variables_with(self) -> dict[frozenset[str], int]:
        return {types: mask_of(numbers) for types, numbers in self._variables.items()}

    @cached_property
    def _variables_of(self) -> dict[str, int]:
        return _masks((name, n) for types, n in self._variables.items() for name in types)

    @cached_property
    def _literals_of(self) -> dict[str, int]:
        return _masks((value.type, n) for value, n in self._literals.items())


def _masks(named: Iterable[tuple[str, Sequence[int]]]) -> dict[str, int]:
    grouped: dict[str, list[int]] = {}
    for name, numbers in named:
        grouped.setdefault(name, []).extend(numbers)
    return {name: mask_of(numbers) for name, numbers in grouped.items()}


def mask_of(numbers: Sequence[int]) -> int:
    """Return the integer in which the bits with these numbers are set."""
    if len(numbers) < 2:
        return 1 << numbers[0] if numbers else 0
    marked = bytearray(max(numbers) // 8 + 1)
    for number in numbers:
        marked[number >> 3] |= 1 << (number & 7)
    return int.from_bytes(marked, "little")


def bits(mask: int) -> Iterator[int]:
    """Yield the numbers of the bits that are set, lowest first."""
    start = 0
    while mask:
        skipped = (mask & -mask).bit_length() - 1
        # Bit by bit only in a small part: each step costs the length of the integer.
        part = mask >> skipped & (1 << _CHUNK) - 1
        start += skipped
        while part:
            lowest = part & -part
            yield start + lowest.bit_length() - 1
            part ^= lowest
        mask >>= skipped + _CHUNK
        start += _CHUNK
