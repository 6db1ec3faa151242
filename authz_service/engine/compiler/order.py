"""Order: in which order the conditions of a rule are looked at, given which arguments are bound.

First what binds most for least: tests, look-ups of one fact, what binds few variables, and last what uses the
relation itself. A variable that only a call binds must be one that the called relation limits.

In a list, conditions must start from what is bound, or all facts would be looked at: what has
nothing to do with a bound variable comes last. And a rule that makes answers of answers begins with these, so
that each new one leads to the next.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

from authz_service.engine.compiler.limits import Limits
from authz_service.engine.compiler.rule_program import (
    Relation,
    RuleProgram,
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

MAX_LOOPS = 15
"""Python allows 20 blocks inside of each other; the conditions behind so many loops go elsewhere."""


class Orderer:
    """Puts the conditions of rules in order."""

    def __init__(self, program: RuleProgram, *, is_list: bool) -> None:
        self._circles = program.circles()
        self._is_list = is_list
        self._open = open_positions(program)
        self._limits = Limits(program)
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
        cost_of = self._cost if pattern.is_check else self._list_cost
        args = zip(head_of(rule), relation.params, pattern.bound, strict=True)
        given = {variable: types for variable, types, is_bound in args if is_bound}
        left = [goal for goal in goals_of(rule) if not _is_decided(goal, given)]
        scope = _Scope(rule, left, {*given, CURRENT_TIME})
        while left:
            costs = [
                (cost, index)
                for index, goal in enumerate(left)
                if (cost := cost_of(goal, scope, relation)) is not None
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
                if not self._can_be_called(Pattern(goal.predicate, bound)):
                    return None
                is_own = self._circles[goal.predicate] == self._circles[relation.name]
                if all(bound):
                    return 12 if is_own else 4
                return 10 if is_own else 9
            case _:
                raise AssertionError(goal)

    def _can_be_called(self, pattern: Pattern) -> bool:
        if self._is_list:
            return pattern.is_check or not self._limits.unlimited(pattern)
        return all(pattern.bound[position] for position in self._open[pattern.relation])

    def _list_cost(self, goal: Goal, scope: "_Scope", relation: Relation) -> int | None:
        """Return what `_cost` does, for a list."""
        cost = self._cost(goal, scope, relation)
        if cost is None or cost <= _LAST_TEST or not isinstance(goal, Atom):
            return cost
        bound = scope.bound_args(goal)
        if not any(bound):
            return cost + _UNTIED
        return _LAST_TEST if scope.asks_the_same(goal, bound) else cost

    def _is_stored(self, goal: Goal) -> bool:
        return isinstance(goal, Atom) and goal.predicate not in self.relations

    def _has_literal(self, atom: Atom) -> bool:
        return any(not isinstance(arg, Variable) for arg in atom.args)


_LAST_TEST = 5
_UNTIED = 20


class _Scope:
    """What is bound so far in a rule, and which variables each condition shares with others."""

    def __init__(self, rule: Rule, goals: Sequence[Goal], bound: set[Variable]) -> None:
        self.bound = bound
        self._rule = rule
        self._given = frozenset(bound)
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

    def asks_the_same(self, atom: Atom, bound: tuple[bool, ...]) -> bool:
        """Say whether `atom` asks what the rule is asked, so that the rule makes answers of answers."""
        own = head_of(self._rule)
        return atom.predicate == self._rule.head.predicate and all(
            arg == asked if is_bound else asked not in self._given
            for arg, asked, is_bound in zip(atom.args, own, bound, strict=True)
        )

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
