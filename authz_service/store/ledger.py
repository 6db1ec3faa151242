"""Ledger: the stored facts as a transaction leaves them, and the rows that become of them in the end.

What is looked at is read once. Changes are made here, each at a revision of its own, and written together in
`flush`: a thousand writes take as many statements as one.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator
from typing import Any, Final, NamedTuple

from sqlalchemy import Connection, Executable, and_, bindparam, delete, select, update

from authz_service.facts.change import AnyPattern
from authz_service.facts.fact import Fact
from authz_service.facts.instant import Instant
from authz_service.facts.revision import Revision
from authz_service.store import tables
from authz_service.store.dialect import insert_rows
from authz_service.store.matching import matching
from authz_service.store.rows import FactColumns, decode_fact, fact_columns

# SQLite allows at least 999 parameters in a statement.
_CHUNK = 500

# Made once: making a statement takes longer than running it.
_table = tables.facts
_FETCH: Final = select(_table.c.key, _table.c.created, _table.c.expires_at).where(
    _table.c.store == bindparam("of_store"),
    _table.c.predicate == bindparam("of_predicate"),
    _table.c.key.in_(bindparam("of_keys", expanding=True)),
)
_ROW: Final = and_(
    _table.c.store == bindparam("of_store"),
    _table.c.predicate == bindparam("of_predicate"),
    _table.c.key == bindparam("of_key"),
)
_DELETE: Final = delete(_table).where(_ROW)
_UPDATE: Final = (
    update(_table).where(_ROW).values(created=bindparam("since"), expires_at=bindparam("until"))
)


class Stored(NamedTuple):
    """Since when a fact is stored with which expiry."""

    created: Revision
    expires_at: Instant | None

    def counts(self, instant: Instant) -> bool:
        return self.expires_at is None or self.expires_at > instant


_Rows = dict[Fact, Stored | None]


class Ledger:
    """The facts of all stores, behind one transaction that writes."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._before: defaultdict[int, _Rows] = defaultdict(dict)
        self._after: defaultdict[int, _Rows] = defaultdict(dict)
        self._columns: dict[Fact, FactColumns] = {}
        self._past: list[tuple[Any, ...]] = []

    def fetch(self, store: int, facts: Iterable[Fact]) -> None:
        """Read the rows of `facts`, so that `stored` knows them."""
        before = self._before[store]
        by_predicate: defaultdict[str, dict[str, Fact]] = defaultdict(dict)
        for fact in facts:
            if fact not in before:
                before[fact] = None
                columns = self._columns[fact] = fact_columns(fact)
                by_predicate[fact.predicate][columns.key] = fact
        for predicate, by_key in by_predicate.items():
            self._fetch(store, predicate, by_key)

    def _fetch(self, store: int, predicate: str, by_key: dict[str, Fact]) -> None:
        keys, before = list(by_key), self._before[store]
        wanted = {"of_store": store, "of_predicate": predicate}
        for start in range(0, len(keys), _CHUNK):
            chunk = {**wanted, "of_keys": keys[start : start + _CHUNK]}
            for key, created, expires_at in self._connection.execute(_FETCH, chunk).all():
                before[by_key[key]] = Stored(created, expires_at)

    def stored(self, store: int, fact: Fact) -> Stored | None:
        """Return what is stored of `fact`, which has been fetched."""
        after = self._after[store]
        return after[fact] if fact in after else self._before[store][fact]

    def matching(self, store: int, pattern: AnyPattern) -> Iterator[tuple[Fact, Stored]]:
        """Yield the facts that match, and fetch them."""
        after, before = self._after[store], self._before[store]
        for fact, stored in list(after.items()):
            if stored is not None and pattern.matches(fact):
                yield fact, stored
        rows = self._connection.execute(matching(tables.facts, store, pattern))
        with rows:
            for predicate, key, args, created, expires_at in rows:
                fact = decode_fact(predicate, key, args)
                if fact not in after and pattern.matches(fact):
                    stored = before[fact] = Stored(created, expires_at)
                    self._columns[fact] = FactColumns(predicate, key, args)
                    yield fact, stored

    def put(self, store: int, fact: Fact, stored: Stored | None, revision: Revision) -> None:
        """Have `fact`, which has been fetched, stored like this, or no more, from `revision` on."""
        former = self.stored(store, fact)
        if former is not None:
            created, expires_at = former
            self._past.append((store, *self._columns[fact], created, revision, expires_at))
        self._after[store][fact] = stored

    def flush(self) -> None:
        """Write what became of the facts."""
        inserted: list[tuple[Any, ...]] = []
        changed: list[dict[str, Any]] = []
        deleted: list[dict[str, Any]] = []
        for store, rows in self._after.items():
            before = self._before[store]
            for fact, after in rows.items():
                columns = self._columns[fact]
                if before[fact] is None:
                    if after is not None:
                        inserted.append((store, *columns, *after))
                    continue
                row = {"of_store": store, "of_predicate": columns.predicate, "of_key": columns.key}
                if after is None:
                    deleted.append(row)
                else:
                    changed.append({**row, "since": after.created, "until": after.expires_at})
        self._execute(_DELETE, deleted)
        self._execute(_UPDATE, changed)
        insert_rows(self._connection, tables.facts, inserted)
        insert_rows(self._connection, tables.past_facts, self._past)

    def _execute(self, statement: Executable, rows: list[dict[str, Any]]) -> None:
        if rows:
            self._connection.execute(statement, rows)
