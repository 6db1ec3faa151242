"""Policies in the database: publishing, and which version was active when.

Whether a policy cannot use stored facts is found out in two steps. Who publishes looks at all facts of one
revision before, for which the lock is not needed; under the lock, only what was written since is looked at.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime
from heapq import nsmallest

from sqlalchemy import Connection, insert, select

from authz_service.errors import FactsOrphaned
from authz_service.facts.fact import Fact, FactPattern
from authz_service.facts.policy_text import PolicyFile, PolicyVersion
from authz_service.facts.revision import EMPTY, ConsistencyToken, Revision
from authz_service.store import tables
from authz_service.store.pack import ActiveVersion, Pack
from authz_service.store.rows import Kind, Mark, decode_policy, encode_files

Orphaned = Callable[[Fact], bool]
"""Whether a fact that the active policy can use would be of no use any more."""

_NAMED_FACTS = 10


@dataclass(frozen=True, slots=True)
class Published:
    """A version of a policy that was published, and a token that covers it."""

    version: PolicyVersion
    token: ConsistencyToken

    @property
    def revision(self) -> Revision:
        return self.token.revision


@dataclass(frozen=True, slots=True)
class Proposal:
    """A policy to publish, and what was found out about it so far.

    It takes the place of the version `replaces`, None for whichever. No fact that was stored at the
    revision `seen` is `orphaned` by it; None if that is not asked.
    """

    files: tuple[PolicyFile, ...]
    published_at: datetime
    replaces: ActiveVersion | None = None
    orphaned: Orphaned | None = None
    seen: Revision = EMPTY


def publish(pack: Pack, store_name: str, proposal: Proposal) -> Published:
    """Make the policy active, unless it is.

    Raises StoreNotFound, PolicyChanged if another version is active than the one to replace, FactsOrphaned.
    """
    store = pack.store(store_name)
    pack.check_active(store, proposal.replaces)
    active = pack.policy_version(store)
    files = tuple(sorted(proposal.files))
    if active:
        version = policy_version(pack.connection, store, active)
        if version is not None and version.files == files:
            return Published(version, pack.token(store))
    if proposal.orphaned is not None:
        refuse_orphans(_orphans(pack, store, proposal.orphaned, proposal.seen))
    version = PolicyVersion(active + 1, files, proposal.published_at)
    revision = pack.advance(store, Kind.POLICY, str(version.version))
    pack.connection.execute(
        insert(tables.policies).values(
            store=store,
            version=version.version,
            revision=revision,
            files=encode_files(files),
            published_at=version.published_at.isoformat(),
        )
    )
    pack.set_policy_version(store, version.version)
    return Published(version, pack.token(store))


def refuse_orphans(facts: Iterable[Fact]) -> None:
    """Raise FactsOrphaned, naming the first ones, if there are any."""
    orphans = set(facts)
    if orphans:
        raise FactsOrphaned(list(map(str, nsmallest(_NAMED_FACTS, orphans))), len(orphans))


def _orphans(pack: Pack, store: int, orphaned: Orphaned, seen: Revision) -> set[Fact]:
    if seen < pack.compacted_to:
        # What was written since is not known any more.
        rows = pack.ledger.matching(store, FactPattern())
        return {fact for fact, row in rows if row.counts(pack.instant) and orphaned(fact)}
    # Also what only expires at another time: it may have been left out before as expired.
    written = {
        fact
        for mark, fact, _ in pack.effects_since(store, seen)
        if mark in (Mark.INSERTED, Mark.CHANGED) and orphaned(fact)
    }
    pack.ledger.fetch(store, written)
    found = ((fact, pack.ledger.stored(store, fact)) for fact in written)
    return {fact for fact, row in found if row is not None and row.counts(pack.instant)}


def policy_version(
    connection: Connection, store: int, version: int | None, at: Revision | None = None
) -> PolicyVersion | None:
    """Return a version of the policy of `store`; for None the one that is active, or was at `at`."""
    table = tables.policies
    query = select(table).where(table.c.store == store).order_by(table.c.version.desc()).limit(1)
    if version is not None:
        query = query.where(table.c.version == version)
    if at is not None:
        query = query.where(table.c.revision <= at)
    row = connection.execute(query).one_or_none()
    return decode_policy(row.version, row.files, row.published_at) if row else None
