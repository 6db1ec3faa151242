"""A real server over a real port for each test that asks for `service`; how Hypothesis looks for examples."""

import asyncio
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import authz
import grpc
import pytest
from hypothesis import HealthCheck, settings

from authz_service.engine.engines import Engine
from authz_service.server.app import Server
from authz_service.server.log import log_to_stderr
from authz_service.settings import LogLevel, Settings


@dataclass
class Service:
    """A running server, a client of it and a bare channel to it."""

    target: str
    metrics_port: int
    client: authz.Client
    channel: grpc.Channel
    stop: Callable[[], None]
    """Stops the server, as a signal would."""


log_to_stderr(LogLevel.ERROR)

# How long examples take is measured where nothing else runs; on a busy machine it fails tests of what is right.
settings.register_profile("untimed", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("untimed")


class ServerThread:
    """Runs a server in an event loop of its own thread."""

    def __init__(self, **settings: object) -> None:
        values = {"listen": "127.0.0.1:0", "metrics_listen": "127.0.0.1:0", **settings}
        self._settings = Settings(**values)
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever)
        self._thread.start()
        self.ports = self._run(self._start())

    async def _start(self):
        self._server = Server(self._settings)
        await self._server.load()
        return await self._server.start()

    def _run(self, work):
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(timeout=20)

    def stop(self) -> None:
        if self._loop.is_closed():
            return
        self._run(self._server.stop())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()


@contextmanager
def servers(folder: Path) -> Iterator:
    """Yield a function that starts servers on a database in `folder`; stop them all at the end."""
    running: list[tuple[ServerThread, Service]] = []

    def start_server(**settings: object) -> Service:
        settings = {"database_url": f"sqlite:///{folder / 'authz.db'}", **settings}
        server = ServerThread(**settings)
        target = f"127.0.0.1:{server.ports.grpc}"
        service = Service(
            target,
            server.ports.metrics,
            authz.Client(target, timeout=10),
            grpc.insecure_channel(target),
            server.stop,
        )
        running.append((server, service))
        return service

    yield start_server
    for server, service in running:
        service.client.close()
        service.channel.close()
        server.stop()


@pytest.fixture
def start(tmp_path: Path) -> Iterator:
    with servers(tmp_path) as start_server:
        yield start_server


@pytest.fixture(scope="module")
def shared(tmp_path_factory) -> Iterator[Service]:
    """One server for all tests of a module; none of them changes its policy or its facts."""
    with servers(tmp_path_factory.mktemp("shared")) as start_server:
        yield start_server()


@pytest.fixture
def service(start) -> Service:
    return start()


@pytest.fixture(params=[engine.value for engine in Engine])
def engine(request) -> Engine:
    return Engine(request.param)
