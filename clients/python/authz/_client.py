"""Client: the service, for threads."""

import math
import time
from collections.abc import Generator, Iterable, Iterator, Mapping
from contextlib import closing
from datetime import datetime
from types import MappingProxyType, TracebackType
from typing import NoReturn, Self

import grpc

from authz import _calls as calls
from authz import _streams as streams
from authz._call import Call, Result, stated_text
from authz._carried import CarriedTokens
from authz._consistency import Consistency
from authz._decision import (
    Answer,
    Decision,
    Question,
    batch_token,
    no_decision,
    not_searched,
    to_question,
)
from authz._entity import Entity, to_entity
from authz._explain import Explanation
from authz._fact import AnyFact, Fact, FactPattern, StoredFact, to_facts, to_pattern
from authz._import import ImportRequests
from authz._query import AnyCondition, Origin, Part, QueryAnswer, Row, Var, to_query, token_of_part
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
from authz._sync_lists import Lists
from authz._whole import Whole
from authz._writes import Writes
from authz.errors import AuthzError, ServiceError, Unavailable, UnexpectedAnswer


class Export(Iterator[StoredFact]):
    """The facts of one state, one after the other; `consistency_token` names the state.

    Whoever stops before the end closes it, or takes it as a context manager: until then the service waits.
    """

    def __init__(
        self, consistency_token: str, answers: Generator[tuple[str, list[StoredFact]], None, None]
    ) -> None:
        self.consistency_token = consistency_token
        self._answers = answers
        self._facts = Whole(fact for _, facts in answers for fact in facts)

    def __next__(self) -> StoredFact:
        return next(self._facts)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc_value: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """End the call. There are no more facts then."""
        self._answers.close()
        self._facts.close()


class Rows(Iterator[Row]):
    """The rows that answer a query, one after the other, and what they were made of.

    `origin` has the columns, the consistency token, the policy version and the time of evaluation. Whoever
    stops before the end closes it, or takes it as a context manager.
    """

    def __init__(self, first: Part, rest: Generator[Part, None, None], answer: QueryAnswer) -> None:
        self.origin: Origin = first.origin
        self._rest = rest
        self._rows = Whole(self._all(first, answer))

    def _all(self, first: Part, answer: QueryAnswer) -> Generator[Row, None, None]:
        yield from first.rows
        for part in self._rest:
            yield from part.rows
        answer.check_end()

    def __bool__(self) -> NoReturn:
        raise no_decision("an iterator of rows")

    def __contains__(self, item: object) -> NoReturn:
        raise not_searched("an iterator of rows")

    def __next__(self) -> Row:
        return next(self._rows)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc_value: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """End the call. There are no more rows then."""
        self._rows.close()
        self._rest.close()


class Client(Lists):
    """Asks the service, and waits for the answer. Safe to share between threads.

    Every call raises an AuthzError if it has no answer by its timeout, which is in seconds and
    includes all attempts. Calls that only read, and writes of facts, which have one effect however
    often they are sent, are tried again while the service is unavailable; all others are sent once,
    but wait for a connection.

    A question that is asked after a write of facts or policies has returned, in whatever thread, is answered by
    a state that has the write in it, whichever process answers; see `carried_tokens`. With
    `read_your_writes=False` that is up to the caller.
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
        self._channel = (
            grpc.insecure_channel(target, CHANNEL_OPTIONS)
            if credentials is None
            else grpc.secure_channel(target, credentials, CHANNEL_OPTIONS)
        )
        self._is_closed = False

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc_value: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the connection. Calls under way fail; later calls are a RuntimeError."""
        self._is_closed = True
        self._channel.close()

    @property
    def carried_tokens(self) -> tuple[str, ...]:
        """What questions are answered at least as fresh as: the writes of this client, and what it was given.

        To have the questions of another process cover them, too, send them there, and `carry` them.
        """
        return self._carried.tokens

    def carry(self, *tokens: str) -> None:
        """Have all later questions answered by states that are at least as fresh as these tokens."""
        self._carried.add(tokens)

    def forget_tokens(self) -> None:
        """Have later questions answered by whatever is there, until the next write.

        After a restore of the database the tokens of before are refused, as what they stand for may be lost.
        """
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
    ) -> Decision:
        """Decide whether `actor` may perform `action` on `resource`.

        `context_facts` hold for this question only, as if they were stored. `consistency` says which state may
        answer; by default one that has everything in it that this client has written. With `name_rules` a
        decision that permits names the rules by which it does.
        """
        question = Question(actor, action, resource, context_facts)
        demand, carried = self._carried.demand(consistency)
        call = calls.authorize(self._settings.store, question, demand, name_rules=name_rules)
        return self._ask(self._carried.answering(call, carried, token_of), timeout)

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
    ) -> Explanation:
        """Tell why `actor` may perform `action` on `resource`, or what it would take.

        Up to `proofs` proofs are told of what is permitted, and up to `change_sets` sets of changes by which
        what is denied would be permitted. To explain a decision that was taken, ask for the state of its
        token (`Exactly`), or of its time (`AsOf`). Explanations print as trees.
        """
        question = Question(actor, action, resource, context_facts)
        demand, carried = self._carried.demand(consistency)
        call = calls.explain(self._settings.store, question, demand, proofs, change_sets)
        return self._ask(self._carried.answering(call, carried, token_of), timeout)

    def authorize_batch(
        self,
        questions: Iterable[Question | tuple[Entity | str, str, Entity | str]],
        *,
        consistency: Consistency | None = None,
        timeout: float | None = None,
    ) -> list[Answer]:
        """Decide many questions against one snapshot; the answers are in the questions' order.

        Each question is answered or fails on its own. The call raises for what concerns them all.
        """
        wanted = tuple(map(to_question, questions))
        demand, carried = self._carried.demand(consistency)
        call = calls.authorize_batch(self._settings.store, wanted, demand)
        return self._ask(self._carried.answering(call, carried, batch_token), timeout)

    def authorize_many(
        self,
        actor: Entity | str,
        action: str,
        resources: Iterable[Entity | str],
        *,
        context_facts: Iterable[Fact | str] = (),
        consistency: Consistency | None = None,
        timeout: float | None = None,
    ) -> list[Answer]:
        """Decide for many resources of one type whether `actor` may perform `action`, against one snapshot.

        The answers are in the order of `resources`, and each is an answer or an error of its own, like
        those of `authorize_batch`: none for no resources. What concerns all of them raises. Costs less, and
        takes ten times as many.
        """
        demand, carried = self._carried.demand(consistency)
        call = calls.authorize_many(
            self._settings.store,
            to_entity(actor),
            action,
            tuple(map(to_entity, resources)),
            to_facts(context_facts),
            demand,
        )
        return self._ask(self._carried.answering(call, carried, batch_token), timeout)

    def query(
        self,
        *conditions: AnyCondition,
        columns: Iterable[str | Var] | None = None,
        context_facts: Iterable[Fact | str] = (),
        consistency: Consistency | None = None,
        timeout: float | None = None,
    ) -> Rows:
        """Return the values for which all conditions hold: what rules derive and what facts say, as rows.

        A condition is text, `has_role(User:alice, ?role, Org:?org) and ?role in ["owner"]`, or a tuple of a
        predicate and arguments, `("has_role", Entity("User", "alice"), Var("role"), Var("org", "Org"))`, in
        which a str is a String. A row has a value for each of `columns`, by default for all variables; `AnyOf`
        in it means that any value of that type will do. The timeout is for the whole answer. What ends it
        early raises, so it is never silently short.
        """
        self._require_open()
        query = to_query(self._settings.store, conditions, columns, context_facts)
        demand, carried = self._carried.demand(consistency)
        attempts = Attempts(self._settings.timeout_or_default(timeout), repeatable=True)
        while True:
            call, answer = query.call(demand)
            call = self._carried.answering(call, carried, token_of_part)
            parts = self._stream(call, attempts.time_left())
            try:
                first = next(parts, None)
            except Unavailable as error:
                time.sleep(attempts.pause_after(error))
                continue
            if first is None:
                answer.check_end()
                raise AssertionError(answer)
            return Rows(first, parts, answer)

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
    ) -> WriteResult:
        """Delete, replace and insert facts: all of them or none, if the conditions hold.

        `delete` comes first, then `delete_matching`, `replace` and `insert`, so that a fact that is deleted
        and inserted is stored afterwards. `replace` makes the given facts all those that match a pattern. A
        pattern by which facts go must state something: one that matches every fact is an InvalidRequest.
        A fact that expires is inserted as a `StoredFact`; one that is stored takes over the expiry given.

        Nothing is written, and PreconditionFailed is raised, unless some fact matches each pattern of
        `if_exists`, and none matches any of `if_not_exists`.

        The writes have one effect, however often they are sent: an idempotency key goes along, by default a
        new one. To repeat a call that raised Unavailable or DeadlineExceeded, which may have written, pass
        a key of your own both times. With the key `""` the writes are sent once, and not remembered.
        """
        writes = Writes(
            insert, delete, delete_matching, replace, if_exists, if_not_exists, idempotency_key
        )
        call = calls.write_facts(self._settings.store, writes)
        is_new = not idempotency_key
        return self._ask(self._carried.writing(call, token_of, is_new=is_new), timeout)

    def delete_entity(
        self,
        entity: Entity | str,
        *,
        idempotency_key: str | None = None,
        timeout: float | None = None,
    ) -> EntityDeleted:
        """Delete all facts that have `entity` among their arguments, wherever it stands."""
        call = calls.delete_entity(self._settings.store, to_entity(entity), idempotency_key)
        is_new = not idempotency_key
        return self._ask(self._carried.writing(call, token_of, is_new=is_new), timeout)

    def import_facts(
        self, facts: Iterable[AnyFact], *, timeout: float | None = None
    ) -> ImportResult:
        """Insert any number of facts, which are taken from the iterable as they are sent.

        They are committed in packs of 1000, not all or none: if this raises, the first packs are stored.
        It can be repeated as a whole: what is there already counts as existing. There is no
        timeout unless one is given, and nothing is tried again.
        """
        self._require_open()
        requests = ImportRequests(streams.import_requests(self._settings.store, facts))
        send: grpc.StreamUnaryMultiCallable[bytes, bytes] = self._channel.stream_unary(
            streams.IMPORT
        )
        call = send.future(requests, timeout=_limit(timeout), metadata=self._settings.metadata)
        requests.give_up.set_result(call.cancel)
        try:
            answer = call.result()
        except grpc.FutureCancelledError:
            raise requests.failure or self._closed_under_way() from None
        except grpc.RpcError as failure:
            raise self._error(failure, timeout) from None
        finally:
            call.cancel()
        result = streams.read_import_result(answer)
        self._carried.wrote(result.consistency_token)
        return result

    def read_facts(
        self,
        pattern: FactPattern | str | None = None,
        *,
        at: str | datetime | None = None,
        page_size: int = 1000,
        timeout: float | None = None,
    ) -> Iterator[Fact]:
        """Yield the stored facts that `pattern` finds, or all, page by page.

        `at` is a consistency token or a past time: facts are read as they were then. The timeout is
        for each page. Each page is one snapshot, all pages of the past are of one; a fact that is
        stored throughout is yielded exactly once. Raises Compacted if `at` is too long ago.
        """
        pages = self.read_stored_facts(pattern, at=at, page_size=page_size, timeout=timeout)
        return Whole(stored.fact for stored in pages)

    def read_stored_facts(
        self,
        pattern: FactPattern | str | None = None,
        *,
        at: str | datetime | None = None,
        page_size: int = 1000,
        timeout: float | None = None,
    ) -> Iterator[StoredFact]:
        """Yield what `read_facts` does, each fact with its expiry."""
        call = calls.read_facts(self._settings.store, to_pattern(pattern), at, page_size)
        return Whole(self._iterate(call, self._settings.timeout_or_default(timeout)))

    def export_facts(
        self,
        pattern: FactPattern | str | None = None,
        *,
        at: str | datetime | None = None,
        timeout: float | None = None,
    ) -> Export:
        """Return all facts of one state that `pattern` finds, however many, as an iterator.

        They come as they are taken from it. It names the state as `consistency_token`: watching from
        there tells what happened since. What ends it early raises, so it is never silently short. There is
        no timeout unless one is given.
        """
        self._require_open()
        call = streams.export_facts(self._settings.store, to_pattern(pattern), at)
        answers = self._stream(call, timeout)
        token, _ = next(answers, ("", []))
        if not token:
            answers.close()
        return Export(stated_text(token, "consistency_token"), answers)

    def watch_facts(
        self, start_token: str = "", *, timeout: float | None = None
    ) -> Whole[FactChange]:
        """Yield what happens to the store behind `start_token`, or from now on, revision by revision.

        It ends only with the store. Keep the token of the last change that you have dealt with: from there
        you can go on later, with nothing missing and nothing twice. Some changes are checkpoints,
        with a newer token and nothing else; without a start token the first one is. While the service is
        unavailable it is asked again, for `timeout` seconds at a time. Raises Compacted if the log does not
        go back to the token. Close it to stop following. Once it has raised, it raises again.
        """
        self._require_open()
        following = streams.Following(self._settings.store, start_token)
        following.call()  # what cannot be sent raises here
        return Whole(self._follow(following, self._settings.timeout_or_default(timeout)))

    def create_store(self, name: str, *, timeout: float | None = None) -> str:
        """Make an empty store, and return a consistency token of it. Raises AlreadyExists."""
        call = calls.create_store(name)
        if name == self._settings.store:
            call = self._carried.writing(call, str)
        return self._ask(call, timeout)

    def list_stores(self, *, timeout: float | None = None) -> list[str]:
        """Return the names of all stores, in order."""
        return self._ask(calls.list_stores(), timeout)

    def delete_store(self, name: str, *, timeout: float | None = None) -> str:
        """Delete a store with its policies and all its facts, for good. `default` is Refused."""
        return self._ask(calls.delete_store(name), timeout)

    def publish_policy(
        self,
        files: Mapping[str, str],
        *,
        skip_tests: bool = False,
        force: bool = False,
        timeout: float | None = None,
    ) -> PublishedPolicy:
        """Make these files, text by name, the whole active policy.

        Raises PolicyRejected if they have errors, or if tests in them fail and are not skipped, and
        FactsOrphaned if they cannot use stored facts that the active policy can: such facts stay
        stored with `force`, and do not count.
        """
        call = calls.publish_policy(self._settings.store, files, skip_tests=skip_tests, force=force)
        # The version that is active already can be older than other writes.
        return self._ask(self._carried.writing(call, token_of, is_new=False), timeout)

    def get_policy(self, version: int = 0, *, timeout: float | None = None) -> Policy:
        """Return a policy version as it was published; 0 is the active one."""
        return self._ask(calls.get_policy(self._settings.store, version), timeout)

    def _iterate(
        self, first: Call[calls.FactPage], seconds: float
    ) -> Generator[StoredFact, None, None]:
        call: Call[calls.FactPage] | None = first
        while call is not None:
            page = self._run(call, seconds)
            yield from page.facts
            call = page.rest

    def _follow(
        self, following: streams.Following, seconds: float
    ) -> Generator[FactChange, None, None]:
        attempts: Attempts | None = None
        while True:
            try:
                with closing(self._stream(following.call(), None)) as changes:
                    for change in changes:
                        attempts = None
                        if change is not None:
                            yield change
            except Unavailable as error:
                attempts = attempts or Attempts(seconds, repeatable=True)
                time.sleep(attempts.pause_after(error))
            else:
                following.check_end()
                return

    def _begin(
        self, call: Call[Result], seconds: float
    ) -> tuple[Result, Generator[Result, None, None]]:
        """Return the first part of a stream, which is tried again until it is there, and the other parts."""
        self._require_open()
        attempts = Attempts(seconds, repeatable=call.repeatable)
        while True:
            answers = self._stream(call, attempts.time_left())
            try:
                return next(answers), answers
            except StopIteration:
                raise UnexpectedAnswer("the service sent nothing") from None
            except AuthzError as error:
                if self._is_closed:
                    raise
                pause = attempts.pause_after(error)
            time.sleep(pause)

    def _stream(self, call: Call[Result], timeout: float | None) -> Generator[Result, None, None]:
        """Yield what the service sends; whoever stops reading ends the call."""
        send: grpc.UnaryStreamMultiCallable[bytes, bytes] = self._channel.unary_stream(call.path)
        answers = send(call.request, timeout=_limit(timeout), metadata=self._settings.metadata)
        try:
            yield from map(call.read, answers)
        except grpc.RpcError as failure:
            raise self._error(failure, timeout) from None
        finally:
            answers.cancel()

    def _error(self, failure: grpc.RpcError, timeout: float | None) -> AuthzError:
        if self._is_closed:
            return self._closed_under_way()
        return error_of_call(failure, self._settings.target, timeout or math.inf)

    def _closed_under_way(self) -> ServiceError:
        message = "the client was closed during the call"
        return ServiceError(message, code=grpc.StatusCode.CANCELLED)

    def _require_open(self) -> None:
        if self._is_closed:
            raise RuntimeError("this client is closed")

    def _ask(self, call: Call[Result], timeout: float | None) -> Result:
        return self._run(call, self._settings.timeout_or_default(timeout))

    def _run(self, call: Call[Result], seconds: float) -> Result:
        self._require_open()
        attempts = Attempts(seconds, repeatable=call.repeatable)
        while True:
            try:
                answer = self._send(call, attempts.time_left())
            except grpc.RpcError as failure:
                error = self._error(failure, seconds)
                if self._is_closed:
                    raise error from None
            else:
                return call.read(answer)
            time.sleep(attempts.pause_after(error))

    def _send(self, call: Call[Result], time_left: float) -> bytes:
        send: grpc.UnaryUnaryMultiCallable[bytes, bytes] = self._channel.unary_unary(call.path)
        return send(
            call.request,
            timeout=time_left,
            metadata=self._settings.metadata,
            wait_for_ready=not call.repeatable,
        )


def _limit(timeout: float | None) -> float | None:
    return None if timeout is None else require_timeout(timeout)
