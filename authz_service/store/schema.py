"""The schema of a database: made, brought up to date, or refused when it is none of ours.

A new database gets the tables as they are now; an older one is migrated. Either happens in one transaction, one
process at a time. Databases from before there were migrations are known by their tables.
"""

import secrets
from pathlib import Path
from typing import Final

import structlog
from sqlalchemy import (
    Column,
    Connection,
    MetaData,
    PrimaryKeyConstraint,
    String,
    Table,
    delete,
    func,
    insert,
    inspect,
    select,
    text,
    update,
)

from authz_service.errors import StoreUnavailable
from authz_service.store import migrations, tables
from authz_service.store.tenants import DEFAULT_NUMBER, DEFAULT_STORE

_log = structlog.get_logger("authz.store")

NEWEST: Final = "5"
"""The last migration, whose outcome is what `tables` says."""

_FIRST: Final = "1"
_FIRST_TABLES: Final = frozenset({"head", "stores", "facts", "changes", "policies"})

# The table in which alembic keeps the version of the schema.
_VERSION: Final = Table(
    "alembic_version",
    MetaData(),
    Column("version_num", String(32), nullable=False),
    PrimaryKeyConstraint("version_num", name="alembic_version_pkc"),
)


def bring_up_to_date(connection: Connection, place: str) -> None:
    """Make the tables, or migrate them. A database that is none of ours stays as it is, and is refused."""
    present = set(inspect(connection).get_table_names())
    if not present:
        _make(connection)
    elif _VERSION.name in present:
        version = str(connection.scalar(select(_VERSION.c.version_num)))
        _migrate(connection, version, place)
    elif present >= _FIRST_TABLES:
        version = str(connection.scalar(text("SELECT schema_version FROM head")))
        _migrate(connection, version, place)
    else:
        message = f"the database {place} belongs to another program; give another --database-url"
        raise StoreUnavailable(message)


def begin_life(connection: Connection) -> None:
    """Give the database another incarnation: neither tokens nor checkpoints of before are of its revisions."""
    connection.execute(update(tables.head).values(incarnation=secrets.token_hex(8)))
    connection.execute(delete(tables.checkpoints))


def move(connection: Connection, recorded: str | None, lineage: str) -> None:
    """Note that the database is written at another place than before: its history may lack the newest part.

    Then the revisions that follow are not those that were given out before, so it is another life. Call before
    anything else is written.
    """
    if recorded is not None:
        _log.warning("another life begins: a standby took over, or a backup was put back")
        begin_life(connection)
    connection.execute(update(tables.head).values(lineage=lineage))


def _make(connection: Connection) -> None:
    tables.metadata.create_all(connection)
    _VERSION.create(connection)
    connection.execute(insert(_VERSION).values(version_num=NEWEST))
    connection.execute(
        insert(tables.head).values(id=1, incarnation="", revision=0, committed_at=0, compacted_to=0)
    )
    connection.execute(insert(tables.signing).values(id=1, key=secrets.token_hex(32)))
    connection.execute(
        insert(tables.stores).values(number=DEFAULT_NUMBER, name=DEFAULT_STORE, revision=0)
    )
    begin_life(connection)


def _migrate(connection: Connection, version: str, place: str) -> None:
    if version == NEWEST:
        # A write without effect: a database that cannot be written is found out now.
        connection.execute(update(tables.head).values(id=tables.head.c.id))
        return
    if version not in map(str, range(int(_FIRST), int(NEWEST) + 1)):
        message = (
            f"the database {place} has schema version {version}, "
            f"this program needs {NEWEST}; use the program that wrote it"
        )
        raise StoreUnavailable(message)
    # Few databases are ever migrated; the others need not wait for this to be imported.
    from alembic import command  # noqa: PLC0415
    from alembic.config import Config  # noqa: PLC0415

    folder = Path(migrations.__file__).parent
    config = Config(attributes={"connection": connection})
    config.set_main_option("script_location", str(folder).replace("%", "%%"))
    if not inspect(connection).has_table(_VERSION.name):
        command.stamp(config, version)
    command.upgrade(config, NEWEST)
    rows = connection.scalar(select(func.count()).select_from(tables.head))
    assert rows == 1
