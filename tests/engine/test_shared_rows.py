"""What this dialect shares with the old open-source one: a row for each of its features, in policies of our own.

`tests/shared_rows` has a policy with tests for each row or small group of rows. Rows about errors and
warnings stand in a table here.
"""

from pathlib import Path

import pytest
from asserted import failures, policy_files, questions, wrong_and_unanswered

from authz_service.facts.policy_text import PolicyFile
from authz_service.polar.compile import check_policy
from authz_service.polar.diagnostic import PolicyInvalid

ROWS = sorted((Path(__file__).parent.parent / "shared_rows").glob("*.polar"))


@pytest.mark.parametrize("path", ROWS, ids=lambda path: path.stem)
def test_row(path):
    policy = check_policy(policy_files(path))
    assert path.read_text(encoding="utf-8").startswith(("# Row: ", "# Rows: "))
    assert [str(warning) for warning in policy.warnings] == []
    assert list(failures(policy)) == []
    assert {permitted for _, _, permitted in questions(policy)} == {True, False}


@pytest.mark.parametrize("path", ROWS, ids=lambda path: path.stem)
def test_every_engine_answers_as_asserted(path, engine):
    assert wrong_and_unanswered(policy_files(path), engine) == ([], [])


# Rows about errors and warnings: a policy, and the codes of everything that is found in it.
FOUND = {
    # The parse errors.
    "integer overflow": ("f(18446744073709551615);", ["P004"]),
    "invalid character": ('f("a") ~;', ["P001"]),
    "unrecognized end of the file": ('f("a") if g(', ["P010"]),
    "unrecognized token": ('f("a";', ["P010"]),
    "extra token": ('f("a"));', ["P010"]),
    "a word that is reserved": ("f(x) if cut and g(x);", ["P014"]),
    "a word that is reserved, as a name": ("f(not) if g(1);", ["P010"]),
    "invalid float": ("f(1e5);", ["P003"]),
    "wrong value type: a value as a condition": ("f(x) if g(x) and 1;", ["P010"]),
    "wrong value type: a condition as a value": ("f(x) if x = (1 = 2);", ["P010"]),
    "a comparison does not chain": ("f(x) if g(x) and 1 < x < 3;", ["P010"]),
    "an inline query": ("?= f(1);", ["P014"]),
    "a rule type": ("type f(x: String);", ["P014"]),
    # Variables.
    "singleton_vars": (
        'actor User {} f(u: User, unused: User) if g(u); test "t" { assert f(_: User, _: User); }',
        ["P601"],
    ),
    "singleton_vars, in a body": (
        'actor User {} declare g(User, User); f(u: User) if g(u, x); test "t" { assert f(_: User); }',
        ["P601"],
    ),
    "singleton_vars, meant": (
        'actor User {} declare g(User, User); f(u: User) if g(u, _x); test "t" { assert f(_: User); }',
        [],
    ),
    # Types in heads.
    "unknown_specializer": ("actor User {} f(u: Usr) if g(u);", ["P201"]),
    "unknown_specializer, behind matches": (
        "actor User {} f(u: User) if g(u) and u matches Usr;",
        ["P201"],
    ),
    "suggested_rule_specializer": ("f(x: int) if g(x);", ["P201"]),
    "a specializer with fields": ("actor User {} f(u: User{name: 1}) if g(u);", ["P014"]),
    "default_rule_types: a relation the wrong way round": (
        "actor User {} resource Org { relations = { founder: User }; }"
        'f(u: User, o: Org) if has_relation(u, "founder", o);',
        ["P304"],
    ),
    "default_rule_types: a relation to another type": (
        'actor User {} resource Org { relations = { up: Org }; "up" if "up" on "up"; }'
        'has_relation(o: Org, "up", u: User) if g(o, u);',
        ["P604"],
    ),
    "default_rule_types: a permission that the type does not have": (
        'actor User {} resource Org { permissions = ["a"]; }'
        'has_permission(u: User, "b", o: Org) if g(u, o); has_permission(u: User, "a", o: Org) if g(u, o);',
        ["P604"],
    ),
    "missing_required_rule_type: a permission that nothing grants": (
        'actor User {} resource Org { permissions = ["a"]; }',
        ["P602"],
    ),
    "missing_required_rule_type: a role that nothing uses": (
        'actor User {} resource Org { roles = ["a"]; }',
        ["P602"],
    ),
    "missing_required_rule_type: roles are facts": (
        'actor User {} resource Org { roles = ["a"]; permissions = ["b"]; "b" if "a"; }',
        [],
    ),
    "missing_actor_hint": (
        'resource User {} resource Org { permissions = ["a"]; }'
        'has_permission(u: User, "a", o: Org) if g(u, o);',
        ["P602"],
    ),
    "missing_resource_hint": (
        'actor User {} has_permission(u: User, "a", o: Org) if g(u, o);',
        ["P201"],
    ),
    "undefined rule: it is a fact": (
        'actor User {} f(u: User) if g(u); test "t" { assert f(_: User); }',
        [],
    ),
    "undefined rule, in a test": (
        'actor User {} f(u: User) if g(u); test "t" { assert h(User{"u"}); }',
        ["P505"],
    ),
    "arities, in a test": (
        'actor User {} f(User{"a"}); test "t" { assert f(User{"b"}, 1); }',
        ["P505"],
    ),
    # Comparisons and operators that are not shared.
    "comparisons of strings": ('actor U {} f(u: U) if g(u, x) and x < "b";', ["P302"]),
    "comparisons of booleans": ("actor U {} f(u: U) if g(u, x) and x < true;", ["P302"]),
    "equality is written with one sign": ("f(x: Integer) if g(x) and x == 1;", ["P010"]),
    "assignment": ("f(x) if x := 1;", ["P010"]),
    "arithmetic": ("f(x) if g(x) and x + 1 = 3;", ["P010"]),
    "forall": ("f(x) if forall(g(x), h(x));", ["P014"]),
    "in over a variable": ("f(x) if g(x, y) and x in y;", ["P010"]),
    "in over a string": ('f(x) if x in "abc";', ["P010"]),
    "a list": ("f([1, 2]);", ["P010"]),
    "not, with a variable that is bound nowhere": (
        "actor User {} f(u: User) if k(u) and not g(u, x) and x matches User;",
        ["P401"],
    ),
    "not, of oneself": ("actor User {} f(u: User) if g(u) and not f(u);", ["P402"]),
    "an emoji as a name": ("f🙂(1);", ["P001"]),
    # Blocks.
    "block without a keyword": ("Org {}", ["P010"]),
    "block with another keyword": ("thing Org {}", ["P010"]),
    "roles as a dictionary": ("resource Org { roles = { a: Org }; }", ["P010"]),
    "relations as a list": ('resource Org { relations = ["a"]; }', ["P010"]),
    "another declaration": ('resource Org { rolls = ["a"]; }', ["P010"]),
    "a declaration twice": ('resource Org { roles = ["a"]; roles = ["b"]; }', ["P204"]),
    "a name twice": ('resource Org { roles = ["a", "a"]; }', ["P205"]),
    "a name of two kinds": ('resource Org { roles = ["a"]; relations = { a: Org }; }', ["P205"]),
    "a type twice": ("resource Org {} resource Org {}", ["P203"]),
    "a built-in type": ("actor Actor {}", ["P202"]),
    "an undeclared head": ('resource Org { roles = ["a"]; "b" if "a"; }', ["P211"]),
    "an undeclared condition": ('resource Org { roles = ["a"]; "a" if "b"; }', ["P211"]),
    "a misspelled on": (
        'resource Org { roles = ["a"]; relations = { up: Org }; "a" if "a" onn "up"; }',
        ["P010"],
    ),
    "an undeclared relation": ('resource Org { roles = ["a"]; "a" if "a" on "up"; }', ["P211"]),
    "on a role": ('resource Org { roles = ["a", "b"]; "a" if "a" on "b"; }', ["P211"]),
    "a relation to a primitive": (
        'resource Org { roles = ["a"]; relations = { up: String }; "a" if "a" on "up"; }',
        ["P212"],
    ),
    "a condition that the related type does not have": (
        'resource Top { roles = ["x"]; } resource Org { roles = ["a"]; relations = { up: Top }; '
        '"a" if "a" on "up"; }',
        ["P211"],
    ),
    "not in a block": ('resource Org { roles = ["a"]; "a" if not "a"; }', ["P010"]),
}


@pytest.mark.parametrize("row", FOUND)
def test_found(row):
    text, codes = FOUND[row]
    try:
        found = check_policy([PolicyFile("p", text)]).warnings
    except PolicyInvalid as error:
        found = error.diagnostics
    assert [finding.code for finding in found] == codes, "\n".join(map(str, found))
