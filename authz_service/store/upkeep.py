"""What happens beside the writes: expired facts are removed, and history is kept for its time only.

Both go in batches, so that nobody waits long for the lock. Neither changes any decision: what has expired does
not count before its removal either, and history is what nobody can ask for any more.
"""

from collections import defaultdict

from sqlalchemy import Connection, Table, and_, delete, func, select, update

from authz_service.facts.fact import Fact
from authz_service.facts.instant import Instant
from authz_service.facts.revision import Revision
from authz_service.store import tables
from authz_service.store.pack import Pack
from authz_service.store.rows import Effect, Mark, fact_decoder


def remove_expired(pack: Pack, most: int) -> int:
    """Remove up to `most` facts that have expired, each store in a revision of its own; return how many."""
    table = tables.facts
    rows = pack.connection.execute(
        select(table.c.store, table.c.predicate, table.c.key, table.c.args)
        .join(tables.stores, tables.stores.c.number == table.c.store)
        .where(table.c.expires_at <= pack.instant, tables.stores.c.deleted.is_(None))
        .order_by(table.c.expires_at)
        .limit(most)
    ).all()
    by_store: defaultdict[int, list[Fact]] = defaultdict(list)
    decode = fact_decoder()
    for store, predicate, key, args in rows:
        by_store[store].append(decode(predicate, key, args))
    removed = 0
    for store, facts in by_store.items():
        pack.ledger.fetch(store, facts)
        # A write of this pack may have given one of them a new life.
        gone = [fact for fact in facts if _is_expired(pack, store, fact)]
        effects: list[Effect] = [(Mark.EXPIRED, fact, None) for fact in gone]
        if effects:
            revision = pack.advance_facts(store, effects)
            for fact in gone:
                pack.ledger.put(store, fact, None, revision)
            removed += len(gone)
    return removed


def has_expired(connection: Connection, instant: Instant) -> bool:
    """Say whether there is something to remove, so that nobody takes the lock to find nothing."""
    column = tables.facts.c.expires_at
    return connection.execute(select(column).where(column <= instant).limit(1)).first() is not None


def _is_expired(pack: Pack, store: int, fact: Fact) -> bool:
    stored = pack.ledger.stored(store, fact)
    return stored is not None and not stored.counts(pack.instant)


def begin_compaction(pack: Pack, before: Instant) -> Revision:
    """Say from now on that history older than `before` is gone; return from which revision on it is kept.

    Nothing is removed yet: whoever reads finds out here, and never finds a part.
    """
    log = tables.changes
    horizon = pack.connection.scalar(
        select(func.max(log.c.revision)).where(log.c.committed_at < before)
    )
    reached = Revision(max(horizon or 0, pack.compacted_to))
    pack.connection.execute(update(tables.head).values(compacted_to=reached))
    return reached


def compact(pack: Pack, most: int) -> int:
    """Remove up to about `most` rows of each table that are older than history; return how many rows."""
    horizon = pack.compacted_to
    log, past = tables.changes, tables.past_facts
    removed = _delete(pack, past, past.c.deleted <= horizon, most=most)
    # The row at the horizon stays: it tells the time of the first revision that can be asked for.
    removed += _delete(pack, log, log.c.revision < horizon, most=most)
    removed += _delete_superseded(pack, horizon)
    keys = tables.idempotency_keys
    removed += _delete(pack, keys, keys.c.kept_until <= pack.instant, most=most)
    gone = select(tables.stores.c.number).where(tables.stores.c.deleted.is_not(None))
    for table in (tables.facts, past, keys):
        removed += _delete(pack, table, table.c.store.in_(gone), most=most)
    # The log still tells of these to whoever follows from before the store was deleted.
    gone = gone.where(tables.stores.c.deleted <= horizon)
    policies = tables.policies
    removed += _delete(pack, policies, policies.c.store.in_(gone), most=most)
    return removed


def _delete_superseded(pack: Pack, horizon: Revision) -> int:
    """Remove the versions of policies after which another one became active before history begins."""
    table = tables.policies
    later = table.alias()
    is_superseded = (
        select(later.c.version)
        .where(
            later.c.store == table.c.store,
            later.c.version > table.c.version,
            later.c.revision <= horizon,
        )
        .exists()
    )
    return pack.connection.execute(delete(table).where(is_superseded)).rowcount


def _delete(pack: Pack, table: Table, condition: object, *, most: int) -> int:
    """Delete up to `most` of the rows that meet `condition`."""
    keys = list(table.primary_key)
    chosen = select(*keys).where(condition).limit(most).subquery()  # type: ignore[arg-type]
    matches = and_(*(key == chosen.c[key.name] for key in keys))
    found = select(chosen).where(matches).exists()
    return pack.connection.execute(delete(table).where(found)).rowcount
