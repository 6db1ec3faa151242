"""Tables: the facts of a snapshot's base, as rows of ids by predicate and arity.

Not changed once a snapshot has it. The ids are shared with every later snapshot and only grow.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import repeat
from operator import rshift

from authz_service.facts.fact import AnyValue, Fact, FactPattern
from authz_service.facts.ids import FIRST_INTEGER, TYPE_SHIFT, Ids
from authz_service.facts.rows import Row, Rows
from authz_service.facts.value import INTEGER, Value
from authz_service.facts.work import Work, done

SPARE_IDS = 4096

# So many rows are looked at in about a millisecond.
_PART = 2048

_CHANGED_AT_ONCE = 64


Signature = tuple[str, int]
"""Predicate and arity: what facts of one table have in common. A plain tuple, as it is made often."""


class Tables:
    """A set of facts."""

    __slots__ = ("_most_ids", "by_signature", "ids")

    def __init__(self, facts: Iterable[Fact] = ()) -> None:
        self.ids = Ids()
        self.by_signature: dict[Signature, Rows] = {}
        for fact in facts:
            self._add(fact)
        self._settle()
        self._most_ids = 2 * len(self.ids) + SPARE_IDS

    @staticmethod
    def of(ids: Ids, by_signature: dict[Signature, Rows]) -> "Tables":
        """Return the tables of these rows, whose values have `ids`."""
        tables = Tables()
        tables.ids = ids
        tables.by_signature = by_signature
        tables._most_ids = 2 * len(ids) + SPARE_IDS
        return tables

    def __contains__(self, fact: Fact) -> bool:
        row = self.find(fact)
        return row is not None and self.has(signature_of(fact), row)

    def __iter__(self) -> Iterator[Fact]:
        return self.matching(FactPattern())

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Tables):
            return NotImplemented
        return len(self) == len(other) and all(fact in other for fact in self)

    __hash__ = None  # type: ignore[assignment]

    def __len__(self) -> int:
        return sum(map(len, self.by_signature.values()))

    @property
    def is_outgrown(self) -> bool:
        """Whether the ids have more than doubled since they were few enough."""
        return len(self.ids) > self._most_ids

    def has(self, signature: Signature, row: Row) -> bool:
        """Say whether there is a fact with this row of ids."""
        rows = self.by_signature.get(signature)
        return rows is not None and row in rows

    def find(self, fact: Fact) -> Row | None:
        """Return the row of `fact`, or None if some value has no id."""
        row = tuple(map(self.ids.find, fact.args))
        return None if None in row else row  # type: ignore[return-value]

    def matching(self, pattern: FactPattern) -> Iterator[Fact]:
        """Yield the facts that match. Costs a look at the rows of the predicate, or one if all is bound."""
        for signature, rows in self.by_signature.items():
            if pattern.predicate in (None, signature[0]):
                yield from self._matching(signature, rows, pattern.args)

    def kinds(self, named: Iterable[Value]) -> Iterator[Fact | None]:
        """Yield facts of each kind, see `FactSnapshot.kinds`. Costs a tenth of a microsecond for each value."""
        apart = {found: found for value in named if (found := self.ids.find(value)) is not None}
        for (predicate, _), rows in self.by_signature.items():
            if len(rows) and not rows.columns:
                yield Fact(predicate, ())
            seen: set[tuple[int, ...]] = set()
            for start in range(0, len(rows), _PART):
                columns = [column.part(start, start + _PART) for column in rows.columns]
                # All of this runs in C, but for what is new.
                kinds = zip(*(_kinds(column, apart) for column in columns), strict=True)
                examples = dict(zip(kinds, zip(*columns, strict=True), strict=True))
                for kind in examples.keys() - seen:
                    seen.add(kind)
                    yield Fact(predicate, tuple(map(self.ids.value, examples[kind])))
                yield None

    def changed(self, changes: Mapping[Fact, bool]) -> "Tables":
        """Return these facts with those that map to true and without those that map to false.

        Every value of a fact to add has an id already. Costs a copy of the touched tables.
        """
        return done(self.changing(changes))

    def changing(self, changes: Mapping[Fact, bool]) -> Work["Tables"]:
        """Do what `changed` does, and yield between parts of about a millisecond."""
        touched = {signature_of(fact) for fact in changes}
        changed = Tables()
        changed.ids = self.ids
        changed._most_ids = self._most_ids
        changed.by_signature = {
            signature: rows.copy() if signature in touched else rows
            for signature, rows in self.by_signature.items()
        }
        for signature in touched & changed.by_signature.keys():
            yield from changed.by_signature[signature].opening()
        for number, (fact, holds) in enumerate(changes.items()):
            if holds:
                changed._add(fact)
            else:
                changed._discard(fact)
            if number % _CHANGED_AT_ONCE == 0:
                yield
        changed._settle()
        return changed

    def gathering(self, positions: Mapping[Signature, int]) -> Work["Tables"]:
        """Return the same facts; those with the same value at the position of their table stand together."""
        gathered = dict(self.by_signature)
        for signature in positions.keys() & gathered.keys():
            gathered[signature] = yield from gathered[signature].gathering(positions[signature])
        return Tables.of(self.ids, gathered)

    @property
    def is_findable(self) -> bool:
        """Whether `findable` was called, or has nothing to do."""
        return all(rows.is_findable for rows in self.by_signature.values())

    def findable(self) -> None:
        """Make sure that facts can be looked up; whoever does it first would wait for it."""
        for _ in self.finding():
            pass

    def finding(self) -> Iterator[None]:
        """Do what `findable` does, and yield between parts of about a millisecond."""
        for rows in self.by_signature.values():
            yield from rows.finding()

    def _add(self, fact: Fact) -> None:
        signature = signature_of(fact)
        rows = self.by_signature.get(signature)
        if rows is None:
            rows = self.by_signature[signature] = Rows(len(fact.args))
        rows.add(tuple(map(self.ids.add, fact.args)))

    def _settle(self) -> None:
        for rows in self.by_signature.values():
            rows.settle()

    def _discard(self, fact: Fact) -> None:
        rows = self.by_signature.get(signature_of(fact))
        row = self.find(fact)
        if rows is not None and row is not None:
            rows.discard(row)

    def _matching(
        self, signature: Signature, rows: Rows, args: tuple[Value | AnyValue, ...] | None
    ) -> Iterator[Fact]:
        predicate, arity = signature
        found: Iterable[Row] = rows
        if args is not None:
            if len(args) != arity:
                return
            bound = tuple(self.ids.find(arg) for arg in args if isinstance(arg, Value))
            if None in bound:
                return
            if len(bound) == arity:
                found = (bound,) if bound in rows else ()  # type: ignore[assignment,operator]
            else:
                tests = [(at, _test(arg, self.ids)) for at, arg in enumerate(args) if arg != ANY]
                found = (row for row in rows if all(test(row[at]) for at, test in tests))
        value = self.ids.value
        for row in found:
            yield Fact(predicate, tuple(map(value, row)))


ANY = AnyValue()


def signature_of(fact: Fact) -> Signature:
    return fact.predicate, len(fact.args)


def _kinds(column: Sequence[int], apart: Mapping[int, int]) -> Iterator[int]:
    """Return ids that are in `apart` as they are, and the type numbers of others."""
    return map(apart.get, column, map(rshift, column, repeat(TYPE_SHIFT)))


def _test(arg: Value | AnyValue, ids: Ids) -> Callable[[int], bool]:
    """Return what tells the ids of the values that `arg` stands for."""
    if isinstance(arg, Value):
        wanted = ids.find(arg)
        return lambda found: found == wanted
    if arg.type == INTEGER:
        return lambda found: found >= FIRST_INTEGER
    number = ids.find_type(arg.type or "")
    return lambda found: found >> TYPE_SHIFT == number
