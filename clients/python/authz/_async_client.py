"""AsyncClient: the service, for asyncio."""

import asyncio
from collections.abc import AsyncIterator, Iterable, Mapping
from types import TracebackType
from typing import Self

import grpc
import grpc.aio

from authz import _calls as calls
from authz._call import Call, Result
from authz._decision import Answer, Decision, Question, to_question
from authz._entity import Entity
from authz._fact import Fact, FactPattern, to_facts, to_pattern
from authz._pending import Pending
from authz._results import Policy, PublishedPolicy, WriteResult
from authz._retry import Attempts
from authz._settings import CHANNEL_OPTIONS, Settings
from authz._status import error_of_call
from authz.errors import ServiceError


class AsyncClient:
    """Client for asyncio: the same calls and the same promises, and every answer is awaited.

    Bad arguments raise at the call, everything else at the `await`. It can be created anywhere,
    and belongs to the event loop of its first call.
    """

    def __init__(
        self,
        target: str = "127.0.0.1:50051",
        *,
        store: str = "default",
        timeout: float = 2.0,
        credentials: grpc.ChannelCredentials | None = None,
        metadata: Iterable[tuple[str, str | bytes]] = (),
    ) -> None:
        self._settings = Settings(target, store, timeout, credentials, tuple(metadata))
        self._channel: grpc.aio.Channel | None = None
        self._is_closed = False

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc_value: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self.close()

    async def close(self) -> None:
        """Close the connection. Calls under way fail; later calls are a RuntimeError."""
        self._is_closed = True
        if self._channel is not None:
            await self._channel.close()

    def authorize(
        self,
        actor: Entity | str,
        action: str,
        resource: Entity | str,
        *,
        context_facts: Iterable[Fact | str] = (),
        timeout: float | None = None,
    ) -> Pending[Decision]:
        """See Client.authorize."""
        question = Question(actor, action, resource, context_facts)
        return self._start(calls.authorize(self._settings.store, question), timeout)

    def authorize_batch(
        self,
        questions: Iterable[Question | tuple[Entity | str, str, Entity | str]],
        *,
        timeout: float | None = None,
    ) -> Pending[list[Answer]]:
        """See Client.authorize_batch."""
        wanted = tuple(map(to_question, questions))
        return self._start(calls.authorize_batch(self._settings.store, wanted), timeout)

    def write_facts(
        self,
        *,
        insert: Iterable[Fact | str] = (),
        delete: Iterable[Fact | str] = (),
        timeout: float | None = None,
    ) -> Pending[WriteResult]:
        """See Client.write_facts: deletes come first, then inserts."""
        call = calls.write_facts(self._settings.store, to_facts(delete), to_facts(insert))
        return self._start(call, timeout)

    def read_facts(
        self,
        pattern: FactPattern | str | None = None,
        *,
        page_size: int = 1000,
        timeout: float | None = None,
    ) -> AsyncIterator[Fact]:
        """See Client.read_facts; for `async for`, without `await`."""
        call = calls.read_facts(self._settings.store, to_pattern(pattern), page_size)
        return self._iterate(call, self._settings.timeout_or_default(timeout))

    def publish_policy(
        self,
        files: Mapping[str, str],
        *,
        skip_tests: bool = False,
        force: bool = False,
        timeout: float | None = None,
    ) -> Pending[PublishedPolicy]:
        """See Client.publish_policy."""
        call = calls.publish_policy(self._settings.store, files, skip_tests=skip_tests, force=force)
        return self._start(call, timeout)

    def get_policy(self, version: int = 0, *, timeout: float | None = None) -> Pending[Policy]:
        """See Client.get_policy."""
        return self._start(calls.get_policy(self._settings.store, version), timeout)

    async def _iterate(self, first: Call[calls.FactPage], seconds: float) -> AsyncIterator[Fact]:
        call: Call[calls.FactPage] | None = first
        while call is not None:
            page = await self._run(call, seconds)
            for fact in page.facts:
                yield fact
            call = page.rest

    def _start(self, call: Call[Result], timeout: float | None) -> Pending[Result]:
        return Pending(self._run(call, self._settings.timeout_or_default(timeout)))

    async def _run(self, call: Call[Result], seconds: float) -> Result:
        attempts = Attempts(seconds, repeatable=call.repeatable)
        while True:
            try:
                answer = await self._send(call, attempts.time_left())
            except grpc.RpcError as failure:
                error = error_of_call(failure, self._settings.target, seconds)
            else:
                return call.read(answer)
            await asyncio.sleep(attempts.pause_after(error))

    async def _send(self, call: Call[Result], time_left: float) -> bytes:
        send: grpc.aio.UnaryUnaryMultiCallable[bytes, bytes] = self._open_channel().unary_unary(
            call.path
        )
        try:
            return await send(
                call.request,
                timeout=time_left,
                metadata=self._settings.metadata,
                wait_for_ready=not call.repeatable,
            )
        except asyncio.CancelledError:
            # gRPC reports a channel that is closed under a call as a cancellation of the caller.
            if self._is_closed and not _is_cancelling():
                raise ServiceError(
                    "the client was closed during the call", code=grpc.StatusCode.CANCELLED
                ) from None
            raise

    def _open_channel(self) -> grpc.aio.Channel:
        """Return the channel. It is opened by the first call, since it needs the running loop."""
        if self._is_closed:
            raise RuntimeError("this client is closed")
        if self._channel is None:
            target, credentials = self._settings.target, self._settings.credentials
            self._channel = (
                grpc.aio.insecure_channel(target, CHANNEL_OPTIONS)
                if credentials is None
                else grpc.aio.secure_channel(target, credentials, CHANNEL_OPTIONS)
            )
        return self._channel


def _is_cancelling() -> bool:
    task = asyncio.current_task()
    return task is not None and task.cancelling() > 0
