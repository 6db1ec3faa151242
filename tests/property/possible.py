"""What some facts could make hold, found without following rules: by the largest set of facts that there is.

Rules without negation derive no less of more facts. So whatever they derive of any facts over a few values,
they derive of all facts over these; and one entity of each type, beside those that the policy names, is
enough unless a rule wants two that differ. Negated conditions count as met.
"""

from itertools import product

from schemas import NOW

from authz_service.engine.program import Budget
from authz_service.engine.reference import Model, constants
from authz_service.facts.fact import Fact
from authz_service.facts.value import BOOLEAN, INTEGER, STRING, Value, boolean, integer, string
from authz_service.polar.goals import (
    Comparison,
    Conjunction,
    Disjunction,
    Goal,
    Membership,
    Negation,
    Rule,
    TypeTest,
)
from authz_service.polar.policy import Policy

UNNAMED = "named nowhere"
MAX_FACTS = 1500
STEPS = 400_000


def universe(policy: Policy) -> dict[str, list[Value]]:
    """Return some values of each type: all that the policy names, and others."""
    named = policy.shapes.named.union(*(constants(rule) for rule in policy.rules))
    numbers = {int(v.id) for v in named if v.type == INTEGER} | {NOW}
    values = {Value(kind, id_) for kind in policy.types for id_ in ("one",)} | named
    values |= {string(UNNAMED), boolean(True), boolean(False)}
    values |= {integer(n + more) for n in numbers for more in (-1, 0, 1) if abs(n + more) < 2**63}
    kinds = (*policy.types, STRING, INTEGER, BOOLEAN)
    return {kind: sorted(v for v in values if v.type == kind) for kind in kinds}


def all_facts(policy: Policy, values: dict[str, list[Value]]) -> set[Fact] | None:
    """Return all facts over the values that the policy can use; None if these are very many."""
    found: set[Fact] = set()
    for shape in (shape for group in policy.shapes.by_predicate.values() for shape in group):
        choices = [
            [v for kind in arg.types for v in values[kind] if arg.accepts(v)] for arg in shape.args
        ]
        size = 1
        for some in choices:
            size *= len(some)
        if size > MAX_FACTS:
            return None
        found.update(Fact(shape.predicate, args) for args in product(*choices))
    return found if len(found) <= MAX_FACTS else None


def possible(policy: Policy) -> Model | None:
    """Return all that could hold over the universe; None if that is very much. Raises EvaluationLimitReached."""
    values = universe(policy)
    facts = all_facts(policy, values)
    if facts is None:
        return None
    model = Model(facts, {v for some in values.values() for v in some}, NOW, Budget(STEPS))
    model.close_under([_without_negation(rule) for rule in policy.rules])
    return model


def _without_negation(rule: Rule) -> Rule:
    return Rule(rule.head, _met(rule.body), rule.types, rule.open, rule.span)


def _met(goal: Goal) -> Goal:
    match goal:
        case Negation(Comparison() | Membership() | TypeTest()):
            return goal
        case Negation(span=span):
            return Conjunction((), span)
        case Conjunction(goals, span):
            return Conjunction(tuple(map(_met, goals)), span)
        case Disjunction(goals, span):
            return Disjunction(tuple(map(_met, goals)), span)
        case _:
            return goal
