"""Grouping: the members of each key, for all paths that have their keys in one column of a table.

Rule 1: what belongs to a few rows is done at once: ids lie all over the memory, and waiting for them takes
    longer than all else, unless they have just been looked at.
Rule 2: rows that are gathered by key are cut into pieces. Rows in any other order go into buckets first,
    each of few keys, so that what is touched while one is brought into order stays in the processor's cache.
"""

from array import array
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from itertools import accumulate, chain, compress
from operator import itemgetter
from typing import NamedTuple, TypeVar

from authz_service.facts.access import AccessPath
from authz_service.facts.members import Collecting, Member, Members, collecting
from authz_service.facts.rows import Column, Rows, ascends, starts_of_runs
from authz_service.facts.work import Work

T = TypeVar("T")
V = TypeVar("V")

Key = int | tuple[int, ...]
Index = dict[Key, Members]

PART_ROWS = 2048

_BYTE = 256

_BUCKET = 7
"""The members of 2**7 keys are brought together at a time."""


class Selection(NamedTuple):
    """The rows that count for a path: those with one of the codes in each column, and whose byte is true."""

    tests: Sequence[tuple[Column, AbstractSet[int]]]
    shown: bytes | None

    @property
    def is_empty(self) -> bool:
        """Whether no row can count."""
        return not all(codes for _, codes in self.tests)

    def among(self, start: int, stop: int) -> bytes | None:
        """Return a byte for each of some rows, true if it counts; None if all count."""
        selected = [_among(column, codes, start, stop) for column, codes in self.tests]
        if self.shown is not None:
            selected.append(self.shown[start:stop])
        return bytes(map(min, *selected)) if len(selected) > 1 else next(iter(selected), None)


class Part:
    """Some rows of a table, those from `start` on and before `stop`."""

    __slots__ = ("_decoded", "_rows", "start", "stop")

    def __init__(self, rows: Rows, start: int, stop: int) -> None:
        self._rows = rows
        self.start = start
        self.stop = stop
        self._decoded: dict[int, tuple[int, ...]] = {}

    def at(self, positions: tuple[int, ...], selected: bytes | None) -> tuple[Member, ...]:
        """Return what stands at `positions` of each row whose byte is true, or of all."""
        if not positions:
            return ((),) * (self.stop - self.start if selected is None else selected.count(1))
        found = [self._ids(position, selected) for position in positions]
        return found[0] if len(found) == 1 else tuple(zip(*found, strict=True))

    def codes(self, position: int, selected: bytes | None) -> "array[int]":
        """Return the codes in a column of each row whose byte is true, or of all."""
        codes = self._rows.columns[position].codes[self.start : self.stop]
        return codes if selected is None else array(codes.typecode, compress(codes, selected))

    def _ids(self, position: int, selected: bytes | None) -> tuple[int, ...]:
        decoded = self._decoded.get(position)
        if decoded is not None:
            return decoded if selected is None else tuple(compress(decoded, selected))
        codes = self.codes(position, selected)
        ids = self._rows.columns[position].ids
        # Of several it takes them all at once, which takes half of the time of one after the other.
        found = itemgetter(*codes)(ids) if len(codes) > 1 else tuple(ids[code] for code in codes)
        if selected is None:
            self._decoded[position] = found
        return found


def parts_of(rows: Rows) -> Iterator[Part]:
    """Yield all rows, in parts that are looked at in about a millisecond."""
    for start in range(0, len(rows), PART_ROWS):
        yield Part(rows, start, min(start + PART_ROWS, len(rows)))


def grouped(
    paths: Mapping[str, tuple[AccessPath, Selection]], rows: Rows, position: int
) -> Work[dict[str, Index]]:
    """Return the index of each of the paths, whose keys are all at `position`."""
    if (yield from _is_gathered(rows.columns[position])):
        return (yield from _grouped(_Runs, paths, rows, position))
    indexes: dict[str, Index] = {}
    # The buckets of several would not stay in the cache.
    for name, path in paths.items():
        indexes |= yield from _grouped(_Buckets, {name: path}, rows, position)
    return indexes


def _grouped(
    kind: "type[_Runs | _Buckets]",
    paths: Mapping[str, tuple[AccessPath, Selection]],
    rows: Rows,
    position: int,
) -> Work[dict[str, Index]]:
    column = rows.columns[position]
    groupings = {name: kind(path, column.ids) for name, (path, _) in paths.items()}
    for part in parts_of(rows):
        found = [
            (name, path, selection.among(part.start, part.stop))
            for name, (path, selection) in paths.items()
            if not selection.is_empty
        ]
        # Who looks at all rows has them decoded for the others.
        for name, path, selected in sorted(found, key=lambda one: one[2] is not None):
            codes = part.codes(position, selected)
            if codes:
                groupings[name].add(codes, part.at(path.members, selected))
        yield
    indexes: dict[str, Index] = {}
    for name, grouping in groupings.items():
        indexes[name] = yield from grouping.index()
    return indexes


def _is_gathered(column: Column) -> Work[bool]:
    for start in range(0, len(column), PART_ROWS):
        if not ascends(column.codes[start : start + PART_ROWS + 1].tolist()):
            return False
        yield
    return True


class _Runs:
    """The members by key, of rows that are gathered by it. `keys` are by code."""

    def __init__(self, path: AccessPath, keys: Sequence[int]) -> None:
        self._keys = keys
        self._collected = collecting(may_repeat=path.has_choice)
        self._index: Index = {}
        self._last = -1
        self._rest: list[Member] = []

    def add(self, codes: "array[int]", members: tuple[Member, ...]) -> None:
        """Take in some rows, as the codes of their keys and their members."""
        starts = starts_of_runs(codes)
        if len(starts) == 1 and codes[0] == self._last:
            self._rest += members
            return
        found = list(map(codes.__getitem__, starts))
        if self._rest:
            if found[0] == self._last:
                del found[0], starts[0]
            found.insert(0, self._last)
            starts = [0, *map(len(self._rest).__add__, starts)]
            members = (*self._rest, *members)
        # More of the last one may follow.
        end = starts.pop()
        self._last, self._rest = found.pop(), list(members[end:])
        self._take(found, members[:end], starts)

    def index(self) -> Work[Index]:
        """Return what was taken in. Call once, at the end."""
        if self._rest:
            self._take([self._last], tuple(self._rest), [0])
        yield
        return self._index

    def _take(
        self, codes: Iterable[int], members: tuple[Member, ...], starts: Sequence[int]
    ) -> None:
        keys = map(self._keys.__getitem__, codes)
        self._index.update(zip(keys, self._collected(members, starts), strict=True))


class _Buckets:
    """The members by key, of rows in any order. `keys` are by code."""

    def __init__(self, path: AccessPath, keys: Sequence[int]) -> None:
        self._keys = keys
        self._collected = collecting(may_repeat=path.has_choice)
        buckets = range((len(keys) >> _BUCKET) + 1)
        self._buckets = [(array("I"), list[Member]()) for _ in buckets]

    def add(self, codes: "array[int]", members: tuple[Member, ...]) -> None:
        """Take in some rows, as the codes of their keys and their members."""
        buckets = self._buckets
        for code, member in zip(codes, members, strict=True):
            some_codes, some_members = buckets[code >> _BUCKET]
            some_codes.append(code)
            some_members.append(member)

    def index(self) -> Work[Index]:
        """Return what was taken in. Call once, at the end."""
        index: Index = {}
        # From the end, so that the memory of each is free again for the next one.
        while self._buckets:
            codes, members = self._buckets.pop()
            start = len(self._buckets) << _BUCKET
            keys = self._keys[start : start + (1 << _BUCKET)]
            groups: list[list[Member]] = [[] for _ in keys]
            for code, member in zip(codes, members, strict=True):
                groups[code - start].append(member)
            found = of_lists(list(filter(None, groups)), self._collected)
            index.update(zip(compress(keys, groups), found, strict=True))
            yield
        return index


def of_lists(groups: Collection[list[Member]], collected: Collecting) -> list[Members]:
    """Return the collections of these groups, none of which is empty."""
    starts = list(accumulate(map(len, groups), initial=0))[:-1]
    return collected(tuple(chain.from_iterable(groups)), starts)


def _among(column: Column, wanted: AbstractSet[int], start: int, stop: int) -> bytes:
    """Return a byte for each row, 1 if its code is wanted."""
    codes = column.codes[start:stop]
    if codes.itemsize > 1:
        return bytes(map(wanted.__contains__, codes))
    table = bytearray(_BYTE)
    for code in wanted:
        table[code] = 1
    return codes.tobytes().translate(table)
