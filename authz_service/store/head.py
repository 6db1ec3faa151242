"""Head: the one row that says where the database stands."""

from dataclasses import dataclass
from typing import Final

from sqlalchemy import Connection, Engine, select

from authz_service.facts.instant import Instant
from authz_service.facts.revision import Revision
from authz_service.store import tables
from authz_service.store.statement import Row, Statement


@dataclass(frozen=True, slots=True)
class Head:
    """Where the database stands: its life, its last revision and when that was committed."""

    incarnation: str
    revision: Revision
    committed_at: Instant
    compacted_to: Revision


_HEAD: Final = Statement(
    select(
        tables.head.c.incarnation,
        tables.head.c.revision,
        tables.head.c.committed_at,
        tables.head.c.compacted_to,
    )
)


def read_head(connection: Connection) -> Head:
    """Return the head as the transaction of `connection` sees it."""
    return _head(_HEAD.rows(connection))


def ask_head(engine: Engine) -> Head:
    """Return the head as it is at one moment during this call. Followers ask fifty times a second."""
    return _head(_HEAD.ask(engine))


def _head(rows: list[Row]) -> Head:
    ((incarnation, revision, committed_at, compacted_to),) = rows
    return Head(incarnation, Revision(revision), Instant(committed_at), Revision(compacted_to))
