"""What the writes of one process cost the questions at another, and when they are seen there.

Two processes serve one database with many facts. Questions come to the second one at a steady pace: first
while nothing is written, at last while 2,000 facts a second are written at the first one; latencies count from
when a question was due. In between as many are written into another database, at a third process: what that
costs the questions comes of the processors that all of them share, and nothing of following. Then single facts
are written at the first process, and the second one is asked about them, without any demand on consistency,
until it answers by them: that time counts from the acknowledgement.

    python benchmarks/following.py [--facts 100000] [--seconds 60] [--pace 4] [--writes 1000]
"""

import argparse
import asyncio
import contextlib
import tempfile
import time
from pathlib import Path

from authz.v1 import authorization_service_pb2 as pb
from authz.v1.fact_service_pb2 import WriteFactsRequest, WriteFactsResponse
from grpc import aio

from authz_service.engine.engines import Engine
from measures.comparison import percentile
from measures.targets import Target, print_targets
from publish_under_load import PLANTED, Authorize, Load, ask, authorize, fill, request, serving
from workloads.workload import entity

FACTS_A_SECOND = 2000
FACTS_A_WRITE = 20
AT_MOST_TIMES = 3
AT_MOST_MS = 50
GIVE_UP_SECONDS = 10

WriteFacts = aio.UnaryUnaryMultiCallable[WriteFactsRequest, WriteFactsResponse]

# Beyond the users that are asked about.
WRITTEN = 2 * PLANTED


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
        ports = [
            stack.enter_context(serving(served, Engine.COMPILED, Path(folder)))
            for served in (database, database, other)
        ]
        asyncio.run(_measure(ports, arguments.seconds, arguments.pace, arguments.writes))


async def _measure(ports: list[int], seconds: float, pace: float, writes: int) -> None:
    async with contextlib.AsyncExitStack() as channels:
        writing, answering, elsewhere = [
            await channels.enter_async_context(aio.insecure_channel(f"127.0.0.1:{port}"))
            for port in ports
        ]
        write = _writer(writing)
        question = authorize(answering)
        for call in map(authorize, (writing, answering, elsewhere)):
            await call(request(0, is_owner=True), timeout=300, wait_for_ready=True)
        load, stop = Load(), asyncio.Event()
        asking = asyncio.create_task(ask(question, load, pace, stop))
        await asyncio.sleep(1)
        load.taken()
        await asyncio.sleep(seconds)
        quiet = load.taken()
        await _write_steadily(_writer(elsewhere), seconds)
        aside = load.taken()
        written = await _write_steadily(write, seconds)
        meanwhile = load.taken()
        stop.set()
        await asking
        seen = [await _seconds_until_seen(write, question, number) for number in range(writes)]
    _report({"quiet": quiet, "elsewhere": aside, "meanwhile": meanwhile}, written / seconds, seen)


def _writer(channel: aio.Channel) -> WriteFacts:
    return channel.unary_unary(
        "/authz.v1.FactService/WriteFacts",
        request_serializer=WriteFactsRequest.SerializeToString,
        response_deserializer=WriteFactsResponse.FromString,
    )


async def _write_steadily(write: WriteFacts, seconds: float) -> int:
    """Write and delete facts at a steady pace, several writes at a time; return how many."""
    written = 0
    start = due = time.perf_counter()
    async with asyncio.TaskGroup() as group:
        while due < start + seconds:
            due += FACTS_A_WRITE / FACTS_A_SECOND
            await asyncio.sleep(max(0.0, due - time.perf_counter()))
            # What is written first is deleted later, so that there are not more and more.
            first = written // 2 % 10_000
            kind = "insert" if written // FACTS_A_WRITE % 2 == 0 else "delete"
            facts = [{kind: _fact(first + number)} for number in range(FACTS_A_WRITE)]
            group.create_task(_write(write, WriteFactsRequest(writes=facts)))
            written += FACTS_A_WRITE
    return written


async def _write(write: WriteFacts, facts: WriteFactsRequest) -> None:
    await write(facts, timeout=30)


async def _seconds_until_seen(write: WriteFacts, question: Authorize, number: int) -> float:
    """Write one fact; return how long after the acknowledgement the other process answers by it."""
    await _write(write, WriteFactsRequest(writes=[{"insert": _fact(WRITTEN + number)}]))
    start = time.perf_counter()
    asked = pb.AuthorizeRequest(
        actor={"type": "User", "id": entity("User", WRITTEN + number).id},
        action="change_owner",
        resource=_DOCUMENT,
    )
    while (await question(asked, timeout=30)).decision != pb.DECISION_PERMIT:
        assert time.perf_counter() - start < GIVE_UP_SECONDS, "the write is never seen"
    return time.perf_counter() - start


_DOCUMENT = {"type": "Document", "id": entity("Document", PLANTED).id}


def _fact(user: int) -> dict[str, object]:
    """Return that a user is a viewer, who may change the owner by the policy that is published."""
    args = [
        {"entity": {"type": "User", "id": entity("User", user).id}},
        {"text": "viewer"},
        {"entity": _DOCUMENT},
    ]
    return {"predicate": "has_role", "args": args}


def _report(loads: dict[str, Load], each_second: float, seen: list[float]) -> None:
    print(f"{each_second:,.0f} facts a second were written\n")
    percentiles = (50, 99, 99.9, 100)
    print(f"{'ms':14}{'checks':>9}{'errors':>9}{'p50':>9}{'p99':>9}{'p99.9':>9}{'most':>9}")
    tails = {}
    for name, load in loads.items():
        times = [answer.nanoseconds for answer in load.answers]
        tails[name] = percentile(times, 99.9)
        shown = "".join(f"{percentile(times, p) / 1000:>9.2f}" for p in percentiles)
        print(f"{name:14}{len(load.answers):>9,}{len(load.errors):>9}{shown}")
    ways = [int(seconds * 1e9) for seconds in seen]
    shown = "".join(f"{percentile(ways, p) / 1000:>9.2f}" for p in percentiles)
    print(f"{'write to seen':14}{len(seen):>9,}{0:>9}{shown}")
    print(
        f"\np99.9 while as much is written elsewhere / quiet {tails['elsewhere'] / tails['quiet']:.1f}"
    )
    times_quiet = tails["meanwhile"] / tails["quiet"]
    print_targets(
        [
            Target("errors", sum(len(load.errors) for load in loads.values()), 0),
            Target("p99.9 while another process writes / quiet", times_quiet, AT_MOST_TIMES),
            Target("p99 from acknowledged to seen", percentile(ways, 99) / 1000, AT_MOST_MS, "ms"),
        ]
    )


if __name__ == "__main__":
    main()
