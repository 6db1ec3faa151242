"""What is particular to SQLite: how it is opened, and what its errors mean to an operator.

A database file has one process at a time. Each process answers from its own copy in memory and does
not yet follow other writers, so a second one would give answers from the past without knowing it.
The lock is SQLite's own exclusive mode: the operating system drops it with the process, however the
process ends.
"""

import sqlite3
from contextlib import ExitStack
from pathlib import Path
from typing import Final

from sqlalchemy import Connection, Engine, create_engine, event, make_url
from sqlalchemy.exc import ArgumentError, DBAPIError
from sqlalchemy.pool import QueuePool

from authz_service.errors import StoreUnavailable

# A predecessor that is just stopping gets this long to let go of the file.
BUSY_TIMEOUT_S: Final = 0.5


def open_engine(database_url: str) -> Engine:
    """Return an engine with one connection, which threads use in turn.

    Nothing is opened yet. Raises StoreUnavailable if the URL does not name an SQLite database.
    """
    try:
        url = make_url(database_url)
    except ArgumentError:
        # Not chained: the cause may quote the URL, and with it a password.
        raise StoreUnavailable(
            "the database URL is not a URL; write it like sqlite:////var/lib/authz/authz.db"
        ) from None
    if url.drivername not in {"sqlite", "sqlite+pysqlite"}:
        raise StoreUnavailable(
            f"`{url.drivername}` is not a supported kind of database; use sqlite:///<path>"
        )
    engine = create_engine(
        url,
        poolclass=QueuePool,
        pool_size=1,
        max_overflow=0,
        # SQLite's busy timeout is set by this before the first statement, as WAL mode needs it.
        connect_args={"timeout": BUSY_TIMEOUT_S, "check_same_thread": False},
        hide_parameters=True,
    )
    event.listen(engine, "connect", _prepare)
    event.listen(engine, "begin", _begin)
    return engine


def location(engine: Engine) -> str:
    """Return the place of the database as it may be shown to anyone."""
    return f"`{engine.url.database or ':memory:'}`"


def problem(error: DBAPIError, engine: Engine) -> str | None:
    """Say what keeps the database from working and what helps, or return None for a bug of ours."""
    code = getattr(error.orig, "sqlite_errorcode", None)
    if code is None:
        return None
    # The low byte is the kind of error; the rest narrows it down.
    template = _PROBLEMS.get(code & 0xFF)
    if template is None:
        return None
    directory = Path(engine.url.database or ".").parent
    return template.format(file=location(engine), directory=f"`{directory}`")


_PROBLEMS: Final = {
    sqlite3.SQLITE_BUSY: (
        "the database file {file} is in use by another process; "
        "stop it, or give this one its own --database-url"
    ),
    sqlite3.SQLITE_CANTOPEN: (
        "the database file {file} cannot be opened; "
        "create the directory {directory} and let this user write there, "
        "or give another --database-url"
    ),
    sqlite3.SQLITE_PERM: "the database file {file} is not permitted to this user; change its mode",
    sqlite3.SQLITE_READONLY: (
        "the database file {file} is read-only; "
        "let this user write the file and its directory {directory}"
    ),
    sqlite3.SQLITE_FULL: (
        "no space is left for the database file {file}; free some on its disk, then repeat the call"
    ),
    sqlite3.SQLITE_IOERR: (
        "the disk failed under the database file {file}; check the disk and the system log"
    ),
    sqlite3.SQLITE_CORRUPT: "the database file {file} is damaged; restore it from a backup",
    sqlite3.SQLITE_NOTADB: "{file} is not a database; give another --database-url",
    sqlite3.SQLITE_NOMEM: "no memory is left to use the database file {file}; give more memory",
}


def _prepare(dbapi_connection: sqlite3.Connection, _record: object) -> None:
    with ExitStack() as on_failure:
        on_failure.callback(dbapi_connection.close)
        # The driver would begin transactions by itself, and not with IMMEDIATE.
        dbapi_connection.isolation_level = None
        # Before journal_mode, so that the lock is taken with the first access and never given back.
        dbapi_connection.execute("PRAGMA locking_mode = EXCLUSIVE").close()
        dbapi_connection.execute("PRAGMA journal_mode = WAL").close()
        # An acknowledged write outlives a loss of power; NORMAL would lose the last ones.
        dbapi_connection.execute("PRAGMA synchronous = FULL").close()
        on_failure.pop_all()


def _begin(connection: Connection) -> None:
    # Reads too: with a single connection there is nobody whom a reader could keep from writing.
    connection.exec_driver_sql("BEGIN IMMEDIATE")
