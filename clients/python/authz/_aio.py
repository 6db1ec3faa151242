"""AsyncClient: the service for asyncio."""

import asyncio
from collections.abc import AsyncIterator, Coroutine, Generator, Iterable, Mapping
from types import TracebackType
from typing import Any, NoReturn, Self, TypeVar

import grpc
from grpc import aio

from authz import _calls as calls
from authz._channel import DEFAULT_STORE, DEFAULT_TARGET, DEFAULT_TIMEOUT, OPTIONS, Metadata
from authz._decision import Answer, Decision
from authz._entity import Entity
from authz._fact import Fact, FactPattern
from authz._results import Policy, PublishedPolicy, WriteResult
from authz._retry import Attempts, require_timeout
from authz._status import error_of_call

Result = TypeVar("Result")


class Pending(Coroutine[Any, Any, Result]):
    """A call that has yet to be awaited. Asking whether it is true is an error.

    A bare coroutine is true, so `if client.authorize(...):` with a forgotten `await` would let
    everybody in.
    """

    __slots__ = ("_coroutine",)

    def __init__(self, coroutine: Coroutine[Any, Any, Result]) -> None:
        self._coroutine = coroutine

    def __bool__(self) -> NoReturn:
        self._coroutine.close()
        message = "this call was not awaited; write `await client.authorize(...)`"
        raise TypeError(message)

    def __await__(self) -> Generator[Any, Any, Result]:
        return self._coroutine.__await__()

    def send(self, value: Any) -> Any:  # noqa: ANN401 - the coroutine protocol
        return self._coroutine.send(value)

    def throw(self, *args: Any) -> Any:  # noqa: ANN401 - the coroutine protocol
        return self._coroutine.throw(*args)

    def close(self) -> None:
        self._coroutine.close()


class AsyncClient:
    """Asks the service at `target`, for one event loop. The parameters are those of `Client`."""

    def __init__(
        self,
        target: str = DEFAULT_TARGET,
        *,
        store: str = DEFAULT_STORE,
        timeout: float = DEFAULT_TIMEOUT,
        credentials: grpc.ChannelCredentials | None = None,
        metadata: Metadata = (),
    ) -> None:
        self._target = target
        self._store = store
        self._timeout = require_timeout(timeout)
        self._metadata = tuple(metadata)
        if credentials is None:
            self._channel = aio.insecure_channel(target, OPTIONS)
        else:
            self._channel = aio.secure_channel(target, credentials, OPTIONS)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self.close()

    async def close(self) -> None:
        """Close the channel; calls under way fail."""
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
        """See `Client.authorize`."""
        question = calls.question_of(actor, action, resource, context_facts)
        return Pending(self._run(calls.authorize(self._store, question), timeout))

    def authorize_batch(
        self,
        questions: Iterable[calls.AnyQuestion],
        *,
        timeout: float | None = None,
    ) -> Pending[list[Answer]]:
        """See `Client.authorize_batch`."""
        return Pending(self._run(calls.authorize_batch(self._store, questions), timeout))

    def write_facts(
        self,
        *,
        insert: Iterable[Fact | str] = (),
        delete: Iterable[Fact | str] = (),
        timeout: float | None = None,
    ) -> Pending[WriteResult]:
        """See `Client.write_facts`."""
        return Pending(self._run(calls.write_facts(self._store, insert, delete), timeout))

    async def read_facts(
        self,
        pattern: FactPattern | str | None = None,
        *,
        page_size: int = 0,
        timeout: float | None = None,  # noqa: ASYNC109
    ) -> AsyncIterator[Fact]:
        """See `Client.read_facts`."""
        wanted = FactPattern.parse(pattern) if isinstance(pattern, str) else pattern
        token = ""
        while True:
            call = calls.read_facts(self._store, wanted, page_size, token)
            page = await self._run(call, timeout)
            token = page.next_token
            for fact in page.facts:
                yield fact
            if not token:
                return

    def publish_policy(
        self,
        files: Mapping[str, str],
        *,
        timeout: float | None = None,
    ) -> Pending[PublishedPolicy]:
        """See `Client.publish_policy`."""
        return Pending(self._run(calls.publish_policy(self._store, files), timeout))

    def get_policy(
        self,
        version: int = 0,
        *,
        timeout: float | None = None,
    ) -> Pending[Policy]:
        """See `Client.get_policy`."""
        return Pending(self._run(calls.get_policy(self._store, version), timeout))

    async def _run(
        self,
        call: calls.Call[Result],
        timeout: float | None,  # noqa: ASYNC109
    ) -> Result:
        timeout = self._timeout if timeout is None else require_timeout(timeout)
        ask = self._channel.unary_unary(
            call.path,
            request_serializer=type(call.request).SerializeToString,
            response_deserializer=call.response.FromString,
        )
        attempts = Attempts(timeout, repeatable=call.repeatable)
        while True:
            try:
                response = await ask(
                    call.request,
                    timeout=attempts.time_left(),
                    metadata=self._metadata,
                    wait_for_ready=not call.repeatable,
                )
            except grpc.RpcError as failure:
                error = error_of_call(failure, self._target, timeout)
                error.__cause__ = failure
            else:
                return call.read(response)
            await asyncio.sleep(attempts.pause_after(error))
