"""AsyncClient: the service, for asyncio."""

import asyncio
import math
from collections.abc import AsyncGenerator, AsyncIterable, AsyncIterator, Iterable, Mapping
from contextlib import aclosing, suppress
from datetime import datetime
from types import MappingProxyType, TracebackType
from typing import NoReturn, Self

import grpc
import grpc.aio

from authz import _calls as calls
from authz import _streams as streams
from authz._async_lists import AsyncLists
from authz._call import Call, Result, stated_text
from authz._carried import CarriedTokens
from authz._consistency import Consistency
from authz._decision import Answer, Decision, Question, batch_token, no_decision, to_question
from authz._entity import Entity, to_entity
from authz._explain import Explanation
from authz._fact import AnyFact, Fact, FactPattern, StoredFact, to_facts, to_pattern, to_stored
from authz._pending import Pending
from authz._query import (
    AnyCondition,
    AskedQuery,
    Origin,
    Part,
    QueryAnswer,
    Row,
    Var,
    to_query,
    token_of_part,
)
from authz._results import (
    EntityDeleted,
    FactChange,
    ImportResult,
    Policy,
    PublishedPolicy,
    WriteResult,
    token_of,
)
from authz._retry import Attempts, require_timeout
from authz._settings import CHANNEL_OPTIONS, Settings
from authz._status import error_of_call
from authz._whole import AsyncWhole
from authz._writes import Writes
from authz.errors import AuthzError, ServiceError, Unavailable, UnexpectedAnswer


class AsyncExport(AsyncIterator[StoredFact]):
    """The facts of one state, one after the other; `consistency_token` names the state.

    Whoever stops before the end closes it, or takes it as a context manager: until then the service waits.
    """

    def __init__(
        self, consistency_token: str, answers: AsyncGenerator[tuple[str, list[StoredFact]], None]
    ) -> None:
        self.consistency_token = consistency_token
        self._answers = answers
        self._facts = AsyncWhole(fact async for _, facts in answers for fact in facts)

    async def __anext__(self) -> StoredFact:
        return await anext(self._facts)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc_value: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self.aclose()

    async def aclose(self) -> None:
        """End the call. There are no more facts then."""
        await self._answers.aclose()
        await self._facts.aclose()


class AsyncRows(AsyncIterator[Row]):
    """See Rows."""

    def __init__(self, first: Part, rest: AsyncGenerator[Part, None], answer: QueryAnswer) -> None:
        self.origin: Origin = first.origin
        self._rest = rest
        self._rows = AsyncWhole(self._all(first, answer))

    async def _all(self, first: Part, answer: QueryAnswer) -> AsyncGenerator[Row, None]:
        for row in first.rows:
            yield row
        async for part in self._rest:
            for row in part.rows:
                yield row
        answer.check_end()

    def __bool__(self) -> NoReturn:
        raise no_decision("an iterator of rows")

    async def __anext__(self) -> Row:
        return await anext(self._rows)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc_value: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self.aclose()

    async def aclose(self) -> None:
        """End the call. There are no more rows then."""
        await self._rows.aclose()
        await self._rest.aclose()


class AsyncClient(AsyncLists):
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
        read_your_writes: bool = True,
    ) -> None:
        self._settings = Settings(target, store, timeout, credentials, tuple(metadata))
        self._carried = CarriedTokens(notes_writes=read_your_writes)
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

    @property
    def carried_tokens(self) -> tuple[str, ...]:
        """See Client.carried_tokens."""
        return self._carried.tokens

    def carry(self, *tokens: str) -> None:
        """See Client.carry."""
        self._carried.add(tokens)

    def forget_tokens(self) -> None:
        """See Client.forget_tokens."""
        self._carried.forget()

    def authorize(  # noqa: PLR0913 - what can be said of a question
        self,
        actor: Entity | str,
        action: str,
        resource: Entity | str,
        *,
        context_facts: Iterable[Fact | str] = (),
        consistency: Consistency | None = None,
        name_rules: bool = False,
        timeout: float | None = None,
    ) -> Pending[Decision]:
        """See Client.authorize."""
        question = Question(actor, action, resource, context_facts)
        demand, carried = self._carried.demand(consistency)
        call = calls.authorize(self._settings.store, question, demand, name_rules=name_rules)
        return self._start(self._carried.answering(call, carried, token_of), timeout)

    def explain(  # noqa: PLR0913 - what can be said of a question, and two limits
        self,
        actor: Entity | str,
        action: str,
        resource: Entity | str,
        *,
        context_facts: Iterable[Fact | str] = (),
        consistency: Consistency | None = None,
        proofs: int = 1,
        change_sets: int = 3,
        timeout: float | None = None,
    ) -> Pending[Explanation]:
        """See Client.explain."""
        question = Question(actor, action, resource, context_facts)
        demand, carried = self._carried.demand(consistency)
        call = calls.explain(self._settings.store, question, demand, proofs, change_sets)
        return self._start(self._carried.answering(call, carried, token_of), timeout)

    def authorize_batch(
        self,
        questions: Iterable[Question | tuple[Entity | str, str, Entity | str]],
        *,
        consistency: Consistency | None = None,
        timeout: float | None = None,
    ) -> Pending[list[Answer]]:
        """See Client.authorize_batch."""
        wanted = tuple(map(to_question, questions))
        demand, carried = self._carried.demand(consistency)
        call = calls.authorize_batch(self._settings.store, wanted, demand)
        return self._start(self._carried.answering(call, carried, batch_token), timeout)

    def authorize_many(
        self,
        actor: Entity | str,
        action: str,
        resources: Iterable[Entity | str],
        *,
        context_facts: Iterable[Fact | str] = (),
        consistency: Consistency | None = None,
        timeout: float | None = None,
    ) -> Pending[list[Answer]]:
        """See Client.authorize_many."""
        demand, carried = self._carried.demand(consistency)
        call = calls.authorize_many(
            self._settings.store,
            to_entity(actor),
            action,
            tuple(map(to_entity, resources)),
            to_facts(context_facts),
            demand,
        )
        return self._start(self._carried.answering(call, carried, batch_token), timeout)

    def query(
        self,
        *conditions: AnyCondition,
        columns: Iterable[str | Var] | None = None,
        context_facts: Iterable[Fact | str] = (),
        consistency: Consistency | None = None,
        timeout: float | None = None,
    ) -> Pending[AsyncRows]:
        """See Client.query."""
        query = to_query(self._settings.store, conditions, columns, context_facts)
        query.call(None)  # what cannot be sent raises here
        seconds = self._settings.timeout_or_default(timeout)
        return Pending(self._query(query, consistency, seconds))

    def write_facts(  # noqa: PLR0913 - one parameter for each kind of write
        self,
        *,
        insert: Iterable[AnyFact] = (),
        delete: Iterable[Fact | str] = (),
        delete_matching: Iterable[FactPattern | str] = (),
        replace: Mapping[FactPattern | str, Iterable[AnyFact]] = MappingProxyType({}),
        if_exists: Iterable[FactPattern | str] = (),
        if_not_exists: Iterable[FactPattern | str] = (),
        idempotency_key: str | None = None,
        timeout: float | None = None,
    ) -> Pending[WriteResult]:
        """See Client.write_facts: deletes come first, then replacements, then inserts."""
        writes = Writes(
            insert, delete, delete_matching, replace, if_exists, if_not_exists, idempotency_key
        )
        call = calls.write_facts(self._settings.store, writes)
        is_new = not idempotency_key
        return self._start(self._carried.writing(call, token_of, is_new=is_new), timeout)

    def delete_entity(
        self,
        entity: Entity | str,
        *,
        idempotency_key: str | None = None,
        timeout: float | None = None,
    ) -> Pending[EntityDeleted]:
        """See Client.delete_entity."""
        call = calls.delete_entity(self._settings.store, to_entity(entity), idempotency_key)
        is_new = not idempotency_key
        return self._start(self._carried.writing(call, token_of, is_new=is_new), timeout)

    def import_facts(
        self,
        facts: Iterable[AnyFact] | AsyncIterable[AnyFact],
        *,
        timeout: float | None = None,
    ) -> Pending[ImportResult]:
        """See Client.import_facts; the facts may come asynchronously, too."""
        return Pending(self._import(facts, timeout))

    def read_facts(
        self,
        pattern: FactPattern | str | None = None,
        *,
        at: str | datetime | None = None,
        page_size: int = 1000,
        timeout: float | None = None,
    ) -> AsyncIterator[Fact]:
        """See Client.read_facts; for `async for`, without `await`."""
        pages = self.read_stored_facts(pattern, at=at, page_size=page_size, timeout=timeout)
        return AsyncWhole(stored.fact async for stored in pages)

    def read_stored_facts(
        self,
        pattern: FactPattern | str | None = None,
        *,
        at: str | datetime | None = None,
        page_size: int = 1000,
        timeout: float | None = None,
    ) -> AsyncIterator[StoredFact]:
        """See Client.read_stored_facts; for `async for`, without `await`."""
        call = calls.read_facts(self._settings.store, to_pattern(pattern), at, page_size)
        return AsyncWhole(self._iterate(call, self._settings.timeout_or_default(timeout)))

    def export_facts(
        self,
        pattern: FactPattern | str | None = None,
        *,
        at: str | datetime | None = None,
        timeout: float | None = None,
    ) -> Pending[AsyncExport]:
        """See Client.export_facts; `await` the export, and go through it with `async for`."""
        call = streams.export_facts(self._settings.store, to_pattern(pattern), at)
        return Pending(self._export(call, timeout))

    def watch_facts(
        self, start_token: str = "", *, timeout: float | None = None
    ) -> AsyncWhole[FactChange]:
        """See Client.watch_facts; for `async for`, without `await`."""
        following = streams.Following(self._settings.store, start_token)
        following.call()  # what cannot be sent raises here
        return AsyncWhole(self._follow(following, self._settings.timeout_or_default(timeout)))

    def create_store(self, name: str, *, timeout: float | None = None) -> Pending[str]:
        """See Client.create_store."""
        call = calls.create_store(name)
        if name == self._settings.store:
            call = self._carried.writing(call, str)
        return self._start(call, timeout)

    def list_stores(self, *, timeout: float | None = None) -> Pending[list[str]]:
        """See Client.list_stores."""
        return self._start(calls.list_stores(), timeout)

    def delete_store(self, name: str, *, timeout: float | None = None) -> Pending[str]:
        """See Client.delete_store."""
        return self._start(calls.delete_store(name), timeout)

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
        # The version that is active already can be older than other writes.
        return self._start(self._carried.writing(call, token_of, is_new=False), timeout)

    def get_policy(self, version: int = 0, *, timeout: float | None = None) -> Pending[Policy]:
        """See Client.get_policy."""
        return self._start(calls.get_policy(self._settings.store, version), timeout)

    async def _query(
        self, query: AskedQuery, consistency: Consistency | None, seconds: float
    ) -> AsyncRows:
        demand, carried = self._carried.demand(consistency)
        attempts = Attempts(seconds, repeatable=True)
        while True:
            call, answer = query.call(demand)
            call = self._carried.answering(call, carried, token_of_part)
            parts = self._stream(call, attempts.time_left())
            try:
                first = await anext(parts, None)
            except Unavailable as error:
                await asyncio.sleep(attempts.pause_after(error))
                continue
            if first is None:
                answer.check_end()
                raise AssertionError(answer)
            return AsyncRows(first, parts, answer)

    async def _import(
        self, facts: Iterable[AnyFact] | AsyncIterable[AnyFact], seconds: float | None
    ) -> ImportResult:
        send: grpc.aio.StreamUnaryMultiCallable[bytes, bytes] = self._open_channel().stream_unary(
            streams.IMPORT
        )
        call = send(timeout=_limit(seconds), metadata=self._settings.metadata)
        try:
            await self._send_all(call, facts)
            answer = await call
        except grpc.RpcError as failure:
            raise error_of_call(failure, self._settings.target, seconds or math.inf) from None
        except asyncio.CancelledError:
            self._raise_if_closed()
            raise
        finally:
            # An end before the last fact must not look like the end of the facts.
            call.cancel()
        result = streams.read_import_result(answer)
        self._carried.wrote(result.consistency_token)
        return result

    async def _send_all(
        self,
        call: grpc.aio.StreamUnaryCall[bytes, bytes],
        facts: Iterable[AnyFact] | AsyncIterable[AnyFact],
    ) -> None:
        # The service may end the call at any time, and only the call itself says why.
        with suppress(asyncio.InvalidStateError, grpc.RpcError):
            if isinstance(facts, AsyncIterable):
                chunk: list[StoredFact] = []
                async for fact in facts:
                    chunk += to_stored([fact])
                    if len(chunk) == streams.CHUNK:
                        await call.write(streams.import_request(self._settings.store, chunk))
                        chunk = []
                await call.write(streams.import_request(self._settings.store, chunk))
            else:
                for request in streams.import_requests(self._settings.store, facts):
                    await call.write(request)
            await call.done_writing()

    async def _export(
        self, call: Call[tuple[str, list[StoredFact]]], seconds: float | None
    ) -> AsyncExport:
        answers = self._stream(call, seconds)
        # Not with a tuple as the default of `anext`: CPython 3.11 takes it apart.
        first = await anext(answers, None)
        token = "" if first is None else first[0]
        if not token:
            await answers.aclose()
        return AsyncExport(stated_text(token, "consistency_token"), answers)

    async def _follow(
        self, following: streams.Following, seconds: float
    ) -> AsyncGenerator[FactChange, None]:
        attempts: Attempts | None = None
        while True:
            try:
                async with aclosing(self._stream(following.call(), None)) as changes:
                    async for change in changes:
                        attempts = None
                        if change is not None:
                            yield change
            except Unavailable as error:
                attempts = attempts or Attempts(seconds, repeatable=True)
                await asyncio.sleep(attempts.pause_after(error))
            else:
                following.check_end()
                return

    async def _begin(
        self, call: Call[Result], seconds: float
    ) -> tuple[Result, AsyncGenerator[Result, None]]:
        """Return the first part of a stream, which is tried again until it is there, and the other parts."""
        attempts = Attempts(seconds, repeatable=call.repeatable)
        while True:
            answers = self._stream(call, attempts.time_left())
            try:
                return await anext(answers), answers
            except StopAsyncIteration:
                raise UnexpectedAnswer("the service sent nothing") from None
            except AuthzError as error:
                if self._is_closed:
                    raise
                pause = attempts.pause_after(error)
            await asyncio.sleep(pause)

    async def _stream(
        self, call: Call[Result], seconds: float | None
    ) -> AsyncGenerator[Result, None]:
        """Yield what the service sends; whoever stops reading ends the call."""
        send: grpc.aio.UnaryStreamMultiCallable[bytes, bytes] = self._open_channel().unary_stream(
            call.path
        )
        answers = send(call.request, timeout=_limit(seconds), metadata=self._settings.metadata)
        try:
            async for answer in answers:
                yield call.read(answer)
        except grpc.RpcError as failure:
            raise error_of_call(failure, self._settings.target, seconds or math.inf) from None
        except asyncio.CancelledError:
            self._raise_if_closed()
            raise
        finally:
            answers.cancel()

    async def _iterate(
        self, first: Call[calls.FactPage], seconds: float
    ) -> AsyncGenerator[StoredFact, None]:
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
            self._raise_if_closed()
            raise

    def _raise_if_closed(self) -> None:
        """Call for a CancelledError: gRPC reports a channel that is closed under a call as one."""
        if self._is_closed and not _is_cancelling():
            raise ServiceError(
                "the client was closed during the call", code=grpc.StatusCode.CANCELLED
            ) from None

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


def _limit(timeout: float | None) -> float | None:
    return None if timeout is None else require_timeout(timeout)
