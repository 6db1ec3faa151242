"""Client: the service, for threads."""

import time
from collections.abc import Iterable, Iterator, Mapping
from types import TracebackType
from typing import Self

import grpc

from authz import _calls as calls
from authz._call import Call, Result
from authz._decision import Answer, Decision, Question, to_question
from authz._entity import Entity
from authz._fact import Fact, FactPattern, to_facts, to_pattern
from authz._results import Policy, PublishedPolicy, WriteResult
from authz._retry import Attempts
from authz._settings import CHANNEL_OPTIONS, Settings
from authz._status import error_of_call


class Client:
    """Asks the service, and waits for the answer. Safe to share between threads.

    Every call raises an AuthzError if it has no answer by its timeout, which is in seconds and
    includes all attempts. Calls that only read are tried again while the service is unavailable;
    writes and publications are sent once, but wait for a connection.
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

    def authorize(
        self,
        actor: Entity | str,
        action: str,
        resource: Entity | str,
        *,
        context_facts: Iterable[Fact | str] = (),
        timeout: float | None = None,
    ) -> Decision:
        """Decide whether `actor` may perform `action` on `resource`.

        `context_facts` hold for this question only, as if they were stored.
        """
        question = Question(actor, action, resource, context_facts)
        return self._ask(calls.authorize(self._settings.store, question), timeout)

    def authorize_batch(
        self,
        questions: Iterable[Question | tuple[Entity | str, str, Entity | str]],
        *,
        timeout: float | None = None,
    ) -> list[Answer]:
        """Decide many questions against one snapshot; the answers are in the questions' order.

        Each question is answered or fails on its own. The call raises for what concerns them all.
        """
        wanted = tuple(map(to_question, questions))
        return self._ask(calls.authorize_batch(self._settings.store, wanted), timeout)

    def write_facts(
        self,
        *,
        insert: Iterable[Fact | str] = (),
        delete: Iterable[Fact | str] = (),
        timeout: float | None = None,
    ) -> WriteResult:
        """Delete and insert facts: all of them or none.

        Deletes come first, then inserts, so that a fact in both is stored afterwards. When this
        raises Unavailable or DeadlineExceeded the writes may or may not have happened. They can
        be repeated, unless another writer's changes to the same facts would be undone by that.
        """
        call = calls.write_facts(self._settings.store, to_facts(delete), to_facts(insert))
        return self._ask(call, timeout)

    def read_facts(
        self,
        pattern: FactPattern | str | None = None,
        *,
        page_size: int = 1000,
        timeout: float | None = None,
    ) -> Iterator[Fact]:
        """Yield the stored facts that `pattern` finds, or all, page by page.

        The timeout is for each page. Each page is one snapshot; a fact that is stored throughout
        is yielded exactly once.
        """
        call = calls.read_facts(self._settings.store, to_pattern(pattern), page_size)
        return self._iterate(call, self._settings.timeout_or_default(timeout))

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
        return self._ask(call, timeout)

    def get_policy(self, version: int = 0, *, timeout: float | None = None) -> Policy:
        """Return a policy version as it was published; 0 is the active one."""
        return self._ask(calls.get_policy(self._settings.store, version), timeout)

    def _iterate(self, first: Call[calls.FactPage], seconds: float) -> Iterator[Fact]:
        call: Call[calls.FactPage] | None = first
        while call is not None:
            page = self._run(call, seconds)
            yield from page.facts
            call = page.rest

    def _ask(self, call: Call[Result], timeout: float | None) -> Result:
        return self._run(call, self._settings.timeout_or_default(timeout))

    def _run(self, call: Call[Result], seconds: float) -> Result:
        if self._is_closed:
            raise RuntimeError("this client is closed")
        attempts = Attempts(seconds, repeatable=call.repeatable)
        while True:
            try:
                answer = self._send(call, attempts.time_left())
            except grpc.RpcError as failure:
                error = error_of_call(failure, self._settings.target, seconds)
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
