"""FactStore: facts, policies and the log of their changes, durable.

Guarantees, each held by a test in `tests/store`, on every database:

Rule 1: a write that returned is on the disk; one that did not return happened wholly or not at all.
Rule 2: revisions are dense: each effective write takes the next one, as the last thing it does. Whoever sees a
    revision sees all before it.
Rule 3: the facts are what the log says: applying all changes in order gives exactly them.
Rule 4: ids are kept byte for byte.
Rule 5: a write is committed against the policy that it was checked by, or not at all.
Rule 6: a token of another life of the database, or of another store, is refused.
Rule 7: only whole copies and the log are ever read of standbys, and only of what the primary has shown.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future
from contextlib import ExitStack
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import partial
from itertools import chain

from sqlalchemy import Connection, Engine, select

from authz_service.errors import (
    NoPolicy,
    PolicyNotFound,
    RevisionUnknown,
    StoreUnavailable,
)
from authz_service.facts.change import AnyPattern, ChangeBatch, StoredFact, WriteRequest
from authz_service.facts.fact import Fact, FactPattern
from authz_service.facts.instant import Instant, instant_of
from authz_service.facts.policy_text import PolicyFile, PolicyVersion
from authz_service.facts.revision import EMPTY, ConsistencyToken, Revision
from authz_service.store import checkpoints, dialect, reading, schema, tables, tenants, upkeep
from authz_service.store.committer import Committer
from authz_service.store.database import Database
from authz_service.store.head import Head, ask_head, read_head
from authz_service.store.pack import ActiveVersion, Pack, kept, store_number
from authz_service.store.past import PastState, read_past
from authz_service.store.policies import (
    Orphaned,
    Proposal,
    Published,
    policy_version,
    publish,
)
from authz_service.store.reading import FactPage, LogPage, StoredState
from authz_service.store.standbys import Standbys, has_reached
from authz_service.store.writes import Written, named_facts, repeated, write_facts

DEFAULT_STORE = tenants.DEFAULT_STORE

KEYS_KEPT = timedelta(hours=24)
HISTORY_KEPT = timedelta(days=30)

_PAGE = 1000
_EXPORTED_PAGE = 5000
_BATCH = 1000

EVERYTHING = FactPattern()


def utc_now() -> datetime:
    return datetime.now(UTC)


class FactStore:
    """A database of facts and policies. Calls block, and may come from several threads."""

    def __init__(
        self,
        engine: Engine,
        *,
        clock: Callable[[], datetime] = utc_now,
        keys_kept: timedelta = KEYS_KEPT,
        may_be_away: bool = False,
        standbys: Standbys | None = None,
    ) -> None:
        self._standbys = standbys or Standbys(())
        self._engine = engine
        self._clock = clock
        self._keys_kept = keys_kept
        self._signing_key: bytes | None = None
        self._database = Database(
            engine, partial(schema.bring_up_to_date, place=dialect.place(engine)), schema.move
        )
        try:
            self._database.prepare()
        except StoreUnavailable:
            if not may_be_away:
                raise
        self._committer = Committer(self._database, self._begin)

    @classmethod
    def open(
        cls,
        database_url: str,
        *,
        clock: Callable[[], datetime] = utc_now,
        keys_kept: timedelta = KEYS_KEPT,
        may_be_away: bool = False,
        read_database_urls: Sequence[str] = (),
    ) -> "FactStore":
        """Open the database, creating its tables if there are none. Raises StoreUnavailable with the cure.

        `keys_kept` says how long writes are remembered by their idempotency key. A database that `may_be_away`
        is tried again by whatever is done with it first. `read_database_urls` are standbys of it.
        """
        engine = dialect.open_engine(database_url)
        with ExitStack() as on_failure:
            on_failure.callback(engine.dispose)
            if read_database_urls:
                dialect.require_standbys(engine)
            standbys = Standbys(read_database_urls)
            on_failure.callback(standbys.close)
            store = cls(
                engine,
                clock=clock,
                keys_kept=keys_kept,
                may_be_away=may_be_away,
                standbys=standbys,
            )
            on_failure.pop_all()
        return store

    def close(self) -> None:
        """Commit what was submitted and let go of the database. Closing twice does no harm."""
        self._committer.close()
        self._standbys.close()
        self._database.close()

    # The position.

    def head(self) -> Head:
        """Return where the database stands. One row is read, so followers may ask often."""
        with self._database.asking() as engine:
            return ask_head(engine)

    @property
    def incarnation(self) -> str:
        """The life of this database, as it is now."""
        return self.head().incarnation

    def begin_life(self) -> str:
        """Give the database another incarnation; call after it was restored from a backup.

        Its next revisions are not those that were given out before, so all tokens of the life before are
        refused from now on, and followers load everything anew.
        """

        def job(pack: Pack) -> str:
            schema.begin_life(pack.connection)
            return read_head(pack.connection).incarnation

        return self._committer.submit(job).result()

    def check_token(self, store: str, token: ConsistencyToken) -> Revision:
        """Return the revision that a token of `store` is for, which the database has.

        Raises StoreNotFound, RevisionUnknown and TokenOfAnotherStore.
        """
        with self._database.reading() as connection:
            head = read_head(connection)
            return token.checked(head.incarnation, store_number(connection, store), head.revision)

    def token(self, store: str) -> ConsistencyToken:
        """Return the token of `store` as it is now. Raises StoreNotFound."""
        with self._database.reading() as connection:
            head = read_head(connection)
            number = store_number(connection, store)
            return ConsistencyToken(head.incarnation, number, head.revision)

    def signing_key(self) -> bytes:
        """Return what all processes of this database sign page tokens with. Read once."""
        if self._signing_key is None:
            with self._database.reading() as connection:
                row = connection.execute(select(tables.signing)).one()
            self._signing_key = bytes.fromhex(row.key)
        return self._signing_key

    # Stores.

    def create_store(self, name: str) -> ConsistencyToken:
        """Make an empty store. Raises StoreExists."""
        return self._committer.submit(lambda pack: tenants.create_store(pack, name)).result()

    def delete_store(self, name: str) -> ConsistencyToken:
        """Delete a store and all that is in it. Raises StoreNotFound, and StoreProtected for `default`."""
        return self._committer.submit(lambda pack: tenants.delete_store(pack, name)).result()

    def stores(self) -> tuple[str, ...]:
        """Return the names of all stores, in order."""
        with self._database.reading() as connection:
            return tenants.store_names(connection)

    # Writing.

    def submit(
        self, store: str, request: WriteRequest, checked_by: ActiveVersion | None = None
    ) -> "Future[Written]":
        """Have `request` committed, if `checked_by` is the active policy (None: whichever).

        The future raises StoreNotFound, PolicyChanged, PreconditionFailed, ExpiryPassed, IdempotencyKeyReused
        and StoreUnavailable. A future that can be cancelled was not begun.
        """
        return self._committer.submit(
            lambda pack: write_facts(pack, store, request, checked_by, self._keys_kept),
            (store, list(named_facts(request.writes))),
        )

    def write(
        self, store: str, request: WriteRequest, checked_by: ActiveVersion | None = None
    ) -> Written:
        """Do what `submit` does, and wait for it."""
        return self.submit(store, request, checked_by).result()

    def written(self, store: str, request: WriteRequest) -> Written | None:
        """Return what became of the write that had the idempotency key of `request`, if it is known.

        Raises StoreNotFound, and IdempotencyKeyReused if that was another write.
        """
        if request.idempotency_key is None:
            return None
        with self._database.reading() as connection:
            head = read_head(connection)
            number = store_number(connection, store)
            found = kept(connection, number, request.idempotency_key, self._now(head))
        return None if found is None else repeated(request, found, head.incarnation, number)

    def publish(
        self,
        store: str,
        files: tuple[PolicyFile, ...],
        published_at: datetime,
        *,
        replaces: ActiveVersion | None = None,
        orphaned: Orphaned | None = None,
        seen: Revision = EMPTY,
    ) -> Published:
        """Make `files` the active policy in place of the version `replaces` (None: of whichever).

        If they are the active policy already, nothing changes and that version is returned. Raises
        StoreNotFound, PolicyChanged if another version is active, and FactsOrphaned if `orphaned` says so of
        a stored fact; without it nothing is asked, and facts of no use stay stored. It is asked about all that
        was written after the revision `seen`, while nobody can write: look at the others before.
        """
        proposal = Proposal(files, published_at, replaces, orphaned, seen)
        return self._committer.submit(lambda pack: publish(pack, store, proposal)).result()

    # Reading.

    def read(
        self,
        store: str,
        pattern: AnyPattern = EVERYTHING,
        *,
        revision: Revision | None = None,
        instant: Instant | None = None,
        after: Fact | None = None,
        size: int = _PAGE,
    ) -> FactPage:
        """Return the first `size` facts behind `after` that match.

        They are those of `revision`, by default the newest, that count at `instant`, by default now or when the
        given revision was committed. Raises StoreNotFound, Compacted, and RevisionUnknown, also for a revision
        from before the store was made.
        """
        page = self._page(store, pattern, revision, instant, after, size)
        return replace(page, facts=list(page.facts))

    def _page(
        self,
        store: str,
        pattern: AnyPattern,
        revision: Revision | None,
        instant: Instant | None,
        after: Fact | None = None,
        size: int = _EXPORTED_PAGE,
    ) -> FactPage:
        with self._database.reading() as connection:
            head = read_head(connection)
            number = store_number(connection, store)
            if revision is None:
                revision = head.revision
                instant = self._now(head) if instant is None else instant
            else:
                reading.check_kept(head, revision)
                reading.check_made(number, revision)
                if instant is None:
                    instant = reading.committed_at(connection, head, revision)
            at = ConsistencyToken(head.incarnation, number, revision)
            return reading.read_page(connection, at, pattern, instant, after, size)

    def export(
        self,
        store: str,
        pattern: AnyPattern = EVERYTHING,
        *,
        revision: Revision | None = None,
        instant: Instant | None = None,
    ) -> "Export":
        """Return all facts that match, as `read` would, in pages of one revision.

        Memory holds one page. Raises what `read` raises, also later: Compacted if the history of the revision
        ends before the export does, StoreNotFound if the store does, RevisionUnknown if another one has its
        name then or the life of the database ends.
        """
        page = self._page(store, pattern, revision, instant)
        pages = self._pages(store, pattern, page)
        return Export(page.token, page.instant, chain.from_iterable(pages))

    def _pages(
        self, store: str, pattern: AnyPattern, page: FactPage
    ) -> Iterator[Sequence[StoredFact]]:
        token = page.token
        while True:
            yield page.facts
            if not page.has_more:
                return
            last = page.facts[-1].fact
            page = self._page(store, pattern, page.revision, page.instant, last)
            reading.check_same(store, token, page.token)

    def revision_at(self, instant: Instant) -> Revision:
        """Return the last revision that was committed at `instant` or before. Raises Compacted."""
        return self.position_at(instant)[1]

    def position_at(self, instant: Instant) -> tuple[str, Revision]:
        """Return the life of the database, and of it what `revision_at` returns. Raises Compacted."""
        with self._database.reading() as connection:
            head = read_head(connection)
            return head.incarnation, reading.revision_at(connection, head, instant)

    def policy(self, store: str, version: int | None) -> PolicyVersion:
        """Return the version that `published` does. Raises what it raises."""
        return self.published(store, version).version

    def published(self, store: str, version: int | None) -> Published:
        """Return a version of the policy of `store`, the active one for None, and the token of what was read.

        Raises StoreNotFound, NoPolicy and PolicyNotFound.
        """
        with self._database.reading() as connection:
            head = read_head(connection)
            number = store_number(connection, store)
            found = policy_version(connection, number, version)
        if found is None and version is None:
            message = (
                f"the store `{store}` has no policy yet; publish one with `authz policy publish`"
            )
            raise NoPolicy(message)
        if found is None:
            message = f"the store `{store}` has no policy version {version}"
            raise PolicyNotFound(message, field="policy_version")
        return Published(found, ConsistencyToken(head.incarnation, number, head.revision))

    def policy_at(self, store: str, revision: Revision) -> PolicyVersion | None:
        """Return the policy that was active at `revision`. Raises Compacted and RevisionUnknown."""
        with self._database.reading() as connection:
            reading.check_kept(read_head(connection), revision)
            return policy_version(connection, store_number(connection, store), None, revision)

    def past(self, state: ConsistencyToken, *, most: int) -> PastState:
        """Return what a store was at the revision of the token, by the facts that were written since.

        If these are more than `most`, all facts of then are read. Raises StoreNotFound if the store is gone,
        Compacted and RevisionUnknown.
        """
        with self._database.reading() as connection:
            head = read_head(connection)
            tenants.require_store(connection, state.store)
            revision = state.checked(head.incarnation, state.store, head.revision)
            return read_past(connection, head, state.store, revision, most)

    def load(
        self, has_come: Callable[[], None] = lambda: None
    ) -> tuple[Head, tuple[StoredState, ...]]:
        """Return the head and every store as it is there, at one moment: nothing is older than this call.

        `has_come` is called after each few thousand facts. What it raises passes through.
        """
        return self._load_from_standby(has_come) or self._load(has_come)

    def _load(self, has_come: Callable[[], None]) -> tuple[Head, tuple[StoredState, ...]]:
        with self._database.reading() as connection:
            return read_head(connection), tuple(reading.read_stores(connection, has_come))

    def _load_from_standby(
        self, has_come: Callable[[], None]
    ) -> tuple[Head, tuple[StoredState, ...]] | None:
        if not self._standbys:
            return None
        found = self._standbys.read(
            self.head(),
            lambda connection, head: (head, tuple(reading.read_stores(connection, has_come))),
            wait=True,
        )
        # What it has beyond the primary was lost when another standby became that.
        if found is None or not has_reached(self.head(), found[0].incarnation, found[0].revision):
            return None
        return found

    def checkpoint(self, form: int) -> bytes | None:
        """Return a copy of everything, of this form, from which it takes less to go on than to `load`.

        None if there is none. Its life and revision are to be compared with the head.
        """
        found = self._standbys.read(
            self.head(), lambda connection, _: checkpoints.read(connection, form)
        )
        if found is None:
            with self._database.reading() as connection:
                found = checkpoints.read(connection, form)
        return found

    def look_at_checkpoints(
        self, form: int, facts: int, revision: Revision, left: checkpoints.Checkpoint | None = None
    ) -> checkpoints.Look:
        """Say whether a copy of so many facts at `revision` should become another checkpoint.

        `left` is what was found unfinished at the look before, long ago.
        """
        with self._database.reading() as connection:
            return checkpoints.look(connection, form, facts, revision, left)

    def write_checkpoint(
        self,
        writing: checkpoints.Writing,
        pieces: Iterable[bytes],
        beginning: Callable[[], bytes],
        rest: Callable[[], bool],
    ) -> bool:
        """Write a checkpoint: the bytes of `pieces`, and before them the `beginning`, asked for at the end.

        `rest` is called before each piece, and says whether to go on. Returns whether it is whole now; what is
        there of one that is not is removed with the next.
        """
        while rest() and self._committer.submit(writing.clear).result():
            pass
        step = writing.begin
        for piece in checkpoints.in_pieces(pieces):
            if not rest() or not self._committer.submit(partial(step, piece=piece)).result():
                return False
            step = writing.add
        if not self._committer.submit(partial(writing.finish, beginning=beginning())).result():
            return False
        while rest() and self._committer.submit(writing.tidy).result():
            pass
        return True

    def changes_after(
        self, revision: Revision, *, limit: int = 1000, shown: Head | None = None
    ) -> tuple[ChangeBatch, ...]:
        """Return the first `limit` batches after `revision` of all stores, in order. Batches are whole.

        The batch at `revision` is not included. What the log holds is returned as it is: whoever applies it
        must see to it that no revision is missing. Raises Compacted if the log does not go back so far, and
        RevisionUnreadable if the next batch is not understood. Those up to a head that the primary has `shown`
        may come from a standby; RevisionUnknown if the database has begun another life since.
        """
        found = None
        if shown is not None and revision < shown.revision:
            found = self._standbys.read(
                shown, lambda connection, _: _log_up_to(connection, revision, limit, shown)
            )
        return found or self._changes_after(revision, limit, shown.incarnation if shown else None)

    def _changes_after(
        self, revision: Revision, limit: int, incarnation: str | None
    ) -> tuple[ChangeBatch, ...]:
        try:
            # Mostly there are writes, and a transaction would take longer than the statement in it.
            with self._database.asking() as engine:
                batches = reading.ask_log(engine, revision, limit, incarnation)
            return batches or self._read_changes_after(revision, limit, incarnation)
        except reading.RevisionUnreadable as error:
            if not error.before:
                raise
            return error.before

    def _read_changes_after(
        self, revision: Revision, limit: int, incarnation: str | None
    ) -> tuple[ChangeBatch, ...]:
        with self._database.reading() as connection:
            head = read_head(connection)
            if incarnation not in (None, head.incarnation):
                raise RevisionUnknown("the database was restored, its revisions are others now")
            if revision < head.revision:
                reading.check_kept(head, revision)
            return reading.read_log(connection, revision, limit)

    def log(self, store: str, revision: Revision, *, limit: int = 1000) -> LogPage:
        """Return what happened to `store` after `revision`, at most `limit` batches.

        Every revision up to the head is reached by asking on, also one that did nothing to this store. Raises
        StoreNotFound, Compacted and RevisionUnknown.
        """
        with self._database.reading() as connection:
            head = read_head(connection)
            reading.check_kept(head, revision)
            number = store_number(connection, store)
            batches = reading.read_log(connection, revision, limit, number)
        return LogPage(batches, batches[-1].revision if len(batches) == limit else head.revision)

    def follow(self, token: ConsistencyToken, *, limit: int = 1000) -> LogPage:
        """Return what happened to the store of `token` after it, at most `limit` batches.

        The end of the store is told, too; behind it there is nothing but StoreNotFound. Raises Compacted and
        RevisionUnknown.
        """
        with self._database.reading() as connection:
            head = read_head(connection)
            revision = token.checked(head.incarnation, token.store, head.revision)
            reading.check_kept(head, revision)
            batches = reading.read_log(connection, revision, limit, token.store)
            if not batches:
                tenants.require_store(connection, token.store)
        return LogPage(batches, batches[-1].revision if len(batches) == limit else head.revision)

    # Upkeep.

    def remove_expired(self) -> int:
        """Remove facts that have expired, in batches, and return how many. No decision changes."""
        removed = 0
        with self._database.reading() as connection:
            if not upkeep.has_expired(connection, self._now(read_head(connection))):
                return 0
        while True:
            batch = self._committer.submit(
                lambda pack: upkeep.remove_expired(pack, _BATCH)
            ).result()
            removed += batch
            if batch < _BATCH:
                return removed

    def compact(self, kept: timedelta = HISTORY_KEPT) -> Revision:
        """Forget history that is older than `kept`, in batches; return from which revision on it is kept."""
        before = Instant(instant_of(self._clock()) - kept // timedelta(microseconds=1))
        reached = self._committer.submit(
            lambda pack: upkeep.begin_compaction(pack, before)
        ).result()
        while self._committer.submit(lambda pack: upkeep.compact(pack, _BATCH)).result() >= _BATCH:
            pass
        return reached

    def _begin(self, connection: Connection) -> Pack:
        return Pack(connection, instant_of(self._clock()))

    def _now(self, head: Head) -> Instant:
        return Instant(max(instant_of(self._clock()), head.committed_at))


def _log_up_to(
    connection: Connection, revision: Revision, limit: int, shown: Head
) -> tuple[ChangeBatch, ...]:
    """Return what `changes_after` does, of a standby; nothing of what it has beyond what was shown."""
    if revision < read_head(connection).compacted_to:
        return ()
    batches = reading.read_log(connection, revision, min(limit, shown.revision - revision))
    return tuple(batch for batch in batches if batch.revision <= shown.revision)


class Export(Iterable[StoredFact]):
    """The facts of one revision that count at one instant, one after the other."""

    def __init__(
        self, token: ConsistencyToken, instant: Instant, facts: Iterator[StoredFact]
    ) -> None:
        self.token = token
        self.revision = token.revision
        self.instant = instant
        self._facts = facts

    def __next__(self) -> StoredFact:
        return next(self._facts)

    def __iter__(self) -> Iterator[StoredFact]:
        # Without a call of `__next__` for each.
        return self._facts
