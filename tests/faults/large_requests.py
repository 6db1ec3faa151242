"""F21: a request at each limit is answered; one beyond it is refused before anything is evaluated, in little memory."""

import signal
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import grpc
from authz.v1 import authorization_service_pb2 as pb
from authz.v1.authorization_service_pb2_grpc import AuthorizationServiceStub
from report import Number
from serving import begin

_SECONDS = 60
_MAX_QUESTIONS = 1000
_MAX_RESOURCES = 10_000
_MAX_CONTEXT_FACTS = 1000
_MAX_ID = 512
_MAX_BYTES = 4 * 2**20
_MIB = 2**20

_REFUSED = (grpc.StatusCode.INVALID_ARGUMENT, grpc.StatusCode.RESOURCE_EXHAUSTED)


def _entity(kind: str, name: str) -> dict[str, str]:
    return {"type": kind, "id": name}


def _question(name: str = "bob", facts: int = 0) -> dict[str, Any]:
    suspended = [
        {"predicate": "is_suspended", "args": [{"entity": _entity("Employee", f"e{number}")}]}
        for number in range(facts)
    ]
    return {
        "actor": _entity("Employee", name),
        "action": "disarm",
        "resource": _entity("SecuritySystem", "s1"),
        "context_facts": suspended,
    }


def _batch(questions: int) -> pb.BatchAuthorizeRequest:
    return pb.BatchAuthorizeRequest(questions=[_question()] * questions)


def _many(resources: Sequence[str]) -> pb.BatchAuthorizeRequest:
    return pb.BatchAuthorizeRequest(
        many_resources={
            "actor": _entity("Employee", "bob"),
            "action": "disarm",
            "resource_type": "SecuritySystem",
            "resource_ids": resources,
        }
    )


def _of_bytes(size: int) -> pb.BatchAuthorizeRequest:
    """Return a request of this size, all of which is ids."""
    ids = [f"{number:0{_MAX_ID - 1}}" for number in range(size // (_MAX_ID + 2) - 1)]
    filled = _many(ids)
    rest = size - filled.ByteSize()
    while rest > 0:
        # An id has a length and a field number before it, and so has what it stands in, which can be longer by a byte.
        name = "x" * min(_MAX_ID, max(1, rest - 4))
        filled.many_resources.resource_ids.append(name)
        rest = size - filled.ByteSize()
    return filled


def large_requests(folder: Path, rounds: int, progress: Callable[[int], None]) -> list[Number]:
    """Send requests around each limit, so many times; AssertionError tells what went wrong."""
    server = begin(folder)
    answered = refused = 0
    growth = 0.0
    try:
        options = [("grpc.max_send_message_length", -1)]
        with grpc.insecure_channel(server.target, options) as channel:
            stub = AuthorizationServiceStub(channel)
            for number in range(rounds):
                for call, make, limit in (
                    (stub.Authorize, lambda n: pb.AuthorizeRequest(**_question("x" * n)), _MAX_ID),
                    (
                        stub.Authorize,
                        lambda n: pb.AuthorizeRequest(**_question(facts=n)),
                        _MAX_CONTEXT_FACTS,
                    ),
                    (stub.BatchAuthorize, _batch, _MAX_QUESTIONS),
                    (
                        stub.BatchAuthorize,
                        lambda n: _many([f"s{one}" for one in range(n)]),
                        _MAX_RESOURCES,
                    ),
                ):
                    for size in (limit - 1, limit):
                        assert _status(call, make(size)) is grpc.StatusCode.OK, (make, size)
                        answered += 1
                    assert _status(call, make(limit + 1)) in _REFUSED, (make, limit + 1)
                    refused += 1
                before = _resident(server.process.pid)
                for times in (1, 2, 4, 15):
                    message = _of_bytes(times * _MAX_BYTES + 1024)
                    assert _status(stub.BatchAuthorize, message) in _REFUSED, times
                    refused += 1
                # Small on the way, large when it has arrived.
                small = stub.BatchAuthorize.future(
                    _many(["x" * 8 * _MAX_BYTES]),
                    timeout=_SECONDS,
                    compression=grpc.Compression.Gzip,
                )
                assert small.code() in _REFUSED
                refused += 1
                after = _resident(server.process.pid)
                if number:
                    # The first ones of a process take what is kept for the next ones.
                    growth = max(growth, (after - before) / _MIB)
                progress(number + 1)
    finally:
        code = server.end(signal.SIGTERM)
    assert code == 0, f"the service ended with {code}"
    return [
        Number("requests just below a limit and at it, answered", answered),
        Number("requests beyond a limit, refused with a typed error", refused),
        Number("growth of memory by requests that are too large, MiB", growth, 8),
    ]


def _status(call: Callable[..., Any], message: Any) -> grpc.StatusCode:
    future = call.future(message, timeout=_SECONDS)
    status: grpc.StatusCode = future.code()
    return status


def _resident(pid: int) -> int:
    for line in Path(f"/proc/{pid}/status").read_text(encoding="ascii").splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) * 1024
    raise AssertionError(f"the process {pid} is gone")
