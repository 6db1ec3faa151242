"""`authz query` against a real `authz serve` process: rows for people and for machines, and exit codes."""

import json
from datetime import UTC, datetime

import pytest
from test_command_line import run, serve

__all__ = ["serve"]

POLICY = """actor User {}
resource Doc { roles = ["reader", "writer"]; permissions = ["read"]; "read" if "reader"; }
has_permission(_: User, "read", doc: Doc) if is_public(doc);
"""
FACTS = [
    'has_role(User:ann, "reader", Doc:plan)',
    'has_role(User:bob, "writer", Doc:"[x] y")',
    "is_public(Doc:news)",
]


@pytest.fixture
def authz(serve, tmp_path):
    server = serve()
    (tmp_path / "policy.polar").write_text(POLICY)

    def command(*args):
        done = run(*args, target=server.target)
        assert "Traceback" not in done.stderr
        return done.returncode, done.stdout, done.stderr

    assert command("policy", "publish", str(tmp_path / "policy.polar"))[0] == 0
    assert command("facts", "write", *FACTS)[0] == 0
    return command


def test_queries(authz):
    code, out, err = authz("query", "has_role(?who, ?role, Doc:?doc)")
    assert (code, err) == (0, "")
    assert out.splitlines() == [
        "?who      ?role     ?doc",
        'User:ann  "reader"  Doc:plan',
        'User:bob  "writer"  Doc:"[x] y"',
    ]
    code, out, _ = authz("query", 'has_permission(?who, "read", ?doc)', "--json")
    assert code == 0
    assert sorted(map(str, map(json.loads, out.splitlines()))) == sorted(
        map(
            str,
            [
                {"who": {"any_of_type": "User"}, "doc": {"type": "Doc", "id": "news"}},
                {"who": {"type": "User", "id": "ann"}, "doc": {"type": "Doc", "id": "plan"}},
            ],
        )
    )
    shown = authz("query", 'has_permission(?who, "read", ?doc) and ?doc in [Doc:news]')[1]
    assert shown.splitlines()[1:] == ["User:_  Doc:news"]
    narrow = ("is_public(?doc)", 'has_permission(User:eve, "read", ?doc)', "--columns", "doc")
    assert authz("query", *narrow)[:2] == (0, "?doc\nDoc:news\n")
    assert authz("query", "is_public(Doc:plan)", "-c", "is_public(Doc:plan)")[:2] == (0, "holds\n")


def test_exit_codes(authz):
    assert authz("query", "is_public(Doc:plan)")[:2] == (1, "does not hold\n")
    assert authz("query", "has_role(User:eve, ?role, ?doc)")[:2] == (1, "?role  ?doc\n")
    assert authz("query", "has_role(User:eve, ?role, ?doc)", "--columns", "?doc, role")[:2] == (
        *(1, "?doc  ?role\n"),
    )
    assert authz("query", "has_role(User:eve, ?role, ?doc)", "--json")[:2] == (1, "")
    code, out, err = authz("query", "is_publik(?doc)")
    assert (code, out) == (2, "")
    assert err.endswith("did you mean `is_public`? (UNUSABLE_CONDITION)\n")
    code, out, err = authz("query", "is_public(?doc")
    assert (code, out) == (2, "")
    assert err.endswith("(MALFORMED_TEXT)\n")
    assert run("query", "is_public(?doc)", target="127.0.0.1:1").returncode == 4


@pytest.mark.parametrize(
    "command",
    [
        ("query", "has_role(?who, ?role, Doc:plan)"),
        ("explain", "User:ann", "read", "Doc:plan"),
        ("list", "resources", "User:ann", "read", "Doc"),
    ],
    ids=lambda command: command[0],
)
def test_commands_demand_a_state(authz, command):
    _, newest, _ = authz(*command)
    before = datetime.now(UTC).isoformat()
    token = json.loads(
        authz("facts", "write", "--json", 'has_role(User:eve, "reader", Doc:plan)')[1]
    )
    assert authz("facts", "write", "--delete", 'has_role(User:ann, "reader", Doc:plan)')[0] == 0
    _, after, _ = authz(*command, "--fully-consistent")
    assert after != newest
    assert authz(*command, "--fresh", token["consistency_token"])[1] == after
    assert authz(*command, "--at", before)[:2] == (0, newest)
    code, out, err = authz(*command, "--at", before, "--fully-consistent")
    assert (code, out) == (2, "")
    assert "give one of" in err
