"""Proofs, misses and changes for policies and facts that are hard in one way each."""

from itertools import pairwise

import pytest
from examples import NOW, entity, fact, fact_lines, load, policy_text, snapshot

from authz_service.engine.engines import Engine
from authz_service.engine.explain.explainer import Explainer
from authz_service.engine.explain.lookups import Steps
from authz_service.engine.explain.misses import MAX_GOALS, Outcome
from authz_service.engine.explain.proof import HoldsByItself, RestsOnFact, RestsOnStep
from authz_service.engine.program import Budget, Question
from authz_service.errors import EvaluationLimitReached
from authz_service.facts.fact import Fact
from authz_service.facts.snapshot import FactSnapshot
from authz_service.facts.value import Value, string

FOLDERS = """
actor User {}
resource Folder {
  roles = ["reader"];
  permissions = ["read"];
  relations = { parent: Folder };
  "reader" if "reader" on "parent";
  "read" if "reader";
}
"""

GROUPS = """
actor User {}
actor Group {}
resource Doc { roles = ["reader"]; permissions = ["read"]; "read" if "reader"; }
has_role(user: User, role: String, doc: Doc) if
  member(user, group) and group matches Group and has_role(group, role, doc);
"""


class Explained:
    """A policy with facts, and what is said of a question `ACTOR ACTION RESOURCE`."""

    def __init__(self, text: str, facts: FactSnapshot, engine: Engine = Engine.COMPILED) -> None:
        self.loaded = load(text, engine)
        self.facts = facts
        self.explainer = Explainer(self.loaded)

    def question(self, text: str) -> Question:
        actor, action, resource = text.split()
        return Question(entity(actor), action, entity(resource))

    def permits(self, text: str) -> bool:
        question = self.question(text)
        return self.loaded.program.permits(question, self.facts, NOW, Budget(5_000_000))

    def proof(self, text: str, steps: int = 5_000_000):
        return self.explainer.proof(self.question(text), self.facts, NOW, Steps(Budget(steps)))

    def proofs(self, text: str):
        steps = Steps(Budget(1_000_000))
        return list(self.explainer.proofs(self.question(text), self.facts, NOW, steps))

    def misses(self, text: str, steps: int = 5_000_000):
        return self.explainer.misses(self.question(text), self.facts, NOW, Steps(Budget(steps)))

    def changes(self, text: str, most: int = 10, steps: int = 100_000):
        found = self.explainer.changes(
            self.question(text), self.facts, NOW, most, Steps(Budget(steps)), Budget(5_000_000)
        )
        shown = [[f"{'+' if c.is_added else '-'}{c.fact}" for c in one] for one in found.sets]
        return shown, found.complete_up_to


@pytest.fixture(scope="module")
def company():
    facts = snapshot(*fact_lines("security_company"))
    return Explained(policy_text("security_company"), facts)


def told(proof):
    """Return the steps of a proof as text: what is derived, on which line, and from what."""
    found = []
    for step in proof.steps:
        premises = []
        for premise in step.premises:
            match premise:
                case RestsOnFact(used):
                    premises.append(str(used))
                case RestsOnStep(number):
                    premises.append(number)
                case HoldsByItself(text):
                    premises.append(text)
        found.append((str(step.fact), step.span.line, premises))
    return found


def test_a_proof_names_rules_and_facts(company):
    assert told(company.proof("Employee:alice disarm SecuritySystem:s1")) == [
        (
            'allow(Employee:alice, "disarm", SecuritySystem:s1)',
            44,
            [1, "not is_suspended(Employee:alice)"],
        ),
        (
            'has_permission(Employee:alice, "disarm", SecuritySystem:s1)',
            40,
            [2, 'has_relation(SecuritySystem:s1, "location", Location:acme-hq)'],
        ),
        (
            'has_role(Employee:alice, "manager", Location:acme-hq)',
            26,
            [
                'has_role(Employee:alice, "admin", Customer:acme)',
                'has_relation(Location:acme-hq, "customer", Customer:acme)',
            ],
        ),
    ]


@pytest.mark.parametrize("engine", list(Engine), ids=lambda engine: engine.value)
def test_what_any_engine_decides_can_be_explained(engine):
    facts = snapshot(*fact_lines("security_company"))
    company = Explained(policy_text("security_company"), facts, engine)
    assert len(company.proof("Employee:alice disarm SecuritySystem:s1").steps) == 3
    shown, _ = company.changes("Employee:sam disarm SecuritySystem:s1")
    assert shown == [["-is_suspended(Employee:sam)"]]


def test_misses_tell_which_condition_failed(company):
    goals = company.misses("Employee:bob disarm SecuritySystem:s1").goals
    assert [goal.text for goal in goals] == [
        'allow(Employee:bob, "disarm", SecuritySystem:s1)',
        'has_permission(Employee:bob, "disarm", SecuritySystem:s1)',
        'has_role(Employee:bob, "manager", Location:acme-hq)',
    ]
    assert [(c.text, c.outcome) for c in goals[2].attempts[0].conditions] == [
        ('has_role(Employee:bob, "admin", Customer:acme)', Outcome.FAILS),
        ('has_relation(Location:acme-hq, "customer", Customer:acme)', Outcome.HOLDS),
    ]
    assert goals[2].can_be_stored
    assert not goals[1].can_be_stored


def test_the_nearest_changes_come_first(company):
    shown, complete_up_to = company.changes("Employee:bob disarm SecuritySystem:s1", most=100)
    assert shown[:2] == [
        ['+has_role(Employee:bob, "manager", Location:acme-hq)'],
        ['+has_role(Employee:bob, "admin", Customer:acme)'],
    ]
    assert all(len(one) > 1 for one in shown[2:])
    assert complete_up_to == 4


def test_what_is_denied_is_mended_by_removing(company):
    [conditions] = [
        attempt.conditions
        for attempt in company.misses("Employee:sam view SecuritySystem:s1").goals[0].attempts
    ]
    assert [(c.outcome, c.facts) for c in conditions] == [
        (Outcome.HOLDS, ()),
        (Outcome.FAILS, (fact("is_suspended(Employee:sam)"),)),
    ]
    assert company.changes("Employee:sam view SecuritySystem:s1") == (
        [["-is_suspended(Employee:sam)"]],
        4,
    )


def test_further_proofs_rest_on_other_facts():
    facts = snapshot(
        "member(User:u, Group:a)",
        "member(User:u, Group:b)",
        'has_role(Group:a, "reader", Doc:d)',
        'has_role(Group:b, "reader", Doc:d)',
        'has_role(User:u, "reader", Doc:d)',
    )
    proofs = Explained(GROUPS, facts).proofs("User:u read Doc:d")
    assert sorted(len(proof.facts) for proof in proofs) == [1, 2, 2]
    assert {used for proof in proofs for used in proof.facts} == set(facts)


def test_circles_are_no_reason():
    """Two folders inside of each other: what holds on one rests on the fact, not on the other."""
    facts = snapshot(
        'has_relation(Folder:a, "parent", Folder:b)',
        'has_relation(Folder:b, "parent", Folder:a)',
        'has_role(User:u, "reader", Folder:b)',
    )
    folders = Explained(FOLDERS, facts)
    assert [used.predicate for used in folders.proof("User:u read Folder:a").facts] == [
        "has_role",
        "has_relation",
    ]
    assert len(folders.proof("User:u read Folder:b").facts) == 1
    assert not folders.permits("User:v read Folder:a")
    texts = [goal.text for goal in folders.misses("User:v read Folder:a").goals]
    assert len(texts) == len(set(texts)) == 4
    shown, complete_up_to = folders.changes("User:v read Folder:a")
    assert complete_up_to == 4
    assert sorted(shown) == [
        ['+has_role(User:v, "reader", Folder:a)'],
        ['+has_role(User:v, "reader", Folder:b)'],
    ]


def chain(length: int) -> FactSnapshot:
    folders = [Value("Folder", f"f{number}") for number in range(length + 1)]
    parent = string("parent")
    facts = [Fact("has_relation", (lower, parent, upper)) for lower, upper in pairwise(folders)]
    return FactSnapshot([*facts, fact(f'has_role(User:u, "reader", Folder:f{length})')])


def test_a_chain_is_proven_as_deep_as_it_is():
    length = 5_000
    folders = Explained(FOLDERS, chain(length))
    proof = folders.proof("User:u read Folder:f0")
    assert len(proof.facts) == length + 1
    misses = folders.misses("User:v read Folder:f0")
    assert misses.is_cut
    assert len(misses.goals) == MAX_GOALS


def test_a_large_group_costs_what_is_asked():
    """Neither who is in the group nor who is not makes anybody look at its members."""
    members = [Fact("member", (Value("User", f"u{n}"), Value("Group", "g"))) for n in range(30_000)]
    reader = fact('has_role(Group:g, "reader", Doc:d)')
    groups = Explained(GROUPS, FactSnapshot([*members, reader]))
    assert len(groups.proof("User:u7 read Doc:d", steps=100).facts) == 2
    assert groups.misses("User:eve read Doc:d", steps=200).goals
    shown, complete_up_to = groups.changes("User:eve read Doc:d", most=2)
    assert sorted(shown) == [
        ['+has_role(User:eve, "reader", Doc:d)'],
        ["+member(User:eve, Group:g)"],
    ]
    assert complete_up_to <= 4


def test_a_limit_is_an_error_or_said():
    folders = Explained(FOLDERS, chain(100))
    with pytest.raises(EvaluationLimitReached):
        folders.proof("User:u read Folder:f0", steps=50)
    with pytest.raises(EvaluationLimitReached):
        folders.misses("User:v read Folder:f0", steps=5)
    shown, complete_up_to = folders.changes("User:v read Folder:f0", steps=50)
    assert (shown, complete_up_to) == ([], 0)


ALTERNATIVES = """
actor User {}
resource Doc { permissions = ["read"]; relations = { owner: User }; }
has_permission(user: User, "read", doc: Doc) if
  (is_public(doc) or (has_relation(doc, "owner", user) and not is_locked(doc))) and
  not (is_banned(user) and not is_pardoned(user));
"""


def test_parts_of_rules_show_as_they_were_written():
    facts = snapshot(
        'has_relation(Doc:d, "owner", User:u)',
        "is_banned(User:b)",
        "is_public(Doc:p)",
        "is_locked(Doc:d)",
    )
    documents = Explained(ALTERNATIVES, facts)
    assert told(documents.proof("User:u read Doc:p"))[1:] == [
        (
            'has_permission(User:u, "read", Doc:p)',
            4,
            ["is_public(Doc:p)", "not (is_banned(user) and not is_pardoned(user))"],
        )
    ]
    shown, complete_up_to = documents.changes("User:b read Doc:p")
    assert sorted(shown) == [["+is_pardoned(User:b)"], ["-is_banned(User:b)"]]
    assert complete_up_to == 4
    shown, _ = documents.changes("User:u read Doc:d")
    assert sorted(shown)[:2] == [["+is_public(Doc:d)"], ["-is_locked(Doc:d)"]]
    goals = documents.misses("User:u read Doc:d").goals
    assert [goal.is_part for goal in goals] == [False, False, True]
    assert len(goals[2].attempts) == 2


def test_two_reasons_against_need_two_changes():
    text = """
    actor User {}
    resource Doc { permissions = ["read"]; }
    blocked(user: User) if is_banned(user);
    blocked(user: User) if is_gone(user);
    has_permission(user: User, "read", _: Doc) if not blocked(user);
    """
    documents = Explained(text, snapshot("is_banned(User:u)", "is_gone(User:u)"))
    assert documents.changes("User:u read Doc:d") == (
        [["-is_banned(User:u)", "-is_gone(User:u)"]],
        4,
    )


def test_facts_that_rules_cannot_use_are_not_proposed():
    text = """
    actor User {}
    resource Doc { roles = ["reader"]; permissions = ["read"]; "read" if "reader"; }
    resource Other { roles = ["reader"]; }
    """
    documents = Explained(text, snapshot('has_role(User:v, "reader", Other:o)'))
    assert documents.changes("User:u read Doc:d") == ([['+has_role(User:u, "reader", Doc:d)']], 4)


def test_a_value_that_stands_twice_is_proposed():
    """Its type is tested at both places; the test that is left then is not the state of before."""
    text = """
    actor User {}
    actor Bot {}
    resource Doc { permissions = ["read"]; }
    has_permission(actor: Actor, "read", _: Doc) if trusts(actor, actor);
    """
    documents = Explained(text, snapshot())
    assert documents.changes("User:u read Doc:d") == ([["+trusts(User:u, User:u)"]], 4)


@pytest.mark.parametrize(
    ("condition", "proposed"),
    [
        ("n <= -9223372036854775808", ["-9223372036854775808"]),
        ("n != -9223372036854775808", ["-9223372036854775807"]),
        ("n >= 9223372036854775807", ["9223372036854775807"]),
        ("n != 9223372036854775807", ["9223372036854775806"]),
    ],
)
def test_integers_that_are_proposed_have_64_bits(condition, proposed):
    text = f"""
    actor User {{}}
    resource Doc {{ permissions = ["read"]; }}
    declare size(Doc, String);
    has_permission(_: User, "read", d: Doc) if size(d, n) and n matches Integer and {condition};
    """
    documents = Explained(text, snapshot())
    shown = [[f"+size(Doc:d, {number})"] for number in proposed]
    assert documents.changes("User:u read Doc:d") == (shown, 4)


LINKED = """
    actor User {}
    resource Doc { permissions = ["read"]; }
    linked(a: Doc, b: Doc) if link(a, b);
    linked(a: Doc, b: Doc) if tied(b, a);
"""


def test_a_variable_that_stands_twice_in_what_is_denied_is_one_value():
    text = f'{LINKED} has_permission(_: User, "read", d: Doc) if open(d) and not linked(x, x);'
    documents = Explained(text, snapshot("open(Doc:a)", "link(Doc:a, Doc:b)"))
    assert documents.permits("User:u read Doc:a")
    [proof] = documents.proofs("User:u read Doc:a")
    assert list(map(str, proof.facts)) == ["open(Doc:a)"]
    closed = Explained(text, snapshot("link(Doc:a, Doc:b)"))
    assert closed.changes("User:u read Doc:a") == ([["+open(Doc:a)"]], 4)
    circle = Explained(text, snapshot("open(Doc:a)", "link(Doc:a, Doc:a)"))
    assert not circle.permits("User:u read Doc:a")
    assert circle.changes("User:u read Doc:a") == ([["-link(Doc:a, Doc:a)"]], 4)


def test_a_variable_that_stands_twice_in_what_is_asked_is_one_value():
    text = f'{LINKED} has_permission(_: User, "read", d: Doc) if linked(x, x) and open(d);'
    documents = Explained(text, snapshot("open(Doc:a)", "link(Doc:a, Doc:b)", "link(Doc:c, Doc:c)"))
    for proof in documents.proofs("User:u read Doc:a"):
        assert {*map(str, proof.facts)} == {"open(Doc:a)", "link(Doc:c, Doc:c)"}
    denied = Explained(text, snapshot("open(Doc:a)", "link(Doc:a, Doc:b)"))
    misses = denied.misses("User:u read Doc:a")
    [attempt] = misses.goals[1].attempts
    assert [(one.text, one.outcome, one.goal) for one in attempt.conditions] == [
        ("linked(Doc:_, Doc:_)", Outcome.FAILS, None),
        ("open(Doc:a)", Outcome.HOLDS, None),
    ]


@pytest.mark.parametrize("other", ["h(u)", "near(u, v) and blocked(v)"])
def test_a_further_proof_does_not_deny_what_an_earlier_one_rests_on(other):
    text = f"""
    actor User {{}}
    resource Doc {{ permissions = ["read"]; }}
    blocked(u: User) if f(u);
    blocked(u: User) if {other};
    has_permission(u: User, "read", _: Doc) if f(u);
    has_permission(u: User, "read", _: Doc) if g(u) and not blocked(u);
    """
    documents = Explained(text, snapshot("f(User:u)", "g(User:u)"))
    found = [list(map(str, proof.facts)) for proof in documents.proofs("User:u read Doc:d")]
    assert found == [["f(User:u)"]]


def test_a_proof_denies_what_leaves_a_value_open():
    """Compiled code knows whether u knows v, and not whether u knows anybody."""
    text = """
    actor User {}
    resource Doc { permissions = ["read"]; }
    knows(u: User, v: User) if friend(u, v);
    knows(u: User, v: User) if friend(v, u);
    has_permission(u: User, "read", d: Doc) if owner(u, d) and not knows(u, _);
    has_permission(u: User, "read", d: Doc) if shared(u, e) and near(e, d) and e matches Doc;
    """
    facts = snapshot("owner(User:a, Doc:d)", "owner(User:b, Doc:d)", "friend(User:b, User:c)")
    proof = Explained(text, facts).proof("User:a read Doc:d")
    assert proof == Explained(text, facts).proofs("User:a read Doc:d")[0]
    assert told(proof)[1][2] == ["owner(User:a, Doc:d)", "not knows(User:a, User:_)"]
