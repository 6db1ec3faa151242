"""Safety: every rule can be evaluated from what is bound, and its goals are put in such an order.

A rule with an open position (see `binding`) holds for every value of the type, so it cannot tell which
values to try. Hence a variable that occurs only in the body must be bound at a position that is not
open, by `=` or by `in`; and what stands under `not` must be bound outside of it, unless it occurs nowhere
else. With these rules, evaluating over the values that occur in facts, policy and question gives the
same decisions as evaluating over all values there could be.
"""

from collections import Counter, deque
from collections.abc import Sequence
from dataclasses import dataclass
from heapq import heappop, heappush

from authz_service.polar.binding import OpenArguments, Openness
from authz_service.polar.diagnostic import Diagnostic
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
    Types,
    TypeTest,
    Variable,
    variables,
)
from authz_service.polar.resolve import ResolvedRule


def order_rules(
    rules: Sequence[ResolvedRule], types: Sequence[Types], findings: list[Diagnostic]
) -> list[Rule]:
    """Return the safe rules with their goals in order; the others go to `findings`."""
    openness = Openness(rules, types)
    ordered: list[Rule] = []
    for index, (rule, rule_types) in enumerate(zip(rules, types, strict=True)):
        unbound = openness.heads[index]
        try:
            body = _order(
                rule.body,
                unbound | {CURRENT_TIME},
                variables(rule.head),
                openness.arguments_in(index),
            )
        except _Unsafe as unsafe:
            findings.append(_finding(unsafe, rule))
            continue
        ordered.append(Rule(rule.head, body, rule_types, unbound, rule.span))
    return ordered


@dataclass
class _Unsafe(Exception):
    goal: Goal
    unbound: frozenset[Variable]


def _order(
    goal: Goal,
    bound: frozenset[Variable] | set[Variable],
    outside: set[Variable],
    open_arguments: OpenArguments,
) -> Goal:
    """Return `goal` in a safe order, given what is bound before; `outside` are variables used elsewhere.

    Raises _Unsafe if there is none. Costs the size of the goal times its nesting: a goal is looked at
    again only when a variable that it waited for was bound.
    """
    context = _Context(goal, outside, open_arguments)
    for variable in variables(goal) & bound:
        context.bind(variable)
    if not context.advance():
        raise context.stuck()
    return context.result()


# Tests first, then what binds, alternatives and negations last; equal ones stay in source order.
_COST_OF_CHOICE = 3


def _cost(goal: Goal) -> int:
    match goal:
        case TypeTest() | Comparison():
            return 0
        case Membership():
            return 1
        case Atom():
            return 2
        case Negation():
            return 4
        case _:
            return _COST_OF_CHOICE


class _Context:
    """A conjunction on its way into an order: the whole body, a branch of an `or`, or what a `not` denies.

    Its branches are contexts of their own that keep how far they have come.
    """

    def __init__(self, goal: Goal, outside: set[Variable], open_arguments: OpenArguments) -> None:
        self.goal = goal
        self._goals = goal.goals if isinstance(goal, Conjunction) else (goal,)
        self._open_arguments = open_arguments
        self.bound: set[Variable] = set()
        self._ordered: list[Goal] = []
        self._ready: list[tuple[int, int]] = []
        self._waiting: dict[Variable, list[int]] = {}
        self._branches: dict[int, list[_Context]] = {}
        self._mentions: dict[Variable, list[tuple[int, _Context]]] = {}
        self._stuck_branches: dict[int, set[_Context]] = {}
        self._changed: deque[tuple[int, _Context]] = deque()
        self.is_waiting = False
        self.left = set(range(len(self._goals)))
        self._needs: list[set[Variable]] = []
        uses = Counter(variable for inner in self._goals for variable in variables(inner))
        self._shared = [
            {v for v in variables(inner) if v in outside or uses[v] > 1} for inner in self._goals
        ]
        for index in range(len(self._goals)):
            self._add(index)

    def bind(self, variable: Variable) -> None:
        """Take `variable` as bound from here on."""
        if variable in self.bound:
            return
        self.bound.add(variable)
        for index in self._waiting.pop(variable, ()):
            self._needs[index].discard(variable)
            if _is_equation(self._goals[index]):
                self._needs[index].clear()
            self._release(index)
        for index, branch in self._mentions.get(variable, ()):
            branch.bind(variable)
            self._changes(index, branch)

    def advance(self) -> bool:
        """Put into order what can be; say if that is everything."""
        while self._ready or self._changed:
            while self._ready and self._ready[0][0] < _COST_OF_CHOICE:
                self._take()
            while self._changed:
                index, branch = self._changed.popleft()
                branch.is_waiting = False
                if branch.advance():
                    self._stuck_branches[index].discard(branch)
                    self._release_choice(index)
            if self._ready:
                self._take()
        return not self.left

    def result(self) -> Goal:
        """Return the goals in their order. Only when `advance` has said that this is everything."""
        if isinstance(self.goal, Conjunction):
            return Conjunction(tuple(self._ordered), self.goal.span)
        return self._ordered[0]

    def stuck(self) -> _Unsafe:
        """Return the first goal that waits for a variable which no other waiting goal would bind."""
        hoped = {v for index in self.left for v in self._would_bind(index)}
        causes = [index for index in self.left if not self._needs[index] <= hoped]
        index = min(causes or self.left, key=lambda index: (_cost(self._goals[index]), index))
        for branch in self._branches.get(index, ()):
            if branch.left:
                return branch.stuck()
        needs = self._needs[index]
        return _Unsafe(self._goals[index], frozenset(needs - hoped or needs))

    def _would_bind(self, index: int) -> set[Variable]:
        goal = self._goals[index]
        if isinstance(goal, Atom | Disjunction) or _is_equation(goal):
            return variables(goal) - self._needs[index]
        return set()

    def _add(self, index: int) -> None:
        goal = self._goals[index]
        self._needs.append(self._needed(index))
        if isinstance(goal, Disjunction):
            contexts = [
                _Context(branch, self._shared[index], self._open_arguments) for branch in goal.goals
            ]
            self._branches[index] = contexts
            self._stuck_branches[index] = set(contexts)
            self._release_choice(index)
            for context in contexts:
                self._changes(index, context)
                for variable in variables(context.goal):
                    self._mentions.setdefault(variable, []).append((index, context))
            return
        for variable in self._needs[index]:
            self._waiting.setdefault(variable, []).append(index)
        self._release(index)

    def _needed(self, index: int) -> set[Variable]:
        """Return the variables without which the goal cannot be evaluated; of `=`, one will do."""
        goal = self._goals[index]
        match goal:
            case Atom():
                return self._open_arguments(goal)
            case Comparison("=", left, right):
                is_known = not (isinstance(left, Variable) and isinstance(right, Variable))
                return set() if is_known else variables(goal)
            case Membership() | Disjunction():
                return set()
            case Negation(inner):
                return variables(inner) & self._shared[index]
            case _:
                return variables(goal)

    def _changes(self, index: int, branch: "_Context") -> None:
        """Let `branch` of the alternatives `index` go on when its turn comes."""
        if not branch.is_waiting:
            branch.is_waiting = True
            self._changed.append((index, branch))

    def _release_choice(self, index: int) -> None:
        if not self._stuck_branches[index]:
            self._ready_once(index)

    def _release(self, index: int) -> None:
        if not self._needs[index]:
            self._ready_once(index)

    def _ready_once(self, index: int) -> None:
        if index in self.left:
            self.left.remove(index)
            heappush(self._ready, (_cost(self._goals[index]), index))

    def _take(self) -> None:
        _, index = heappop(self._ready)
        goal = self._goals[index]
        match goal:
            case Disjunction(_, span):
                branches = self._branches[index]
                goal = Disjunction(tuple(branch.result() for branch in branches), span)
                for variable in _bound_in_all(branches):
                    self.bind(variable)
            case Negation(inner, span):
                goal = Negation(
                    _order(inner, self.bound, self._shared[index], self._open_arguments), span
                )
            case TypeTest():
                pass
            case _:
                for variable in variables(goal):
                    self.bind(variable)
        self._ordered.append(goal)


def _bound_in_all(branches: Sequence[_Context]) -> set[Variable]:
    return set.intersection(*(branch.bound for branch in branches)) if branches else set()


def _is_equation(goal: Goal) -> bool:
    return isinstance(goal, Comparison) and goal.operator == "="


def _finding(unsafe: _Unsafe, rule: ResolvedRule) -> Diagnostic:
    variable = min(unsafe.unbound, key=lambda variable: variable.name)
    shown = "a value here" if variable.is_anonymous else f"`{variable.name}`"
    if f"@{variable.name}" == CURRENT_TIME.name:
        cure = f"the current time is written `{CURRENT_TIME.name}`"
    elif isinstance(unsafe.goal, Negation):
        cure = "use it in a condition outside of the `not`"
    else:
        cure = "use it in a condition on a stored fact, such as `has_relation(...)`"
    place = unsafe.goal.span if variable.is_anonymous else rule.places[variable]
    return Diagnostic("P401", f"nothing limits {shown} to finitely many values", place, cure)
