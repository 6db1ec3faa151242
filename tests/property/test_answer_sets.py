"""The reference engine and clingo agree on random policies with recursion and negation."""

import re

from comparison import CONSTRUCTS, against_clingo
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st


@settings(deadline=None, max_examples=120, suppress_health_check=list(HealthCheck))
@given(seed=st.integers(0, 2**32))
def test_reference_and_clingo_agree(seed):
    against_clingo(seed)


def test_random_policies_are_of_every_kind():
    """Of the first fixed seeds enough are valid, both answers occur, and every construct."""
    seen = set()
    valid = permits = denies = 0
    for seed in range(100):
        text, outcomes = against_clingo(seed)
        valid += outcomes["compared"]
        permits += outcomes["PERMIT"]
        denies += outcomes["DENY"]
        if outcomes["compared"]:
            seen |= {n for n, p in CONSTRUCTS.items() if re.search(p, text, flags=re.MULTILINE)}
    assert seen == set(CONSTRUCTS)
    assert valid >= 20
    assert 0.1 <= permits / (permits + denies) <= 0.9
