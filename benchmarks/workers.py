"""Throughput of two workers beside one, in one run.

`authz serve` runs with one worker and with two, each on a database of its own, and is asked by the same two
processes over 8 connections each, in turns. Rounds alternate; what counts is the ratio. Those who ask share the
machine with those who answer, and perhaps with others: so the table says what both used of it, and how much a
second of the workers' CPU answers. If that is the same, cores are all that a second worker needs.

Two kinds of requests: single questions, whose cost is the transport, on both sides; and batches of 200, whose
cost is in the service.

    python benchmarks/workers.py [--seconds 4] [--rounds 3]
"""

import argparse
import asyncio
import json
import multiprocessing
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from authz.v1 import authorization_service_pb2 as pb
from grpc import aio

from authorize import load_demo

ASKERS = 2
CONNECTIONS = 8
UNDER_WAY = 4
BATCH = 200
ACTOR = {"type": "Employee", "id": "alice"}
RESOURCE = {"type": "SecuritySystem", "id": "s1"}
ONE = pb.AuthorizeRequest(actor=ACTOR, action="disarm", resource=RESOURCE)
MANY = pb.BatchAuthorizeRequest(
    questions=[pb.Question(actor=ACTOR, action="disarm", resource=RESOURCE)] * BATCH
)
KINDS = {"single": 1, f"batch of {BATCH}": BATCH}

_TICKS = os.sysconf("SC_CLK_TCK")


class Served(NamedTuple):
    """What was seen of a service in one round."""

    each_second: float
    cores: float
    asking_cores: float


class Service(NamedTuple):
    """A running `authz serve`, and its processes that answer."""

    target: str
    processes: list[int]

    def cpu_seconds(self) -> float:
        return sum(map(_cpu_seconds, self.processes))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=4)
    parser.add_argument("--rounds", type=int, default=3)
    arguments = parser.parse_args()
    with serving(1) as one, serving(2) as two:
        for kind in KINDS:
            compare(kind, {1: one, 2: two}, arguments.seconds, arguments.rounds)


def compare(kind: str, services: dict[int, Service], seconds: float, rounds: int) -> None:
    found: dict[int, list[Served]] = {workers: [] for workers in services}
    for _ in range(rounds):
        for workers, service in services.items():
            found[workers].append(measure(service, kind, seconds))
    for workers, served in found.items():
        each, cores, asking = map(statistics.median, zip(*served, strict=True))
        print(
            f"{kind:13} {workers} worker{'s' * (workers > 1):1} {each:10,.0f} decisions/s, "
            f"{cores:.2f} cores to answer, {asking:.2f} to ask; "
            f"{each / cores:9,.0f} for a second of CPU"
        )
    one, two = ([served.each_second for served in found[workers]] for workers in (1, 2))
    ratios = sorted(second / first for first, second in zip(one, two, strict=True))
    shown = ", ".join(f"{ratio:.2f}" for ratio in ratios)
    print(f"{kind:13} two answer {statistics.median(ratios):.2f} times what one does ({shown})")


def measure(service: Service, kind: str, seconds: float) -> Served:
    with multiprocessing.get_context("spawn").Pool(ASKERS) as askers:
        # The first time is for starting, and for what is compiled when it is first asked for.
        askers.starmap(ask, [(service.target, kind, 0.5)] * ASKERS, chunksize=1)
        before, began = service.cpu_seconds(), time.monotonic()
        answers = askers.starmap(ask, [(service.target, kind, seconds)] * ASKERS, chunksize=1)
        passed, used = time.monotonic() - began, service.cpu_seconds() - before
    asked = sum(number for number, _ in answers)
    asking = sum(cpu for _, cpu in answers)
    return Served(asked / passed, used / passed, asking / passed)


def ask(target: str, kind: str, seconds: float) -> tuple[int, float]:
    """Ask for `seconds`; return how many questions were answered, and the CPU seconds that it took to ask."""
    before = time.process_time()
    answered = asyncio.run(_ask(target, kind, seconds))
    return answered * KINDS[kind], time.process_time() - before


async def _ask(target: str, kind: str, seconds: float) -> int:
    end = time.monotonic() + seconds
    method, request = ("Authorize", ONE) if KINDS[kind] == 1 else ("BatchAuthorize", MANY)
    sent = request.SerializeToString()
    # Each with a connection of its own; that is what is spread over the workers.
    channels = [
        aio.insecure_channel(target, [("grpc.use_local_subchannel_pool", 1)])
        for _ in range(CONNECTIONS)
    ]
    path = f"/authz.v1.AuthorizationService/{method}"
    calls: list[aio.UnaryUnaryMultiCallable[bytes, bytes]] = [
        channel.unary_unary(path) for channel in channels
    ]
    answered = await asyncio.gather(
        *(_repeat(call, sent, end) for call in calls for _ in range(UNDER_WAY))
    )
    for channel in channels:
        await channel.close()
    return sum(answered)


async def _repeat(call: Callable[[bytes], Awaitable[bytes]], sent: bytes, end: float) -> int:
    answered = 0
    while time.monotonic() < end:
        await call(sent)
        answered += 1
    return answered


@contextmanager
def serving(workers: int) -> Iterator[Service]:
    """Run `authz serve` on the example of the security company."""
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-m", "authz_service", "serve", "--workers", str(workers)]
        options = ["--listen", "127.0.0.1:0", "--metrics-listen", "127.0.0.1:0"]
        database = ["--database-url", f"sqlite:///{folder}/bench.db"]
        with subprocess.Popen(command + options + database, stderr=subprocess.PIPE) as process:
            assert process.stderr is not None
            started = json.loads(next(line for line in process.stderr if b'"serving"' in line))
            target = f"127.0.0.1:{started['grpc_port']}"
            load_demo(target)
            yield Service(target, _children(process.pid) if workers > 1 else [process.pid])
            process.terminate()


def _children(process: int) -> list[int]:
    return [number for number in _running() if _stat(number)[1] == str(process)]


def _running() -> list[int]:
    return [int(path.name) for path in Path("/proc").iterdir() if path.name.isdigit()]


def _cpu_seconds(process: int) -> float:
    user, system = _stat(process)[11:13]
    return (int(user) + int(system)) / _TICKS


def _stat(process: int) -> list[str]:
    """Return what the system says about a process, from its state on; see proc(5)."""
    try:
        return Path(f"/proc/{process}/stat").read_text().rpartition(") ")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return ["", ""]


if __name__ == "__main__":
    main()
