"""Plans: rule programs made ready to run, with an order of conditions and a way for recursion to end.

A procedure is a relation asked with some of its arguments bound. It answers yes or no if all are, else with the
values of the others. Conditions are looked at in the order that binds most for least: tests first, look-ups
of one fact, what binds few variables, and last what uses the procedure itself.

How a procedure ends (`Strategy`):

    STRAIGHT  it does not use itself: loops over facts
    WALK      it uses itself only as the last condition of a rule, whose answers are its own: a list of the
              arguments still to try and a set of those tried
    TABLED    all other recursion: each call has a table of answers, and waits for those of others
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, replace
from enum import Enum
from typing import NamedTuple

from authz_service.engine.compiler.merge import merged
from authz_service.engine.compiler.rule_program import (
    Relation,
    RuleProgram,
    canonical,
    goals_of,
    head_of,
    with_goals,
)
from authz_service.engine.compiler.steps import Pattern, PlannedRule, Step
from authz_service.errors import EngineUnsupported
from authz_service.polar.goals import (
    CURRENT_TIME,
    Atom,
    Comparison,
    Goal,
    Membership,
    Negation,
    Rule,
    TypeTest,
    Variable,
    variables,
)
from authz_service.polar.graphs import components

MAX_LOOPS = 15
"""Python allows 20 blocks inside of each other; the conditions behind so many loops go elsewhere."""

MAX_PLAIN = 4
"""A procedure in which calls are no deeper may be called again and again without a table of its answers."""

MAX_DEPTH = 150
"""So many procedures may call each other one inside of the other; each takes a few frames of Python."""


class Strategy(Enum):
    """How a procedure comes to its end."""

    STRAIGHT = "straight"
    WALK = "walk"
    TABLED = "tabled"


@dataclass(frozen=True, slots=True)
class Procedure:
    """How the answers for one pattern are found.

    Procedures that use each other have the same `group`; `is_repeated` says that one question may call it
    many times.
    """

    pattern: Pattern
    relation: Relation
    rules: tuple[PlannedRule, ...]
    strategy: Strategy
    group: int
    is_repeated: bool

    @property
    def further(self) -> tuple[PlannedRule, ...]:
        """The rules of a walk that go on to other arguments."""
        return tuple(p for p in self.rules if p.steps and p.steps[-1].calls == self.pattern)

    @property
    def moving(self) -> tuple[int, ...]:
        """The positions of the bound arguments that change on a walk."""
        return tuple(
            index
            for index, is_bound in enumerate(self.pattern.bound)
            if is_bound and any(_moves(planned, index) for planned in self.further)
        )

    @property
    def ways(self) -> "Ways | None":
        """How a walk goes on, if that depends on nothing but facts about the one argument that changes."""
        if len(self.moving) != 1 or not self.pattern.is_check:
            return None
        [moving] = self.moving
        edges: set[tuple[str, int]] = set()
        signature: list[object] = []
        for planned in self.further:
            before = planned.steps[:-1]
            here, last = head_of(planned.rule)[moving], planned.steps[-1].goal
            known = {here, *_fresh(before)}
            assert isinstance(last, Atom)
            # A walk can also go on to one of the arguments that stay, which other questions have others of.
            is_own = last.args[moving] in known and all(_is_about(step, known) for step in before)
            if not is_own:
                return None
            there = Atom("", (last.args[moving],), last.span)
            edges |= {step.goal.key for step in before if isinstance(step.goal, Atom)}
            signature.append(tuple(canonical([here], [*(step.goal for step in before), there])))
        return Ways(frozenset(edges), tuple(signature))


class Ways(NamedTuple):
    """The facts along which a walk goes, and how; equal for walks that reach the same from everywhere."""

    edges: frozenset[tuple[str, int]]
    signature: tuple[object, ...]


@dataclass(frozen=True, slots=True)
class Plan:
    """The procedures that one kind of question needs, those that others call first; the last is asked."""

    procedures: Mapping[Pattern, Procedure]
    entry: Pattern


def plan(program: RuleProgram, bound: tuple[bool, ...]) -> Plan:
    """Return how the entry of `program` is answered with these arguments bound.

    Raises EngineUnsupported if procedures would call each other too deep.
    """
    entry = Pattern(program.entry, bound)
    planner = _Planner(program)
    waiting = [entry]
    rules: dict[Pattern, tuple[PlannedRule, ...]] = {}
    while waiting:
        pattern = waiting.pop()
        if pattern not in rules:
            rules[pattern] = tuple(planner.rules(pattern))
            waiting.extend(called for called, _ in _calls(rules[pattern]))
    rules = merged(rules, entry)
    return Plan(_procedures(planner.relations, rules, entry), entry)


def _moves(planned: PlannedRule, index: int) -> bool:
    last = planned.steps[-1].goal
    assert isinstance(last, Atom)
    return last.args[index] != head_of(planned.rule)[index]


def _fresh(steps: Iterable[Step]) -> set[Variable]:
    """Return the variables that the steps give values to."""
    return {variable for step in steps for variable in variables(step.goal) - step.known}


def _is_about(step: Step, known: AbstractSet[Variable]) -> bool:
    """Say whether the step looks up facts, or tests types, of `known` variables only."""
    is_plain = step.calls is None and isinstance(step.goal, Atom | TypeTest)
    return is_plain and variables(step.goal) <= known


def _procedures(
    relations: Mapping[str, Relation],
    rules: Mapping[Pattern, tuple[PlannedRule, ...]],
    entry: Pattern,
) -> dict[Pattern, Procedure]:
    patterns = list(rules)
    numbers = {pattern: number for number, pattern in enumerate(patterns)}
    edges = [[numbers[called] for called, _ in _calls(rules[pattern])] for pattern in patterns]
    groups = [[patterns[number] for number in group] for group in components(edges)]
    depth = _depth(groups, rules)
    repeated = _repeated(groups, rules, entry)
    found: dict[Pattern, Procedure] = {}
    for number, group in enumerate(groups):
        strategy = _strategy(group, rules)
        for pattern in group:
            chosen = strategy
            if strategy is Strategy.STRAIGHT and pattern in repeated and depth[pattern] > MAX_PLAIN:
                # Else the same call could be made again on each of many ways to it.
                chosen = Strategy.TABLED
            relation = relations[pattern.relation]
            found[pattern] = Procedure(
                pattern, relation, rules[pattern], chosen, number, pattern in repeated
            )
    return found


def _strategy(
    group: Sequence[Pattern], rules: Mapping[Pattern, tuple[PlannedRule, ...]]
) -> Strategy:
    members = set(group)
    used = [rule for pattern in group for rule in rules[pattern] if _uses(rule, members)]
    if not used:
        return Strategy.STRAIGHT
    is_walk = len(group) == 1 and all(_passes_answers_on(rule, group[0]) for rule in used)
    return Strategy.WALK if is_walk else Strategy.TABLED


def _uses(rule: PlannedRule, members: AbstractSet[Pattern]) -> bool:
    return any(step.calls in members for step in rule.steps)


def _passes_answers_on(planned: PlannedRule, pattern: Pattern) -> bool:
    """Say whether the rule's last condition alone calls `pattern`, for exactly the rule's own answers."""
    *before, last = planned.steps
    if last.calls != pattern or any(step.calls == pattern for step in before):
        return False
    assert isinstance(last.goal, Atom)
    free = [index for index, is_bound in enumerate(pattern.bound) if not is_bound]
    head = planned.rule.head.args
    given = set().union(*(variables(step.goal) for step in before))
    return all(last.goal.args[i] == head[i] and head[i] not in given for i in free)


def _calls(rules: Sequence[PlannedRule]) -> Iterator[tuple[Pattern, bool]]:
    """Yield the procedures that are called, and whether that is inside of a loop."""
    for rule in rules:
        for step in rule.steps:
            if step.calls is not None:
                yield step.calls, step.in_loop


def _repeated(
    groups: Sequence[Sequence[Pattern]],
    rules: Mapping[Pattern, tuple[PlannedRule, ...]],
    entry: Pattern,
) -> set[Pattern]:
    """Return the procedures that one question may call more than once from outside."""
    times = dict.fromkeys(rules, 0)
    times[entry] = 1
    for group in reversed(groups):
        members = set(group)
        is_circle = any(_uses(rule, members) for pattern in group for rule in rules[pattern])
        often = is_circle or any(times[pattern] > 1 for pattern in group)
        for pattern in group:
            for called, in_loop in _calls(rules[pattern]):
                if called not in members:
                    times[called] += 2 if often or in_loop else 1
    return {pattern for pattern, count in times.items() if count > 1}


def _depth(
    groups: Sequence[Sequence[Pattern]], rules: Mapping[Pattern, tuple[PlannedRule, ...]]
) -> dict[Pattern, int]:
    """Return how many procedures call each other inside of each one, itself included."""
    depth: dict[Pattern, int] = {}
    for group in groups:
        below = [depth.get(called, 0) for pattern in group for called, _ in _calls(rules[pattern])]
        depth.update(dict.fromkeys(group, 1 + max(below, default=0)))
        if depth[group[0]] > MAX_DEPTH:
            raise EngineUnsupported(
                f"the rules behind `{group[0].relation}` build on each other more than {MAX_DEPTH} "
                "levels deep"
            )
    return depth


class _Planner:
    """Puts the conditions of rules in order."""

    def __init__(self, program: RuleProgram) -> None:
        self._circles = program.circles()
        self._open = open_positions(program)
        self.relations = dict(program.relations)

    def rules(self, pattern: Pattern) -> Iterator[PlannedRule]:
        """Yield the rules of a relation, for what `pattern` binds."""
        relation = self.relations[pattern.relation]
        planned = [
            PlannedRule(
                rule, self._short(rule, relation, list(self._ordered(rule, relation, pattern)))
            )
            for rule in relation.rules
        ]
        yield from sorted(planned, key=_effort)

    def _short(self, rule: Rule, relation: Relation, steps: list[Step]) -> tuple[Step, ...]:
        """Return `steps`, or if these bind too often some of them and a relation for the others."""
        binding = [index for index, step in enumerate(steps) if step.binds]
        if len(binding) <= MAX_LOOPS:
            return tuple(steps)
        first, others = steps[: binding[MAX_LOOPS]], steps[binding[MAX_LOOPS] :]
        before = set(head_of(rule)).union(*(variables(step.goal) for step in first))
        inside: set[Variable] = set().union(*(variables(step.goal) for step in others))
        shared = sorted(before & inside - {CURRENT_TIME}, key=lambda variable: variable.name)
        name = f"{relation.name} rest {len(self.relations)}"
        atom = Atom(name, tuple(shared), rule.span)
        rest = replace(with_goals(rule, (step.goal for step in others)), head=atom)
        self.relations[name] = Relation(name, tuple(rule.types[v] for v in shared), (rest,))
        self._circles[name] = self._circles[relation.name]
        self._open[name] = set()
        known = others[0].known
        calls = Pattern(name, tuple(variable in known for variable in shared))
        return (*first, Step(atom, calls, known, others[0].in_loop))

    def _ordered(self, rule: Rule, relation: Relation, pattern: Pattern) -> Iterator[Step]:
        """Yield the conditions as they are looked at, without tests that the types of arguments decide."""
        args = zip(head_of(rule), relation.params, pattern.bound, strict=True)
        given = {variable: types for variable, types, is_bound in args if is_bound}
        left = [goal for goal in goals_of(rule) if not _is_decided(goal, given)]
        scope = _Scope(rule, left, {*given, CURRENT_TIME})
        while left:
            costs = [
                (cost, index)
                for index, goal in enumerate(left)
                if (cost := self._cost(goal, scope, relation)) is not None
            ]
            if not costs:
                raise EngineUnsupported(f"no order was found for the conditions of {rule.head}")
            step = self._step(left.pop(min(costs)[1]), scope)
            yield step
            scope.bind(step)

    def _step(self, goal: Goal, scope: "_Scope") -> Step:
        atom = goal.goal if isinstance(goal, Negation) else goal
        calls = None
        if isinstance(atom, Atom) and atom.predicate in self.relations:
            calls = Pattern(atom.predicate, scope.bound_args(atom))
        return Step(goal, calls, frozenset(scope.bound), scope.in_loop)

    def _cost(self, goal: Goal, scope: "_Scope", relation: Relation) -> int | None:  # noqa: C901
        """Return how early the condition should be looked at, or None if it cannot be yet."""
        is_bound = scope.binds_all(goal)
        match goal:
            case Comparison("=", left, right) if not is_bound:
                return 1 if scope.is_known(left) or scope.is_known(right) else None
            case Comparison() | TypeTest() | Negation(Comparison() | TypeTest() | Membership()):
                return 0 if is_bound else None
            case Membership():
                return 0 if is_bound else 6
            case Negation(inner):
                if not scope.binds_shared(inner):
                    return None
                return 3 if self._is_stored(inner) else 5
            case Atom() if self._is_stored(goal):
                if is_bound or scope.binds_shared(goal):
                    return 2
                return 7 if any(scope.bound_args(goal)) or self._has_literal(goal) else 11
            case Atom():
                bound = scope.bound_args(goal)
                if any(not bound[i] for i in self._open[goal.predicate]):
                    return None
                is_own = self._circles[goal.predicate] == self._circles[relation.name]
                if all(bound):
                    return 12 if is_own else 4
                return 10 if is_own else 9
            case _:
                raise AssertionError(goal)

    def _is_stored(self, goal: Goal) -> bool:
        return isinstance(goal, Atom) and goal.predicate not in self.relations

    def _has_literal(self, atom: Atom) -> bool:
        return any(not isinstance(arg, Variable) for arg in atom.args)


class _Scope:
    """What is bound so far in a rule, and which variables each condition shares with others."""

    def __init__(self, rule: Rule, goals: Sequence[Goal], bound: set[Variable]) -> None:
        self.bound = bound
        self.in_loop = False
        self._uses: dict[Variable, int] = {}
        for goal in (rule.head, *goals):
            for variable in variables(goal):
                self._uses[variable] = self._uses.get(variable, 0) + 1

    def bind(self, step: Step) -> None:
        self.in_loop = self.in_loop or step.binds
        if not isinstance(step.goal, Negation):
            self.bound |= variables(step.goal)

    def is_known(self, term: object) -> bool:
        return not isinstance(term, Variable) or term in self.bound

    def binds_all(self, goal: Goal) -> bool:
        return variables(goal) <= self.bound

    def binds_shared(self, goal: Goal) -> bool:
        """Say whether all that is unbound occurs here only."""
        return all(self._uses[variable] == 1 for variable in variables(goal) - self.bound)

    def bound_args(self, atom: Atom) -> tuple[bool, ...]:
        return tuple(self.is_known(arg) and isinstance(arg, Variable) for arg in atom.args)


def _is_decided(goal: Goal, given: Mapping[Variable, frozenset[str]]) -> bool:
    """Say whether the goal tests a given argument for types of which it always is."""
    return isinstance(goal, TypeTest) and given.get(goal.variable, _NO_TYPE) <= goal.types


_NO_TYPE = frozenset({""})


def _effort(planned: PlannedRule) -> tuple[int, int]:
    """Return how much work a rule is, compared with others: cheap ones come first."""
    loops = sum(step.binds for step in planned.steps)
    calls = sum(step.calls is not None for step in planned.steps)
    return loops + 2 * calls, len(planned.steps)


def open_positions(program: RuleProgram) -> dict[str, set[int]]:
    """Return the positions of each relation that some rule leaves unbound: they must be bound in a call."""
    found: dict[str, set[int]] = {name: set() for name in program.relations}
    order = program.bottom_up()
    is_settled = False
    while not is_settled:
        is_settled = True
        for name in order:
            for rule in program.relations[name].rules:
                bound = _bound_by(rule, found)
                opened = {i for i, arg in enumerate(rule.head.args) if arg not in bound}
                if not opened <= found[name]:
                    found[name] |= opened
                    is_settled = False
    return found


def _bound_by(rule: Rule, opened: Mapping[str, set[int]]) -> set[Variable]:
    """Return the variables that have finitely many values once the body holds, in whatever order."""
    bound = {CURRENT_TIME}
    equations: list[Comparison] = []
    for goal in goals_of(rule):
        match goal:
            case Atom(predicate, args):
                free = {args[i] for i in opened.get(predicate, ())}
                bound |= {arg for arg in args if isinstance(arg, Variable)} - free
            case Membership(Variable() as term):
                bound.add(term)
            case Comparison("="):
                equations.append(goal)
            case _:
                continue
    size = -1
    while size != len(bound):
        size = len(bound)
        for equation in equations:
            sides = (equation.left, equation.right)
            if any(not isinstance(side, Variable) or side in bound for side in sides):
                bound |= variables(equation)
    return bound
