"""A call to the database that does not return is given up, and what it brings later changes nothing."""

import asyncio
import contextlib
import threading
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest

from authz_service.errors import StoreUnavailable
from authz_service.facts.change import Insert, WriteRequest
from authz_service.facts.fact import Fact
from authz_service.facts.value import Value
from authz_service.replica import follower as follower_module
from authz_service.replica.follower import Follower
from authz_service.replica.pulse import QUIET_SECONDS, GivenUp, Pulse
from authz_service.replica.replica import Replica
from authz_service.store import reading
from authz_service.store.fact_store import FactStore


class Hanging:
    """A method of the store that hangs while it is told to."""

    def __init__(self, method) -> None:
        self._method = method
        self.is_hanging = False
        self.release = threading.Event()
        self.hung = 0
        self.returned = 0

    def __call__(self, *arguments, **options):
        answer = self._method(*arguments, **options)
        if self.is_hanging:
            self.hung += 1
            assert self.release.wait(30)
            self.returned += 1
        return answer


@pytest.fixture
def store(tmp_path: Path, monkeypatch) -> Iterator[FactStore]:
    monkeypatch.setattr(follower_module, "_TICK_SECONDS", 0.05)
    opened = FactStore.open(f"sqlite:///{tmp_path}/authz.db")
    yield opened
    opened.close()


@pytest.fixture
def replica(store: FactStore) -> Iterator[Replica]:
    loaded = Replica(store, tuple)
    loaded.load()
    yield loaded
    loaded.close()


def insert(store: FactStore, name: str) -> int:
    fact = Fact("tag", (Value("User", name),))
    return store.write("default", WriteRequest([Insert(fact)])).revision


async def until(holds) -> None:
    end = time.monotonic() + 20
    while not holds():
        assert time.monotonic() < end
        await asyncio.sleep(0.005)


@pytest.mark.parametrize("method", ["head", "changes_after", "load"])
def test_another_thread_goes_on(store: FactStore, replica: Replica, method: str) -> None:
    hanging = Hanging(getattr(store, method))
    setattr(store, method, hanging)

    async def run() -> None:
        follower = Follower(replica)
        insert(store, "ann")
        if method == "load":
            store.begin_life()
        hanging.is_hanging = True
        with pytest.raises(StoreUnavailable, match="for long"):
            await follower.catch_up()
        assert follower.trouble is not None
        assert replica.revision == 0
        hanging.is_hanging = False
        insert(store, "bob")
        await follower.catch_up()
        assert follower.trouble is None
        after = replica.applied
        assert after.revision == 2
        # What the first thread had asked for is old by now.
        hanging.release.set()
        await until(lambda: hanging.returned == hanging.hung)
        await until(lambda: not any(worker.is_alive for worker in follower._left))
        assert replica.applied is after
        insert(store, "cyd")
        await follower.catch_up()
        assert replica.revision == 3
        follower.close()

    asyncio.run(run())


def test_a_copy_that_takes_long_is_not_given_up(
    store: FactStore, replica: Replica, monkeypatch
) -> None:
    """Each attempt would take as long, so it would never be there."""
    monkeypatch.setattr(follower_module, "_GIVEN_UP_TICKS", 6)
    key_pages, pages = reading._key_pages, []

    def slowly(*arguments):
        for page in key_pages(*arguments):
            time.sleep(0.1)
            pages.append(page)
            yield page

    monkeypatch.setattr(reading, "_key_pages", slowly)
    monkeypatch.setattr(reading, "_PAGE_FACTS", 1)
    for number in range(10):
        insert(store, str(number))
    store.begin_life()
    asyncio.run(Follower(replica, lambda: 0.0).catch_up())
    assert replica.revision == 10
    assert len(pages) == 10


def test_trouble_is_told_before_it_is_given_up(store: FactStore, replica: Replica) -> None:
    store.head = hanging = Hanging(store.head)

    async def run() -> None:
        follower = Follower(replica)
        hanging.is_hanging = True
        looking = follower.next_round()
        await until(lambda: follower.trouble is not None)
        assert not looking.done()
        hanging.release.set()
        await looking
        assert follower.trouble is None
        follower.close()

    asyncio.run(run())


def test_few_threads_are_left_behind(store: FactStore, replica: Replica) -> None:
    store.head = hanging = Hanging(store.head)

    async def run() -> None:
        follower = Follower(replica)
        hanging.is_hanging = True
        for _ in range(follower_module._MOST_LEFT):
            with pytest.raises(StoreUnavailable):
                await follower.catch_up()
        waiting = follower.next_round()
        await asyncio.wait([waiting], timeout=2.5)
        assert not waiting.done()
        assert hanging.hung == follower_module._MOST_LEFT + 1
        hanging.release.set()
        await waiting
        follower.close()

    asyncio.run(run())


def test_that_can_fail(store: FactStore, replica: Replica, monkeypatch) -> None:
    """If a thread did not learn that it was left behind."""
    outside = Pulse.outside_in_parts

    def forgetful(self: Pulse, ask):
        def remembered(has_come):
            nonlocal answer
            answer = ask(has_come)
            return answer

        answer = None
        try:
            return outside(self, remembered)
        except GivenUp:
            return answer

    monkeypatch.setattr(Pulse, "outside_in_parts", forgetful)
    with pytest.raises(AssertionError):
        test_another_thread_goes_on(store, replica, "load")


def test_signs_of_life(replica: Replica) -> None:
    pulse = replica.pulse
    assert pulse.patience == QUIET_SECONDS
    beats = pulse.beats
    assert pulse.outside(lambda: pulse.patience) == float("inf")
    assert pulse.beats > beats
    with pulse.loading():
        assert QUIET_SECONDS < pulse.patience < float("inf")
    assert pulse.patience == QUIET_SECONDS
    with pytest.raises(ZeroDivisionError):
        pulse.outside(lambda: 1 / 0)
    assert pulse.call is None

    def given_up() -> None:
        assert pulse.give_up(pulse.call)
        raise ZeroDivisionError

    with pytest.raises(GivenUp):
        pulse.outside(given_up)


class Watched(Pulse):
    """Looks, as the watchdog may, at every moment at which the call changes."""

    looks: list

    def __setattr__(self, name: str, value: object) -> None:
        super().__setattr__(name, value)
        if name == "_call" and hasattr(self, "looks"):
            self.looks.append((self.patience, self.beats))


def test_the_end_of_a_call_is_a_sign_of_life_before_patience_ends() -> None:
    """Else a database that comes back after a while would look like a hung follower for a moment."""

    def fail(_: Pulse) -> None:
        raise ZeroDivisionError

    for end in (lambda _: None, fail, lambda pulse: pulse.give_up(pulse.call)):
        pulse = Watched()
        pulse.looks = []
        with contextlib.suppress(ZeroDivisionError, GivenUp):
            pulse.outside(partial(end, pulse))
        [(during, before), (after, beats)] = pulse.looks
        assert (during, after) == (float("inf"), QUIET_SECONDS)
        assert beats > before


def test_a_task_that_is_dead_is_not_covered_by_others(store: FactStore, replica: Replica) -> None:
    """Rounds that requests ask for are no sign of life of the loop that looks for everyone."""

    async def run() -> None:
        follower = Follower(replica)
        before = follower.signs
        for name in "abc":
            insert(store, name)
            await follower.catch_up()
        assert follower.signs == before
        assert follower.patience == QUIET_SECONDS
        stopped = asyncio.Event()
        following = asyncio.create_task(follower.follow(stopped))
        await until(lambda: follower.signs[0] > before[0] + 2)
        stopped.set()
        await following
        follower.close()

    asyncio.run(run())
