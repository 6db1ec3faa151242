"""Several clients in one process, which write, publish and ask, and record what they were told: one JSON line each.

python client.py, with what to do on standard input (see `Work`). The generated stubs are used, as no client library
must mend what the service does: each attempt is seen. A write whose outcome is unknown is tried again with its key.
"""

import json
import random
import sys
import threading
import time
from collections import Counter, deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TextIO

import grpc
from authz.v1 import authorization_service_pb2 as pb
from authz.v1.authorization_service_pb2_grpc import AuthorizationServiceStub
from authz.v1.fact_service_pb2 import WriteFactsRequest
from authz.v1.fact_service_pb2_grpc import FactServiceStub
from authz.v1.policy_service_pb2 import PublishPolicyRequest
from authz.v1.policy_service_pb2_grpc import PolicyServiceStub
from model import POLICIES, Change, Question, policy_text

from authz_service.facts.revision import ConsistencyToken

USERS = [f"u{number}" for number in range(12)]
DOCUMENTS = [f"d{number}" for number in range(12)]
GROUPS = [f"g{number}" for number in range(4)]
MARKS = "marks"
"""The group in which each write leaves a user of its name."""

_SECONDS = 3.0
_TRIES = 4
_IMPATIENT = 0.2
_AT_ONCE = 0.005
_BATCH = 20
_WRITES = 0.15
_BATCHES = 0.15

_CHANNEL = [
    ("grpc.initial_reconnect_backoff_ms", 50),
    ("grpc.min_reconnect_backoff_ms", 50),
    ("grpc.max_reconnect_backoff_ms", 200),
    ("grpc.use_local_subchannel_pool", 1),
    ("grpc.enable_retries", 0),
]

_UNKNOWN = {
    grpc.StatusCode.UNAVAILABLE,
    grpc.StatusCode.DEADLINE_EXCEEDED,
    grpc.StatusCode.CANCELLED,
}


@dataclass(frozen=True)
class Work:
    """What the clients of one process do."""

    targets: list[str]
    file: str
    name: str
    threads: int
    operations: int
    seed: int
    publish_share: float
    """So much of all calls publishes a policy."""


@dataclass
class Process:
    """What all threads share."""

    work: Work
    out: TextIO
    done: int = 0
    errors: Counter[str] = field(default_factory=Counter)
    tokens: deque[str] = field(default_factory=lambda: deque(maxlen=30))
    lock: threading.Lock = field(default_factory=threading.Lock)

    def record(self, *lines: list[Any]) -> None:
        text = "".join(f"{json.dumps(line)}\n" for line in lines)
        with self.lock:
            self.out.write(text)
            self.done += len(lines)


class Client:
    """One thread that does one thing after the other, at any of the targets."""

    def __init__(self, process: Process, number: int) -> None:
        self._process = process
        self._name = f"{process.work.name}-{number}"
        self._chance = random.Random(f"{process.work.seed}-{self._name}")
        self._channels = [
            grpc.insecure_channel(one, options=_CHANNEL) for one in process.work.targets
        ]
        self._number = 0
        self._own: str | None = None

    def run(self) -> None:
        while self._process.done < self._process.work.operations:
            dice = self._chance.random()
            if dice < _WRITES:
                self._write()
            elif dice < _WRITES + self._process.work.publish_share:
                self._publish()
            else:
                self._read(is_batch=dice > 1 - _BATCHES)

    def _publish(self) -> None:
        name = self._next_name()
        variant = self._chance.choice(list(POLICIES))
        request = PublishPolicyRequest(
            files=[{"name": "policy.polar", "text": named_policy(name, variant)}]
        )
        self._attempt(
            name, lambda one: PolicyServiceStub(one).PublishPolicy(request, timeout=20), 1
        )

    def _write(self) -> None:
        name = self._next_name()
        request = write_request(name, some_changes(self._chance))
        # Who gives up at once does not know what became of it, and tries again.
        seconds = iter((_AT_ONCE,) if self._chance.random() < _IMPATIENT else ())

        def write(channel: grpc.Channel) -> Any:
            return FactServiceStub(channel).WriteFacts(request, timeout=next(seconds, _SECONDS))

        self._attempt(name, write, _TRIES)

    def _attempt(self, name: str, call: Callable[[grpc.Channel], Any], tries: int) -> None:
        called = time.monotonic_ns()
        token, is_refused, is_unknown = None, False, False
        for _ in range(tries):
            try:
                token = call(self._channel()).consistency_token
            except grpc.RpcError as error:
                is_refused = self._note(error)
                is_unknown = is_unknown or not is_refused
            if token is not None or is_refused:
                break
        returned = time.monotonic_ns()
        revision = None if token is None else revision_of(token)
        self._process.record(
            ["write", name, called, returned, revision, is_refused and not is_unknown]
        )
        if token is not None:
            self._own = token
            self._process.tokens.append(token)

    def _read(self, *, is_batch: bool) -> None:
        questions = [self._question() for _ in range(_BATCH if is_batch else 1)]
        demand, at_least, exactly, is_full = self._demand()
        stub = AuthorizationServiceStub(self._channel())
        called = time.monotonic_ns()
        try:
            if is_batch:
                request = pb.BatchAuthorizeRequest(
                    questions=[pb.Question(**question_fields(q)) for q in questions],
                    consistency=demand,
                )
                answer = stub.BatchAuthorize(request, timeout=_SECONDS)
                decisions = [result.decision for result in answer.results]
            else:
                request = pb.AuthorizeRequest(**question_fields(questions[0]), consistency=demand)
                answer = stub.Authorize(request, timeout=_SECONDS)
                decisions = [answer.decision]
        except grpc.RpcError as error:
            self._note(error)
            return
        returned = time.monotonic_ns()
        revision = revision_of(answer.consistency_token)
        told = {pb.DECISION_PERMIT: True, pb.DECISION_DENY: False}
        self._process.record(
            *(
                [
                    *("read", self._name, called, returned, *question),
                    *(told[decision], revision, at_least, exactly, is_full),
                ]
                for question, decision in zip(questions, decisions, strict=True)
            )
        )
        self._process.tokens.append(answer.consistency_token)

    def _demand(self) -> tuple[pb.Consistency | None, int, int | None, bool]:
        """Return a demand, and what it means: at least, exactly, fully."""
        dice = self._chance.random()
        tokens = list(self._process.tokens)
        if dice < 0.4 and self._own is not None:
            demanded = [self._own]
        elif dice < 0.6 and tokens:
            demanded = self._chance.sample(tokens, min(len(tokens), 2))
        elif dice < 0.62 and tokens:
            token = self._chance.choice(tokens)
            return pb.Consistency(exactly=token), 0, revision_of(token), False
        elif dice < 0.8:
            return pb.Consistency(fully_consistent=True), 0, None, True
        else:
            return None, 0, None, False
        at_least = pb.AtLeastAsFresh(consistency_tokens=demanded)
        return (
            pb.Consistency(at_least_as_fresh=at_least),
            max(map(revision_of, demanded)),
            None,
            False,
        )

    def _note(self, error: Any) -> bool:
        """Count an error; say whether it means that nothing was done."""
        code = error.code()
        reason = "" if code in _UNKNOWN else f": {error.details()}"
        with self._process.lock:
            self._process.errors[f"{code.name}{reason}"] += 1
        return code not in _UNKNOWN

    def _channel(self) -> grpc.Channel:
        return self._chance.choice(self._channels)

    def _question(self) -> Question:
        return Question(self._chance.choice(USERS), self._chance.choice(DOCUMENTS))

    def _next_name(self) -> str:
        self._number += 1
        return f"{self._name}-{self._number}"


def revision_of(token: str) -> int:
    return ConsistencyToken.parse(token).revision


def some_changes(chance: random.Random) -> list[Change]:
    changes = {}
    for _ in range(chance.randint(1, 3)):
        kind = chance.choice(("reader", "member", "owner"))
        subject = chance.choice(DOCUMENTS if kind == "owner" else USERS)
        about = chance.choice(DOCUMENTS if kind == "reader" else GROUPS)
        changes[kind, subject, about] = Change(kind, subject, about, chance.random() < 0.5)
    return list(changes.values())


def write_request(name: str, changes: Iterable[Change]) -> WriteFactsRequest:
    """Return the request that makes these changes, and leaves a mark of its name."""
    mark = Change("member", name, MARKS, True)
    return WriteFactsRequest(
        writes=[
            {"insert" if change.holds else "delete": fact_fields(change)}
            for change in (*changes, mark)
        ],
        idempotency_key=name,
    )


def named_policy(name: str, variant: str) -> str:
    return f"# {name} {variant}\n{policy_text(variant)}"


def fact_fields(change: Change) -> dict[str, Any]:
    if change.kind == "owner":
        args = [
            entity("Document", change.subject),
            {"text": "owner"},
            entity("Group", change.object),
        ]
        return {"predicate": "has_relation", "args": args}
    about = "Document" if change.kind == "reader" else "Group"
    args = [entity("User", change.subject), {"text": change.kind}, entity(about, change.object)]
    return {"predicate": "has_role", "args": args}


def entity(type_: str, id_: str) -> dict[str, Any]:
    return {"entity": {"type": type_, "id": id_}}


def question_fields(question: Question) -> dict[str, Any]:
    return {
        "actor": {"type": "User", "id": question.user},
        "action": "read",
        "resource": {"type": "Document", "id": question.document},
    }


def main() -> None:
    work = Work(**json.load(sys.stdin))
    with Path(work.file).open("w") as out:
        process = Process(work, out)
        threads = [
            threading.Thread(target=Client(process, number).run) for number in range(work.threads)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        json.dump(["errors", process.errors], out)


if __name__ == "__main__":
    main()
