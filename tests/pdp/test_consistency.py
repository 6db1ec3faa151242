"""What a request demands is met by the state that answers, or the request fails: at once, or within its time."""

import asyncio
import threading
import time
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from authz_service.errors import (
    ReplicaBehind,
    RevisionUnknown,
    StoreNotFound,
    StoreUnavailable,
    TokenOfAnotherStore,
)
from authz_service.facts.change import Insert, WriteRequest
from authz_service.facts.fact import Fact
from authz_service.facts.instant import instant_of
from authz_service.facts.revision import ConsistencyToken
from authz_service.facts.value import Value
from authz_service.pdp.consistency import (
    AsOf,
    AtLeastAsFresh,
    Exactly,
    Freshness,
    FullyConsistent,
)
from authz_service.replica.follower import Follower
from authz_service.replica.past import PastStates
from authz_service.replica.replica import Replica
from authz_service.store.fact_store import FactStore, utc_now


class World:
    """A database, and a process that has a copy and moves on only when it is asked to."""

    def __init__(self, url: str) -> None:
        self.store = FactStore.open(url)
        self.replica: Replica = Replica(self.store, tuple)
        self.replica.load()
        self.looks = 0
        self.hold = threading.Event()
        self.hold.set()
        self._head = self.store.head
        self.store.head = self._look

    def _look(self):
        self.looks += 1
        head = self._head()
        assert self.hold.wait(20)
        return head

    def write(self, name: str, store: str = "default") -> ConsistencyToken:
        fact = Fact("tag", (Value("User", name),))
        return self.store.write(store, WriteRequest([Insert(fact)])).token

    def run(self, work: Callable):
        async def main():
            self.follower = Follower(self.replica)
            past = PastStates(self.store, tuple)
            return await work(Freshness(self.replica, self.follower, past))

        return asyncio.run(main())

    def reached(self, *tokens: ConsistencyToken, store: str = "default", seconds: float | None = 5):
        demand = AtLeastAsFresh(tokens) if tokens else FullyConsistent()
        return self.run(lambda freshness: freshness.reached(store, demand, seconds))


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    made = World(f"sqlite:///{tmp_path}/authz.db")
    yield made
    made.hold.set()
    made.replica.close()
    made.store.close()


async def until(holds: Callable[[], bool]) -> None:
    end = time.monotonic() + 10
    while not holds():
        assert time.monotonic() < end
        await asyncio.sleep(0.001)


def test_a_token_is_waited_for(world: World) -> None:
    token = world.write("ann")
    assert world.replica.revision == 0
    applied = world.reached(token)
    assert applied.revision == token.revision


def test_a_token_that_is_reached_costs_no_look(world: World) -> None:
    token = world.write("ann")
    world.reached(token)
    looks = world.looks
    assert world.reached(token, token).revision == 1
    assert world.looks == looks


def test_fully_consistent_looks_each_time(world: World) -> None:
    for name in ("ann", "bob"):
        token, looks = world.write(name), world.looks
        assert world.reached().revision == token.revision
        assert world.looks == looks + 1


def test_the_newest_of_several_tokens_is_waited_for(world: World) -> None:
    first = world.write("ann")
    world.reached(first)
    second = world.write("bob")
    assert world.reached(first, second).revision == 2
    third = world.write("cyd")
    assert world.reached(third, first).revision == 3


def test_a_look_that_began_before_the_request_is_not_enough(world: World) -> None:
    """It has seen the head already, and what was committed since then is not in it."""

    async def work(freshness: Freshness):
        world.hold.clear()
        under_way = world.follower.next_round()
        await until(lambda: world.looks == 1)
        await asyncio.sleep(0.02)  # the look has its answer, and is held up
        token = await asyncio.to_thread(world.write, "ann")
        waiting = asyncio.create_task(freshness.reached("default", FullyConsistent(), 5))
        await asyncio.sleep(0.1)
        assert not waiting.done()
        world.hold.set()
        await under_way
        assert (await waiting).revision == token.revision
        assert world.looks == 2

    world.run(work)


def test_those_who_wait_share_their_looks(world: World) -> None:
    async def work(freshness: Freshness):
        world.hold.clear()
        first = world.follower.next_round()
        await until(lambda: world.looks == 1)
        waiting = [
            asyncio.create_task(freshness.reached("default", FullyConsistent(), 5))
            for _ in range(100)
        ]
        await asyncio.sleep(0.05)
        world.hold.set()
        await asyncio.gather(first, *waiting)
        assert world.looks == 2

    world.run(work)


def test_the_deadline_ends_the_wait(world: World) -> None:
    async def work(freshness: Freshness):
        world.hold.clear()
        token = await asyncio.to_thread(world.write, "ann")
        for demand in (AtLeastAsFresh((token,)), FullyConsistent()):
            start = time.monotonic()
            with pytest.raises(ReplicaBehind):
                await freshness.reached("default", demand, 1.0)
            # Before it, so that the caller hears the reason.
            assert 0.8 < time.monotonic() - start < 1.0
        world.hold.set()
        assert (await freshness.reached("default", demand, 5)).revision == token.revision

    world.run(work)


def test_who_gives_up_leaves_nothing_behind(world: World) -> None:
    async def work(freshness: Freshness):
        world.hold.clear()
        before = asyncio.all_tasks()
        waiting = [
            asyncio.create_task(freshness.reached("default", FullyConsistent(), None))
            for _ in range(10)
        ]
        await until(lambda: world.looks == 1)
        for one in waiting:
            one.cancel()
        await asyncio.wait(waiting)
        world.hold.set()
        await until(lambda: asyncio.all_tasks() == before)

    world.run(work)


def test_without_the_database_the_refusal_comes_at_once(world: World) -> None:
    failing = StoreUnavailable("the database is gone")

    def head():
        raise failing

    async def work(freshness: Freshness):
        reached = world.replica.state("default").token
        token = await asyncio.to_thread(world.write, "ann")
        world.store.head = head
        with pytest.raises(StoreUnavailable):
            await world.follower.catch_up()
        for demand in (AtLeastAsFresh((token,)), FullyConsistent()):
            start = time.monotonic()
            with pytest.raises(StoreUnavailable, match="is gone") as caught:
                await freshness.reached("default", demand, 10)
            assert time.monotonic() - start < 0.1
            assert caught.value is not failing
        # What is there already needs no database.
        assert (await freshness.reached("default", AtLeastAsFresh((reached,)), 10)).revision == 0
        world.store.head = world._head
        await world.follower.catch_up()
        assert (await freshness.reached("default", FullyConsistent(), 10)).revision == 1

    world.run(work)


def test_a_log_that_cannot_be_applied_is_told(world: World) -> None:
    def catch_up() -> None:
        raise ZeroDivisionError

    async def work(freshness: Freshness):
        world.replica.catch_up = catch_up
        with pytest.raises(ReplicaBehind, match="log says why"):
            await freshness.reached("default", FullyConsistent(), 10)

    world.run(work)


def test_tokens_that_the_store_does_not_have(world: World) -> None:
    token = world.write("ann")
    other = world.store.create_store("other")
    for wrong in (
        token._replace(revision=token.revision + 100),
        token._replace(incarnation="00" * 8),
    ):
        with pytest.raises(RevisionUnknown):
            world.reached(wrong)
    with pytest.raises(TokenOfAnotherStore):
        world.reached(other)
    with pytest.raises(TokenOfAnotherStore):
        world.reached(token, store="other")
    with pytest.raises(StoreNotFound):
        world.reached(token, store="missing")


def test_a_store_that_is_new_here(world: World) -> None:
    token = world.store.create_store("other")
    assert world.reached(token, store="other").state("other").number == token.store


def test_a_store_that_was_made_again(world: World) -> None:
    former = world.store.create_store("other")
    world.reached(former, store="other")
    world.store.delete_store("other")
    token = world.store.create_store("other")
    assert world.reached(token, store="other").state("other").number == token.store
    with pytest.raises(TokenOfAnotherStore):
        world.reached(former, store="other")


def test_a_restored_database(world: World) -> None:
    """The copy is of the life before, and the token of the new one: it is loaded anew, not refused."""
    former = world.write("ann")
    world.reached(former)
    world.store.begin_life()
    token = world.write("bob")
    with pytest.raises(RevisionUnknown):
        world.reached(former._replace(revision=former.revision + 1))
    assert world.reached(token).revision == token.revision
    with pytest.raises(RevisionUnknown):
        world.reached(former)


def test_freshness_is_that_of_the_look_and_not_of_its_end(world: World) -> None:
    """It can fail: noted at the end of the round, it would cover what was committed during the round."""

    async def work(freshness: Freshness):
        world.hold.clear()
        look = world.follower.next_round()
        await until(lambda: world.looks == 1)
        await asyncio.sleep(0.02)
        between = freshness._clock()
        world.hold.set()
        await look
        assert world.replica.applied.fresh_as_of < between

    world.run(work)


def test_a_time_at_which_a_write_had_begun(world: World) -> None:
    """The write is committed when the copy was looked at already: a state that has its revision has it."""
    began = utc_now()
    look, written = world.store.position_at, []

    def position_at(instant):
        if not written:
            world.store._clock = lambda: began
            written.append(world.write("ann"))
            world.store._clock = utc_now
        return look(instant)

    async def work(freshness: Freshness):
        state, _ = await freshness.past("default", AsOf(instant_of(utc_now())), 5)
        assert state.token == written[0]
        assert len(state.facts) == 1
        state, _ = await freshness.past("default", Exactly(written[0]), 5)
        assert len(state.facts) == 1

    world.store.position_at = position_at
    world.run(work)


def test_a_time_that_is_looked_up_in_another_life_of_the_database(world: World) -> None:
    """The copy is of the life before, and so is what was made of it for a token with the same revision."""
    world.write("ann")
    before = world.write("bob")
    look = world.store.position_at
    restored = []

    def position_at(instant):
        if not restored:
            with world.store._engine.begin() as connection:
                for table, column in (("changes", "revision"), ("facts", "created")):
                    connection.exec_driver_sql(f"DELETE FROM {table} WHERE {column} > 1")
                connection.exec_driver_sql("UPDATE stores SET revision = 1")
                connection.exec_driver_sql("UPDATE head SET revision = 1")
            world.store.begin_life()
            restored.append(world.write("cyd"))
        return look(instant)

    async def work(freshness: Freshness):
        await freshness.past("default", Exactly(before), 5)
        state, _ = await freshness.past(
            "default", AsOf(instant_of(utc_now() + timedelta(seconds=1))), 20
        )
        assert restored[0].revision == before.revision
        assert state.token == restored[0]
        assert {fact.args[0].id for fact in state.facts} == {"ann", "cyd"}

    world.store.position_at = position_at
    world.run(work)


def test_a_time_before_the_store_was_made_anew(world: World) -> None:
    """That happens while the question is answered, which names no token that could be another store's."""
    world.store.create_store("other")
    look = world.store.position_at

    async def work(freshness: Freshness):
        loop = asyncio.get_running_loop()

        def position_at(instant):
            world.store.delete_store("other")
            world.store.create_store("other")
            asyncio.run_coroutine_threadsafe(world.follower.catch_up(), loop).result(20)
            return look(instant)

        world.store.position_at = position_at
        with pytest.raises(RevisionUnknown, match="made anew"):
            await freshness.past("other", AsOf(instant_of(utc_now())), 20)

    world.run(work)
