"""Indexes: the members of each key, for the access paths of one demand over one base of tables.

An index is built a few rows at a time, so that a thread that does so beside others can give way to them.
"""

from array import array
from collections import Counter, defaultdict
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from collections.abc import Set as AbstractSet
from functools import cache
from itertools import compress, repeat
from operator import itemgetter
from typing import NamedTuple, TypeVar

from authz_service.facts.access import AccessPath, Demand, Literal
from authz_service.facts.fact import Fact
from authz_service.facts.ids import FIRST_INTEGER, TYPE_SHIFT
from authz_service.facts.members import ONCE, Member, Members, collecting
from authz_service.facts.rows import Column, Row, Rows, ascends
from authz_service.facts.tables import Signature, Tables
from authz_service.facts.value import Value

T = TypeVar("T")

Key = int | tuple[int, ...]
Index = dict[Key, Members]

Work = Generator[None, None, T]
"""What returns a T in the end, and yields between parts of about a millisecond."""

_INTEGERS = -1
_BYTE = 256

_PART_ROWS = 2048

_BUCKET = 7
"""The members of 2**7 keys are brought together at a time: what that touches stays in the processor's cache."""


@cache
def projection(positions: tuple[int, ...]) -> Callable[[Row], int | Row]:
    """Return what takes these positions of a row: an id if it is one, else a tuple."""
    if positions:
        return itemgetter(*positions)
    return lambda _: ()


class Indexes:
    """What is demanded of `tables`, built path by path and not changed after that."""

    __slots__ = ("_gathered", "_shown", "_tables", "built", "demand")

    def __init__(self, tables: Tables, demand: Demand) -> None:
        self._tables = tables
        self.demand = demand
        self._shown: dict[Signature, bytes | None] = {}
        self._gathered: dict[tuple[Signature, int], bool] = {}
        self.built: dict[str, Index | Members] = {}

    def index(self, name: str) -> Index | Members:
        """Return the members for each key, or all members if the path `name` has no key.

        Looks at the whole table when asked for the first time.
        """
        for _ in self.building(name):
            pass
        return self.built[name]

    def has(self, fact: Fact) -> bool:
        """Say whether `fact` is in the tables."""
        return fact in self._tables

    def building(self, name: str) -> Work[None]:
        """Build what `index` is going to return, unless it is there."""
        if name not in self.built:
            self.built[name] = yield from self._build(self.demand.paths[name])

    def _build(self, path: AccessPath) -> Work[Index | Members]:
        signature = path.predicate, path.arity
        rows = self._tables.by_signature.get(signature, Rows(path.arity))
        if signature not in self._shown:
            self._shown[signature] = yield from self._acceptance(signature, rows)
        selected = self._selected(path, rows, self._shown[signature])
        if not path.key:
            return (yield from _all(selected, path))
        if not path.members:
            return (yield from _keys(selected, path))
        if len(path.key) > 1:
            return (yield from _groups(selected, path))
        column = rows.columns[path.key[0]]
        place = signature, path.key[0]
        if place not in self._gathered:
            self._gathered[place] = yield from _is_gathered(column)
        if self._gathered[place]:
            return (yield from _runs(selected, path, column.ids))
        return (yield from _groups_of_codes(selected, path, column.ids))

    def _selected(self, path: AccessPath, rows: Rows, shown: bytes | None) -> Iterator["_Part"]:
        """Yield the rows that count for `path`; `shown` has a byte for each row, or is None if all count."""
        choices = [
            (column := rows.columns[at], self._codes(column, one)) for at, one in path.literals
        ]
        if not all(codes for _, codes in choices):
            return
        tests = [(column, codes) for column, codes in choices if len(codes) < len(column.ids)]
        coded = path.key[0] if len(path.key) == 1 and path.members else None
        wanted = frozenset((*path.key, *path.members))
        for start in range(0, len(rows), _PART_ROWS):
            stop = min(start + _PART_ROWS, len(rows))
            selected = [_among(column, codes, start, stop) for column, codes in tests]
            if shown is not None:
                selected.append(shown[start:stop])
            few = bytes(map(min, *selected)) if len(selected) > 1 else next(iter(selected), None)
            columns = [
                _some(column, start, stop, few, as_ids=at != coded) if at in wanted else ()
                for at, column in enumerate(rows.columns)
            ]
            yield _Part(stop - start if few is None else few.count(1), columns)

    def _codes(self, column: Column, literal: Literal) -> AbstractSet[int]:
        """Return the codes of what will do; a value that has no id yet is in no row."""
        values = (literal,) if isinstance(literal, Value) else literal
        ids = map(self._tables.ids.find, values)
        return {code for id_ in ids if (code := column.code(id_)) is not None}

    def _acceptance(self, signature: Signature, rows: Rows) -> Work[bytes | None]:
        """Return a byte for each row, true if the demand shows it, or None if it shows all.

        Facts of one kind, with the same types but for values that are told apart, are shown alike.
        """
        kinds: list[_Kinds] = []
        for column in rows.columns:
            found = yield from self._kinds(column)
            kinds.append(found)
        # Where all are of one kind, rows need not be looked at.
        varied = [
            (column.codes, one.of_code)
            for column, one in zip(rows.columns, kinds, strict=True)
            if len(one.examples) > 1
        ]
        known: dict[tuple[int, ...], bool] = {}
        if len(varied) == 1:
            codes, of_code = varied[0]
            present = yield from _present(codes)
            for one in set(map(of_code.__getitem__, present)):
                known[one,] = self.demand.accepts(self._example(signature, kinds, (one,)))
            if all(known.values()):
                return None
        shown = bytearray()
        for start in range(0, len(rows), _PART_ROWS):
            stop = min(start + _PART_ROWS, len(rows))
            some = list(zip(*(map(of.__getitem__, codes[start:stop]) for codes, of in varied)))  # noqa: B905
            some = some or [()] * (stop - start)
            for kind in set(some).difference(known):
                known[kind] = self.demand.accepts(self._example(signature, kinds, kind))
            shown += bytes(map(known.__getitem__, some))
            yield
        return None if all(known.values()) else bytes(shown)

    def _kinds(self, column: Column) -> Work["_Kinds"]:
        named = self.demand.named
        apart = None if named is None else set(map(self._tables.ids.find, named))
        numbers: dict[int, int] = {}
        examples: list[int] = []
        of_code: list[int] = []
        for start in range(0, len(column.ids), _PART_ROWS):
            some = column.ids[start : start + _PART_ROWS]
            kinds = some if apart is None else _kinds(some, apart)
            for kind, id_ in dict(zip(kinds, some, strict=True)).items():
                if kind not in numbers:
                    numbers[kind] = len(numbers)
                    examples.append(id_)
            of_code += map(numbers.__getitem__, kinds)
            yield
        return _Kinds(of_code, examples)

    def _example(
        self, signature: Signature, kinds: Sequence["_Kinds"], varied: tuple[int, ...]
    ) -> Fact:
        numbers = iter(varied)
        row = (k.examples[next(numbers) if len(k.examples) > 1 else 0] for k in kinds)
        return Fact(signature[0], tuple(map(self._tables.ids.value, row)))


class _Kinds(NamedTuple):
    """Of which kind what stands in a column is, by its code; and one id of each kind."""

    of_code: Sequence[int]
    examples: Sequence[int]


class _Part(NamedTuple):
    """Some rows of a table, in columns; those that are not asked for are empty."""

    size: int
    columns: Sequence[Sequence[int]]

    def at(self, positions: tuple[int, ...]) -> Iterable[int | Row]:
        """Return what stands at `positions` of each row."""
        if not positions:
            return repeat((), self.size)
        found = [self.columns[position] for position in positions]
        return found[0] if len(found) == 1 else zip(*found, strict=True)


def _present(codes: "array[int]") -> Work[set[int]]:
    present: set[int] = set()
    for start in range(0, len(codes), _PART_ROWS):
        present.update(codes[start : start + _PART_ROWS])
        yield
    return present


def _kinds(ids: Iterable[int], apart: AbstractSet[int | None]) -> list[int]:
    """Return the types of the ids that are not told apart, and those as they are."""
    return [
        one if one in apart else _INTEGERS if one >= FIRST_INTEGER else one >> TYPE_SHIFT
        for one in ids
    ]


def _among(column: Column, wanted: AbstractSet[int], start: int, stop: int) -> bytes:
    """Return a byte for each row, 1 if its code is wanted."""
    codes = column.codes[start:stop]
    if codes.itemsize > 1:
        return bytes(map(wanted.__contains__, codes))
    return codes.tobytes().translate(bytes(number in wanted for number in range(_BYTE)))


def _some(
    column: Column, start: int, stop: int, selected: bytes | None, *, as_ids: bool
) -> Sequence[int]:
    """Return the ids, or codes, of the rows whose byte is true, or of all."""
    codes: Iterable[int] = column.codes[start:stop]
    if selected is not None:
        codes = compress(codes, selected)
    return list(map(column.ids.__getitem__, codes) if as_ids else codes)


def _all(parts: Iterable[_Part], path: AccessPath) -> Work[Members]:
    """Return the members, where nothing is given."""
    members: list[Member] = []
    for part in parts:
        members += part.at(path.members)
        yield
    return collecting(may_repeat=path.has_choice)(members)


def _keys(parts: Iterable[_Part], path: AccessPath) -> Work[Index]:
    """Return the index where all is given or fixed."""
    index: Index = {}
    for part in parts:
        index |= dict.fromkeys(part.at(path.key), ONCE)
        yield
    return index


def _groups(parts: Iterable[_Part], path: AccessPath) -> Work[Index]:
    """Return the members by key."""
    groups: defaultdict[Key, list[Member]] = defaultdict(list)
    for part in parts:
        for key, member in zip(part.at(path.key), part.at(path.members), strict=True):
            groups[key].append(member)
        yield
    collected = collecting(may_repeat=path.has_choice)
    index: Index = {}
    while groups:
        key, group = groups.popitem()
        index[key] = collected(group)
        if len(index) % _PART_ROWS == 0:
            yield
    return index


def _is_gathered(column: Column) -> Work[bool]:
    for start in range(0, len(column), _PART_ROWS):
        if not ascends(column.codes[start : start + _PART_ROWS + 1]):
            return False
        yield
    return True


def _runs(parts: Iterable[_Part], path: AccessPath, ids: Sequence[int]) -> Work[Index]:
    """Return the members by key, of rows that are gathered by it.

    The parts have the codes of the keys; `ids` has the keys by code.
    """
    collected = collecting(may_repeat=path.has_choice)
    index: Index = {}
    current, group = -1, list[Member]()
    for part in parts:
        members = list(part.at(path.members))
        start = 0
        for code, size in Counter(part.columns[path.key[0]]).items():
            some = members[start : start + size]
            start += size
            if code == current:
                group += some
                continue
            if group:
                index[ids[current]] = collected(group)
            current, group = code, some
        yield
    if group:
        index[ids[current]] = collected(group)
    return index


def _groups_of_codes(parts: Iterable[_Part], path: AccessPath, ids: Sequence[int]) -> Work[Index]:
    """Return what `_runs` does, of rows in any order."""
    size = 1 << _BUCKET
    buckets: list[tuple[array[int], list[Member]]] = [
        (array("I"), []) for _ in range(0, len(ids), size)
    ]
    for part in parts:
        codes, members = part.columns[path.key[0]], part.at(path.members)
        for code, member in zip(codes, members, strict=True):
            some_codes, some_members = buckets[code >> _BUCKET]
            some_codes.append(code)
            some_members.append(member)
        yield
    collected = collecting(may_repeat=path.has_choice)
    index: Index = {}
    # From the end, so that the memory of each is free again for the next one.
    while buckets:
        codes, members = buckets.pop()
        start = len(buckets) << _BUCKET
        keys = ids[start : start + size]
        groups: list[list[Member]] = [[] for _ in keys]
        for code, member in zip(codes, members, strict=True):
            groups[code - start].append(member)
        for key, group in zip(keys, groups, strict=True):
            if group:
                index[key] = collected(group)
        yield
    return index
