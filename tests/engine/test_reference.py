"""What policies mean: small policies, each with facts and the answers by hand, by every engine."""

import pytest
from examples import NOW, load, permits, snapshot

from authz_service.engine.engines import Engine
from authz_service.errors import EvaluationLimitReached

HEAD = """
actor User {}
actor Robot {}
resource Doc {
  roles = ["viewer", "editor"];
  permissions = ["read", "write"];
  relations = { parent: Doc, author: User };
  "viewer" if "editor";
  "read" if "viewer";
  "write" if "editor";
"""

CASES = {
    "roles include each other": (
        HEAD + "}",
        ['has_role(User:a, "editor", Doc:d)', 'has_role(Robot:a, "viewer", Doc:d)'],
        {"User:a read Doc:d": True, "User:a write Doc:d": True, "Robot:a write Doc:d": False},
    ),
    "the same id of another type is another entity": (
        HEAD + "}",
        ['has_role(User:x, "viewer", Doc:x)'],
        {"User:x read Doc:x": True, "Robot:x read Doc:x": False},
    ),
    "on, along a chain": (
        HEAD + 'role if role on "parent"; }',
        [
            'has_role(User:a, "viewer", Doc:top)',
            'has_relation(Doc:mid, "parent", Doc:top)',
            'has_relation(Doc:low, "parent", Doc:mid)',
        ],
        {"User:a read Doc:low": True, "User:a write Doc:low": False, "User:b read Doc:low": False},
    ),
    "relations point from owner to related": (
        HEAD + '"viewer" if "author"; }',
        ['has_relation(Doc:d, "author", User:a)'],
        {"User:a read Doc:d": True, "User:b read Doc:d": False},
    ),
    "and, or and calls in shorthand": (
        HEAD + '"read" if ("author" and is_draft(resource)) or is_public(resource); }',
        ['has_relation(Doc:d, "author", User:a)', "is_draft(Doc:d)", "is_public(Doc:p)"],
        {
            "User:a read Doc:d": True,
            "User:b read Doc:d": False,
            "User:b read Doc:p": True,
            "User:a write Doc:p": False,
        },
    ),
    "or, with a variable of its own in each branch": (
        HEAD
        + """ "read" if "viewer" on "parent" or "editor" on "parent" or "author"; }
        has_permission(u: User, "write", d: Doc) if
          (e matches Doc and copy(d, e) and has_role(u, "editor", e)) or
          (r matches Robot and helper(u, r) and has_role(r, "editor", d)) or
          is_free(u);""",
        [
            'has_role(User:a, "viewer", Doc:top)',
            'has_role(User:b, "editor", Doc:top)',
            'has_relation(Doc:d, "parent", Doc:top)',
            'has_relation(Doc:d, "author", User:c)',
            "copy(Doc:d, Doc:top)",
            "helper(User:x, Robot:x)",
            'has_role(Robot:x, "editor", Doc:d)',
            "is_free(User:f)",
        ],
        {
            "User:a read Doc:d": True,
            "User:b read Doc:d": True,
            "User:c read Doc:d": True,
            "User:x read Doc:d": False,
            "User:a write Doc:d": False,
            "User:b write Doc:d": True,
            "User:x write Doc:d": True,
            "User:f write Doc:d": True,
        },
    ),
    "a rule about everybody": (
        HEAD + '} has_permission(_: User, "read", d: Doc) if is_public(d);',
        ["is_public(Doc:p)"],
        {
            "User:unheard-of read Doc:p": True,
            "User:unheard-of read Doc:q": False,
            "Robot:r read Doc:p": False,
        },
    ),
    "everybody except": (
        HEAD
        + """}
        has_permission(u: User, "read", d: Doc) if is_public(d) and not is_banned(u);""",
        ["is_public(Doc:p)", "is_banned(User:b)"],
        {"User:a read Doc:p": True, "User:b read Doc:p": False},
    ),
    "not, over what a rule derives": (
        HEAD
        + """}
        allow(u: User, action: String, d: Doc) if
          has_permission(u, action, d) and not (is_locked(d) and action in ["write"]);""",
        ['has_role(User:a, "editor", Doc:d)', "is_locked(Doc:d)"],
        {"User:a read Doc:d": True, "User:a write Doc:d": False},
    ),
    "for all: a nested not with variables of its own": (
        HEAD
        + """}
        has_permission(u: User, "read", d: Doc) if
          is_shared(d) and
          not (tag matches String and needs(d, tag) and not cleared(u, tag));""",
        [
            "is_shared(Doc:d)",
            'needs(Doc:d, "x")',
            'needs(Doc:d, "y")',
            'cleared(User:a, "x")',
            'cleared(User:a, "y")',
            'cleared(User:b, "x")',
        ],
        {"User:a read Doc:d": True, "User:b read Doc:d": False},
    ),
    "comparisons of integers": (
        HEAD
        + """}
        has_permission(u: User, "read", d: Doc) if
          level(u, have) and need(d, want) and have >= want and want != 13;""",
        ["level(User:a, 10)", "need(Doc:d, 9)", "need(Doc:e, 11)", "need(Doc:f, -1)"],
        {
            "User:a read Doc:d": True,
            "User:a read Doc:e": False,
            "User:a read Doc:f": True,
        },
    ),
    "true is not 1 and not the text": (
        HEAD
        + """}
        has_permission(u: User, "read", d: Doc) if flag(u, x) and x = true and is_doc(d);
        has_permission(u: User, "write", d: Doc) if flag(u, x) and x = 1 and is_doc(d);
        marked(u: User) if flag(u, "true");""",
        ["flag(User:a, true)", "flag(User:b, 1)", "is_doc(Doc:d)"],
        {
            "User:a read Doc:d": True,
            "User:a write Doc:d": False,
            "User:b read Doc:d": False,
            "User:b write Doc:d": True,
        },
    ),
    "literals of entities and facts in the policy": (
        HEAD + '} has_role(User{"root"}, "editor", _: Doc); is_public(Doc{"home"});'
        'has_permission(_: Actor, "read", d: Doc) if is_public(d);',
        ['has_role(User:a, "viewer", Doc:d)'],
        {
            "User:root write Doc:anything": True,
            "Robot:r read Doc:home": True,
            "Robot:r read Doc:other": False,
        },
    ),
    "a variable twice in a head is the same value": (
        HEAD + '} owns(u: User, u: User); has_permission(u: User, "read", d: Doc) if '
        'owner matches User and has_relation(d, "author", owner) and owns(u, owner);',
        ['has_relation(Doc:d, "author", User:a)'],
        {"User:a read Doc:d": True, "User:b read Doc:d": False},
    ),
    "global roles and permissions": (
        HEAD
        + """"read" if global "staff"; "write" if global "edit_all" and is_open(resource); }
        global { roles = ["staff", "boss"]; permissions = ["edit_all"];
          "staff" if "boss"; "edit_all" if "boss"; }""",
        ['has_role(User:s, "staff")', 'has_role(User:b, "boss")', "is_open(Doc:o)"],
        {
            "User:s read Doc:d": True,
            "User:b read Doc:d": True,
            "User:s write Doc:o": False,
            "User:b write Doc:o": True,
            "User:b write Doc:d": False,
            "Robot:s read Doc:d": False,
        },
    ),
    "extends: rules, roles and relations of the base": (
        HEAD
        + """role if role on "parent"; }
        resource Memo extends Doc { permissions = ["sign"]; "sign" if "editor"; }
        resource Letter extends Memo {}""",
        [
            'has_role(User:a, "editor", Doc:top)',
            'has_relation(Memo:m, "parent", Doc:top)',
            'has_relation(Letter:l, "parent", Memo:m)',
            'has_role(User:b, "viewer", Doc:x)',
        ],
        {
            "User:a write Memo:m": True,
            "User:a sign Memo:m": True,
            "User:a sign Letter:l": True,
            "User:a read Letter:m": False,
            "User:b read Memo:x": False,
            "User:b read Doc:x": True,
        },
    ),
    "matches takes in what extends the type, matches! does not": (
        HEAD
        + """}
        resource Memo extends Doc {}
        has_permission(_: User, "read", x: Resource) if on(x) and x matches Doc;
        has_permission(_: User, "write", x: Resource) if on(x) and x matches! Doc;""",
        ["on(Doc:d)", "on(Memo:m)"],
        {
            "User:a read Doc:d": True,
            "User:a read Memo:m": True,
            "User:a write Doc:d": True,
            "User:a write Memo:m": False,
        },
    ),
    "a type and the one it extends are never equal": (
        HEAD
        + """}
        resource Memo extends Doc {}
        has_permission(_: User, "read", x: Doc) if same(x, y) and y matches Doc and x = y;""",
        ["same(Doc:d, Doc:d)", "same(Memo:d, Doc:d)"],
        {"User:a read Doc:d": True, "User:a read Memo:d": False},
    ),
    "the current time": (
        HEAD
        + """}
        has_role(u: User, role: String, d: Doc) if
          has_role_until(u, role, d, end) and end > @current_unix_time;
        has_permission(_: User, "write", d: Doc) if opens(d, @current_unix_time);""",
        [
            f'has_role_until(User:a, "viewer", Doc:d, {NOW + 1})',
            f'has_role_until(User:b, "viewer", Doc:d, {NOW})',
            f"opens(Doc:d, {NOW})",
            f"opens(Doc:e, {NOW + 1})",
        ],
        {
            "User:a read Doc:d": True,
            "User:b read Doc:d": False,
            "User:b write Doc:d": True,
            "User:b write Doc:e": False,
        },
    ),
    "stored permissions, once declared": (
        HEAD + "} declare has_permission(User, String, Doc);",
        ['has_permission(User:a, "write", Doc:d)', 'has_permission(Robot:a, "write", Doc:d)'],
        {"User:a write Doc:d": True, "Robot:a write Doc:d": False, "User:a read Doc:d": False},
    ),
    "a role that a rule names by comparing can be stored": (
        HEAD
        + """}
        has_permission(u: User, "read", d: Doc) if has_role(u, role, d) and role in ["auditor", "boss"];
        has_permission(u: User, "write", d: Doc) if has_role(u, role, d) and (role = "chief" or s(u));""",
        [
            'has_role(User:a, "auditor", Doc:d)',
            'has_role(User:c, "chief", Doc:d)',
            'has_role(User:x, "other", Doc:d)',
        ],
        {
            "User:a read Doc:d": True,
            "User:c write Doc:d": True,
            "User:c read Doc:d": False,
            "User:x read Doc:d": False,
        },
    ),
    "rules without parameters, true and false": (
        HEAD
        + """}
        frozen() if is_frozen(true);
        broken() if false;
        has_permission(_: User, "read", d: Doc) if is_doc(d) and not frozen() and not broken();
        has_permission(_: User, "write", d: Doc) if is_doc(d) and (broken() or true);""",
        ["is_doc(Doc:d)"],
        {"User:a read Doc:d": True, "User:a write Doc:d": True, "User:a read Doc:e": False},
    ),
    "frozen": (
        HEAD
        + """}
        frozen() if is_frozen(true);
        has_permission(_: User, "read", d: Doc) if is_doc(d) and not frozen();
        has_permission(_: User, "write", d: Doc) if is_doc(d);""",
        ["is_doc(Doc:d)", "is_frozen(true)"],
        {"User:a read Doc:d": False, "User:a write Doc:d": True},
    ),
    "a wildcard head with not: everybody who is not": (
        HEAD
        + """}
        has_permission(u: User, "read", _: Doc) if not is_banned(u);
        has_permission(_: User, "write", d: Doc) if not is_locked(d);""",
        ["is_banned(User:b)", "is_locked(Doc:l)"],
        {
            "User:unheard-of read Doc:any": True,
            "User:b read Doc:any": False,
            "User:b write Doc:any": True,
            "User:b write Doc:l": False,
        },
    ),
    "an impersonator has what the other one has": (
        """
        global { roles = ["support"]; }
        actor User { permissions = ["impersonate"]; "impersonate" if global "support"; }
        resource Doc { roles = ["viewer"]; permissions = ["read"]; "read" if "viewer"; }
        allow(u: Actor, action: String, r: Resource) if has_permission(u, action, r);
        allow(u: User, action: String, r: Resource) if
          is_impersonating(u, other) and has_permission(u, "impersonate", other) and
          has_permission(other, action, r);""",
        [
            'has_role(User:sue, "support")',
            'has_role(User:ann, "viewer", Doc:d)',
            "is_impersonating(User:sue, User:ann)",
            "is_impersonating(User:bob, User:ann)",
        ],
        {"User:sue read Doc:d": True, "User:bob read Doc:d": False, "User:ann read Doc:d": True},
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_meaning(name, engine):
    text, facts, answers = CASES[name]
    loaded = load(text, engine)
    facts = snapshot(*facts)
    assert {question: permits(loaded, facts, question) for question in answers} == answers


def test_circles_and_diamonds_end():
    loaded = load(HEAD + 'role if role on "parent"; }')
    circle = [f'has_relation(Doc:{i}, "parent", Doc:{(i + 1) % 30})' for i in range(30)]
    diamond = [f'has_relation(Doc:{i}, "parent", Doc:{j})' for i in range(12) for j in range(i)]
    facts = snapshot(*circle, *diamond, 'has_role(User:a, "viewer", Doc:7)')
    assert permits(loaded, facts, "User:a read Doc:3")
    assert not permits(loaded, facts, "User:a write Doc:3")
    assert not permits(loaded, facts, "User:b read Doc:3")


def test_the_limit_is_an_error():
    loaded = load(HEAD + 'role if role on "parent"; }')
    facts = snapshot('has_role(User:a, "viewer", Doc:d)')
    with pytest.raises(EvaluationLimitReached, match="evaluation_steps"):
        permits(loaded, facts, "User:a read Doc:d", steps=1)


def test_the_limit_counts_tests_as_well():
    """Alternatives that all hold double the ways to hold; no fact is looked at for it."""
    twice = " and ".join(["(u != d or d != u)"] * 30)
    loaded = load(
        HEAD + f'}} has_permission(u: User, "read", d: Doc) if s(u, d) and {twice} and not s(u, d);'
    )
    with pytest.raises(EvaluationLimitReached):
        permits(loaded, snapshot("s(User:a, Doc:d)"), "User:a read Doc:d", steps=100_000)


def test_order_comparisons_hold_between_integers_only(engine):
    """A predicate may hold Strings and Integers; the Strings are not less than anything."""
    text = (
        HEAD
        + """}
    named(u: User) if tag(u, "x");
    has_permission(u: User, "read", _: Doc) if tag(u, n) and n < 5;"""
    )
    loaded = load(text, engine)
    facts = snapshot('tag(User:a, "x")', "tag(User:b, 3)")
    assert not permits(loaded, facts, "User:a read Doc:d")
    assert permits(loaded, facts, "User:b read Doc:d")


def test_facts_that_no_rule_can_use_are_ignored(engine):
    """A stored fact of an older policy must not count: here a permission, which is always derived."""
    loaded = load(HEAD + "}", engine)
    facts = snapshot('has_permission(User:a, "read", Doc:d)', 'has_role(Doc:d, "viewer", Doc:d)')
    assert not permits(loaded, facts, "User:a read Doc:d")


def test_oso_cannot_hold_the_smallest_integer():
    text = HEAD + '} has_permission(u: User, "read", _: Doc) if level(u, n) and n < 0;'
    question, facts = "User:a read Doc:d", snapshot(f"level(User:a, {-(2**63)})")
    assert permits(load(text), facts, question)
    with pytest.raises(Exception, match="--engine reference"):
        permits(load(text, Engine.OSO), facts, question)
