"""Client: the service for threads that wait for its answers."""

import time
from collections.abc import Iterable, Iterator, Mapping
from types import TracebackType
from typing import Self, TypeVar

import grpc

from authz import _calls as calls
from authz._channel import DEFAULT_STORE, DEFAULT_TARGET, DEFAULT_TIMEOUT, OPTIONS, Metadata
from authz._decision import Answer, Decision
from authz._entity import Entity
from authz._fact import Fact, FactPattern
from authz._results import Policy, PublishedPolicy, WriteResult
from authz._retry import Attempts, require_timeout
from authz._status import error_of_call

Result = TypeVar("Result")


class Client:
    """Asks the service at `target`. One client may be used by many threads; close it after use.

    `timeout` is the time in seconds that a call may take in all, retries included; each method takes
    another one. Without `credentials` the channel is not encrypted. Every failure raises an error
    of `authz.errors`; none is ever returned as a decision.
    """

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
            self._channel = grpc.insecure_channel(target, OPTIONS)
        else:
            self._channel = grpc.secure_channel(target, credentials, OPTIONS)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the channel; calls under way fail."""
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
        """Ask whether `actor` may perform `action` on `resource`. The decision is true if it may.

        `context_facts` hold for this question only.
        """
        question = calls.question_of(actor, action, resource, context_facts)
        return self._run(calls.authorize(self._store, question), timeout)

    def authorize_batch(
        self, questions: Iterable[calls.AnyQuestion], *, timeout: float | None = None
    ) -> list[Answer]:
        """Ask many questions against one snapshot; return an answer for each, in their order."""
        return self._run(calls.authorize_batch(self._store, questions), timeout)

    def write_facts(
        self,
        *,
        insert: Iterable[Fact | str] = (),
        delete: Iterable[Fact | str] = (),
        timeout: float | None = None,
    ) -> WriteResult:
        """Delete the facts of `delete`, then insert those of `insert`; all of it or nothing.

        Is not repeated by itself: after Unavailable or DeadlineExceeded the writes may have happened.
        """
        return self._run(calls.write_facts(self._store, insert, delete), timeout)

    def read_facts(
        self,
        pattern: FactPattern | str | None = None,
        *,
        page_size: int = 0,
        timeout: float | None = None,
    ) -> Iterator[Fact]:
        """Yield the stored facts that match, all if there is no pattern. `timeout` is for a page."""
        wanted = FactPattern.parse(pattern) if isinstance(pattern, str) else pattern
        token = ""
        while True:
            call = calls.read_facts(self._store, wanted, page_size, token)
            page = self._run(call, timeout)
            token = page.next_token
            yield from page.facts
            if not token:
                return

    def publish_policy(
        self, files: Mapping[str, str], *, timeout: float | None = None
    ) -> PublishedPolicy:
        """Check the policy that `files` (texts by name) make, and put it in force.

        Raises PolicyRejected with the findings if it has errors.
        """
        return self._run(calls.publish_policy(self._store, files), timeout)

    def get_policy(self, version: int = 0, *, timeout: float | None = None) -> Policy:
        """Return a version of the policy as it was published; 0 is the active one."""
        return self._run(calls.get_policy(self._store, version), timeout)

    def _run(self, call: calls.Call[Result], timeout: float | None) -> Result:
        timeout = self._timeout if timeout is None else require_timeout(timeout)
        ask = self._channel.unary_unary(
            call.path,
            request_serializer=type(call.request).SerializeToString,
            response_deserializer=call.response.FromString,
        )
        attempts = Attempts(timeout, repeatable=call.repeatable)
        while True:
            try:
                response = ask(
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
            time.sleep(attempts.pause_after(error))
