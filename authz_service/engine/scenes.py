"""Imagined facts for a policy, such that both outcomes are frequent.

Facts at random hardly ever permit anything. So most are found backwards: from a question to a rule that
could permit it, and on to facts that meet the rule's conditions; now and then one of them is left out.
The search takes no care to be right: what the facts permit is for the engines to say.

Chance comes from outside: this package is pure, and the same seed finds the same facts.
"""

from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from itertools import pairwise
from typing import Protocol, TypeVar

from authz_service.engine.program import Question
from authz_service.engine.verification import Kind, kinds_of_questions, named_values
from authz_service.facts.fact import Fact
from authz_service.facts.value import (
    BOOLEAN,
    INTEGER,
    INTEGER_MAX,
    INTEGER_MIN,
    STRING,
    Value,
    boolean,
    integer,
    string,
)
from authz_service.polar.goals import (
    CURRENT_TIME,
    Atom,
    Comparison,
    Conjunction,
    Disjunction,
    Goal,
    Membership,
    Negation,
    Rule,
    Term,
    Types,
    TypeTest,
    Variable,
)
from authz_service.polar.policy import Policy
from authz_service.polar.shapes import Shape

T = TypeVar("T")
_Binding = dict[Variable, Value]
_Wanted = Sequence[Value | None]

# Deep enough for some steps of a recursion. A search that takes more steps is given up.
_DEPTH = 6
_STEPS = 400
_TRIES = 4

_LEFT_OUT = 0.12
_DENIED = 0.12


class Chance(Protocol):
    """The part of `random.Random` that is used here."""

    def random(self) -> float:
        """Return a number from 0 to 1."""
        ...

    def choice(self, seq: Sequence[T]) -> T:
        """Return one of `seq`."""
        ...

    def sample(self, population: Sequence[T], k: int) -> list[T]:
        """Return `k` of `population`, in random order."""
        ...


class Scene:
    """Facts for one policy, imagined piece by piece; `aimed` are the questions that they were found for."""

    def __init__(
        self,
        policy: Policy,
        chance: Chance,
        ids: Sequence[str],
        now: int,
        *,
        keep: Callable[[Fact], bool] = lambda _: True,
        kinds: Sequence[Kind] | None = None,
    ) -> None:
        """Entities get one of `ids`, or one that the policy names. Only facts to `keep` are made.

        Questions of `kinds` are drawn; of all kinds if these are not given.
        """
        self.facts: dict[Fact, None] = {}
        self.aimed: dict[Question, None] = {}
        self._policy = policy
        self._chance = chance
        self._now = now
        self._maker = _FactMaker(policy, chance, _pools(policy, ids, now), keep)
        texts = (value.id for value in self._maker.pools[STRING])
        self._kinds = kinds_of_questions(policy, texts) if kinds is None else kinds

    def aim(self) -> None:
        """Draw a question, and add facts by which it may be permitted, or almost."""
        question = self._question()
        if question is None:
            return
        self.aimed[question] = None
        for _ in range(_TRIES):
            search = _Search(self._policy, self._maker, self._chance, list(self.facts))
            if search.supports(question.as_fact(), self._now):
                self._take(search)
                return

    def scatter(self) -> None:
        """Add a fact at random, if the policy can use any."""
        shapes = self._maker.every_shape
        if shapes:
            self._add(self._chance.choice(shapes), {})

    def link(self, path: Sequence[str]) -> None:
        """Connect entities with the ids of `path`, each with the next, in one predicate and type."""
        pairs = self._maker.pairs
        if pairs:
            shape, first, second, kind = self._chance.choice(pairs)
            for one, other in pairwise(path):
                self._add(shape, {first: Value(kind, one), second: Value(kind, other)})

    def _add(self, shape: Shape, known: dict[int, Value]) -> None:
        wanted = [known.get(position) for position in range(len(shape.args))]
        fact = self._maker.fact(shape, wanted, [arg.types for arg in shape.args])
        if fact is not None:
            self.facts[fact] = None

    def _take(self, search: "_Search") -> None:
        found = list(search.found)
        if found and self._chance.random() < _LEFT_OUT:
            found.remove(self._chance.choice(found))
        if search.denied and self._chance.random() < _DENIED:
            goal, binding, types = self._chance.choice(search.denied)
            search.found.clear()
            search.meet(goal, binding, types, 2)
            found += search.found
        self.facts.update(dict.fromkeys(found))

    def _question(self) -> Question | None:
        if not self._kinds:
            return None
        kind = self._chance.choice(self._kinds)
        pools = self._maker.pools
        return Question(
            self._chance.choice(pools[kind.actor]),
            kind.action,
            self._chance.choice(pools[kind.resource]),
        )


def _pools(policy: Policy, ids: Sequence[str], now: int) -> dict[str, list[Value]]:
    """Return the values to choose from, by type: what the policy names, near Integers, and `ids`."""
    named = named_values(policy)
    pools = {
        kind: sorted({Value(kind, text) for text in ids} | {v for v in named if v.type == kind})
        for kind in sorted(policy.types)
    }
    texts = {value for value in named if value.type == STRING}
    pools[STRING] = sorted(texts | {string(text) for text in ids[:2]})
    numbers = {int(value.id) for value in named if value.type == INTEGER} | {now}
    near = {number + step for number in numbers for step in (-1, 0, 1)}
    pools[INTEGER] = [integer(n) for n in sorted(near) if INTEGER_MIN <= n <= INTEGER_MAX]
    pools[BOOLEAN] = [boolean(False), boolean(True)]
    return pools


class _FactMaker:
    """Makes facts that the policy can use, of values from pools."""

    def __init__(
        self,
        policy: Policy,
        chance: Chance,
        pools: dict[str, list[Value]],
        keep: Callable[[Fact], bool],
    ) -> None:
        self.pools = pools
        self._chance = chance
        self._keep = keep
        self._by_predicate = policy.shapes.by_predicate
        self.every_shape = [shape for group in self._by_predicate.values() for shape in group]
        self.pairs = [
            pair for shape in self.every_shape for pair in _pairs(shape) if pair[3] in policy.types
        ]

    def shapes(self, atom: Atom) -> list[Shape]:
        """Return some shapes of facts that `atom` may ask for, in random order."""
        group = self._by_predicate.get(atom.predicate, ())
        fitting = [shape for shape in group if len(shape.args) == len(atom.args)]
        return self._chance.sample(fitting, min(len(fitting), _TRIES))

    def fact(self, shape: Shape, wanted: _Wanted, types: Sequence[frozenset[str]]) -> Fact | None:
        """Return a fact of `shape` with the `wanted` values, and others of `types` where it is None."""
        args: list[Value] = []
        for arg, value, allowed in zip(shape.args, wanted, types, strict=True):
            chosen = self.value(arg.types & allowed, arg.values) if value is None else value
            if chosen is None or not arg.accepts(chosen):
                return None
            args.append(chosen)
        fact = Fact(shape.predicate, tuple(args))
        return fact if self._keep(fact) else None

    def value(self, types: frozenset[str], values: frozenset[Value] | None = None) -> Value | None:
        """Return a value of one of `types`, and one of `values` if these are given."""
        if values is not None:
            choices = sorted(value for value in values if value.type in types)
        else:
            choices = self.pools[self._chance.choice(sorted(types))] if types else []
        return self._chance.choice(choices) if choices else None


def _pairs(shape: Shape) -> Iterator[tuple[Shape, int, int, str]]:
    """Yield the pairs of positions that take values of the same type."""
    for second, arg in enumerate(shape.args):
        for first in range(second):
            for kind in sorted(arg.types & shape.args[first].types):
                yield shape, first, second, kind


class _Search:
    """One search for facts from which a fact follows. `denied` are the conditions that must not hold."""

    def __init__(
        self, policy: Policy, maker: _FactMaker, chance: Chance, known: Sequence[Fact]
    ) -> None:
        self.found: list[Fact] = []
        self.denied: list[tuple[Goal, _Binding, Types]] = []
        self._maker = maker
        self._chance = chance
        self._known = known
        self._now: Value = integer(0)
        self._left = _STEPS
        self._rules: defaultdict[tuple[str, int], list[Rule]] = defaultdict(list)
        for rule in policy.rules:
            self._rules[rule.head.key].append(rule)

    def supports(self, fact: Fact, now: int) -> bool:
        """Say whether facts were found from which `fact` may follow at the time `now`."""
        self._now = integer(now)
        return self._derived((fact.predicate, len(fact.args)), fact.args, _DEPTH) is not None

    def meet(self, goal: Goal, binding: _Binding, types: Types, depth: int) -> _Binding | None:
        """Return `binding`, extended so that `goal` may hold by what was found; None if in vain."""
        self._left -= 1
        if self._left < 0:
            return None
        match goal:
            case Atom():
                return self._asked(goal, binding, types, depth)
            case Conjunction(goals):
                met: _Binding | None = binding
                for inner in goals:
                    met = None if met is None else self.meet(inner, met, types, depth)
                return met
            case Disjunction(goals):
                chosen = self._chance.choice(goals) if goals else None
                return None if chosen is None else self.meet(chosen, binding, types, depth)
            case Negation(inner):
                self.denied.append((inner, binding, types))
                return binding
            case TypeTest(variable, names):
                return binding if variable in binding and binding[variable].type in names else None
            case Membership(term, values):
                value = _known(term, binding)
                chosen_value = self._chance.choice(values) if value is None else value
                return _unified(term, chosen_value, binding) if chosen_value in values else None
            case Comparison():
                return _compared(goal, binding)

    def _asked(self, atom: Atom, binding: _Binding, types: Types, depth: int) -> _Binding | None:
        """Meet `atom` by a fact that is there, by a new one, or by one that rules derive."""
        wanted = [_known(term, binding) for term in atom.args]
        before = len(self.found)
        ways: list[Callable[[], tuple[Value, ...] | None]] = [
            lambda: self._reused(atom, wanted),
            lambda: self._stored(atom, wanted, types),
            lambda: self._derived(atom.key, wanted, depth - 1),
        ]
        if self._chance.random() < 0.6:
            ways = ways[1:] + ways[:1] if self._chance.random() < 0.4 else ways[::-1]
        for way in ways:
            args = way()
            met = None if args is None else _all_unified(atom.args, args, binding)
            if met is not None:
                return met
            del self.found[before:]
        return None

    def _reused(self, atom: Atom, wanted: _Wanted) -> tuple[Value, ...] | None:
        fitting = [
            fact.args
            for fact in (*self._known, *self.found)
            if fact.predicate == atom.predicate
            and len(fact.args) == len(wanted)
            and all(w in (None, value) for w, value in zip(wanted, fact.args, strict=True))
        ]
        return self._chance.choice(fitting) if fitting else None

    def _stored(self, atom: Atom, wanted: _Wanted, types: Types) -> tuple[Value, ...] | None:
        allowed = [
            types[term] if isinstance(term, Variable) else frozenset({term.type})
            for term in atom.args
        ]
        for shape in self._maker.shapes(atom):
            fact = self._maker.fact(shape, wanted, allowed)
            if fact is not None:
                self.found.append(fact)
                return fact.args
        return None

    def _derived(
        self, key: tuple[str, int], wanted: _Wanted, depth: int
    ) -> tuple[Value, ...] | None:
        rules = self._rules[key]
        if depth < 0:
            return None
        before = len(self.found)
        for rule in self._chance.sample(rules, min(len(rules), _TRIES)):
            args = self._applied(rule, wanted, depth)
            if args is not None:
                return args
            del self.found[before:]
        return None

    def _applied(self, rule: Rule, wanted: _Wanted, depth: int) -> tuple[Value, ...] | None:
        """Return the arguments of what `rule` derives, the `wanted` ones among them."""
        binding: _Binding | None = {CURRENT_TIME: self._now}
        for term, value in zip(rule.head.args, wanted, strict=True):
            if value is not None and binding is not None:
                is_possible = value.type in rule.types_of(term)
                binding = _unified(term, value, binding) if is_possible else None
        if binding is None:
            return None
        for variable in sorted(rule.open - binding.keys(), key=lambda v: v.name):
            chosen = self._maker.value(rule.types[variable])
            if chosen is not None:
                binding[variable] = chosen
        met = self.meet(rule.body, binding, rule.types, depth)
        args = [None if met is None else _known(term, met) for term in rule.head.args]
        known = [arg for arg in args if arg is not None]
        return tuple(known) if len(known) == len(args) else None


def _known(term: Term, binding: _Binding) -> Value | None:
    return binding.get(term) if isinstance(term, Variable) else term


def _unified(term: Term, value: Value, binding: _Binding) -> _Binding | None:
    known = _known(term, binding)
    if known is not None:
        return binding if known == value else None
    return {**binding, term: value} if isinstance(term, Variable) else None


def _all_unified(
    terms: Sequence[Term], values: Sequence[Value], binding: _Binding
) -> _Binding | None:
    met: _Binding | None = binding
    for term, value in zip(terms, values, strict=True):
        met = None if met is None else _unified(term, value, met)
    return met


def _compared(comparison: Comparison, binding: _Binding) -> _Binding | None:
    left, right = _known(comparison.left, binding), _known(comparison.right, binding)
    if comparison.operator == "=" and (left is None or right is None):
        value, term = (left, comparison.right) if right is None else (right, comparison.left)
        return None if value is None else _unified(term, value, binding)
    if left is None or right is None:
        return None
    return binding if _holds(comparison.operator, left, right) else None


def _holds(operator: str, left: Value, right: Value) -> bool:
    if operator in ("=", "!="):
        return (left == right) is (operator == "=")
    one, other = int(left.id), int(right.id)
    return (
        one < other
        if operator == "<"
        else one <= other
        if operator == "<="
        else (one > other if operator == ">" else one >= other)
    )
