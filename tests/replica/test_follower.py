"""The follower: what was committed is there when it says so, and a copy that went wrong is loaded anew."""

import asyncio
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from authz_service.facts.change import Insert, WriteRequest
from authz_service.facts.fact import Fact
from authz_service.facts.revision import ConsistencyToken
from authz_service.facts.value import Value
from authz_service.replica import follower
from authz_service.replica.follower import Follower
from authz_service.replica.replica import Replica
from authz_service.store.fact_store import FactStore
from authz_service.store.reading import RevisionUnreadable


def tag(name: str) -> Fact:
    return Fact("tag", (Value("User", name),))


def insert(store: FactStore, name: str) -> ConsistencyToken:
    return store.write("default", WriteRequest([Insert(tag(name))])).token


@pytest.fixture
def store(tmp_path: Path) -> Iterator[FactStore]:
    opened = FactStore.open(f"sqlite:///{tmp_path}/authz.db")
    yield opened
    opened.close()


@pytest.fixture
def replica(store: FactStore) -> Iterator[Replica]:
    loaded = Replica(store, tuple)
    loaded.load()
    yield loaded
    loaded.close()


def seen(replica: Replica) -> set[str]:
    return {fact.args[0].id for fact in replica.state("default").facts}


def test_many_wait_for_their_revisions(store: FactStore, replica: Replica) -> None:
    async def run() -> None:
        follower = Follower(replica)
        tokens = [insert(store, str(number)) for number in range(20)]
        await asyncio.gather(*map(follower.reach, tokens))
        assert replica.revision == 20
        await follower.reach(tokens[0])

    asyncio.run(run())
    assert len(seen(replica)) == 20


@pytest.mark.parametrize(
    "damage",
    [
        "DELETE FROM changes WHERE revision = 1",
        "UPDATE head SET incarnation = '00'",
        "UPDATE head SET compacted_to = 2",
    ],
)
def test_what_went_wrong_is_loaded_anew(store: FactStore, replica: Replica, damage: str) -> None:
    insert(store, "ann")
    insert(store, "bob")
    with store._engine.begin() as connection:
        connection.exec_driver_sql(damage)
    asyncio.run(Follower(replica, lambda: 0.0).catch_up())
    assert seen(replica) == {"ann", "bob"}
    insert(store, "cyd")
    asyncio.run(Follower(replica).catch_up())
    assert seen(replica) == {"ann", "bob", "cyd"}


@pytest.mark.parametrize("chance", [0.1, 0.3])
def test_what_went_wrong_everywhere_is_loaded_anew_at_different_times(
    store: FactStore, replica: Replica, chance: float
) -> None:
    with store._engine.begin() as connection:
        connection.exec_driver_sql("UPDATE head SET incarnation = '00'")
    began = time.monotonic()
    asyncio.run(Follower(replica, lambda: chance).catch_up())
    assert time.monotonic() - began >= chance * follower._SPREAD_SECONDS
    assert replica.incarnation == "00"


def test_trouble_names_the_revision(store: FactStore, replica: Replica) -> None:
    """What is not understood is no reason to load anew: nobody would know what was skipped."""
    for name in ("ann", "bob", "cyd"):
        insert(store, name)
    with store._engine.begin() as connection:
        connection.exec_driver_sql("UPDATE changes SET kind = 'x' WHERE revision = 2")
    follower = Follower(replica)
    with pytest.raises(RevisionUnreadable):
        asyncio.run(follower.catch_up())
    assert follower.trouble is not None
    assert "revision 2;" in follower.trouble.message
    assert seen(replica) == {"ann"}


def test_following_goes_on_after_failures(
    store: FactStore, replica: Replica, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever it is that fails: a follower that ended would leave questions to an old copy."""
    catch_up, failures = replica.catch_up, [RuntimeError("a defect"), ZeroDivisionError()]
    caught_up = threading.Event()

    def failing() -> None:
        if failures:
            raise failures.pop()
        catch_up()
        caught_up.set()

    async def run() -> None:
        stopped = asyncio.Event()
        following = asyncio.create_task(Follower(replica).follow(stopped))
        assert await asyncio.to_thread(caught_up.wait, 10)
        stopped.set()
        await following

    monkeypatch.setattr(replica, "catch_up", failing)
    insert(store, "ann")
    asyncio.run(run())
    assert seen(replica) == {"ann"}
