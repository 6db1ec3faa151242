"""What the answer to a query says, and what it has to say: its conditions over all that holds."""

from collections.abc import Iterable
from itertools import product

from authz_service.engine.compiler.rule_program import variables_in_order
from authz_service.engine.engines import LoadedPolicy
from authz_service.engine.program import Budget, Query, Row
from authz_service.engine.queries.vocabulary import fixed_values
from authz_service.engine.reference import Binding, Model, ReferenceProgram
from authz_service.errors import UnknownAction
from authz_service.facts.fact import AnyValue, Fact
from authz_service.facts.snapshot import FactSnapshot
from authz_service.facts.value import Value, string
from authz_service.polar.policy import Policy

STRANGE = [f"never written {number}" for number in range(4)]


def is_said(
    loaded: LoadedPolicy,
    query: Query,
    rows: Iterable[Row],
    facts: FactSnapshot,
    now: int,
    steps: int,
) -> bool:
    """Say whether the rows say what holds, also of values that occur nowhere. Raises EvaluationLimitReached."""
    policy, program = loaded
    assert isinstance(program, ReferenceProgram)
    values = {Value(kind, id_) for kind in (*policy.types, "String") for id_ in STRANGE}
    # An action can be asked for though no rule names it.
    values |= {string(action) for some in policy.actions.values() for action in some or ()}
    listed = (limit.values or () for limit in query.limits.values())
    named = values.union(fixed_values(query), *listed)
    model = program.model(facts, named, now, Budget(steps))
    known = named.union(*(fact.args for fact in model))
    spoken = {row for row in said(rows, known) if set(row) <= known}
    return holding(policy, query, model) == spoken


def holding(policy: Policy, query: Query, model: Model) -> set[tuple[Value, ...]]:
    """Return the values of the columns for which all conditions hold in the model, the limits kept."""
    bindings: list[Binding] = [{}]
    for atom in query.conditions:
        facts = [
            fact
            for fact in model
            if (fact.predicate, len(fact.args)) == atom.key and can_be_asked(policy, fact)
        ]
        bindings = [
            {**binding, **dict(zip(variables_in_order(atom), values, strict=True))}
            for binding in bindings
            for fact in facts
            if (values := matched(atom.args, fact.args, binding)) is not None
        ]
    return {tuple(b[c] for c in query.columns) for b in bindings if is_within(policy, query, b)}


def can_be_asked(policy: Policy, fact: Fact) -> bool:
    """Say whether a question may have the action of what holds, if it is about an action on a resource."""
    if fact.predicate not in ("allow", "has_permission") or len(fact.args) != 3:
        return True
    _, action, resource = fact.args
    if action.type != "String" or resource.type not in policy.types:
        return True
    try:
        policy.check_action(action.id, resource.type)
    except UnknownAction:
        return False
    return True


def matched(terms, values, binding: Binding) -> list[Value] | None:
    """Return the values of the variables among the terms, if these can be the values."""
    known = dict(binding)
    for term, value in zip(terms, values, strict=True):
        if (term if isinstance(term, Value) else known.setdefault(term, value)) != value:
            return None
    return [known[term] for term in terms if not isinstance(term, Value)]


def is_within(policy: Policy, query: Query, binding: Binding) -> bool:
    return all(
        (limit.type is None or binding[v].type in policy.concrete(limit.type))
        and (limit.values is None or binding[v] in limit.values)
        for v, limit in query.limits.items()
    )


def said(rows: Iterable[Row], values: set[Value]) -> set[tuple[Value, ...]]:
    """Return the values that the rows speak about, of these."""
    found: set[tuple[Value, ...]] = set()
    for row in rows:
        cells = (
            [v for v in values if v.type == cell.type] if isinstance(cell, AnyValue) else [cell]
            for cell in row
        )
        found.update(product(*cells))
    return found
