"""The types that variables get, where decisions hang on them."""

import pytest
from examples import load, permits, snapshot

from authz_service.facts.policy_text import PolicyFile
from authz_service.polar.compile import check_policy
from authz_service.polar.diagnostic import PolicyInvalid
from authz_service.polar.goals import Variable

HEAD = """
actor User {}
actor Bot {}
resource Doc { permissions = ["x"]; relations = { flag: Bot, owner: User }; }
declare staff(Actor);
"""
ASKED = {
    "a predicate": ("flagged(a)", "flagged(b)", "flagged(w)"),
    "a relation": tuple(f'has_relation(Doc{{"d"}}, "flag", {v})' for v in "abw"),
    "any relation": (
        'has_relation(Doc{"d"}, r, a) and r = "flag"',
        'has_relation(Doc{"d"}, "flag", b)',
        'has_relation(Doc{"d"}, "flag", w)',
    ),
}


@pytest.mark.parametrize("form", ASKED)
@pytest.mark.parametrize("order", [1, -1])
def test_what_a_condition_asks_for_is_met_by_the_others(form, order):
    """A user may be flagged, as `active` asks for it; so `limited` is about users, and circular."""
    first, second, third = ASKED[form]
    rules = [
        f"limited(w) if {third} and not trusted(w);",
        "trusted(u: User) if staff(u) and not limited(u);",
    ]
    text = f"""{HEAD}
    active(a) if staff(a) and not ({first});
    alarm(b: Bot) if {second};
    {"".join(rules[::order])}
    has_permission(u: User, "x", _: Doc) if limited(u) or active(u) or alarm(u);
    """
    with pytest.raises(PolicyInvalid) as caught:
        check_policy([PolicyFile("p", text)])
    assert [finding.code for finding in caught.value.diagnostics] == ["P402"]


def test_a_fact_counts_wherever_its_predicate_is_asked_for(engine):
    text = f"""{HEAD}
    flagged(_: Bot);
    active(a) if staff(a) and not flagged(a);
    has_permission(w, "x", _: Doc) if flagged(w);
    has_permission(u: User, "x", Doc{{"other"}}) if active(u);
    """
    loaded = load(text, engine)
    facts = snapshot("flagged(User:a)", "staff(User:a)")
    assert permits(loaded, facts, "User:a x Doc:d")
    assert permits(loaded, facts, "Bot:b x Doc:d")
    assert not permits(loaded, facts, "User:b x Doc:d")


BLOCKS = """
actor User {}
resource Org { roles = ["admin"]; }
resource Folder { relations = { parent: Org, up: Folder }; roles = ["owner"]; }
resource Doc { relations = { parent: Folder, author: User }; permissions = ["read"]; }
"""
TYPED = {
    'has_relation(d, "parent", p) and has_relation(p, "parent", o)': {
        "p": "Folder",
        "o": "Folder|Org",
    },
    'has_relation(p, "parent", o) and has_relation(d, "parent", p)': {
        "p": "Folder",
        "o": "Folder|Org",
    },
    'has_relation(d, "author", p) and g(p, o) and o matches Org': {"p": "User", "o": "Org"},
    'has_relation(p, "up", o) and has_relation(d, "parent", o)': {"p": "Folder", "o": "Folder"},
    'has_relation(p, "parent", o) and o matches Org and g(p, d)': {"p": "Folder", "o": "Org"},
    'has_relation(d, _, p) and has_relation(p, "up", o)': {"p": "Folder", "o": "Folder"},
}


@pytest.mark.parametrize("condition", TYPED)
def test_a_named_relation_tells_the_types_of_both_ends(condition):
    text = f'{BLOCKS} has_permission(u: User, "read", d: Doc) if h(u, d) and {condition};'
    rules = check_policy([PolicyFile("p", text)]).rules
    [types] = [rule.types for rule in rules if rule.head.predicate == "has_permission"]
    assert {v: "|".join(sorted(types[Variable(v)])) for v in "po"} == TYPED[condition]


def test_a_declared_relation_may_lead_elsewhere_by_other_facts(engine):
    text = f"""{BLOCKS}
    declare has_relation(Doc, String, Org);
    has_permission(u: User, "read", d: Doc) if has_relation(d, "parent", p) and has_role(u, _, p);
    """
    loaded = load(text, engine)
    facts = snapshot('has_relation(Doc:d, "parent", Org:o)', 'has_role(User:a, "admin", Org:o)')
    assert permits(loaded, facts, "User:a read Doc:d")
