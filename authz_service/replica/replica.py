"""Replica: every store's facts and active policy in memory, at a known revision.

Rule 1: batches are applied whole, in order, each exactly once; a gap or a repetition is a fault that
    stops the replica, never a guess.
    Those of facts that wait are applied together: the delta is copied once for all of them.
Rule 2: readers never wait. What they see moves by one assignment from one revision to the next.
Rule 3: `load` and `catch_up` run one at a time, outside of the event loop. Only they change anything.
Rule 4: a copy is as fresh as the last look at the head after which all that it showed was applied; what counts
    is when that look began.
Rule 5: facts are seen by readers with the indexes that their policy demands. When enough was written, one
    thread beside merges it into a new base; the next `catch_up` takes that over, and nobody waits for it.
The policy language is not known here: `load_policy` makes of a policy's files whatever readers need, and
`demand_of` says which indexes that is going to read.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path
from threading import Event
from typing import Any, Generic, TypeVar

import structlog

from authz_service.errors import (
    AuthzError,
    Compacted,
    RevisionUnknown,
    StoreNotFound,
    StoreUnavailable,
)
from authz_service.facts.access import Demand
from authz_service.facts.change import ChangeBatch, StoreEvent, in_runs, joined
from authz_service.facts.expiry import Expiries
from authz_service.facts.instant import START, Instant, datetime_of, instant_of
from authz_service.facts.policy_text import PolicyFile, PolicyVersion
from authz_service.facts.revision import EMPTY, ConsistencyToken, Revision
from authz_service.facts.snapshot import FactSnapshot
from authz_service.facts.tables import Tables
from authz_service.facts.work import Work, done, done_unless_stopped
from authz_service.replica import snapshot_file
from authz_service.replica.pulse import GivenUp, Pulse
from authz_service.replica.saved import (
    FORM,
    Encoded,
    Saved,
    SavedStore,
    SnapshotRefused,
    decoded,
)
from authz_service.replica.trimming import trim
from authz_service.replica.uptime import uptime
from authz_service.store.checkpoints import Checkpoint, Writing
from authz_service.store.fact_store import FactStore, utc_now
from authz_service.store.head import Head
from authz_service.store.reading import RevisionUnreadable

P = TypeVar("P")

_PAUSE_SECONDS = 0.0005
"""So long whatever is made beside writes rests after each part, which takes as long."""

_MERGE_PAUSE_SECONDS = 0.01
"""So long a merge rests after each part of about a millisecond. Where all processors are busy, a thread that is
interrupted while it holds the lock holds up questions for many ms; with these rests that is seldom. What waits
to be merged takes several times the memory, so they are shorter the more there is of it."""

_TIMES_ADDED = 3
"""So often what was written during a merge is added to it; each time it is less, unless that never ends."""

_RUN_FACTS = 1000
"""So many facts of several revisions are applied together; it takes some 20 ms."""

_log = structlog.get_logger("authz.replica")


class ReplicaFault(Exception):
    """The log is not what it must be; this copy must not be moved on, nor trusted to be new."""


@dataclass(frozen=True, slots=True)
class ActivePolicy(Generic[P]):
    """The policy version in force, and what `load_policy` made of it."""

    version: PolicyVersion
    loaded: P


@dataclass(frozen=True, slots=True)
class StoreState(Generic[P]):
    """One store at one revision: the last one that belonged to it.

    `facts` are all that are stored; `facts_at` leaves out what has expired. `number` and `incarnation` are what
    tokens know the store and the database by.
    """

    store: str
    revision: Revision
    facts: FactSnapshot
    policy: ActivePolicy[P] | None
    expiries: Expiries
    number: int
    incarnation: str

    @property
    def token(self) -> ConsistencyToken:
        return ConsistencyToken(self.incarnation, self.number, self.revision)

    def facts_at(self, instant: Instant) -> FactSnapshot:
        """Return the facts that count at `instant`. What has expired is looked at once, see `Expiries`."""
        return self.expiries.remaining(self.facts, instant)


@dataclass(frozen=True, slots=True)
class Applied(Generic[P]):
    """All stores at one revision of one life of the database. Nothing in it changes after it was made.

    Everything that was committed by the time `fresh_as_of` is in it; time is told by `uptime`.
    """

    incarnation: str
    revision: Revision
    states: Mapping[str, StoreState[P]]
    fresh_as_of: float

    def state(self, store: str) -> StoreState[P]:
        """Return the state of `store`. Raises StoreNotFound."""
        state = self.states.get(store)
        if state is None:
            message = f"there is no store `{store}`"
            raise StoreNotFound(message, field="store")
        return state


NEVER_FRESH = float("-inf")
"""What a copy is as fresh as of which nobody knows how old it is."""

_NOTHING: Applied[Any] = Applied("", EMPTY, {}, NEVER_FRESH)


@dataclass(frozen=True, slots=True)
class _Merge(Generic[P]):
    """The merge under way of a store: what comes of its facts, and the state that these are the facts of."""

    store: str
    merged: Future[tuple[FactSnapshot, StoreState[P]]]


class Replica(Generic[P]):
    """The stores in memory. Empty until `load`."""

    def __init__(
        self,
        store: FactStore,
        load_policy: Callable[[Sequence[PolicyFile]], P],
        demand_of: Callable[[P], Demand | None] = lambda _: None,
        clock: Callable[[], float] = uptime,
        wall_clock: Callable[[], datetime] = utc_now,
    ) -> None:
        self.pulse = Pulse()
        """The signs of life of whoever calls `load` or `catch_up`."""
        self.stopped_at: Revision | None = None
        """The revision that could not be applied when that was last tried, though the log has it."""
        self._store = store
        self._load_policy = load_policy
        self._demand_of = demand_of
        self._clock = clock
        self._wall_clock = wall_clock
        self._merging = ThreadPoolExecutor(1, "merge")
        self._is_closing = Event()
        self._merge: _Merge[P] | None = None
        # A checkpoint that somebody was writing at the last look, or has left.
        self._unfinished: Checkpoint | None = None
        # INVARIANT: whole. Readers take this reference once; it moves by assignment only.
        self._applied: Applied[P] = _NOTHING

    @property
    def applied(self) -> Applied[P]:
        """All that is applied. What is to fit together is read from one of these."""
        return self._applied

    @property
    def incarnation(self) -> str:
        """The life of the database that this is a copy of."""
        return self._applied.incarnation

    @property
    def revision(self) -> Revision:
        """The newest applied revision of the database."""
        return self._applied.revision

    @property
    def fresh_as_of(self) -> Instant:
        """By the wall clock, when there was nothing newer than what is applied now."""
        return self._instant(self._applied.fresh_as_of)

    def state(self, store: str) -> StoreState[P]:
        """Return the newest state of `store`. Raises StoreNotFound."""
        return self._applied.state(store)

    def states(self) -> Sequence[StoreState[P]]:
        return tuple(self._applied.states.values())

    def load(self) -> None:
        """Take over everything that is stored, whatever was here before.

        Readers see what was here until all of it is there. What `load_policy` raises passes through.
        """
        with self.pulse.loading():
            self._load()
        trim()

    def _load(self) -> None:
        # What comes of a merge is not wanted any more, and there is room for two copies but not for three.
        self._drop_merge()
        began = self._clock()
        head, stored = self.pulse.outside_in_parts(self._store.load)
        states = [
            SavedStore(one.name, one.number, one.revision, one.policy, one.expiries, one.facts)
            for one in stored
        ]
        self._take(head.incarnation, head.revision, states, began)

    def load_file(self, path: Path) -> bool:
        """Take over a snapshot file and what was written since; return whether it could be used.

        With the database out of reach it is taken as it is, with the age that it has by now; also if the log
        goes on with something that is not understood. What `load_policy` raises passes through then; else the
        file is refused for it, as the database may have another policy by now.
        """
        try:
            saved = snapshot_file.read(path)
        except FileNotFoundError:
            return False
        except (SnapshotRefused, OSError) as refused:
            _log.warning("snapshot file refused", path=str(path), cause=str(refused))
            return False
        try:
            self._go_on_from(saved)
        except StoreUnavailable as error:
            if self._applied.incarnation != saved.incarnation:
                self._take_saved(saved)
            _log.warning("starting from the snapshot file alone", cause=error.message)
        except RevisionUnreadable as error:
            _log.error(
                "starting from before the revision", revision=error.revision, cause=str(error)
            )
        except (SnapshotRefused, ReplicaFault, AuthzError) as refused:
            _log.warning("snapshot file refused", path=str(path), cause=str(refused))
            self._applied = _NOTHING
            return False
        return True

    def load_checkpoint(self) -> bool:
        """Take over the newest checkpoint and what was written since; return whether that could be done.

        Only while nothing is loaded. Whatever is wrong with it, `load` tells whether the facts have it too.
        """
        try:
            content = self._store.checkpoint(FORM)
            if content is None:
                return False
            saved = decoded(memoryview(content))
            self._go_on_from(saved)
        except (SnapshotRefused, ReplicaFault, RevisionUnreadable, AuthzError) as refused:
            _log.warning("checkpoint refused", cause=str(refused))
            self._applied = _NOTHING
            return False
        # With a defect that only this way meets, no process would ever start again.
        except Exception as error:  # noqa: BLE001
            _log.error("checkpoint refused", exc_info=error)
            self._applied = _NOTHING
            return False
        _log.info("started from a checkpoint", revision=saved.revision)
        return True

    def _go_on_from(self, saved: Saved) -> None:
        self._check(saved, self._store.head())
        self._take_saved(saved)
        trim()
        self.catch_up()

    def due_checkpoint(self) -> Callable[[Callable[[], bool]], bool] | None:
        """Return what writes another checkpoint and says whether it did, or None if there should not be one.

        Call it beside all else with a `rest`, which is called after each part of about a millisecond and says
        whether to go on. Both raise StoreUnavailable.
        """
        applied, left = self._applied, self._unfinished
        facts = sum(len(state.facts) for state in applied.states.values())
        look = self._store.look_at_checkpoints(FORM, facts, applied.revision, left)
        self._unfinished = look.unfinished
        return partial(self._save_checkpoint, applied, left) if look.is_wanted else None

    def _save_checkpoint(
        self, applied: Applied[P], left: Checkpoint | None, rest: Callable[[], bool]
    ) -> bool:
        saved = done_unless_stopped(self._saving(applied), rest)
        if saved is None:
            return False
        encoded = Encoded(saved, rest)
        writing = Writing(FORM, saved.incarnation, saved.revision, left)
        is_whole = self._store.write_checkpoint(writing, encoded, lambda: encoded.head, rest)
        if is_whole:
            _log.info("checkpoint written", revision=saved.revision)
        return is_whole

    def save_file(self, path: Path, rest: Callable[[], object] = lambda: None) -> None:
        """Write the snapshot file. Runs beside all else, with a `rest` after each part of about a millisecond.

        Raises OSError, and then the file before is there.
        """
        saved = done(self._saving(self._applied), rest)
        snapshot_file.write(path, saved, rest)

    def _saving(self, applied: Applied[P]) -> Work[Saved]:
        stores = []
        for state in applied.states.values():
            facts = yield from self._gathering(state)
            policy = state.policy.version if state.policy else None
            expiries = state.expiries.all()
            stores.append(
                SavedStore(state.store, state.number, state.revision, policy, expiries, facts)
            )
        fresh_as_of = self._instant(applied.fresh_as_of)
        return Saved(applied.incarnation, applied.revision, fresh_as_of, stores)

    def _gathering(self, state: StoreState[P]) -> Work[Tables]:
        """Return the facts in the order in which their indexes are built in the shortest time."""
        demand = self._demand_of(state.policy.loaded) if state.policy else None
        return state.facts.gathering(demand.gathering() if demand else {})

    def _check(self, saved: Saved, head: Head) -> None:
        """Raise SnapshotRefused unless the log leads from `saved` to the head."""
        if saved.incarnation != head.incarnation:
            raise SnapshotRefused("it is of another database, or of another life of this one")
        if saved.revision > head.revision:
            message = f"its revision {saved.revision} is beyond the database's {head.revision}"
            raise SnapshotRefused(message)
        if saved.revision < head.compacted_to:
            message = f"the log after its revision {saved.revision} is no longer kept"
            raise SnapshotRefused(message)

    def _take_saved(self, saved: Saved) -> None:
        age = (self._wall_clock() - datetime_of(saved.fresh_as_of)).total_seconds()
        # By a clock that was set back nobody can tell how old the facts are.
        fresh_as_of = self._clock() - age if age >= 0 else NEVER_FRESH
        self._take(saved.incarnation, saved.revision, saved.stores, fresh_as_of)

    def _take(
        self,
        incarnation: str,
        revision: Revision,
        stores: Iterable[SavedStore],
        fresh_as_of: float,
    ) -> None:
        states = {}
        for store in stores:
            policy = self._active(store.policy)
            states[store.name] = StoreState(
                store.name,
                store.revision,
                self._prepared(FactSnapshot.of(store.facts), policy),
                policy,
                Expiries(store.expiries),
                store.number,
                incarnation,
            )
        # INVARIANT: what is merged became, by writes alone, what is applied.
        self._drop_merge()
        self._applied = Applied(incarnation, revision, states, fresh_as_of)
        self.stopped_at = None
        # No question needs it, but the first write of each store would wait for what finds facts.
        for state in states.values():
            self._do_beside(state.facts.finding())
        for state in states.values():
            self._walk_ahead(state.facts, state.policy)

    def _walk_ahead(self, facts: FactSnapshot, policy: ActivePolicy[P] | None) -> None:
        demand = self._demand_of(policy.loaded) if policy else None
        if demand is not None:
            self._do_beside(facts.walking(demand))

    def _do_beside(self, work: Iterator[None]) -> None:
        """Do what nobody waits for, and whose failure nobody would hear of."""
        self._merging.submit(self._beside, work).add_done_callback(_tell)

    def _beside(self, work: Iterator[None]) -> None:
        for _ in work:
            # Who needs the interpreter's lock, as each call to the database does, gets it without waiting.
            if self._is_closing.wait(_PAUSE_SECONDS):
                return

    def catch_up(self) -> None:
        """Apply every batch up to the head of the database, as it is now or later.

        Raises ReplicaFault, StoreUnavailable and RevisionUnreadable, and passes on what `load_policy` raises.
        In each case this copy stays at the last revision that it has fully applied.
        """
        began = self._clock()
        now = self.pulse.outside(self._store.head)
        head = now.revision
        if now.incarnation != self._applied.incarnation:
            raise ReplicaFault("the database was restored, its revisions are others now")
        if self._applied.revision > head:
            raise ReplicaFault(f"revision {self._applied.revision} is gone, the head is {head}")
        try:
            self._apply_up_to(now)
        except (ReplicaFault, StoreUnavailable, GivenUp):
            raise
        except Exception:
            self.stopped_at = Revision(self._applied.revision + 1)
            raise
        self.stopped_at = None
        self._applied = replace(self._applied, fresh_as_of=began)
        self._finish_merge()
        self._begin_merge()

    def _apply_up_to(self, head: Head) -> None:
        while self._applied.revision < head.revision:
            for run in in_runs(self._following(head), _RUN_FACTS):
                self._check_next(run[0].revision)
                self._apply(run)
                self.pulse.beat()

    def _check_next(self, revision: Revision) -> None:
        applied = self._applied.revision
        if revision != applied + 1:
            raise ReplicaFault(f"revision {revision} in the log follows {applied}")

    def _apply(self, run: Sequence[ChangeBatch]) -> None:
        try:
            self._applied = self._after(self._applied, joined(run))
        except (ValueError, LookupError, TypeError):
            if len(run) == 1:
                raise
            # One of them is not understood, and those before it are applied.
            for batch in run:
                self._applied = self._after(self._applied, batch)

    def preparing(self, store: str, loaded: P) -> Iterator[None]:
        """Build the indexes that a policy demands, and yield between parts of about a millisecond.

        If it becomes the policy of `store` soon after, `catch_up` finds them there. Can run beside `catch_up`.
        Raises StoreNotFound.
        """
        return self.state(store).facts.preparing(self._demand_of(loaded))

    def close(self) -> None:
        """Wait for a merge that is under way. Call when nobody calls `catch_up` any more."""
        self._is_closing.set()
        self._merging.shutdown(cancel_futures=True)

    def _following(self, head: Head) -> Sequence[ChangeBatch]:
        revision = self._applied.revision
        try:
            batches = self.pulse.outside(
                lambda: self._store.changes_after(revision, shown=head),
            )
        except Compacted as error:
            raise ReplicaFault(f"the log after revision {revision} is no longer kept") from error
        except RevisionUnknown as error:
            # What it goes on with was not written behind what is here.
            raise ReplicaFault(error.message) from error
        if not batches:
            raise ReplicaFault(f"the log ends at {revision}, the head is {head.revision}")
        return batches

    def _after(self, applied: Applied[P], batch: ChangeBatch) -> Applied[P]:
        states = dict(applied.states)
        if batch.event is StoreEvent.CREATED:
            states[batch.store] = self._created(applied, batch)
        elif batch.store not in states:
            raise ReplicaFault(f"revision {batch.revision} is of the unknown store `{batch.store}`")
        elif batch.event is StoreEvent.DELETED:
            del states[batch.store]
        else:
            states[batch.store] = self._changed(states[batch.store], batch)
        return replace(applied, revision=batch.revision, states=states)

    def _created(self, applied: Applied[P], batch: ChangeBatch) -> StoreState[P]:
        return StoreState(
            batch.store,
            batch.revision,
            FactSnapshot(),
            None,
            Expiries(),
            batch.store_number,
            applied.incarnation,
        )

    def _changed(self, state: StoreState[P], batch: ChangeBatch) -> StoreState[P]:
        facts = state.facts.after(batch)
        policy = state.policy
        if batch.policy:
            policy = self._active(batch.policy)
            facts = self._prepared(facts, policy)
            self._walk_ahead(facts, policy)
        return replace(
            state,
            revision=batch.revision,
            facts=facts,
            policy=policy,
            expiries=state.expiries.after(batch),
        )

    def _begin_merge(self) -> None:
        if self._merge is None:
            for state in self._applied.states.values():
                if state.facts.merge_due > 1:
                    self._merge = _Merge(state.store, self._merging.submit(self._merged, state))
                    return

    def _merged(self, origin: StoreState[P]) -> tuple[FactSnapshot, StoreState[P]]:
        """Merge, and rest after each part: questions would wait for the lock at each of their small steps.

        What was written meanwhile, by an import perhaps, is added here as well: `_finish_merge` holds up
        following, and has little left to do.
        """
        merged = done(origin.facts.merging(), lambda: self._rest_from_merging(origin))
        for _ in range(_TIMES_ADDED):
            newest = self._grown(origin)
            if newest is None or newest.revision == origin.revision:
                break
            work = newest.facts.rebasing(merged, origin.facts)
            merged = done(work, lambda: self._is_closing.wait(_PAUSE_SECONDS))
            origin = newest
        return merged, origin

    def _rest_from_merging(self, origin: StoreState[P]) -> None:
        newest = self._grown(origin) or origin
        came_since = newest.facts.merge_due - 1
        self._is_closing.wait(max(_PAUSE_SECONDS, _MERGE_PAUSE_SECONDS / max(1, came_since)))

    def _grown(self, origin: StoreState[P]) -> StoreState[P] | None:
        """Return what has become of a store, by writes of facts alone; None if it was by anything else."""
        state = self._applied.states.get(origin.store)
        # For another policy the merged facts have the wrong indexes; another store has other facts.
        if state is None or state.number != origin.number or state.policy is not origin.policy:
            return None
        return state

    def _drop_merge(self) -> None:
        """Forget the merge under way, once nothing works at it any more."""
        merge, self._merge = self._merge, None
        if merge is not None and not merge.merged.cancel():
            wait([merge.merged])

    def _finish_merge(self) -> None:
        merge = self._merge
        if merge is None or not merge.merged.done():
            return
        self._merge = None
        merged, origin = merge.merged.result()
        state = self._grown(origin)
        if state is not None:
            facts = done(state.facts.rebasing(merged, origin.facts), self.pulse.beat)
            states = {**self._applied.states, state.store: replace(state, facts=facts)}
            self._applied = replace(self._applied, states=states)

    def _instant(self, fresh_as_of: float) -> Instant:
        if fresh_as_of == NEVER_FRESH:
            return START
        age = timedelta(seconds=self._clock() - fresh_as_of)
        return instant_of(self._wall_clock() - age)

    def _prepared(self, facts: FactSnapshot, policy: ActivePolicy[P] | None) -> FactSnapshot:
        demand = self._demand_of(policy.loaded) if policy else None
        for _ in facts.preparing(demand):
            self.pulse.beat()
        return facts.prepared(demand)

    def _active(self, version: PolicyVersion | None) -> ActivePolicy[P] | None:
        return ActivePolicy(version, self._load_policy(version.files)) if version else None


def _tell(done: Future[None]) -> None:
    if not done.cancelled() and (error := done.exception()) is not None:
        _log.error("not made ahead of questions", reason="INTERNAL", exc_info=error)
