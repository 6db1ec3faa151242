"""What clients notice of long lists that stream while they ask, and what a list costs in pages.

A real server answers clients that ask at a steady pace: first while nothing else happens, then while lists of
100,000 documents stream one after the other to another process. Latencies count from when a question was due.
Afterwards the CPU for such a stream is compared with that for the same list in pages of 100: inside one
process, without the transport, and for comparison that of the server, where each page also costs a call.

    python benchmarks/lists_under_load.py [--documents 100000] [--seconds 20] [--pace 10] [--engine ENGINE]
"""

import argparse
import asyncio
import contextlib
import multiprocessing
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Literal, NamedTuple, cast

import grpc
from authz.v1 import authorization_service_pb2 as pb
from authz.v1 import list_pb2
from grpc import aio

from authz_service.engine.engines import Engine, loader
from authz_service.facts.change import Insert, WriteRequest
from authz_service.pdp.consistency import Freshness
from authz_service.pdp.decide import PolicyDecisionPoint
from authz_service.pdp.lists import Lists
from authz_service.replica.follower import Follower
from authz_service.replica.past import PastStates
from authz_service.replica.replica import Replica
from authz_service.server.boundary import Rpc
from authz_service.server.lists import ListRpcs
from authz_service.server.moments import Moments
from authz_service.store.fact_store import FactStore
from measures.comparison import percentile
from measures.targets import Target, print_targets
from publish_under_load import (
    PLANTED,
    Load,
    ask,
    authorize,
    cpu_seconds,
    fill,
    request,
    serving_process,
)
from workloads.workload import entity, has_role

CLIENTS = 4
OTHER_FACTS = 20_000
PAGE = 100
ROUNDS = 3
IDLE_SECONDS = 5.0
AT_MOST_TIMES = 3

# Of whom and what the clients know nothing.
READER = entity("User", 2 * PLANTED)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--documents", type=int, default=100_000)
    parser.add_argument("--seconds", type=float, default=20.0, help="of each of the two parts")
    parser.add_argument("--pace", type=float, default=10.0, help="milliseconds between questions")
    parser.add_argument("--engine", type=Engine, choices=list(Engine), default=Engine.COMPILED)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        database = f"sqlite:///{folder}/bench.db"
        facts = fill(database, OTHER_FACTS)
        _plant(database, arguments.documents)
        print(f"{facts + arguments.documents:,} facts, lists of {arguments.documents:,}")
        with serving_process(database, arguments.engine, Path(folder)) as (port, process):
            quiet, meanwhile, lists = asyncio.run(
                _measure(port, arguments.seconds, arguments.pace, arguments.documents)
            )
            called = _costs(port, process, arguments.documents)
        inside = asyncio.run(_costs_inside(database, arguments.engine, arguments.documents))
    _report(quiet, meanwhile, lists)
    print(f"\nCPU for                    a stream   pages of {PAGE}")
    for name, costs in (("list and messages", inside), ("the server, with calls", called)):
        print(f"{name:24}{costs.stream:>9.2f} s{costs.pages:>10.2f} s")
    print_targets(
        [
            Target("errors", len(quiet.errors) + len(meanwhile.errors), 0),
            Target("p99 while a list streams / quiet", _ratio(quiet, meanwhile), AT_MOST_TIMES),
            Target(
                "all pages / stream, without calls", inside.pages / inside.stream, AT_MOST_TIMES
            ),
        ]
    )


def _plant(database: str, documents: int) -> None:
    """Make READER a viewer of so many documents, in no order."""
    store = FactStore.open(database)
    numbers = (PLANTED + 1000 + number * 7919 % documents for number in range(documents))
    facts = [has_role(READER, "viewer", entity("Document", number)) for number in numbers]
    for start in range(0, documents, 5000):
        writes = [Insert(fact) for fact in facts[start : start + 5000]]
        store.write("default", WriteRequest(writes))
    store.close()


async def _measure(
    port: int, seconds: float, pace: float, documents: int
) -> tuple[Load, Load, int]:
    """Return what the clients saw before and while lists streamed, and how many lists there were."""
    load = Load()
    async with contextlib.AsyncExitStack() as channels:
        # Without an argument of its own each channel would share one connection.
        calls = [
            authorize(
                await channels.enter_async_context(
                    aio.insecure_channel(f"127.0.0.1:{port}", [("authz.channel", number)])
                )
            )
            for number in range(CLIENTS)
        ]
        await calls[0](request(0, is_owner=True), timeout=300, wait_for_ready=True)
        stop = asyncio.Event()
        asking = asyncio.gather(*(ask(call, load, pace, stop) for call in calls))
        with _listing(port, documents) as say:
            await asyncio.sleep(1)
            load.taken()
            await asyncio.sleep(seconds)
            quiet = load.taken()
            say("begin")
            await asyncio.sleep(seconds)
            meanwhile = load.taken()
            stop.set()
            await asking
            lists = say("end")
    return quiet, meanwhile, lists


@contextlib.contextmanager
def _listing(port: int, documents: int) -> Iterator[Callable[[Literal["begin", "end"]], int]]:
    """Run a process that reads lists, one after the other, from the word `begin` to the word `end`."""
    here, there = multiprocessing.Pipe()
    context = multiprocessing.get_context("spawn")
    process = context.Process(target=_list_steadily, args=(there, port, documents))
    process.start()
    assert here.recv() == 0

    def say(word: Literal["begin", "end"]) -> int:
        here.send(word)
        count: int = here.recv()
        return count

    try:
        yield say
    finally:
        process.kill()
        process.join()


def _list_steadily(pipe: Connection, port: int, documents: int) -> None:
    with grpc.insecure_channel(f"127.0.0.1:{port}") as channel:
        _stream(channel, documents)
        pipe.send(0)
        assert pipe.recv() == "begin"
        pipe.send(0)
        count = 0
        while not pipe.poll():
            _stream(channel, documents)
            count += 1
        pipe.send(count)
        pipe.recv()


def _stream(channel: grpc.Channel, documents: int) -> None:
    assert sum(len(part.resource_ids) for part in _parts(channel)) == documents


def _parts(channel: grpc.Channel, **paging: object) -> list[list_pb2.ListResourcesResponse]:
    call: grpc.UnaryStreamMultiCallable[pb.ListResourcesRequest, list_pb2.ListResourcesResponse] = (
        channel.unary_stream(
            "/authz.v1.AuthorizationService/ListResources",
            request_serializer=pb.ListResourcesRequest.SerializeToString,
            response_deserializer=list_pb2.ListResourcesResponse.FromString,
        )
    )
    return list(call(_wanted(**paging), timeout=300))


def _wanted(**paging: object) -> pb.ListResourcesRequest:
    return pb.ListResourcesRequest(
        actor={"type": READER.type, "id": READER.id},
        action="change_owner",
        resource_type="Document",
        **paging,  # type: ignore[arg-type]
    )


class Costs(NamedTuple):
    """Seconds of CPU for a list as a stream, and in pages."""

    stream: float
    pages: float


class _Caller:
    """A call that nobody makes, with time enough."""

    def time_remaining(self) -> float:
        return 300.0


async def _costs_inside(database: str, engine: Engine, documents: int) -> Costs:
    """Return what lists cost in this process, from the request to the last message."""
    with contextlib.closing(FactStore.open(database)) as store:
        replica = Replica(store, loader(engine), lambda loaded: loaded.program.demand)
        replica.load()
        pdp = PolicyDecisionPoint(replica, evaluation_steps=10**9)
        lists = Lists(pdp.long_work, list_steps=10**9)
        past = PastStates(store, loader(engine))
        freshness = Freshness(replica, Follower(replica), past)
        rpcs = ListRpcs(pdp, lists, Moments(pdp, freshness), freshness, store.signing_key)

        async def read(page_size: int) -> int:
            count, token = 0, ""
            while count == 0 or token:
                asked = _wanted(page_size=page_size, page_token=token)
                async for part in rpcs.resources(asked, cast("Rpc", _Caller())):
                    part.SerializeToString()
                    count += len(part.resource_ids)
                    token = part.end.next_page_token
            return count

        streams, pages = [], []
        assert await read(0) == documents
        for _ in range(ROUNDS):
            began = time.process_time()
            assert await read(0) == documents
            between = time.process_time()
            assert await read(PAGE) == documents
            streams.append(between - began)
            pages.append(time.process_time() - between)
        pdp.close()
        replica.close()
    return Costs(statistics.median(streams), statistics.median(pages))


def _costs(port: int, process: int, documents: int) -> Costs:
    """Return the seconds of CPU that the server needs for a stream, and for all pages.

    What it does anyway, fifty times a second, is measured before and taken off.
    """
    streams, pages = [], []
    idle = _used(process, lambda: time.sleep(IDLE_SECONDS), 0.0) / IDLE_SECONDS
    with grpc.insecure_channel(f"127.0.0.1:{port}") as channel:
        for _ in range(ROUNDS):
            streams.append(_used(process, lambda: _stream(channel, documents), idle))
            pages.append(_used(process, lambda: _read_pages(channel, documents), idle))
    return Costs(statistics.median(streams), statistics.median(pages))


def _used(process: int, work: Callable[[], None], idle: float) -> float:
    """Return the seconds of CPU that the server spends on `work`, if it spends `idle` in each second anyway."""
    began, before = time.monotonic(), cpu_seconds(process)
    work()
    return cpu_seconds(process) - before - idle * (time.monotonic() - began)


def _read_pages(channel: grpc.Channel, documents: int) -> None:
    count, token = 0, ""
    while count == 0 or token:
        parts = _parts(channel, page_size=PAGE, page_token=token)
        count += sum(len(part.resource_ids) for part in parts)
        token = parts[-1].end.next_page_token
    assert count == documents


def _report(quiet: Load, meanwhile: Load, lists: int) -> None:
    print(f"{lists} lists streamed; {CLIENTS} clients\n")
    print(f"{'':14}{'checks':>9}{'errors':>9}{'p50 ms':>9}{'p99 ms':>9}{'most ms':>9}")
    for name, load in (("quiet", quiet), ("meanwhile", meanwhile)):
        times = [answer.nanoseconds for answer in load.answers]
        print(f"{name:14}{len(load.answers):>9,}{len(load.errors):>9}", end="")
        shown = (percentile(times, percent) for percent in (50, 99, 100))
        print("".join(f"{microseconds / 1000:>9.2f}" for microseconds in shown))
    for error in sorted(set(quiet.errors + meanwhile.errors)):
        print(error)


def _ratio(quiet: Load, meanwhile: Load) -> float:
    before, then = (
        percentile([answer.nanoseconds for answer in load.answers], 99)
        for load in (quiet, meanwhile)
    )
    return then / before


if __name__ == "__main__":
    main()
