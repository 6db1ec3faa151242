"""Rules to rules whose bodies are flat: what stands under `or`, and what `not` denies, gets a name of its own.

A rule of the policy is in a safe order. An `or` in it becomes a new predicate about the variables that it
shares with the rest, with a rule for each branch:

    p(x) if q(x, y) and (r(y) or s(x))    p(x) if q(x, y) and either-1(x, y)
                                          either-1(x, y) if r(y)    either-1(x, y) if s(x)

If a branch binds a variable for what follows and another does not, what follows goes into the branches,
under a name as well, so that nothing is written twice. The size of the result is linear in that of the
rule times its nesting.
"""

from collections import deque
from collections.abc import Iterable, Sequence
from collections.abc import Set as AbstractSet

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
from authz_service.polar.source import Span


def normalise(rules: Iterable[Rule]) -> list[Rule]:
    """Return rules with flat bodies that derive the same facts, and helping ones with new predicates."""
    normaliser = _Normaliser()
    for rule in rules:
        normaliser.add(rule)
    return normaliser.found


class _Normaliser:
    def __init__(self) -> None:
        self.found: list[Rule] = []
        self._number = 0

    def add(self, rule: Rule) -> None:
        self._add(rule.head, [rule.body], set(rule.open), rule)

    def _add(
        self, head: Atom, goals: Iterable[Goal], bound: AbstractSet[Variable], origin: Rule
    ) -> None:
        """Add the rule that `head` holds if `goals` do, given what is bound before."""
        known = {*bound, CURRENT_TIME}
        done: list[Goal] = []
        waiting = deque(goals)
        while waiting:
            match goal := waiting.popleft():
                case Conjunction(inner):
                    waiting.extendleft(reversed(inner))
                case Disjunction((only,)):
                    waiting.appendleft(only)
                case Disjunction(branches):
                    outside = _all_variables([head, *done, *waiting])
                    shared = variables(goal) & outside - {CURRENT_TIME}
                    if not branches:
                        return
                    if shared - known <= _bound_by_all(branches, known):
                        atom = self._named(shared, "either", goal.span)
                        for branch in branches:
                            self._add(atom, [branch], shared & known, origin)
                    else:
                        atom = self._branches_with(
                            head, branches, done, list(waiting), known, origin
                        )
                        waiting.clear()
                    done.append(atom)
                    known |= variables(atom)
                case Negation(inner):
                    outside = _all_variables([head, *done, *waiting])
                    done.append(Negation(self._denied(inner, outside, origin), goal.span))
                case _:
                    done.append(goal)
                    known = _bound_after(goal, known)
        self.found.append(_rule(head, done, origin))

    def _branches_with(
        self,
        head: Atom,
        branches: Sequence[Goal],
        done: Sequence[Goal],
        rest: Sequence[Goal],
        known: AbstractSet[Variable],
        origin: Rule,
    ) -> Atom:
        """Return an atom for "one of `branches`, and then `rest`"; `head` and `done` stand before it."""
        inside = _all_variables([*branches, *rest])
        before = _all_variables([head, *done]) - {CURRENT_TIME}
        atom = self._named(before & inside, "either", branches[0].span)
        shared = (before | _all_variables(branches)) & _all_variables(rest) - {CURRENT_TIME}
        after = self._named(shared, "rest", branches[0].span)
        self._add(after, rest, variables(after) & (known | _bound_by_all(branches, known)), origin)
        for branch in branches:
            self._add(atom, [branch, after], variables(atom) & known, origin)
        return atom

    def _denied(self, goal: Goal, outside: AbstractSet[Variable], origin: Rule) -> Goal:
        if isinstance(goal, Conjunction) and len(goal.goals) == 1:
            return self._denied(goal.goals[0], outside, origin)
        shared = variables(goal) & outside - {CURRENT_TIME}
        is_test = isinstance(goal, Comparison | Membership | TypeTest)
        # A test of a variable of its own, as in `not x in ["a"]`, says that there is no value to find.
        if is_test and variables(goal) <= shared | {CURRENT_TIME}:
            return goal
        # Whoever asks whether there are any values at all must not find two where the same are meant.
        if isinstance(goal, Atom) and not _has_alike(goal, shared):
            return goal
        atom = self._named(shared, "denied", goal.span)
        self._add(atom, [goal], shared, origin)
        return atom

    def _named(self, args: AbstractSet[Variable], kind: str, span: Span) -> Atom:
        self._number += 1
        name = f"{kind}-{self._number}"  # no predicate of an author has a hyphen
        ordered: list[Variable] = sorted(args, key=_name)
        return Atom(name, tuple(ordered), span)


def _rule(head: Atom, goals: Sequence[Goal], origin: Rule) -> Rule:
    named = _all_variables([head, *goals])
    types: Types = {variable: origin.types[variable] for variable in named}
    return Rule(head, Conjunction(tuple(goals), origin.span), types, frozenset(), origin.span)


def _has_alike(atom: Atom, shared: AbstractSet[Variable]) -> bool:
    """Say whether a variable stands twice in the atom that is not `shared` with what is outside of it."""
    own = [arg for arg in atom.args if isinstance(arg, Variable) and arg not in shared]
    return any(own.count(arg) > 1 for arg in own if arg != CURRENT_TIME)


def _all_variables(goals: Iterable[Goal]) -> set[Variable]:
    return set().union(*map(variables, goals))


def _bound_by_all(branches: Sequence[Goal], bound: AbstractSet[Variable]) -> set[Variable]:
    return set.intersection(*(_bound_after(branch, bound) for branch in branches))


def _bound_after(goal: Goal, bound: AbstractSet[Variable]) -> set[Variable]:
    """Return what is bound once `goal` holds that was reached in a safe order."""
    match goal:
        case Atom() | Comparison() | Membership():
            return variables(goal) | bound
        case Conjunction(goals):
            known = set(bound)
            for inner in goals:
                known = _bound_after(inner, known)
            return known
        case Disjunction(goals) if goals:
            return _bound_by_all(goals, bound)
        case _:
            return set(bound)


def _name(variable: Variable) -> str:
    return variable.name
