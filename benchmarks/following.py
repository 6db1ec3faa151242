"""What the writes of one process cost the questions at another, and when they are seen there.

Two processes serve one database with many facts. Questions come to the second one at a steady pace: first
while nothing is written, at last while 2,000 facts a second are written at the first one; latencies count from
when a question was due. In between as many are written into another database, at a third process, which runs
only then: what that costs the questions comes of the processors that all of them share, and nothing of
following. Then single facts are written at the first process, and the second one is asked about them, without
any demand on consistency, until it answers by them: that time counts from the acknowledgement.

A process of its own writes, this one asks, and both have made what they send before. Beside the latencies is
the CPU that each process took, in percent of one processor.

    python benchmarks/following.py [--facts 100000] [--seconds 60] [--pace 4] [--writes 1000]
"""

import argparse
import asyncio
import contextlib
import multiprocessing
import os
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from itertools import chain, cycle
from multiprocessing.connection import Connection
from pathlib import Path
from typing import NamedTuple

from authz.v1 import authorization_service_pb2 as pb
from authz.v1.fact_service_pb2 import WriteFactsRequest, WriteFactsResponse
from grpc import aio

from authz_service.engine.engines import Engine
from authz_service.facts.value import Value
from contenders.contender import frozen
from measures.comparison import percentile
from measures.targets import Target, print_targets
from publish_under_load import (
    PAIRS,
    PLANTED,
    Authorize,
    Load,
    ask,
    asked,
    authorize,
    cpu_seconds,
    fill,
    request,
    serving_process,
)
from workloads.workload import entity

FACTS_A_SECOND = 2000
FACTS_A_WRITE = 20
DIFFERENT_WRITES = 500
KEPT_WRITES = 50
AT_MOST_TIMES = 3
AT_MOST_MS = 50
GIVE_UP_SECONDS = 10
WARM_SECONDS = 1

WriteFacts = aio.UnaryUnaryMultiCallable[bytes, WriteFactsResponse]

# Beyond the users that are asked about.
WRITTEN = 2 * PLANTED

PROCESSES = ("first", "second", "third", "writer", "asker")


class Part(NamedTuple):
    """What was seen while one thing was done, and what each process took, in percent of a processor."""

    load: Load
    cpu: Mapping[str, float]
    facts_a_second: float = 0.0


class Writer(NamedTuple):
    """A process that is ready to write: `begin` has it write for a while, `written` waits and says how much."""

    process: int
    begin: Callable[[], None]
    written: Callable[[], int]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--facts", type=int, default=100_000)
    parser.add_argument("--seconds", type=float, default=60.0, help="of each of the three parts")
    parser.add_argument("--pace", type=float, default=4.0, help="milliseconds between questions")
    parser.add_argument("--writes", type=int, default=1000, help="whose way is timed")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder, contextlib.ExitStack() as stack:
        database, other = f"sqlite:///{folder}/bench.db", f"sqlite:///{folder}/other.db"
        print(f"{fill(database, arguments.facts):,} facts")
        fill(other, arguments.facts)
        (writing, first), (answering, second) = [
            stack.enter_context(serving_process(database, Engine.COMPILED, Path(folder)))
            for _ in range(2)
        ]
        processes = {"first": first, "second": second, "asker": os.getpid()}
        seconds, pace = arguments.seconds, arguments.pace
        parts = {"quiet": _asked(answering, seconds, pace, processes)}
        with (
            serving_process(other, Engine.COMPILED, Path(folder)) as (elsewhere, third),
            _writing(elsewhere, seconds) as writer,
        ):
            running = {**processes, "third": third}
            parts["elsewhere"] = _asked(answering, seconds, pace, running, writer)
        with _writing(writing, seconds) as writer:
            parts["meanwhile"] = _asked(answering, seconds, pace, processes, writer)
        seen = asyncio.run(_ways(writing, answering, arguments.writes))
    _report(parts, seen)


def _asked(
    port: int,
    seconds: float,
    pace: float,
    processes: Mapping[str, int],
    writer: Writer | None = None,
) -> Part:
    """Ask for so long; `writer` writes meanwhile."""
    if writer is not None:
        processes = {**processes, "writer": writer.process}

    async def measure() -> Part:
        async with aio.insecure_channel(f"127.0.0.1:{port}") as channel:
            call = authorize(channel)
            await call(request(0, is_owner=True), timeout=300, wait_for_ready=True)
            load, stop = Load(), asyncio.Event()
            asking = asyncio.create_task(ask(call, load, pace, stop))
            await asyncio.sleep(WARM_SECONDS)
            if writer is not None:
                writer.begin()
            load.taken()
            before, began = _cpu(processes), time.monotonic()
            await asyncio.sleep(seconds)
            after, took = _cpu(processes), time.monotonic() - began
            stop.set()
            await asking
            cpu = {name: 100 * (after[name] - before[name]) / took for name in processes}
            return Part(load.taken(), cpu)

    with frozen():
        part = asyncio.run(measure())
    return part if writer is None else part._replace(facts_a_second=writer.written() / seconds)


def _cpu(processes: Mapping[str, int]) -> dict[str, float]:
    return {name: cpu_seconds(process) for name, process in processes.items()}


@contextlib.contextmanager
def _writing(port: int, seconds: float) -> Iterator[Writer]:
    """Run a process that writes for so long once it is told to begin."""
    here, there = multiprocessing.Pipe()
    context = multiprocessing.get_context("spawn")
    process = context.Process(target=_write, args=(there, port, seconds))
    process.start()
    # Should that process end early, nobody is left who could send anything.
    there.close()
    try:
        assert here.recv() == "ready"
        assert process.pid is not None
        yield Writer(process.pid, lambda: here.send("begin"), here.recv)
    finally:
        process.kill()
        process.join()


def _write(pipe: Connection, port: int, seconds: float) -> None:
    inserts, deletes = [
        [_steady_write(kind, number) for number in range(DIFFERENT_WRITES)]
        for kind in ("insert", "delete")
    ]
    # What is written is deleted later, so that each write changes something, and there is not ever more.
    writes = list(
        chain(*zip(inserts, deletes[-KEPT_WRITES:] + deletes[:-KEPT_WRITES], strict=True))
    )

    async def write_when_told() -> int:
        async with aio.insecure_channel(f"127.0.0.1:{port}") as channel:
            write = _writer(channel)
            await authorize(channel)(request(0, is_owner=True), timeout=300, wait_for_ready=True)
            for each in inserts[-KEPT_WRITES:]:
                await write(each, timeout=30)
            pipe.send("ready")
            assert pipe.recv() == "begin"
            return await _write_steadily(write, writes, seconds)

    with frozen():
        pipe.send(asyncio.run(write_when_told()))


def _steady_write(kind: str, number: int) -> bytes:
    """Return a write, as it is sent: one of the documents that are asked about has more viewers, or less."""
    first, document = number * FACTS_A_WRITE, entity("Document", PLANTED + number % PAIRS)
    facts = [{kind: _fact(first + more, document)} for more in range(FACTS_A_WRITE)]
    return WriteFactsRequest(writes=facts).SerializeToString()


def _writer(channel: aio.Channel) -> WriteFacts:
    """Return the call with a write as it is sent."""
    return channel.unary_unary(
        "/authz.v1.FactService/WriteFacts", response_deserializer=WriteFactsResponse.FromString
    )


async def _write_steadily(write: WriteFacts, writes: list[bytes], seconds: float) -> int:
    """Write and delete facts at a steady pace, several writes at a time; return how many there were."""
    running: list[asyncio.Task[int]] = []
    given = cycle(writes)
    start = due = time.perf_counter()
    async with asyncio.TaskGroup() as group:
        while due < start + seconds:
            due += FACTS_A_WRITE / FACTS_A_SECOND
            await asyncio.sleep(max(0.0, due - time.perf_counter()))
            running.append(group.create_task(_written(write, next(given))))
    return sum(task.result() for task in running)


async def _written(write: WriteFacts, facts: bytes) -> int:
    """Return how many facts the write inserted or deleted."""
    response = await write(facts, timeout=30)
    return sum(one.inserted + one.deleted for one in response.counts)


async def _ways(writing: int, answering: int, writes: int) -> list[float]:
    """Return how long it took until each of some writes at one port was seen at the other."""
    async with (
        aio.insecure_channel(f"127.0.0.1:{writing}") as to_write,
        aio.insecure_channel(f"127.0.0.1:{answering}") as to_ask,
    ):
        write, call = _writer(to_write), authorize(to_ask)
        return [await _seconds_until_seen(write, call, number) for number in range(writes)]


async def _seconds_until_seen(write: WriteFacts, call: Authorize, number: int) -> float:
    """Write one fact; return how long after the acknowledgement the other process answers by it."""
    fact = WriteFactsRequest(writes=[{"insert": _fact(WRITTEN + number, DOCUMENT)}])
    question = asked(entity("User", WRITTEN + number), DOCUMENT)
    await _written(write, fact.SerializeToString())
    start = time.perf_counter()
    while (await call(question, timeout=30)).decision != pb.DECISION_PERMIT:
        assert time.perf_counter() - start < GIVE_UP_SECONDS, "the write is never seen"
    return time.perf_counter() - start


DOCUMENT = entity("Document", PLANTED)


def _fact(user: int, document: Value) -> dict[str, object]:
    """Return that a user is a viewer, who may change the owner by the policy that is published."""
    args = [
        {"entity": {"type": "User", "id": entity("User", user).id}},
        {"text": "viewer"},
        {"entity": {"type": document.type, "id": document.id}},
    ]
    return {"predicate": "has_role", "args": args}


def _report(parts: Mapping[str, Part], seen: list[float]) -> None:
    written = parts["meanwhile"].facts_a_second
    print(f"{written:,.0f} facts a second were written\n")
    print(f"{'':68}{'CPU of a processor':>{8 * len(PROCESSES)}}")
    processes = "".join(f"{name:>8}" for name in PROCESSES)
    print(
        f"{'ms':14}{'checks':>9}{'errors':>9}{'p50':>9}{'p99':>9}{'p99.9':>9}{'most':>9}{processes}"
    )
    tails = {}
    for name, part in parts.items():
        times = [answer.nanoseconds for answer in part.load.answers]
        tails[name] = percentile(times, 99.9)
        cpu = (f"{part.cpu[one]:.0f} %" if one in part.cpu else "-" for one in PROCESSES)
        print(_line(name, times, len(part.load.errors)) + "".join(f"{one:>8}" for one in cpu))
    ways = [int(seconds * 1e9) for seconds in seen]
    print(_line("write to seen", ways, 0))
    print(
        f"\np99.9 while as much is written elsewhere / quiet {tails['elsewhere'] / tails['quiet']:.1f}"
    )
    times_quiet = tails["meanwhile"] / tails["quiet"]
    print_targets(
        [
            Target("errors", sum(len(part.load.errors) for part in parts.values()), 0),
            Target("p99.9 while another process writes / quiet", times_quiet, AT_MOST_TIMES),
            Target("p99 from acknowledged to seen", percentile(ways, 99) / 1000, AT_MOST_MS, "ms"),
        ]
    )


def _line(name: str, times: list[int], errors: int) -> str:
    shown = "".join(f"{percentile(times, p) / 1000:>9.2f}" for p in (50, 99, 99.9, 100))
    return f"{name:14}{len(times):>9,}{errors:>9}{shown}"


if __name__ == "__main__":
    main()
