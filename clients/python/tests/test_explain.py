"""What the client makes of an explanation, whoever sends it."""

import authz
import pytest
from authz import _explain
from authz.v1 import explain_pb2 as pb
from authz.v1 import fact_pb2


def rule(text: str = '"read" if "reader";') -> pb.PolicyRule:
    return pb.PolicyRule(file="policy.polar", line=7, column=3, text=text)


def fact(text: str) -> fact_pb2.Fact:
    parsed = authz.Fact.parse(text)
    args = [{"entity": {"type": arg.type, "id": arg.id}} for arg in parsed.args]
    return fact_pb2.Fact(predicate=parsed.predicate, args=args)


def test_a_proof_is_a_tree_in_which_steps_are_drawn_once():
    used = pb.UsedFact(fact=fact("c(A:1)"), origin=pb.FACT_ORIGIN_CONTEXT)
    proof = _explain.read_proof(
        pb.Proof(
            steps=[
                {"fact": fact("a(A:1)"), "rule": rule(), "premises": [{"step": 1}, {"step": 1}]},
                {"fact": fact("b(A:1)"), "rule": rule(), "premises": [{"fact": used}]},
            ]
        )
    )
    assert [str(line) for line in _explain._tree(_explain._ProofNodes(proof))] == [
        '└─ a(A:1)  [policy.polar:7  "read" if "reader";]',
        '   ├─ b(A:1)  [policy.polar:7  "read" if "reader";]',
        "   │  └─ c(A:1)  [context]",
        "   └─ b(A:1)  [as above]",
    ]


@pytest.mark.parametrize(
    "proof",
    [
        pb.Proof(),
        pb.Proof(steps=[{"fact": fact("a(A:1)"), "premises": [{"step": 1}]}]),
        pb.Proof(steps=[{"fact": fact("a(A:1)"), "premises": [{"step": -1}]}]),
        pb.Proof(steps=[{"fact": fact("a(A:1)"), "premises": [{}]}]),
        pb.Proof(
            steps=[{"fact": fact("a(A:1)"), "premises": [{"fact": {"fact": fact("b(A:1)")}}]}]
        ),
    ],
)
def test_a_proof_that_lacks_something_is_no_answer(proof):
    with pytest.raises(authz.UnexpectedAnswer):
        _explain.read_proof(proof)


def test_misses_and_changes_that_lack_something_are_no_answer():
    condition = pb.RuleCondition(text="a(A:1)", outcome=pb.CONDITION_OUTCOME_FAILS, goal=5)
    attempt = pb.Attempt(rule=rule(), conditions=[condition])
    with pytest.raises(authz.UnexpectedAnswer):
        _explain.read_misses(pb.Misses(goals=[pb.MissedGoal(text="b", attempts=[attempt])]))
    with pytest.raises(authz.UnexpectedAnswer):
        _explain.read_changes(pb.NearestChanges(sets=[{"changes": [{}]}]))


@pytest.mark.parametrize(
    ("sets", "complete_up_to", "said"),
    [
        ([], 4, "No 4 changes of facts about what exists would permit it."),
        ([], 1, "The search ended early: only 1 change is known not to do."),
        (
            [{"changes": [{"add": fact("a(A:1)")}, {"add": fact("b(A:1)")}]}],
            1,
            "There can be others, of at least 2 changes.",
        ),
    ],
)
def test_it_is_said_how_much_was_looked_for(sets, complete_up_to, said):
    changes = _explain.read_changes(
        pb.NearestChanges(sets=sets, complete_up_to=complete_up_to, largest=4)
    )
    explanation = authz.Explanation(
        "A:1 read B:1", False, 1, None, "t", None, (), False, authz.Misses((), False), changes
    )
    assert said in [line.text for line in explanation._change_lines()]
    with pytest.raises(TypeError, match="no decision"):
        bool(explanation)
