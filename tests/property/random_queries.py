"""Random queries about a policy and facts: conjunctions that share variables, with limits of all kinds."""

from collections.abc import Iterable, Sequence
from random import Random

from authz_service.engine.program import Limit, Query
from authz_service.engine.queries.names import ASKED
from authz_service.facts.fact import Fact
from authz_service.facts.value import PRIMITIVE_TYPES, Value
from authz_service.polar.goals import Atom, Term, Variable
from authz_service.polar.policy import Policy

NAMES = ("a", "b", "c", "d")
UNHEARD = "nobody has heard of this"


class _Heads:
    """What conditions can be about, and values that stand in such places."""

    def __init__(self, policy: Policy, facts: Iterable[Fact]) -> None:
        self._types: dict[tuple[str, int], list[set[str]]] = {}
        self._values: dict[str, set[Value]] = {}
        for rule in policy.rules:
            self._add(rule.head.key, [rule.types_of(arg) for arg in rule.head.args])
            self._add_values(arg for arg in rule.head.args if isinstance(arg, Value))
        for group in policy.shapes.by_predicate.values():
            for shape in group:
                self._add((shape.predicate, len(shape.args)), [arg.types for arg in shape.args])
                self._add_values(value for arg in shape.args for value in arg.values or ())
        for fact in facts:
            self._add_values(fact.args)

    def _add(self, key: tuple[str, int], types: Sequence[Iterable[str]]) -> None:
        known = self._types.setdefault(key, [set() for _ in types])
        for position, more in zip(known, types, strict=True):
            position.update(more)

    def _add_values(self, values: Iterable[Value]) -> None:
        for value in values:
            self._values.setdefault(value.type, set()).add(value)

    @property
    def keys(self) -> list[tuple[str, int]]:
        return sorted(self._types)

    def types(self, key: tuple[str, int]) -> list[list[str]]:
        return [sorted(types) for types in self._types[key]]

    def value(self, random: Random, kind: str) -> Value:
        known = sorted(self._values.get(kind, ()))
        if kind not in PRIMITIVE_TYPES and random.random() < 0.25:
            known = [Value(kind, UNHEARD)]
        if not known:
            known = [Value(kind, {"Integer": "7", "Boolean": "true"}.get(kind, UNHEARD))]
        return random.choice(known)


def random_query(
    random: Random, policy: Policy, facts: Sequence[Fact], model: Sequence[Fact]
) -> Query:
    """Return a query; most have answers, made of what holds in `model`, and some cannot be meant."""
    heads = _Heads(policy, facts)
    types: dict[Variable, list[str]] = {}
    conditions: list[Atom] = []
    if model and random.random() < 0.8:
        conditions = _aimed(random, model, types)
    if not conditions or random.random() < 0.2:
        conditions.append(_condition(random, heads, random.choice(heads.keys), types))
    random.shuffle(conditions)
    named = [variable for variable in types if not variable.is_anonymous]
    columns = (
        random.sample(named, random.randint(0, len(named))) if random.random() < 0.4 else named
    )
    limits = {v: _limit(random, heads, types[v]) for v in named if random.random() < 0.2}
    return Query(tuple(conditions), tuple(columns), limits)


def _aimed(random: Random, model: Sequence[Fact], types: dict[Variable, list[str]]) -> list[Atom]:
    """Return conditions that some values meet: facts that hold and share values, with variables for these."""
    by_predicate: dict[str, list[Fact]] = {}
    for fact in model:
        by_predicate.setdefault(fact.predicate, []).append(fact)
    chosen = [random.choice(by_predicate[random.choice(list(by_predicate))])]
    for _ in range(random.choice((0, 1, 1, 2))):
        values = {value for fact in chosen for value in fact.args if value.type != "String"}
        near = [fact for fact in model if not values.isdisjoint(fact.args)]
        chosen.append(random.choice(near or model))
    named: dict[Value, Term] = {}
    conditions = []
    for fact in chosen:
        args: list[Term] = []
        for value in fact.args:
            keeps = 0.7 if value.type in ("String", "Integer") else 0.25
            if value not in named:
                is_kept = random.random() < keeps or len(types) == len(NAMES)
                name = (
                    NAMES[len(types) % len(NAMES)] if random.random() < 0.9 else f"_ {len(types)}"
                )
                named[value] = value if is_kept else Variable(name)
            term = named[value]
            if isinstance(term, Variable):
                types.setdefault(term, [value.type])
            args.append(term)
        conditions.append(Atom(fact.predicate, tuple(args), ASKED))
    return conditions


def _condition(
    random: Random, heads: _Heads, key: tuple[str, int], types: dict[Variable, list[str]]
) -> Atom:
    args: list[Term] = []
    for kinds in heads.types(key):
        fitting = [
            v for v, known in types.items() if set(known) & set(kinds) and not v.is_anonymous
        ]
        fresh = [Variable(name) for name in NAMES if Variable(name) not in types]
        choice = random.random()
        if fitting and choice < 0.35:
            args.append(random.choice(fitting))
        elif kinds and choice < 0.6:
            args.append(heads.value(random, random.choice(kinds)))
        elif fresh and choice < 0.95:
            args.append(fresh[0])
        else:
            args.append(Variable(f"_ {len(types)}"))
        if isinstance(args[-1], Variable):
            types.setdefault(args[-1], kinds)
    return Atom(key[0], tuple(args), ASKED)


def _limit(random: Random, heads: _Heads, kinds: list[str]) -> Limit:
    kind = random.choice([*kinds, "Actor", "Resource"]) if kinds else "User"
    if random.random() < 0.5:
        return Limit(kind)
    values = tuple(
        heads.value(random, random.choice(kinds or ["User"])) for _ in range(random.randint(0, 4))
    )
    return Limit(None, values) if random.random() < 0.7 else Limit(kind, values)
