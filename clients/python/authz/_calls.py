"""The calls of the service: how each is asked, and how its answer is read.

Rule 1: a call knows nothing of channels, time or threads, so that both clients share it.
Rule 2: only an answer that says all that the protocol promises is returned. Whatever is missing,
    unknown or contradictory raises UnexpectedAnswer; nothing is filled in.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Generic, NamedTuple, NoReturn, TypeVar

from google.protobuf.message import Message
from google.protobuf.timestamp_pb2 import Timestamp

from authz._decision import Answer, Decision, Question, to_question
from authz._entity import Entity, to_entity
from authz._fact import Fact, FactPattern, to_facts
from authz._results import Policy, PublishedPolicy, WriteOutcome, WriteResult
from authz._status import error_of_question
from authz._wire import entity_message, fact_message, pattern_message, read_fact, read_time
from authz.errors import UNREPRESENTABLE, InvalidRequest, UnexpectedAnswer
from authz.v1 import authorization_service_pb2 as authorization_pb
from authz.v1 import fact_service_pb2 as fact_pb
from authz.v1 import policy_service_pb2 as policy_pb

Result = TypeVar("Result")

_OUTCOMES = {
    fact_pb.WRITE_OUTCOME_CREATED: WriteOutcome.CREATED,
    fact_pb.WRITE_OUTCOME_EXISTED: WriteOutcome.EXISTED,
    fact_pb.WRITE_OUTCOME_DELETED: WriteOutcome.DELETED,
    fact_pb.WRITE_OUTCOME_MISSING: WriteOutcome.MISSING,
}

_AUTHORIZATION = "/authz.v1.AuthorizationService/"
_FACTS = "/authz.v1.FactService/"
_POLICIES = "/authz.v1.PolicyService/"

AnyQuestion = Question | tuple[Entity | str, str, Entity | str]


@dataclass(frozen=True, slots=True)
class Call(Generic[Result]):
    """One RPC: its path, the request, the type of the response and how to read it.

    A `repeatable` call changes nothing, so it may be tried again.
    """

    path: str
    request: Message
    response: type[Message]
    read: Callable[..., Result]
    repeatable: bool


class Page(NamedTuple):
    """Facts, and the token of the next page; empty if there is none."""

    facts: Sequence[Fact]
    next_token: str


def authorize(store: str, question: Question) -> Call[Decision]:
    request = authorization_pb.AuthorizeRequest(
        store=_sendable(store),
        actor=entity_message(question.actor),
        action=_sendable(question.action),
        resource=entity_message(question.resource),
        context_facts=map(fact_message, question.context_facts),
    )
    response = authorization_pb.AuthorizeResponse
    return Call(f"{_AUTHORIZATION}Authorize", request, response, _decision, repeatable=True)


def authorize_batch(store: str, questions: Iterable[AnyQuestion]) -> Call[list[Answer]]:
    messages = [_question_message(to_question(question)) for question in questions]
    request = authorization_pb.BatchAuthorizeRequest(store=_sendable(store), questions=messages)

    def read(response: authorization_pb.BatchAuthorizeResponse) -> list[Answer]:
        if len(response.results) != len(messages):
            _unexpected(f"{len(response.results)} results for {len(messages)} questions")
        return [_answer(result, response) for result in response.results]

    response = authorization_pb.BatchAuthorizeResponse
    return Call(f"{_AUTHORIZATION}BatchAuthorize", request, response, read, repeatable=True)


def write_facts(
    store: str, insert: Iterable[Fact | str], delete: Iterable[Fact | str]
) -> Call[WriteResult]:
    writes = [fact_pb.FactWrite(delete=fact_message(fact)) for fact in to_facts(delete)]
    writes += [fact_pb.FactWrite(insert=fact_message(fact)) for fact in to_facts(insert)]
    request = fact_pb.WriteFactsRequest(store=_sendable(store), writes=writes)

    def read(response: fact_pb.WriteFactsResponse) -> WriteResult:
        outcomes = tuple(_OUTCOMES.get(outcome) for outcome in response.outcomes)
        known = tuple(outcome for outcome in outcomes if outcome is not None)
        if len(known) != len(writes) or len(outcomes) != len(writes):
            _unexpected("the outcomes do not fit the writes")
        return WriteResult(known, _token(response.consistency_token), response.policy_version)

    response = fact_pb.WriteFactsResponse
    return Call(f"{_FACTS}WriteFacts", request, response, read, repeatable=False)


def read_facts(
    store: str, pattern: FactPattern | None, page_size: int, page_token: str
) -> Call[Page]:
    if not 0 <= page_size <= 1000:
        message = f"a page has 1 to 1000 facts, not {page_size}"
        raise InvalidRequest(message, reason=UNREPRESENTABLE, field="page_size")
    request = fact_pb.ReadFactsRequest(
        store=_sendable(store),
        pattern=pattern_message(pattern) if pattern else None,
        page_size=page_size,
        page_token=page_token,
    )

    def read(response: fact_pb.ReadFactsResponse) -> Page:
        if response.next_page_token and response.next_page_token == page_token:
            _unexpected("the next page is this page")
        return Page(list(map(read_fact, response.facts)), response.next_page_token)

    response = fact_pb.ReadFactsResponse
    return Call(f"{_FACTS}ReadFacts", request, response, read, repeatable=True)


def publish_policy(store: str, files: Mapping[str, str]) -> Call[PublishedPolicy]:
    messages = [
        policy_pb.PolicyFile(name=_sendable(name), text=_sendable(text))
        for name, text in files.items()
    ]
    request = policy_pb.PublishPolicyRequest(store=_sendable(store), files=messages)

    def read(response: policy_pb.PublishPolicyResponse) -> PublishedPolicy:
        token = _token(response.consistency_token)
        return PublishedPolicy(_version(response.policy_version), token)

    response = policy_pb.PublishPolicyResponse
    return Call(f"{_POLICIES}PublishPolicy", request, response, read, repeatable=False)


def get_policy(store: str, version: int) -> Call[Policy]:
    request = policy_pb.GetPolicyRequest(store=_sendable(store), policy_version=version)

    def read(response: policy_pb.GetPolicyResponse) -> Policy:
        return Policy(
            {file.name: file.text for file in response.files},
            _version(response.policy_version),
            _time(response, "published_at"),
            _token(response.consistency_token),
        )

    response = policy_pb.GetPolicyResponse
    return Call(f"{_POLICIES}GetPolicy", request, response, read, repeatable=True)


def question_of(
    actor: Entity | str,
    action: str,
    resource: Entity | str,
    context_facts: Iterable[Fact | str],
) -> Question:
    return Question(to_entity(actor), action, to_entity(resource), context_facts)


def _question_message(question: Question) -> authorization_pb.Question:
    return authorization_pb.Question(
        actor=entity_message(question.actor),
        action=_sendable(question.action),
        resource=entity_message(question.resource),
        context_facts=map(fact_message, question.context_facts),
    )


def _decision(response: authorization_pb.AuthorizeResponse) -> Decision:
    return Decision(
        _permitted(response.decision),
        _present(response.decision_id, "decision_id"),
        _version(response.policy_version),
        _time(response, "evaluated_at"),
        _token(response.consistency_token),
    )


def _answer(
    result: authorization_pb.QuestionResult, batch: authorization_pb.BatchAuthorizeResponse
) -> Answer:
    match result.WhichOneof("outcome"):
        case "decision":
            decision = Decision(
                _permitted(result.decision),
                _present(result.decision_id, "decision_id"),
                _version(batch.policy_version),
                _time(batch, "evaluated_at"),
                _token(batch.consistency_token),
            )
            return Answer(decision)
        case "error":
            return Answer(error_of_question(result.error))
        case _:
            _unexpected("a result without decision or error")


def _permitted(decision: int) -> bool:
    if decision == authorization_pb.DECISION_PERMIT:
        return True
    if decision == authorization_pb.DECISION_DENY:
        return False
    _unexpected(f"the decision {decision}, which is neither PERMIT nor DENY")


def _version(version: int) -> int:
    if version < 1:
        _unexpected(f"the policy version {version}")
    return version


def _token(token: str) -> str:
    return _present(token, "consistency_token")


def _present(text: str, name: str) -> str:
    return text or _unexpected(f"no {name}")


def _time(response: Message, name: str) -> datetime:
    moment: Timestamp = getattr(response, name)
    if not response.HasField(name):
        _unexpected(f"no {name}")
    try:
        return read_time(moment)
    except (ValueError, OverflowError):
        _unexpected(f"an impossible {name}")


def _sendable(text: str) -> str:
    """Return `text` if the protocol can carry it; a lone surrogate has no UTF-8."""
    try:
        text.encode()
    except UnicodeEncodeError:
        message = f"{text!r} has characters that UTF-8 cannot carry"
        raise InvalidRequest(message, reason=UNREPRESENTABLE) from None
    return text


def _unexpected(found: str) -> NoReturn:
    message = f"the service answered with {found}"
    raise UnexpectedAnswer(message)
