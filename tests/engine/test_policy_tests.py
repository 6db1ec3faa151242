"""What assertions in tests of policies mean: each with what is said about it when it fails."""

import pytest
from examples import NOW

from authz_service.engine.policy_tests import run_tests
from authz_service.facts.policy_text import PolicyFile
from authz_service.polar.compile import check_policy

POLICY = """
actor User {}
resource Doc { roles = ["viewer"]; permissions = ["read", "write"]; relations = { parent: Doc };
  "read" if "viewer"; role if role on "parent"; }
resource Memo extends Doc {}
has_permission(_: User, "read", d: Doc) if is_public(d);
has_permission(_: User, action: String, d: Doc) if is_wiki(d) and action in ["read", "write"];
limit(u: User, n: Integer) if limit_of(u, m) and n < m and n > 0;
big(n: Integer) if n > 100;
older(n: Integer) if n < @current_unix_time;
anything(_: String);
pair(x: User, y: User) if x = y;
switched_on();
both(u: User, d: Doc) if has_role(u, "viewer", d) and switched_on();
"""
SETUP = """setup {
  has_role(User{"ann"}, "viewer", Doc{"top"});
  has_relation(Doc{"d"}, "parent", Doc{"top"});
  has_relation(Memo{"m"}, "parent", Doc{"d"});
  is_public(Doc{"p"}); is_wiki(Doc{"w"}); limit_of(User{"ann"}, 3);
}"""

# Assertion: what is wrong with it; empty for one that passes.
ASSERTIONS = {
    'assert allow(User{"ann"}, "read", Doc{"d"})': "",
    'assert allow(User{"ann"}, "read", Memo{"m"})': "",
    'assert_not allow(User{"ann"}, "write", Doc{"d"})': "",
    'assert allow(User{"bob"}, "read", Doc{"d"})': "does not hold",
    'assert_not allow(User{"ann"}, "read", Doc{"d"})': "holds",
    'assert has_role(User{"ann"}, "viewer", Memo{"m"})': "",
    'assert has_relation(Doc{"d"}, "parent", Doc{"top"})': "",
    'assert is_public(Doc{"p"})': "",
    'assert_not is_public(Memo{"p"})': "",
    'assert both(User{"ann"}, Doc{"top"})': "",
    "assert switched_on()": "",
    "assert_not switched_on()": "holds",
    # with a condition: exactly these
    'assert allow(User{"ann"}, a: String, Doc{"d"}) iff a = "read"': "",
    'assert allow(User{"ann"}, a: String, Doc{"w"}) iff a in ["read", "write"]': "",
    'assert allow(User{"ann"}, a: String, Doc{"w"}) iff a = "read"': 'holds for a = "write"',
    'assert allow(User{"ann"}, a: String, Doc{"d"}) iff a in ["read", "write"]': (
        'does not hold for a = "write"'
    ),
    'assert allow(User{"bob"}, a: String, Doc{"w"}) iff a = "delete"': (
        'does not hold for a = "delete"; holds for a = "read" and for a = "write"'
    ),
    'assert allow(u: User, "read", Doc{"d"}) iff u = User{"ann"}': "",
    'assert allow(u: User, "read", Doc{"p"}) iff u = User{"ann"}': "holds for u = any other User",
    'assert allow(User{"ann"}, "read", d: Doc) iff d in [Doc{"top"}, Doc{"d"}, Memo{"m"}, Doc{"p"}, '
    'Doc{"w"}]': "",
    'assert allow(User{"ann"}, "read", d: Memo) iff d = Memo{"m"}': "",
    'assert allow(User{"ann"}, "read", d: Doc) iff d matches Memo': (
        "does not hold for d = any other Memo; holds for d = Doc:d and for d = Doc:p and for d = Doc:top "
        "and 1 more"
    ),
    'assert allow(User{"ann"}, a: String, d: Doc) iff has_permission(User{"ann"}, a, d)': "",
    'assert allow(User{"ann"}, a: String, d: Doc) iff (a = "read" and (d in [Doc{"top"}, Doc{"d"}, '
    'Doc{"p"}] or d = Memo{"m"})) or (d = Doc{"w"} and a in ["read", "write"])': "",
    'assert allow(User{"bob"}, a: String, Doc{"d"}) iff false': "",
    'assert limit(User{"ann"}, n: Integer) iff n in [1, 2]': "",
    'assert limit(User{"ann"}, n: Integer) iff n >= 1 and n < 3': "",
    'assert limit(User{"ann"}, n: Integer) iff n <= 3 and not n < 0': (
        "does not hold for n = 0 and for n = 3"
    ),
    "assert big(n: Integer) iff n > 100": "",
    "assert big(n: Integer) iff n > 101": "holds for n = 101",
    "assert big(n: Integer) iff n > 99": "does not hold for n = 100",
    "assert older(n: Integer) iff n < @current_unix_time": "",
    f"assert older({NOW - 1})": "",
    f"assert_not older({NOW})": "",
    "assert pair(x: User, y: User) iff x = y": "",
    'assert pair(x: User, y: User) iff x = y and x != User{"ann"}': (
        "does not hold for x = User:ann, y = User:ann".replace("does not hold", "holds")
    ),
    "assert pair(x: User, x)": "",
    # without one: every value
    "assert anything(x: String)": "",
    "assert anything(_: String)": "",
    'assert allow(_: User, "read", Doc{"p"})': "",
    'assert allow(_: User, "read", Doc{"d"})': ("does not hold for _ = any other User"),
    'assert_not allow(_: User, "write", Doc{"p"})': "",
    'assert_not allow(_: User, "read", _: Memo)': "holds for _ = User:ann, _ = Memo:m",
}


@pytest.mark.parametrize("assertion", ASSERTIONS)
def test_assertion(assertion):
    text = f'{POLICY}test "t" {{ {SETUP} {assertion}; }}'
    policy = check_policy([PolicyFile("p", text)])
    [result] = run_tests(policy, policy.tests, NOW, 1_000_000)
    [judged] = result.assertions
    assert judged.problem == ASSERTIONS[assertion]
    assert result.passed is judged.passed is not ASSERTIONS[assertion]


def test_both_outcomes_are_frequent():
    assert 0.3 <= sum(map(bool, ASSERTIONS.values())) / len(ASSERTIONS) <= 0.7


def test_tests_do_not_see_each_others_facts_and_change_nothing():
    bare = check_policy([PolicyFile("p", POLICY)])
    text = POLICY + 'test fixture f { is_public(Doc{"d"}); } test "a" { setup { fixture f; } }'
    tested = check_policy(
        [
            PolicyFile("p", text),
            PolicyFile(
                "q",
                'test "b" { assert_not allow(User{"a"}, "read", Doc{"d"}); }'
                'test "c" { setup { fixture f; } assert allow(User{"a"}, "read", Doc{"d"}); }',
            ),
        ]
    )
    results = list(run_tests(tested, tested.tests, NOW, 1_000_000))
    assert [result.passed for result in results] == [True, True, True]
    assert tested.rules == bare.rules
    assert tested.actions == bare.actions
    assert tested.shapes.by_predicate == bare.shapes.by_predicate


def test_a_test_that_costs_too_much_fails():
    text = f'{POLICY}test "t" {{ {SETUP} assert allow(User{{"ann"}}, "read", Doc{{"d"}}); }}'
    policy = check_policy([PolicyFile("p", text)])
    [result] = run_tests(policy, policy.tests, NOW, 20)
    assert not result.passed
    assert result.assertions[0].problem.startswith("cannot be evaluated: the question needed more")
    [finding] = result.failures
    assert finding.code == "P510"
