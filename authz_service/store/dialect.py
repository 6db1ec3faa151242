"""What is particular to SQLite: how a database is opened, locked and made durable, and its errors.

One process has the file for itself (`locking_mode=EXCLUSIVE`), because each process answers from its
own copy in memory and would not see what another one writes. The operating system drops the lock
with the process, however the process ends. Every commit is on the disk before it is acknowledged
(`synchronous=FULL`). Write transactions take the lock at once (`BEGIN IMMEDIATE`).
"""

import sqlite3
from contextlib import ExitStack
from typing import Final

from sqlalchemy import Connection, Engine, StaticPool, create_engine, event, make_url
from sqlalchemy.exc import ArgumentError, DBAPIError
from sqlalchemy.pool import ConnectionPoolEntry

from authz_service.errors import StoreUnavailable

_PRAGMAS: Final = (
    # Before any other: changing the journal mode needs the lock already. A predecessor that is
    # just stopping gets this long to let go of the file.
    "busy_timeout = 1000",
    # Before the journal mode, so that the first access takes the lock and never gives it back.
    "locking_mode = EXCLUSIVE",
    "journal_mode = WAL",
    "synchronous = FULL",
)

# By SQLite's result code. Any other one means a defect of this program.
_PROBLEMS: Final = {
    sqlite3.SQLITE_BUSY: (
        "the database {file} is in use by another process; "
        "stop it, or give this one its own --database-url"
    ),
    sqlite3.SQLITE_CANTOPEN: (
        "the database {file} cannot be opened; check that its folder exists and may be written, "
        "or give another --database-url"
    ),
    sqlite3.SQLITE_PERM: "the database {file} may not be used by this user; change its mode",
    sqlite3.SQLITE_READONLY: (
        "the database {file} is read-only; let this user write it and its folder"
    ),
    # A file that cannot be written cannot be locked either, and this is the error that shows.
    sqlite3.SQLITE_IOERR_LOCK: (
        "the database {file} is read-only or cannot be locked; let this user write it and its "
        "folder, on a disk of this machine"
    ),
    sqlite3.SQLITE_FULL: "the disk under the database {file} is full; free some space on it",
    sqlite3.SQLITE_IOERR: (
        "the disk failed under the database {file}; check the disk and the system's log"
    ),
    sqlite3.SQLITE_CORRUPT: "the database {file} is damaged; restore it from a backup",
    sqlite3.SQLITE_NOTADB: "{file} is not a database; give another --database-url",
    sqlite3.SQLITE_NOMEM: "no memory is left to use the database {file}; give this process more",
}


def open_engine(database_url: str) -> Engine:
    """Return an engine with one connection, which may be used by one thread at a time.

    The file is not touched yet. Raises StoreUnavailable if the URL is not one of SQLite.
    """
    try:
        url = make_url(database_url)
        if url.drivername not in {"sqlite", "sqlite+pysqlite"}:
            raise StoreUnavailable(
                f"databases of the kind `{url.drivername}` are not supported; "
                "write for example sqlite:///authz.db"
            )
        engine = create_engine(
            url,
            poolclass=StaticPool,
            connect_args={"check_same_thread": False},
            # Values are facts and policies; an error that is logged must not carry them.
            hide_parameters=True,
        )
    except ArgumentError:
        # Not chained: the cause may quote the URL and with it a password.
        raise StoreUnavailable(
            "the database URL cannot be read; write for example sqlite:///authz.db"
        ) from None
    event.listen(engine, "connect", _on_connect)
    event.listen(engine, "begin", _on_begin)
    return engine


def place(engine: Engine) -> str:
    """Return where the database is, in backticks, as anyone may see it."""
    return f"`{engine.url.database or ':memory:'}`"


def problem(error: DBAPIError, engine: Engine) -> str | None:
    """Say what keeps the database from working, and the cure; None for a defect of this program."""
    code = getattr(error.orig, "sqlite_errorcode", None)
    if code is None:
        return None
    # The low byte is the primary code; what is above narrows it down.
    template = _PROBLEMS.get(code) or _PROBLEMS.get(code & 0xFF)
    return None if template is None else template.format(file=place(engine))


def _on_connect(connection: sqlite3.Connection, _record: ConnectionPoolEntry) -> None:
    with ExitStack() as on_failure:
        on_failure.callback(connection.close)
        # The driver must not begin transactions by itself; `_on_begin` does.
        connection.isolation_level = None
        for pragma in _PRAGMAS:
            connection.execute(f"PRAGMA {pragma}").close()
        on_failure.pop_all()


def _on_begin(connection: Connection) -> None:
    connection.exec_driver_sql("BEGIN IMMEDIATE")
