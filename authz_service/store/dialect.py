"""What is particular to SQLite: how a database is opened, locked and made durable.

One process has the file for itself (`locking_mode=EXCLUSIVE`), because each process answers from its
own copy in memory and would not see what another one writes. Every commit is on the disk before it
is acknowledged (`synchronous=FULL`). Write transactions take the lock at once (`BEGIN IMMEDIATE`).
"""

from sqlalchemy import Connection, Engine, StaticPool, create_engine, event
from sqlalchemy.engine import URL
from sqlalchemy.engine.interfaces import DBAPIConnection
from sqlalchemy.pool import ConnectionPoolEntry

_PRAGMAS = (
    "busy_timeout = 1000",  # before any other: changing the journal mode needs the lock already
    "locking_mode = EXCLUSIVE",
    "journal_mode = WAL",
    "synchronous = FULL",
)


def open_sqlite(url: URL) -> Engine:
    """Return an engine with one connection, which may be used by one thread at a time."""
    engine = create_engine(url, poolclass=StaticPool, connect_args={"check_same_thread": False})
    event.listen(engine, "connect", _on_connect)
    event.listen(engine, "begin", _on_begin)
    return engine


def _on_connect(connection: DBAPIConnection, _record: ConnectionPoolEntry) -> None:
    # The driver must not begin transactions by itself; `_on_begin` does.
    connection.isolation_level = None
    cursor = connection.cursor()
    for pragma in _PRAGMAS:
        cursor.execute(f"PRAGMA {pragma}")
    cursor.close()


def _on_begin(connection: Connection) -> None:
    connection.exec_driver_sql("BEGIN IMMEDIATE")
