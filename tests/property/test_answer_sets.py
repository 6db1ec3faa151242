"""The reference engine and clingo agree on random policies with recursion and negation."""

from itertools import product
from random import Random

import random_policies
from answer_sets import allow_text, permitted
from examples import entity, fact, load, permits, snapshot
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from authz_service.facts.value import Value, string
from authz_service.polar.diagnostic import PolicyInvalid

# The last ones of each type occur in no policy, fact or question.
VALUES = [
    Value(kind, text)
    for kind, texts in {
        "User": "a b x q f1 f2",
        "Doc": "a b x q f1 f2",
        "String": "a b x z read write f1 f2",
        "Integer": "0 1 2 3 77 -9",
    }.items()
    for text in texts.split()
]


@settings(deadline=None, max_examples=150, suppress_health_check=list(HealthCheck))
@given(seed=st.integers(0, 2**32))
def test_reference_and_clingo_agree(seed):
    random = Random(seed)
    text = random_policies.policy(random, recursive=True)
    refused_for = set()
    try:
        loaded = load(text)
    except PolicyInvalid as error:
        refused_for = {finding.code for finding in error.diagnostics}
    assert refused_for <= {"P301", "P303", "P401", "P402"}
    if refused_for:
        return
    lines = [f for f in random_policies.facts(random) if loaded.policy.shapes.accept(fact(f))]
    model = permitted(loaded.policy.rules, map(fact, lines), VALUES)
    for user, doc, action in product("abq", "axq", ("read", "write")):
        question = f"User:{user} {action} Doc:{doc}"
        expected = allow_text(entity(f"User:{user}"), string(action), entity(f"Doc:{doc}")) in model
        assert permits(loaded, snapshot(*lines), question) == expected, text
