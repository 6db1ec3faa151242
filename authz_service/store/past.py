"""The past of one store: what it was at an earlier revision, as far as it differs from what it is now."""

from collections.abc import Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass

from sqlalchemy import Connection, select

from authz_service.facts.fact import Fact, FactPattern
from authz_service.facts.instant import START, Instant
from authz_service.facts.policy_text import PolicyVersion
from authz_service.facts.revision import Revision
from authz_service.store import reading, tables
from authz_service.store.head import Head
from authz_service.store.policies import policy_version
from authz_service.store.rows import fact_decoder

_PAGE = 200


@dataclass(frozen=True, slots=True)
class PastState:
    """A store at `revision`, with its expiries: the facts `stored`, and of those stored later the others.

    Facts that are `touched` were written since, up to `head`. If that is None then `stored` are all there were.
    """

    revision: Revision
    head: Revision
    committed_at: Instant
    policy: PolicyVersion | None
    touched: AbstractSet[Fact] | None
    stored: Mapping[Fact, Instant | None]


def read_past(
    connection: Connection, head: Head, store: int, revision: Revision, most: int
) -> PastState:
    """Return what the store was at `revision`, by what was touched since if that is no more than `most` facts.

    Raises Compacted and RevisionUnknown.
    """
    reading.check_kept(head, revision)
    reading.check_made(store, revision)
    touched = _touched(connection, head, store, revision, most)
    stored = (
        _all(connection, store, revision)
        if touched is None
        else _closed(connection, store, revision)
    )
    return PastState(
        revision,
        head.revision,
        reading.committed_at(connection, head, revision),
        policy_version(connection, store, None, revision),
        touched,
        stored,
    )


def _touched(
    connection: Connection, head: Head, store: int, revision: Revision, most: int
) -> set[Fact] | None:
    """Return the facts that were written after `revision`, None if they are more than `most`."""
    touched: set[Fact] = set()
    while revision < head.revision:
        batches = reading.read_log(connection, revision, _PAGE, store)
        for batch in batches:
            touched.update(batch.inserted, batch.deleted, batch.expired, batch.expiries)
        if len(touched) > most:
            return None
        if len(batches) < _PAGE:
            break
        revision = batches[-1].revision
    return touched


def _closed(connection: Connection, store: int, revision: Revision) -> dict[Fact, Instant | None]:
    """Return the facts that were stored at `revision` and were deleted, or expire at another time, since."""
    table = tables.past_facts
    rows = connection.execute(
        select(table.c.predicate, table.c.key, table.c.args, table.c.expires_at).where(
            table.c.deleted > revision, table.c.created <= revision, table.c.store == store
        )
    )
    decode = fact_decoder()
    return {decode(row.predicate, row.key, row.args): row.expires_at for row in rows}


def _all(connection: Connection, store: int, revision: Revision) -> dict[Fact, Instant | None]:
    query = reading.select_at(store, FactPattern(), (revision, START), None, is_newest=False)
    decode = fact_decoder()
    rows = connection.execute(query)
    return {decode(predicate, key, args): expires_at for predicate, key, args, expires_at in rows}
