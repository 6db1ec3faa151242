"""`authz policy verify`: the engines agree on an author's own policy and facts, and it shows if they do not."""

import io
import json
from random import Random

import pytest
from examples import NOW, POLICIES, STEPS, load
from rich.console import Console
from test_command_line import run

from authz_service.cli.agreement import Report, print_report, report_json
from authz_service.engine.compiled import CompiledProgram
from authz_service.engine.engines import Engine
from authz_service.engine.program import Budget, Listed, Listing, Query, Question
from authz_service.engine.queries.samples import Samples
from authz_service.engine.reference import ReferenceProgram
from authz_service.engine.verification import (
    Comparison,
    ListQuestion,
    NotInRows,
    QueryQuestion,
    Questions,
    compare_lists,
    compare_queries,
    lists_of,
)
from authz_service.errors import EvaluationLimitReached
from authz_service.facts.fact import AnyValue
from authz_service.facts.snapshot import FactSnapshot
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
    # Of each set: two actors and three documents, each with one action, and all pairs for actions.
    lists, queries = report["lists"], report["queries"]
    assert (lists["asked"], lists["compared"]) == (22, 22)
    assert 0 < lists["not_empty"] < 22
    assert queries["asked"] == queries["compared"] > 30
    assert queries["with_rows"] > 20
    for tally in (lists, queries):
        answered = {one["engine"]: one["answered"] for one in tally["engines"]}
        assert answered == dict.fromkeys(("compiled", "reference"), tally["asked"])
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


def test_facts_as_they_are_exported(policy, facts):
    """Expiries are read, and make no difference."""
    plain = run("policy", "verify", str(policy), "--facts", str(facts)).stdout
    lines = [line for line in FACTS.splitlines() if line and not line.startswith("#")]
    facts.write_text("".join(f"{line} until 2099-01-31T12:00:00+00:00\n" for line in lines))
    assert run("policy", "verify", str(policy), "--facts", str(facts)).stdout == plain


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


def test_lists_and_queries_can_be_left_out(policy, facts):
    asked = ("policy", "verify", str(policy), "--facts", str(facts), "--lists", "0")
    found = run(*asked, "--queries", "0", "--json")
    report = json.loads(found.stdout)
    assert found.returncode == 0
    assert (report["lists"]["asked"], report["queries"]["asked"]) == (0, 0)
    few = json.loads(run(*asked, "--queries", "6", "--json").stdout)
    assert few["queries"]["asked"] == 6
    assert "list" not in run(*asked, "--queries", "6").stdout


def test_differences_of_lists_and_queries():
    report = Report(seed=7)
    doc = Value("Doc", "d")
    asked = ListQuestion(
        "list resources User:ann read Doc", Listing.of_resources(doc, "read", "Doc")
    )
    some = Listed("Doc", ("d",), is_any_except=False)
    others = Listed("Doc", (), is_any_except=True)
    report.add("x", Comparison(asked, {Engine.COMPILED: some, Engine.REFERENCE: others}))
    report.add("x", Comparison(asked, {Engine.COMPILED: some, Engine.REFERENCE: some}))
    query = QueryQuestion("is_open(?v1)", Query((), (), {}))
    rows = frozenset({(doc, AnyValue("User"))})
    why = NotInRows("every Doc will do for `?v1` but some")
    report.add("x", Comparison(query, {Engine.COMPILED: rows, Engine.REFERENCE: why}))
    report.add("x", Comparison(query, {Engine.COMPILED: rows, Engine.REFERENCE: rows}))
    console = Console(file=io.StringIO(), soft_wrap=True, width=80)
    print_report(console, report)
    shown = console.file.getvalue()
    assert "  list resources User:ann read Doc\n  compiled   only [Doc:d]\n" in shown
    assert "  reference  any except []\n" in shown
    assert "  is_open(?v1)\n  compiled   [(Doc:d, User:_)]\n  reference  every Doc will do" in shown
    assert "2 lists: 100% not empty\n  compiled   answered 2\n" in shown
    assert "2 queries: 100% with rows\n" in shown
    assert shown.endswith("2 differences (seed 7)\n")
    as_json = report_json(report)
    assert [one.get("list", one.get("query")) for one in as_json["differences"]] == [
        asked.text,
        query.text,
    ]


class OneShort(CompiledProgram):
    """Forgets the last value of a list, and the last row."""

    def listed(self, *given):
        found = super().listed(*given)
        return found._replace(ids=found.ids[:-1])

    def query(self, *given):
        return set(sorted(super().query(*given), key=str)[:-1])


def test_short_lists_and_answers_are_differences():
    """What an engine forgets is found, by what the command asks."""
    policy = load(POLICY).policy
    engines = {Engine.COMPILED: OneShort(policy), Engine.REFERENCE: ReferenceProgram(policy)}
    [test] = policy.tests
    facts = FactSnapshot(test.facts)
    lists = lists_of(policy, Questions(policy, test.facts))
    found = [*compare_lists(engines, lists, facts, NOW, STEPS)]
    assert (
        sum(one.differs for one in found)
        == sum(bool(one.answers[Engine.REFERENCE].ids) for one in found)
        > 3
    )
    samples = Samples(
        policy, Random(1), sorted(ReferenceProgram(policy).model(facts, (), NOW, Budget(STEPS)))
    )
    queries = [samples.query() for _ in range(20)]
    assert sum(one.differs for one in compare_queries(engines, queries, facts, NOW, STEPS)) > 15


def test_the_reference_gives_up_over_all_queries_together():
    policy = load(POLICY).policy
    engines = {Engine.REFERENCE: ReferenceProgram(policy)}
    query = Samples(policy, Random(1), policy.tests[0].facts).query()
    steps = 0
    while True:
        steps += 20
        asked = compare_queries(
            engines, [query] * 3, FactSnapshot(policy.tests[0].facts), NOW, steps
        )
        answers = [one.answers[Engine.REFERENCE] for one in asked]
        if not isinstance(answers[0], EvaluationLimitReached):
            break
    assert isinstance(answers[2], EvaluationLimitReached)


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
