"""`authz policy verify`: the engines agree on an author's own policy and facts, and it shows if they do not."""

import io
import json

import pytest
from examples import POLICIES
from rich.console import Console
from test_command_line import run

from authz_service.cli.agreement import Report, print_report, report_json
from authz_service.engine.engines import Engine
from authz_service.engine.program import Question
from authz_service.engine.verification import Comparison
from authz_service.errors import EvaluationLimitReached
from authz_service.facts.value import Value

POLICY = """actor User {}
resource Doc {
  roles = ["viewer"];
  permissions = ["read"];
  relations = { parent: Doc };
  "read" if "viewer";
  role if role on "parent";
}
test "a circle" {
  setup {
    has_relation(Doc{"d"}, "parent", Doc{"e"});
    has_relation(Doc{"e"}, "parent", Doc{"d"});
    has_role(User{"ann"}, "viewer", Doc{"d"});
  }
  assert allow(User{"ann"}, "read", Doc{"e"});
}
"""
FACTS = """# two facts
has_role(User:ann, "viewer", Doc:top)
has_relation(Doc:d, "parent", Doc:top)
"""


@pytest.fixture
def policy(tmp_path):
    path = tmp_path / "policy.polar"
    path.write_text(POLICY)
    return path


@pytest.fixture
def facts(tmp_path):
    path = tmp_path / "facts.txt"
    path.write_text(FACTS)
    return path


def test_an_example(policy):
    del policy
    folder = POLICIES / "security_company"
    found = run("policy", "verify", str(folder), "--facts", str(folder / "facts.txt"))
    assert (found.returncode, found.stderr) == (0, "")
    assert found.stdout.endswith("no difference (seed 0)\n")


def test_every_question_about_facts_and_tests(policy, facts):
    found = run("policy", "verify", str(policy), "--facts", str(facts), "--json")
    report = json.loads(found.stdout)
    assert found.returncode == 0
    # Ann and a stranger, and three documents each: two of the facts and a stranger.
    assert report["facts"] == [
        {"name": str(facts), "questions": 6},
        {"name": 'test "a circle"', "questions": 6},
    ]
    assert (report["questions"], report["permitted"], report["compared"]) == (12, 4, 12)
    assert (report["success"], report["differences"]) == (True, [])
    answers = {engine["engine"]: engine["answered"] for engine in report["engines"]}
    assert set(answers) == {engine.value for engine in Engine}
    assert answers["reference"] == 12


def test_facts_are_made_up_and_a_seed_makes_the_same_ones(policy):
    # Without recursion, over which `oso` comes to no end.
    policy.write_text(
        POLICY.replace('role if role on "parent";', "").replace("assert", "assert_not")
    )

    def asked(*options):
        found = run("policy", "verify", str(policy), "--questions", "60", "--json", *options)
        assert found.returncode == 0
        return json.loads(found.stdout)

    first = asked()
    assert first == asked("--seed", "0")
    assert 0 < first["permitted"] < first["questions"] <= 60
    assert first["facts"][0]["name"] == 'test "a circle"'
    assert first["facts"][1]["name"].startswith("made-up facts")


def test_facts_from_standard_input(policy):
    found = run("policy", "verify", str(policy), "--facts", "-", text=FACTS)
    assert found.returncode == 0
    assert found.stdout.startswith("12 different questions about 2 sets of facts: 33% PERMIT\n")


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ('has_role(User:ann, "wiever", Doc:d)\n', "did you mean `viewer`?"),
        ("nonsense\n", "expected"),
        ("is_new(Doc:d)\n", "no rule of the policy uses a predicate `is_new`"),
    ],
)
def test_facts_that_the_policy_cannot_use(policy, facts, text, why):
    facts.write_text(text)
    found = run("policy", "verify", str(policy), "--facts", str(facts))
    assert (found.returncode, found.stdout) == (2, "")
    assert why in found.stderr


def test_files_that_cannot_be_read(policy, tmp_path):
    for arguments in ([str(tmp_path / "no.polar")], [str(policy), "--facts", "no.txt"]):
        found = run("policy", "verify", *arguments)
        assert (found.returncode, found.stdout) == (2, "")
        assert "No such file" in found.stderr


def test_a_policy_with_errors(policy):
    policy.write_text(POLICY.replace("viewer", "wiever", 1))
    found = run("policy", "verify", str(policy))
    assert found.returncode == 3
    assert "P211" in found.stdout


def test_a_policy_that_nobody_can_ask(policy):
    policy.write_text("resource Doc {}")
    found = run("policy", "verify", str(policy))
    assert (found.returncode, found.stderr) == (1, "error: there was nothing to compare\n")


def test_a_difference():
    report = Report(seed=7)
    question = Question(Value("User", "a, b"), "read", Value("Doc", "d"))
    limit = EvaluationLimitReached("too much work")
    report.add("x", Comparison(question, {Engine.REFERENCE: True, Engine.OSO: False}))
    report.add("x", Comparison(question, {Engine.REFERENCE: True, Engine.OSO: limit}))
    console = Console(file=io.StringIO(), soft_wrap=True, width=80)
    print_report(console, report)
    shown = console.file.getvalue()
    assert "DIFFERENCE with the facts of x\n" in shown
    assert '  User:"a, b" read Doc:d\n  reference  PERMIT\n  oso        DENY\n' in shown
    assert "1 not answered: too much work\n" in shown
    assert shown.endswith("1 difference (seed 7)\n")
    as_json = report_json(report)
    assert as_json["success"] is False
    [difference] = as_json["differences"]
    assert difference["answers"] == {"reference": "PERMIT", "oso": "DENY"}
    assert difference["actor"] == {"type": "User", "id": "a, b"}
