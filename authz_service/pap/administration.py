"""PolicyAdministrationPoint: facts and policies on their way into the store.

Rule 1: one write at a time. What a write is checked against (the active policy) cannot change before
    it is committed.
Rule 2: a write that has begun is carried through to the replica, though its caller may have gone.
Rule 3: the caller hears of success only when the write is durable and every later question sees it.
"""

import asyncio
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime
from threading import Event
from typing import TypeVar

from authz_service.engine.engines import LoadedPolicy
from authz_service.errors import DeadlinePassed, InvalidRequest, NoPolicy
from authz_service.facts.change import Operation, Write, WriteOutcome
from authz_service.facts.policy_text import PolicyFile, PolicyVersion
from authz_service.facts.revision import Revision
from authz_service.polar.diagnostic import Diagnostic, PolicyTestsFailed
from authz_service.polar.policy import Policy
from authz_service.replica.replica import Replica
from authz_service.store.fact_store import FactStore

T = TypeVar("T")

_PAUSE_SECONDS = 0.002

GivenUp = Callable[[], bool]
"""Says whether nobody waits for what is being done any longer."""


@dataclass(frozen=True, slots=True)
class FactsWritten:
    """What became of the writes, the revision that holds them, and the policy they were checked by."""

    outcomes: tuple[WriteOutcome, ...]
    revision: Revision
    policy_version: int


@dataclass(frozen=True, slots=True)
class PolicyPublished:
    """The version that is now active, the revision that holds it, and what was found about it."""

    version: PolicyVersion
    revision: Revision
    warnings: tuple[Diagnostic, ...]
    tests: int


class PolicyAdministrationPoint:
    """Checks and commits writes, and brings them into the replica.

    `load_policy` and `failed_tests` may take long, and raise DeadlinePassed when their caller has given up.
    """

    def __init__(
        self,
        store: FactStore,
        replica: Replica[LoadedPolicy],
        load_policy: Callable[[Sequence[PolicyFile], GivenUp], LoadedPolicy],
        failed_tests: Callable[[Sequence[PolicyFile], GivenUp], Sequence[Diagnostic]],
    ) -> None:
        self._store = store
        self._replica = replica
        self._load_policy = load_policy
        self._failed_tests = failed_tests
        self._turn = asyncio.Lock()
        # It can take long until a policy is ready; that never holds up the threads that write.
        self._preparing = ThreadPoolExecutor(max_workers=1, thread_name_prefix="policies")
        self._closing = Event()
        self._running: set[asyncio.Task[object]] = set()

    async def write_facts(self, store: str, writes: Sequence[Write]) -> FactsWritten:
        """Apply `writes` in order, all or none.

        Raises StoreNotFound, NoPolicy, UnusableFact or UnknownType for the first fact that the active
        policy cannot use (deleting such a fact is fine), and StoreUnavailable.
        """
        return await self._in_turn(lambda: self._write_facts(store, writes))

    async def publish(
        self, store: str, files: Sequence[PolicyFile], *, skip_tests: bool
    ) -> PolicyPublished:
        """Check `files`, run the tests in them unless told otherwise, and make them the active policy.

        Raises PolicyInvalid, PolicyTestsFailed, EngineUnsupported, PreparationFailed, StoreNotFound and
        StoreUnavailable; the policy before then stays active.
        """
        # Before it is this policy's turn: other writes need not wait until it is ready.
        gone = Event()

        def given_up() -> bool:
            return gone.is_set() or self._closing.is_set()

        def work() -> Policy:
            loaded = self._tested(files, given_up, skip_tests=skip_tests)
            self._index(store, loaded, given_up)
            return loaded.policy

        try:
            policy = await asyncio.get_running_loop().run_in_executor(self._preparing, work)
        except asyncio.CancelledError:
            gone.set()
            raise
        return await self._in_turn(lambda: self._publish(store, files, policy))

    async def policy(self, store: str, version: int | None) -> PolicyVersion:
        """Return a policy version, the active one for None. Raises PolicyNotFound, NoPolicy."""
        return await self._in_turn(lambda: self._store.policy(store, version))

    async def close(self) -> None:
        """Wait for the writes that have begun; policies that are not ready yet are given up."""
        self._closing.set()
        await asyncio.to_thread(self._preparing.shutdown, cancel_futures=True)
        if self._running:
            await asyncio.wait(self._running)

    async def _in_turn(self, work: Callable[[], T]) -> T:
        async def turn() -> T:
            async with self._turn:
                return await asyncio.to_thread(work)

        task = asyncio.create_task(turn())
        self._running.add(task)
        task.add_done_callback(self._running.discard)
        return await asyncio.shield(task)

    def _write_facts(self, store: str, writes: Sequence[Write]) -> FactsWritten:
        # A commit whose outcome was unknown shows here; this write must be checked after it.
        self._replica.catch_up()
        active = self._replica.state(store).policy
        if active is None:
            message = (
                f"the store `{store}` has no policy yet, so facts cannot be checked; publish one"
            )
            raise NoPolicy(message)
        for index, write in enumerate(writes):
            try:
                self._check(write, active.loaded)
            except InvalidRequest as error:
                raise error.inside(f"writes[{index}].{write.operation.value}") from None
        revision, outcomes = self._store.write(store, writes)
        self._replica.catch_up()
        return FactsWritten(outcomes, revision, active.version.version)

    def _check(self, write: Write, loaded: LoadedPolicy) -> None:
        if write.operation is Operation.INSERT:
            loaded.policy.check_fact(write.fact)

    def _tested(
        self, files: Sequence[PolicyFile], given_up: GivenUp, *, skip_tests: bool
    ) -> LoadedPolicy:
        loaded = self._load_policy(files, given_up)
        if loaded.policy.tests and not skip_tests:
            failures = self._failed_tests(files, given_up)
            if failures:
                raise PolicyTestsFailed(failures)
        return loaded

    def _index(self, store: str, loaded: LoadedPolicy, given_up: GivenUp) -> None:
        """Build the indexes that the policy demands, and give way to questions between small parts."""
        for _ in self._replica.preparing(store, loaded):
            time.sleep(_PAUSE_SECONDS)
            if given_up():
                raise DeadlinePassed("nobody waits for this policy any longer")

    def _publish(self, store: str, files: Sequence[PolicyFile], policy: Policy) -> PolicyPublished:
        self._replica.catch_up()
        revision, version = self._store.publish(store, tuple(files), datetime.now(UTC))
        self._replica.catch_up()
        return PolicyPublished(version, revision, policy.warnings, len(policy.tests))
