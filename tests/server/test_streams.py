"""Streams of facts that end in every way: what is counted, what the caller hears, and what is stored then."""

import asyncio
import threading
import time
import urllib.request
from collections import Counter
from types import SimpleNamespace

import authz
import grpc
import pytest
from authz.v1 import fact_pb2
from authz.v1 import fact_service_pb2 as pb
from authz.v1.fact_service_pb2_grpc import FactServiceStub

from authz_service.server.boundary import Boundary
from authz_service.telemetry import Telemetry

POLICY = (
    'actor User {} resource Doc { roles = ["reader"]; permissions = ["read"]; "read" if "reader"; }'
)
UNKNOWN = b"\xd2\x05\x01x"


def reader(user: str) -> fact_pb2.StoredFact:
    args = [
        {"entity": {"type": "User", "id": user}},
        {"text": "reader"},
        {"entity": {"type": "Doc", "id": "x"}},
    ]
    return fact_pb2.StoredFact(fact={"predicate": "has_role", "args": args})


def some(*users: str) -> pb.ImportFactsRequest:
    return pb.ImportFactsRequest(facts=map(reader, users))


@pytest.fixture
def stub(service):
    service.client.publish_policy({"policy.polar": POLICY})
    return FactServiceStub(service.channel)


def stored(service) -> list[str]:
    return sorted(fact.args[0].id for fact in service.client.read_facts())


def metrics(service) -> dict[tuple[str, str], float]:
    """Return what is counted for the methods of FactService: by name and code, or by name and method."""
    url = f"http://127.0.0.1:{service.metrics_port}/metrics"
    with urllib.request.urlopen(url) as answer:
        lines = answer.read().decode().splitlines()
    found = {}
    for line in lines:
        if line.startswith("grpc_server_") and "FactService" in line:
            name, _, rest = line.partition("{")
            labels = dict(pair.split("=") for pair in rest.partition("}")[0].split(","))
            key = labels.get("grpc_code", labels["grpc_method"]).strip('"')
            found[name.removeprefix("grpc_server_"), key] = float(line.rpartition(" ")[2])
    return found


def wait_for(service, name: str, key: str, value: float) -> None:
    """A stream is counted when it has ended, and its caller may know of that a moment earlier."""
    end = time.monotonic() + 10
    while metrics(service).get((name, key)) != value:
        assert time.monotonic() < end, metrics(service)
        time.sleep(0.02)


def cut_import(stub):
    """Import a request, and give up before the end of the requests is said."""
    hold = threading.Event()

    def requests():
        yield some("ann")
        hold.wait(10)

    return stub.ImportFacts.future(requests()), hold


def import_whole(stub):
    assert stub.ImportFacts(iter([some("ann"), some("bob")])).created == 2


def import_refused(stub):
    with pytest.raises(grpc.RpcError):
        stub.ImportFacts(iter([some("ann"), some("")]))


def import_cancelled(stub):
    call, hold = cut_import(stub)
    time.sleep(0.3)
    call.cancel()
    hold.set()


def import_past_its_deadline(stub):
    def requests():
        yield some("ann")
        time.sleep(1)

    with pytest.raises(grpc.RpcError):
        stub.ImportFacts(requests(), timeout=0.3)


def export_whole(stub):
    assert len(list(stub.ExportFacts(pb.ExportFactsRequest()))) == 1


def export_refused(stub):
    with pytest.raises(grpc.RpcError):
        list(stub.ExportFacts(pb.ExportFactsRequest(store="none")))


def watch_cancelled(stub):
    call = stub.WatchFacts(pb.WatchFactsRequest())
    next(call)
    call.cancel()


def watch_past_its_deadline(stub):
    with pytest.raises(grpc.RpcError):
        list(stub.WatchFacts(pb.WatchFactsRequest(), timeout=0.3))


def watch_refused(stub):
    with pytest.raises(grpc.RpcError):
        list(stub.WatchFacts(pb.WatchFactsRequest(start_token="x")))


@pytest.mark.parametrize(
    ("stream", "code", "sent", "received"),
    [
        (import_whole, "OK", 0, 2),
        (import_refused, "INVALID_ARGUMENT", 0, 2),
        (import_cancelled, "CANCELLED", 0, 1),
        (import_past_its_deadline, "DEADLINE_EXCEEDED", 0, 1),
        (export_whole, "OK", 1, 0),
        (export_refused, "NOT_FOUND", 0, 0),
        (watch_cancelled, "CANCELLED", 1, 0),
        (watch_past_its_deadline, "DEADLINE_EXCEEDED", 1, 0),
        (watch_refused, "INVALID_ARGUMENT", 0, 0),
    ],
)
def test_streams_are_counted_like_other_calls(service, stub, stream, code, sent, received):
    stream(stub)
    wait_for(service, "handled_total", code, 1)
    found = metrics(service)
    [method] = {key for name, key in found if name == "open_streams"}
    assert method.split("F")[0].lower() == stream.__name__.split("_")[0]
    assert found["open_streams", method] == 0
    assert found["handling_seconds_count", method] == 1
    assert [v for (name, _), v in found.items() if name == "handled_total"] == [1]
    assert found.get(("msg_sent_total", method), 0) == sent
    assert found.get(("msg_received_total", method), 0) == received


class CutConnection:
    """The side of the server of a call whose connection is gone, before gRPC says so."""

    async def write(self, message: object) -> None:
        raise grpc.aio.InternalError(message)

    def time_remaining(self) -> None:
        return None


def test_a_caller_that_goes_away_in_a_stream_is_no_defect():
    async def export(_request, _rpc):
        yield pb.ExportFactsResponse()

    async def handler(_details):
        return grpc.unary_stream_rpc_method_handler(export)

    async def cut() -> Counter[tuple[str, str]]:
        telemetry = Telemetry()
        boundary = Boundary(telemetry, max_request_bytes=1000)
        details = SimpleNamespace(method="/authz.v1.FactService/ExportFacts")
        call = await boundary.intercept_service(handler, details)
        with pytest.raises(asyncio.CancelledError):
            await call.unary_stream(pb.ExportFactsRequest(), CutConnection())
        return telemetry.rpcs

    assert asyncio.run(cut()) == {("/authz.v1.FactService/ExportFacts", "CANCELLED"): 1}


def test_open_streams_are_shown(service, stub):
    watches = [stub.WatchFacts(pb.WatchFactsRequest()) for _ in range(3)]
    for watch in watches:
        next(watch)
    wait_for(service, "open_streams", "WatchFacts", 3)
    for watch in watches:
        watch.cancel()
    wait_for(service, "open_streams", "WatchFacts", 0)
    wait_for(service, "handled_total", "CANCELLED", 3)


@pytest.mark.parametrize("wrong", ["unknown", "large", "many", "empty", "store", "past", "useless"])
def test_an_import_names_what_was_wrong_and_stores_what_came_before(start, wrong):
    service = start(max_request_bytes=200_000)
    service.client.publish_policy({"policy.polar": POLICY})
    useless, past = reader("eve"), reader("eve")
    useless.fact.args[1].text = "boss"
    past.expires_at.seconds = 5
    request, reason, field = {
        "unknown": (
            pb.ImportFactsRequest.FromString(some("eve").SerializeToString() + UNKNOWN),
            "UNKNOWN_FIELD",
            "requests[2]",
        ),
        "large": (some(*(f"{n:0500}" for n in range(500))), "REQUEST_TOO_LARGE", "requests[2]"),
        "many": (some(*map(str, range(1001))), "REQUEST_TOO_LARGE", "requests[2].facts"),
        "empty": (
            some("eve", ""),
            "MISSING_FIELD",
            "requests[2].facts[1].fact.args[0].entity.id",
        ),
        "store": (pb.ImportFactsRequest(store="x"), "MALFORMED_VALUE", "requests[2].store"),
        "past": (
            pb.ImportFactsRequest(facts=[reader("fay"), past]),
            "EXPIRY_PASSED",
            "requests[2].facts[1].expires_at",
        ),
        "useless": (
            pb.ImportFactsRequest(facts=[reader("fay"), useless]),
            "UNUSABLE_FACT",
            "requests[2].facts[1].fact.args[1]",
        ),
    }[wrong]
    requests = iter([some("ann"), some("bob"), request, some("never")])
    with pytest.raises(grpc.RpcError) as caught:
        FactServiceStub(service.channel).ImportFacts(requests)
    error = authz._status.error_of_call(caught.value, "", 0)
    assert (error.reason, error.field) == (reason, field)
    assert stored(service) == ["ann", "bob"]
