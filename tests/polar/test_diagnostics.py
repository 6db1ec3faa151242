"""Wrong policies, each with the exact message that its author sees."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from authz_service.facts.policy_text import PolicyFile
from authz_service.polar.compile import check_policy
from authz_service.polar.diagnostic import PolicyInvalid

BLOCKS = """actor User {}
resource Doc { roles = ["viewer"]; permissions = ["read"]; relations = { parent: Doc }; }
"""

WRONG = {
    "f(x) if g('a');": 'p:1:11: P001 unexpected character `\'`; write strings as "text"',
    'f("a': 'p:1:3: P002 this string has no end; close it with `"` on the same line',
    "f(1.5);": "p:1:3: P003 `1.5` is not an integer; numbers are whole: `42`, `-7`",
    "f(9223372036854775808);": "p:1:3: P004 this integer does not fit into 64 bits; "
    "use -9223372036854775808 to 9223372036854775807",
    'f("");': "p:1:3: P005 this string is empty; no fact or request can equal it",
    "f(1) g(2);": "p:1:6: P010 expected `;` or `if` after the rule head, found `g`",
    "f(x) if x == 1;": "p:1:11: P010 expected `=`, `!=`, `<`, `in`, `matches` or a call, found `==`; "
    "equality is written `=`",
    "f(1) if ;": "p:1:9: P010 expected a variable or a literal, found `;`",
    "p(x) if (x matches String or y = x) and q(_);": "p:1:3: P301 nothing tells the type of `x`; "
    "say what it is, as in `x matches User`",
    "actor {}": "p:1:7: P010 expected a type's name, found `{`",
    "actor User {": "p:1:13: P010 expected `}` at the end of `actor User`, found the end of the file",
    "f(1) if " + "(" * 70 + "g(1)" + ")" * 70 + ";": "p:1:73: P011 conditions nest deeper than 64; "
    "split the rule",
    "f(x) if x in [y];": "p:1:15: P012 a list holds literals only; compare with `=` instead",
    'f(Integer{"3"});': "p:1:3: P013 `Integer` cannot hold this; write the value as it is, "
    "such as `3` or `true`",
    "resource Doc { relations = { up: Dok }; }": "p:1:34: P201 there is no type `Dok`; did you mean `Doc`?",
    "f(_: Usr);\nactor User {}": "p:1:6: P201 there is no type `Usr`; did you mean `User`?",
    "actor String {}": "p:1:7: P202 `String` is a built-in type; choose another name",
    "actor User {}\nactor User {}": "p:2:7: P203 the type `User` is declared twice; "
    "the first block is in line 1; join the two",
    'actor User { roles = ["a"]; roles = ["b"]; }': "p:1:29: P204 `User` declares its roles twice; "
    "join the two lists",
    'actor User { roles = ["a"]; permissions = ["a"]; }': 'p:1:44: P205 "a" is declared twice in this '
    "block; it stands among the roles already; a name means one thing",
    'resource R { roles = ["viewer"]; permissions = ["read"]; "read" if "viewr"; }': "p:1:68: P211 `R` has "
    'no role, permission or relation "viewr"; did you mean "viewer"?'.replace(
        '"viewer"?', "`viewer`?"
    ),
    'resource R { permissions = ["read"]; "read" if not "x"; }': "p:1:48: P010 expected a role, "
    "permission, relation or call, found `not`; write a rule with `not` outside of the block",
    "f(1, 2, 3, 4, 5, 6);": "p:1:1: P220 `f` has 6 arguments; use at most 5",
    'f(Actor{"a"});': "p:1:3: P222 `Actor` is abstract; name the entity's own type",
    "f(x) if g(x);": "p:1:3: P301 nothing tells the type of `x`; say what it is, as in `x matches User`",
    "f(x: String) if x < 3 and g(x);": "p:1:3: P303 no value of `x` can meet all conditions on its type",
    "f(x: String) if x < y and g(x) and h(y) and y matches Integer;": "p:1:3: P303 no value of `x` can meet "
    "all conditions on its type",
    'f(x) if g(x) and x < "a";': "p:1:18: P302 `<` compares Integers, not String",
    BLOCKS
    + "f(u: User) if d matches Doc and not g(u, d);": "p:3:15: P401 nothing limits `d` to finitely "
    "many values; use it in a condition on a stored fact, such as `has_relation(...)`",
    BLOCKS
    + "f(u: User) if g(u) and not h(u, d) and not k(d) and d != u and d matches User;": "p:3:33: "
    "P401 nothing limits `d` to finitely many values; use it in a condition on a stored fact, such as "
    "`has_relation(...)`",
    BLOCKS
    + "p(_: Doc, d: Doc) if q(d);\nf(u: User) if g(u) and p(d, d);": "p:4:26: P401 nothing limits `d` to "
    "finitely many values; use it in a condition on a stored fact, such as `has_relation(...)`",
    "actor User {}\nwin(x: User) if y matches User and move(x, y) and not win(y);": "p:2:1: P402 this rule "
    "depends on its own negation: win -> not win; break the circle, for example with a name of its own "
    "for what is denied",
}


def findings(text: str) -> list[str]:
    with pytest.raises(PolicyInvalid) as caught:
        check_policy([PolicyFile("p", text)])
    return [str(diagnostic) for diagnostic in caught.value.diagnostics]


@pytest.mark.parametrize("text", WRONG, ids=range(len(WRONG)))
def test_message(text):
    assert findings(text)[0].splitlines()[0] == WRONG[text]


def test_all_errors_at_once_in_source_order_with_a_caret():
    found = findings('actor User {\n  roles = [1];\n  "a" "b";\n}\nf(é, );\nok(1) if;\n')
    assert found == [
        "p:2:12: P010 expected a quoted name, found `1`\n      roles = [1];\n               ^",
        'p:3:7: P010 expected `if`, as in `"view" if "owner";`, found `"b"`\n'
        '      "a" "b";\n          ^^^',
        "p:5:6: P010 expected a variable or a literal, found `)`\n    f(é, );\n         ^",
        "p:6:9: P010 expected a variable or a literal, found `;`\n    ok(1) if;\n            ^",
    ]


def test_a_long_line_of_errors_stays_small():
    with pytest.raises(PolicyInvalid) as caught:
        check_policy([PolicyFile("p", "'" * 20_000)])
    assert len(caught.value.diagnostics) > 10_000
    assert len(caught.value.message) < 200_000


def test_negation_is_judged_on_what_rules_can_reach():
    """A permission may depend on the negation of another permission of the same type."""
    policy = (
        BLOCKS.replace('["read"]', '["read", "blocked"]')
        + """
has_permission(u: User, "read", d: Doc) if shared(u, d) and not has_permission(u, "blocked", d);
has_permission(u: User, "blocked", d: Doc) if banned(u, d);
"""
    )
    built_in = 2
    assert len(check_policy([PolicyFile("p", policy)]).rules) == 2 + built_in


TOKENS = st.sampled_from(
    [
        "actor",
        "resource",
        "User",
        "Doc",
        "{",
        "}",
        "(",
        ")",
        "[",
        "]",
        ";",
        ":",
        ",",
        "=",
        "!=",
        "<",
        "in",
        "matches",
        "if",
        "and",
        "or",
        "not",
        "on",
        "role",
        "roles",
        "=",
        "relations",
        "permissions",
        '"a"',
        '"b"',
        "1",
        "-2",
        "true",
        "_",
        "x",
        "y",
        "has_role",
        "f",
        "#",
        "\n",
        "\t",
        "@",
        "é",
        "\x00",
    ]
)


@given(st.lists(TOKENS, max_size=60).map(" ".join) | st.text(max_size=80))
def test_any_text_gives_a_policy_or_an_error(text):
    found = ()
    try:
        check_policy([PolicyFile("p", text)])
    except PolicyInvalid as error:
        found = error.diagnostics
    assert all("p:" in str(diagnostic) for diagnostic in found)
