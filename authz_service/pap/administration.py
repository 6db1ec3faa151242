"""PolicyAdministrationPoint: facts and policies on their way into the store.

Rule 1: what is written was checked against the policy that is active at its revision. The store refuses it if
    another policy was published meanwhile, and it is checked again.
Rule 2: a write that has begun is carried through, though its caller may have gone.
Rule 3: the caller hears of success only when the write is durable and every later question sees it.
Rule 4: a policy that cannot use stored facts, which the one before could, is refused unless forced.
"""

import asyncio
import time
from collections.abc import Callable, Coroutine, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from threading import Event
from typing import TypeVar

from authz_service.engine.engines import LoadedPolicy
from authz_service.errors import (
    AuthzError,
    DeadlinePassed,
    InvalidRequest,
    MalformedValue,
    NoPolicy,
    PolicyChanged,
    StoreNotFound,
    StoreUnavailable,
)
from authz_service.facts.change import (
    Delete,
    DeleteMatching,
    Insert,
    Replace,
    Write,
    WriteRequest,
    WriteResult,
)
from authz_service.facts.fact import Fact
from authz_service.facts.instant import instant_of
from authz_service.facts.policy_text import PolicyFile, PolicyVersion
from authz_service.facts.revision import ConsistencyToken
from authz_service.polar.diagnostic import Diagnostic, PolicyTestsFailed
from authz_service.polar.policy import Policy
from authz_service.replica.follower import Follower
from authz_service.replica.replica import ActivePolicy, Replica, StoreState
from authz_service.store.fact_store import FactStore
from authz_service.store.pack import ActiveVersion
from authz_service.store.policies import Orphaned, Published, refuse_orphans
from authz_service.store.writes import Written

T = TypeVar("T")

_PAUSE_SECONDS = 0.002

_FEW_WRITES = 50
"""More than these are checked in a thread, and so are replacements, which can be of many facts, and what is
wrong, as to say so can take 20 ms. To see that a fact can be used takes a microsecond."""

GivenUp = Callable[[], bool]
"""Says whether nobody waits for what is being done any longer."""

_MOST_TRIES = 5
"""So many policies may be published while one write is checked."""


@dataclass(frozen=True, slots=True)
class FactsWritten:
    """What became of the writes, the token that covers them, and the policy they were checked by."""

    results: tuple[WriteResult, ...]
    token: ConsistencyToken
    policy_version: int


@dataclass(frozen=True, slots=True)
class PolicyPublished:
    """The version that is now active, the token that covers it, and what was found about it."""

    version: PolicyVersion
    token: ConsistencyToken
    warnings: tuple[Diagnostic, ...]
    tests: int


class PolicyAdministrationPoint:
    """Checks and commits writes, and waits until the replica has them.

    `load_policy` and `failed_tests` may take long, and raise DeadlinePassed when their caller has given up.
    """

    def __init__(
        self,
        store: FactStore,
        replica: Replica[LoadedPolicy],
        follower: Follower,
        load_policy: Callable[[Sequence[PolicyFile], GivenUp], LoadedPolicy],
        failed_tests: Callable[[Sequence[PolicyFile], GivenUp], Sequence[Diagnostic]],
    ) -> None:
        self._store = store
        self._replica = replica
        self._follower = follower
        self._load_policy = load_policy
        self._failed_tests = failed_tests
        # It can take long until a policy is ready; that never holds up the threads that write.
        self._preparing = ThreadPoolExecutor(max_workers=1, thread_name_prefix="policies")
        self._closing = Event()
        self._running: set[asyncio.Task[object]] = set()

    async def write_facts(self, store: str, request: WriteRequest) -> FactsWritten:
        """Apply `request`, all or none.

        Raises StoreNotFound, NoPolicy, UnusableFact or UnknownType for the first fact that the active
        policy cannot use (deleting such a fact is fine), MalformedValue for one that its own pattern does not
        match, what `FactStore.submit` raises, and PolicyChanged only if policies are published faster than
        facts can be checked.
        """
        return await self._carried_through(self._write_facts(store, request))

    async def publish(
        self, store: str, files: Sequence[PolicyFile], *, skip_tests: bool, force: bool = False
    ) -> PolicyPublished:
        """Check `files`, run the tests in them unless told otherwise, and make them the active policy.

        Raises PolicyInvalid, PolicyTestsFailed, EngineUnsupported, PreparationFailed, StoreNotFound,
        StoreUnavailable, and FactsOrphaned unless forced; the policy before then stays active.
        """
        await self._heard_of(store)
        # Before it is this policy's turn: other writes need not wait until it is ready.
        gone = Event()

        def given_up() -> bool:
            return gone.is_set() or self._closing.is_set()

        def work() -> LoadedPolicy:
            loaded = self._tested(files, given_up, skip_tests=skip_tests)
            self._index(store, loaded, given_up)
            return loaded

        try:
            loaded = await asyncio.get_running_loop().run_in_executor(self._preparing, work)
        except asyncio.CancelledError:
            gone.set()
            raise
        return await self._carried_through(self._publish(store, files, loaded, force=force))

    async def create_store(self, name: str) -> ConsistencyToken:
        """Make an empty store. Raises StoreExists, StoreUnavailable."""
        return await self._carried_through(self._told(partial(self._store.create_store, name)))

    async def stores(self) -> Sequence[str]:
        """Return the names of all stores that there are, whoever made them. Raises StoreUnavailable."""
        await self._follower.catch_up()
        return sorted(state.store for state in self._replica.states())

    async def delete_store(self, name: str) -> ConsistencyToken:
        """Delete a store and all that is in it. Raises StoreNotFound, StoreProtected, StoreUnavailable."""
        return await self._carried_through(self._told(partial(self._store.delete_store, name)))

    async def published(self, store: str, version: int | None) -> Published:
        """Return a policy version, the active one for None. Raises StoreNotFound, PolicyNotFound, NoPolicy."""
        return await asyncio.to_thread(self._store.published, store, version)

    async def close(self) -> None:
        """Wait for the writes that have begun; policies that are not ready yet are given up."""
        self._closing.set()
        await asyncio.to_thread(self._preparing.shutdown, cancel_futures=True)
        if self._running:
            await asyncio.wait(self._running)

    async def _carried_through(self, work: Coroutine[None, None, T]) -> T:
        task = asyncio.create_task(work)
        self._running.add(task)
        task.add_done_callback(self._running.discard)
        return await asyncio.shield(task)

    async def _write_facts(self, store: str, request: WriteRequest) -> FactsWritten:
        if request.idempotency_key is not None:
            # First of all: the policy may not know any more what was written once.
            earlier = await asyncio.to_thread(self._store.written, store, request)
            if earlier is not None:
                return await self._seen(earlier)
        checked_by = await self._checked(store, request)
        for _ in range(_MOST_TRIES):
            try:
                future = self._store.submit(store, request, checked_by)
                return await self._seen(await asyncio.wrap_future(future))
            except PolicyChanged:
                await self._follower.catch_up()
                checked_by = await self._checked(store, request)
        raise PolicyChanged("policies are published faster than facts can be checked; try again")

    async def _heard_of(self, store: str) -> None:
        """Return if there is such a store, which another process may just have made. Raises StoreNotFound."""
        try:
            self._replica.state(store)
        except StoreNotFound:
            await self._follower.catch_up()
            self._replica.state(store)

    async def _told(self, change: Callable[[], ConsistencyToken]) -> ConsistencyToken:
        token = await asyncio.to_thread(change)
        await self._reached(token)
        return token

    async def _seen(self, written: Written) -> FactsWritten:
        await self._reached(written.token)
        return FactsWritten(written.results, written.token, written.policy_version)

    async def _reached(self, token: ConsistencyToken) -> None:
        """Return when questions see what was committed with `token`.

        Raises StoreUnavailable if they do not come to see it: other errors would say that nothing was done.
        """
        try:
            await self._follower.reach(token)
        except StoreUnavailable:
            raise
        except AuthzError as error:
            message = f"what was asked is done, but cannot be shown here yet: {error.message}"
            raise StoreUnavailable(message) from error

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

    async def _checked(self, store: str, request: WriteRequest) -> ActiveVersion:
        """Return the policy that can use what `request` inserts."""
        before = self._replica.incarnation, self._replica.revision
        try:
            state = self._replica.state(store)
            if _is_accepted(state, request):
                return _active_version(state)
            return await asyncio.to_thread(_check, state, request)
        except (NoPolicy, StoreNotFound, InvalidRequest):
            # The caller may know of a store or a policy that this process has not heard of yet.
            await self._follower.catch_up()
            if (self._replica.incarnation, self._replica.revision) == before:
                raise
        return await asyncio.to_thread(_check, self._replica.state(store), request)

    async def _publish(
        self, store: str, files: Sequence[PolicyFile], loaded: LoadedPolicy, *, force: bool
    ) -> PolicyPublished:
        for _ in range(_MOST_TRIES):
            state = self._replica.state(store)
            orphaned = None if force else _orphaned(state.policy, loaded.policy)

            def work(
                state: StoreState[LoadedPolicy] = state, orphaned: Orphaned | None = orphaned
            ) -> Published:
                if orphaned is not None:
                    _look_for_orphans(state, loaded.policy, orphaned)
                return self._store.publish(
                    store,
                    tuple(files),
                    datetime.now(UTC),
                    replaces=_active_version(state),
                    orphaned=orphaned,
                    seen=state.revision,
                )

            try:
                published = await asyncio.to_thread(work)
            except PolicyChanged:
                await self._follower.catch_up()
                continue
            await self._reached(published.token)
            policy = loaded.policy
            return PolicyPublished(
                published.version, published.token, policy.warnings, len(policy.tests)
            )
        raise PolicyChanged("other policies are published again and again; try again")


def _active_version(state: StoreState[LoadedPolicy]) -> ActiveVersion:
    version = state.policy.version.version if state.policy else 0
    return ActiveVersion(state.incarnation, state.number, version)


def _is_accepted(state: StoreState[LoadedPolicy], request: WriteRequest) -> bool:
    """Say whether a small request has nothing wrong with it, which is found out at once."""
    if state.policy is None or len(request.writes) > _FEW_WRITES:
        return False
    accepts = state.policy.loaded.policy.accepts
    for write in request.writes:
        if isinstance(write, Replace) or (isinstance(write, Insert) and not accepts(write.fact)):
            return False
    return True


def _check(state: StoreState[LoadedPolicy], request: WriteRequest) -> ActiveVersion:
    if state.policy is None:
        message = (
            f"the store `{state.store}` has no policy yet, so facts cannot be checked; publish one"
        )
        raise NoPolicy(message)
    for index, write in enumerate(request.writes):
        try:
            _check_write(write, state.policy.loaded.policy)
        except InvalidRequest as error:
            raise error.inside(f"writes[{index}]") from None
    return _active_version(state)


def _check_write(write: Write, policy: Policy) -> None:
    match write:
        case Insert():
            _check_fact(write.fact, policy, "insert")
        case Replace():
            for number, insert in enumerate(write.inserts):
                field = f"replace.inserts[{number}]"
                _check_fact(insert.fact, policy, f"{field}.fact")
                if not write.pattern.matches(insert.fact):
                    message = f"the pattern that is replaced does not match {insert.fact}"
                    raise MalformedValue(message, field=field)
        case Delete() | DeleteMatching():
            pass


def _check_fact(fact: Fact, policy: Policy, field: str) -> None:
    try:
        policy.check_fact(fact)
    except InvalidRequest as error:
        raise error.inside(field) from None


def _look_for_orphans(state: StoreState[LoadedPolicy], policy: Policy, orphaned: Orphaned) -> None:
    """Raise FactsOrphaned if there are facts of no use, and give way to questions between small parts."""
    assert state.policy is not None
    named = policy.shapes.named | state.policy.loaded.policy.shapes.named
    facts = state.facts_at(instant_of(datetime.now(UTC)))
    for fact in facts.kinds(named):
        if fact is None:
            time.sleep(_PAUSE_SECONDS)
        elif orphaned(fact):
            # The kind is one that the policy cannot use; its facts may be gone.
            refuse_orphans(filter(orphaned, facts))


def _orphaned(active: ActivePolicy[LoadedPolicy] | None, policy: Policy) -> Orphaned | None:
    """Return what tells facts that the active policy can use and `policy` cannot."""
    if active is None:
        return None
    before = active.loaded.policy
    return lambda fact: not policy.accepts(fact) and before.accepts(fact)
