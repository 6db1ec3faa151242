"""Every case of every example policy, by every route that leads to a decision."""

import pytest
from examples import NAMES, cases, fact_lines, load, permits, policy_text, snapshot

from authz_service.engine.engines import Engine
from authz_service.errors import EvaluationLimitReached

ALL = [(name, case) for name in NAMES for case in cases(name)]


@pytest.fixture(scope="module")
def loaded():
    return {
        (name, engine): (load(policy_text(name), engine), snapshot(*fact_lines(name)))
        for name in NAMES
        for engine in Engine
    }


@pytest.mark.parametrize(("name", "case"), ALL, ids=str)
def test_reference(loaded, name, case):
    expected, *question = case
    assert permits(*loaded[name, Engine.REFERENCE], " ".join(question)) is expected


@pytest.mark.parametrize("case", cases("security_company"), ids=str)
def test_oso(loaded, case):
    expected, *question = case
    assert permits(*loaded["security_company", Engine.OSO], " ".join(question)) is expected


@pytest.mark.parametrize("case", cases("github"), ids=str)
def test_oso_without_the_circle(loaded, case):
    expected, *question = case
    circle = "has_member(Team:brand, Team:design)"
    facts = snapshot(*(fact for fact in fact_lines("github") if str(fact) != circle))
    assert permits(loaded["github", Engine.OSO][0], facts, " ".join(question)) is expected


@pytest.mark.parametrize("case", cases("github")[1:3], ids=str)
def test_oso_over_a_circle_is_an_error_and_no_decision(loaded, case):
    _, *question = case
    with pytest.raises(EvaluationLimitReached):
        permits(*loaded["github", Engine.OSO], " ".join(question))


@pytest.mark.parametrize("name", NAMES)
def test_stored_context_and_batch_agree(service, name):
    facts = fact_lines(name)
    service.client.publish_policy({"policy.polar": policy_text(name)})
    questions = [tuple(question) for _, *question in cases(name)]
    expected = [permitted for permitted, *_ in cases(name)]

    with_context = [service.client.authorize(*q, context_facts=facts).permitted for q in questions]
    service.client.write_facts(insert=facts)
    stored = [service.client.authorize(*q).permitted for q in questions]
    batch = [answer.permitted for answer in service.client.authorize_batch(questions)]

    assert with_context == stored == batch == expected
    assert len(set(expected)) == 2


def test_both_outcomes_are_frequent():
    for name in NAMES:
        outcomes = [permitted for permitted, *_ in cases(name)]
        assert 0.3 <= sum(outcomes) / len(outcomes) <= 0.7
        assert len(outcomes) >= 12
