"""Differences: the values of an argument for which a relation says other than for one that occurs nowhere.

A relation can hold for every value of a type: everybody reads a public document but those who are banned.
These values cannot be listed; but all that occur neither in facts nor in policy and question, the strangers,
are alike. So a list is what holds for a stranger, and the values that differ from it. `differing` derives
these and perhaps some more, `certain` some values for which the relation holds for sure.

Be x the argument and s a stranger. If R(x) holds and R(s) does not, with the same other arguments, then some
rule of R holds with x, but not with s in place of x. Of its conditions take the first that fails for s. Those
before it hold for s, those that are not about x hold, and it differs itself. If R(s) holds and R(x) does not,
the same is true of a rule that holds with s. So R differs only where, for some rule and condition, the
condition differs and the others hold that were named (induction on strata, and on the number of rules behind
what holds):

    R(x) if f(x, y) and not N(x) and M(y)     D_R(s, x) if f(s, y) and D_N(s, x) and M(y)

A rule that limits x to values of facts or policy never holds for s, so it is a rule of D_R as it is. A
variable that nothing limits can have the value s itself, by way of x; then it is x, in a second copy of the
rule.
"""

from collections.abc import Callable, Iterator, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import replace
from itertools import chain, combinations
from typing import TypeGuard

from authz_service.engine.compiler.limits import Limits
from authz_service.engine.compiler.rule_program import (
    Relation,
    RuleProgram,
    goals_of,
    head_of,
    substituted,
    with_goals,
)
from authz_service.engine.compiler.steps import Pattern
from authz_service.errors import EngineUnsupported
from authz_service.polar.goals import (
    Atom,
    Comparison,
    Conjunction,
    Goal,
    Membership,
    Negation,
    Rule,
    TypeTest,
    Variable,
    variables,
)

MAX_UNLIMITED = 3
"""A rule with more variables that nothing limits would have too many copies."""

_STRANGER = Variable("stranger#")

_Places = frozenset[int]
_Key = tuple[str, _Places]


def is_open(program: RuleProgram, position: int) -> bool:
    """Say whether the entry can hold for every value of the argument at `position`, given the others."""
    return _is_open(Limits(program), program, program.entry, frozenset({position}))


def _is_open(limits: Limits, program: RuleProgram, name: str, places: _Places) -> bool:
    """Say whether the relation can hold for any value at all of `places`, given the other arguments."""
    bound = (place not in places for place, _ in enumerate(program.relations[name].params))
    return places <= limits.unlimited(Pattern(name, tuple(bound)))


def differing(program: RuleProgram, position: int) -> RuleProgram:
    """Return a program for the values of which the entry, open there, says other than of a stranger.

    Its entry has the arguments stranger, value, and the others in their order. Best after the rewrites, which
    leave few variables that nothing limits. Raises EngineUnsupported.
    """
    return _closed_under(program, position, _Differences(program).relation)


def certain(program: RuleProgram, position: int) -> RuleProgram:
    """Return a program whose entry holds only if that of `program` does, and for values that occur."""
    return _closed_under(program, position, _Certain(program).relation)


def _closed_under(
    program: RuleProgram, position: int, made_of: Callable[[_Key], tuple[Relation, list[_Key]]]
) -> RuleProgram:
    """Return the program with what is made of its entry as its entry, and all that this needs."""
    entry = program.entry, frozenset({position})
    waiting = [entry]
    made: dict[_Key, Relation] = {}
    while waiting:
        key = waiting.pop()
        if key not in made:
            made[key], needed = made_of(key)
            waiting += needed
    return replace(program.with_relations(made.values()), entry=made[entry].name)


class _Differences:
    """For relations and places at which one and the same value stands: where they differ from a stranger."""

    def __init__(self, program: RuleProgram) -> None:
        self._program = program
        self._limits = Limits(program)
        self._needed: list[_Key] = []

    def relation(self, key: _Key) -> tuple[Relation, list[_Key]]:
        """Return where the relation differs, and what else that asks for."""
        self._needed = []
        name, places = key
        relation = self._program.relations[name]
        types = frozenset.intersection(*(relation.params[place] for place in places))
        others = (types for place, types in enumerate(relation.params) if place not in places)
        rules = tuple(chain.from_iterable(self._rules(r, places, types) for r in relation.rules))
        return Relation(_differing(key), (types, types, *others), rules), self._needed

    def _rules(self, rule: Rule, places: _Places, types: frozenset[str]) -> Iterator[Rule]:
        value = head_of(rule)[min(places)]
        same = {head_of(rule)[place] for place in places}
        others = [arg for place, arg in enumerate(head_of(rule)) if place not in places]
        head = Atom(
            _differing((rule.head.predicate, places)), (_STRANGER, value, *others), rule.span
        )
        for also in self._unlimited(rule, same, others):
            copy = _with_one(rule, value, {*same, *also}, types)
            if copy is None:
                continue
            own = {**copy.types, _STRANGER: copy.types.get(value, types)}
            for goals in self._bodies(copy, value, others):
                body = Conjunction(tuple(goals), rule.span)
                yield Rule(head, body, own, frozenset(), rule.span)

    def _unlimited(
        self, rule: Rule, same: set[Variable], others: Sequence[Variable]
    ) -> Iterator[tuple[Variable, ...]]:
        """Yield each choice of those variables of the rule's own that could be the stranger."""
        limited = self._limits.of_rule(rule, others)
        inside = {v for g in goals_of(rule) if not isinstance(g, Negation) for v in variables(g)}
        unlimited = set() if same & limited else inside - limited - same
        tied = {v for v in unlimited if any(_equates(goal, v, same) for goal in goals_of(rule))}
        loose = sorted(unlimited - tied, key=lambda variable: variable.name)
        if len(loose) > MAX_UNLIMITED:
            raise EngineUnsupported(f"too many variables are unlimited in a rule of {rule.head}")
        for number in range(len(loose) + 1):
            yield from ((*tied, *some) for some in combinations(loose, number))

    def _bodies(
        self, rule: Rule, value: Variable, given: Sequence[Variable]
    ) -> Iterator[list[Goal]]:
        """Yield the conditions under each of which the rule can say other of `value` than of the stranger."""
        goals = goals_of(rule)
        if value in self._limits.of_rule(rule, given):
            yield list(goals)
            return
        others = [goal for goal in goals if value not in variables(goal)]
        before: list[Goal] = []
        for goal in goals:
            if value in variables(goal):
                differs = self._differs(goal, value)
                if differs is not None:
                    typed = TypeTest(value, rule.types[value], goal.span)
                    yield [*others, *before, differs, typed]
                before.append(substituted(goal, {value: _STRANGER}))

    def _differs(self, goal: Goal, value: Variable) -> Goal | None:
        """Return a condition without which `goal` says the same of both; None if it always does."""
        match goal:
            case Atom():
                return self._atom(goal, value)
            case Negation(Atom() as atom):
                return self._atom(atom, value)
            case Negation(Membership(_, values, span)):
                return Membership(value, values, span)
            case Comparison("=" | "!=", left, right, span) if left != right:
                return Comparison("=", value, right if left == value else left, span)
            case Negation(Comparison() as denied):
                return self._differs(denied, value)
            case _:
                # Of their type they are alike, and what is listed is no Integer.
                return None

    def _atom(self, atom: Atom, value: Variable) -> Goal:
        places = frozenset(place for place, arg in enumerate(atom.args) if arg == value)
        is_stored = atom.predicate not in self._program.relations
        if is_stored or not _is_open(self._limits, self._program, atom.predicate, places):
            return atom  # never holds for the stranger
        key = atom.predicate, places
        self._needed.append(key)
        others = (arg for place, arg in enumerate(atom.args) if place not in places)
        return Atom(_differing(key), (_STRANGER, value, *others), atom.span)


class _Certain:
    """For relations that are open at a place: rules that hold only if theirs do, and limit what is there."""

    def __init__(self, program: RuleProgram) -> None:
        self._program = program
        self._limits = Limits(program)

    def relation(self, key: _Key) -> tuple[Relation, list[_Key]]:
        """Return what holds for sure, and what else that asks for."""
        name, places = key
        [place] = places
        relation = self._program.relations[name]
        rules: list[Rule] = []
        needed: list[_Key] = []
        for rule in relation.rules:
            value = head_of(rule)[place]
            goals = goals_of(rule)
            others = (arg for arg in head_of(rule) if arg != value)
            if value not in self._limits.of_rule(rule, others):
                found = next((goal for goal in goals if self._asks_once(goal, value)), None)
                if found is None:
                    continue
                inner = found.predicate, frozenset({found.args.index(value)})
                needed.append(inner)
                asked = Atom(_certain(inner), found.args, found.span)
                goals = tuple(asked if goal is found else goal for goal in goals)
            head = Atom(_certain(key), rule.head.args, rule.span)
            rules.append(replace(with_goals(rule, goals), head=head))
        return Relation(_certain(key), relation.params, tuple(rules)), needed

    def _asks_once(self, goal: Goal, value: Variable) -> TypeGuard[Atom]:
        return (
            isinstance(goal, Atom)
            and goal.predicate in self._program.relations
            and goal.args.count(value) == 1
        )


def _equates(goal: Goal, variable: Variable, others: AbstractSet[Variable]) -> bool:
    if not isinstance(goal, Comparison) or goal.operator != "=":
        return False
    sides = {goal.left, goal.right}
    return variable in sides and not sides.isdisjoint(others)


def _with_one(
    rule: Rule, value: Variable, same: set[Variable], types: frozenset[str]
) -> Rule | None:
    """Return the rule with `value` for all of `same`; None if they have no type in common."""
    found = types.intersection(
        *(rule.types[variable] for variable in same if variable in rule.types)
    )
    if not found:
        return None
    goals = (
        substituted(goal, dict.fromkeys(same, value))
        for goal in goals_of(rule)
        if not any(_equates(goal, variable, same - {variable}) for variable in same)
    )
    return with_goals(rule, goals, {**rule.types, value: found})


def _differing(key: _Key) -> str:
    name, places = key
    return f"differing {' '.join(map(str, sorted(places)))} {name}"


def _certain(key: _Key) -> str:
    name, places = key
    return f"certain {' '.join(map(str, sorted(places)))} {name}"
