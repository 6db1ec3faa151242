"""Lists beyond what they hold: cost, limits, depth, width, and what is built for them."""

import pickle
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from operator import length_hint

import pytest
from examples import NOW, entity, fact, load, snapshot

from authz_service.engine.engines import Engine
from authz_service.engine.program import Budget, Listed, Listing, Question
from authz_service.errors import EvaluationLimitReached
from authz_service.facts.fact import Fact
from authz_service.facts.snapshot import FactSnapshot
from authz_service.facts.value import STRING, Value, string

STEPS = 50_000_000
POLICY = """
actor User {}
actor Group {}
resource Folder {
  roles = ["viewer"];
  relations = { parent: Folder };
  role if role on "parent";
}
resource Doc {
  permissions = ["read", "edit"];
  roles = ["viewer"];
  relations = { folder: Folder };
  "read" if "viewer";
  "viewer" if "viewer" on "folder";
}
declare member(Actor, Group);
has_role(a: Actor, role: String, r: Resource) if member(a, g) and has_role(g, role, r);
has_permission(_: User, "edit", d: Doc) if open(d);
has_permission(u: User, "edit", d: Doc) if has_role(u, "viewer", d);
"""
CHECKED, PROGRAM = load(POLICY, Engine.COMPILED)
DECLARED = CHECKED.actions["Doc"]


def member(actor: Value, group: Value) -> Fact:
    return Fact("member", (actor, group))


def viewer(actor: Value, resource: Value) -> Fact:
    return Fact("has_role", (actor, string("viewer"), resource))


def within(inner: Value, name: str, outer: Value) -> Fact:
    return Fact("has_relation", (inner, string(name), outer))


def several(type_: str, number: int) -> list[Value]:
    return [Value(type_, str(n)) for n in range(number)]


def counted(facts: FactSnapshot, ask: str) -> tuple[Listed, int]:
    """Return the list that `ask` asks for, with a `?`, and how many steps it took."""
    budget = Budget(STEPS)
    left = iter(budget.each)
    budget.each = left
    first, action, last = ask.split()
    if first.endswith(":?"):
        found = PROGRAM.listed(
            Listing.of_actors(first[:-2], action, entity(last)), facts, NOW, budget
        )
    elif last.endswith(":?"):
        found = PROGRAM.listed(
            Listing.of_resources(entity(first), action, last[:-2]), facts, NOW, budget
        )
    else:
        found = PROGRAM.listed(
            Listing.of_actions(entity(first), entity(last), DECLARED), facts, NOW, budget
        )
    return found, STEPS - length_hint(left)


def chain(number: int) -> FactSnapshot:
    """Return groups in groups and folders in folders, so many of each, and a user and a document at their ends."""
    groups, folders = several("Group", number), several("Folder", number)
    return FactSnapshot(
        [
            member(Value("User", "u"), groups[0]),
            *map(member, groups[:-1], groups[1:]),
            viewer(groups[-1], folders[-1]),
            *(within(one, "parent", other) for one, other in pairwise(folders)),
            within(Value("Doc", "d"), "folder", folders[0]),
        ]
    )


@pytest.mark.parametrize("ask", ["User:u read Doc:?", "User:? read Doc:d"])
def test_lists_through_chains_are_as_deep_as_the_data_and_linear(ask):
    for length in (1_000, 100_000):
        found, steps = counted(chain(length), ask)
        assert len(found.values) == 1
        assert steps < 20 * length


@pytest.mark.parametrize("ask", ["User:u read Doc:?", "User:? read Doc:d"])
def test_lists_through_circles_end(ask):
    circles = [member(entity("Group:999"), entity("Group:0"))]
    circles += [within(entity("Folder:999"), "parent", entity("Folder:0"))]
    found, steps = counted(chain(1_000).with_facts(circles), ask)
    assert len(found.values) == 1
    assert steps < 20_000


def test_a_large_group_is_listed_in_linear_time():
    group, users = Value("Group", "all"), several("User", 100_000)
    facts = FactSnapshot([*(member(user, group) for user in users), viewer(group, entity("Doc:d"))])
    found, steps = counted(facts, "User:? read Doc:d")
    assert {*found.values} == {*users}
    assert steps < 3 * len(users)


def test_a_resource_with_many_actors():
    users = several("User", 100_000)
    facts = FactSnapshot([viewer(user, entity("Doc:d")) for user in users])
    found, steps = counted(facts, "User:? read Doc:d")
    assert {*found.values} == {*users}
    assert steps < 3 * len(users)


def test_an_actor_with_many_roles():
    docs = several("Doc", 10_000)
    facts = FactSnapshot([viewer(entity("User:u"), doc) for doc in docs])
    found, steps = counted(facts, "User:u read Doc:?")
    assert {*found.values} == {*docs}
    assert steps < 3 * len(docs)


def test_many_groups_that_lead_to_the_same_are_visited_once():
    """Each group alone comes to all documents: 1,000 times 1,000, were they listed for each."""
    groups, docs = several("Group", 1_000), several("Doc", 1_000)
    top, folder = Value("Group", "top"), Value("Folder", "f")
    facts = FactSnapshot(
        [
            *(member(entity("User:u"), group) for group in groups),
            *(member(group, top) for group in groups),
            *(viewer(group, folder) for group in groups),
            viewer(top, folder),
            *(within(doc, "folder", folder) for doc in docs),
        ]
    )
    found, steps = counted(facts, "User:u read Doc:?")
    assert len(found.values) == 1_000
    assert steps < 30_000


def test_a_list_costs_its_answer_and_not_the_store():
    def steps(others: int) -> int:
        users, docs = several("User", others), several("Doc", others)
        some = [viewer(entity("User:u"), entity("Doc:d"))]
        return counted(FactSnapshot([*map(viewer, users, docs), *some]), "User:u read Doc:?")[1]

    assert steps(10) == steps(10_000) < 10


def test_a_list_that_needs_more_steps_is_an_error():
    facts = FactSnapshot([viewer(entity("User:u"), doc) for doc in several("Doc", 1_000)])
    open_to_all = facts.with_facts([fact("open(Doc:x)")])
    for steps in (0, 1, 999):
        with pytest.raises(EvaluationLimitReached):
            PROGRAM.listed(
                Listing.of_resources(entity("User:u"), "read", "Doc"), facts, NOW, Budget(steps)
            )
        with pytest.raises(EvaluationLimitReached):
            PROGRAM.listed(
                Listing.of_resources(entity("User:u"), "edit", "Doc"),
                open_to_all,
                NOW,
                Budget(steps),
            )


def test_actions_share_one_budget():
    facts = FactSnapshot(
        [
            *(member(entity("User:u"), group) for group in several("Group", 100)),
            *(within(entity("Doc:d"), "folder", folder) for folder in several("Folder", 100)),
            viewer(entity("User:other"), entity("Folder:0")),
        ]
    )
    counted(facts, "User:u ? Doc:d")  # keeps where walks have been
    found, steps = counted(facts, "User:u ? Doc:d")
    assert found == Listed(STRING, (), is_any_except=False)
    for action in ("read", "edit"):
        question = Question(entity("User:u"), action, entity("Doc:d"))
        assert not PROGRAM.permits(question, facts, NOW, Budget(steps - 1))
    with pytest.raises(EvaluationLimitReached):
        PROGRAM.listed(
            Listing.of_actions(entity("User:u"), entity("Doc:d"), DECLARED),
            facts,
            NOW,
            Budget(steps - 1),
        )


def test_everybody_but_nobody_is_any():
    facts = snapshot("open(Doc:d)", 'has_role(User:u, "viewer", Doc:d)')
    assert counted(facts, "User:? edit Doc:d")[0] == Listed("User", (), is_any_except=True)
    assert counted(facts, "User:? edit Doc:e")[0] == Listed("User", (), is_any_except=False)


@pytest.mark.parametrize("engine", Engine)
def test_every_engine_lists_the_same(engine):
    program = load(POLICY, engine).program
    facts = snapshot(
        "open(Doc:d)",
        'has_role(Group:g, "viewer", Folder:f)',
        "member(User:u, Group:g)",
        'has_relation(Doc:e, "folder", Folder:f)',
    )
    user, doc, rest = entity("User:u"), entity("Doc:e"), (facts, NOW, Budget(STEPS))
    assert program.listed(Listing.of_resources(user, "read", "Doc"), *rest) == Listed(
        "Doc", (doc.id,), is_any_except=False
    )
    assert program.listed(Listing.of_actors("User", "read", doc), *rest) == Listed(
        "User", (user.id,), is_any_except=False
    )
    anyone = program.listed(Listing.of_actors("User", "edit", entity("Doc:d")), *rest)
    assert anyone == Listed("User", (), is_any_except=True)
    found = program.listed(Listing.of_actions(user, doc, DECLARED), *rest)
    assert {*found.values} == {string("read"), string("edit")}


def test_what_lists_need_is_built_only_when_they_are_asked_for():
    program = load(POLICY, Engine.COMPILED).program
    facts = snapshot('has_role(User:u, "viewer", Doc:d)')
    program.prepare(None)
    before = {*program.demand.names()}
    program.listed(Listing.of_resources(entity("User:u"), "read", "Doc"), facts, NOW, Budget(STEPS))
    assert {*program.demand.names()} > before


def test_lists_that_were_asked_for_are_ready_in_the_program_that_takes_over():
    old, new = (load(POLICY, Engine.COMPILED).program for _ in range(2))
    facts = snapshot('has_role(User:u, "viewer", Doc:d)')
    for program in (old, old):
        program.listed(
            Listing.of_actors("User", "edit", entity("Doc:d")), facts, NOW, Budget(STEPS)
        )
    new.prepare(old.asked)
    assert new.asked == old.asked
    there = pickle.loads(pickle.dumps(new))
    found = there.listed(
        Listing.of_actors("User", "edit", entity("Doc:d")), facts, NOW, Budget(STEPS)
    )
    assert found == Listed("User", ("u",), is_any_except=False)


class Resting(Budget):
    """Steps, and how often the work rested before it took the first one, and in all."""

    def __init__(self) -> None:
        super().__init__(STEPS)
        self.before = self.rests = 0
        self.each = self._each()

    def rest(self) -> None:
        self.rests += 1

    def _each(self):
        self.before = self.rests
        yield from range(STEPS)


@pytest.mark.parametrize("context", [[], [member(entity("User:u"), entity("Group:g"))]])
@pytest.mark.parametrize("action", ["read", "edit"])
def test_lists_rest_while_they_build_what_they_look_up(action, context):
    """So that questions go on meanwhile. The second list looks at once."""
    program = load(POLICY, Engine.COMPILED).program
    docs = several("Doc", 40_000)
    facts = FactSnapshot(viewer(entity("User:u"), doc) for doc in docs)
    budgets = Resting(), Resting()
    for budget in budgets:
        asked = facts.with_facts(context) if context else facts
        found = program.listed(
            Listing.of_resources(entity("User:u"), action, "Doc"), asked, NOW, budget
        )
        assert {*found.ids} == {doc.id for doc in docs}
    first, second = budgets
    assert first.before > 10 > second.before
    assert second.rests - second.before >= 4


def test_the_first_check_rests_likewise():
    program = load(POLICY, Engine.COMPILED).program
    facts = FactSnapshot(viewer(entity("User:u"), doc) for doc in several("Doc", 40_000))
    budget = Resting()
    assert program.permits(Question(entity("User:u"), "read", entity("Doc:7")), facts, NOW, budget)
    assert budget.rests > 10


def test_threads_list_at_once():
    program = load(POLICY, Engine.COMPILED).program
    facts = FactSnapshot([viewer(entity("User:u"), doc) for doc in several("Doc", 100)])

    def ask(number: int) -> int:
        action = "read" if number % 2 else "edit"
        asked = program.listed(
            Listing.of_resources(entity("User:u"), action, "Doc"), facts, NOW, Budget(STEPS)
        )
        return len(asked.values)

    with ThreadPoolExecutor(8) as pool:
        assert {*pool.map(ask, range(64))} == {100}


@pytest.mark.parametrize(
    "condition",
    ["not is_hidden(d)", "not not is_public(d)", 'not not d in [Doc{"menu"}, Folder{"plan"}]'],
)
def test_what_is_denied_twice_lists_only_the_type_that_was_asked_for(condition):
    """The numbers of other types' values are those of this type's, too: others would be listed."""
    policy = f"""
    actor User {{}}
    resource Folder {{ permissions = ["read"]; "read" if is_public(resource); }}
    resource Doc {{ permissions = ["read"]; "read" if is_owner(actor, resource); }}
    is_hidden(d: Doc) if not is_public(d);
    has_permission(_: User, "read", d: Doc) if {condition};
    """
    facts = snapshot(
        "is_owner(User:bob, Doc:secret)", "is_public(Doc:menu)", "is_public(Folder:plan)"
    )
    asked = Listing.of_resources(entity("User:ann"), "read", "Doc")
    found = load(policy, Engine.COMPILED).program.listed(asked, facts, NOW, Budget(STEPS))
    assert found == Listed("Doc", ("menu",), is_any_except=False)


@pytest.mark.parametrize(
    ("rules", "condition", "excepted"),
    [
        ('is_banned(User{"eve"}); is_banned(User{"max"});', "not is_banned(u)", ("eve", "max")),
        ('is_banned(u: User) if u = User{"eve"};', "not is_banned(u)", ("eve",)),
        ("same(u: User, u);", 'not same(u, User{"eve"})', ("eve",)),
        ("", 'not (u = User{"eve"} or u = User{"max"})', ("eve", "max")),
        ("", 'not not u != User{"eve"}', ("eve",)),
    ],
)
def test_who_equals_what_the_policy_denies_is_an_exception(rules, condition, excepted):
    policy = f"""
    actor User {{}}
    resource Doc {{ permissions = ["read"]; }}
    {rules}
    has_permission(u: User, "read", d: Doc) if is_public(d) and {condition};
    """
    asked = Listing.of_actors("User", "read", entity("Doc:menu"))
    facts = snapshot("is_public(Doc:menu)")
    found = load(policy, Engine.COMPILED).program.listed(asked, facts, NOW, Budget(STEPS))
    assert found._replace(ids=tuple(sorted(found.ids))) == Listed("User", excepted, True)
