"""Explanations to protobuf."""

from collections.abc import Callable, Sequence

from authz.v1 import authorization_service_pb2 as pb
from authz.v1 import explain_pb2 as explain_pb

from authz_service.engine.explain.change_set import Change
from authz_service.engine.explain.changes import MAX_CHANGES, NearestChanges
from authz_service.engine.explain.misses import Condition, Misses, Outcome
from authz_service.engine.explain.proof import Premise, Proof, RestsOnFact, RestsOnStep
from authz_service.engine.explain.wording import source_text
from authz_service.errors import MalformedValue
from authz_service.facts.fact import Fact
from authz_service.pdp.explain import Explanation
from authz_service.polar.source import Span
from authz_service.server import codec

MAX_PROOFS = 20
MAX_CHANGE_SETS = 50
_DEFAULT_PROOFS = 1
_DEFAULT_CHANGE_SETS = 3

_RULE_CHARACTERS = 400

_OUTCOMES = {
    Outcome.HOLDS: explain_pb.CONDITION_OUTCOME_HOLDS,
    Outcome.FAILS: explain_pb.CONDITION_OUTCOME_FAILS,
    Outcome.OPEN: explain_pb.CONDITION_OUTCOME_OPEN,
}

_IsContext = Callable[[Fact], bool]


def most_proofs(request: pb.ExplainRequest) -> int:
    """Raises MalformedValue."""
    return _most(request.max_proofs, _DEFAULT_PROOFS, MAX_PROOFS, "max_proofs")


def most_changes(request: pb.ExplainRequest) -> int:
    """Raises MalformedValue."""
    return _most(request.max_change_sets, _DEFAULT_CHANGE_SETS, MAX_CHANGE_SETS, "max_change_sets")


def _most(number: int, default: int, most: int, field: str) -> int:
    if number > most:
        raise MalformedValue(f"`{field}` is at most {most}", field=field)
    return number or default


def fill_response(
    response: pb.ExplainResponse, explanation: Explanation, is_context: _IsContext
) -> None:
    """Put the explanation into the response; `is_context` says which facts only the question brought."""
    response.proofs.extend(_proof(proof, is_context) for proof in explanation.proofs)
    response.has_all_proofs = explanation.has_all_proofs
    if explanation.misses is not None:
        response.misses.CopyFrom(_misses(explanation.misses, is_context))
    if explanation.changes is not None:
        response.nearest_changes.CopyFrom(_changes(explanation.changes, is_context))


def rule_messages(spans: Sequence[Span]) -> list[explain_pb.PolicyRule]:
    return list(map(_rule, spans))


def _rule(span: Span) -> explain_pb.PolicyRule:
    text = source_text(span)
    if len(text) > _RULE_CHARACTERS:
        text = text[:_RULE_CHARACTERS] + " ..."
    return explain_pb.PolicyRule(
        file=span.source.name, line=span.line, column=span.column, text=text
    )


def _proof(proof: Proof, is_context: _IsContext) -> explain_pb.Proof:
    return explain_pb.Proof(
        steps=[
            explain_pb.ProofStep(
                fact=codec.fact_message(step.fact),
                rule=_rule(step.span),
                premises=[_premise(premise, is_context) for premise in step.premises],
            )
            for step in proof.steps
        ]
    )


def _premise(premise: Premise, is_context: _IsContext) -> explain_pb.Premise:
    match premise:
        case RestsOnFact(fact):
            return explain_pb.Premise(fact=_used(fact, is_context))
        case RestsOnStep(step):
            return explain_pb.Premise(step=step)
        case _:
            return explain_pb.Premise(condition=premise.text)


def _used(fact: Fact, is_context: _IsContext) -> explain_pb.UsedFact:
    origin = explain_pb.FACT_ORIGIN_CONTEXT if is_context(fact) else explain_pb.FACT_ORIGIN_STORED
    return explain_pb.UsedFact(fact=codec.fact_message(fact), origin=origin)


def _misses(misses: Misses, is_context: _IsContext) -> explain_pb.Misses:
    return explain_pb.Misses(
        goals=[
            explain_pb.MissedGoal(
                text=goal.text,
                attempts=[
                    explain_pb.Attempt(
                        rule=_rule(attempt.span),
                        conditions=[_condition(one, is_context) for one in attempt.conditions],
                    )
                    for attempt in goal.attempts
                ],
                can_be_stored=goal.can_be_stored,
                is_part=goal.is_part,
                is_short=goal.is_short,
            )
            for goal in misses.goals
        ],
        is_cut=misses.is_cut,
    )


def _condition(condition: Condition, is_context: _IsContext) -> explain_pb.RuleCondition:
    return explain_pb.RuleCondition(
        text=condition.text,
        outcome=_OUTCOMES[condition.outcome],
        goal=-1 if condition.goal is None else condition.goal,
        facts=[_used(fact, is_context) for fact in condition.facts],
    )


def _changes(changes: NearestChanges, is_context: _IsContext) -> explain_pb.NearestChanges:
    return explain_pb.NearestChanges(
        sets=[
            explain_pb.ChangeSet(changes=[_change(change, is_context) for change in one])
            for one in changes.sets
        ],
        complete_up_to=changes.complete_up_to,
        largest=MAX_CHANGES,
    )


def _change(change: Change, is_context: _IsContext) -> explain_pb.ProposedChange:
    if change.is_added:
        return explain_pb.ProposedChange(add=codec.fact_message(change.fact))
    return explain_pb.ProposedChange(remove=_used(change.fact, is_context))
