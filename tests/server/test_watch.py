"""A watcher's way through the log beside a replica that is loaded anew at the worst moment."""

import asyncio
from pathlib import Path

from authz_service.facts.change import Insert, WriteRequest
from authz_service.facts.fact import Fact
from authz_service.facts.value import Value
from authz_service.replica.follower import Follower
from authz_service.replica.replica import Replica
from authz_service.server.watch import Watch
from authz_service.store.fact_store import FactStore


def insert(store: FactStore, name: str) -> None:
    store.write("default", WriteRequest([Insert(Fact("tag", (Value("User", name),)))]))


class LoadedBetween(Replica):
    """Is loaded anew just after somebody has looked at it for the first time."""

    def __getattribute__(self, name: str):
        found = super().__getattribute__(name)
        if name in ("revision", "applied") and super().__getattribute__("waits"):
            self.waits = False
            self.load()
        return found

    waits = False


def test_a_watcher_of_a_new_life_misses_nothing(tmp_path: Path) -> None:
    """The copy before had more revisions than the new life has."""
    store = FactStore.open(f"sqlite:///{tmp_path}/authz.db")
    replica: Replica = LoadedBetween(store, tuple)
    for name in ("ann", "bob", "cyd"):
        insert(store, name)
    replica.load()
    with store._engine.begin() as connection:
        for statement in (
            "DELETE FROM changes WHERE revision > 1",
            "DELETE FROM facts WHERE created > 1",
            "UPDATE stores SET revision = 1",
            "UPDATE head SET revision = 1",
        ):
            connection.exec_driver_sql(statement)
    store.begin_life()

    async def run() -> list[str]:
        follower = Follower(replica)
        watch = Watch(store, replica, follower, "default", store.token("default"))
        messages = watch.messages()
        await anext(messages)
        replica.waits = True
        told = []

        async def listen() -> None:
            async for message in messages:
                told.extend(fact.fact.args[0].entity.id for fact in message.inserted)

        listening = asyncio.create_task(listen())
        await asyncio.sleep(0.1)
        for name in ("dan", "eve", "fay"):
            insert(store, name)
        await follower.catch_up()
        await asyncio.sleep(0.2)
        listening.cancel()
        await asyncio.wait([listening])
        follower.close()
        return told

    assert asyncio.run(run()) == ["dan", "eve", "fay"]
    replica.close()
    store.close()
