"""Safety: every rule can be evaluated from what is bound, and its goals are put in such an order.

A position of a predicate is *open* if some rule for it leaves the head variable there unbound, as in
`has_permission(_: User, "read", _: Organization);`. Such a rule holds for every value of the type,
so it cannot tell which values to try. Hence a variable that occurs only in the body must be bound
at a position that is not open, by `=` or by `in`; and what stands under `not` must be bound outside
of it, unless it occurs nowhere else. With these rules, evaluating over the values that occur in
facts, policy and question gives the same decisions as evaluating over all values there could be.
"""

from collections import Counter, deque
from collections.abc import Sequence
from dataclasses import dataclass
from heapq import heapify, heappop, heappush

from authz_service.polar.diagnostic import Diagnostic
from authz_service.polar.goals import (
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
    variables,
)
from authz_service.polar.infer import Types
from authz_service.polar.resolve import ResolvedRule, users_of

_Bound = frozenset[Variable]


def order_rules(
    rules: Sequence[ResolvedRule], types: Sequence[Types], findings: list[Diagnostic]
) -> list[Rule]:
    """Return the safe rules with their goals in order; the others go to `findings`."""
    heads = _Heads(rules, types)
    open_variables = _open_variables(rules, types, heads)
    ordered: list[Rule] = []
    for rule, rule_types, unbound in zip(rules, types, open_variables, strict=True):
        ordering = _Ordering(rule_types, heads)
        try:
            body = ordering.order(rule.body, unbound, variables(rule.head))
        except _Unsafe as unsafe:
            findings.append(_finding(unsafe, rule))
            continue
        ordered.append(Rule(rule.head, body, rule_types, unbound, rule.span))
    return ordered


class _Heads:
    """The rule heads of each predicate, and which of their positions are open so far."""

    def __init__(self, rules: Sequence[ResolvedRule], types: Sequence[Types]) -> None:
        self._by_predicate: dict[tuple[str, int], list[int]] = {}
        self._rules = rules
        self._types = types
        self.open: list[set[int]] = [set() for _ in rules]
        for index, rule in enumerate(rules):
            key = (rule.head.predicate, len(rule.head.args))
            self._by_predicate.setdefault(key, []).append(index)

    def open_arguments(self, atom: Atom, types: Types) -> set[Variable]:
        """Return the variables at positions that a rule which may derive `atom` leaves open."""
        found: set[int] = set()
        for index in self._by_predicate.get((atom.predicate, len(atom.args)), ()):
            if self.open[index] and may_match(
                atom, types, self._rules[index].head, self._types[index]
            ):
                found |= self.open[index]
        return {arg for position in found if isinstance(arg := atom.args[position], Variable)}


def may_match(atom: Atom, types: Types, head: Atom, head_types: Types) -> bool:
    """Say whether a fact derived by a rule with this head could be what `atom` asks for."""
    if atom.predicate != head.predicate or len(atom.args) != len(head.args):
        return False
    return all(
        left == right
        if not isinstance(left, Variable) and not isinstance(right, Variable)
        else not _types(left, types).isdisjoint(_types(right, head_types))
        for left, right in zip(atom.args, head.args, strict=True)
    )


def _types(term: Term, types: Types) -> frozenset[str]:
    return types[term] if isinstance(term, Variable) else frozenset({term.type})


def _open_variables(
    rules: Sequence[ResolvedRule], types: Sequence[Types], heads: _Heads
) -> list[_Bound]:
    """Return the head variables that each body does not bind: a fixpoint, for opening one may open more."""
    found: list[_Bound] = [frozenset()] * len(rules)
    users = users_of(rules)
    waiting = deque(range(len(rules)))
    while waiting:
        index = waiting.popleft()
        head, body = rules[index].head, rules[index].body
        found[index] = frozenset(variables(head) - _binds(body, types[index], heads, frozenset()))
        positions = {i for i, arg in enumerate(head.args) if arg in found[index]}
        if positions != heads.open[index]:
            heads.open[index] = positions
            waiting.extend(users.get((head.predicate, len(head.args)), ()))
    return found


def _binds(goal: Goal, types: Types, heads: _Heads, bound: _Bound) -> _Bound:
    """Return the variables that are bound after `goal`, given those bound before."""
    match goal:
        case Atom():
            # A variable that stands at an open position too, as in `p(x, x)`, is not bound by it:
            # an engine that asks for `p` would have to know `x` before.
            return bound | (variables(goal) - heads.open_arguments(goal, types))
        case Comparison("=", left, right):
            if _is_bound(left, bound) or _is_bound(right, bound):
                return bound | variables(goal)
            return bound
        case Membership(Variable() as term):
            return bound | {term}
        case Conjunction(goals):
            while True:
                after = bound
                for inner in goals:
                    after = _binds(inner, types, heads, after)
                if after == bound:
                    return bound
                bound = after
        case Disjunction(goals):
            branches = [_binds(inner, types, heads, bound) for inner in goals]
            return branches[0].intersection(*branches[1:])
        case _:
            return bound


def _is_bound(term: Term, bound: _Bound) -> bool:
    return not isinstance(term, Variable) or term in bound


@dataclass
class _Unsafe(Exception):
    goal: Goal
    unbound: frozenset[Variable]


@dataclass
class _Ordering:
    """Orders the goals of one rule."""

    types: Types
    heads: _Heads

    def order(self, goal: Goal, bound: _Bound, outside: set[Variable]) -> Goal:
        """Return `goal` with its conjunctions in a safe order; `outside` are variables used elsewhere."""
        match goal:
            case Conjunction():
                return self._order_conjunction(goal, bound, outside)
            case Disjunction(goals, span):
                return Disjunction(tuple(self.order(g, bound, outside) for g in goals), span)
            case Negation(inner, span):
                needed = variables(inner) & outside - bound
                if needed:
                    raise _Unsafe(goal, frozenset(needed))
                return Negation(self.order(inner, bound, outside), span)
            case _:
                needed = self._needed(goal, bound)
                if needed:
                    raise _Unsafe(goal, frozenset(needed))
                return goal

    def _order_conjunction(
        self, conjunction: Conjunction, bound: _Bound, outside: set[Variable]
    ) -> Goal:
        goals = conjunction.goals
        uses = Counter(variable for goal in goals for variable in variables(goal))
        ready = [(_cost(goal), index) for index, goal in enumerate(goals)]
        heapify(ready)
        waiting: dict[Variable, list[int]] = {}
        stuck: dict[int, _Unsafe] = {}
        ordered: list[Goal] = []
        while ready:
            _, index = heappop(ready)
            goal = goals[index]
            shared = {v for v in variables(goal) if v in outside or uses[v] > 1}
            try:
                ordered.append(self.order(goal, bound, shared))
            except _Unsafe as unsafe:
                stuck[index] = unsafe
                for variable in unsafe.unbound:
                    waiting.setdefault(variable, []).append(index)
                continue
            after = _binds(goal, self.types, self.heads, bound)
            for variable in after - bound:
                for other in waiting.pop(variable, ()):
                    if stuck.pop(other, None) is not None:
                        heappush(ready, (_cost(goals[other]), other))
            bound = after
        if stuck:
            raise stuck[min(stuck, key=lambda index: (_cost(goals[index]), index))]
        return Conjunction(tuple(ordered), conjunction.span)

    def _needed(self, goal: Goal, bound: _Bound) -> set[Variable]:
        """Return the unbound variables without which the leaf `goal` cannot be evaluated."""
        match goal:
            case Atom():
                return self.heads.open_arguments(goal, self.types) - bound
            case Comparison("=", left, right):
                if _is_bound(left, bound) or _is_bound(right, bound):
                    return set()
                return variables(goal)
            case Membership():
                return set()
            case _:
                return variables(goal) - bound


def _cost(goal: Goal) -> int:
    """Tests first, then what binds, negations last; equal ones stay in source order."""
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
            return 3


def _finding(unsafe: _Unsafe, rule: ResolvedRule) -> Diagnostic:
    name = min(variable.name for variable in unsafe.unbound)
    shown = "a value here" if name.startswith("_") else f"`{name}`"
    if isinstance(unsafe.goal, Negation):
        cure = "use it in a condition outside of the `not`"
    else:
        cure = "use it in a condition on a stored fact, such as `has_relation(...)`"
    place = rule.places[Variable(name)] if not name.startswith("_") else unsafe.goal.span
    return Diagnostic("P401", f"nothing limits {shown} to finitely many values", place, cure)
