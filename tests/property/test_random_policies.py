"""The quick profile of `make verify`: the engines agree on random policies, and the laws hold."""

import pytest
from comparison import COMPILED, OSO, Case, Totals, compare_seed, problems, random_cases
from distribution import EVERY_CONSTRUCT
from examples import fact, load, permits, snapshot
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from shrinking import shrunk

from authz_service.engine.verification import Questions
from authz_service.errors import AuthzError
from authz_service.polar.diagnostic import PolicyInvalid

SEEDS = range(24)


@pytest.fixture(scope="module")
def totals():
    """What is compared for some fixed seeds: with the reference; for some with oso and clingo; the laws."""
    found = Totals()
    for seed in SEEDS:
        for outcome in compare_seed(seed, COMPILED) if not found.differences else ():
            found.add(outcome)
    return found


def test_the_engines_agree(totals):
    assert totals.differences == []
    others = ("compared", "oso", "clingo", "single questions", "laws", "lists")
    assert min(totals.counts[other] for other in others) > 0


def test_random_policies_are_of_every_kind(totals):
    """The long run asks for a share of one percent; here almost every construct is seen."""
    assert 0.25 <= totals.counts["PERMIT"] / totals.counts["questions"] <= 0.75
    assert totals.counts["refused"] <= len(SEEDS) / 3
    unseen = EVERY_CONSTRUCT - set(totals.constructs)
    assert len(unseen) <= len(EVERY_CONSTRUCT) / 6, unseen


def test_too_little_is_a_problem(totals):
    assert "too little was compared" in [*problems(totals, 10**9, 1)]
    assert "too little was compared" in [*problems(totals, 1, 10**9)]


@settings(deadline=None, max_examples=6, suppress_health_check=list(HealthCheck))
@given(seed=st.integers(10_000_000, 2**40))
def test_the_engines_agree_on_other_seeds(seed):
    assert [
        outcome.difference for outcome in compare_seed(seed, COMPILED) if outcome.difference
    ] == []


@settings(deadline=None, max_examples=6, suppress_health_check=list(HealthCheck))
@given(seed=st.integers(1_000_000, 2**40))
def test_oso_agrees(seed):
    found = compare_seed(seed * OSO, COMPILED)
    assert [outcome.difference for outcome in found if outcome.difference] == []


def test_all_questions_can_be_asked_and_are_different():
    for seed in range(4):
        for case in random_cases(seed):
            if isinstance(case, Case):
                questions = Questions(case.reference.policy, case.drawn.facts)
                assert len({*questions}) == len(questions) == len(questions[:])
                for question in questions:
                    case.reference.policy.check_question(*question)


def test_a_difference_is_shrunk_to_what_it_needs():
    """As if an engine saw nothing of s3: the policy and the facts that show it are small."""
    text = """actor User {}
resource Doc { roles = ["low"]; permissions = ["read"]; "read" if "low"; "low" if s1(actor, resource); }
other(u: User) if s0(u) and not s2(u);
has_permission(u: User, "read", d: Doc) if s3(u) and other(u) and d matches Doc;
"""
    facts = [*map(fact, ("s0(User:a)", "s2(User:b)", "s3(User:a)", "s1(User:b, Doc:d)"))]

    def differs(text, facts):
        try:
            return permits(load(text), snapshot(*map(str, facts)), "User:a read Doc:d")
        except (PolicyInvalid, AuthzError):
            return False

    small, needed = shrunk(text, facts, differs)
    assert list(map(str, needed)) in (["s3(User:a)"], ["s0(User:a)"])
    assert len(small) < 120
