"""The laws of explanations on random policies, facts and questions."""

import pytest
from comparison import COMPILED, _loaded, random_cases
from explanations import Judge
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

SEEDS = (3, 100, 203, 205)
CHANGED = 2


def broken(seed: int) -> list[str]:
    """Return the laws that the first case of a seed breaks, changes for a few of its questions."""
    case = random_cases(seed)[0]
    if isinstance(case, str):
        return []
    judge = Judge(case, _loaded(case.text, COMPILED))
    found = []
    denied = 0
    for question, permitted in zip(case.drawn.questions, case.expected, strict=True):
        found += judge.broken(question, permitted=permitted)
        if not permitted and denied < CHANGED:
            denied += 1
            found += judge.broken_changes(question)
    return found


@pytest.mark.parametrize("seed", SEEDS)
def test_explanations_keep_the_laws(seed):
    assert broken(seed) == []


@settings(deadline=None, max_examples=3, suppress_health_check=list(HealthCheck))
@given(seed=st.integers(10_000_000, 2**40))
def test_explanations_keep_the_laws_for_other_seeds(seed):
    assert broken(seed) == []
