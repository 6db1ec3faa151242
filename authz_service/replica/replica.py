"""Replica: every store's facts and active policy in memory, at a known revision.

Rule 1: batches are applied whole, in order, each exactly once; a gap or a repetition is a fault that
    stops the replica, never a guess.
Rule 2: readers never wait. What they see moves by one assignment from one revision to the next.
Rule 3: `load` and `catch_up` run one at a time, outside of the event loop. Only they change anything.
The policy language is not known here: `load_policy` makes of a policy's files whatever readers need.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

from authz_service.errors import StoreNotFound
from authz_service.facts.change import ChangeBatch
from authz_service.facts.policy_text import PolicyFile, PolicyVersion
from authz_service.facts.revision import Revision
from authz_service.facts.snapshot import FactSnapshot
from authz_service.store.fact_store import FactStore

P = TypeVar("P")


class ReplicaFault(Exception):
    """The log is not what it must be; this copy must not be moved on, nor trusted to be new."""


@dataclass(frozen=True, slots=True)
class ActivePolicy(Generic[P]):
    """The policy version in force, and what `load_policy` made of it."""

    version: PolicyVersion
    loaded: P


@dataclass(frozen=True, slots=True)
class StoreState(Generic[P]):
    """One store at one revision: the last one that belonged to it."""

    store: str
    revision: Revision
    facts: FactSnapshot
    policy: ActivePolicy[P] | None


@dataclass(frozen=True, slots=True)
class _Applied(Generic[P]):
    """All stores at one revision of the database. Nothing in it changes after it was made."""

    revision: Revision
    states: Mapping[str, StoreState[P]]


class Replica(Generic[P]):
    """The stores in memory. Empty until `load`."""

    def __init__(self, store: FactStore, load_policy: Callable[[Sequence[PolicyFile]], P]) -> None:
        self._store = store
        self._load_policy = load_policy
        # INVARIANT: whole. Readers take this reference once; it moves by assignment only.
        self._applied: _Applied[P] = _Applied(Revision(0), {})

    @property
    def incarnation(self) -> str:
        """The identity of the database that this is a copy of."""
        return self._store.incarnation

    @property
    def revision(self) -> Revision:
        """The newest applied revision of the database."""
        return self._applied.revision

    def state(self, store: str) -> StoreState[P]:
        """Return the newest state of `store`. Raises StoreNotFound."""
        state = self._applied.states.get(store)
        if state is None:
            message = f"there is no store `{store}`"
            raise StoreNotFound(message, field="store")
        return state

    def states(self) -> Sequence[StoreState[P]]:
        return tuple(self._applied.states.values())

    def load(self) -> None:
        """Take over everything that is stored, whatever was here before.

        Readers see what was here until all of it is there. What `load_policy` raises passes through.
        """
        revision, stored = self._store.load()
        states = {
            state.name: StoreState(
                state.name,
                state.revision,
                FactSnapshot(state.facts),
                self._active(state.policy),
            )
            for state in stored
        }
        self._applied = _Applied(revision, states)

    def catch_up(self) -> None:
        """Apply every batch up to the head of the database, as it is now or later.

        Raises ReplicaFault and StoreUnavailable, and passes on what `load_policy` raises. In each
        case this copy stays at the last revision that it has fully applied.
        """
        head = self._store.head()
        if self._applied.revision > head:
            raise ReplicaFault(f"revision {self._applied.revision} is gone, the head is {head}")
        while self._applied.revision < head:
            batches = self._store.changes_after(self._applied.revision)
            if not batches:
                raise ReplicaFault(f"the log ends at {self._applied.revision}, the head is {head}")
            for batch in batches:
                self._applied = self._after(self._applied, batch)

    def _after(self, applied: _Applied[P], batch: ChangeBatch) -> _Applied[P]:
        state = applied.states.get(batch.store)
        if batch.revision != applied.revision + 1:
            raise ReplicaFault(f"revision {batch.revision} in the log follows {applied.revision}")
        if state is None:
            raise ReplicaFault(f"revision {batch.revision} is of the unknown store `{batch.store}`")
        policy = self._active(batch.policy) if batch.policy else state.policy
        changed = StoreState(state.store, batch.revision, state.facts.after(batch), policy)
        return _Applied(batch.revision, {**applied.states, batch.store: changed})

    def _active(self, version: PolicyVersion | None) -> ActivePolicy[P] | None:
        return ActivePolicy(version, self._load_policy(version.files)) if version else None
