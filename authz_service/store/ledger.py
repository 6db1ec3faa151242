"""Ledger: the stored facts as a transaction leaves them, and the rows that become of them in the end.

What is looked at is read once. Changes are made here, each at a revision of its own, and written together in
`flush`: a thousand writes take as many statements as one.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator
from typing import Any, Final, NamedTuple

from sqlalchemy import Connection, and_, bindparam, delete, update

from authz_service.facts.change import AnyPattern
from authz_service.facts.fact import Fact
from authz_service.facts.instant import Instant
from authz_service.facts.revision import Revision
from authz_service.store import tables
from authz_service.store.dialect import insert_rows, stored_facts
from authz_service.store.matching import matching
from authz_service.store.rows import FactColumns, columns_of_facts, fact_decoder
from authz_service.store.statement import Statement

_table = tables.facts
_ROW: Final = and_(
    _table.c.store == bindparam("of_store"),
    _table.c.predicate == bindparam("of_predicate"),
    _table.c.key == bindparam("of_key"),
)
_DELETE: Final = Statement(delete(_table).where(_ROW))
_UPDATE: Final = Statement(
    update(_table).where(_ROW).values(created=bindparam("since"), expires_at=bindparam("until"))
)


class Stored(NamedTuple):
    """Since when a fact is stored with which expiry."""

    created: Revision
    expires_at: Instant | None

    def counts(self, instant: Instant) -> bool:
        return self.expires_at is None or self.expires_at > instant


class _Row:
    """What is stored of a fact: before this transaction, and after what was done so far."""

    __slots__ = ("after", "before", "columns")

    def __init__(self, columns: FactColumns, before: Stored | None = None) -> None:
        self.columns = columns
        self.before = before
        self.after = before


class Ledger:
    """The facts of all stores, behind one transaction that writes."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        # One look-up for all that is known of a fact: its hash takes as long as anything else here.
        self._rows: defaultdict[int, dict[Fact, _Row]] = defaultdict(dict)
        self._past: list[tuple[Any, ...]] = []

    def fetch(self, store: int, facts: Iterable[Fact]) -> None:
        """Read the rows of `facts`, so that `stored` knows them."""
        rows = self._rows[store]
        by_predicate: defaultdict[str, dict[str, _Row]] = defaultdict(dict)
        new = list(dict.fromkeys([fact for fact in facts if fact not in rows]))
        for fact, columns in zip(new, columns_of_facts(new), strict=True):
            rows[fact] = by_predicate[columns.predicate][columns.key] = _Row(columns)
        for predicate, by_key in by_predicate.items():
            found = stored_facts(self._connection, store, predicate, sorted(by_key))
            for key, created, expires_at in found:
                row = by_key[key]
                row.before = row.after = Stored(created, expires_at)

    def stored(self, store: int, fact: Fact) -> Stored | None:
        """Return what is stored of `fact`, which has been fetched."""
        return self._rows[store][fact].after

    def matching(self, store: int, pattern: AnyPattern) -> Iterator[tuple[Fact, Stored]]:
        """Yield the facts that match, and fetch them."""
        known = self._rows[store]
        touched = {fact: row for fact, row in known.items() if row.after is not row.before}
        for fact, row in touched.items():
            if row.after is not None and pattern.matches(fact):
                yield fact, row.after
        decode = fact_decoder()
        rows = self._connection.execute(matching(tables.facts, store, pattern))
        with rows:
            for predicate, key, args, created, expires_at in rows:
                fact = decode(predicate, key, args)
                if fact not in touched and pattern.matches(fact):
                    stored = Stored(created, expires_at)
                    known[fact] = _Row(FactColumns(predicate, key, args), stored)
                    yield fact, stored

    def put(self, store: int, fact: Fact, stored: Stored | None, revision: Revision) -> None:
        """Have `fact`, which has been fetched, stored like this, or no more, from `revision` on."""
        row = self._rows[store][fact]
        if row.after is not None:
            created, expires_at = row.after
            self._past.append((store, *row.columns, created, revision, expires_at))
        row.after = stored

    def flush(self) -> None:
        """Write what became of the facts."""
        inserted: list[tuple[Any, ...]] = []
        changed: list[dict[str, Any]] = []
        deleted: list[dict[str, Any]] = []
        for store, rows in self._rows.items():
            for row in rows.values():
                if row.after is row.before:
                    continue
                columns, after = row.columns, row.after
                if row.before is None and after is not None:
                    inserted.append((store, *columns, *after))
                    continue
                place = {
                    "of_store": store,
                    "of_predicate": columns.predicate,
                    "of_key": columns.key,
                }
                if after is None:
                    deleted.append(place)
                else:
                    changed.append({**place, "since": after.created, "until": after.expires_at})
        _DELETE.run(self._connection, deleted)
        _UPDATE.run(self._connection, changed)
        # In the order of the primary key, of which no two are equal: neighbours come to the same pages.
        inserted.sort()
        insert_rows(self._connection, tables.facts, inserted)
        insert_rows(self._connection, tables.past_facts, self._past)
