"""Supervisor: the process above the workers, which serves nothing but their metrics, and has no facts.

Rule 1: the service starts when every worker can serve, or not at all. What keeps one from it is said once.
Rule 2: from then on a worker that ends is replaced, after a pause that grows while that happens again soon.
    that does not show life is ended, as new connections would still come to it.
Rule 3: what is to be done once for all workers, as publishing what is on disk, is ordered from one of them.
Rule 4: nothing of a request passes through here.
"""

import asyncio
import signal
import sys
import time
from collections.abc import Coroutine, Iterable, Sequence
from contextlib import ExitStack, suppress
from typing import Any, TypeVar

import structlog

from authz_service.errors import AuthzError, PreparationFailed, StoreUnavailable
from authz_service.facts.policy_text import PolicyFile
from authz_service.http.group import GroupCollector, WorkerReport
from authz_service.http.metrics import MetricsServer
from authz_service.pap.administration import PolicyPublished
from authz_service.server.app import (
    ListenFailed,
    Ports,
    StoredPolicyInvalid,
    listen_failed,
    serve_metrics,
    split_address,
)
from authz_service.server.channel import (
    Beat,
    Collect,
    Listen,
    Load,
    Order,
    Publish,
    WorkerGone,
)
from authz_service.server.follow import PolicyFollower
from authz_service.server.reserved_port import ReservedPort
from authz_service.server.worker_process import WorkerProcess
from authz_service.settings import Settings
from authz_service.store.dialect import is_shared, open_engine

T = TypeVar("T")

_FIRST_PAUSE_SECONDS = 0.1
_LONGEST_PAUSE_SECONDS = 30.0
_CALM_SECONDS = 60.0
"""A worker that has served for so long is replaced like one that ends for the first time."""

_BEAT_SECONDS = 3.0
_BEATS_MISSED = 2
"""One may be missed because it is this process that was held up."""

_COLLECT_SECONDS = 1.0
_SCRAPE_SECONDS = 5.0

# Beyond the time for running requests: writes that have begun are carried through, the store is closed.
_CLOSING_SECONDS = 10.0

_log = structlog.get_logger("authz.supervisor")


class WorkersFailed(Exception):
    """The workers cannot start, or did not end, for a reason that none of them could tell."""


class _Place:
    """The place of one worker, which one process after the other has."""

    def __init__(self, number: int, settings: Settings) -> None:
        self.number = number
        self.restarts = 0
        self.is_listening = False
        self._settings = settings
        self._process: WorkerProcess | None = None
        self._pause = _FIRST_PAUSE_SECONDS

    async def load(self) -> None:
        """Start a process and have it load. Raises what keeps it from that."""
        try:
            self._process = await WorkerProcess.started()
        except OSError as error:
            raise WorkersFailed(f"worker {self.number} cannot be started: {error}") from error
        await self._prepare(Load(self.number, self._settings))

    async def listen(self) -> None:
        """Have it serve what it loaded. Raises what keeps it from that."""
        await self._prepare(Listen())
        self.is_listening = True
        _log.info("worker ready", worker=self.number, pid=self._running.id)

    async def keep(self) -> None:
        """Replace the process whenever it has ended, for ever."""
        while True:
            began = time.monotonic()
            how = await self._end_of_process()
            self.is_listening = False
            if time.monotonic() - began > _CALM_SECONDS:
                self._pause = _FIRST_PAUSE_SECONDS
            _log.warning("worker ended", worker=self.number, how=how)
            while not await self._is_replaced():
                pass

    async def ask(self, order: Order[T]) -> T:
        """Return what the worker answers. Raises the error that it answers with, and WorkerGone."""
        return await self._running.ask(order)

    async def report(self) -> WorkerReport:
        """Say how the worker is, soon, whatever that is."""
        restarts, families = self.restarts, None
        with suppress(TimeoutError, WorkerGone):
            async with asyncio.timeout(_COLLECT_SECONDS):
                families = await self.ask(Collect())
        return WorkerReport(self.number, restarts, self.is_listening, families)

    def terminate(self) -> None:
        """Ask the process to end: in its own time if it serves, at once if it does not."""
        if self._process is not None:
            self._process.terminate()

    async def ended(self) -> None:
        if self._process is not None:
            await self._process.ended()

    async def close(self) -> None:
        """End the process at once, if it has not ended."""
        if self._process is not None:
            await self._process.close()

    @property
    def _running(self) -> WorkerProcess:
        if self._process is None:
            raise WorkerGone
        return self._process

    async def _prepare(self, order: Order[None]) -> None:
        try:
            await self.ask(order)
        except WorkerGone:
            how = await self._running.ended()
            raise WorkersFailed(
                f"worker {self.number} ended before it could serve ({how}); "
                "what it wrote before that says why"
            ) from None

    async def _end_of_process(self) -> str:
        """Wait for the end of the process, and bring it about if it shows no life; say what it was."""
        end = asyncio.create_task(self._running.ended())
        missed = 0
        try:
            while not end.done():
                missed = 0 if await self._beats() else missed + 1
                if missed == _BEATS_MISSED:
                    _log.error("worker does not answer", worker=self.number)
                    await self._running.close()
                await asyncio.wait([end], timeout=_BEAT_SECONDS)
            return end.result()
        finally:
            end.cancel()

    async def _beats(self) -> bool:
        try:
            async with asyncio.timeout(_BEAT_SECONDS):
                await self.ask(Beat())
        except (TimeoutError, WorkerGone):
            return False
        return True

    async def _is_replaced(self) -> bool:
        """After a pause, try to put another process in the place; say whether it serves."""
        await asyncio.sleep(self._pause)
        self._pause = min(2 * self._pause, _LONGEST_PAUSE_SECONDS)
        await self._running.close()
        self.restarts += 1
        try:
            await self.load()
            await self.listen()
        except (AuthzError, StoredPolicyInvalid, ListenFailed, WorkersFailed) as error:
            cause = error.message if isinstance(error, AuthzError) else str(error)
            _log.error("worker not replaced", worker=self.number, cause=cause)
            return False
        return True


class Supervisor:
    """Several workers on one port: `start` once, then `stop` once."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._open = ExitStack()
        self.places: list[_Place] = []

    async def start(self, follower: PolicyFollower | None) -> Ports:
        """Have all workers serve. Raises what keeps any of them from it."""
        _require_shared(self._settings.database_url)
        grpc_port = self._reserve_port()
        metrics = self._serve_metrics()
        host, _ = split_address(self._settings.listen)
        address = f"[{host}]:{grpc_port}" if ":" in host else f"{host}:{grpc_port}"
        settings = self._settings.model_copy(update={"listen": address})
        self.places = [_Place(number, settings) for number in range(settings.workers)]
        await _all(place.load() for place in self.places)
        if follower is not None:
            await follower.begin(self.publish)
        await _all(place.listen() for place in self.places)
        return Ports(grpc_port, metrics.port)

    async def stop(self) -> None:
        """Have all workers let running requests end within `shutdown_seconds`. Raises WorkersFailed."""
        _log.info("stopping")
        for place in self.places:
            place.terminate()
        try:
            async with asyncio.timeout(self._settings.shutdown_seconds + _CLOSING_SECONDS):
                await asyncio.gather(*(place.ended() for place in self.places))
        except TimeoutError:
            raise WorkersFailed("a worker did not end in time and was killed") from None
        finally:
            for place in self.places:
                await place.close()
            await asyncio.to_thread(self._open.close)
        _log.info("stopped")

    async def publish(self, files: Sequence[PolicyFile]) -> PolicyPublished:
        """Have one worker make `files` the active policy. Raises what it raises, and PreparationFailed."""
        place = next((place for place in self.places if place.is_listening), self.places[0])
        try:
            return await place.ask(Publish(files))
        except WorkerGone:
            # Not asked of the next one: a policy that a worker died of would end all of them.
            raise PreparationFailed(
                f"worker {place.number}, which was to publish the policy, ended; try again"
            ) from None

    async def reports(self) -> Sequence[WorkerReport]:
        return await asyncio.gather(*(place.report() for place in self.places))

    def _reserve_port(self) -> int:
        if sys.platform != "linux":
            raise ListenFailed("only Linux spreads connections over --workers; leave it out")
        try:
            port = ReservedPort(*split_address(self._settings.listen))
        except OSError as error:
            raise listen_failed(self._settings.listen, "listen") from error
        return self._open.enter_context(port).port

    def _serve_metrics(self) -> MetricsServer:
        loop = asyncio.get_running_loop()

        def ask() -> Sequence[WorkerReport]:
            return asyncio.run_coroutine_threadsafe(self.reports(), loop).result(_SCRAPE_SECONDS)

        metrics = serve_metrics(self._settings.metrics_listen, GroupCollector(ask))
        self._open.callback(metrics.close)
        return metrics


async def supervise(settings: Settings, follower: PolicyFollower | None = None) -> None:
    """Serve with several workers until SIGTERM or SIGINT; as `serve` does with one, with the same errors.

    Raises WorkersFailed, too.
    """
    stopped = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stopped.set)
    supervisor = Supervisor(settings)
    try:
        ports = await _unless(stopped, supervisor.start(follower))
        if ports is None:
            return
        workers = settings.workers
        _log.info("serving", grpc_port=ports.grpc, metrics_port=ports.metrics, workers=workers)
        async with asyncio.TaskGroup() as tasks:
            keeping = [tasks.create_task(place.keep()) for place in supervisor.places]
            if follower is not None:
                tasks.create_task(follower.follow(supervisor.publish, stopped))
            await stopped.wait()
            for one in keeping:
                one.cancel()
    finally:
        await supervisor.stop()


async def _unless(stopped: asyncio.Event, work: Coroutine[Any, Any, T]) -> T | None:
    """Return what `work` does, or None when it was given up because `stopped` was set before."""
    working, stopping = asyncio.create_task(work), asyncio.create_task(stopped.wait())
    try:
        await asyncio.wait([working, stopping], return_when=asyncio.FIRST_COMPLETED)
        return await working if working.done() else None
    finally:
        working.cancel()
        stopping.cancel()
        await asyncio.wait([working, stopping])


async def _all(works: Iterable[Coroutine[Any, Any, None]]) -> None:
    """Do all at a time. Raises what the first one raises that fails; the others are given up."""
    try:
        async with asyncio.TaskGroup() as tasks:
            for work in works:
                tasks.create_task(work)
    except ExceptionGroup as group:
        raise group.exceptions[0] from None


def _require_shared(database_url: str) -> None:
    if not is_shared(open_engine(database_url)):
        raise StoreUnavailable(
            "a database in memory belongs to one process; leave out --workers, or give a file with "
            "--database-url"
        )
