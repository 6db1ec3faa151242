"""What clients notice of policies that are published while they ask.

A real server with many facts answers clients that ask at a steady pace: first while nothing else happens,
then while policies are published one after the other, some of them thousands of lines long. The policies
take turns in whom they permit, so that each answer must be the one that its `policy_version` implies: an
answer of one version that claims another one shows. Latencies count from when a question was due.

    python benchmarks/publish_under_load.py [--facts 100000] [--seconds 20] [--pace 10] [--engine ENGINE]
"""

import argparse
import asyncio
import contextlib
import os
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from itertools import cycle
from pathlib import Path
from typing import NamedTuple

import authz
from authz.v1 import authorization_service_pb2 as pb
from grpc import aio

from authz_service.engine.engines import Engine
from authz_service.facts.change import Insert, WriteRequest
from authz_service.facts.fact import Fact
from authz_service.facts.policy_text import PolicyFile
from authz_service.facts.value import Value
from authz_service.store.fact_store import FactStore
from measures.comparison import percentile
from measures.targets import Target, print_targets
from workloads import gdrive
from workloads.workload import entity, has_role, scaled, store

CLIENTS = 4
PAIRS = 100
TYPES = 400
AT_MOST_TIMES = 3
# Beyond what random stores hold.
PLANTED = 10**9

_RULE = '  "change_owner" if "owner";\n'


Authorize = aio.UnaryUnaryMultiCallable[bytes, pb.AuthorizeResponse]
"""A call with a question as it is sent."""


class _Question(NamedTuple):
    """What is sent, and who asks it."""

    is_owner: bool
    message: bytes


class Answered(NamedTuple):
    """One answer: who asked, what the answer claims, and how long it took."""

    is_owner: bool
    policy_version: int
    permitted: bool
    nanoseconds: int


class Load:
    """What the clients have seen so far."""

    def __init__(self) -> None:
        self.answers: list[Answered] = []
        self.errors: list[str] = []

    def taken(self) -> "Load":
        """Return what was seen, and begin anew."""
        taken = Load()
        taken.answers, self.answers = self.answers, []
        taken.errors, self.errors = self.errors, []
        return taken


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--facts", type=int, default=100_000)
    parser.add_argument("--seconds", type=float, default=20.0, help="of each of the two parts")
    parser.add_argument("--pace", type=float, default=10.0, help="milliseconds between questions")
    parser.add_argument("--engine", type=Engine, choices=list(Engine), default=Engine.COMPILED)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        database = f"sqlite:///{folder}/bench.db"
        print(f"{fill(database, arguments.facts):,} facts")
        with serving(database, arguments.engine, Path(folder)) as port:
            asyncio.run(_measure(port, arguments.seconds, arguments.pace))


def policies() -> tuple[str, str, str, str]:
    """Return texts that permit owners and viewers by turns; the last two are big."""
    owners = gdrive.FIXED.text("polar")
    assert _RULE in owners
    viewers = owners.replace(_RULE, '  "change_owner" if "viewer";\n')
    return owners, viewers, owners + _more(), viewers + _more()


def _more() -> str:
    """Return many types with rules of their own that play no part in the questions."""
    return "".join(
        f"""
resource Thing{number} {{
  roles = ["owner", "editor", "viewer"];
  permissions = ["read", "write"];
  relations = {{ parent: Thing{number}, folder: Folder }};

  "viewer" if "editor";
  "editor" if "owner";
  role if role on "parent";
  "read" if "viewer" or "view" on "folder";
  "write" if "editor";
}}
"""
        for number in range(TYPES)
    )


def fill(database: str, number: int) -> int:
    """Write about `number` facts and the first policy into a new database."""
    facts = list(store(gdrive.FIXED, scaled(gdrive.FIXED, number), seed=0).facts)
    facts += [fact for pair in range(PAIRS) for fact in _pair(pair)]
    opened = FactStore.open(database)
    opened.publish("default", (PolicyFile("policy.polar", policies()[1]),), datetime.now(UTC))
    opened.write("default", WriteRequest([Insert(fact) for fact in facts]))
    opened.close()
    return len(facts)


def _pair(number: int) -> tuple[Fact, Fact]:
    """Return an owner and a viewer of one document."""
    owner, viewer = _user(number, is_owner=True), _user(number, is_owner=False)
    document = entity("Document", PLANTED + number)
    return has_role(owner, "owner", document), has_role(viewer, "viewer", document)


def _user(number: int, *, is_owner: bool) -> Value:
    return entity("User", PLANTED + 2 * number + is_owner)


@contextlib.contextmanager
def serving(database: str, engine: Engine, folder: Path) -> Iterator[int]:
    """Run `authz serve` in a process of its own, and yield its port."""
    with serving_process(database, engine, folder) as (port, _):
        yield port


@contextlib.contextmanager
def serving_process(database: str, engine: Engine, folder: Path) -> Iterator[tuple[int, int]]:
    """Run `authz serve` in a process of its own, and yield its port, and the number of the process."""
    port = _free_port()
    environment = {
        "AUTHZ_DATABASE_URL": database,
        "AUTHZ_LISTEN": f"127.0.0.1:{port}",
        "AUTHZ_METRICS_LISTEN": f"127.0.0.1:{_free_port()}",
        "AUTHZ_ENGINE": engine.value,
        "AUTHZ_LOG_LEVEL": "error",
    }
    command = [sys.executable, "-m", "authz_service", "serve"]
    with subprocess.Popen(command, env=environment, cwd=folder) as server:
        try:
            yield port, server.pid
        finally:
            server.terminate()


def cpu_seconds(process: int) -> float:
    """Return the CPU that a process has taken."""
    user, system = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[11:13]
    return (int(user) + int(system)) / os.sysconf("SC_CLK_TCK")


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


async def _measure(port: int, seconds: float, pace: float) -> None:
    load = Load()
    async with contextlib.AsyncExitStack() as channels:
        target = f"127.0.0.1:{port}"
        # Without an argument of its own each channel would share one connection.
        calls = [
            authorize(
                await channels.enter_async_context(
                    aio.insecure_channel(target, [("authz.channel", number)])
                )
            )
            for number in range(CLIENTS)
        ]
        await calls[0](request(0, is_owner=True), timeout=300, wait_for_ready=True)
        publisher = await channels.enter_async_context(authz.AsyncClient(target, timeout=300))
        stop = asyncio.Event()
        asking = asyncio.gather(*(ask(call, load, pace, stop) for call in calls))
        await asyncio.sleep(1)
        load.taken()
        await asyncio.sleep(seconds)
        quiet = load.taken()
        published = await _publish(publisher, seconds)
        stop.set()
        await asking
        meanwhile = load.taken()
    _report(quiet, meanwhile, published)


def authorize(channel: aio.Channel) -> Authorize:
    """Return the call itself, as the client would try again after an error."""
    return channel.unary_unary(
        "/authz.v1.AuthorizationService/Authorize",
        response_deserializer=pb.AuthorizeResponse.FromString,
    )


async def ask(authorize: Authorize, load: Load, pace: float, stop: asyncio.Event) -> None:
    """Ask at a steady pace, whether or not the answers keep up; wait for the last ones."""
    questions = cycle(
        [
            _Question(is_owner, request(pair, is_owner=is_owner))
            for pair in range(PAIRS)
            for is_owner in (False, True)
        ]
    )
    due = time.perf_counter_ns()
    async with asyncio.TaskGroup() as group:
        while not stop.is_set():
            due += int(pace * 1e6)
            await asyncio.sleep(max(0, due - time.perf_counter_ns()) / 1e9)
            group.create_task(_ask_once(authorize, next(questions), due, load))


async def _ask_once(authorize: Authorize, question: _Question, due: int, load: Load) -> None:
    try:
        response = await authorize(question.message, timeout=30)
    except aio.AioRpcError as error:
        load.errors.append(f"{error.code()}: {error.details()}")
        return
    permitted = response.decision == pb.DECISION_PERMIT
    taken = time.perf_counter_ns() - due
    load.answers.append(Answered(question.is_owner, response.policy_version, permitted, taken))


def request(pair: int, *, is_owner: bool) -> bytes:
    """Return the question whether one of a pair may change the owner of their document."""
    return asked(_user(pair, is_owner=is_owner), entity("Document", PLANTED + pair))


def asked(user: Value, document: Value) -> bytes:
    """Return the question whether `user` may change the owner of `document`, as it is sent."""
    return pb.AuthorizeRequest(
        actor={"type": user.type, "id": user.id},
        action="change_owner",
        resource={"type": document.type, "id": document.id},
    ).SerializeToString()


async def _publish(client: authz.AsyncClient, seconds: float) -> list[float]:
    """Publish policies by turns until `seconds` are over; return how long each took."""
    texts = policies()
    took: list[float] = []
    end = time.monotonic() + seconds
    # Version 1, which is active, permits viewers. From then on they take turns, owners first.
    while time.monotonic() < end or len(took) < len(texts):
        start = time.monotonic()
        await client.publish_policy({"policy.polar": texts[len(took) % len(texts)]})
        took.append(time.monotonic() - start)
        await asyncio.sleep(0.2)
    return took


def _implied(answer: Answered) -> bool:
    """Say what an answer must be: even versions permit owners, odd ones viewers."""
    return answer.is_owner is (answer.policy_version % 2 == 0)


def _report(quiet: Load, meanwhile: Load, published: list[float]) -> None:
    texts = policies()
    lines = " and ".join(f"{len(text.splitlines()):,}" for text in (texts[0], texts[-1]))
    print(f"{len(published)} policies published, of {lines} lines,", end=" ")
    print(f"each within {max(published):.1f} s; {CLIENTS} clients\n")
    print(f"{'':14}{'checks':>9}{'errors':>9}{'mixed':>9}{'p50 ms':>9}{'p99 ms':>9}{'most ms':>9}")
    for name, load in (("quiet", quiet), ("meanwhile", meanwhile)):
        times = _times(load)
        print(f"{name:14}{len(load.answers):>9,}{len(load.errors):>9}{_mixed(load):>9}", end="")
        shown = (percentile(times, 50), percentile(times, 99), percentile(times, 100))
        print("".join(f"{microseconds / 1000:>9.2f}" for microseconds in shown))
    for error in sorted(set(quiet.errors + meanwhile.errors)):
        print(error)
    versions = len({answer.policy_version for answer in meanwhile.answers})
    print(f"\nanswers by {versions} versions were seen meanwhile")
    ratios = [percentile(_times(meanwhile), p) / percentile(_times(quiet), p) for p in (50, 99)]
    print_targets(
        [
            Target("errors", len(quiet.errors) + len(meanwhile.errors), 0),
            Target("mixed answers", _mixed(quiet) + _mixed(meanwhile), 0),
            Target("p50 while publishing / quiet", ratios[0], AT_MOST_TIMES),
            Target("p99 while publishing / quiet", ratios[1], AT_MOST_TIMES),
        ]
    )


def _times(load: Load) -> list[int]:
    return [answer.nanoseconds for answer in load.answers]


def _mixed(load: Load) -> int:
    return sum(answer.permitted is not _implied(answer) for answer in load.answers)


if __name__ == "__main__":
    main()
