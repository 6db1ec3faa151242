"""`authz list`: what it prints, for people and for machines, and its exit codes."""

import json

import pytest
from examples import fact_lines, policy_text
from typer.testing import CliRunner

from authz_service.cli.main import app

POLICY = """
actor User {}
resource Note { permissions = ["see"]; }
has_permission(user: User, "see", note: Note) if is_root(user) and not is_locked(note);
has_permission(_: User, "see", note: Note) if is_public(note);
"""


def run(service, *words: str) -> tuple[int, str, str]:
    done = CliRunner().invoke(app, [*words, "--target", service.target])
    return done.exit_code, done.stdout, done.stderr


@pytest.fixture
def company(service):
    service.client.publish_policy({"policy.polar": policy_text("security_company")})
    service.client.write_facts(insert=fact_lines("security_company"))
    return service


@pytest.fixture
def notes(service):
    service.client.publish_policy({"policy.polar": POLICY})
    service.client.write_facts(
        insert=["is_root(User:root)", "is_locked(Note:a)", "is_locked(Note:b)", "is_public(Note:c)"]
    )
    return service


def test_lists(company):
    listed = run(company, "list", "resources", "Employee:alice", "disarm", "SecuritySystem")
    assert listed == (0, "SecuritySystem:s1\nSecuritySystem:s2\n", "")
    code, actors, _ = run(company, "list", "actors", "Employee", "disarm", "SecuritySystem:s1")
    assert (code, "Employee:alice\n" in actors, "Employee:bob\n" in actors) == (0, True, False)
    actions = run(company, "list", "actions", "Employee:bob", "SecuritySystem:s1")
    assert actions == (0, "arm\nview\n", "")
    nothing = run(company, "list", "resources", "Employee:nobody", "disarm", "SecuritySystem")
    assert nothing == (0, "", "no SecuritySystem\n")


def test_context_facts_and_demands(company):
    role = 'has_role(Employee:new, "manager", Location:acme-hq)'
    asked = ("list", "resources", "Employee:new", "disarm", "SecuritySystem")
    assert run(company, *asked, "-c", role)[1] == "SecuritySystem:s1\n"
    token = company.client.write_facts(insert=[role]).consistency_token
    later = company.client.write_facts(delete=[role]).consistency_token
    assert run(company, *asked, "--at", token)[1] == "SecuritySystem:s1\n"
    assert run(company, *asked, "--fresh", later)[1] == ""
    assert run(company, *asked, "--fully-consistent")[1] == ""
    code, printed, complaint = run(company, *asked, "--at", token, "--fully-consistent")
    assert (code, printed) == (2, "")
    assert "--fully-consistent" in complaint
    check = ("check", "Employee:new", "disarm", "SecuritySystem:s1")
    assert run(company, *check, "--at", token)[:2] == (0, "PERMIT\n")
    assert run(company, *check, "--fresh", later)[:2] == (1, "DENY\n")
    assert run(company, *check, "--fully-consistent")[:2] == (1, "DENY\n")


PAST = "2026-01-31T12:00:00Z"


@pytest.mark.parametrize(
    ("at", "message"),
    [
        (
            "",
            "`` is neither a consistency token nor a time; write for example 2026-01-31T12:00:00Z",
        ),
        ("5m", "`5m` is neither a consistency token nor a time; write for example 2026-01-31"),
        ("2026-01-31", "`2026-01-31` has no time zone; write for example 2026-01-31T12:00:00Z"),
        ("A" * 39, "INVALID_TOKEN"),
        ("2099-01-31T12:00:00Z", "the time is not past yet"),
        (
            "1999-01-31T12:00:00Z",
            "the store `default` had no policy at that time; ask about a later one (NO_POLICY)",
        ),
    ],
)
def test_moments_that_are_none(shared, at, message):
    code, printed, complaint = run(
        shared, "check", "Employee:bob", "arm", "SecuritySystem:s1", "--at", at
    )
    assert (code in (2, 4), printed) == (True, "")
    assert message in complaint


def test_pages(company):
    asked = ("list", "resources", "Employee:alice", "disarm", "SecuritySystem", "--page-size", "1")
    code, printed, hint = run(company, *asked)
    assert (code, printed) == (0, "SecuritySystem:s1\n")
    token = hint.split("--page-token ")[1].strip()
    assert run(company, *asked, "--page-token", token) == (0, "SecuritySystem:s2\n", "")
    code, printed, complaint = run(company, *asked, "--page-token", token[:-1])
    assert (code, printed) == (2, "")
    assert "INVALID_PAGE_TOKEN" in complaint


@pytest.mark.parametrize(
    "asked",
    [
        ("resources", "Employee:alice", "disarm", "SecuritySystem"),
        ("actors", "Employee", "disarm", "SecuritySystem:s1"),
    ],
)
@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--page-token", ""), "--page-token is empty; leave it out for the first page"),
        (
            ("--page-token", "x", "--fully-consistent"),
            "--page-token names the state; leave --fresh",
        ),
        (("--page-token", "x", "--fresh", "y"), "--page-token names the state; leave --fresh"),
        (("--page-token", "x", "--at", PAST), "--page-token names the state; leave --fresh"),
    ],
)
def test_page_tokens_that_say_no_page(shared, asked, options, message):
    code, printed, complaint = run(shared, "list", *asked, "--page-size", "1", *options)
    assert (code, printed) == (2, "")
    assert message in complaint


def test_any_but_some(notes):
    listed = run(notes, "list", "resources", "User:root", "see", "Note")
    assert listed == (0, "any Note, except\n- Note:a\n- Note:b\n", "")
    code, printed, _ = run(notes, "list", "resources", "User:root", "see", "Note", "--json")
    found = json.loads(printed)
    assert code == 0
    assert (found["form"], found["excepted_resources"]) == ("any_except", ["Note:a", "Note:b"])
    assert "resources" not in found
    assert run(notes, "list", "actors", "User", "see", "Note:c")[1] == "any User\n"
    assert run(notes, "list", "resources", "User:ann", "see", "Note")[1] == "Note:c\n"


def test_json(company):
    asked = ("list", "actors", "Employee", "view", "SecuritySystem:s1", "--json")
    code, printed, _ = run(company, *asked, "--page-size", "1")
    found = json.loads(printed)
    assert code == 0
    assert found.keys() == {
        *("form", "actors", "size", "policy_version"),
        *("evaluated_at", "consistency_token", "next_page_token"),
    }
    assert (found["form"], len(found["actors"])) == ("only", 1)
    token = found["next_page_token"]
    rest = json.loads(run(company, *asked, "--page-token", token)[1])
    assert rest["next_page_token"] is None
    assert len(rest["actors"]) == found["size"] - 1 == rest["size"] - 1
    actions = json.loads(
        run(company, "list", "actions", "Employee:bob", "SecuritySystem:s1", "--json")[1]
    )
    assert actions["actions"] == ["arm", "view"]


def test_what_cannot_be_listed(company):
    code, printed, complaint = run(
        company, "list", "resources", "Employee:al", "disram", "SecuritySystem"
    )
    assert (code, printed) == (2, "")
    assert "did you mean `disarm`" in complaint
    code, printed, complaint = run(
        company, "list", "actors", "Employe", "disarm", "SecuritySystem:s1"
    )
    assert (code, printed) == (2, "")
    assert "UNKNOWN_TYPE" in complaint
