"""Reading: facts now or as they were, in pages; the log; what a store is as a whole.

A page goes on behind the last fact of the one before, in the order of predicate and key. So pages of one
revision show each of its facts once, though every page is a transaction of its own, and nothing is held open.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import cache
from itertools import chain, groupby, repeat
from operator import itemgetter
from typing import Any, NamedTuple, overload

from sqlalchemy import (
    Connection,
    Engine,
    Select,
    Table,
    bindparam,
    func,
    or_,
    select,
    tuple_,
    union_all,
)

from authz_service.errors import Compacted, RevisionUnknown, StoreNotFound
from authz_service.facts.change import AnyPattern, ChangeBatch, StoredFact, StoreEvent
from authz_service.facts.fact import Fact, FactPattern
from authz_service.facts.filling import Filling
from authz_service.facts.instant import Instant
from authz_service.facts.policy_text import PolicyVersion
from authz_service.facts.revision import ConsistencyToken, Revision
from authz_service.facts.tables import Tables
from authz_service.store import dialect, tables
from authz_service.store.head import Head
from authz_service.store.matching import conditions
from authz_service.store.policies import policy_version
from authz_service.store.rows import (
    BETWEEN_FACTS,
    Kind,
    Mark,
    columns_of,
    decode_effects,
    decode_facts,
    fact_decoder,
    fact_key,
    pieces_of,
    split_values,
)
from authz_service.store.statement import Statement

_PAGE_FACTS = 4096
"""So many facts are taken over in a few milliseconds, in which no other thread runs."""

_AT_ONCE = 250
"""So many facts are made at once for whoever goes through a page."""

# What a row of the log is decoded with raises one of these when it is of another form.
_UNREADABLE = (ValueError, LookupError, TypeError)

_EVENTS = {Kind.CREATED: StoreEvent.CREATED, Kind.DELETED: StoreEvent.DELETED}


@dataclass(frozen=True, slots=True)
class FactPage:
    """Facts in the order of pages, those of one revision that count at one instant.

    `token` is of the store and the life of the database that were read, in the same transaction.
    """

    facts: Sequence[StoredFact]
    has_more: bool
    token: ConsistencyToken
    instant: Instant

    @property
    def revision(self) -> Revision:
        return self.token.revision


@dataclass(frozen=True, slots=True)
class LogPage:
    """What happened to a store after some revision, up to and with `up_to`: nothing else did."""

    batches: Sequence[ChangeBatch]
    up_to: Revision


@dataclass(frozen=True, slots=True)
class StoredState:
    """One store at one revision: all facts that are stored, and its active policy.

    `expiries` has the facts that expire; some of them may have, and do not count any more.
    """

    name: str
    revision: Revision
    facts: Tables
    policy: PolicyVersion | None
    number: int = 0
    expiries: dict[Fact, Instant] = field(default_factory=dict)


class RevisionUnreadable(Exception):
    """The log has a revision that this program does not understand; `before` are the batches up to it."""

    def __init__(self, revision: Revision, before: tuple[ChangeBatch, ...]) -> None:
        super().__init__(f"revision {revision} of the log is of a form that is not known here")
        self.revision = revision
        self.before = before


def check_kept(head: Head, revision: Revision) -> None:
    """Raise RevisionUnknown or Compacted unless the database can say what was at `revision`."""
    if revision > head.revision:
        message = f"the database is at revision {head.revision}, it does not have {revision} yet"
        raise RevisionUnknown(message)
    if revision < head.compacted_to:
        message = (
            f"the history of revision {revision} is no longer kept, it begins at "
            f"{head.compacted_to}; read what is there now"
        )
        raise Compacted(message)


def check_made(store: int, revision: Revision) -> None:
    """Raise RevisionUnknown for a revision at which the store was not there: its number made it."""
    if revision < store:
        message = "the store was made after that; another one may have had its name"
        raise RevisionUnknown(message)


def check_same(store: str, before: ConsistencyToken, after: ConsistencyToken) -> None:
    """Raise RevisionUnknown or StoreNotFound if a revision of `store` means another state after than before."""
    if before.incarnation != after.incarnation:
        raise RevisionUnknown("the database was restored meanwhile; read again")
    if before.store != after.store:
        raise StoreNotFound(f"the store `{store}` was deleted meanwhile", field="store")


def committed_at(connection: Connection, head: Head, revision: Revision) -> Instant:
    """Return when `revision`, whose history is kept, was committed."""
    if revision == head.revision:
        return head.committed_at
    log = tables.changes
    found = connection.scalar(select(log.c.committed_at).where(log.c.revision == revision).limit(1))
    return Instant(found or 0)


def revision_at(connection: Connection, head: Head, instant: Instant) -> Revision:
    """Return the last revision that was committed at `instant` or before. Raises Compacted."""
    log = tables.changes
    query = select(func.max(log.c.revision)).where(log.c.committed_at <= instant)
    found = Revision(connection.scalar(query) or 0)
    check_kept(head, found)
    return found


def read_page(
    connection: Connection,
    at: ConsistencyToken,
    pattern: AnyPattern,
    instant: Instant,
    after: Fact | None,
    size: int,
) -> FactPage:
    """Return the first `size` facts behind `after` that match, in the state of `at`, and count at `instant`."""
    _, store, revision = at
    found: list[StoredFact] = []
    place = None if after is None else (after.predicate, fact_key(after))
    # Of patterns without arguments the database leaves nothing to ask.
    is_exact = isinstance(pattern, FactPattern) and pattern.args is None
    is_newest = _last_revision(connection, store) <= revision
    while True:
        moment = revision, instant
        query = select_at(store, pattern, moment, place, is_newest=is_newest).limit(size + 1)
        rows = dialect.tuples(connection, query)
        if is_exact:
            return FactPage(_Facts(rows[:size]), len(rows) > size, at, instant)
        found += [one for one in _Facts(rows) if pattern.matches(one.fact)]
        if len(found) > size or len(rows) <= size:
            return FactPage(found[:size], len(found) > size, at, instant)
        place = rows[-1][:2]


class _Facts(Sequence[StoredFact]):
    """The facts of rows of predicate, key, args and expires_at in the order of pages, made when asked for.

    Of those who go through thousands of facts few keep them: what is freed at once is never looked at by the
    garbage collector, which would take longer than all else.
    """

    def __init__(self, rows: Sequence[tuple[Any, ...]]) -> None:
        self._rows = rows

    def __len__(self) -> int:
        return len(self._rows)

    @overload
    def __getitem__(self, place: int) -> StoredFact: ...
    @overload
    def __getitem__(self, place: slice) -> "_Facts": ...
    def __getitem__(self, place: int | slice) -> "StoredFact | _Facts":
        if isinstance(place, slice):
            return _Facts(self._rows[place])
        return next(_decoded([self._rows[place]]))

    def __iter__(self) -> Iterator[StoredFact]:
        starts = range(0, len(self._rows), _AT_ONCE)
        return chain.from_iterable(_decoded(self._rows[at : at + _AT_ONCE]) for at in starts)


def _decoded(rows: Sequence[tuple[Any, ...]]) -> Iterator[StoredFact]:
    """Return the facts of rows that are in the order of pages."""
    first, last = rows[0][0], rows[-1][0]
    if first != last:
        by_predicate = groupby(rows, key=itemgetter(0))
        return chain.from_iterable(_decoded(list(some)) for _, some in by_predicate)
    _, keys, args, expiries = zip(*rows, strict=True)
    texts = [a or k for k, a in zip(keys, args, strict=True)] if any(args) else keys
    facts = decode_facts(first, texts)
    return map(tuple.__new__, repeat(StoredFact), zip(facts, expiries, strict=True))


def _last_revision(connection: Connection, store: int) -> Revision:
    """Return the last revision that did anything to `store`."""
    table = tables.stores
    found = connection.scalar(select(table.c.revision).where(table.c.number == store))
    return Revision(found or 0)


def select_at(
    store: int,
    pattern: AnyPattern,
    moment: tuple[Revision, Instant],
    place: tuple[str, str] | None,
    *,
    is_newest: bool,
) -> Select[Any]:
    """Return the query for what was stored at `moment`, in the order of pages."""
    revision, instant = moment

    def selected(table: Table) -> Select[Any]:
        query = select(table.c.predicate, table.c.key, table.c.args, table.c.expires_at).where(
            *conditions(table, store, pattern),
            table.c.created <= revision,
            or_(table.c.expires_at.is_(None), table.c.expires_at > instant),
        )
        if place is not None:
            query = query.where(tuple_(table.c.predicate, table.c.key) > tuple_(*place))
        return query

    now = selected(tables.facts)
    if is_newest:
        return now.order_by(tables.facts.c.predicate, tables.facts.c.key)
    past = selected(tables.past_facts).where(tables.past_facts.c.deleted > revision)
    both = union_all(now, past).subquery()
    return select(both).order_by(both.c.predicate, both.c.key)


@cache
def _log_query(*, of_one_store: bool) -> Statement:
    """Return the query of `read_log`."""
    log = tables.changes
    # Not `revision + limit`: a reader would take a hole that long for the end of the log.
    wanted = select(log.c.revision).where(log.c.revision > bindparam("after")).distinct()
    if of_one_store:
        wanted = wanted.where(log.c.store == bindparam("store"))
    chosen = wanted.order_by(log.c.revision).limit(bindparam("most")).subquery()
    kept = select(tables.head.c.compacted_to).scalar_subquery()
    life = select(tables.head.c.incarnation).scalar_subquery()
    return Statement(
        select(log, tables.stores.c.name, tables.stores.c.deleted, kept, life)
        .join(chosen, chosen.c.revision == log.c.revision)
        .outerjoin(tables.stores, tables.stores.c.number == log.c.store)
        .order_by(log.c.revision, log.c.part)
    )


class _LogRow(NamedTuple):
    """A row of the log, what its store is now, from where on history is whole, and the life of the database."""

    revision: int
    part: int
    store: int
    committed_at: int
    kind: str
    body: str
    name: str | None
    deleted: int | None
    compacted_to: int
    incarnation: str


def read_log(
    connection: Connection, revision: Revision, limit: int, store: int | None = None
) -> tuple[ChangeBatch, ...]:
    """Return the first `limit` batches after `revision`, in order and whole; of one store, or of all.

    What the log holds is returned as it is: whoever applies it must see to it that nothing is missing.
    Raises RevisionUnreadable.
    """
    query = _log_query(of_one_store=store is not None)
    wanted = {"after": revision, "most": limit, "store": store}
    rows = map(_LogRow._make, query.rows(connection, wanted))
    return _batches(rows, lambda row: _policy(connection, row))


def ask_log(
    engine: Engine, revision: Revision, limit: int, incarnation: str | None
) -> tuple[ChangeBatch, ...]:
    """Return what `read_log` does, of all stores, if one statement tells all of it; else nothing.

    It does not if a policy is among them, if the log does not go back so far, or if it is of another life than
    that of the `incarnation`. Raises RevisionUnreadable.
    """
    wanted = {"after": revision, "most": limit}
    rows = list(map(_LogRow._make, _log_query(of_one_store=False).ask(engine, wanted)))
    if any(row.kind == Kind.POLICY or row.compacted_to > revision for row in rows):
        return ()
    # Of one statement, so all rows tell the same.
    if rows and rows[0].incarnation != (incarnation or rows[0].incarnation):
        return ()
    return _batches(rows, lambda _: None)


def _batches(
    rows: Iterable[_LogRow], policy_of: Callable[[_LogRow], PolicyVersion | None]
) -> tuple[ChangeBatch, ...]:
    batches: list[ChangeBatch] = []
    for number, group in groupby(rows, key=lambda row: row.revision):
        revision = Revision(number)
        try:
            some = list(group)
            batches.append(_batch(revision, some, policy_of(some[0])))
        except _UNREADABLE as error:
            raise RevisionUnreadable(revision, tuple(batches)) from error
    return tuple(batches)


def _policy(connection: Connection, row: _LogRow) -> PolicyVersion | None:
    if row.kind != Kind.POLICY:
        return None
    policy = policy_version(connection, row.store, int(row.body))
    # The policies of a store that was deleted are removed before its log is.
    if policy is None and row.deleted is None:
        raise LookupError(row.body)
    return policy


def _batch(
    revision: Revision, rows: Sequence[_LogRow], policy: PolicyVersion | None
) -> ChangeBatch:
    first = rows[0]
    kind = Kind(first.kind)
    name = first.name if first.name is not None else f"number {first.store}"
    facts: dict[Mark, set[Fact]] = {mark: set() for mark in Mark}
    expiries: dict[Fact, Instant | None] = {}
    if kind is Kind.FACTS:
        for row in rows:
            for mark, fact, expires_at in decode_effects(row.body):
                facts[mark].add(fact)
                if mark is Mark.CHANGED or (mark is Mark.INSERTED and expires_at is not None):
                    expiries[fact] = expires_at
    return ChangeBatch(
        revision,
        name,
        frozenset(facts[Mark.INSERTED]),
        frozenset(facts[Mark.DELETED]),
        policy,
        frozenset(facts[Mark.EXPIRED]),
        expiries,
        _EVENTS.get(kind),
        first.store,
        Instant(first.committed_at),
    )


def read_stores(
    connection: Connection, has_come: Callable[[], None] = lambda: None
) -> Iterator[StoredState]:
    """Yield every store as it is now. Calls `has_come` after each page of facts."""
    table = tables.stores
    query = select(table.c.number, table.c.name, table.c.revision)
    query = query.where(table.c.deleted.is_(None)).order_by(table.c.number)
    for number, name, revision in connection.execute(query).all():
        facts = _filled(connection, number, has_come)
        policy = policy_version(connection, number, None)
        expiries = dict(_expiries(connection, number, has_come))
        yield StoredState(name, Revision(revision), facts, policy, number, expiries)


def _filled(connection: Connection, store: int, has_come: Callable[[], None]) -> Tables:
    """Return all facts of a store, read page by page. They are never objects, and no page is kept."""
    filling = Filling(split_values)
    predicate = _next_predicate(connection, store, "")
    while predicate is not None:
        for page in _key_pages(connection, store, predicate):
            for keys in pieces_of(page):
                for arity, columns in columns_of(keys):
                    filling.add((predicate, arity), columns)
            has_come()
        filling.end_predicate()
        predicate = _next_predicate(connection, store, predicate)
    return filling.tables()


def _next_predicate(connection: Connection, store: int, after: str) -> str | None:
    column = tables.facts.c.predicate
    query = select(func.min(column)).where(tables.facts.c.store == store, column > after)
    found: str | None = connection.scalar(query)
    return found


def _key_pages(connection: Connection, store: int, predicate: str) -> Iterator[str]:
    """Yield the texts of the arguments of all facts of a predicate, `BETWEEN_FACTS` between them."""
    # The database joins the texts of a page: that takes half of the time of a row for each, all told.
    key, args = tables.facts.c.key, tables.facts.c.args
    wanted = tables.facts.c.store == store, tables.facts.c.predicate == predicate
    rest = *wanted, key > bindparam("after")
    last_of_page = select(key).where(*rest).order_by(key).offset(_PAGE_FACTS - 1).limit(1)
    all_rest = select(func.aggregate_strings(func.coalesce(args, key), BETWEEN_FACTS)).where(*rest)
    page = all_rest.where(key <= bindparam("last"))
    after = ""
    while (last := connection.scalar(last_of_page, {"after": after})) is not None:
        yield connection.execute(page, {"after": after, "last": last}).scalar_one()
        after = last
    joined = connection.scalar(all_rest, {"after": after})
    if joined is not None:
        yield joined


def _expiries(
    connection: Connection, store: int, has_come: Callable[[], None]
) -> Iterator[tuple[Fact, Instant]]:
    table = tables.facts
    query = select(table.c.predicate, table.c.key, table.c.args, table.c.expires_at)
    query = query.where(table.c.store == store, table.c.expires_at.is_not(None))
    decode = fact_decoder()
    for page in connection.execute(query).partitions(_PAGE_FACTS):
        for predicate, key, args, expires_at in page:
            yield decode(predicate, key, args), Instant(expires_at)
        has_come()
