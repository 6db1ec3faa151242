"""One actor and one action over many resources: the compact form of a batch, decoded and encoded."""

from collections import Counter
from collections.abc import Sequence
from typing import NamedTuple

from authz.v1 import authorization_service_pb2 as pb

from authz_service.errors import AuthzError, InvalidRequest
from authz_service.facts.fact import Fact
from authz_service.pdp.many import ManyResources, Outcome
from authz_service.server import codec
from authz_service.server.status import TABLE


class Asked(NamedTuple):
    """What is to be decided, and the ids that cannot be, by their place."""

    questions: ManyResources
    context_facts: Sequence[Fact]
    refused: dict[int, InvalidRequest]


def asked(message: pb.ManyResources) -> Asked:
    """Raises MissingField or MalformedValue for what concerns all resources, naming the field."""
    ids: list[str] = []
    refused: dict[int, InvalidRequest] = {}
    for place, text in enumerate(message.resource_ids):
        try:
            ids.append(codec.resource_id(text))
        except InvalidRequest as error:
            refused[place] = error
    questions = ManyResources(
        codec.actor(message),
        codec.action(message),
        codec.type_name(message.resource_type, "resource_type"),
        ids,
    )
    return Asked(questions, codec.context_facts(message), refused)


class Answered(NamedTuple):
    """The answers, and how many there are of each outcome, by the names that the metric has for them."""

    message: pb.ManyDecisions
    counts: Counter[str]


def answered(question: Asked, decided: Sequence[Outcome], decision_id: str) -> Answered:
    """Return an answer for each resource that was named, also for those that could not be decided."""
    outcomes = list(decided)
    for place, error in question.refused.items():
        outcomes.insert(place, error)
    decisions = list(map(_decision, outcomes))
    errors = {
        place: error_message(outcome)
        for place, outcome in enumerate(outcomes)
        if isinstance(outcome, AuthzError)
    }
    message = pb.ManyDecisions(decisions=decisions, errors=errors, decision_id=decision_id)
    return Answered(message, Counter(map(_NAMES.__getitem__, decisions)))


_NAMES = {pb.DECISION_PERMIT: "permit", pb.DECISION_DENY: "deny", pb.DECISION_UNSPECIFIED: "error"}


def _decision(outcome: Outcome) -> pb.Decision:
    match outcome:
        case True:
            return pb.DECISION_PERMIT
        case False:
            return pb.DECISION_DENY
        case AuthzError():
            return pb.DECISION_UNSPECIFIED


def error_message(error: AuthzError) -> pb.QuestionError:
    """Return why one question of a batch has no answer."""
    return pb.QuestionError(
        code=TABLE[type(error)].value[0],
        reason=error.reason,
        message=error.message,
        field=error.field,
    )
