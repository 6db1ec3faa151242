"""States of the past are what the history says, however they are made, and few are kept."""

import asyncio
import sqlite3
import threading
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random

import pytest

from authz_service.errors import Compacted, RevisionUnknown, StoreNotFound, StoreUnavailable
from authz_service.facts.access import AccessPath, Demand
from authz_service.facts.change import Delete, DeleteMatching, Insert, Write, WriteRequest
from authz_service.facts.fact import Fact, FactPattern
from authz_service.facts.instant import Instant, instant_of
from authz_service.facts.policy_text import PolicyFile
from authz_service.facts.value import Value
from authz_service.replica import past as past_module
from authz_service.replica.past import PastStates, _taken_back
from authz_service.replica.replica import Replica, ReplicaFault
from authz_service.store.fact_store import FactStore

NOON = datetime(2026, 1, 2, 12, tzinfo=UTC)
NAMES = "abcdef"


class World:
    def __init__(self, file: Path) -> None:
        self.time = NOON
        self.file = file
        self.store = FactStore.open(f"sqlite:///{file}", clock=lambda: self.time)
        self.loaded: list[str] = []
        self.replica: Replica = Replica(self.store, self._load, demand)
        self.replica.load()
        self.past: PastStates = PastStates(self.store, self._load, demand)

    def _load(self, files):
        self.loaded.append(files[0].text)
        return files[0].text

    def write(self, *writes: Write, store: str = "default"):
        return self.store.write(store, WriteRequest(writes)).token

    def at(self, revision: int):
        state = self.replica.state("default")
        token = state.token._replace(revision=revision)
        return asyncio.run(self.past.at(token, state))

    def all(self):
        """Return the states of all revisions."""
        state = self.replica.state("default")

        async def run():
            tokens = [state.token._replace(revision=r) for r in range(self.replica.revision + 1)]
            return [await self.past.at(token, state) for token in tokens]

        return asyncio.run(run())


DEMAND = Demand(lambda _: True)
TAGS = DEMAND.name(AccessPath("tag", 1, (), ()))


def demand(_loaded: str) -> Demand:
    return DEMAND


def tag(name: str) -> Fact:
    return Fact("tag", (Value("User", name),))


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    made = World(tmp_path / "authz.db")
    yield made
    made.past.close()
    made.replica.close()
    made.store.close()


def copy(source: Path, target: Path) -> None:
    with closing(sqlite3.connect(source)) as one, closing(sqlite3.connect(target)) as other:
        one.backup(other)


def random_write(random: Random, now: datetime) -> Write:
    fact = tag(random.choice(NAMES))
    expires_at = None
    if random.random() < 0.5:
        expires_at = instant_of(now + timedelta(seconds=random.randint(1, 20)))
    match random.randrange(4):
        case 0 | 1:
            return Insert(fact, expires_at)
        case 2:
            return Delete(fact)
        case _:
            return DeleteMatching(FactPattern("tag")) if random.random() < 0.2 else Delete(fact)


def live(world: World, seed: int) -> None:
    """Let many things happen, one of which is to lag behind."""
    random = Random(seed)
    for number in range(30):
        world.time += timedelta(seconds=random.randint(0, 4))
        writes = [random_write(random, world.time) for _ in range(random.randint(1, 4))]
        world.write(*writes)
        if random.random() < 0.2:
            world.store.remove_expired()
        if random.random() < 0.1:
            files = (PolicyFile("main.polar", f"policy {number}"),)
            world.store.publish("default", files, world.time)
        if random.random() < 0.1:
            world.store.create_store(f"other{number}")
        if random.random() < 0.3 or number > 25:
            world.replica.catch_up()


def counted(state, instant: Instant) -> set[Fact]:
    facts = state.facts_at(instant)
    if state.policy is not None:
        # What programs see.
        view = facts.view(DEMAND)
        assert {tag(view.ids.value(one).id) for one in getattr(view, TAGS)} == set(facts)
    return set(facts)


def stored_then(world: World, revision: int, instant: Instant) -> set[Fact]:
    page = world.store.read("default", revision=revision, instant=instant)
    assert not page.has_more
    return {stored.fact for stored in page.facts}


def check(world: World) -> None:
    for revision, (state, committed_at) in enumerate(world.all()):
        assert state.revision == revision
        for seconds in (0, 3, 30):
            instant = Instant(committed_at + seconds * 1_000_000)
            assert counted(state, instant) == stored_then(world, revision, instant)
        if revision:
            policy = world.store.policy_at("default", revision)
            assert (state.policy.version if state.policy else None) == policy


@pytest.mark.parametrize("most", [50_000, 3, 0])
@pytest.mark.parametrize("seed", range(3))
def test_the_past_is_what_the_history_says(world: World, monkeypatch, seed: int, most: int) -> None:
    """Taken back from what is there now, read as a whole, or one or the other."""
    monkeypatch.setattr(past_module, "_MOST_WRITTEN", most)
    live(world, seed)
    check(world)


def test_that_can_fail(world: World, monkeypatch) -> None:
    """If expiries were left as they are now."""

    def taken_back(state, found):
        return _taken_back(state, found)[0], state.expiries

    monkeypatch.setattr(past_module, "_taken_back", taken_back)
    live(world, 0)
    with pytest.raises(AssertionError):
        check(world)


def test_a_copy_that_lags_is_taken_back_too(world: World) -> None:
    world.write(Insert(tag("a")))
    world.replica.catch_up()
    world.write(Insert(tag("b")), Delete(tag("a")))
    state, _ = world.at(1)
    assert set(state.facts) == {tag("a")}
    assert set(world.replica.state("default").facts) == {tag("a")}


def test_a_copy_of_what_the_database_has_lost_is_not_taken_back(world: World, tmp_path) -> None:
    """Nothing was written since it was restored, so its life and this revision are the same."""
    world.write(Insert(tag("a")))
    copy(world.file, tmp_path / "backup.db")
    world.write(Insert(tag("b")), Delete(tag("a")))
    world.replica.catch_up()
    copy(tmp_path / "backup.db", world.file)
    with pytest.raises(StoreUnavailable, match="has lost"):
        world.at(1)
    with pytest.raises(ReplicaFault):
        world.replica.catch_up()
    world.replica.load()
    assert set(world.at(1)[0].facts) == {tag("a")}


def test_few_are_kept_and_not_for_long(world: World, monkeypatch) -> None:
    asked = []
    past = world.store.past
    monkeypatch.setattr(
        world.store,
        "past",
        lambda token, most: asked.append(token.revision) or past(token, most=most),
    )
    for name in NAMES:
        world.write(Insert(tag(name)))
    world.replica.catch_up()
    for revision in (1, 2, 3, 4, 1, 5, 1, 2):
        world.at(revision)
    assert asked == [1, 2, 3, 4, 5, 2]
    world.past.forget_idle()
    world.at(1)
    assert asked == [1, 2, 3, 4, 5, 2]
    monkeypatch.setattr(past_module, "_KEPT_SECONDS", -1.0)
    world.past.forget_idle()
    world.at(1)
    assert asked == [1, 2, 3, 4, 5, 2, 1]


def test_policies_are_loaded_once(world: World) -> None:
    for text in ("one", "two"):
        world.store.publish("default", (PolicyFile("main.polar", text),), NOON)
        world.write(Insert(tag(text)))
    world.replica.catch_up()
    assert world.loaded == ["one", "two"]
    assert [world.at(r)[0].policy and world.at(r)[0].policy.loaded for r in range(5)] == [
        None,
        "one",
        "one",
        "two",
        "two",
    ]
    # That of now is there already.
    assert world.loaded == ["one", "two", "one"]


def test_what_is_not_there(world: World) -> None:
    world.write(Insert(tag("a")))
    other = world.store.create_store("other")
    world.write(Insert(tag("b")))
    world.replica.catch_up()
    state = world.replica.state("other")
    with pytest.raises(RevisionUnknown):
        asyncio.run(world.past.at(other._replace(revision=1), state))
    with pytest.raises(RevisionUnknown):
        asyncio.run(world.past.at(other._replace(revision=9), state))
    world.store.delete_store("other")
    with pytest.raises(StoreNotFound):
        asyncio.run(world.past.at(other, state))
    world.time += timedelta(days=2)
    world.write(Insert(tag("c")))
    world.store.compact(timedelta(days=1))
    with pytest.raises(Compacted):
        world.at(1)


def test_those_who_ask_for_the_same_share_it_and_giving_up_harms_nobody(world: World) -> None:
    asked = []
    past = world.store.past

    def slow(token, most):
        asked.append(token.revision)
        return past(token, most=most)

    world.store.past = slow
    world.write(Insert(tag("a")))
    world.replica.catch_up()
    state = world.replica.state("default")

    async def run() -> None:
        asking = [asyncio.create_task(world.past.at(state.token, state)) for _ in range(5)]
        await asyncio.sleep(0)
        asking[0].cancel()
        found = await asyncio.gather(*asking, return_exceptions=True)
        assert isinstance(found[0], asyncio.CancelledError)
        assert len({id(one) for one in found[1:]}) == 1

    asyncio.run(run())
    assert asked == [1]


def test_too_many_at_a_time_are_refused(world: World, monkeypatch) -> None:
    monkeypatch.setattr(past_module, "_MOST_WAITING", 2)
    for name in NAMES:
        world.write(Insert(tag(name)))
    world.replica.catch_up()
    state = world.replica.state("default")

    async def run() -> None:
        tokens = [state.token._replace(revision=revision) for revision in (1, 2, 3)]
        found = await asyncio.gather(
            *(world.past.at(token, state) for token in tokens), return_exceptions=True
        )
        assert [type(one) for one in found[2:]] == [StoreUnavailable]

    asyncio.run(run())


def test_a_database_that_hangs_holds_nobody_up_for_ever(world: World, monkeypatch) -> None:
    hang = threading.Event()
    past = world.store.past
    monkeypatch.setattr(past_module, "_LONGEST", 0.2)
    monkeypatch.setattr(
        world.store, "past", lambda token, most: hang.wait(20) and past(token, most=most)
    )
    world.write(Insert(tag("a")))
    world.replica.catch_up()
    with pytest.raises(StoreUnavailable, match="in time"):
        world.at(1)
    monkeypatch.setattr(world.store, "past", past)
    assert set(world.at(1)[0].facts) == {tag("a")}
    hang.set()
