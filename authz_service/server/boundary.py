"""The boundary around every RPC: what is refused before it is looked at, and what becomes of errors.

This is the one place that catches everything: an AuthzError becomes its status, anything else INTERNAL
with its cause in the log. Nothing here can turn an error into an answer.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable
from contextlib import aclosing
from dataclasses import dataclass
from typing import Any, cast

import grpc
import structlog
from google.protobuf.message import DecodeError, Message
from grpc import aio
from grpc_status import rpc_status

from authz_service.errors import (
    AuthzError,
    DeadlinePassed,
    RequestTooLarge,
    UnknownField,
    UnreadableRequest,
)
from authz_service.server.status import internal_status, status_of
from authz_service.telemetry import Telemetry


@dataclass(frozen=True, slots=True)
class _TooLarge:
    """What is left of a request with more bytes than are allowed."""

    size: int


@dataclass(frozen=True, slots=True)
class _Unreadable:
    """What is left of bytes that are no request: cut, or with text that is not UTF-8."""


Rpc = aio.ServicerContext[Message, Message]
_Received = Message | _TooLarge | _Unreadable
_Parse = Callable[[bytes], Message]
_Unary = Callable[[Message, Rpc], Awaitable[Message]]
_Sending = Callable[[Message, Rpc], AsyncGenerator[Message, None]]
_Receiving = Callable[[AsyncIterator[Message], Rpc], Awaitable[Message]]

_OWN_SERVICES = "/authz.v1."
_READS = (
    *("Authorize", "BatchAuthorize", "Explain", "Query"),
    *("ListResources", "ListActors", "ListActions"),
    *("ReadFacts", "ExportFacts", "WatchFacts"),
    *("GetPolicy", "ListStores"),
)

_CANCELLATION_SECONDS = 0.01
"""So long gRPC may take from the end of a stream that was cut to saying that it was."""

_log = structlog.get_logger("authz.rpc")


class Boundary(aio.ServerInterceptor):
    """Wraps the RPCs of our own services; health and reflection pass through."""

    def __init__(self, telemetry: Telemetry, *, max_request_bytes: int) -> None:
        self._telemetry = telemetry
        self._max_request_bytes = max_request_bytes
        self._wrapped: dict[str, grpc.RpcMethodHandler[Any, Any]] = {}

    async def intercept_service(
        self,
        continuation: Callable[
            [grpc.HandlerCallDetails], Awaitable[grpc.RpcMethodHandler[Any, Any] | None]
        ],
        handler_call_details: grpc.HandlerCallDetails,
    ) -> grpc.RpcMethodHandler[Any, Any] | None:
        method = handler_call_details.method
        wrapped = self._wrapped.get(method)
        if wrapped is not None:
            return wrapped
        handler = await continuation(handler_call_details)
        if handler is None or not method.startswith(_OWN_SERVICES):
            return handler
        wrapped = self._wrap(method, handler)
        self._wrapped[method] = wrapped
        return wrapped

    def _wrap(
        self, method: str, handler: grpc.RpcMethodHandler[Any, Any]
    ) -> grpc.RpcMethodHandler[Any, Any]:
        """Return the same RPC inside the boundary. A stream of requests is admitted one by one."""
        if handler.response_streaming:
            make = grpc.unary_stream_rpc_method_handler
            sending = self._sending(method, cast("_Sending", handler.unary_stream))
            call = self._around(method, self._open(method, sending))
        elif handler.request_streaming:
            make = grpc.stream_unary_rpc_method_handler
            receiving = self._receiving(method, cast("_Receiving", handler.stream_unary))
            call = self._around(method, self._open(method, receiving))
        else:
            make = grpc.unary_unary_rpc_method_handler
            call = self._around(method, self._answering(cast("_Unary", handler.unary_unary)))
        return make(
            call,
            request_deserializer=self._parsing(cast("_Parse", handler.request_deserializer)),
            response_serializer=handler.response_serializer,
        )

    def _parsing(self, parse: _Parse) -> Callable[[bytes], _Received]:
        """Return `parse` for requests within the limit: others would take their size once more.

        It never fails: gRPC would answer UNKNOWN by itself, without a reason, a count or a line in the log.
        """

        def parse_within_limit(request: bytes) -> _Received:
            size = len(request)
            if size > self._max_request_bytes:
                return _TooLarge(size)
            try:
                return parse(request)
            except DecodeError:
                return _Unreadable()

        return parse_within_limit

    def _answering(self, behaviour: _Unary) -> Any:  # noqa: ANN401 - grpc's type
        def answer(request: _Received, rpc: Rpc) -> Awaitable[Message]:
            return behaviour(self._admit(request, rpc), rpc)

        return answer

    def _sending(self, method: str, behaviour: _Sending) -> Any:  # noqa: ANN401 - grpc's type
        async def send(request: _Received, rpc: Rpc) -> None:
            async with aclosing(behaviour(self._admit(request, rpc), rpc)) as messages:
                async for message in messages:
                    # Returns when the transport has taken it: a caller that reads slowly is waited for.
                    try:
                        await rpc.write(message)
                    except aio.InternalError:
                        # The connection is gone, and gRPC has not yet cancelled the call.
                        raise asyncio.CancelledError from None
                    self._telemetry.messages_sent[method] += 1

        return send

    def _receiving(self, method: str, behaviour: _Receiving) -> Any:  # noqa: ANN401 - grpc's type
        async def admitted(requests: AsyncIterator[_Received], rpc: Rpc) -> AsyncIterator[Message]:
            number = 0
            async for received in requests:
                try:
                    request = self._admit(received, rpc)
                except AuthzError as error:
                    error.field = f"requests[{number}]"
                    raise
                self._telemetry.messages_received[method] += 1
                yield request
                number += 1
            # A call that was cut ends its requests like one that is whole, and is cancelled a moment later.
            await asyncio.sleep(_CANCELLATION_SECONDS)

        def receive(requests: AsyncIterator[_Received], rpc: Rpc) -> Awaitable[Message]:
            return behaviour(admitted(requests, rpc), rpc)

        return receive

    def _open(self, method: str, behaviour: Any) -> Any:  # noqa: ANN401 - grpc's types
        """Return a stream that counts as open from its beginning to its end."""

        async def stream(request: Any, rpc: Rpc) -> Any:  # noqa: ANN401
            self._telemetry.open_streams[method] += 1
            try:
                return await behaviour(request, rpc)
            finally:
                self._telemetry.open_streams[method] -= 1

        return stream

    def _around(self, method: str, behaviour: Any) -> Any:  # noqa: ANN401 - grpc's types
        is_read = method.rpartition("/")[2] in _READS
        # Most requests write no line; the logger is not called to find that out each time.
        is_told_when_read = _log.is_enabled_for(logging.DEBUG)

        async def call(request: Any, rpc: Rpc) -> Any:  # noqa: ANN401
            start = time.perf_counter_ns()
            code, reason = "OK", ""
            defect: Exception | None = None
            try:
                return await behaviour(request, rpc)
            except AuthzError as error:
                status = status_of(error)
                code, reason = grpc_name(status.code), error.reason
                await rpc.abort_with_status(rpc_status.to_status(status))
            except asyncio.CancelledError:
                code = "DEADLINE_EXCEEDED" if has_expired(rpc) else "CANCELLED"
                raise
            # The last resort: a defect must neither look like an answer nor end the server.
            except Exception as error:  # noqa: BLE001
                code, reason, defect = "INTERNAL", "INTERNAL", error
                await rpc.abort_with_status(rpc_status.to_status(internal_status()))
            finally:
                elapsed = time.perf_counter_ns() - start
                self._telemetry.rpc_finished(method, code, elapsed)
                is_quiet = is_read and code == "OK"
                if is_told_when_read or not is_quiet:
                    _log_rpc(method, code, reason, elapsed, defect, is_quiet=is_quiet)

        return call

    def _admit(self, request: _Received, rpc: Rpc) -> Message:
        if has_expired(rpc):
            message = "the deadline had passed before the request was looked at"
            raise DeadlinePassed(message)
        if isinstance(request, _TooLarge):
            message = (
                f"the request has {request.size} bytes; at most {self._max_request_bytes} are "
                "allowed, send several requests"
            )
            raise RequestTooLarge(message)
        if isinstance(request, _Unreadable):
            message = (
                "the request cannot be read: its bytes are no message of this protocol, or a text in it is "
                "not UTF-8"
            )
            raise UnreadableRequest(message)
        size = request.ByteSize()
        request.DiscardUnknownFields()
        if request.ByteSize() != size:
            message = (
                "the request has fields that this server does not know; "
                "the client may be newer than the server"
            )
            raise UnknownField(message)
        return request


def has_expired(rpc: Rpc) -> bool:
    """Say whether the caller no longer waits. A caller that sent no deadline waits for ever."""
    remaining: float | None = rpc.time_remaining()
    return remaining is not None and remaining <= 0


def grpc_name(number: int) -> str:
    """Return the name of a status code: `INVALID_ARGUMENT` for 3."""
    return next(code.name for code in grpc.StatusCode if code.value[0] == number)


def _log_rpc(
    method: str,
    code: str,
    reason: str,
    nanoseconds: int,
    defect: Exception | None,
    *,
    is_quiet: bool,
) -> None:
    """Write one line for a request: answered reads at `debug`, defects as errors, all else at `info`."""
    ms = round(nanoseconds / 1e6, 3)
    if defect is not None:
        _log.error("rpc", method=method, code=code, reason=reason, ms=ms, exc_info=defect)
        return
    write = _log.debug if is_quiet else _log.info
    write("rpc", method=method, code=code, reason=reason, ms=ms)
