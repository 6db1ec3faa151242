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


class Replica(Generic[P]):
    """The stores in memory. Empty until `load`."""

    def __init__(self, store: FactStore, load_policy: Callable[[Sequence[PolicyFile]], P]) -> None:
        self._store = store
        self._load_policy = load_policy
        self._revision = Revision(0)
        self._states: Mapping[str, StoreState[P]] = {}

    @property
    def incarnation(self) -> str:
        """The identity of the database that this is a copy of."""
        return self._store.incarnation

    @property
    def revision(self) -> Revision:
        """The newest applied revision of the database."""
        return self._revision

    def state(self, store: str) -> StoreState[P]:
        """Return the newest state of `store`. Raises StoreNotFound."""
        state = self._states.get(store)
        if state is None:
            message = f"there is no store `{store}`"
            raise StoreNotFound(message, field="store")
        return state

    def states(self) -> Sequence[StoreState[P]]:
        return tuple(self._states.values())

    def load(self) -> None:
        """Take over everything that is stored. What `load_policy` raises passes through."""
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
        self._states, self._revision = states, revision

    def catch_up(self) -> None:
        """Apply all batches after the current revision. Raises ReplicaFault, StoreUnavailable."""
        while batches := self._store.changes_after(self._revision):
            for batch in batches:
                if batch.revision != self._revision + 1:
                    message = f"revision {batch.revision} in the log follows {self._revision}"
                    raise ReplicaFault(message)
                changed = self._after(self._states[batch.store], batch)
                self._states = {**self._states, batch.store: changed}
                self._revision = batch.revision

    def _after(self, state: StoreState[P], batch: ChangeBatch) -> StoreState[P]:
        policy = self._active(batch.policy) if batch.policy else state.policy
        return StoreState(state.store, batch.revision, state.facts.after(batch), policy)

    def _active(self, version: PolicyVersion | None) -> ActivePolicy[P] | None:
        return ActivePolicy(version, self._load_policy(version.files)) if version else None
