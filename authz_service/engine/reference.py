"""The reference engine: the meaning of a policy as a program, naive and bottom-up.

The facts that a policy derives are the least set that contains the usable stored facts and is closed
under its rules, stratum by stratum. This module computes that set by applying every rule to everything
until nothing new appears, then looks the question up. It takes no short cut: other engines are
compared with it. Its only index finds the facts with a given value at a given position.

Values: a rule about every value of a type (`Rule.open`) is applied to the values that occur in facts,
policy and question; `polar.safety` explains why that is enough.
"""

from collections import defaultdict
from collections.abc import Callable, Hashable, Iterable, Iterator, Sequence
from collections.abc import Set as AbstractSet
from functools import cached_property
from itertools import chain, product
from operator import ge, gt, le, lt
from typing import Any

from authz_service.engine.program import Budget, Listed, Listing, Query, Question, Row
from authz_service.engine.queries.names import ASKED, is_question
from authz_service.engine.queries.unlimited import rows, strangers
from authz_service.engine.queries.vocabulary import ResolvedQuery, Vocabulary, fixed_values
from authz_service.facts.fact import Fact
from authz_service.facts.snapshot import FactSnapshot
from authz_service.facts.value import STRING, Value, integer, string
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
    TypeTest,
    Variable,
)
from authz_service.polar.policy import Policy

Binding = dict[Variable, Value]

_ORDERINGS: dict[str, Callable[[Any, Any], bool]] = {"<": lt, "<=": le, ">": gt, ">=": ge}


class ReferenceProgram:
    """A policy, evaluated from scratch for every question."""

    demand = None

    def __init__(self, policy: Policy) -> None:
        self._policy = policy
        self._constants = frozenset().union(*(constants(rule) for rule in policy.rules))

    def __getstate__(self) -> dict[str, Any]:
        """Return everything but what queries would find out again."""
        return {name: value for name, value in self.__dict__.items() if name != "vocabulary"}

    @cached_property
    def vocabulary(self) -> Vocabulary:
        """What queries can be about."""
        return Vocabulary(self._policy, self._constants)

    def is_ready(self, question: Question, facts: FactSnapshot) -> bool:
        """See `Program.is_ready`. A step of this engine can be long, so it never is."""
        del question, facts
        return False

    @property
    def asked(self) -> AbstractSet[Hashable]:
        """See `Program.asked`. All kinds are the same to this engine."""
        return frozenset()

    def prepare(self, asked: AbstractSet[Hashable] | None) -> None:
        """See `Program.prepare`. There is nothing to do."""

    def permits(self, question: Question, facts: FactSnapshot, now: int, budget: Budget) -> bool:
        """See `Program.permits`. Costs the whole policy over all facts, whatever is asked."""
        asked = question.as_fact()
        return asked in self.model(facts, asked.args, now, budget)

    def listed(self, asked: Listing, facts: FactSnapshot, now: int, budget: Budget) -> Listed:
        """See `Program.listed`. Costs as much as a single question."""
        [found] = self.all_listed([asked], facts, now, budget)
        return found

    def all_listed(
        self, asked: Sequence[Listing], facts: FactSnapshot, now: int, budget: Budget
    ) -> list[Listed]:
        """Return what each listing asks for. All together cost as much as a single question."""
        usable = (fact.args for fact in facts if self._policy.shapes.accept(fact))
        occurring = self._constants.union(*usable)
        candidates = [one.candidates(occurring) for one in asked]
        wanted = [
            [one.ask(value).as_fact() for value in values]
            for one, values in zip(asked, candidates, strict=True)
        ]
        values = {arg for some in wanted for fact in some for arg in fact.args}
        model = self.model(facts, values, now, budget)
        return [
            one.listed(values, [fact in model for fact in some])
            for one, values, some in zip(asked, candidates, wanted, strict=True)
        ]

    def query(self, query: Query, facts: FactSnapshot, now: int, budget: Budget) -> set[Row]:
        """See `Program.query`. Costs the whole policy over all facts, and all ways to meet the conditions."""
        asked = self.vocabulary.resolved(query)
        actions = (some for some in self._policy.actions.values() if some is not None)
        named = {
            *fixed_values(query),
            *strangers(asked),
            *map(string, chain.from_iterable(actions)),
        }
        named.update(*asked.listed.values())
        model = self.model(facts, named, now, budget)
        found = {
            tuple(binding[column] for column in query.columns)
            for binding in model.solutions(self._goal(asked))
            if all(self._is_known(atom, binding) for atom in query.conditions)
        }
        return rows(found, asked, model.count, model.spend)

    def _is_known(self, atom: Atom, binding: Binding) -> bool:
        """Say whether a question that the condition asks may have its action."""
        if not is_question(atom):
            return True
        _, action, resource = (_value(term, binding) for term in atom.args)
        is_asked = action.type == STRING and resource.type in self._policy.types
        return not is_asked or self._policy.knows(action.id, resource.type)

    def _goal(self, asked: ResolvedQuery) -> Goal:
        """Return all that a query demands. What types its variables have is left to what it asks for."""
        query = asked.query
        return Conjunction(
            (
                *(Membership(name, values, ASKED) for name, values in asked.listed.items()),
                *query.conditions,
                *(
                    TypeTest(name, self._policy.concrete(limit.type) or frozenset(), ASKED)
                    for name, limit in query.limits.items()
                    if limit.type is not None
                ),
            ),
            ASKED,
        )

    def model(
        self, facts: Iterable[Fact], values: Iterable[Value], now: int, budget: Budget
    ) -> "Model":
        """Return all that holds given `facts`, about the values of these, of the policy and `values`."""
        usable = [fact for fact in facts if self._policy.shapes.accept(fact)]
        known = self._constants.union(values, *(fact.args for fact in usable))
        model = Model(usable, known, now, budget)
        for stratum in self._policy.strata:
            model.close_under(stratum)
        return model


class Model:
    """A growing set of facts over a fixed set of values."""

    def __init__(
        self, facts: Iterable[Fact], values: Iterable[Value], now: int, budget: Budget
    ) -> None:
        self._budget = budget
        self._tick = iter(budget.each).__next__
        self._start: Binding = {CURRENT_TIME: integer(now)}
        self._facts: set[Fact] = set()
        self._index: defaultdict[tuple[object, ...], list[Fact]] = defaultdict(list)
        self._values: defaultdict[str, list[Value]] = defaultdict(list)
        for value in {*values, *self._start.values()}:
            self._values[value.type].append(value)
        for fact in facts:
            self.add(fact)

    def __contains__(self, fact: Fact) -> bool:
        return fact in self._facts

    def __iter__(self) -> Iterator[Fact]:
        return iter(self._facts)

    def spend(self) -> None:
        """Count one step. Raises EvaluationLimitReached when there is none left."""
        try:
            self._tick()
        except StopIteration:
            raise self._budget.reached() from None

    def add(self, fact: Fact) -> None:
        if fact not in self._facts:
            self._facts.add(fact)
            key = (fact.predicate, len(fact.args))
            self._index[key].append(fact)
            for position, value in enumerate(fact.args):
                self._index[*key, position, value].append(fact)

    def holds(self, atom: Atom, binding: Binding) -> bool:
        """Say whether the fact that `atom` is under `binding` holds."""
        known = self._start | binding
        return Fact(atom.predicate, tuple(_value(term, known) for term in atom.args)) in self

    def satisfies(self, goal: Goal, binding: Binding) -> bool:
        """Say whether `goal` holds for the variables in `binding`."""
        return next(self._solutions(goal, self._start | binding), None) is not None

    def solutions(self, goal: Goal) -> Iterator[Binding]:
        """Yield the values of the variables under which `goal` holds, which is in a safe order."""
        return self._solutions(goal, self._start)

    def count(self, type_name: str) -> int:
        """Return how many values of a type there are."""
        return len(self._values[type_name])

    def close_under(self, rules: Iterable[Rule]) -> None:
        """Add everything that follows from `rules`, until nothing new does."""
        size = -1
        while size != len(self._facts):
            size = len(self._facts)
            for rule in rules:
                for fact in list(self._consequences(rule)):
                    self.add(fact)

    def _consequences(self, rule: Rule) -> Iterator[Fact]:
        for start in self._every_value(rule):
            for binding in self._solutions(rule.body, start):
                args = tuple(_value(term, binding) for term in rule.head.args)
                yield Fact(rule.head.predicate, args)

    def _every_value(self, rule: Rule) -> Iterator[Binding]:
        """Yield each way to give the rule's open variables values of their types."""
        names = tuple(rule.open)
        choices = ([v for t in rule.types[name] for v in self._values[t]] for name in names)
        for values in product(*choices):
            self.spend()
            yield self._start | dict(zip(names, values, strict=True))

    def _solutions(  # noqa: C901 - one branch for each kind of goal
        self, goal: Goal, binding: Binding
    ) -> Iterator[Binding]:
        """Yield each extension of `binding` under which `goal` holds."""
        self.spend()
        match goal:
            case Atom():
                yield from self._matching(goal, binding)
            case Conjunction(goals):
                yield from self._all_of(goals, binding)
            case Disjunction(goals):
                for inner in goals:
                    yield from self._solutions(inner, binding)
            case Negation(inner):
                if next(self._solutions(inner, binding), None) is None:
                    yield binding
            case TypeTest(variable, types):
                if binding[variable].type in types:
                    yield binding
            case Membership(term, values):
                for value in values:
                    yield from _unified(term, value, binding)
            case Comparison():
                yield from _compared(goal, binding)

    def _all_of(self, goals: tuple[Goal, ...], binding: Binding) -> Iterator[Binding]:
        if not goals:
            yield binding
            return
        for extended in self._solutions(goals[0], binding):
            yield from self._all_of(goals[1:], extended)

    def _matching(self, atom: Atom, binding: Binding) -> Iterator[Binding]:
        for fact in self._candidates(atom, binding):
            self.spend()
            bindings = [binding]
            for term, value in zip(atom.args, fact.args, strict=True):
                bindings = [wider for b in bindings for wider in _unified(term, value, b)]
            yield from bindings

    def _candidates(self, atom: Atom, binding: Binding) -> list[Fact]:
        """Return the facts of the atom's predicate, those with one of its known values if it has any."""
        key: tuple[object, ...] = (atom.predicate, len(atom.args))
        known: list[tuple[object, ...]] = [
            (*key, position, binding[term] if isinstance(term, Variable) else term)
            for position, term in enumerate(atom.args)
            if not isinstance(term, Variable) or term in binding
        ]
        return min((self._index.get(k, []) for k in known or [key]), key=len)


def _unified(term: Term, value: Value, binding: Binding) -> Iterator[Binding]:
    """Yield the binding under which `term` is `value`, if there is one."""
    if not isinstance(term, Variable):
        if term == value:
            yield binding
    elif term not in binding:
        yield {**binding, term: value}
    elif binding[term] == value:
        yield binding


def _compared(comparison: Comparison, binding: Binding) -> Iterator[Binding]:
    left, right = comparison.left, comparison.right
    if comparison.operator == "=":
        if isinstance(left, Variable) and left not in binding:
            left, right = right, left
        yield from _unified(right, _value(left, binding), binding)
        return
    first, second = _value(left, binding), _value(right, binding)
    if comparison.operator == "!=":
        holds = first != second
    else:
        holds = _ORDERINGS[comparison.operator](int(first.id), int(second.id))
    if holds:
        yield binding


def _value(term: Term, binding: Binding) -> Value:
    return binding[term] if isinstance(term, Variable) else term


def constants(node: Rule | Goal) -> set[Value]:
    """Return the values that `node` names."""
    match node:
        case Rule(head, body):
            return constants(head) | constants(body)
        case Atom(_, args):
            return {arg for arg in args if isinstance(arg, Value)}
        case Comparison(_, left, right):
            return {term for term in (left, right) if isinstance(term, Value)}
        case Membership(_, values):
            return set(values)
        case Negation(inner):
            return constants(inner)
        case Conjunction(goals) | Disjunction(goals):
            return set().union(*map(constants, goals))
        case _:
            return set()
