"""The compiled engine beyond single decisions: cost, limits, threads, tracebacks, and hostile names.

What it decides is compared with the reference engine in `tests/property` and `tests/engine/compiler`.
"""

import traceback
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise, product
from operator import length_hint
from random import Random
from threading import Barrier

import pytest
from examples import NOW, entity, fact, load, permits, snapshot

from authz_service.engine.compiler.order import MAX_LOOPS
from authz_service.engine.compiler.plan import MAX_DEPTH
from authz_service.engine.compiler.tabling import Tables
from authz_service.engine.engines import Engine, LoadedPolicy, loader
from authz_service.engine.program import Budget, Listing, Question
from authz_service.errors import EngineUnsupported, EvaluationLimitReached
from authz_service.facts import view
from authz_service.facts.change import ChangeBatch
from authz_service.facts.fact import Fact
from authz_service.facts.policy_text import PolicyFile
from authz_service.facts.revision import Revision
from authz_service.facts.snapshot import FactSnapshot
from authz_service.facts.value import Value, string
from authz_service.polar.diagnostic import PolicyInvalid

STEPS = 20_000_000

BASE = """
actor User {}
resource Doc { permissions = ["read"]; }
declare edge(Doc, Doc);
declare start(User, Doc);
declare closed(Doc);
"""
READ = 'has_permission(u: User, "read", d: Doc) if start(u, x) and way(x, d);\n'
HERE = "way(x: Doc, x);\n"
EDGE = "way(x: Doc, y: Doc) if edge(x, y);\n"
RECURSION = {
    "right": EDGE + "way(x: Doc, y: Doc) if edge(x, z) and way(z, y);",
    "left": EDGE + "way(x: Doc, y: Doc) if way(x, z) and edge(z, y);",
    "both": EDGE + "way(x: Doc, y: Doc) if way(x, z) and way(z, y);",
    "mutual": EDGE
    + "way(x: Doc, y: Doc) if edge(x, z) and other(z, y);"
    + "other(x: Doc, y: Doc) if edge(x, y); other(x: Doc, y: Doc) if edge(x, z) and way(z, y);",
    "tested": EDGE + "way(x: Doc, y: Doc) if edge(x, z) and way(z, y) and not closed(y);",
}
LISTED = 'has_permission(u: User, "read", d: Doc) if start(u, x) and way(x, y) and y = z and mark(z, d);\n'
DENIED = 'has_permission(u: User, "read", d: Doc) if start(u, x) and not way(x, d);\n'
AGREED = {
    f"{name}, {use}": BASE + rules + "\n" + ask
    for (name, rules), (use, ask) in product(
        RECURSION.items(),
        {"checked": READ, "listed": LISTED + "declare mark(Doc, Doc);", "denied": DENIED}.items(),
    )
}
# What each form of recursion costs is linear in the length of a chain.
LINEAR = tuple(RECURSION)


def compiled(text: str) -> LoadedPolicy:
    return load(text, Engine.COMPILED)


def edges(*pairs: str) -> list[str]:
    return [f"edge(Doc:{one}, Doc:{other})" for one, other in pairs]


def chain(length: int) -> FactSnapshot:
    """Return the facts of a path from 0 to `length`, and a user who starts at 0."""
    links = (
        Fact("edge", (Value("Doc", str(number)), Value("Doc", str(number + 1))))
        for number in range(length)
    )
    return FactSnapshot(
        [fact("start(User:u, Doc:0)"), fact(f"mark(Doc:{length}, Doc:end)"), *links]
    )


def steps_for(loaded: LoadedPolicy, facts: FactSnapshot, question: str) -> tuple[bool, int]:
    """Return the answer and how many steps it took."""
    actor, action, resource = question.split()
    budget = Budget(STEPS)
    left = iter(budget.each)
    # What is spent shows, as the evaluation takes this iterator and no new one.
    budget.each = left  # type: ignore[assignment]
    answer = loaded.program.permits(
        Question(entity(actor), action, entity(resource)), facts, NOW, budget
    )
    return answer, STEPS - length_hint(left)


def everything(facts: Sequence[Fact] | FactSnapshot, actions: Sequence[str]) -> list[Question]:
    """Return the questions about all users and documents of `facts`, and unknown ones."""
    values = {value for fact in facts for value in fact.args} | {
        Value("User", "-"),
        Value("Doc", "-"),
    }
    users, docs = (sorted(v for v in values if v.type == name) for name in ("User", "Doc"))
    return [Question(*asked) for asked in product(users, actions, docs)]


def answers(loaded: LoadedPolicy, facts: FactSnapshot, asked: Sequence[Question]) -> list[bool]:
    return [loaded.program.permits(question, facts, NOW, Budget(STEPS)) for question in asked]


def modelled(text: str, facts: FactSnapshot, asked: Sequence[Question]) -> list[bool]:
    """Return what the reference engine says."""
    wanted = [question.as_fact() for question in asked]
    values = {value for fact in wanted for value in fact.args}
    model = load(text).program.model(facts, values, NOW, Budget(STEPS))
    return [fact in model for fact in wanted]


# Recursion over data

SHAPES = {
    "chain": edges("ab", "bc", "cd", "de"),
    "circle": edges("ab", "bc", "ca", "cd"),
    "own circle": edges("aa", "ab", "bb"),
    "diamonds": edges("ab", "ac", "bd", "cd", "de", "df", "eg", "fg"),
    "two parts": edges("ab", "cd", "dc"),
}
ABOUT = [
    "start(User:u, Doc:a)",
    "start(User:v, Doc:c)",
    "closed(Doc:d)",
    "mark(Doc:d, Doc:b)",
    "mark(Doc:b, Doc:b)",
]


@pytest.mark.parametrize("policy", AGREED)
@pytest.mark.parametrize("shape", SHAPES)
def test_recursion_means_what_the_reference_says(policy, shape):
    facts = snapshot(*SHAPES[shape], *ABOUT)
    asked = everything(facts, ["read"])
    expected = modelled(AGREED[policy], facts, asked)
    assert answers(compiled(AGREED[policy]), facts, asked) == expected


@pytest.mark.parametrize("name", LINEAR)
@pytest.mark.parametrize("use", ["checked", "listed", "denied"])
def test_recursion_costs_what_it_visits(name, use, monkeypatch):
    # No walk is taken before the question.
    monkeypatch.setattr(view, "FEW_STARTS", 0)
    loaded = compiled(AGREED[f"{name}, {use}"])
    end = "Doc:end" if use == "listed" else None
    costs = []
    for length in (300, 1200):
        answer, steps = steps_for(loaded, chain(length), f"User:u read {end or f'Doc:{length}'}")
        assert answer is (use != "denied")
        costs.append(steps)
    assert costs[0] > 300
    assert costs[1] <= 4.5 * costs[0]


@pytest.mark.parametrize(
    ("name", "length"), [("right", 100_000), ("mutual", 30_000), ("left", 30_000)]
)
def test_recursion_is_as_deep_as_the_data(name, length):
    loaded = compiled(AGREED[f"{name}, checked"])
    facts = chain(length)
    assert permits(loaded, facts, f"User:u read Doc:{length}", STEPS)
    assert not permits(loaded, facts, "User:u read Doc:end", STEPS)


# Recursion through two derived atoms

GROUPS_IN_GROUPS = """
actor User {}
actor Group {
  roles = ["member"]; relations = { sub: Group };
  "member" if "member" on "sub";
}
"""
FOLDERS_IN_FOLDERS = """
resource Folder {
  roles = ["reader", "writer"]; permissions = ["write"]; relations = { parent: Folder };
  "reader" if "writer"; "write" if "writer"; role if role on "parent";
}
"""
OF_MEMBERS = """
  has_role(u, "member", g) and g matches Group and has_role(g, role, r) and role matches String;
"""
NESTED = {
    "any resource": GROUPS_IN_GROUPS
    + FOLDERS_IN_FOLDERS
    + f"has_role(u: User, role: String, r: Resource) if {OF_MEMBERS}",
    "folders": GROUPS_IN_GROUPS
    + FOLDERS_IN_FOLDERS
    + f"has_role(u: User, role: String, r: Folder) if {OF_MEMBERS}",
    "no way of its own": GROUPS_IN_GROUPS
    + """
    resource Folder { roles = ["writer"]; permissions = ["write"]; relations = { parent: Folder }; }
    writes(g: Group, f: Folder) if has_role(g, "writer", f);
    writes(g: Group, f: Folder) if has_relation(f, "parent", p) and writes(g, p);
    has_permission(u: User, "write", f: Folder) if has_role(u, "member", g) and writes(g, f);
    """,
}


def nested(size: int) -> FactSnapshot:
    """Return groups in a circle and a chain of folders: one group is a writer of the sixth, one has a member.

    Each group is a writer of a folder elsewhere, and each folder has a writer that is a group elsewhere.
    """
    folders = [Value("Folder", str(number)) for number in range(size + 1)]
    groups = [Value("Group", str(number)) for number in range(size)]
    return FactSnapshot(
        [
            fact('has_role(User:u, "member", Group:7)'),
            fact('has_role(Group:3, "writer", Folder:5)'),
            *(
                Fact("has_relation", (one, string("parent"), other))
                for one, other in pairwise(folders)
            ),
            *(
                Fact("has_relation", (one, string("sub"), other))
                for one, other in pairwise([*groups, groups[0]])
            ),
            *(fact(f'has_role(Group:{n}, "writer", Folder:-{n})') for n in range(size)),
            *(fact(f'has_role(Group:-{n}, "writer", Folder:{n})') for n in range(size)),
        ]
    )


@pytest.mark.parametrize("name", NESTED)
@pytest.mark.parametrize(
    ("question", "expected"),
    [
        ("User:u write Folder:0", True),
        ("User:u write Folder:5", True),
        ("User:u write Folder:6", False),
        ("User:nobody write Folder:0", False),
        ("User:u write Folder:nowhere", False),
    ],
)
def test_walks_in_walks_cost_what_there_is(name, question, expected):
    loaded = compiled(NESTED[name])
    costs = []
    for size in (100, 200, 400, 800):
        answer, steps = steps_for(loaded, nested(size), question)
        assert answer is expected
        costs.append(steps)
    # There are six facts for each group; what one walk has tried the next one need not.
    assert all(steps <= 6 * size for size, steps in zip((100, 200, 400, 800), costs, strict=True))


@pytest.mark.parametrize("name", NESTED)
def test_lists_of_walks_in_walks_cost_what_there_is(name):
    program = compiled(NESTED[name]).program
    for size in (100, 200, 400, 800):
        facts, budget = nested(size), Budget(9 * size)
        writers = program.listed(
            Listing.of_actors("User", "write", entity("Folder:0")), facts, NOW, budget
        )
        folders = program.listed(
            Listing.of_resources(entity("User:u"), "write", "Folder"), facts, NOW, budget
        )
        assert writers.values == (entity("User:u"),)
        assert len(folders.values) == 6 + size


def test_a_role_through_1000_parents():
    loaded = compiled(
        'actor User {} resource Doc { roles = ["viewer"]; permissions = ["read"]; '
        'relations = { parent: Doc }; role if role on "parent"; "read" if "viewer"; }'
    )
    parents = (f'has_relation(Doc:{n}, "parent", Doc:{n + 1})' for n in range(1000))
    facts = snapshot(*parents, 'has_role(User:u, "viewer", Doc:1000)')
    assert permits(loaded, facts, "User:u read Doc:0")
    assert not permits(loaded, facts, "User:v read Doc:0")


def test_few_walks_are_taken_ahead_of_the_questions_that_need_them(monkeypatch):
    loaded = compiled(
        'actor User {} resource Doc { roles = ["viewer"]; permissions = ["read"]; '
        'relations = { parent: Doc }; role if role on "parent"; "read" if "viewer"; }'
    )
    parents = (f'has_relation(Doc:{n}, "parent", Doc:{n + 1})' for n in range(100))
    facts = snapshot(*parents, 'has_role(User:u, "viewer", Doc:100)')
    question = "User:u read Doc:0"
    assert permits(loaded, facts, "User:u read Doc:100")
    few = steps_for(loaded, facts, question)
    monkeypatch.setattr(view, "FEW_STARTS", 100)
    facts = FactSnapshot(facts)
    assert permits(loaded, facts, "User:u read Doc:100")
    many = steps_for(loaded, facts, question)
    assert few[0]
    assert many[0]
    assert few[1] + 100 <= many[1]
    # What is behind a value changes with the facts, as ever.
    above = facts.changed({fact('has_relation(Doc:100, "parent", Doc:top)'): True})
    assert permits(
        loaded,
        above.changed({fact('has_role(User:v, "viewer", Doc:top)'): True}),
        "User:v read Doc:0",
    )


PARENTS = (
    'actor User {} resource Doc { roles = ["viewer"]; permissions = ["read"]; '
    'relations = { parent: Doc }; role if role on "parent"; "read" if "viewer"; }'
)


def chains(length: int, number: int) -> FactSnapshot:
    """Return facts about so many chains of documents, the user a viewer of the last one of each."""
    facts = []
    for name in range(number):
        facts += [
            fact(f'has_relation(Doc:{name}_{n}, "parent", Doc:{name}_{n + 1})')
            for n in range(length)
        ]
        facts.append(fact(f'has_role(User:u, "viewer", Doc:{name}_{length})'))
    return FactSnapshot(facts)


def test_walks_are_taken_where_indexes_are_built_and_kept_by_a_merge():
    loaded = compiled(PARENTS)
    loaded.program.prepare(None)
    few, reached = 10, 100
    prepared = chains(reached, 2).prepared(loaded.program.demand)
    merged = prepared.changed({fact('has_role(User:v, "viewer", Doc:1_50)'): True}).merged()
    for facts in (prepared, merged):
        # The first question of its kind, and another one.
        for question in ("User:u read Doc:0_0", "User:u read Doc:1_0"):
            found, steps = steps_for(loaded, facts, question)
            assert found
            assert steps < few
    assert permits(loaded, merged, "User:v read Doc:1_0")
    cut = merged.changed({fact('has_relation(Doc:1_10, "parent", Doc:1_11)'): False})
    assert not permits(loaded, cut, "User:v read Doc:1_0")
    assert steps_for(loaded, cut, "User:u read Doc:0_0")[1] > reached


def test_walks_from_many_values_are_taken_beside_the_questions(monkeypatch):
    monkeypatch.setattr(view, "FEW_STARTS", 100)
    loaded = compiled(PARENTS)
    loaded.program.prepare(None)
    demand = loaded.program.demand
    facts = chains(100, 2).prepared(demand)
    assert steps_for(loaded, facts, "User:u read Doc:0_0")[1] > 100
    later = facts.changed({fact('has_role(User:v, "viewer", Doc:1_50)'): True})
    assert sum(1 for _ in facts.walking(demand)) > 1
    # The facts that walks pass are the same later on, and with context facts about others.
    with_context = later.with_facts([fact('has_role(User:w, "viewer", Doc:1_60)')])
    for snapshot_, user in ((facts, "u"), (later, "v"), (with_context, "w")):
        found, steps = steps_for(loaded, snapshot_, f"User:{user} read Doc:1_0")
        assert found
        assert steps < 10
    elsewhere = later.with_facts([fact('has_relation(Doc:1_0, "parent", Doc:0_0)')])
    assert steps_for(loaded, elsewhere, "User:u read Doc:1_0")[1] > 100


def test_walks_taken_ahead_are_bounded(monkeypatch):
    """One that is long is left to its question, and none is taken when nothing more would be kept."""
    loaded = compiled(PARENTS)
    loaded.program.prepare(None)
    demand = loaded.program.demand
    monkeypatch.setattr(view, "_STEPS_OF_START", 100)
    long_ = chains(110, 1).prepared(demand)
    assert permits(loaded, long_, "User:u read Doc:0_110")
    assert steps_for(loaded, long_, "User:u read Doc:0_50")[1] < 10
    assert steps_for(loaded, long_, "User:u read Doc:0_0")[1] > 100
    monkeypatch.setattr(view, "_MOST_REACHED", 1000)
    full = chains(3, 300).prepared(demand)
    [name] = demand.reaches
    kept = getattr(full.view(demand), name)
    assert not kept.has_room
    assert kept.get(full.view(demand).ids.find(entity("Doc:0_0"))) is not None
    assert steps_for(loaded, full, "User:u read Doc:299_0")[1] > 3


def test_walks_are_taken_ahead_in_small_parts():
    loaded = compiled(PARENTS)
    loaded.program.prepare(None)
    demand = loaded.program.demand
    few, many = (sum(1 for _ in chains(100, n).walking(demand)) for n in (1, 20))
    assert many > few + 20


# The work budget


def test_what_is_behind_a_value_of_the_question_is_found_once():
    """Whoever is in more groups than a view keeps for one value is not looked for there at each owner."""
    loaded = compiled(
        """
        actor User {} actor Group {}
        resource Org { roles = ["admin"]; }
        resource Doc {
          permissions = ["read"]; relations = { folder: Doc, owner: Org };
          "read" if "admin" on "owner"; "read" if "read" on "folder";
        }
        has_role(member: Actor, "admin", org: Org) if in_group(member, group) and has_role(group, "admin", org);
        """
    )
    groups = [fact("in_group(User:u, Group:0)")]
    groups += [fact(f"in_group(Group:{n}, Group:{n + 1})") for n in range(15_000)]
    owners = [fact(f'has_relation(Doc:d, "owner", Org:{n})') for n in range(100)]
    roles = [fact(f'has_role(Group:other, "admin", Org:{n})') for n in range(100)]
    facts = FactSnapshot([*groups, *owners, *roles])
    for _ in range(2):
        found, steps = steps_for(loaded, facts, "User:u read Doc:d")
        assert not found
        assert steps < 100_000


@pytest.mark.parametrize("policy", AGREED)
def test_a_question_is_answered_rightly_or_not_at_all(policy):
    facts = snapshot(*SHAPES["circle"], *ABOUT)
    asked = everything(facts, ["read"])
    expected = modelled(AGREED[policy], facts, asked)
    for steps in range(40):
        # A new program and new facts: nothing was found out before.
        loaded, fresh = compiled(AGREED[policy]), FactSnapshot(facts)
        for question, answer in zip(asked, expected, strict=True):
            try:
                found = loaded.program.permits(question, fresh, NOW, Budget(steps))
            except EvaluationLimitReached:
                continue
            assert found is answer


def test_a_runaway_question_reaches_the_limit():
    loaded = compiled(AGREED["both, checked"])
    with pytest.raises(EvaluationLimitReached, match="more than 1000 steps"):
        permits(loaded, chain(5000), "User:u read Doc:5000", steps=1000)
    assert permits(loaded, chain(10), "User:u read Doc:10", steps=1000)


LOOPED = """actor User {}
resource Doc { permissions = ["read"]; }
declare edge(Doc, Doc);
declare hub(Doc, Doc);
declare start(User, Doc);
way(x: Doc, y: Doc) if edge(x, y);
way(x: Doc, y: Doc) if hub(x, z) and hub(z, h) and way(h, v) and way(v, y);
way(x: Doc, y: Doc) if way(x, z) and way(z, y);
declare last(User, Doc, Doc);
has_permission(u: User, "read", d: Doc) if start(u, s) and way(s, y) and y = z and last(u, z, d);
"""


def test_what_is_planned_costs_steps_before_it_is_done(monkeypatch):
    made: list[Tables] = []

    def noted(self: Tables, *args: object) -> None:
        made.append(self)
        begin(self, *args)  # type: ignore[arg-type]

    begin = Tables.__init__
    monkeypatch.setattr(Tables, "__init__", noted)
    # Each of many calls of one table gets each of its many answers.
    facts = snapshot(
        "start(User:u, Doc:x)",
        "last(User:u, Doc:q, Doc:x)",
        "edge(Doc:zz, Doc:q)",
        *(f"edge(Doc:h, Doc:a{number})" for number in range(60)),
        *(f"hub(Doc:x, Doc:z{number})" for number in range(60)),
        *(f"hub(Doc:z{number}, Doc:h)" for number in range(60)),
    )
    with pytest.raises(EvaluationLimitReached):
        permits(compiled(LOOPED), facts, "User:u read Doc:x", steps=900)
    assert 0 < max(len(tables._agenda) for tables in made) <= 900


def test_no_steps_are_enough_for_what_needs_none():
    loaded = compiled(
        'actor User {} resource Doc { permissions = ["read"]; } has_permission(_: User, "read", _: Doc);'
    )
    assert permits(loaded, snapshot(), "User:u read Doc:d", steps=0)


# One question says nothing false to the next

NOTED = (
    BASE
    + RECURSION["right"]
    + """
seen(x: Doc, y: Doc) if edge(x, y) and not closed(x);
seen(x: Doc, y: Doc) if edge(x, z) and seen(z, y);
has_permission(u: User, "read", d: Doc) if start(u, x) and seen(x, d);
"""
    + READ
)
# A walk that may go on to where it should end is another one for each end.
TURNED = NOTED + "way(x: Doc, y: Doc) if closed(x) and way(y, y);\n"
both_policies = pytest.mark.parametrize("text", [NOTED, TURNED], ids=["noted", "turned"])
CHANGES = [
    fact(text)
    for text in (
        *edges("ab", "bc", "cd", "de", "ea", "bf", "ff", "gh"),
        *(f"start(User:{user}, Doc:{doc})" for user, doc in ("ua", "vc", "wg", "xn")),
        *(f"closed(Doc:{doc})" for doc in "adfn"),
    )
]


def derived(
    random: Random, facts: FactSnapshot, revision: int, changes: Sequence[Fact] = CHANGES
) -> FactSnapshot:
    """Return a snapshot that comes of `facts` in one of the ways that there are."""
    some = random.sample(changes, random.randint(1, 4))
    match random.randrange(5):
        case 0:
            inserted = frozenset(f for f in some if f not in facts)
            deleted = frozenset(f for f in some if f in facts)
            return facts.after(ChangeBatch(Revision(revision), "default", inserted, deleted))
        case 1:
            return facts.changed({f: random.random() < 0.5 for f in some})
        case 2:
            return facts.with_facts(some)
        case 3:
            return facts.merged()
        case _:
            return facts


@both_policies
@pytest.mark.parametrize("seed", range(4))
def test_questions_in_any_order_on_any_snapshot(text, seed):
    random = Random(seed)
    loaded = compiled(text)
    snapshots = [FactSnapshot(random.sample(CHANGES, 9))]
    asked = everything(CHANGES, ["read"])
    for revision in range(1, 25):
        before = random.choice(snapshots)
        snapshots.append(derived(random, before, revision))
        for facts in (before, snapshots[-1]):
            some = random.sample(asked, 12)
            assert answers(loaded, facts, some) == modelled(text, facts, some)


@pytest.mark.parametrize("seed", range(8))
def test_who_has_several_roles_has_one_while_any_is_left(seed):
    text = """
    actor User {}
    resource Doc {
      permissions = ["read", "write"]; roles = ["a", "b", "c"];
      "read" if "a"; "read" if "b"; "read" if "c"; "write" if "b"; "write" if "c";
    }
    """
    random = Random(seed)
    loaded = compiled(text)
    parts = product(("User:u", "User:v", "Doc:d"), ("a", "b", "c", "no"), ("Doc:d", "Doc:e"))
    roles = [fact(f'has_role({user}, "{role}", {doc})') for user, role, doc in parts]
    snapshots = [FactSnapshot(random.sample(roles, 9))]
    asked = everything(roles, ["read", "write"])
    for revision in range(1, 40):
        before = random.choice(snapshots[-3:])
        snapshots.append(derived(random, before, revision, roles))
        for facts in (before, snapshots[-1]):
            some = random.sample(asked, 12)
            assert answers(loaded, facts, some) == modelled(text, facts, some)


@both_policies
def test_a_budget_for_several_questions(text):
    loaded = compiled(text)
    budget = Budget(STEPS)
    few = FactSnapshot(CHANGES[3:])
    facts = [few, few.changed(dict.fromkeys(CHANGES, True)), few.with_facts(CHANGES[1:])]
    asked = everything(CHANGES, ["read"])
    found = [
        [loaded.program.permits(question, some, NOW, budget) for question in asked]
        for some in facts
    ]
    assert found == [modelled(text, some, asked) for some in facts]


def test_context_facts_about_values_of_their_own():
    loaded = compiled(NOTED)
    stored = snapshot(*edges("ab"))
    for new, other in (("new", "else"), ("else", "new"), ("third", "new")):
        context = stored.with_facts(
            [fact(f"start(User:{new}, Doc:{new})"), fact(f"edge(Doc:{new}, Doc:a)")]
        )
        assert permits(loaded, context, f"User:{new} read Doc:b")
        assert not permits(loaded, context, f"User:{other} read Doc:b")
        assert not permits(loaded, context, f"User:{new} read Doc:{other}")


def test_actor_and_resource_that_no_fact_knows():
    loaded = compiled(
        'actor User { permissions = ["be", "see"]; } actor Bot { permissions = ["be"]; }\n'
        'has_permission(u: User, "be", u); has_permission(b: Bot, "be", c: Bot) if b = c;\n'
        'has_permission(u: User, "see", v: User) if u != v;'
    )
    facts = snapshot()
    assert permits(loaded, facts, "User:x be User:x")
    assert not permits(loaded, facts, "User:x be User:y")
    assert permits(loaded, facts, "User:x see User:y")
    assert not permits(loaded, facts, "User:x see User:x")
    assert permits(loaded, facts, "Bot:x be Bot:x")
    assert not permits(loaded, facts, "Bot:x be Bot:y")


# Threads


@both_policies
def test_threads_ask_the_same_program_at_once(text):
    asked = everything(CHANGES, ["read"])
    for seed in range(4):
        # First uses of kinds and of paths included.
        loaded, facts = compiled(text), FactSnapshot(CHANGES)
        begin = Barrier(4)

        def ask(
            number: int, loaded=loaded, facts=facts, begin=begin, seed=seed
        ) -> dict[Question, bool]:
            mine = Random(10 * seed + number).sample(asked, len(asked))
            context = facts.with_facts([CHANGES[number]]) if number % 2 else facts
            begin.wait()
            return dict(zip(mine, answers(loaded, context, mine), strict=True))

        with ThreadPoolExecutor(4) as pool:
            found = list(pool.map(ask, range(4)))
        expected = dict(zip(asked, modelled(text, facts, asked), strict=True))
        assert all(answered == expected for answered in found)


# Large rules


def layers(number: int) -> str:
    """Return a policy in which so many relations ask for each other, none of which can be unfolded."""
    rules = [
        f"p{n}(x: Doc, y: Doc) if edge(x, y) and edge(y, x); "
        f"p{n}(x: Doc, y: Doc) if p{n - 1}(x, z) and edge(z, y);"
        for n in range(1, number)
    ]
    asked = f'has_permission(u: User, "read", d: Doc) if start(u, x) and p{number - 1}(x, d);'
    return "\n".join([BASE, "p0(x: Doc, y: Doc) if edge(x, y);", *rules, asked])


def test_rules_can_be_many_layers_deep():
    loaded = compiled(layers(MAX_DEPTH - 10))
    facts = snapshot(*edges("ab", "ba"), "start(User:u, Doc:a)")
    assert permits(loaded, facts, "User:u read Doc:b")
    assert not permits(loaded, facts, "User:u read Doc:c")


def test_too_many_layers_are_left_to_the_reference_engine():
    loaded = compiled(layers(MAX_DEPTH + 10))
    facts = snapshot(*edges("ab", "ba"), "start(User:u, Doc:a)")
    assert permits(loaded, facts, "User:u read Doc:b")
    assert not permits(loaded, facts, "User:u read Doc:c")
    [kind] = loaded.program.uncompiled
    with pytest.raises(EngineUnsupported, match=f"more than {MAX_DEPTH} levels deep"):
        loaded.program.source(kind)


@pytest.mark.parametrize("loops", [MAX_LOOPS - 1, MAX_LOOPS, MAX_LOOPS + 1, 30, 40])
def test_rules_with_many_loops(loops):
    way = " and ".join(f"edge(x{n}, x{n + 1})" for n in range(loops))
    end = f'not closed(x{loops}) and x{loops // 2} != Doc{{"c"}} and d = x{loops}'
    text = BASE + f'has_permission(u: User, "read", d: Doc) if start(u, x0) and {way} and {end};'
    # Odd steps lead from a to b, even ones back.
    facts = snapshot(
        *edges("ab", "ba"), "start(User:u, Doc:a)", "start(User:v, Doc:b)", "closed(Doc:c)"
    )
    loaded = compiled(text)
    here, there = ("a", "b") if loops % 2 == 0 else ("b", "a")
    assert permits(loaded, facts, f"User:u read Doc:{here}")
    assert not permits(loaded, facts, f"User:u read Doc:{there}")
    assert permits(loaded, facts, f"User:v read Doc:{there}")


# Tracebacks


def test_a_traceback_shows_the_generated_line():
    loaded = compiled(BASE + READ + EDGE)
    facts = snapshot(*edges("ab"), "start(User:u, Doc:a)")
    assert permits(loaded, facts, "User:u read Doc:b")
    view = facts.view(loaded.program.demand)

    def broken(*_):
        raise OSError("the facts are gone")

    for name in view.built():
        view.__dict__[name] = broken
    with pytest.raises(OSError, match="gone") as raised:
        permits(loaded, facts, "User:u read Doc:b")
    shown = "".join(traceback.format_exception(raised.value))
    assert 'compiled policy, allow(User, "read", Doc)' in shown
    assert "(actor, ())" in shown or "(resource, ())" in shown


# Hostile names

NAMES = [
    "facts", "run", "found", "tried", "todo", "table", "tables", "saved", "answer", "known", "start",
    "members", "value", "is_whole", "meet", "INTEGERS", "TYPE_SHIFT", "None_", "for_", "set", "dict", "any",
    "print", "exec", "x__2", "x_2", "value_0", "edge_by_1", "tables_of", "forget", "tried_of", "self", "lambda",
    "class", "while", "None", "True_", "match", "ﬁ", "fi", "ª", "a", "K", "ſ", "é", "e\u0301",
    "__import__", "__builtins__", "__debug__", "_", "A" * 80,
]  # fmt: skip


def usable(names: Sequence[str]) -> list[str]:
    """Return those that can be names of variables in a policy."""
    found = []
    for name in names:
        try:
            load(
                f'actor User {{}} resource Doc {{ permissions = ["read"]; }} declare p(User, Doc); has_permission({name}: User, "read", d: Doc) if p({name}, d);'
            )
        except PolicyInvalid:  # nobody can write it
            continue
        found.append(name)
    return [name for name in found if name != "_"]


def test_hostile_names_of_variables():
    names = usable(NAMES)
    assert len(names) > 30
    lines = [BASE]
    for one, other in zip(names, names[1:] + names[:1], strict=True):
        lines.append(
            f'has_permission({one}: User, "read", {other}: Doc) if start({one}, q) and edge(q, {other}) and not closed({other});'
        )
        lines.append(
            f"way({one}: Doc, {other}: Doc) if edge({one}, q) and way(q, {other}) and not edge(q, q);"
        )
    text = "\n".join([*lines, EDGE, READ])
    facts = snapshot(*SHAPES["diamonds"], *ABOUT)
    asked = everything(facts, ["read"])
    assert answers(compiled(text), facts, asked) == modelled(text, facts, asked)


@pytest.mark.parametrize("name", usable(NAMES))
def test_each_hostile_name_alone(name):
    others = [other for other in ("x", "y", "z") if other != name]
    text = (
        BASE
        + f"""
way({name}: Doc, y: Doc) if edge({name}, y);
way(x: Doc, {name}: Doc) if edge(x, {others[1]}) and way({others[1]}, {name}) and not way2({name}, {name});
way2({others[0]}: Doc, {others[1]}: Doc) if way2({others[0]}, {name}) and way2({name}, {others[1]});
way2(x: Doc, y: Doc) if edge(x, y);
has_permission({name}: User, "read", d: Doc) if start({name}, x) and way(x, d);
"""
    )
    facts = snapshot(*SHAPES["circle"], *edges("dd"), *ABOUT)
    asked = everything(facts, ["read"])
    assert answers(compiled(text), facts, asked) == modelled(text, facts, asked)


PREDICATES = [
    "ids", "ready", "built", "complete", "after", "merged", "with_facts", "literal_a", "types_Doc",
    "reached_way_doc_doc", "meet", "facts", "set", "max", "for_", "edge_by_1", "edge_by_2", "ﬁ", "fi", "é",
    "_demand", "_source", "__dict__", "__class__", "a__2", "a", "x" * 70, "x" * 80,
]  # fmt: skip


@pytest.mark.parametrize("name", PREDICATES)
def test_hostile_names_of_predicates(name):
    text = (
        BASE
        + READ.replace(";", f" and not {name}(_) and not {name}(_, d);")
        + EDGE
        + f"""
declare {name}(Doc);
declare {name}(Doc, Doc);
way(x: Doc, y: Doc) if edge(x, z) and way(z, y) and {name}(y, _);
has_permission(u: User, "read", d: Doc) if start(u, d) and {name}(d) and not {name}(d, d) and {name}_3(d, d, d);
{name}_3(x: Doc, y: Doc, z: Doc) if {name}(x) and not {name}(y, z) and edge(x, x);
"""
    )
    try:
        loaded = compiled(text)
    except PolicyInvalid:  # nobody can write it
        assert name.startswith("_")
        return
    more = [f"{name}(Doc:{doc})" for doc in "ad"] + [
        f"{name}(Doc:a, Doc:d)",
        f"{name}(Doc:d, Doc:b)",
    ]
    for others in ([], more[:2], more[2:], more):
        facts = FactSnapshot(
            [fact(line) for line in (*SHAPES["circle"], *edges("aa", "dd"), *ABOUT)]
            + [_fact_about(name, line) for line in others]
        )
        asked = everything(facts, ["read"])
        assert answers(loaded, facts, asked) == modelled(text, facts, asked)


def _fact_about(name: str, line: str) -> Fact:
    return fact(line.replace(name, "p", 1))._replace(predicate=name)


HOSTILE = [
    'a"b',
    "a'b",
    "a\\",
    'x"):\n  raise',
    "#",
    "{facts}",
    "%s",
    "ﬁ",
    "fi",
    "🙂",
    "a\u2028b",
    '"""',
    "\u202e",
]


def polar_string(text: str) -> str:
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n") + '"'


@pytest.mark.parametrize("text", [name for name in HOSTILE if "\n" not in name])
def test_hostile_literals_roles_and_actions(text):
    quoted, action = polar_string(text), polar_string(f"{text}!")
    policy = f"""
actor User {{}}
resource Doc {{ roles = ["plain", {quoted}]; permissions = ["read", {action}]; relations = {{ up: Doc }};
  {quoted} if {quoted} on "up"; "read" if {quoted}; }}
declare named(Doc, String);
has_permission(u: User, {action}, Doc{{{quoted}}}) if has_role(u, "plain", Doc{{{quoted}}});
has_permission(User{{{quoted}}}, "read", d: Doc) if named(d, x) and x in ["plain", {quoted}] and x != "plain";
"""
    doc = Value("Doc", text)
    facts = FactSnapshot(
        [
            Fact("has_role", (Value("User", "u"), Value("String", text), Value("Doc", "a"))),
            Fact("has_role", (Value("User", "v"), Value("String", "plain"), doc)),
            Fact("has_relation", (Value("Doc", "b"), Value("String", "up"), Value("Doc", "a"))),
            Fact("named", (Value("Doc", "c"), Value("String", text))),
            Fact("named", (Value("Doc", "d"), Value("String", "plain"))),
        ]
    )
    asked = [
        Question(Value("User", one), action, Value("Doc", other))
        for one, action, other in product(
            ("u", "v", text), ("read", f"{text}!"), ("a", "b", "c", "d", text)
        )
    ]
    assert answers(compiled(policy), facts, asked) == modelled(policy, facts, asked)
    assert any(answers(compiled(policy), facts, asked))


def test_file_names_do_not_become_code():
    text = BASE + EDGE + READ
    for name in (
        "a\nraise SystemExit",
        'x"""\n',
        "\u2028import os",
        "(x)",
        "a\r\nb",
        "# coding: utf-7",
    ):
        loaded = loader(Engine.COMPILED)([PolicyFile(name, text)])
        facts = snapshot(*edges("ab"), "start(User:u, Doc:a)")
        assert permits(loaded, facts, "User:u read Doc:b")
