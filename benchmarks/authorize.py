"""CPU of the server for each Authorize, beside an empty `grpc.aio` echo.

Both servers run in processes of their own and are asked by the same generator: `--questions` requests
over 4 channels with 8 requests under way on each. What counts is the CPU time of the server process, as
the ratio of the two in one run; wall-clock time on a shared machine says little. Rounds alternate.

    python benchmarks/authorize.py [--engine reference|oso] [--questions 2000] [--rounds 3]
"""

import argparse
import asyncio
import multiprocessing
import resource
import statistics
import tempfile
from collections.abc import Awaitable, Callable
from functools import partial
from multiprocessing.connection import Connection
from pathlib import Path

import authz
from authz.v1 import authorization_service_pb2 as pb
from authz.v1.authorization_service_pb2_grpc import (
    AuthorizationServiceServicer,
    add_AuthorizationServiceServicer_to_server,
)
from grpc import aio

from authz_service.engine.engines import Engine
from authz_service.server.app import Server
from authz_service.server.log import log_to_stderr
from authz_service.settings import LogLevel, Settings

POLICY = Path(__file__).parent.parent / "policies" / "security_company"
CHANNELS = 4
UNDER_WAY = 8


class Echo(AuthorizationServiceServicer):
    """The floor: answers at once, looking at nothing."""

    async def Authorize(  # noqa: N802
        self,
        request: pb.AuthorizeRequest,  # noqa: ARG002
        context: object,  # noqa: ARG002
    ) -> pb.AuthorizeResponse:
        return pb.AuthorizeResponse(decision=pb.DECISION_DENY)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--engine", type=Engine, choices=list(Engine), default=Engine.COMPILED)
    parser.add_argument("--questions", type=int, default=2000)
    parser.add_argument("--rounds", type=int, default=3)
    arguments = parser.parse_args()
    echo, service = _Process(_run_echo, None), _Process(_run_service, arguments.engine)
    load_demo(f"127.0.0.1:{service.port}")
    costs: dict[str, list[float]] = {"echo": [], "authorize": []}
    for _ in range(arguments.rounds):
        for name, process in (("echo", echo), ("authorize", service)):
            costs[name].append(measure(process, arguments.questions))
    for name, values in costs.items():
        each = ", ".join(f"{value:.0f}" for value in values)
        print(f"{name:10} {statistics.median(values):8.0f} µs of CPU each (rounds: {each})")
    ratio = statistics.median(costs["authorize"]) / statistics.median(costs["echo"])
    print(f"engine {arguments.engine.value}: an Authorize costs {ratio:.1f} times an empty echo")
    echo.stop()
    service.stop()


def load_demo(target: str) -> None:
    with authz.Client(target, timeout=10) as client:
        client.publish_policy({"policy.polar": (POLICY / "policy.polar").read_text()})
        client.write_facts(insert=authz.parse_facts((POLICY / "facts.txt").read_text()))


def measure(process: "_Process", questions: int) -> float:
    """Return the CPU microseconds that the server spends on each of `questions`."""
    asyncio.run(_ask(process.port, questions // 10))
    before = process.cpu_seconds()
    asyncio.run(_ask(process.port, questions))
    return (process.cpu_seconds() - before) / questions * 1e6


async def _ask(port: int, questions: int) -> None:
    request = pb.AuthorizeRequest(
        actor={"type": "Employee", "id": "alice"},
        action="disarm",
        resource={"type": "SecuritySystem", "id": "s1"},
    )
    share = max(1, questions // (CHANNELS * UNDER_WAY))
    async with asyncio.TaskGroup() as group:
        for number in range(CHANNELS):
            # Without an argument of its own each channel would share one connection.
            channel = aio.insecure_channel(f"127.0.0.1:{port}", [("authz.channel", number)])
            call = channel.unary_unary(
                "/authz.v1.AuthorizationService/Authorize",
                request_serializer=pb.AuthorizeRequest.SerializeToString,
                response_deserializer=pb.AuthorizeResponse.FromString,
            )
            for _ in range(UNDER_WAY):
                group.create_task(_repeat(partial(call, request), share))


async def _repeat(call: Callable[[], Awaitable[object]], times: int) -> None:
    for _ in range(times):
        await call()


class _Process:
    """A server in a process of its own that tells its CPU time when asked."""

    def __init__(
        self, run: Callable[[Connection, Engine | None], None], engine: Engine | None
    ) -> None:
        self._pipe, theirs = multiprocessing.Pipe()
        context = multiprocessing.get_context("spawn")
        self._process = context.Process(target=run, args=(theirs, engine), daemon=True)
        self._process.start()
        self.port: int = self._pipe.recv()

    def cpu_seconds(self) -> float:
        self._pipe.send("cpu")
        seconds: float = self._pipe.recv()
        return seconds

    def stop(self) -> None:
        self._pipe.send("stop")
        self._process.join()


def _run_echo(pipe: Connection, _engine: Engine | None) -> None:
    async def run() -> None:
        server = aio.server()
        # Nothing but Authorize is asked.
        add_AuthorizationServiceServicer_to_server(Echo(), server)  # type: ignore[abstract]
        port = server.add_insecure_port("127.0.0.1:0")
        await server.start()
        await _serve_pipe(pipe, port)
        await server.stop(0)

    asyncio.run(run())


def _run_service(pipe: Connection, engine: Engine | None) -> None:
    async def run() -> None:
        with tempfile.TemporaryDirectory() as folder:
            settings = Settings(
                database_url=f"sqlite:///{folder}/bench.db",
                listen="127.0.0.1:0",
                metrics_listen="127.0.0.1:0",
                engine=engine or Engine.COMPILED,
            )
            log_to_stderr(LogLevel.ERROR)
            server = Server(settings)
            await server.load()
            ports = await server.start()
            await _serve_pipe(pipe, ports.grpc)
            await server.stop()

    asyncio.run(run())


async def _serve_pipe(pipe: Connection, port: int) -> None:
    pipe.send(port)
    while await asyncio.to_thread(pipe.recv) == "cpu":
        usage = resource.getrusage(resource.RUSAGE_SELF)
        pipe.send(usage.ru_utime + usage.ru_stime)


if __name__ == "__main__":
    main()
