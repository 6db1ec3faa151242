"""The calls that are one request and one answer: what each sends, and what each makes of the answer."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Final
from uuid import uuid4

from authz._call import (
    Call,
    reading,
    refusing_the_unrepresentable,
    stated_text,
    stated_time,
    stated_version,
)
from authz._consistency import Consistency, consistency_message
from authz._decision import Answer, Decision, Question
from authz._entity import Entity
from authz._explain import Explanation, read_changes, read_misses, read_proof, read_rule
from authz._fact import Fact, FactPattern, StoredFact
from authz._results import (
    EntityDeleted,
    Policy,
    PublishedPolicy,
    WriteCounts,
    WriteOutcome,
    WriteResult,
)
from authz._status import error_of_question, read_diagnostic
from authz._text import malformed
from authz._wire import (
    Moment,
    entity_message,
    fact_message,
    pattern_message,
    read_fact,
    read_time,
    set_moment,
)
from authz._writes import Writes
from authz.errors import UnexpectedAnswer
from authz.v1 import authorization_service_pb2 as authorization_pb
from authz.v1 import fact_service_pb2 as fact_pb
from authz.v1 import policy_service_pb2 as policy_pb
from authz.v1 import store_service_pb2 as store_pb

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
    fact_pb.WRITE_OUTCOME_CHANGED: WriteOutcome.CHANGED,
    fact_pb.WRITE_OUTCOME_REPLACED: WriteOutcome.REPLACED,
}


@refusing_the_unrepresentable()
def authorize(
    store: str, question: Question, demand: Consistency | None, *, name_rules: bool
) -> Call[Decision]:
    request = authorization_pb.AuthorizeRequest(
        store=store,
        actor=entity_message(question.actor),
        action=question.action,
        resource=entity_message(question.resource),
        context_facts=map(fact_message, question.context_facts),
        consistency=_demanded(demand),
        name_rules=name_rules,
    )
    return Call(
        "/authz.v1.AuthorizationService/Authorize",
        request.SerializeToString(),
        reading(authorization_pb.AuthorizeResponse, _read_decision),
        repeatable=True,
    )


def _demanded(demand: Consistency | None) -> authorization_pb.Consistency | None:
    return None if demand is None else consistency_message(demand)


def _read_decision(response: authorization_pb.AuthorizeResponse) -> Decision:
    return Decision(
        permitted=_permitted(response.decision),
        id=stated_text(response.decision_id, "decision_id"),
        policy_version=stated_version(response.policy_version),
        evaluated_at=stated_time(response, "evaluated_at"),
        consistency_token=stated_text(response.consistency_token, "consistency_token"),
        age=_age(response),
        rules=tuple(map(read_rule, response.rules)),
    )


def _age(
    response: authorization_pb.AuthorizeResponse
    | authorization_pb.BatchAuthorizeResponse
    | authorization_pb.ExplainResponse,
) -> timedelta | None:
    return response.age.ToTimedelta() if response.HasField("age") else None


def _permitted(decision: int) -> bool:
    if decision not in _PERMITTED:
        raise UnexpectedAnswer(f"expected PERMIT or DENY, found decision {decision}")
    return _PERMITTED[decision]


@refusing_the_unrepresentable()
def explain(
    store: str, question: Question, demand: Consistency | None, proofs: int, change_sets: int
) -> Call[Explanation]:
    request = authorization_pb.ExplainRequest(
        store=store,
        actor=entity_message(question.actor),
        action=question.action,
        resource=entity_message(question.resource),
        context_facts=map(fact_message, question.context_facts),
        consistency=_demanded(demand),
        max_proofs=proofs,
        max_change_sets=change_sets,
    )

    def read(response: authorization_pb.ExplainResponse) -> Explanation:
        return Explanation(
            question=question.text,
            permitted=_permitted(response.decision),
            policy_version=stated_version(response.policy_version),
            evaluated_at=stated_time(response, "evaluated_at"),
            consistency_token=stated_text(response.consistency_token, "consistency_token"),
            age=_age(response),
            proofs=tuple(map(read_proof, response.proofs)),
            has_all_proofs=response.has_all_proofs,
            misses=read_misses(response.misses),
            changes=read_changes(response.nearest_changes),
        )

    return Call(
        "/authz.v1.AuthorizationService/Explain",
        request.SerializeToString(),
        reading(authorization_pb.ExplainResponse, read),
        repeatable=True,
    )


@refusing_the_unrepresentable()
def authorize_batch(
    store: str, questions: tuple[Question, ...], demand: Consistency | None
) -> Call[list[Answer]]:
    request = authorization_pb.BatchAuthorizeRequest(
        store=store,
        questions=map(_question_message, questions),
        consistency=_demanded(demand),
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
                _batch_decision(
                    result.decision, stated_text(result.decision_id, "decision_id"), batch
                )
            )
        case _:
            raise UnexpectedAnswer("a question has neither a decision nor an error")


def _batch_decision(
    decision: int, decision_id: str, batch: authorization_pb.BatchAuthorizeResponse
) -> Decision:
    return Decision(
        permitted=_permitted(decision),
        id=decision_id,
        policy_version=stated_version(batch.policy_version),
        evaluated_at=stated_time(batch, "evaluated_at"),
        consistency_token=stated_text(batch.consistency_token, "consistency_token"),
        age=_age(batch),
    )


@refusing_the_unrepresentable()
def authorize_many(
    store: str,
    actor: Entity,
    action: str,
    resources: tuple[Entity, ...],
    context_facts: Iterable[Fact],
    demand: Consistency | None,
) -> Call[list[Answer]]:
    if not resources:
        return authorize_batch(store, (), demand)
    types = {resource.type for resource in resources}
    if len(types) != 1:
        raise malformed(f"expected resources of one type, found {', '.join(sorted(types))}")
    request = authorization_pb.BatchAuthorizeRequest(
        store=store,
        many_resources=authorization_pb.ManyResources(
            actor=entity_message(actor),
            action=action,
            resource_type=types.pop(),
            resource_ids=[resource.id for resource in resources],
            context_facts=map(fact_message, context_facts),
        ),
        consistency=_demanded(demand),
    )

    def read(response: authorization_pb.BatchAuthorizeResponse) -> list[Answer]:
        many = response.many_decisions
        _require_as_many(len(resources), "decisions", len(many.decisions))
        stated_text(many.decision_id, "decision_id")
        return [
            _many_answer(place, decision, response) for place, decision in enumerate(many.decisions)
        ]

    return Call(
        "/authz.v1.AuthorizationService/BatchAuthorize",
        request.SerializeToString(),
        reading(authorization_pb.BatchAuthorizeResponse, read),
        repeatable=True,
    )


def _many_answer(
    place: int, decision: int, batch: authorization_pb.BatchAuthorizeResponse
) -> Answer:
    many = batch.many_decisions
    if place in many.errors:
        if decision != authorization_pb.DECISION_UNSPECIFIED:
            raise UnexpectedAnswer("a question has both a decision and an error")
        return Answer(error_of_question(many.errors[place]))
    return Answer(_batch_decision(decision, f"{many.decision_id}.{place}", batch))


@refusing_the_unrepresentable()
def write_facts(store: str, writes: Writes) -> Call[WriteResult]:
    request = fact_pb.WriteFactsRequest(
        store=store,
        writes=writes.messages(),
        preconditions=writes.preconditions(),
        idempotency_key=_key(writes.idempotency_key),
    )
    count = len(request.writes)

    def read(response: fact_pb.WriteFactsResponse) -> WriteResult:
        _require_as_many(count, "outcomes", len(response.outcomes))
        _require_as_many(count, "counts", len(response.counts))
        return WriteResult(
            outcomes=tuple(map(_outcome, response.outcomes)),
            consistency_token=stated_text(response.consistency_token, "consistency_token"),
            policy_version=stated_version(response.policy_version),
            counts=tuple(
                WriteCounts(one.inserted, one.changed, one.deleted) for one in response.counts
            ),
        )

    return Call(
        "/authz.v1.FactService/WriteFacts",
        request.SerializeToString(),
        reading(fact_pb.WriteFactsResponse, read),
        repeatable=bool(request.idempotency_key),
    )


def _key(key: str | None) -> str:
    """Return the key of a write; by default one that no other write has, so that it can be tried again."""
    return uuid4().hex if key is None else key


def _outcome(outcome: int) -> WriteOutcome:
    if outcome not in _OUTCOMES:
        raise UnexpectedAnswer(f"expected the outcome of a write, found {outcome}")
    return _OUTCOMES[outcome]


@refusing_the_unrepresentable()
def delete_entity(store: str, entity: Entity, key: str | None) -> Call[EntityDeleted]:
    request = fact_pb.DeleteEntityRequest(
        store=store, entity=entity_message(entity), idempotency_key=_key(key)
    )
    return Call(
        "/authz.v1.FactService/DeleteEntity",
        request.SerializeToString(),
        reading(
            fact_pb.DeleteEntityResponse,
            lambda response: EntityDeleted(
                response.deleted, stated_text(response.consistency_token, "consistency_token")
            ),
        ),
        repeatable=bool(request.idempotency_key),
    )


@dataclass(frozen=True, slots=True)
class FactPage:
    """Some facts, and the call that reads those behind them; None if there are none."""

    facts: tuple[StoredFact, ...]
    rest: Call["FactPage"] | None


@refusing_the_unrepresentable()
def read_facts(
    store: str, pattern: FactPattern | None, at: Moment, page_size: int
) -> Call[FactPage]:
    wanted = None if pattern is None else pattern_message(pattern)
    request = fact_pb.ReadFactsRequest(store=store, pattern=wanted, page_size=page_size)
    set_moment(request, at)
    return _read_page(request)


def _read_page(request: fact_pb.ReadFactsRequest) -> Call[FactPage]:
    def read(response: fact_pb.ReadFactsResponse) -> FactPage:
        expiries = {place: read_time(at) for place, at in response.expires_at.items()}
        facts = tuple(
            StoredFact(read_fact(fact), expiries.get(place))
            for place, fact in enumerate(response.facts)
        )
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


@refusing_the_unrepresentable()
def create_store(name: str) -> Call[str]:
    return Call(
        "/authz.v1.StoreService/CreateStore",
        store_pb.CreateStoreRequest(store=name).SerializeToString(),
        reading(store_pb.CreateStoreResponse, _read_token),
        repeatable=False,
    )


@refusing_the_unrepresentable()
def delete_store(name: str) -> Call[str]:
    return Call(
        "/authz.v1.StoreService/DeleteStore",
        store_pb.DeleteStoreRequest(store=name).SerializeToString(),
        reading(store_pb.DeleteStoreResponse, _read_token),
        repeatable=False,
    )


def list_stores() -> Call[list[str]]:
    return Call(
        "/authz.v1.StoreService/ListStores",
        store_pb.ListStoresRequest().SerializeToString(),
        reading(
            store_pb.ListStoresResponse,
            lambda response: [stated_text(store.name, "name") for store in response.stores],
        ),
        repeatable=True,
    )


def _read_token(response: store_pb.CreateStoreResponse | store_pb.DeleteStoreResponse) -> str:
    return stated_text(response.consistency_token, "consistency_token")
