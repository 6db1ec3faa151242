"""The rules that one kind of question can reach, ready to be followed step by step.

They are the author's rules, specialised for the types of the question and put into an order, but not
rewritten: each knows the place where it was written. The variables, literals and the time that occur in a rule
are numbered; a list with a slot for each is all that is needed to evaluate it.
"""

import weakref
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import Enum
from operator import attrgetter
from typing import Any

from authz_service.engine.compiled import compiled
from authz_service.engine.compiler.emit import emit
from authz_service.engine.compiler.order import Orderer
from authz_service.engine.compiler.plan import plan
from authz_service.engine.compiler.rewrites import rewritten
from authz_service.engine.compiler.rule_program import (
    STORED,
    RuleProgram,
    goals_of,
    head_of,
    substituted,
)
from authz_service.engine.compiler.steps import Pattern, PlannedRule, Step
from authz_service.engine.explain.lookups import Way, best_way
from authz_service.errors import EngineUnsupported
from authz_service.facts.access import AccessPath, Demand
from authz_service.facts.fact import Fact
from authz_service.facts.ids import Ids
from authz_service.facts.value import Value
from authz_service.polar.goals import (
    CURRENT_TIME,
    Atom,
    Comparison,
    Goal,
    Membership,
    Negation,
    Rule,
    Term,
    TypeTest,
    Variable,
    variables,
)
from authz_service.polar.matching import Arg
from authz_service.polar.source import Span

Check = Callable[..., bool]

Slots = list[Any]
"""An id for each slot, or None while it has none. The type does not say so: a cast is a call for each id."""


def _clear(namespaces: list[dict[str, Any]]) -> None:
    for namespace in namespaces:
        namespace.clear()


class Doing(Enum):
    """What a step does."""

    LOOK_UP = "look up"
    CALL = "call"
    TEST = "test"
    BIND = "bind"
    TRY_VALUES = "try values"


@dataclass(slots=True)
class NumberedStep:
    """A condition over slots. `slots` are those of its arguments, `fresh` the positions that it binds."""

    goal: Goal
    doing: Doing
    is_denied: bool
    slots: tuple[int, ...]
    fresh: tuple[int, ...]
    predicate: str = ""
    calls: Pattern | None = None
    way: Way | None = None
    call_args: tuple[int, ...] = ()
    call_free: tuple[int, ...] = ()
    values: tuple[Value, ...] = ()
    types: frozenset[str] = frozenset()
    operator: str = ""
    is_helped: bool = False
    """Whether what it calls stands for a part of the rule."""
    words: tuple[str | int, ...] = ()
    """What the condition says: text, and slots whose values stand in it."""

    start: int = field(init=False)
    """Where it stands in its source."""

    def __post_init__(self) -> None:
        self.start = self.goal.span.start

    @property
    def span(self) -> Span:
        return self.goal.span

    @property
    def has_alike(self) -> bool:
        """Whether a call leaves one value open at several places. What is denied never does (`normalise`)."""
        return len(set(self.call_free)) < len(self.call_free)


@dataclass(slots=True, eq=False)
class NumberedRule:
    """A rule for one pattern of bound arguments, which have the first slots; the others have `answer`."""

    pattern: Pattern
    rule: Rule
    answer: tuple[int, ...]
    steps: tuple[NumberedStep, ...]
    size: int
    literals: tuple[tuple[int, Value], ...]
    time_slot: int | None
    variables: Mapping[int, Variable] = field(repr=False)
    written: tuple[NumberedStep, ...] = field(repr=False)
    """The conditions in the order in which they were written."""
    binds: bool
    """Whether some condition gives values to variables."""
    is_stored: bool
    """Whether it stands for the facts themselves."""


class KindRules:
    """The rules for one kind of question. `demand` knows the indexes that there are."""

    def __init__(self, program: RuleProgram, demand: Demand) -> None:
        self.program = program
        self.entry = Pattern(program.entry, (True,) * len(program.relations[program.entry].params))
        self._orderer = Orderer(program, is_list=False)
        circles = program.circles()
        self._recursive = {n for n in program.relations if program.is_recursive(n, circles)}
        self._checks: dict[str, Check | None] = {}
        self._namespaces: list[dict[str, Any]] = []
        # A function and the globals of its module are a circle, which only a collection would find.
        weakref.finalize(self, _clear, self._namespaces)
        self._demand = demand
        self._rules: dict[Pattern, tuple[NumberedRule, ...]] = {}
        self._is_direct: dict[Pattern, bool] = {}
        self._templates: tuple[weakref.ref[Ids], dict[NumberedRule, Slots]] | None = None

    def rules(self, pattern: Pattern) -> tuple[NumberedRule, ...]:
        """Return the rules of a relation, cheap ones first. Raises EngineUnsupported if there is no order."""
        found = self._rules.get(pattern)
        if found is None:
            planned = self._orderer.rules(pattern)
            found = tuple(self._numbered(one, pattern) for one in planned)
            self._rules[pattern] = found
        return found

    def check(self, relation: str) -> "Check | None":
        """Return a compiled function that says whether the relation holds for some arguments.

        None if there cannot be one. It sees all facts, and knows no reasons.
        """
        if relation not in self._checks:
            self._checks[relation] = self._compiled(relation)
        return self._checks[relation]

    def is_recursive(self, relation: str) -> bool:
        return relation in self._recursive

    def is_direct(self, pattern: Pattern) -> bool:
        """Say whether it is a question of yes or no that compiled code answers, and does not use itself."""
        found = self._is_direct.get(pattern)
        if found is None:
            name = pattern.relation
            can_be = pattern.is_check and name not in self._recursive
            found = self._is_direct[pattern] = can_be and self.check(name) is not None
        return found

    def _compiled(self, relation: str) -> "Check | None":
        asked = self.program.relations.get(relation)
        if asked is None:
            return None
        bound = (True,) * len(asked.params)
        try:
            planned = plan(rewritten(replace(self.program, entry=relation)), bound)
        except EngineUnsupported:
            return None
        source = emit(planned, self._demand, relation)
        namespace = compiled(source, f"explained policy, {relation}").executed()
        self._namespaces.append(namespace)
        found: Check = namespace[source.entry]
        return found

    def _numbered(self, planned: PlannedRule, pattern: Pattern) -> NumberedRule:
        slots = _Slots()
        params = list(zip(head_of(planned.rule), pattern.bound, strict=True))
        for param, is_bound in params:
            if is_bound:
                slots.of(param)
        answer = tuple(slots.of(param) for param, is_bound in params if not is_bound)
        steps = tuple(self._step(step, slots) for step in planned.steps)
        return NumberedRule(
            pattern,
            planned.rule,
            answer,
            steps,
            len(slots.numbers),
            tuple((n, term) for term, n in slots.numbers.items() if isinstance(term, Value)),
            slots.numbers.get(CURRENT_TIME),
            {n: term for term, n in slots.numbers.items() if isinstance(term, Variable)},
            tuple(sorted(steps, key=attrgetter("start"))),
            any(step.fresh and not step.is_denied for step in steps),
            planned.rule.span == STORED,
        )

    def _step(self, step: Step, slots: "_Slots") -> NumberedStep:
        """Return the step; one that asks a relation of nothing but facts looks for these itself."""
        denied = isinstance(step.goal, Negation)
        goal = step.goal.goal if isinstance(step.goal, Negation) else step.goal
        if isinstance(goal, Atom):
            atom = self.as_stored(goal)
            if atom is not None:
                return _look_up(atom, step, slots, self._demand, is_denied=denied)
            is_helped = self.is_helper(goal.predicate)
            return _call(goal, step, slots, is_denied=denied, is_helped=is_helped)
        return _test(goal, step, slots, is_denied=denied)

    def as_stored(self, atom: Atom) -> Atom | None:
        """Return the atom about facts if no rule derives what `atom` asks for; else None."""
        relation = self._orderer.relations.get(atom.predicate)
        if relation is None:
            return atom
        if len(relation.rules) != 1 or relation.rules[0].span != STORED:
            return None
        goals = goals_of(relation.rules[0])
        if len(goals) != 1:
            return None
        terms = dict(zip(head_of(relation.rules[0]), atom.args, strict=True))
        stored = substituted(goals[0], terms)
        assert isinstance(stored, Atom)
        return Atom(stored.predicate, stored.args, atom.span)

    def templates(self, ids: Ids) -> dict["NumberedRule", Slots]:
        """Return what is kept of rules with the ids of their literals, for as long as these are of `ids`."""
        templates = self._templates
        if templates is None or templates[0]() is not ids:
            templates = self._templates = weakref.ref(ids), {}
        return templates[1]

    def is_helper(self, relation: str) -> bool:
        """Say whether no author named it: it stands for a part of a rule."""
        meaning = self.program.meanings.get(relation)
        return meaning is None or "-" in meaning[0]

    def fact(self, relation: str, args: Sequence[Value]) -> Fact:
        """Return the fact that a relation of the author holds for."""
        predicate, meant = self.program.meanings[relation]
        if len(meant) == len(args):
            return Fact(predicate, tuple(args))
        given = iter(args)
        return Fact(predicate, tuple([a if type(a) is Value else next(given) for a in meant]))

    def meaning(self, relation: str) -> tuple[str, tuple[Arg, ...]]:
        return self.program.meanings[relation]


class _Slots:
    def __init__(self) -> None:
        self.numbers: dict[Term, int] = {}

    def of(self, term: Term) -> int:
        return self.numbers.setdefault(term, len(self.numbers))


def _test(goal: Goal, step: Step, slots: _Slots, *, is_denied: bool) -> NumberedStep:
    match goal:
        case Comparison(operator, left, right):
            numbers = (slots.of(left), slots.of(right))
            unbound = variables(goal) - step.known
            fresh = (0,) if left in unbound else (1,) if right in unbound else ()
            doing = Doing.BIND if fresh else Doing.TEST
            return NumberedStep(step.goal, doing, is_denied, numbers, fresh, operator=operator)
        case Membership(term, values):
            is_fresh = isinstance(term, Variable) and term not in step.known and not is_denied
            doing, fresh = (Doing.TRY_VALUES, (0,)) if is_fresh else (Doing.TEST, ())
            number = (slots.of(term),)
            return NumberedStep(step.goal, doing, is_denied, number, fresh, values=values)
        case TypeTest(variable, types):
            number = (slots.of(variable),)
            return NumberedStep(step.goal, Doing.TEST, is_denied, number, (), types=types)
        case _:
            raise AssertionError(goal)


def _look_up(
    atom: Atom, step: Step, slots: _Slots, demand: Demand, *, is_denied: bool
) -> NumberedStep:
    numbers = tuple(map(slots.of, atom.args))
    fresh = tuple(
        at
        for at, arg in enumerate(atom.args)
        if isinstance(arg, Variable) and arg not in step.known
    )
    literals = {at: arg for at, arg in enumerate(atom.args) if isinstance(arg, Value)}
    known = frozenset(range(len(atom.args))).difference(fresh)
    way = best_way(demand, atom.predicate, len(atom.args), literals, known)
    if not fresh:
        way = way or Way("", None, is_loose=False)
    elif way is None or not _fixes(way, known):
        key = tuple(sorted(known.difference(literals)))
        path = AccessPath(atom.predicate, len(atom.args), tuple(literals.items()), key)
        way = Way.by(demand.name(path), path)
    return NumberedStep(
        step.goal, Doing.LOOK_UP, is_denied, numbers, fresh, predicate=atom.predicate, way=way
    )


def _fixes(way: Way, known: frozenset[int]) -> bool:
    """Say whether the way looks at no facts in vain that differ in what is known."""
    return way.path is not None and known.isdisjoint(way.members)


def _call(
    atom: Atom, step: Step, slots: _Slots, *, is_denied: bool, is_helped: bool
) -> NumberedStep:
    assert step.calls is not None
    numbers = tuple(map(slots.of, atom.args))
    bound = step.calls.bound
    free = tuple(at for at, is_bound in enumerate(bound) if not is_bound)
    return NumberedStep(
        step.goal,
        Doing.CALL,
        is_denied,
        numbers,
        free,
        predicate=atom.predicate,
        calls=step.calls,
        call_args=tuple(n for n, is_bound in zip(numbers, bound, strict=True) if is_bound),
        call_free=tuple(numbers[at] for at in free),
        is_helped=is_helped,
    )
