"""The six calls of the service: what each sends, and what each makes of the answer."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from authz._call import (
    Call,
    reading,
    refusing_the_unrepresentable,
    stated_text,
    stated_time,
    stated_version,
)
from authz._decision import Answer, Decision, Question
from authz._fact import Fact, FactPattern
from authz._results import Policy, PublishedPolicy, WriteOutcome, WriteResult
from authz._status import error_of_question, read_diagnostic
from authz._wire import entity_message, fact_message, pattern_message, read_fact
from authz.errors import UnexpectedAnswer
from authz.v1 import authorization_service_pb2 as authorization_pb
from authz.v1 import fact_service_pb2 as fact_pb
from authz.v1 import policy_service_pb2 as policy_pb

# There is no third entry, and no default: any other number is not a decision.
_PERMITTED: Final[Mapping[int, bool]] = {
    authorization_pb.DECISION_PERMIT: True,
    authorization_pb.DECISION_DENY: False,
}

_OUTCOMES: Final[Mapping[int, WriteOutcome]] = {
    fact_pb.WRITE_OUTCOME_CREATED: WriteOutcome.CREATED,
    fact_pb.WRITE_OUTCOME_EXISTED: WriteOutcome.EXISTED,
    fact_pb.WRITE_OUTCOME_DELETED: WriteOutcome.DELETED,
    fact_pb.WRITE_OUTCOME_MISSING: WriteOutcome.MISSING,
}


@refusing_the_unrepresentable()
def authorize(store: str, question: Question) -> Call[Decision]:
    request = authorization_pb.AuthorizeRequest(
        store=store,
        actor=entity_message(question.actor),
        action=question.action,
        resource=entity_message(question.resource),
        context_facts=map(fact_message, question.context_facts),
    )
    return Call(
        "/authz.v1.AuthorizationService/Authorize",
        request.SerializeToString(),
        reading(authorization_pb.AuthorizeResponse, _read_decision),
        repeatable=True,
    )


def _read_decision(response: authorization_pb.AuthorizeResponse) -> Decision:
    return Decision(
        permitted=_permitted(response.decision),
        id=stated_text(response.decision_id, "decision_id"),
        policy_version=stated_version(response.policy_version),
        evaluated_at=stated_time(response, "evaluated_at"),
        consistency_token=stated_text(response.consistency_token, "consistency_token"),
    )


def _permitted(decision: int) -> bool:
    if decision not in _PERMITTED:
        raise UnexpectedAnswer(f"expected PERMIT or DENY, found decision {decision}")
    return _PERMITTED[decision]


@refusing_the_unrepresentable()
def authorize_batch(store: str, questions: tuple[Question, ...]) -> Call[list[Answer]]:
    request = authorization_pb.BatchAuthorizeRequest(
        store=store, questions=map(_question_message, questions)
    )

    def read(response: authorization_pb.BatchAuthorizeResponse) -> list[Answer]:
        _require_as_many(len(questions), "results", len(response.results))
        return [_read_answer(result, response) for result in response.results]

    return Call(
        "/authz.v1.AuthorizationService/BatchAuthorize",
        request.SerializeToString(),
        reading(authorization_pb.BatchAuthorizeResponse, read),
        repeatable=True,
    )


def _question_message(question: Question) -> authorization_pb.Question:
    return authorization_pb.Question(
        actor=entity_message(question.actor),
        action=question.action,
        resource=entity_message(question.resource),
        context_facts=map(fact_message, question.context_facts),
    )


def _require_as_many(expected: int, name: str, found: int) -> None:
    if found != expected:
        raise UnexpectedAnswer(f"expected {expected} `{name}`, found {found}")


def _read_answer(
    result: authorization_pb.QuestionResult, batch: authorization_pb.BatchAuthorizeResponse
) -> Answer:
    match result.WhichOneof("outcome"):
        case "error":
            return Answer(error_of_question(result.error))
        case "decision":
            return Answer(
                Decision(
                    permitted=_permitted(result.decision),
                    id=stated_text(result.decision_id, "decision_id"),
                    policy_version=stated_version(batch.policy_version),
                    evaluated_at=stated_time(batch, "evaluated_at"),
                    consistency_token=stated_text(batch.consistency_token, "consistency_token"),
                )
            )
        case _:
            raise UnexpectedAnswer("a question has neither a decision nor an error")


@refusing_the_unrepresentable()
def write_facts(
    store: str, delete: tuple[Fact, ...], insert: tuple[Fact, ...]
) -> Call[WriteResult]:
    deletes = [fact_pb.FactWrite(delete=fact_message(fact)) for fact in delete]
    inserts = [fact_pb.FactWrite(insert=fact_message(fact)) for fact in insert]
    writes = deletes + inserts

    def read(response: fact_pb.WriteFactsResponse) -> WriteResult:
        _require_as_many(len(writes), "outcomes", len(response.outcomes))
        return WriteResult(
            outcomes=tuple(map(_outcome, response.outcomes)),
            consistency_token=stated_text(response.consistency_token, "consistency_token"),
            policy_version=stated_version(response.policy_version),
        )

    return Call(
        "/authz.v1.FactService/WriteFacts",
        fact_pb.WriteFactsRequest(store=store, writes=writes).SerializeToString(),
        reading(fact_pb.WriteFactsResponse, read),
        repeatable=False,
    )


def _outcome(outcome: int) -> WriteOutcome:
    if outcome not in _OUTCOMES:
        raise UnexpectedAnswer(f"expected the outcome of a write, found {outcome}")
    return _OUTCOMES[outcome]


@dataclass(frozen=True, slots=True)
class FactPage:
    """Some facts, and the call that reads those behind them; None if there are none."""

    facts: tuple[Fact, ...]
    rest: Call["FactPage"] | None


@refusing_the_unrepresentable()
def read_facts(store: str, pattern: FactPattern | None, page_size: int) -> Call[FactPage]:
    wanted = None if pattern is None else pattern_message(pattern)
    return _read_page(fact_pb.ReadFactsRequest(store=store, pattern=wanted, page_size=page_size))


def _read_page(request: fact_pb.ReadFactsRequest) -> Call[FactPage]:
    def read(response: fact_pb.ReadFactsResponse) -> FactPage:
        facts = tuple(map(read_fact, response.facts))
        token = response.next_page_token
        if not token:
            return FactPage(facts, rest=None)
        if token == request.page_token:
            raise UnexpectedAnswer("the page after this one is this one again")
        following = fact_pb.ReadFactsRequest()
        following.CopyFrom(request)
        following.page_token = token
        return FactPage(facts, rest=_read_page(following))

    return Call(
        "/authz.v1.FactService/ReadFacts",
        request.SerializeToString(),
        reading(fact_pb.ReadFactsResponse, read),
        repeatable=True,
    )


@refusing_the_unrepresentable()
def publish_policy(
    store: str, files: Mapping[str, str], *, skip_tests: bool, force: bool
) -> Call[PublishedPolicy]:
    request = policy_pb.PublishPolicyRequest(
        store=store,
        files=[policy_pb.PolicyFile(name=name, text=text) for name, text in files.items()],
        skip_tests=skip_tests,
        force=force,
    )
    return Call(
        "/authz.v1.PolicyService/PublishPolicy",
        request.SerializeToString(),
        reading(policy_pb.PublishPolicyResponse, _read_published_policy),
        repeatable=False,
    )


def _read_published_policy(response: policy_pb.PublishPolicyResponse) -> PublishedPolicy:
    return PublishedPolicy(
        version=stated_version(response.policy_version),
        consistency_token=stated_text(response.consistency_token, "consistency_token"),
        warnings=tuple(map(read_diagnostic, response.warnings.diagnostics)),
        omitted=response.warnings.omitted,
        tests=response.tests,
    )


@refusing_the_unrepresentable()
def get_policy(store: str, version: int) -> Call[Policy]:
    return Call(
        "/authz.v1.PolicyService/GetPolicy",
        policy_pb.GetPolicyRequest(store=store, policy_version=version).SerializeToString(),
        reading(policy_pb.GetPolicyResponse, _read_policy),
        repeatable=True,
    )


def _read_policy(response: policy_pb.GetPolicyResponse) -> Policy:
    return Policy(
        files={file.name: file.text for file in response.files},
        version=stated_version(response.policy_version),
        published_at=stated_time(response, "published_at"),
        consistency_token=stated_text(response.consistency_token, "consistency_token"),
    )
