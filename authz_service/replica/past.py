"""PastStates: stores as they were, made of the copy of now by taking back what was written since.

Rule 1: a state of the past has the facts, expiries and policy that the history has for its revision, all of it.
Rule 2: states are made one at a time, in a thread that nobody else needs. Who asks for the same one shares it,
    and a state that is being made goes on when its callers give up.
Rule 3: few are kept, and not for long: each of them can keep alive a whole base of facts.
"""

import asyncio
import time
from collections import OrderedDict
from collections.abc import Callable, Hashable, Sequence
from functools import partial
from typing import Generic, NamedTuple, TypeVar

from authz_service.errors import StoreUnavailable
from authz_service.facts.access import Demand
from authz_service.facts.change import ChangeBatch
from authz_service.facts.expiry import Expiries
from authz_service.facts.instant import Instant
from authz_service.facts.policy_text import PolicyFile, PolicyVersion
from authz_service.facts.revision import ConsistencyToken, Revision
from authz_service.facts.snapshot import FactSnapshot
from authz_service.replica.replica import ActivePolicy, P, StoreState
from authz_service.replica.runner import Runner
from authz_service.store.fact_store import FactStore
from authz_service.store.past import PastState

T = TypeVar("T")

_KEPT = 4
_KEPT_SECONDS = 60.0

_MOST_WRITTEN = 50_000
"""When more facts were written since, reading all that were there is no slower than taking them back."""

_MOST_WAITING = 16
_LONGEST = 120.0


class Past(NamedTuple, Generic[P]):
    """A state of the past, and when its revision was committed."""

    state: StoreState[P]
    committed_at: Instant


class PastStates(Generic[P]):
    """Makes and keeps states of the past. All methods belong to one event loop."""

    def __init__(
        self,
        store: FactStore,
        load_policy: Callable[[Sequence[PolicyFile]], P],
        demand_of: Callable[[P], Demand | None] = lambda _: None,
    ) -> None:
        self._store = store
        self._load_policy = load_policy
        self._demand_of = demand_of
        self._runner: Runner | None = None
        self._kept: OrderedDict[ConsistencyToken, tuple[float, Past[P]]] = OrderedDict()
        self._policies: OrderedDict[Hashable, ActivePolicy[P]] = OrderedDict()
        self._making: dict[ConsistencyToken, asyncio.Task[Past[P]]] = {}

    async def at(self, token: ConsistencyToken, state: StoreState[P]) -> Past[P]:
        """Return what the store of `state`, which is applied, was at the revision of `token`, no later one.

        Raises Compacted, RevisionUnknown, StoreNotFound, StoreUnavailable, and what `load_policy` raises.
        """
        kept = self._kept.get(token)
        if kept is not None:
            self._keep(token, kept[1])
            return kept[1]
        making = self._making.get(token)
        if making is None:
            if len(self._making) >= _MOST_WAITING:
                message = "too many states of the past are asked for at the same time; try again"
                raise StoreUnavailable(message)
            making = asyncio.create_task(self._make(token, state))
            self._making[token] = making
            making.add_done_callback(partial(self._made, token))
        return await asyncio.shield(making)

    async def position_at(self, instant: Instant) -> tuple[str, Revision]:
        """Return the life of the database, and its last revision that was committed at `instant` or before.

        Raises Compacted.
        """
        return await self._run(partial(self._store.position_at, instant))

    def forget_idle(self) -> None:
        """Let go of what nobody has asked for lately."""
        oldest = time.monotonic() - _KEPT_SECONDS
        for token in [token for token, (asked, _) in self._kept.items() if asked < oldest]:
            del self._kept[token]
        if not self._kept:
            self._policies.clear()

    def close(self) -> None:
        """Let the thread end."""
        if self._runner is not None:
            self._runner.leave()

    def _keep(self, token: ConsistencyToken, past: Past[P]) -> None:
        self._kept[token] = time.monotonic(), past
        self._kept.move_to_end(token)
        while len(self._kept) > _KEPT:
            self._kept.popitem(last=False)

    def _made(self, token: ConsistencyToken, making: "asyncio.Task[Past[P]]") -> None:
        del self._making[token]
        # Asked for the exception, it is one that somebody has heard of.
        if not making.cancelled() and making.exception() is None:
            self._keep(token, making.result())

    async def _make(self, token: ConsistencyToken, state: StoreState[P]) -> Past[P]:
        return await self._run(partial(self._past, token, state))

    async def _run(self, work: Callable[[], T]) -> T:
        """Return what `work` returns, in the thread; one that hangs in the database is left behind."""
        if self._runner is None:
            self._runner = Runner("past")
        runner = self._runner
        done = asyncio.wrap_future(runner.run(work))
        try:
            async with asyncio.timeout(_LONGEST):
                return await done
        except TimeoutError:
            if runner is self._runner:
                runner.leave()
                self._runner = None
            message = "the history could not be read in time; try again"
            raise StoreUnavailable(message) from None

    def _past(self, token: ConsistencyToken, state: StoreState[P]) -> Past[P]:
        found = self._store.past(token, most=_MOST_WRITTEN)
        if state.revision > found.head:
            # It was restored, or a standby took over. What is to be taken back nobody knows any more.
            message = (
                "the database has lost what this process has applied, which loads anew; try again"
            )
            raise StoreUnavailable(message)
        facts, expiries = _taken_back(state, found)
        policy = self._policy(token, found.policy, state)
        demand = self._demand_of(policy.loaded) if policy else None
        past = StoreState(
            state.store,
            found.revision,
            facts.prepared(demand),
            policy,
            expiries,
            state.number,
            state.incarnation,
        )
        return Past(past, found.committed_at)

    def _policy(
        self, token: ConsistencyToken, version: PolicyVersion | None, state: StoreState[P]
    ) -> ActivePolicy[P] | None:
        if version is None:
            return None
        if state.policy is not None and state.policy.version == version:
            return state.policy
        key = token.incarnation, token.store, version.version
        policy = self._policies.get(key)
        if policy is None:
            policy = ActivePolicy(version, self._load_policy(version.files))
            self._policies[key] = policy
            while len(self._policies) > _KEPT:
                self._policies.popitem(last=False)
        return policy


def _taken_back(state: StoreState[P], found: PastState) -> tuple[FactSnapshot, Expiries]:
    """Return the facts and expiries of then. What was written since is no more, what was taken away is back."""
    expiries = {fact: at for fact, at in found.stored.items() if at is not None}
    if found.touched is None:
        return FactSnapshot(found.stored), Expiries(expiries)
    stored = frozenset(found.stored)
    back = ChangeBatch(
        found.revision,
        state.store,
        inserted=stored,
        deleted=frozenset(found.touched - stored),
        expiries=expiries,
    )
    return state.facts.after(back), state.expiries.after(back)
