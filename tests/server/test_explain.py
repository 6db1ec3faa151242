"""The RPC Explain, and the rules that Authorize names, at a server."""

import json

import authz
import pytest
from examples import fact_lines, policy_text

QUESTION = ("Employee:alice", "disarm", "SecuritySystem:s1")
BOB = ("Employee:bob", "disarm", "SecuritySystem:s1")


@pytest.fixture(scope="module")
def company(shared):
    shared.client.publish_policy({"policy.polar": policy_text("security_company")})
    shared.client.write_facts(insert=fact_lines("security_company"))
    return shared.client


@pytest.fixture
def changing(service):
    service.client.publish_policy({"policy.polar": policy_text("security_company")})
    service.client.write_facts(insert=fact_lines("security_company"))
    return service.client


def test_authorize_names_the_rules_on_request(company):
    assert company.authorize(*QUESTION).rules == ()
    rules = company.authorize(*QUESTION, name_rules=True).rules
    assert [rule.place for rule in rules] == [
        "policy.polar:44",
        "policy.polar:40",
        "policy.polar:26",
    ]
    assert rules[2].text == '"manager" if "admin" on "customer";'
    assert company.authorize(*BOB, name_rules=True).rules == ()


def test_explanations_agree_with_decisions(company):
    for question in (QUESTION, BOB):
        explanation = company.explain(*question)
        assert explanation.permitted is company.authorize(*question).permitted
        assert bool(explanation.proofs) is explanation.permitted
        assert json.loads(json.dumps(explanation.to_json()))["decision"] in ("PERMIT", "DENY")


def test_a_proof_says_what_came_with_the_question(company):
    sent = ['has_role(Employee:bob, "manager", Location:acme-hq)', "is_suspended(Employee:sam)"]
    [proof] = company.explain(*BOB, context_facts=sent).proofs
    assert {str(used.fact): used.origin for used in proof.facts} == {
        'has_role(Employee:bob, "manager", Location:acme-hq)': "context",
        'has_relation(SecuritySystem:s1, "location", Location:acme-hq)': "stored",
    }


def test_a_context_fact_can_be_what_stands_in_the_way(company):
    explanation = company.explain(*QUESTION, context_facts=["is_suspended(Employee:alice)"])
    [[change]] = explanation.changes.sets
    assert (str(change), change.origin) == ("do not send is_suspended(Employee:alice)", "context")


def test_each_set_of_changes_permits_when_it_is_written(changing):
    sets = changing.explain(*BOB, change_sets=10).changes.sets
    assert len(sets) > 2
    for changes in sets:
        added = [change.fact for change in changes if change.is_added]
        changing.write_facts(insert=added)
        assert changing.authorize(*BOB)
        changing.write_facts(delete=added)
        assert not changing.authorize(*BOB)


def test_a_decision_that_was_taken_is_explained(changing):
    """By its token and by its time, whatever was written since."""
    taken = changing.authorize(*BOB)
    changing.write_facts(insert=['has_role(Employee:bob, "manager", Location:acme-hq)'])
    later = changing.authorize(*BOB)
    for consistency in (authz.Exactly(taken.consistency_token), authz.AsOf(taken.evaluated_at)):
        explanation = changing.explain(*BOB, consistency=consistency)
        assert not explanation.permitted
        assert len(explanation.changes.sets[0]) == 1
    assert changing.explain(*BOB, consistency=authz.AsOf(later.evaluated_at)).permitted
    assert changing.explain(*BOB).permitted


@pytest.mark.parametrize(
    ("question", "options", "reason", "field"),
    [
        (("Employee:bob", "disram", "SecuritySystem:s1"), {}, "UNKNOWN_ACTION", "action"),
        (BOB, {"proofs": 21}, "MALFORMED_VALUE", "max_proofs"),
        (BOB, {"change_sets": 51}, "MALFORMED_VALUE", "max_change_sets"),
        (
            BOB,
            {"context_facts": ["likes(Employee:bob)"]},
            "UNUSABLE_FACT",
            "context_facts[0].predicate",
        ),
    ],
)
def test_what_cannot_be_asked(company, question, options, reason, field):
    with pytest.raises(authz.InvalidRequest) as caught:
        company.explain(*question, **options)
    assert (caught.value.reason, caught.value.field) == (reason, field)


def test_a_runaway_explanation_is_an_error(start):
    service = start(evaluation_steps=4)
    service.client.publish_policy({"policy.polar": policy_text("security_company")})
    service.client.write_facts(insert=fact_lines("security_company"))
    with pytest.raises(authz.LimitReached):
        service.client.explain(*QUESTION)


def test_a_proof_that_is_too_long_to_be_told_is_an_error(service):
    service.client.publish_policy(
        {
            "policy.polar": """
            actor User {}
            resource Folder {
              roles = ["reader"];
              permissions = ["read"];
              relations = { parent: Folder };
              "reader" if "reader" on "parent";
              "read" if "reader";
            }
            """
        }
    )
    parents = [f'has_relation(Folder:{n}, "parent", Folder:{n + 1})' for n in range(3000)]
    service.client.import_facts(map(authz.Fact.parse, parents))
    service.client.write_facts(
        insert=['has_role(User:u, "reader", Folder:3000)', 'has_role(User:u, "reader", Folder:9)']
    )
    assert len(service.client.explain("User:u", "read", "Folder:5").proofs[0].steps) == 6
    with pytest.raises(authz.LimitReached, match="too many to be told"):
        service.client.explain("User:u", "read", "Folder:10")
    text = str(service.client.explain("User:u", "read", "Folder:1500", timeout=60))
    assert max(map(len, text.splitlines())) < 400
