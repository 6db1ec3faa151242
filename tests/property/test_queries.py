"""Queries: the compiled engine agrees with the reference, and the reference with what rows say."""

from collections import Counter
from collections.abc import Iterator, Sequence
from random import Random

import pytest
import random_policies
from examples import NOW, load
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from query_laws import STRANGE, is_said
from random_queries import random_query
from random_scenes import random_facts, random_kinds

from authz_service.engine.engines import Engine
from authz_service.engine.program import Budget, Query, Row
from authz_service.errors import (
    AuthzError,
    EvaluationLimitReached,
    InvalidRequest,
    VariableUnlimited,
)
from authz_service.facts.fact import AnyValue, Fact
from authz_service.facts.snapshot import FactSnapshot
from authz_service.facts.value import Value
from authz_service.polar.diagnostic import PolicyInvalid

STEPS = 60_000
ENOUGH = 5_000_000
SEEDS = (*range(14), 5388)
"""In the last one a rule for another Integer than the query's leaves a variable open."""
QUERIES = 8

Answer = set[Row] | tuple[str, str, str]


class Case:
    """A random policy with facts, in part context facts, and queries about them."""

    def __init__(self, seed: int) -> None:
        random = Random(seed)
        text = random_policies.policy(random, recursive=True)
        self.reference = load(text)
        self.compiled = load(text, Engine.COMPILED)
        policy = self.reference.policy
        self.facts: Sequence[Fact] = random_facts(
            random, policy, random_kinds(random, policy)
        ).facts
        half = random.randint(0, len(self.facts))
        self.snapshot = FactSnapshot(self.facts[:half]).with_facts(self.facts[half:])
        strange = [Value(kind, STRANGE[0]) for kind in policy.types]
        model = sorted(self.reference.program.model(self.facts, strange, NOW, Budget(STEPS)))
        holding = [fact for fact in model if STRANGE[0] not in {arg.id for arg in fact.args}]
        self.queries = [random_query(random, policy, self.facts, holding) for _ in range(QUERIES)]


def case_of(seed: int) -> Case | None:
    try:
        return Case(seed)
    except (PolicyInvalid, EvaluationLimitReached):
        return None


def answer(loaded, query: Query, facts: FactSnapshot, steps: int) -> Answer:
    try:
        return loaded.program.query(query, facts, NOW, Budget(steps))
    except EvaluationLimitReached:
        raise
    except AuthzError as error:
        return type(error).__name__, error.field, error.message


def compared(seed: int) -> Iterator[tuple[Query, Answer]]:
    """Yield the queries of a seed with the answer that both engines give."""
    case = case_of(seed)
    for query in case.queries if case else ():
        try:
            expected = answer(case.reference, query, case.snapshot, STEPS)
        except EvaluationLimitReached:
            continue
        found = answer(case.compiled, query, case.snapshot, ENOUGH)
        assert found == expected, (seed, query)
        if isinstance(expected, set):
            case.compiled.program._queries.source(
                query
            )  # is compiled, and answered by no other engine
        yield query, expected


def test_the_engines_agree():
    kinds: Counter[str] = Counter()
    for seed in SEEDS:
        for query, found in compared(seed):
            kinds[found[0] if isinstance(found, tuple) else "answered"] += 1
            if isinstance(found, set):
                cells = [cell for row in found for cell in row]
                kinds["rows"] += bool(found)
                kinds["any value"] += any(isinstance(cell, AnyValue) for cell in cells)
                kinds["joins"] += bool(found) and len(query.conditions) > 1
    assert kinds["answered"] > kinds.total() / 4
    assert min(kinds[name] for name in ("rows", "any value", "joins")) > 5, kinds
    assert kinds["VariableUnlimited"], kinds


@settings(deadline=None, max_examples=4, suppress_health_check=list(HealthCheck))
@given(seed=st.integers(1000, 2**40))
def test_the_engines_agree_on_other_seeds(seed):
    assert all(found is not None for _, found in compared(seed))


@pytest.mark.parametrize("start", range(0, 24, 6))
def test_rows_say_what_holds(start):
    """Also for values that occur nowhere: the model of the policy is asked about some that the engines never saw."""
    checked = 0
    for seed in range(start, start + 6):
        case = case_of(seed)
        if case is None:
            continue
        for query in case.queries:
            try:
                rows = case.reference.program.query(query, case.snapshot, NOW, Budget(STEPS))
                assert is_said(case.reference, query, rows, case.snapshot, NOW, ENOUGH), (
                    seed,
                    query,
                )
            except (EvaluationLimitReached, InvalidRequest, VariableUnlimited):
                continue
            checked += 1
    assert checked > 5
