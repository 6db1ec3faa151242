"""FactStore: facts, policies and the log of their changes, durable.

Guarantees, each held by a test in `tests/store`:

Rule 1: a write that returned is on the disk; one that did not return happened wholly or not at all.
Rule 2: revisions are dense: each effective write takes the next one, as the last thing it does.
Rule 3: the facts are what the log says: applying all changes in order gives exactly them.
Rule 4: ids are kept byte for byte.
"""

import secrets
import threading
from collections.abc import Iterator, Sequence
from collections.abc import Set as AbstractSet
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import datetime
from itertools import groupby
from typing import Any

from sqlalchemy import (
    Connection,
    Engine,
    Row,
    bindparam,
    delete,
    func,
    insert,
    inspect,
    select,
    update,
)
from sqlalchemy.exc import DBAPIError

from authz_service.errors import NoPolicy, PolicyNotFound, StoreNotFound, StoreUnavailable
from authz_service.facts.change import ChangeBatch, Operation, Write, WriteOutcome
from authz_service.facts.fact import Fact
from authz_service.facts.policy_text import PolicyFile, PolicyVersion
from authz_service.facts.revision import Revision
from authz_service.store import dialect, tables
from authz_service.store.rows import decode_fact, decode_policy, encode_args, encode_files

DEFAULT_STORE = "default"

# SQLite allows at least 999 parameters in a statement.
_CHUNK = 500


@dataclass(frozen=True, slots=True)
class StoredState:
    """One store at one revision: all its facts and its active policy."""

    name: str
    revision: Revision
    facts: tuple[Fact, ...]
    policy: PolicyVersion | None


class FactStore:
    """A database of facts and policies. Calls block, and run one at a time."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._lock = threading.Lock()
        self._is_closed = False
        with self._transaction() as connection:
            self.incarnation = _prepare(connection, dialect.place(engine))

    @classmethod
    def open(cls, database_url: str) -> "FactStore":
        """Open the database, creating it if there is none. Raises StoreUnavailable with the cure.

        Until `close` no other process can use the database.
        """
        engine = dialect.open_engine(database_url)
        with ExitStack() as on_failure:
            on_failure.callback(engine.dispose)
            store = cls(engine)
            on_failure.pop_all()
        return store

    def close(self) -> None:
        """Let go of the database. Closing twice does no harm; any other call is a defect then."""
        with self._lock:
            self._is_closed = True
            self._engine.dispose()

    def head(self) -> Revision:
        """Return the revision of the last commit to the database."""
        with self._transaction() as connection:
            return _head(connection)

    def load(self) -> tuple[Revision, tuple[StoredState, ...]]:
        """Return the head revision and every store as it is there, in one transaction."""
        with self._transaction() as connection:
            names = connection.scalars(select(tables.stores.c.name)).all()
            return _head(connection), tuple(_stored_state(connection, name) for name in names)

    def write(
        self, store: str, writes: Sequence[Write]
    ) -> tuple[Revision, tuple[WriteOutcome, ...]]:
        """Apply `writes` in order, all or none; return the revision that holds them and what each did.

        The log gets the net effect. Without one no revision is taken and the head is returned.
        """
        with self._transaction() as connection:
            _check_store(connection, store)
            before = _existing(connection, store, {write.fact for write in writes})
            after, outcomes = _applied(before, writes)
            inserted, deleted = after - before, before - after
            if not inserted and not deleted:
                return _head(connection), outcomes
            revision = Revision(_head(connection) + 1)
            _store_facts(connection, store, revision, inserted, deleted)
            _log_facts(connection, store, revision, inserted, deleted)
            _advance(connection, revision)
            return revision, outcomes

    def publish(
        self, store: str, files: tuple[PolicyFile, ...], published_at: datetime
    ) -> tuple[Revision, PolicyVersion]:
        """Make `files` the active policy; return the revision that holds it, and the version.

        If they are the active policy already, nothing changes and that version is returned.
        """
        with self._transaction() as connection:
            _check_store(connection, store)
            active = _policy(connection, store, None)
            if active is not None and sorted(active.files) == sorted(files):
                return _head(connection), active
            version = active.version + 1 if active else 1
            policy = PolicyVersion(version, tuple(sorted(files)), published_at)
            revision = Revision(_head(connection) + 1)
            connection.execute(
                insert(tables.policies).values(
                    store=store,
                    version=version,
                    files=encode_files(files),
                    published_at=published_at.isoformat(),
                )
            )
            connection.execute(
                insert(tables.changes).values(
                    revision=revision, ordinal=0, store=store, kind="policy", policy_version=version
                )
            )
            _advance(connection, revision)
            return revision, policy

    def policy(self, store: str, version: int | None) -> PolicyVersion:
        """Return a version of the policy of `store`, the active one for None."""
        with self._transaction() as connection:
            _check_store(connection, store)
            found = _policy(connection, store, version)
        if found is None and version is None:
            message = (
                f"the store `{store}` has no policy yet; publish one with `authz policy publish`"
            )
            raise NoPolicy(message)
        if found is None:
            message = f"the store `{store}` has no policy version {version}"
            raise PolicyNotFound(message, field="policy_version")
        return found

    def changes_after(self, revision: Revision, *, limit: int = 1000) -> tuple[ChangeBatch, ...]:
        """Return the first `limit` batches after `revision`, in order. Batches are whole.

        The batch at `revision` is not included. What the log holds is returned as it is: whoever
        applies it must see to it that no revision is missing.
        """
        log = tables.changes
        with self._transaction() as connection:
            # Not `revision + limit`: a reader would take a hole that long for the end of the log.
            wanted = select(log.c.revision).where(log.c.revision > revision).distinct()
            wanted = wanted.order_by(log.c.revision).limit(limit)
            rows = connection.execute(
                select(log)
                .where(log.c.revision > revision, log.c.revision.in_(wanted))
                .order_by(log.c.revision, log.c.ordinal)
            ).all()
            return tuple(
                _batch(connection, Revision(number), list(group))
                for number, group in groupby(rows, key=lambda row: row.revision)
            )

    @contextmanager
    def _transaction(self) -> Iterator[Connection]:
        """Run a transaction. The only place that translates database errors."""
        try:
            with self._lock:
                if self._is_closed:
                    raise RuntimeError("the store is closed")
                with self._engine.begin() as connection:
                    yield connection
        except DBAPIError as error:
            problem = dialect.problem(error, self._engine)
            if problem is None:
                raise
            raise StoreUnavailable(problem) from error


def _prepare(connection: Connection, place: str) -> str:
    """Create the tables of a new database; return the incarnation of this one.

    A database of another program or schema version is refused; its tables stay as they are.
    """
    present = set(inspect(connection).get_table_names())
    if present and not present >= tables.metadata.tables.keys():
        message = f"the database {place} belongs to another program; give another --database-url"
        raise StoreUnavailable(message)
    tables.metadata.create_all(connection)
    row = connection.execute(select(tables.head)).one_or_none()
    if row is None:
        incarnation = secrets.token_hex(8)
        connection.execute(
            insert(tables.head).values(
                id=1,
                schema_version=tables.SCHEMA_VERSION,
                incarnation=incarnation,
                revision=0,
            )
        )
        connection.execute(insert(tables.stores).values(name=DEFAULT_STORE))
        return incarnation
    if row.schema_version != tables.SCHEMA_VERSION:
        message = (
            f"the database {place} has schema version {row.schema_version}, "
            f"this program needs {tables.SCHEMA_VERSION}; use the program that wrote it"
        )
        raise StoreUnavailable(message)
    return str(row.incarnation)


def _head(connection: Connection) -> Revision:
    return Revision(connection.execute(select(tables.head.c.revision)).scalar_one())


def _advance(connection: Connection, revision: Revision) -> None:
    connection.execute(update(tables.head).values(revision=revision))


def _check_store(connection: Connection, store: str) -> None:
    name = tables.stores.c.name
    if connection.execute(select(name).where(name == store)).one_or_none() is None:
        message = f"there is no store `{store}`"
        raise StoreNotFound(message, field="store")


def _stored_state(connection: Connection, store: str) -> StoredState:
    table, log = tables.facts, tables.changes
    rows = connection.execute(select(table.c.predicate, table.c.args).where(table.c.store == store))
    revision = connection.execute(
        select(func.coalesce(func.max(log.c.revision), 0)).where(log.c.store == store)
    ).scalar_one()
    facts = tuple(decode_fact(row.predicate, row.args) for row in rows)
    return StoredState(store, Revision(revision), facts, _policy(connection, store, None))


def _policy(connection: Connection, store: str, version: int | None) -> PolicyVersion | None:
    table = tables.policies
    query = select(table).where(table.c.store == store).order_by(table.c.version.desc()).limit(1)
    if version is not None:
        query = query.where(table.c.version == version)
    row = connection.execute(query).one_or_none()
    return decode_policy(row.version, row.files, row.published_at) if row else None


def _existing(connection: Connection, store: str, facts: AbstractSet[Fact]) -> frozenset[Fact]:
    table = tables.facts
    found: set[Fact] = set()
    for predicate, group in groupby(sorted(facts), key=lambda fact: fact.predicate):
        encoded = [encode_args(fact.args) for fact in group]
        for start in range(0, len(encoded), _CHUNK):
            rows = connection.scalars(
                select(table.c.args).where(
                    table.c.store == store,
                    table.c.predicate == predicate,
                    table.c.args.in_(encoded[start : start + _CHUNK]),
                )
            )
            found.update(decode_fact(predicate, args) for args in rows)
    return frozenset(found)


def _applied(
    before: frozenset[Fact], writes: Sequence[Write]
) -> tuple[frozenset[Fact], tuple[WriteOutcome, ...]]:
    """Return which of the touched facts are stored after `writes`, and what each write did."""
    present = set(before)
    outcomes: list[WriteOutcome] = []
    for operation, fact in writes:
        was_present = fact in present
        if operation is Operation.INSERT:
            present.add(fact)
            outcomes.append(WriteOutcome.EXISTED if was_present else WriteOutcome.CREATED)
        else:
            present.discard(fact)
            outcomes.append(WriteOutcome.DELETED if was_present else WriteOutcome.MISSING)
    return frozenset(present), tuple(outcomes)


def _store_facts(
    connection: Connection,
    store: str,
    revision: Revision,
    inserted: AbstractSet[Fact],
    deleted: AbstractSet[Fact],
) -> None:
    table = tables.facts
    if deleted:
        connection.execute(
            delete(table).where(
                table.c.store == store,
                table.c.predicate == bindparam("gone_predicate"),
                table.c.args == bindparam("gone_args"),
            ),
            [
                {"gone_predicate": fact.predicate, "gone_args": encode_args(fact.args)}
                for fact in deleted
            ],
        )
    if inserted:
        connection.execute(
            insert(table),
            [
                {
                    "store": store,
                    "predicate": fact.predicate,
                    "args": encode_args(fact.args),
                    "revision": revision,
                }
                for fact in inserted
            ],
        )


def _log_facts(
    connection: Connection,
    store: str,
    revision: Revision,
    inserted: AbstractSet[Fact],
    deleted: AbstractSet[Fact],
) -> None:
    effects = [("insert", fact) for fact in inserted] + [("delete", fact) for fact in deleted]
    connection.execute(
        insert(tables.changes),
        [
            {
                "revision": revision,
                "ordinal": ordinal,
                "store": store,
                "kind": kind,
                "predicate": fact.predicate,
                "args": encode_args(fact.args),
            }
            for ordinal, (kind, fact) in enumerate(effects)
        ],
    )


def _batch(connection: Connection, revision: Revision, rows: Sequence[Row[Any]]) -> ChangeBatch:
    facts: dict[str, set[Fact]] = {"insert": set(), "delete": set()}
    policy = None
    store = rows[0].store
    for row in rows:
        if row.kind == "policy":
            policy = _policy(connection, store, row.policy_version)
        else:
            facts[row.kind].add(decode_fact(row.predicate, row.args))
    return ChangeBatch(
        revision, store, frozenset(facts["insert"]), frozenset(facts["delete"]), policy
    )
