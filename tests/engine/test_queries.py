"""Queries of the engines: golden cases, what rows say and cannot say, and what is kept of them."""

import pickle

import authz
import pytest
from examples import NOW, STEPS, fact, load, snapshot

from authz_service.engine.engines import Engine
from authz_service.engine.program import Budget, Limit, Query
from authz_service.engine.queries.compiled import MAX_SHAPES
from authz_service.engine.queries.names import ASKED
from authz_service.errors import (
    EngineUnsupported,
    EvaluationLimitReached,
    UnknownAction,
    UnusableCondition,
    VariableUnlimited,
)
from authz_service.facts.snapshot import FactSnapshot
from authz_service.facts.value import Value
from authz_service.polar.goals import Atom, Variable

POLICY = """
actor User {}
actor Bot {}
resource Org { roles = ["owner", "member"]; permissions = ["read"]; "member" if "owner"; "read" if "member"; }
resource Repo {
  roles = ["reader", "writer"]; permissions = ["read", "push"]; relations = { organization: Org, parent: Repo };
  "reader" if "writer"; "read" if "reader"; "push" if "writer";
  "writer" if "owner" on "organization";
  "reader" if "reader" on "parent";
  "read" if is_public(resource);
}
resource Note { permissions = ["see"]; }
resource Site { permissions = ["see"]; }
has_permission(_: User, "see", _: Site);
has_permission(user: User, "see", note: Note) if is_known(user) and not is_hidden(note);
same(a: User, b: User) if a = b;
others(a: User, b: User) if a != b;
big(_: User, n: Integer) if n > 3;
level(user: User, n: Integer) if has_level(user, n) and n > 3;
flag(_: User, b: Boolean) if b != false;
either(user: User, x: Resource) if (x matches Site) or (x matches Note and is_known(user));
fresh(user: User) if until(user, t) and @current_unix_time < t;
declare is_known(User);
"""
FACTS = (
    'has_role(User:alice, "owner", Org:acme)',
    'has_role(User:bob, "member", Org:acme)',
    'has_relation(Repo:r1, "organization", Org:acme)',
    'has_relation(Repo:r2, "parent", Repo:r1)',
    'has_relation(Repo:r1, "parent", Repo:r2)',
    'has_role(User:bob, "reader", Repo:r2)',
    "is_public(Repo:r3)",
    "is_known(User:alice)",
    "has_level(User:alice, 5)",
    "has_level(User:bob, 2)",
    f"until(User:alice, {NOW})",
    f"until(User:bob, {NOW + 1})",
)
LOADED = {engine: load(POLICY, engine) for engine in (Engine.REFERENCE, Engine.COMPILED)}
SNAPSHOTS = {
    "stored": snapshot(*FACTS),
    "context": FactSnapshot().with_facts(map(fact, FACTS)),
    "both": snapshot(*FACTS[::2]).with_facts(map(fact, FACTS[1::2])),
    "changed": snapshot(*FACTS[::2], "is_public(Repo:r9)").changed(
        {**dict.fromkeys(map(fact, FACTS), True), fact("is_public(Repo:r9)"): False}
    ),
}


def query(text: str, *columns: str) -> Query:
    conditions = []
    limits: dict[Variable, Limit] = {}
    named: dict[Variable, None] = {}
    for one in authz.parse_query(text):
        if isinstance(one, authz.Among):
            values = tuple(map(value, one.values))
            name = Variable(one.name)
            limits[name] = limits.get(name, Limit())._replace(values=values)
            continue
        args = []
        for number, arg in enumerate(one.args):
            match arg:
                case authz.Var(name, kind):
                    args.append(Variable(name))
                    named[Variable(name)] = None
                    if kind:
                        limits[Variable(name)] = Limit(kind)
                case authz.AnyOf():
                    args.append(Variable(f"_ {len(conditions)}.{number}"))
                case _:
                    args.append(value(arg))
        conditions.append(Atom(one.predicate, tuple(args), ASKED))
    wanted = tuple(map(Variable, columns)) if columns else tuple(named)
    return Query(tuple(conditions), wanted, limits)


def value(arg) -> Value:
    return fact(authz.Fact("p", arg)).args[0]


def shown(row) -> str:
    return " ".join(str(c) if isinstance(c, Value) else f"any {c.type}" for c in row)


def ask(engine: Engine, asked: Query, facts=SNAPSHOTS["stored"], steps: int = STEPS) -> list[str]:
    rows = LOADED[engine].program.query(asked, facts, NOW, Budget(steps))
    return sorted(map(shown, rows))


engines = pytest.mark.parametrize("engine", LOADED)

CASES = [
    ("has_role(User:alice, ?role, Org:?org)", ['"member" Org:acme', '"owner" Org:acme']),
    ('has_role(?who, "member", ?org)', ["User:alice Org:acme", "User:bob Org:acme"]),
    (
        'has_role(User:bob, ?role, ?org) and has_relation(?repo, "organization", ?org)',
        ['"member" Org:acme Repo:r1'],
    ),
    (
        'has_permission(?who, "read", Repo:?repo)',
        [
            "User:alice Repo:r1",
            "User:alice Repo:r2",
            "User:bob Repo:r1",
            "User:bob Repo:r2",
            "any Bot Repo:r3",
            "any User Repo:r3",
        ],
    ),
    ('has_permission(User:new, "read", ?repo)', ["Repo:r3"]),
    ("allow(User:bob, ?action, Repo:r1)", ['"read"']),
    ('has_permission(?who, "see", Site:?site)', ["any User any Site"]),
    ('has_permission(?who, "see", Note:?note)', ["User:alice any Note"]),
    ("same(?a, ?a)", ["any User"]),
    ("same(?a, User:x)", ["User:x"]),
    ("same(?a, ?b) and ?b in [User:x, User:y]", ["User:x User:x", "User:y User:y"]),
    ("others(?a, ?a)", []),
    ("others(?a, ?b) and ?a in [User:x] and ?b in [User:x, User:y]", ["User:x User:y"]),
    ("big(?who, 4)", ["any User"]),
    ("big(?who, ?n) and ?n in [3, 4]", ["any User 4"]),
    ("level(?who, ?n)", ["User:alice 5"]),
    ("flag(?who, ?b)", ["any User true"]),
    ("either(?who, ?x)", ["User:alice any Note", "any User any Site"]),
    ("either(?who, ?x) and is_known(?who)", ["User:alice any Note", "User:alice any Site"]),
    ("fresh(?who)", ["User:bob"]),
    ("is_known(?who) and ?who in []", []),
    ("is_known(User:alice)", [""]),
    ("is_known(User:bob)", []),
    ("is_known(_)", [""]),
]


@engines
@pytest.mark.parametrize("facts", SNAPSHOTS)
@pytest.mark.parametrize(("text", "rows"), CASES)
def test_rows(engine, facts, text, rows):
    assert ask(engine, query(text), SNAPSHOTS[facts]) == rows


@engines
def test_of_a_variable_that_is_no_column_there_need_only_be_a_value(engine):
    assert ask(engine, query("same(?a, ?b)", "a")) == ["any User"]
    assert ask(engine, query("others(?a, ?b)", "a")) == ["any User"]
    hidden = snapshot(*FACTS, "is_hidden(Note:n)")
    assert ask(engine, query('has_permission(?a, "see", Note:?n)', "a"), hidden) == ["User:alice"]


@engines
@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('has_permission(?a, "see", Note:?n)', "every Note will do for `?n` but some"),
        ("same(?a, ?b)", "`?a` and `?b` can have values without end"),
        ("others(?a, ?b)", "every User will do for `?a` but some"),
        ("others(User:x, ?b)", "every User will do for `?b` but some"),
        ("big(User:x, ?n)", "`?n` can be any Integer"),
    ],
)
def test_what_rows_cannot_say(engine, text, message):
    with pytest.raises(VariableUnlimited) as failure:
        ask(engine, query(text), snapshot(*FACTS, "is_hidden(Note:n)"))
    assert message in failure.value.message
    assert "limit" in failure.value.message


@engines
@pytest.mark.parametrize("facts", [(), ("unheard(Team:t)",), ("unheard(User:u)",)])
def test_what_rows_cannot_say_of_one_variable_is_not_told_of_another(engine, facts):
    """Nor does it matter what facts say that no rule can use."""
    text = """actor User {}
    actor Team {}
    spares(a: User, _: Team) if busy(v) and v matches User and a != v;
    """
    program = load(text, engine).program
    with pytest.raises(VariableUnlimited) as failure:
        program.query(query("spares(?a, ?b)"), snapshot("busy(User:x)", *facts), NOW, Budget(STEPS))
    assert failure.value.message.startswith("every User will do for `?a` but some")
    assert failure.value.message.count("?b") == 0


@engines
@pytest.mark.parametrize("actor", [None, "User", "Team"])
def test_rows_are_about_what_has_the_action_whoever_asks(engine, actor):
    """Questions about Teams are refused, and no Doc has the action that the rule would grant."""
    text = """actor User {}
    actor Team {}
    resource Doc { permissions = ["read"]; }
    resource Desk { permissions = ["by"]; }
    has_permission(u: Actor, _: String, x: Resource) if member(u) and near(x);
    allow(u: User, s: String, x: Resource) if has_permission(u, s, x);
    """
    facts = snapshot("member(User:u)", "member(Team:t)", "near(Doc:d)", "near(Desk:e)")
    asked = query('has_permission(?who, "by", ?what)')
    if actor is not None:
        asked = asked._replace(limits={Variable("who"): Limit(actor, None)})
    found = load(text, engine).program.query(asked, facts, NOW, Budget(STEPS))
    wanted = {"User": "u", "Team": "t"}
    assert found == {
        (Value(kind, name), Value("Desk", "e"))
        for kind, name in wanted.items()
        if actor in (None, kind)
    }


@engines
def test_a_row_that_another_one_says_as_well_is_left_out(engine):
    facts = snapshot('has_role(User:a, "reader", Repo:x)', "is_public(Repo:x)")
    assert ask(engine, query('has_permission(?who, "read", Repo:x)'), facts) == [
        "any Bot",
        "any User",
    ]


@engines
def test_what_nobody_can_write_is_no_value(engine):
    """Values that stand for all others have ids that no fact has: none is taken for one of them."""
    facts = snapshot(*(f"is_known(User:{n})" for n in range(3)), "is_hidden(Note:0)")
    limited = query('has_permission(?who, "see", Note:?n) and ?n in [Note:0, Note:1]')
    assert ask(engine, limited, facts) == [f"User:{n} Note:1" for n in range(3)]


@engines
def test_a_limit_is_an_error_and_never_fewer_rows(engine):
    asked = query('has_permission(?who, "read", Repo:?repo)')
    whole = ask(engine, asked)
    for steps in range(0, 3000, 37):
        try:
            assert ask(engine, asked, steps=steps) == whole
        except EvaluationLimitReached:
            continue


def test_oso_answers_no_queries():
    oso = load('actor User {} resource Doc { permissions = ["read"]; }', Engine.OSO)
    with pytest.raises(EngineUnsupported, match="compiled"):
        oso.program.query(query('has_permission(?a, "read", Doc:d)'), snapshot(), NOW, Budget(9))


def test_one_module_serves_all_queries_of_a_shape():
    program = load(POLICY, Engine.COMPILED).program

    def source(text):
        return program._queries.source(query(text)).text

    one = source('has_role(User:alice, "owner", ?org)')
    assert one == source('has_role(User:bob, "owner", ?other)')
    assert one != source('has_role(User:bob, "member", ?org)')
    assert source("level(?who, 5)") == source("level(?who, 6)")
    # Names that the policy does not know would be constants without end.
    extra = 'has_custom(User:alice, "anything")'
    known = load(POLICY + "custom(u: User, name: String) if has_custom(u, name);", Engine.COMPILED)
    texts = {known.program._queries.source(query(f'custom(?who, "{name}")')).text for name in "abc"}
    assert len(texts) == 1
    rows = known.program.query(
        query('custom(?who, "anything")'), snapshot(extra), NOW, Budget(STEPS)
    )
    assert sorted(map(shown, rows)) == ["User:alice"]


def test_so_many_modules_are_kept():
    program = load(POLICY, Engine.COMPILED).program
    names = [f"x{number}" for number in range(MAX_SHAPES + 5)]
    for number in range(1, len(names)):
        conditions = " and ".join(f"is_known(?{name})" for name in names[: number % 12 + 1])
        asked = (
            f"{conditions} and level(?{names[number % 7]}, ?n) and is_known(?{names[number % 5]})"
        )
        program.query(query(asked), SNAPSHOTS["stored"], NOW, Budget(STEPS))
    assert 0 < program._queries._function.cache_info().currsize <= MAX_SHAPES


def test_a_program_that_was_pickled_answers_alike():
    loaded = load(POLICY, Engine.COMPILED)
    asked = query("has_role(User:alice, ?role, Org:?org)")
    before = loaded.program.query(asked, SNAPSHOTS["stored"], NOW, Budget(STEPS))
    again = pickle.loads(pickle.dumps(loaded, 3))
    assert again.program.query(asked, SNAPSHOTS["stored"], NOW, Budget(STEPS)) == before


def test_long_paths_and_circles():
    length = 300
    facts = snapshot(
        *(f'has_relation(Repo:{n}, "parent", Repo:{(n + 1) % length})' for n in range(length)),
        'has_role(User:u, "reader", Repo:0)',
    )
    asked = query('has_permission(User:u, "read", ?repo)')
    assert len(ask(Engine.COMPILED, asked, facts)) == length


@engines
def test_types_of_variables_are_what_all_conditions_allow(engine):
    with pytest.raises(UnusableCondition) as failure:
        ask(engine, query("is_public(?x) and is_hidden(?x)"))
    assert failure.value.field == "conditions[1]"
    assert failure.value.message == (
        "no value of `?x` can meet all conditions; `is_public(?x)` wants Repo; `is_hidden(?x)` wants Note"
    )


NAMED = """
actor User {}
actor Bot {}
resource Org { roles = ["owner", "member"]; }
resource Team { roles = ["captain"]; }
resource Repo {
  roles = ["reader"]; permissions = ["read", "archive"]; relations = { parent: Repo, org: Org };
  role if role on "parent";
  role if role on "org";
  "read" if "reader";
  permission if permission on "parent";
}
resource Disk { roles = ["keeper"]; }
allow(u: User, action: String, repo: Repo) if has_permission(u, action, repo);
allow(_: Bot, "scan", disk: Disk) if is_shared(disk);
labelled(repo: Repo, label: String) if has_label(repo, label) and label in ["old", "new"];
is_tracked(repo: Repo) if has_label(repo, _);
"""
UNUSABLE = [
    (
        'has_role(?u, "raeder", Repo:?r)',
        "conditions[0].args[1]",
        'can meet `has_role(?u, "raeder", ?r)`; did you mean `reader`?',
    ),
    (
        'has_role(?u, "captain", Repo:?r)',
        "conditions[0].args[1]",
        "known are `member`, `owner`, `reader`",
    ),
    ('has_role(?u, "captain", ?r) and is_tracked(?r)', "conditions[0].args[1]", "known are"),
    ('has_role(?u, "raeder", Repo:r)', "conditions[0].args[1]", "did you mean `reader`?"),
    ('has_relation(?r, "orgg", ?o)', "conditions[0].args[1]", "did you mean `org`?"),
    ('labelled(?r, "olt")', "conditions[0].args[1]", 'no "olt" can stand there'),
    (
        'has_role(?u, ?role, Repo:?r) and ?role in ["owner", "raeder"]',
        "variables[1].in.values[1]",
        'can meet `has_role(?u, "raeder", ?r)`; did you mean `reader`?',
    ),
    (
        'has_role(?u, ?role, Org:?o) and ?role in ["ovner"]',
        "variables[1].in.values[0]",
        "did you mean `owner`?",
    ),
    ('has_role(?u, ?r, ?o) and ?u in ["reader"]', "variables[0].in", "`?u` is limited to String"),
    ("has_role(Org:?u, ?r, ?o)", "variables[0].type", "wants Bot | User there"),
    ("has_role(?u, ?r, User:?o) and ?u in [Org:x]", "variables[0].type", "wants Disk | Org | Repo"),
    ('allow(?u, "read", ?r) and is_shared(?r)', "conditions[1]", "wants Disk"),
]


@pytest.mark.parametrize("engine", LOADED)
@pytest.mark.parametrize(("text", "field", "message"), UNUSABLE)
def test_a_name_that_no_facts_could_make_hold_is_an_error(engine, text, field, message):
    program = load(NAMED, engine).program
    for facts in (snapshot(), snapshot('has_role(User:u, "owner", Org:o)')):
        with pytest.raises(UnusableCondition) as failure:
            program.query(query(text), facts, NOW, Budget(STEPS))
        assert failure.value.field == field
        assert message in failure.value.message


@pytest.mark.parametrize("engine", LOADED)
@pytest.mark.parametrize(
    ("text", "field"),
    [
        ('has_permission(?u, "raed", Repo:?r)', "conditions[0].args[1]"),
        ('allow(?u, "scan", Repo:?r)', "conditions[0].args[1]"),
        ('allow(?u, ?a, Repo:?r) and ?a in ["read", "scan"]', "variables[1].in.values[1]"),
    ],
)
def test_an_action_that_no_question_may_have_is_an_error(engine, text, field):
    with pytest.raises(UnknownAction) as failure:
        load(NAMED, engine).program.query(query(text), snapshot(), NOW, Budget(STEPS))
    assert failure.value.field == field


@pytest.mark.parametrize("engine", LOADED)
@pytest.mark.parametrize(
    "text",
    [
        'has_role(?u, "owner", Repo:?r)',
        'has_role(?u, "reader", ?r) and is_tracked(?r)',
        'has_role(?u, ?role, Repo:?r) and ?role in ["owner", "member", "reader"]',
        'has_permission(?u, "archive", Repo:?r)',
        'allow(Bot:?b, "read", Repo:?r)',
        'labelled(?r, "new")',
        'has_role(?u, ?role, ?r) and ?role in ["captain", "keeper"]',
    ],
)
def test_what_some_facts_could_meet_is_no_error(engine, text):
    assert load(NAMED, engine).program.query(query(text), snapshot(), NOW, Budget(STEPS)) == set()


@pytest.mark.parametrize("engine", LOADED)
@pytest.mark.parametrize(
    ("text", "field"),
    [
        ('has_permission(?a, "see", Note:?n)', "conditions[0].args[2]"),
        ("is_known(?a) and same(?b, ?c)", "conditions[1].args[0]"),
        ("is_known(?u) and big(?u, ?n)", "conditions[1].args[1]"),
        ("is_known(?u) and big(?u, _)", "conditions[1].args[1]"),
    ],
)
def test_an_unlimited_variable_is_named_with_its_place(engine, text, field):
    with pytest.raises(VariableUnlimited) as failure:
        ask(engine, query(text), snapshot(*FACTS, "is_hidden(Note:n)"))
    assert failure.value.field == field
