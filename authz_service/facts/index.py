"""Indexes: the members of each key, for the access paths of one demand over one base of tables.

An index is built a few rows at a time, so that a thread that does so beside others can give way to them.
"""

from collections import defaultdict
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from collections.abc import Set as AbstractSet
from functools import cache
from itertools import compress, repeat
from operator import itemgetter
from typing import NamedTuple, TypeVar

from authz_service.facts.access import AccessPath, Demand
from authz_service.facts.fact import Fact
from authz_service.facts.ids import FIRST_INTEGER, TYPE_SHIFT
from authz_service.facts.members import ONCE, Member, Members, collection
from authz_service.facts.rows import Row, Rows
from authz_service.facts.tables import Signature, Tables

T = TypeVar("T")

Key = int | tuple[int, ...]
Index = dict[Key, Members]

Work = Generator[None, None, T]
"""What returns a T in the end, and yields between parts of about a millisecond."""

_INTEGERS = -1

_PART_ROWS = 2048


@cache
def projection(positions: tuple[int, ...]) -> Callable[[Row], int | Row]:
    """Return what takes these positions of a row: an id if it is one, else a tuple."""
    if positions:
        return itemgetter(*positions)
    return lambda _: ()


class Indexes:
    """What is demanded of `tables`, built path by path and not changed after that."""

    __slots__ = ("_demand", "_shown", "_tables", "built")

    def __init__(self, tables: Tables, demand: Demand) -> None:
        self._tables = tables
        self._demand = demand
        self._shown: dict[Signature, bytes | None] = {}
        self.built: dict[str, Index | Members] = {}

    def index(self, name: str) -> Index | Members:
        """Return the members for each key, or all members if the path `name` has no key.

        Looks at the whole table when asked for the first time.
        """
        for _ in self.building(name):
            pass
        return self.built[name]

    def building(self, name: str) -> Work[None]:
        """Build what `index` is going to return, unless it is there."""
        if name not in self.built:
            self.built[name] = yield from self._build(self._demand.paths[name])

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
        return (yield from _groups(selected, path))

    def _selected(self, path: AccessPath, rows: Rows, shown: bytes | None) -> Iterator["_Part"]:
        """Yield the rows that count for `path`; `shown` has a byte for each row, or is None if all count."""
        literals = [(at, self._tables.ids.find(literal)) for at, literal in path.literals]
        if any(wanted is None for _, wanted in literals):
            return
        for part in _parts(rows):
            selected = part
            if shown is not None:
                selected = part.only(shown[part.start : part.start + part.size])
            for position, wanted in literals:
                selected = selected.only(bytes(map(wanted.__eq__, selected.columns[position])))
            yield selected

    def _acceptance(self, signature: Signature, rows: Rows) -> Work[bytes | None]:
        """Return a byte for each row, true if the demand shows it, or None if it shows all.

        Facts of one kind, with the same types but for values that are told apart, are shown alike.
        """
        ids = self._tables.ids
        named = None if self._demand.named is None else set(map(ids.find, self._demand.named))
        known: dict[Row, bool] = {}
        shown = bytearray()
        for part in _parts(rows):
            some = part.rows()
            kinds = some if named is None else part.kinds(named)
            for kind, row in dict(zip(kinds, some, strict=True)).items():
                if kind not in known:
                    known[kind] = self._demand.accepts(self._fact(signature, row))
            shown += bytes(map(known.__getitem__, kinds))
            yield
        return None if all(known.values()) else bytes(shown)

    def _fact(self, signature: Signature, row: Row) -> Fact:
        return Fact(signature[0], tuple(map(self._tables.ids.value, row)))


class _Part(NamedTuple):
    """Some rows of a table, in columns; `start` is the number of the first."""

    start: int
    size: int
    columns: Sequence[Sequence[int]]

    def rows(self) -> list[Row]:
        return list(zip(*self.columns, strict=True)) if self.columns else [()] * self.size

    def kinds(self, named: AbstractSet[int | None]) -> list[Row]:
        """Return each row with types for the values that are not `named`."""
        kinds = [
            [
                one if one in named else _INTEGERS if one >= FIRST_INTEGER else one >> TYPE_SHIFT
                for one in column
            ]
            for column in self.columns
        ]
        return self._replace(columns=kinds).rows()

    def only(self, selected: bytes) -> "_Part":
        """Return the rows whose byte is true."""
        columns = [list(compress(column, selected)) for column in self.columns]
        return _Part(self.start, sum(selected), columns)

    def at(self, positions: tuple[int, ...]) -> Iterable[int | Row]:
        """Return what stands at `positions` of each row."""
        if not positions:
            return repeat((), self.size)
        found = [self.columns[position] for position in positions]
        return found[0] if len(found) == 1 else zip(*found, strict=True)


def _parts(rows: Rows) -> Iterator[_Part]:
    for start in range(0, len(rows), _PART_ROWS):
        columns = [column[start : start + _PART_ROWS] for column in rows.columns]
        yield _Part(start, min(_PART_ROWS, len(rows) - start), columns)


def _all(parts: Iterable[_Part], path: AccessPath) -> Work[Members]:
    """Return the members, where nothing is given."""
    members: list[Member] = []
    for part in parts:
        members += part.at(path.members)
        yield
    return collection(members)


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
    index: Index = {}
    for key, group in groups.items():
        index[key] = collection(group)
        if len(index) % _PART_ROWS == 0:
            yield
    return index
