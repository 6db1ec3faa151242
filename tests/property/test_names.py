"""Names in queries: an error exactly where nothing could ever hold with them, and actions as questions take them."""

from collections import Counter
from collections.abc import Iterator
from itertools import chain
from random import Random

import pytest
import random_policies
from examples import NOW, load, snapshot
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from possible import UNNAMED, possible, universe
from random_scenes import random_facts, random_kinds

from authz_service.engine.engines import Engine
from authz_service.engine.program import Budget, Limit, Query, Question, Row
from authz_service.engine.queries.names import ASKED
from authz_service.errors import (
    EvaluationLimitReached,
    InvalidRequest,
    UnknownAction,
    UnusableCondition,
    VariableUnlimited,
)
from authz_service.facts.fact import AnyValue
from authz_service.facts.snapshot import FactSnapshot
from authz_service.facts.value import STRING, Value, string
from authz_service.polar.diagnostic import PolicyInvalid
from authz_service.polar.goals import Atom, Term, Variable

STEPS = 100_000
EXTENDED = 1_009_308_277
"""In this one a name is possible for a type that extends the one that is asked for, and not for that itself."""
ACTIONS = frozenset({("allow", 3), ("has_permission", 3)})
ALL = {"action": Variable("action"), "actor": Variable("actor"), "resource": Variable("resource")}


def policy_of(seed: int, engine: Engine = Engine.REFERENCE):
    """Return a random policy; None if it is refused."""
    try:
        return load(random_policies.policy(Random(seed), recursive=True), engine)
    except PolicyInvalid:
        return None


def refusal(loaded, query: Query, facts: FactSnapshot) -> InvalidRequest | None:
    """Return why the query cannot be meant, or None if it can."""
    try:
        loaded.program.query(query, facts, NOW, Budget(STEPS))
    except InvalidRequest as error:
        return error
    except (EvaluationLimitReached, VariableUnlimited):
        pass
    return None


def named_conditions(random: Random, loaded) -> Iterator[tuple[Atom, int, dict[Variable, str]]]:
    """Yield conditions with one String, where that stands, and the type of a variable for some."""
    policy = loaded.policy
    keys = {rule.head.key for rule in policy.rules}
    keys.update((s.predicate, len(s.args)) for g in policy.shapes.by_predicate.values() for s in g)
    strings = universe(policy)[STRING]
    for predicate, arity in sorted(keys - ACTIONS):
        for position in range(arity):
            for name in (*random.sample(strings, min(3, len(strings))), string(UNNAMED)):
                args: list[Term] = [Variable(f"v{number}") for number in range(arity)]
                args[position] = name
                free = [arg for arg in args if isinstance(arg, Variable)]
                kinds = {random.choice(free): random.choice(sorted(policy.types))} if free else {}
                atom = Atom(predicate, tuple(args), ASKED)
                yield atom, position, {}
                yield atom, position, kinds


def check_names(seed: int) -> Counter[str]:
    """Compare what queries refuse with what could hold; return how often it was what."""
    counts: Counter[str] = Counter()
    loaded = policy_of(seed)
    try:
        model = None if loaded is None else possible(loaded.policy)
    except EvaluationLimitReached:
        model = None
    if model is None:
        return counts
    for atom, position, kinds in named_conditions(Random(seed), loaded):
        holds = {
            fact.args[position]
            for fact in model
            if (fact.predicate, len(fact.args)) == atom.key
            and all(
                fact.args[atom.args.index(v)].type in (loaded.policy.concrete(kind) or ())
                for v, kind in kinds.items()
            )
        }
        limits = {variable: Limit(kind) for variable, kind in kinds.items()}
        query = Query((atom,), (), limits)
        found = refusal(loaded, query, FactSnapshot())
        name = atom.args[position]
        if name in holds:
            assert found is None, (seed, atom, kinds)
            counts["can hold"] += 1
        elif any(value.type == STRING for value in holds):
            assert isinstance(found, UnusableCondition), (seed, atom, kinds)
            counts["misspelled"] += 1
            counts["named in the policy"] += name != string(UNNAMED)
        check_list(loaded, query, position, found)
    return counts


def check_list(loaded, query: Query, position: int, refused: InvalidRequest | None) -> None:
    """A name in a list is refused as it is in the place of the variable."""
    [atom] = query.conditions
    name, variable = atom.args[position], Variable("listed")
    args = (*atom.args[:position], variable, *atom.args[position + 1 :])
    limits = {**query.limits, variable: Limit(None, (name,))}
    listed = Query((Atom(atom.predicate, args, ASKED),), (), limits)
    found = refusal(loaded, listed, FactSnapshot())
    assert (found is None) == (refused is None), (atom, refused, found)


def test_a_name_is_refused_exactly_if_no_facts_make_it_hold():
    counts: Counter[str] = Counter()
    for seed in (*range(14), EXTENDED):
        counts += check_names(seed)
    assert min(counts.values()) > 50, counts
    assert len(counts) == 3


@settings(deadline=None, max_examples=3, suppress_health_check=list(HealthCheck))
@given(seed=st.integers(1000, 2**40))
def test_names_of_other_policies(seed):
    assert check_names(seed) is not None


def actions_asked(policy, kind: str) -> list[str]:
    known = policy.actions[kind]
    others = {action for some in policy.actions.values() for action in some or ()}
    return [*sorted(others)[:6], *sorted(known or ())[:2], UNNAMED]


@pytest.mark.parametrize("predicate", ["allow", "has_permission"])
@pytest.mark.parametrize("engine", [Engine.REFERENCE, Engine.COMPILED])
def test_queries_refuse_the_actions_that_questions_may_not_have(engine, predicate):
    """And no others: what no rule grants is empty, as it is a DENY."""
    counts: Counter[bool] = Counter()
    for seed in range(10):
        loaded = policy_of(seed, engine)
        if loaded is None:
            continue
        policy = loaded.policy
        for actor in sorted(policy.actors):
            for resource in sorted(policy.types):
                for action in actions_asked(policy, resource):
                    args = (ALL["actor"], string(action), ALL["resource"])
                    limits = {ALL["actor"]: Limit(actor), ALL["resource"]: Limit(resource)}
                    query = Query((Atom(predicate, args, ASKED),), (), limits)
                    kinds = policy.concrete(resource)
                    is_known = any(policy.knows(action, kind) for kind in kinds)
                    found = refusal(loaded, query, FactSnapshot())
                    if predicate == "has_permission" and "has_permission" not in str(policy.rules):
                        continue
                    assert (found is None) is is_known, (seed, actor, action, resource, found)
                    assert is_known or isinstance(found, UnknownAction)
                    counts[is_known] += 1
    assert min(counts.values()) > 50, counts


def test_every_row_about_actions_is_a_question_that_is_permitted():
    """And every such question about values at hand is in a row."""
    counts: Counter[str] = Counter()
    for seed in range(24):
        random = Random(seed)
        loaded, compiled = policy_of(seed), policy_of(seed, Engine.COMPILED)
        if loaded is None:
            continue
        policy = loaded.policy
        facts = random_facts(random, policy, random_kinds(random, policy)).facts
        args = ALL["actor"], ALL["action"], ALL["resource"]
        query = Query((Atom("allow", args, ASKED),), args, {})
        strange = {Value(kind, "never heard of") for kind in (*policy.types, STRING)}
        try:
            rows = loaded.program.query(query, FactSnapshot(facts), NOW, Budget(STEPS))
            values = {
                *strange,
                *map(string, chain.from_iterable(filter(None, policy.actions.values()))),
            }
            model = loaded.program.model(facts, values, NOW, Budget(STEPS))
        except (EvaluationLimitReached, VariableUnlimited, InvalidRequest) as error:
            counts[type(error).__name__] += 1
            continue
        assert compiled.program.query(query, FactSnapshot(facts), NOW, Budget(STEPS * 50)) == rows
        said = {with_strangers(row, strange) for row in rows}
        for actor, action, resource in said:
            policy.check_question(actor, action.id, resource)
        permitted = {f.args for f in model if f.predicate == "allow" and len(f.args) == 3}
        known = {
            args
            for args in permitted
            if args[1].type == STRING
            and args[2].type in policy.types
            and policy.knows(args[1].id, args[2].type)
        }
        assert said <= permitted, seed
        counts["rows"] += len(rows)
        counts["no question"] += len(permitted - known)
        counts["any action"] += any(isinstance(row[1], AnyValue) for row in rows)
        assert all(any(is_said(args, row) for row in rows) for args in known), seed
    assert counts["rows"] > 100
    assert counts["no question"] > 10, counts


def with_strangers(row: Row, strange: set[Value]) -> tuple[Value, ...]:
    """Return the row with a value that occurs nowhere for any value."""
    by_type = {value.type: value for value in strange}
    return tuple(by_type[cell.type] if isinstance(cell, AnyValue) else cell for cell in row)


def is_said(args: tuple[Value, ...], row: Row) -> bool:
    return all(
        arg.type == cell.type if isinstance(cell, AnyValue) else arg == cell
        for arg, cell in zip(args, row, strict=True)
    )


def test_a_question_is_one_that_permits_asks():
    """The actions of questions are those of queries, literal or variable, for policies that pass them on."""
    text = """
    actor User {}
    resource Org { }
    resource Repo { relations = { org: Org }; }
    resource Doc { permissions = ["read"]; relations = { org: Org }; }
    has_permission(_: User, _: String, org: Org) if is_open(org);
    has_permission(u: User, action: String, r: Repo) if has_relation(r, "org", org) and has_permission(u, action, org);
    has_permission(u: User, action: String, d: Doc) if has_relation(d, "org", org) and has_permission(u, action, org);
    """
    facts = snapshot(
        "is_open(Org:o)",
        'has_relation(Repo:x, "org", Org:o)',
        'has_relation(Doc:x, "org", Org:o)',
    )
    action, resource = Variable("action"), Variable("resource")
    args = (Value("User", "u"), action, resource)
    for engine in (Engine.REFERENCE, Engine.COMPILED):
        loaded = load(text, engine)
        query = Query((Atom("allow", args, ASKED),), (action, resource), {})
        assert loaded.program.query(query, facts, NOW, Budget(STEPS)) == {
            (AnyValue(STRING), Value("Org", "o")),
            (string("read"), Value("Doc", "x")),
        }
        question = Question(Value("User", "u"), "read", Value("Doc", "x"))
        assert loaded.program.permits(question, facts, NOW, Budget(STEPS))
        with pytest.raises(UnknownAction):
            loaded.policy.check_question(Value("User", "u"), "read", Value("Repo", "x"))
