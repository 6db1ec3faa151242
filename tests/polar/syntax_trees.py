"""Hypothesis strategies for trees of policies: everything that the grammar can say, and nothing else."""

from itertools import chain

from hypothesis import strategies as st

from authz_service.facts.value import Value, boolean, integer, string
from authz_service.polar import syntax
from authz_service.polar.source import PolicySource, Span
from authz_service.polar.tokens import RESERVED

NOWHERE = Span(PolicySource("", ""), 0, 0)
WORDS = [
    *("actor", "resource", "global", "role", "permission", "on", "extends", "declare", "test"),
    *(
        "fixture",
        "setup",
        "assert",
        "assert_not",
        "iff",
        "roles",
        "relations",
        "type",
        "cut",
        "new",
    ),
]

names = st.sampled_from(
    [*WORDS, "User", "Doc", "x", "y", "_x", "größe", "名", "x1"]
) | st.from_regex(r"[a-z_][a-z0-9_]{0,5}", fullmatch=True).filter(lambda name: name not in RESERVED)
texts = st.text(
    st.characters(min_codepoint=0x20, exclude_categories=["Cs", "Cc"]), min_size=1, max_size=8
)
numbers = st.integers(-(2**63), 2**63 - 1) | st.integers(-3, 3)
predicates = names.filter(lambda name: name not in {"forall", "print", "debug"})

type_names = names.map(lambda text: syntax.TypeName(text, NOWHERE))
quoted_names = texts.map(lambda text: syntax.Name(text, NOWHERE))
keys = names.map(lambda text: syntax.Name(text, NOWHERE))
name_variables = st.sampled_from(["role", "permission"]).map(
    lambda kind: syntax.NameVariable(kind, NOWHERE)
)
short_names = quoted_names | name_variables
values = st.one_of(
    texts.map(string),
    numbers.map(integer),
    st.booleans().map(boolean),
    st.builds(Value, names.filter(lambda n: n not in {"String", "Integer", "Boolean"}), texts),
)
literals = values.map(lambda value: syntax.Literal(value, NOWHERE))
variables = (names | st.just("_")).map(lambda name: syntax.Variable(name, NOWHERE))
terms = st.one_of(variables, literals, st.just(syntax.CurrentTime(NOWHERE)))


def tuples(strategy, low=0, high=3):
    return st.lists(strategy, min_size=low, max_size=high).map(tuple)


calls = st.builds(syntax.Call, predicates, tuples(terms), st.just(NOWHERE))
comparisons = st.builds(
    syntax.Compare,
    st.sampled_from(["=", "!=", "<", "<=", ">", ">="]),
    terms,
    terms,
    st.just(NOWHERE),
)
members = st.builds(syntax.Member, terms, tuples(literals, 1), st.just(NOWHERE))
matches = st.builds(syntax.Matches, variables, type_names, st.booleans(), st.just(NOWHERE))
truths = st.builds(syntax.Truth, st.booleans(), st.just(NOWHERE))
ons = st.builds(syntax.On, short_names, st.none() | quoted_names, st.just(NOWHERE))
globals_ = st.builds(syntax.OnGlobal, short_names, st.just(NOWHERE))


def combined(inner, *, negation):
    """And, or and not over `inner`; nested ones of the same kind would be one."""

    def flat(kind):
        def merged(conditions):
            parts = (c.conditions if isinstance(c, kind) else (c,) for c in conditions)
            return kind(tuple(chain.from_iterable(parts)), NOWHERE)

        return tuples(inner, 2).map(merged)

    both = flat(syntax.And) | flat(syntax.Or)
    return both | st.builds(syntax.Not, inner, st.just(NOWHERE)) if negation else both


conditions = st.recursive(
    st.one_of(calls, comparisons, members, matches, truths),
    lambda inner: combined(inner, negation=True),
    max_leaves=8,
)
shorthand_conditions = st.recursive(
    st.one_of(ons, globals_, calls), lambda inner: combined(inner, negation=False), max_leaves=6
)
params = st.one_of(
    st.builds(syntax.Param, terms, st.none()), st.builds(syntax.Param, variables, type_names)
)
rules = st.builds(syntax.Rule, predicates, tuples(params), st.none() | conditions, st.just(NOWHERE))


@st.composite
def declarations(draw):
    kind = draw(st.sampled_from(["roles", "permissions", "relations"]))
    found = draw(tuples(keys if kind == "relations" else quoted_names))
    types = draw(tuples(type_names, len(found), len(found))) if kind == "relations" else ()
    return syntax.Declaration(kind, found, types, NOWHERE)


shorthands = st.builds(syntax.Shorthand, short_names, shorthand_conditions, st.just(NOWHERE))


@st.composite
def blocks(draw):
    keyword = draw(st.sampled_from(["actor", "resource", "global"]))
    is_global = keyword == "global"
    name = syntax.TypeName("global", NOWHERE) if is_global else draw(type_names)
    parents = () if is_global else draw(tuples(type_names))
    found, rules_ = draw(tuples(declarations())), draw(tuples(shorthands))
    return syntax.Block(keyword, name, parents, found, rules_, NOWHERE)


facts = st.builds(syntax.Call, predicates, tuples(literals), st.just(NOWHERE))
declares = st.builds(syntax.Declare, predicates, tuples(type_names), st.just(NOWHERE))
fixtures = st.builds(syntax.Fixture, keys, tuples(facts), st.just(NOWHERE))
assertions = st.builds(
    syntax.Assertion,
    st.just(False),
    predicates,
    tuples(params),
    st.none() | conditions,
    st.just(NOWHERE),
) | st.builds(
    syntax.Assertion, st.just(True), predicates, tuples(params), st.none(), st.just(NOWHERE)
)
tests = st.builds(
    syntax.Test, quoted_names, tuples(facts | keys), tuples(assertions), st.just(NOWHERE)
)
items = st.one_of(rules, blocks(), declares, fixtures, tests)
