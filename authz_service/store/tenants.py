"""Stores: isolated tenants, each with facts and policies of its own.

A deleted store is gone at once for everyone; its rows are removed later, in batches. Its name is free again;
its number, by which all rows and tokens know it, is never used again.
"""

from typing import Final

from sqlalchemy import Connection, insert, select, update

from authz_service.errors import StoreExists, StoreNotFound, StoreProtected
from authz_service.facts.revision import ConsistencyToken, Revision
from authz_service.store import tables
from authz_service.store.pack import Pack
from authz_service.store.rows import Kind

DEFAULT_STORE: Final = "default"
DEFAULT_NUMBER: Final = 0


def create_store(pack: Pack, name: str) -> ConsistencyToken:
    """Make an empty store. Raises StoreExists."""
    table = tables.stores
    taken = select(table.c.number).where(table.c.name == name, table.c.deleted.is_(None))
    if pack.connection.scalar(taken) is not None:
        message = f"there is a store `{name}` already"
        raise StoreExists(message, field="store")
    number = Revision(pack.revision + 1)
    pack.connection.execute(insert(table).values(number=number, name=name, revision=number))
    pack.advance(number, Kind.CREATED, name)
    return pack.token(number)


def delete_store(pack: Pack, name: str) -> ConsistencyToken:
    """Delete a store with all that is in it. Raises StoreNotFound, StoreProtected for the default one."""
    number = pack.store(name)
    if number == DEFAULT_NUMBER:
        message = f"the store `{name}` cannot be deleted; delete its facts instead"
        raise StoreProtected(message, field="store")
    revision = pack.advance(number, Kind.DELETED, name)
    table = tables.stores
    pack.connection.execute(update(table).where(table.c.number == number).values(deleted=revision))
    pack.forget_store(name)
    return pack.token(number)


def require_store(connection: Connection, number: int) -> None:
    """Raise StoreNotFound unless the store of this number is there."""
    table = tables.stores
    alive = select(table.c.number).where(table.c.number == number, table.c.deleted.is_(None))
    if connection.scalar(alive) is None:
        message = "the store was deleted"
        raise StoreNotFound(message, field="store")


def store_names(connection: Connection) -> tuple[str, ...]:
    """Return the names of all stores, in order."""
    table = tables.stores
    query = select(table.c.name).where(table.c.deleted.is_(None)).order_by(table.c.name)
    return tuple(connection.scalars(query))
