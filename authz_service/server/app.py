"""The server from start to stop: build, load, serve, drain.

Readiness is the gRPC health of each service. PolicyService and StoreService serve from the start; the others,
and the server as a whole (the empty name), while some store has a policy to decide by, and the copy in
memory is fresh enough to decide at all.
"""

import asyncio
import signal
import sys
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta
from functools import partial

import structlog
from authz.v1 import (
    authorization_service_pb2,
    fact_service_pb2,
    policy_service_pb2,
    store_service_pb2,
)
from authz.v1.authorization_service_pb2_grpc import add_AuthorizationServiceServicer_to_server
from authz.v1.fact_service_pb2_grpc import add_FactServiceServicer_to_server
from authz.v1.policy_service_pb2_grpc import add_PolicyServiceServicer_to_server
from authz.v1.store_service_pb2_grpc import add_StoreServiceServicer_to_server
from grpc import aio
from grpc_health.v1 import health, health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection
from prometheus_client.registry import Collector

from authz_service.engine.engines import LoadedPolicy
from authz_service.errors import AuthzError, StoreUnavailable
from authz_service.facts.policy_text import PolicyFile
from authz_service.http.metrics import MetricsServer, ServerCollector
from authz_service.pap.administration import PolicyAdministrationPoint, PolicyPublished
from authz_service.pdp.consistency import Freshness
from authz_service.pdp.decide import PolicyDecisionPoint
from authz_service.pdp.explain import Explanations
from authz_service.pdp.lists import Lists
from authz_service.pdp.queries import Queries
from authz_service.polar.diagnostic import PolicyInvalid
from authz_service.replica.follower import Follower
from authz_service.replica.past import PastStates
from authz_service.replica.replica import Replica
from authz_service.replica.trimming import keep_trimmed
from authz_service.server.authorization_service import AuthorizationService
from authz_service.server.boundary import Boundary
from authz_service.server.codec import DEFAULT_STORE
from authz_service.server.fact_service import FactService
from authz_service.server.follow import PolicyFollower
from authz_service.server.garbage import collect_a_little, uncollected
from authz_service.server.lists import ListRpcs
from authz_service.server.moments import Moments
from authz_service.server.pause import has_stopped
from authz_service.server.policy_service import PolicyService
from authz_service.server.prepare import failed_tests, made_elsewhere, prepared
from authz_service.server.snapshots import keep_checkpoint, keep_snapshot_file
from authz_service.server.store_service import StoreService
from authz_service.server.upkeep import UPKEEP_SECONDS, Upkeep
from authz_service.server.watchdog import Watchdog, end_process
from authz_service.settings import Settings
from authz_service.store.fact_store import FactStore
from authz_service.telemetry import Telemetry

AUTHORIZATION = authorization_service_pb2.DESCRIPTOR.services_by_name[
    "AuthorizationService"
].full_name
FACTS = fact_service_pb2.DESCRIPTOR.services_by_name["FactService"].full_name
POLICIES = policy_service_pb2.DESCRIPTOR.services_by_name["PolicyService"].full_name
STORES = store_service_pb2.DESCRIPTOR.services_by_name["StoreService"].full_name
SERVICES = (AUTHORIZATION, FACTS, POLICIES, STORES)

_SERVING = health_pb2.HealthCheckResponse.SERVING
_NOT_SERVING = health_pb2.HealthCheckResponse.NOT_SERVING

# A thread that computes gives the lock away after so long. The default of 5 ms is what a question would wait
# for each time while a policy is prepared. With much less, threads hand the lock to others that a busy system
# lets wait: with 0.1 ms the slowest questions beside writes took twice as long.
_SWITCH_SECONDS = 0.0005

_HEALTH_SECONDS = 0.25

# So long after its time requests may come to an end by themselves.
_LEAVING_SECONDS = 5.0

_log = structlog.get_logger("authz.server")


@dataclass(frozen=True, slots=True)
class Ports:
    """Where a running server listens; useful when port 0 asked for any free one.

    A worker has none for metrics, 0.
    """

    grpc: int
    metrics: int


class ListenFailed(Exception):
    """The address cannot be listened on."""


class StoredPolicyInvalid(Exception):
    """A policy in the store does not compile (any more), so nothing can be decided by it."""

    def __init__(self, cause: PolicyInvalid) -> None:
        super().__init__("the stored policy does not compile")
        self.cause = cause

    def __reduce__(self) -> tuple[type["StoredPolicyInvalid"], tuple[PolicyInvalid]]:
        return type(self), (self.cause,)


class Server:
    """One serving process: `start` once, then `stop` once.

    One of several workers shares its port with the others, and does not serve what its `collector` has.
    """

    def __init__(self, settings: Settings, *, is_worker: bool = False) -> None:
        self._settings = settings
        self._is_worker = is_worker
        self._telemetry = Telemetry()
        self._health = health.aio.HealthServicer()
        load_policy = prepared(settings.engine)
        self._store = FactStore.open(
            settings.database_url,
            keys_kept=timedelta(hours=settings.idempotency_hours),
            may_be_away=settings.snapshot_file is not None,
            read_database_urls=settings.read_database_urls,
        )
        self._replica: Replica[LoadedPolicy] = Replica(
            self._store,
            lambda files: load_policy(files, self._goes_on),
            lambda loaded: loaded.program.demand,
        )
        self._pdp = PolicyDecisionPoint(
            self._replica,
            evaluation_steps=settings.evaluation_steps,
            max_staleness=settings.max_staleness_seconds,
        )
        self._lists = Lists(self._pdp.long_work, list_steps=settings.list_steps)
        self._queries = Queries(self._pdp.long_work, query_steps=settings.query_steps)
        self._explanations = Explanations(
            self._pdp.long_work, evaluation_steps=settings.evaluation_steps
        )
        self._follower = Follower(self._replica)
        self._past: PastStates[LoadedPolicy] = PastStates(
            self._store,
            lambda files: made_elsewhere(settings.engine, files),
            lambda loaded: loaded.program.demand,
        )
        self._pap = PolicyAdministrationPoint(
            self._store,
            self._replica,
            self._follower,
            load_policy,
            partial(failed_tests, settings.evaluation_steps),
        )
        self._stopped = asyncio.Event()
        # One for all: while the database is slow, what looks at it now and then waits in one thread, with one
        # connection.
        self._looking = ThreadPoolExecutor(1, "upkeep")
        self._was_fresh = True
        self._beside: list[asyncio.Task[None]] = []
        self._server: aio.Server | None = None
        self._metrics: MetricsServer | None = None
        self.collector = ServerCollector(self._telemetry, self._replica)

    async def load(self) -> None:
        """Load the store, from the snapshot file or a checkpoint if they can be used. Call before `start`.

        Raises StoreUnavailable, and StoredPolicyInvalid or EngineUnsupported if a stored policy cannot
        be executed: a server that cannot decide does not start.
        """
        try:
            await asyncio.to_thread(self._load)
        except PolicyInvalid as error:
            raise StoredPolicyInvalid(error) from error

    def _load(self) -> None:
        file = self._settings.snapshot_file
        with uncollected():
            is_loaded = file is not None and self._replica.load_file(file)
            if not is_loaded and not self._replica.load_checkpoint():
                self._replica.load()
        # Known from now on, so that pages go on while the database is away.
        with suppress(StoreUnavailable):
            self._store.signing_key()

    def _goes_on(self) -> bool:
        """Say that a policy which came with the log is never given up, and that this is not hung meanwhile."""
        self._replica.pulse.beat()
        return False

    async def catch_up(self) -> None:
        """Apply what was committed since `load`. Raises what the follower's `catch_up` raises."""
        await self._follower.catch_up()

    async def publish(self, files: Sequence[PolicyFile]) -> PolicyPublished:
        """Make `files` the active policy of the default store, as an author's request would.

        Raises what `PolicyAdministrationPoint.publish` raises.
        """
        try:
            published = await self._pap.publish(DEFAULT_STORE, files, skip_tests=False)
        except AuthzError as error:
            _log.warning("policy refused", reason=error.reason)
            raise
        _log.info("policy published", version=published.version.version, tests=published.tests)
        await self._refresh_health()
        return published

    async def start(self) -> Ports:
        """Begin to serve what was loaded. Raises ListenFailed."""
        # Made here and not earlier: the server belongs to the running event loop.
        server = aio.server(
            interceptors=[
                Boundary(self._telemetry, max_request_bytes=self._settings.max_request_bytes)
            ],
            options=[
                # Beyond this the transport answers by itself, without a reason of ours.
                ("grpc.max_receive_message_length", 2 * self._settings.max_request_bytes),
                # A window that grows with the speed of a sender takes in tens of MiB of what is then refused.
                ("grpc.http2.bdp_probe", 0),
                ("grpc.so_reuseport", int(self._is_worker)),
                # Clients that wait long ask now and then whether anybody is there; by default that is refused.
                ("grpc.http2.min_ping_interval_without_data_ms", 1000),
                # Who is gone without a word does not keep a stream for ever.
                ("grpc.keepalive_time_ms", 60_000),
            ],
        )
        self._add_services(server)
        grpc_port = _listen(server, self._settings.listen)
        if not self._is_worker:
            self._metrics = serve_metrics(self._settings.metrics_listen, self.collector)
        await self._refresh_health()
        await server.start()
        self._server = server
        self._beside = [
            asyncio.create_task(self._follower.follow(self._stopped)),
            asyncio.create_task(self._keep_up()),
            asyncio.create_task(self._tell_health()),
            asyncio.create_task(keep_checkpoint(self._replica, self._looking, self._stopped)),
        ]
        file = self._settings.snapshot_file
        if file is not None:
            keeping = keep_snapshot_file(self._replica, file, self._stopped)
            self._beside.append(asyncio.create_task(keeping))
        return Ports(grpc_port, self._metrics.port if self._metrics else 0)

    @property
    def follower(self) -> Follower:
        """Whose signs of life tell whether this process may serve."""
        return self._follower

    async def leave(self) -> None:
        """Refuse new requests, at the listener too, and let running ones end within `shutdown_seconds`."""
        await self._health.enter_graceful_shutdown()
        self._follower.end()
        if self._server is not None:
            await self._server.stop(self._settings.shutdown_seconds)

    async def stop(self) -> None:
        """Leave service and close the store."""
        _log.info("stopping")
        await self.leave()
        self._stopped.set()
        for ended in await asyncio.gather(*self._beside, return_exceptions=True):
            if ended is not None:
                _log.error("what runs beside the requests has failed", exc_info=ended)
        await self._pap.close()
        self._looking.shutdown()
        self._follower.close()
        self._past.close()
        self._pdp.close()
        if self._metrics is not None:
            await asyncio.to_thread(self._metrics.close)
        await asyncio.to_thread(self._replica.close)
        await asyncio.to_thread(self._store.close)
        _log.info("stopped")

    def _add_services(self, server: aio.Server) -> None:
        freshness = Freshness(self._replica, self._follower, self._past)
        moments = Moments(self._pdp, freshness)
        add_AuthorizationServiceServicer_to_server(
            AuthorizationService(
                self._pdp,
                moments,
                ListRpcs(self._pdp, self._lists, moments, freshness, self._store.signing_key),
                self._queries,
                self._explanations,
                self._telemetry,
                max_batch_questions=self._settings.max_batch_questions,
            ),
            server,
        )
        add_FactServiceServicer_to_server(
            FactService(self._pap, self._store, self._replica, self._follower), server
        )
        add_StoreServiceServicer_to_server(StoreService(self._pap), server)
        add_PolicyServiceServicer_to_server(PolicyService(self._pap, self._refresh_health), server)
        health_pb2_grpc.add_HealthServicer_to_server(self._health, server)
        names = (*SERVICES, health.SERVICE_NAME, reflection.SERVICE_NAME)
        reflection.enable_server_reflection(names, server)

    async def _keep_up(self) -> None:
        """Do beside the requests what is to be done again and again, until the server stops."""
        kept = timedelta(days=self._settings.history_days)
        upkeep = Upkeep(self._store, kept, self._looking)
        while not await has_stopped(self._stopped, UPKEEP_SECONDS):
            await upkeep.run()

    async def _tell_health(self) -> None:
        """Let readiness follow what other processes publish, and how fresh the copy is; tidy the past."""
        while not await has_stopped(self._stopped, _HEALTH_SECONDS):
            await self._refresh_health()
            self._past.forget_idle()
            self._lists.forget_idle()

    async def _refresh_health(self) -> None:
        is_fresh = self._pdp.is_fresh
        if is_fresh != self._was_fresh:
            self._was_fresh = is_fresh
            tell = _log.info if is_fresh else _log.error
            tell("fresh again" if is_fresh else "stale", age=round(self._pdp.age, 3))
        has_policy = any(state.policy is not None for state in self._replica.states())
        status = _SERVING if has_policy and is_fresh else _NOT_SERVING
        for name in (POLICIES, STORES):
            await self._health.set(name, _SERVING)
        for name in (AUTHORIZATION, FACTS, ""):
            await self._health.set(name, status)


def prepare_process() -> None:
    """Set what holds for the whole of a process that serves."""
    sys.setswitchinterval(_SWITCH_SECONDS)
    collect_a_little()
    keep_trimmed()


async def serve(settings: Settings, follower: PolicyFollower | None = None) -> None:
    """Serve until SIGTERM or SIGINT. Raises what `load` and `start` of Server raise.

    A `follower` publishes its policy before the first question is answered, and goes on as long as it has
    something to watch; what its `begin` raises ends the server. If the server no longer follows the log, the
    process leaves service and ends with EXIT_HUNG.
    """
    prepare_process()
    stopped = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stopped.set)
    server = Server(settings)
    try:
        await server.load()
        if follower is not None:
            await follower.begin(server.publish)
        ports = await server.start()
        _log.info("serving", grpc_port=ports.grpc, metrics_port=ports.metrics)
        async with asyncio.TaskGroup() as tasks:
            watching = tasks.create_task(end_when_hung(server, settings))
            if follower is not None:
                tasks.create_task(follower.follow(server.publish, stopped))
            await stopped.wait()
            watching.cancel()
    finally:
        await server.stop()


async def end_when_hung(server: Server, settings: Settings) -> None:
    """Leave service, and end this process with EXIT_HUNG, once `server` no longer follows the log.

    Cancel it before the server stops for another reason.
    """
    hung = asyncio.Event()
    watchdog = Watchdog(server.follower, hung.set, settings.shutdown_seconds + _LEAVING_SECONDS)
    watchdog.start()
    try:
        await hung.wait()
        await server.leave()
        # Nothing is closed in order: whatever waits for the follower would wait for ever.
        end_process("this process no longer followed the log, and has left service")
    finally:
        watchdog.stop()


def split_address(address: str) -> tuple[str, int]:
    """Return host and port of `127.0.0.1:50051` or `[::1]:50051`."""
    host, _, port = address.rpartition(":")
    return host.strip("[]"), int(port)


def serve_metrics(address: str, collector: Collector) -> MetricsServer:
    """Serve what `collector` has at `address`. Raises ListenFailed."""
    try:
        return MetricsServer(*split_address(address), collector)
    except OSError as error:
        raise listen_failed(address, "metrics_listen") from error


def _listen(server: aio.Server, address: str) -> int:
    try:
        return server.add_insecure_port(address)
    except RuntimeError as error:
        raise listen_failed(address, "listen") from error


def listen_failed(address: str, setting: str) -> ListenFailed:
    """Return the error for an `address` that is taken, and the `setting` to change."""
    return ListenFailed(
        f"cannot listen on {address}; is another server running there? "
        f"AUTHZ_{setting.upper()} sets another address"
    )
