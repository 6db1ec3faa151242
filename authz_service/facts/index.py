"""Indexes: the members of each key, for the access paths of one demand over one base of tables.

An index is built a few rows at a time, so that a thread that does so beside others can give way to them.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from collections.abc import Set as AbstractSet
from functools import cache
from itertools import repeat
from operator import itemgetter, rshift
from typing import NamedTuple

from authz_service.facts.access import AccessPath, Demand, Literal
from authz_service.facts.fact import Fact
from authz_service.facts.grouping import (
    PART_ROWS,
    Index,
    Key,
    Selection,
    grouped,
    of_lists,
    parts_of,
)
from authz_service.facts.ids import FIRST_INTEGER, TYPE_SHIFT
from authz_service.facts.members import NONE, ONCE, Member, Members, collecting
from authz_service.facts.rows import Column, Row, Rows
from authz_service.facts.tables import Signature, Tables
from authz_service.facts.value import Value
from authz_service.facts.work import Work

_INTEGERS = -1


@cache
def projection(positions: tuple[int, ...]) -> Callable[[Row], int | Row]:
    """Return what takes these positions of a row: an id if it is one, else a tuple."""
    if positions:
        return itemgetter(*positions)
    return lambda _: ()


class Indexes:
    """What is demanded of `tables`, built path by path and not changed after that."""

    __slots__ = ("_shown", "_tables", "built", "demand")

    def __init__(self, tables: Tables, demand: Demand) -> None:
        self._tables = tables
        self.demand = demand
        self._shown: dict[Signature, bytes | None] = {}
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
        """Build what `index` is going to return, unless it is there.

        With it are built all that have their keys in the same column: of gathered rows one look does for them.
        """
        if name in self.built:
            return
        path = self.demand.paths[name]
        signature = path.predicate, path.arity
        rows = self._tables.by_signature.get(signature, Rows(path.arity))
        if signature not in self._shown:
            self._shown[signature] = yield from self._acceptance(signature, rows)
        if _is_grouped(path):
            alike = {
                other: (one, self._selection(one, rows))
                for other, one in self.demand.paths_to(*signature)
                if one.key == path.key and _is_grouped(one) and other not in self.built
            }
            self.built |= yield from grouped(alike, rows, path.key[0])
        else:
            parts = _parts(self._selection(path, rows), path, rows)
            if not path.key:
                self.built[name] = yield from _all(parts, path)
            elif not path.members:
                self.built[name] = yield from _keys(parts)
            else:
                self.built[name] = yield from _groups(parts, path)

    def _selection(self, path: AccessPath, rows: Rows) -> Selection:
        """Return which rows count for `path`."""
        choices = [
            (column := rows.columns[at], self._codes(column, one)) for at, one in path.literals
        ]
        tests = [(column, codes) for column, codes in choices if len(codes) < len(column.ids)]
        return Selection(tests, self._shown[path.predicate, path.arity])

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
            # Those included that no row has any more.
            for one in set(varied[0][1]):
                known[one,] = self.demand.accepts(self._example(signature, kinds, (one,)))
            if all(known.values()):
                return None
        shown = bytearray()
        for start in range(0, len(rows), PART_ROWS):
            stop = min(start + PART_ROWS, len(rows))
            some = list(zip(*(map(of.__getitem__, codes[start:stop]) for codes, of in varied)))  # noqa: B905
            some = some or [()] * (stop - start)
            for kind in set(some).difference(known):
                known[kind] = self.demand.accepts(self._example(signature, kinds, kind))
            shown += bytes(map(known.__getitem__, some))
            yield
        return bytes(shown) if 0 in shown else None

    def _kinds(self, column: Column) -> Work["_Kinds"]:
        named = self.demand.named
        apart = None if named is None else set(map(self._tables.ids.find, named))
        numbers: dict[int, int] = {}
        examples: list[int] = []
        of_code: list[int] = []
        for start in range(0, len(column.ids), PART_ROWS):
            some = column.ids[start : start + PART_ROWS]
            kinds = some if apart is None else _kinds(some, apart)
            different = set(kinds)
            for kind in different.difference(numbers):
                numbers[kind] = len(numbers)
                examples.append(some[kinds.index(kind)])
            if len(different) == 1:
                of_code += [numbers[kinds[0]]] * len(kinds)
            else:
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


_Columns = tuple[Sequence[Key], Sequence[Member]]
"""Keys and members of some rows."""


def _parts(selection: Selection, path: AccessPath, rows: Rows) -> Iterator[_Columns]:
    """Yield the keys and the members of the rows that count."""
    for part in () if selection.is_empty else parts_of(rows):
        selected = selection.among(part.start, part.stop)
        yield part.at(path.key, selected), part.at(path.members, selected)


def _kinds(ids: Sequence[int], apart: AbstractSet[int | None]) -> list[int]:
    """Return the types of the ids that are not told apart, and those as they are."""
    if max(ids) < FIRST_INTEGER and apart.isdisjoint(ids):
        return list(map(rshift, ids, repeat(TYPE_SHIFT)))
    return [
        one if one in apart else _INTEGERS if one >= FIRST_INTEGER else one >> TYPE_SHIFT
        for one in ids
    ]


def _is_grouped(path: AccessPath) -> bool:
    """Say whether the keys are in one column, and have members."""
    return len(path.key) == 1 and bool(path.members)


def _all(parts: Iterable[_Columns], path: AccessPath) -> Work[Members]:
    """Return the members, where nothing is given."""
    members: list[Member] = []
    for _, some in parts:
        members += some
        yield
    return collecting(may_repeat=path.has_choice)(tuple(members), [0])[0] if members else NONE


def _keys(parts: Iterable[_Columns]) -> Work[Index]:
    """Return the index where all is given or fixed."""
    index: Index = {}
    for keys, _members in parts:
        index |= dict.fromkeys(keys, ONCE)
        yield
    return index


def _groups(parts: Iterable[_Columns], path: AccessPath) -> Work[Index]:
    """Return the members by key."""
    groups: defaultdict[Key, list[Member]] = defaultdict(list)
    for keys, members in parts:
        for key, member in zip(keys, members, strict=True):
            groups[key].append(member)
        yield
    collected = collecting(may_repeat=path.has_choice)
    index: Index = {}
    while groups:
        some = dict(groups.popitem() for _ in range(min(len(groups), PART_ROWS)))
        index.update(zip(some, of_lists(some.values(), collected), strict=True))
        yield
    return index
