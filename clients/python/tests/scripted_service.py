"""A real gRPC server on a loopback port that answers as it is told to, call by call."""

import socket
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any, NoReturn

import grpc
from authz.v1 import authorization_service_pb2 as authorization_pb
from authz.v1 import authorization_service_pb2_grpc as authorization_grpc
from authz.v1 import fact_service_pb2 as fact_pb
from authz.v1 import fact_service_pb2_grpc as fact_grpc
from authz.v1 import list_pb2 as list_pb
from authz.v1 import policy_service_pb2 as policy_pb
from authz.v1 import policy_service_pb2_grpc as policy_grpc
from authz.v1 import store_service_pb2 as store_pb
from authz.v1 import store_service_pb2_grpc as store_grpc
from google.protobuf.any_pb2 import Any as PackedMessage
from google.protobuf.message import Message
from google.protobuf.timestamp_pb2 import Timestamp
from google.rpc.status_pb2 import Status
from grpc_status import rpc_status

Step = Callable[[Any, grpc.ServicerContext], Any]

NOON = datetime(2025, 6, 1, 12, 0, 0, 123456, tzinfo=UTC)
NOON_MESSAGE = Timestamp(seconds=int(NOON.timestamp()), nanos=123456789)

_GONE_SECONDS = 0.1


class ScriptedService(
    authorization_grpc.AuthorizationServiceServicer,
    fact_grpc.FactServiceServicer,
    policy_grpc.PolicyServiceServicer,
    store_grpc.StoreServiceServicer,
):
    """Plays one step for each call, and the last one for ever; keeps what it was asked."""

    def __init__(self, steps: tuple[Step, ...]) -> None:
        self.requests: list[Any] = []
        self.whole: list[bool] = []
        """For each import that said that it was at its end: whether its caller was still there then."""
        self.over: list[str] = []
        """The calls that sent a stream and have ended."""
        self.metadata: list[dict[str, str | bytes]] = []
        self.target = ""
        self._steps = list(steps)

    def _play(self, request: Any, rpc: grpc.ServicerContext) -> Any:
        self.requests.append(request)
        self.metadata.append(dict(rpc.invocation_metadata()))
        step = self._steps.pop(0) if len(self._steps) > 1 else self._steps[0]
        return step(request, rpc)

    def _play_stream(self, request: Any, rpc: grpc.ServicerContext) -> Iterator[Any]:
        """Play one step that returns the messages of a stream, or fails."""
        rpc.add_callback(lambda: self.over.append(type(request).__name__))
        yield from self._play(request, rpc)

    def ImportFacts(  # noqa: N802
        self, requests: Iterator[Any], rpc: grpc.ServicerContext
    ) -> Any:
        # Requests of a call that was given up end with an exception of gRPC's, or like others and the call a
        # moment later.
        gone = threading.Event()
        rpc.add_callback(gone.set)
        given = list(requests)
        self.whole.append(not gone.wait(_GONE_SECONDS))
        return self._play(given, rpc)

    ExportFacts = WatchFacts = ListResources = ListActors = Query = _play_stream
    Authorize = BatchAuthorize = ListActions = _play
    WriteFacts = ReadFacts = DeleteEntity = _play
    CreateStore = ListStores = DeleteStore = _play
    PublishPolicy = GetPolicy = _play


@contextmanager
def serving(*steps: Step, port: int = 0, after: float = 0) -> Iterator[ScriptedService]:
    """Serve, `after` some seconds: until then nobody listens at the port."""
    service = ScriptedService(steps)
    server = grpc.server(ThreadPoolExecutor(4), options=[("grpc.max_metadata_size", 65536)])
    authorization_grpc.add_AuthorizationServiceServicer_to_server(service, server)
    fact_grpc.add_FactServiceServicer_to_server(service, server)
    policy_grpc.add_PolicyServiceServicer_to_server(service, server)
    store_grpc.add_StoreServiceServicer_to_server(service, server)
    port = server.add_insecure_port(f"127.0.0.1:{port}") if not after else port
    service.target = f"127.0.0.1:{port}"

    def start() -> None:
        if after:
            server.add_insecure_port(service.target)
        server.start()

    starting = threading.Timer(after, start)
    starting.start()
    if not after:
        starting.join()
    try:
        yield service
    finally:
        starting.join()
        server.stop(grace=None).wait()


def unused_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def answer(message: Message) -> Step:
    return lambda _request, _rpc: message


def hang(_request: Message, rpc: grpc.ServicerContext) -> Message:
    """Answer once nobody waits any longer."""
    while rpc.is_active():
        time.sleep(0.01)
    return decided()


def fail(code: grpc.StatusCode, message: str = "told to fail", *details: Message) -> Step:
    def step(_request: Message, rpc: grpc.ServicerContext) -> NoReturn:
        packed = [PackedMessage() for _ in details]
        for detail, into in zip(details, packed, strict=True):
            into.Pack(detail)
        status = Status(code=code.value[0], message=message, details=packed)
        rpc.abort_with_status(rpc_status.to_status(status))

    return step


def decided(
    decision: int = authorization_pb.DECISION_PERMIT,
    **changed: Any,
) -> authorization_pb.AuthorizeResponse:
    whole = {
        "decision": decision,
        "consistency_token": "token-1",
        "policy_version": 3,
        "evaluated_at": NOON_MESSAGE,
        "decision_id": "decision-1",
    }
    return authorization_pb.AuthorizeResponse(**(whole | changed))


def decided_batch(
    *results: authorization_pb.QuestionResult,
) -> authorization_pb.BatchAuthorizeResponse:
    return authorization_pb.BatchAuthorizeResponse(
        results=results,
        consistency_token="token-1",
        policy_version=3,
        evaluated_at=NOON_MESSAGE,
    )


PERMIT = answer(decided(authorization_pb.DECISION_PERMIT))
DENY = answer(decided(authorization_pb.DECISION_DENY))
UNAVAILABLE = fail(grpc.StatusCode.UNAVAILABLE)


def oblige(request: Message, _rpc: grpc.ServicerContext) -> Any:  # noqa: C901
    """Answer any request as a content service would: permit, store, publish."""
    match request:
        case authorization_pb.AuthorizeRequest():
            return decided()
        case authorization_pb.BatchAuthorizeRequest():
            batch = decided_batch(*(_permit for _ in request.questions))
            permits = [authorization_pb.DECISION_PERMIT] * len(request.many_resources.resource_ids)
            batch.many_decisions.decisions.extend(permits)
            batch.many_decisions.decision_id = "decision-1"
            return batch
        case authorization_pb.ListResourcesRequest():
            whole = list_pb.ListEnd(complete=True)
            return [list_pb.ListResourcesResponse(origin=_EMPTY_LIST, end=whole)]
        case authorization_pb.ListActionsRequest():
            return list_pb.ListActionsResponse(origin=_EMPTY_LIST)
        case fact_pb.WriteFactsRequest():
            return fact_pb.WriteFactsResponse(
                outcomes=[_outcome(write) for write in request.writes],
                counts=[fact_pb.WriteCounts(inserted=1) for _ in request.writes],
                consistency_token="token-2",
                policy_version=3,
            )
        case fact_pb.DeleteEntityRequest():
            return fact_pb.DeleteEntityResponse(deleted=2, consistency_token="token-2")
        case store_pb.CreateStoreRequest():
            return store_pb.CreateStoreResponse(consistency_token="token-4")
        case store_pb.DeleteStoreRequest():
            return store_pb.DeleteStoreResponse(consistency_token="token-5")
        case store_pb.ListStoresRequest():
            return store_pb.ListStoresResponse(stores=[store_pb.Store(name="default")])
        case fact_pb.ReadFactsRequest():
            return fact_pb.ReadFactsResponse(consistency_token="token-2")
        case policy_pb.PublishPolicyRequest():
            return policy_pb.PublishPolicyResponse(policy_version=4, consistency_token="token-3")
        case policy_pb.GetPolicyRequest():
            return policy_pb.GetPolicyResponse(
                files=[policy_pb.PolicyFile(name="policy.polar", text="actor User {}")],
                policy_version=4,
                published_at=NOON_MESSAGE,
                consistency_token="token-3",
            )
    raise AssertionError(request)


_EMPTY_LIST = list_pb.ListOrigin(
    consistency_token="token-1",
    policy_version=3,
    evaluated_at=NOON_MESSAGE,
    form=list_pb.LIST_FORM_ONLY,
)

_permit = authorization_pb.QuestionResult(
    decision=authorization_pb.DECISION_PERMIT, decision_id="decision-1"
)


def _outcome(write: fact_pb.FactWrite) -> fact_pb.WriteOutcome:
    is_insert = write.WhichOneof("operation") == "insert"
    return fact_pb.WRITE_OUTCOME_CREATED if is_insert else fact_pb.WRITE_OUTCOME_DELETED
