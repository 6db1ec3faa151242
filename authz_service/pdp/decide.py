"""PolicyDecisionPoint: which snapshot may answer a question, when, and what the answer is.

Rule 1: a question, or all questions of a batch, see one `Moment`: one snapshot and one time stamp.
Rule 2: every decision comes from a program that returned true or false. An error stays an error.
Rule 3: on the event loop a question gets few steps. If these do not suffice, or if something must be prepared
    first, it is evaluated from the start in a thread, with all the steps that it may take.
"""

import asyncio
import math
import secrets
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import count

from authz_service.engine.engines import LoadedPolicy
from authz_service.engine.program import Budget, Question
from authz_service.errors import EvaluationLimitReached, InvalidRequest, NoPolicy, ReplicaStale
from authz_service.facts.fact import Fact
from authz_service.facts.instant import Instant
from authz_service.facts.revision import ConsistencyToken
from authz_service.facts.snapshot import FactSnapshot
from authz_service.pdp.long_work import LongWork
from authz_service.replica.replica import ActivePolicy, Applied, Replica, StoreState
from authz_service.replica.uptime import uptime
from authz_service.store.tenants import DEFAULT_STORE

_QUICK_STEPS = 2000
"""Mostly less than a millisecond of the event loop, 10 ms at the worst that was found, where each step compares
many values at once. Most questions take a handful of steps."""

_FEW_FACTS = 50
"""More context facts than these are checked, and laid over the others, in a thread."""

_FEW_EXPIRED = 200
"""More facts than these are looked at for expiry in a thread."""


@dataclass(frozen=True, slots=True)
class Moment:
    """What a question is decided against: one state of one store, and the time of evaluation."""

    state: StoreState[LoadedPolicy]
    policy: ActivePolicy[LoadedPolicy]
    evaluated_at: Instant
    age: float | None
    """How many seconds ago it was sure that the state has everything in it; None for a state of the past."""

    @property
    def facts(self) -> FactSnapshot:
        """The facts of the state that count at the time of evaluation."""
        return self.state.facts_at(self.evaluated_at)

    @property
    def second(self) -> int:
        """The time of evaluation as programs take it, in whole seconds since the beginning of 1970."""
        return self.evaluated_at // 1_000_000

    def facts_with(self, context_facts: Sequence[Fact]) -> FactSnapshot:
        """Return `facts` with `context_facts` added. Raises UnusableFact or UnknownType, naming the place."""
        facts = self.facts
        if not context_facts:
            return facts
        policy = self.policy.loaded.policy
        for index, fact in enumerate(context_facts):
            try:
                policy.check_fact(fact)
            except InvalidRequest as error:
                raise error.inside(f"context_facts[{index}]") from None
        return facts.with_facts(context_facts)

    @property
    def has_facts_ready(self) -> bool:
        """Whether `facts` costs little: nothing or not much has expired, or it was asked for before."""
        state = self.state
        return state.expiries.is_quick(state.facts, self.evaluated_at, _FEW_EXPIRED)


@dataclass(frozen=True, slots=True)
class Decision:
    """The answer to a question; `decision_id` is unique among all decisions ever taken."""

    permitted: bool
    decision_id: str


def instant_now() -> Instant:
    return Instant(time.time_ns() // 1000)


class PolicyDecisionPoint:
    """Decides questions from memory. `evaluation_steps` bounds the work for one question."""

    def __init__(
        self,
        replica: Replica[LoadedPolicy],
        *,
        evaluation_steps: int,
        max_staleness: float = math.inf,
        clock: Callable[[], Instant] = instant_now,
        age_clock: Callable[[], float] = uptime,
    ) -> None:
        self._replica = replica
        self.evaluation_steps = evaluation_steps
        self._quick = Budget(min(_QUICK_STEPS, evaluation_steps))
        self._max_staleness = max_staleness
        self._clock = clock
        self._age_clock = age_clock
        self._workers = ThreadPoolExecutor(max_workers=2, thread_name_prefix="evaluate")
        self.long_work = LongWork()
        """Where lists and batches over many resources run, which checks do not wait for."""
        # A nonce for each start of the process and a counter are as unique as a UUID and much cheaper.
        self._nonce = secrets.token_hex(8)
        self._counter = count(1)

    @property
    def age(self) -> float:
        """How many seconds ago it was sure that the replica has everything."""
        return self._age_clock() - self._replica.applied.fresh_as_of

    @property
    def is_fresh(self) -> bool:
        """Whether the replica is fresh enough to answer at all."""
        return self.age <= self._max_staleness

    def moment(self, store: str) -> Moment:
        """Return the newest applied state of `store` with the time of now. Raises what `moment_of` does."""
        return self.moment_of(store, self._replica.applied)

    def moment_of(self, store: str, applied: Applied[LoadedPolicy]) -> Moment:
        """Return the state of `store` in what is applied, with the time of now.

        Raises ReplicaStale if it is too old, StoreNotFound, and NoPolicy if nothing was published yet.
        """
        age = self._age_clock() - applied.fresh_as_of
        if age > self._max_staleness:
            raise _stale(age, self._max_staleness)
        state = applied.state(store)
        return Moment(state, active_policy(state), self._clock(), age)

    def moment_in_the_past(
        self, state: StoreState[LoadedPolicy], instant: Instant, age: float | None = None
    ) -> Moment:
        """Return the moment at which `state`, one of the past, decides as it did then. Raises NoPolicy."""
        if state.policy is None:
            message = f"the store `{state.store}` had no policy at that time; ask about a later one"
            raise NoPolicy(message)
        return Moment(state, state.policy, instant, age)

    def has(self, store: str, token: ConsistencyToken) -> bool:
        """Say whether a token is of `store` and of this life of the database, and not of what that has lost.

        Raises StoreNotFound.
        """
        applied = self._replica.applied
        is_reached = token.revision <= applied.revision
        return is_reached and token[:2] == applied.state(store).token[:2]

    async def decide(
        self, moment: Moment, question: Question, context_facts: Sequence[Fact]
    ) -> Decision:
        """Decide `question` at `moment`, as if `context_facts` were stored as well.

        Raises UnknownType, UnknownAction or UnusableFact if the question cannot be meant so, and
        EvaluationLimitReached.
        """
        permitted = self._quickly(moment, question, context_facts)
        if permitted is None:
            permitted = await asyncio.get_running_loop().run_in_executor(
                self._workers,
                self._permits,
                moment,
                question,
                context_facts,
                Budget(self.evaluation_steps),
            )
        return Decision(permitted, self.decision_id())

    def decision_id(self) -> str:
        """Return an id that no other decision has."""
        return f"{self._nonce}-{next(self._counter)}"

    def _quickly(
        self, moment: Moment, question: Question, context_facts: Sequence[Fact]
    ) -> bool | None:
        """Return the answer if it takes few steps, else None."""
        policy, program = moment.policy.loaded
        policy.check_question(*question)
        if len(context_facts) > _FEW_FACTS or not moment.has_facts_ready:
            return None
        facts = moment.facts
        if not program.is_ready(question, facts):
            return None
        if context_facts:
            facts = moment.facts_with(context_facts)
        try:
            return program.permits(question, facts, moment.second, self._quick)
        except EvaluationLimitReached:
            return None

    def _permits(
        self, moment: Moment, question: Question, context_facts: Sequence[Fact], budget: Budget
    ) -> bool:
        facts = moment.facts_with(context_facts)
        return moment.policy.loaded.program.permits(question, facts, moment.second, budget)

    def close(self) -> None:
        """Let evaluations that run come to their end, and start no new ones."""
        self._workers.shutdown(cancel_futures=True)
        self.long_work.close()


def active_policy(state: StoreState[LoadedPolicy]) -> ActivePolicy[LoadedPolicy]:
    """Return the policy that decides. Raises NoPolicy."""
    if state.policy is None:
        option = "" if state.store == DEFAULT_STORE else f" --store {state.store}"
        cure = f"publish one with `authz policy publish{option}`"
        raise NoPolicy(f"the store `{state.store}` has no policy yet; {cure}")
    return state.policy


def _stale(age: float, most: float) -> ReplicaStale:
    return ReplicaStale(
        f"this process has not heard from the database for {age:.0f} s, and {most:g} s are allowed; "
        "ask another one, or try again"
    )
