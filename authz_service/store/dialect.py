"""What is particular to each database: how it is opened, locked and made durable, and its errors.

SQLite: every commit is on the disk before it is acknowledged (`synchronous=FULL`), readers do not wait for
writers (WAL), and write transactions take the lock at once (`BEGIN IMMEDIATE`). SQLite lets processes that wait
for the lock starve one another, so each takes its turn at a file beside the database before (`flock`).

PostgreSQL: write transactions lock the row of the head, for which others queue up. What one then reads is what
the last holder of the lock has committed (`READ COMMITTED`); readers see one moment (`REPEATABLE READ`).
What may be written, and tells where the head is, is a primary, or the connection is refused.
"""

import fcntl
import json
import os
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from functools import lru_cache
from typing import Any, Final

from sqlalchemy import (
    Connection,
    Dialect,
    Engine,
    Select,
    StaticPool,
    Table,
    Text,
    create_engine,
    event,
    insert,
    make_url,
    text,
)
from sqlalchemy.engine import URL
from sqlalchemy.exc import ArgumentError, DBAPIError
from sqlalchemy.pool import ConnectionPoolEntry

from authz_service.errors import StoreUnavailable
from authz_service.store.statement import driver_cursor

TEXT: Final = Text().with_variant(Text(collation="C"), "postgresql")
"""Text that is compared and ordered by its bytes in UTF-8; with SQLite that is the default."""

_SQLITE: Final = frozenset({"sqlite", "sqlite+pysqlite"})
_POSTGRESQL: Final = frozenset({"postgresql", "postgresql+psycopg"})
_EXAMPLES: Final = "write for example sqlite:///authz.db or postgresql://user@host/database"

_NOT_ENCODED: Final = (
    "the database URL cannot be read; in a password `@` is written `%40`, and `%` is `%25`"
)

_PRAGMAS: Final = (
    "busy_timeout = 5000",  # before any other, as changing the journal mode needs the lock already
    "journal_mode = WAL",
    "synchronous = FULL",
)

_POSTGRESQL_SETTINGS: Final = (
    # What has been waited for longer than that is given up; whoever asked may try again.
    "SET lock_timeout = '10s'",
    # A process that was stopped in the middle of a write gives the lock back.
    "SET idle_in_transaction_session_timeout = '60s'",
    # Pages are in the order of a key. Without statistics, as after an import, PostgreSQL would rather read and
    # sort for each page all that is left.
    "SET enable_sort = off",
)

_POSTGRESQL_CONNECTION: Final = {
    "connect_timeout": 5,
    # A connection into the void (a machine that is gone, a firewall that forgot) is given up in seconds.
    "tcp_user_timeout": 10_000,
    "keepalives_idle": 5,
    "keepalives_interval": 2,
    "keepalives_count": 3,
}
_NO_STANDBYS: Final = "only PostgreSQL has standbys; leave out --read-database-url"
_PRIMARY_ONLY: Final = {"target_session_attrs": "primary"}
# Of a standby nobody waits for long: there is the primary.
_STANDBY_CONNECTION: Final = {**_POSTGRESQL_CONNECTION, "connect_timeout": 2}

# The server, its timeline and the table: a promoted standby and a recovery to some point in time begin another
# timeline, a dump is put back into another table.
_LOCK_AND_LINEAGE: Final = (
    "SELECT lineage, (SELECT system_identifier FROM pg_control_system()) || '/' "
    "|| left(pg_walfile_name(pg_current_wal_insert_lsn()), 8) || '/' || tableoid "
    "FROM head FOR UPDATE"
)
_LOCK: Final = "SELECT lineage, NULL FROM head FOR UPDATE"
_ASK_FOR_LINEAGE: Final = (
    "SELECT pg_walfile_name(pg_current_wal_insert_lsn()), system_identifier "
    "FROM pg_control_system()"
)
_HAS_LINEAGE: Final = "has_lineage"
# Databases that only speak like PostgreSQL may have no such functions, or not let everybody use them.
_NO_LINEAGE: Final = frozenset({"42501", "42883", "0A000"})

# Any number; every program that changes these tables must use the same.
_MIGRATION_LOCK: Final = 0x617574687A

# By SQLite's result code. Any other one means a defect of this program.
_SQLITE_PROBLEMS: Final = {
    sqlite3.SQLITE_BUSY: (
        "the database {place} is locked by another process; "
        "stop it, or give this one its own --database-url"
    ),
    sqlite3.SQLITE_CANTOPEN: (
        "the database {place} cannot be opened; check that its folder exists and may be written, "
        "or give another --database-url"
    ),
    sqlite3.SQLITE_PERM: "the database {place} may not be used by this user; change its mode",
    sqlite3.SQLITE_READONLY: (
        "the database {place} is read-only; let this user write it and its folder"
    ),
    # A file that cannot be written cannot be locked either, and this is the error that shows.
    sqlite3.SQLITE_IOERR_LOCK: (
        "the database {place} is read-only or cannot be locked; let this user write it and its "
        "folder, on a disk of this machine"
    ),
    sqlite3.SQLITE_FULL: "the disk under the database {place} is full; free some space on it",
    sqlite3.SQLITE_IOERR: (
        "the disk failed under the database {place}; check the disk and the system's log"
    ),
    sqlite3.SQLITE_CORRUPT: "the database {place} is damaged; restore it from a backup",
    sqlite3.SQLITE_NOTADB: "{place} is not a database; give another --database-url",
    sqlite3.SQLITE_NOMEM: "no memory is left to use the database {place}; give this process more",
}

# After one of these nobody knows what is on the disk: the system forgets what it failed to write.
_SQLITE_DISK_UNKNOWN: Final = frozenset(
    {sqlite3.SQLITE_IOERR_FSYNC, sqlite3.SQLITE_IOERR_DIR_FSYNC}
)

# By the beginning of PostgreSQL's error code, the longest first.
_POSTGRESQL_PROBLEMS: Final = {
    "53100": "the disk under the database {place} is full; free some space on it",
    "25006": "the database {place} is read-only, perhaps a standby; give the primary's URL",
    "55P03": "the database {place} is locked for long by another process; try again",
    "42501": "the user may not create or use tables in the database {place}; grant it that",
    "3F000": "the user may not use any schema in the database {place}; grant it that",
    "53": "the database {place} is short of resources; try again",
    "57": "the database {place} is shutting down or cancelled the work; try again",
    "40": "the database {place} gave up a transaction; try again",
    "58": "the disk failed under the database {place}; check the disk and the server's log",
    "08": "the connection to the database {place} failed; try again",
}
# What fails while connecting comes without a code.
_POSTGRESQL_UNREACHABLE: Final = (
    "the database {place} cannot be reached; check the URL, that the server runs, and that it has "
    "this database and user"
)


def open_engine(database_url: str, *, is_standby: bool = False) -> Engine:
    """Return an engine; nothing is opened yet. Raises StoreUnavailable for other kinds of databases.

    A standby is read, and never written.
    """
    try:
        url = make_url(database_url)
        if url.drivername in _POSTGRESQL and "@" in (url.host or url.database or ""):
            # The end of a password, which would be told as the name of host or database.
            raise StoreUnavailable(_NOT_ENCODED)
        if url.drivername in _SQLITE and not is_standby:
            engine = _sqlite_engine(url)
        elif url.drivername in _POSTGRESQL:
            engine = _postgresql_engine(url, is_standby=is_standby)
        elif is_standby:
            raise StoreUnavailable(_NO_STANDBYS)
        else:
            raise StoreUnavailable(
                f"databases of the kind `{url.drivername}` are not supported; {_EXAMPLES}"
            )
    except (ArgumentError, ValueError):
        # Not chained: the cause may quote the URL and with it a password.
        raise StoreUnavailable(f"the database URL cannot be read; {_EXAMPLES}") from None
    return engine


def require_standbys(engine: Engine) -> None:
    """Raise StoreUnavailable for a database that has no standbys."""
    if engine.dialect.name != "postgresql":
        raise StoreUnavailable(_NO_STANDBYS)


def is_shared(engine: Engine) -> bool:
    """Say whether several connections can work at the same time."""
    return not isinstance(engine.pool, StaticPool)


def place(engine: Engine) -> str:
    """Return where the database is, in backticks, as anyone may see it."""
    if engine.dialect.name == "sqlite":
        return f"`{engine.url.database or ':memory:'}`"
    host = engine.url.host or engine.url.query.get("host", "localhost")
    return f"`{engine.url.database}` on `{host}`"


def problem(error: DBAPIError, engine: Engine) -> str | None:
    """Say what keeps the database from working, and the cure; None for a defect of this program."""
    template = None
    if engine.dialect.name == "sqlite":
        code = getattr(error.orig, "sqlite_errorcode", None)
        # The low byte is the primary code; what is above narrows it down.
        if code is not None:
            template = _SQLITE_PROBLEMS.get(code) or _SQLITE_PROBLEMS.get(code & 0xFF)
    else:
        state = getattr(error.orig, "sqlstate", None)
        if state is None and "hot standby" in str(error.orig):
            template = _POSTGRESQL_PROBLEMS["25006"]
        elif state is None and (error.connection_invalidated or _is_operational(error)):
            template = _POSTGRESQL_UNREACHABLE
        for beginning, said in _POSTGRESQL_PROBLEMS.items():
            if template is None and state is not None and state.startswith(beginning):
                template = said
    return None if template is None else template.format(place=place(engine))


def loses_disk(error: DBAPIError) -> bool:
    """Say whether nothing may be written any more until the process has started anew."""
    return getattr(error.orig, "sqlite_errorcode", None) in _SQLITE_DISK_UNKNOWN


@contextmanager
def writing_turn(engine: Engine) -> Iterator[None]:
    """Wait until it is this process's turn to write, in the order of asking."""
    path = engine.url.database
    if engine.dialect.name != "sqlite" or not is_shared(engine) or path is None:
        yield
        return
    # Fairness only: the database's own lock is what keeps writers apart. The system gives the turn back
    # with the process, however it ends.
    try:
        turn = os.open(f"{path}-turn", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
    except OSError:
        # Whatever is wrong with the folder, the database says it better.
        yield
        return
    try:
        fcntl.flock(turn, fcntl.LOCK_EX)
        yield
    finally:
        os.close(turn)


def begin_writing(engine: Engine, connection: Connection) -> tuple[str | None, str | None]:
    """Begin a transaction in which nobody else writes until it ends.

    Return the lineage that is recorded with the head, and the one that the database has now. None is not known.
    """
    if engine.dialect.name != "postgresql":
        return None, None
    # INVARIANT: of the row as it is when the lock is had, and of the server that is going to write.
    lock = _LOCK_AND_LINEAGE if connection.info[_HAS_LINEAGE] else _LOCK
    row = connection.exec_driver_sql(lock).one()
    return row[0], row[1]


def insert_rows(connection: Connection, table: Table, rows: list[tuple[Any, ...]]) -> None:
    """Insert rows, each with a value for every column in the order of the table.

    SQLAlchemy, which would look at every value, takes as long for it as the database does.
    """
    if not rows:
        return
    if connection.dialect.name == "postgresql":
        _copy(connection, table.name, rows)
    else:
        statement = _insertion(table, connection.dialect)
        with driver_cursor(connection, statement) as cursor:
            cursor.executemany(statement, rows)


@lru_cache(maxsize=32)
def _insertion(table: Table, dialect: Dialect) -> str:
    return str(insert(table).compile(dialect=dialect))


def _copy(connection: Connection, table: str, rows: Sequence[tuple[Any, ...]]) -> None:
    # SQLAlchemy does not know of COPY.
    statement = f"COPY {table} FROM STDIN"
    with driver_cursor(connection, statement) as cursor, cursor.copy(statement) as copy:
        for row in rows:
            copy.write_row(row)


# One parameter for any number of keys: with one for each, most of the time goes by for the parameters.
_STORED_FACTS: Final = {
    "sqlite": (
        "SELECT facts.key, created, expires_at FROM json_each(?3) CROSS JOIN facts "
        "ON store = ?1 AND predicate = ?2 AND facts.key = json_each.value"
    ),
    # An array: a condition on the rows of a subquery would be one to join with, for which all facts are read.
    "postgresql": (
        "SELECT key, created, expires_at FROM facts WHERE store = %s AND predicate = %s "
        "AND key = ANY (ARRAY(SELECT json_array_elements_text(%s::json)))"
    ),
}


def stored_facts(
    connection: Connection, store: int, predicate: str, keys: list[str]
) -> Sequence[tuple[str, Any, Any]]:
    """Return key, created and expires_at of those facts of `predicate` with one of `keys` that are stored."""
    wanted = (store, predicate, json.dumps(keys, ensure_ascii=False))
    statement = _STORED_FACTS[connection.dialect.name]
    with driver_cursor(connection, statement) as cursor:
        return list(cursor.execute(statement, wanted).fetchall())


def tuples(connection: Connection, query: Select[Any]) -> list[tuple[Any, ...]]:
    """Return all rows as the driver has them: a `Row` around each takes as long again."""
    with connection.execute(query) as result:
        cursor: Any = result.cursor
        try:
            rows: list[tuple[Any, ...]] = cursor.fetchall()
        except connection.dialect.loaded_dbapi.Error as error:
            # SQLAlchemy translates the errors of what it fetches itself.
            raise DBAPIError(str(query), None, error, hide_parameters=True) from error
    return rows


def begin_migrating(engine: Engine, connection: Connection) -> None:
    """Keep other processes that are starting from changing the tables, until the transaction ends."""
    if engine.dialect.name == "postgresql":
        connection.execute(text(f"SELECT pg_advisory_xact_lock({_MIGRATION_LOCK})"))


def _sqlite_engine(url: URL) -> Engine:
    is_file = url.database not in (None, "", ":memory:")
    pool: dict[str, Any] = (
        # The one that writes, and those that read: a copy of the database, an export, a poll.
        {"pool_size": 5, "max_overflow": 10} if is_file else {"poolclass": StaticPool}
    )
    engine = create_engine(
        url,
        connect_args={"check_same_thread": False},
        # Values are facts and policies; an error that is logged must not carry them.
        hide_parameters=True,
        **pool,
    )
    event.listen(engine, "connect", _on_sqlite_connect)
    event.listen(engine, "begin", _on_sqlite_begin)
    return engine


def _postgresql_engine(url: URL, *, is_standby: bool) -> Engine:
    engine = create_engine(
        url.set(drivername="postgresql+psycopg"),
        paramstyle="format",  # values by their places, as in `insert_rows`
        pool_size=5,
        max_overflow=10,
        # A connection that did not survive a restart of the database is found out before it is used.
        pool_pre_ping=True,
        connect_args=(
            _STANDBY_CONNECTION if is_standby else {**_POSTGRESQL_CONNECTION, **_PRIMARY_ONLY}
        ),
        hide_parameters=True,
    )
    event.listen(engine, "connect", _on_postgresql_connect)
    if not is_standby:
        event.listen(engine, "connect", _look_for_lineage)
    event.listen(engine, "begin", _on_postgresql_begin)
    return engine


def _on_sqlite_connect(connection: sqlite3.Connection, _record: ConnectionPoolEntry) -> None:
    with ExitStack() as on_failure:
        on_failure.callback(connection.close)
        # The driver must not begin transactions by itself; `_on_sqlite_begin` does.
        connection.isolation_level = None
        for pragma in _PRAGMAS:
            connection.execute(f"PRAGMA {pragma}").close()
        on_failure.pop_all()


def _on_sqlite_begin(connection: Connection) -> None:
    is_writing = connection.get_execution_options().get("writing", False)
    statement = "BEGIN IMMEDIATE" if is_writing else "BEGIN"
    with driver_cursor(connection, statement) as cursor:
        cursor.execute(statement)


def _on_postgresql_connect(connection: Any, _record: ConnectionPoolEntry) -> None:  # noqa: ANN401 - psycopg's
    with connection.cursor() as cursor:
        for setting in _POSTGRESQL_SETTINGS:
            cursor.execute(setting)
        cursor.execute("SHOW synchronous_commit")
        if cursor.fetchone()[0] == "off":
            cursor.execute("SET synchronous_commit = on")
        cursor.execute("SHOW server_encoding")
        encoding = cursor.fetchone()[0]
    connection.commit()
    if encoding != "UTF8":
        raise StoreUnavailable(
            f"the encoding of the database is {encoding}; create it with ENCODING 'UTF8'"
        )


def _look_for_lineage(connection: Any, record: ConnectionPoolEntry) -> None:  # noqa: ANN401 - psycopg's
    """Find out whether the database tells its lineage."""
    try:
        with connection.cursor() as cursor:
            cursor.execute(_ASK_FOR_LINEAGE)
        record.info[_HAS_LINEAGE] = True
    # Anything but these is a failure like any other while connecting.
    except Exception as error:
        if getattr(error, "sqlstate", None) not in _NO_LINEAGE:
            raise
        record.info[_HAS_LINEAGE] = False
    finally:
        connection.rollback()


def _on_postgresql_begin(connection: Connection) -> None:
    is_writing = connection.get_execution_options().get("writing", False)
    level = "READ COMMITTED" if is_writing else "REPEATABLE READ READ ONLY"
    # Also if the database's own default is another one.
    connection.exec_driver_sql(f"SET TRANSACTION ISOLATION LEVEL {level}")


def _is_operational(error: DBAPIError) -> bool:
    return type(error.orig).__name__ in {"OperationalError", "ConnectionTimeout", "InterfaceError"}
