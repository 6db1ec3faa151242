"""Plans: rule programs made ready to run, with an order of conditions and a way for recursion to end.

A procedure is a relation asked with some of its arguments bound. It answers yes or no if all are, else with the
values of the others. See `order` for the order of its conditions.

How a procedure ends (`Strategy`):

    STRAIGHT  it does not use itself: loops over facts
    WALK      it uses itself only as the last condition of a rule, whose answers are its own: a list of the
              arguments still to try and a set of those tried. In a list it may also use itself to make answers
              of answers, in a way that does not depend on what changes: a list of answers to go on from
    TABLED    all other recursion: each call has a table of answers, and waits for those of others
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from enum import Enum
from typing import NamedTuple

from authz_service.engine.compiler.gather import gathered
from authz_service.engine.compiler.merge import merged
from authz_service.engine.compiler.order import Orderer
from authz_service.engine.compiler.rule_program import (
    Relation,
    RuleProgram,
    canonical,
    head_of,
)
from authz_service.engine.compiler.steps import Pattern, PlannedRule, Step
from authz_service.errors import EngineUnsupported
from authz_service.polar.goals import (
    CURRENT_TIME,
    Atom,
    Negation,
    Term,
    TypeTest,
    Variable,
    variables,
)
from authz_service.polar.graphs import components

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
    many times. In every call but its own, the arguments at the `given` positions are the question's.
    """

    pattern: Pattern
    relation: Relation
    rules: tuple[PlannedRule, ...]
    strategy: Strategy
    group: int
    is_repeated: bool
    given: frozenset[int]

    @property
    def further(self) -> tuple[PlannedRule, ...]:
        """The rules of a walk that go on to other arguments."""
        return tuple(p for p in self.rules if _passes_answers_on(p, self.pattern))

    @property
    def growing(self) -> tuple[PlannedRule, ...]:
        """The rules of a walk that make answers of answers."""
        return tuple(p for p in self.rules if p not in self.further and own_calls(p, self.pattern))

    @property
    def moving(self) -> tuple[int, ...]:
        """The positions of the bound arguments that change on a walk."""
        return _moving(self.pattern, self.further)

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
            goals = canonical([here], [*(step.goal for step in before), there])
            signature.append((*goals, *(step.choice for step in before)))
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
    orderer = Orderer(program, is_list=not entry.is_check)
    waiting = [entry]
    rules: dict[Pattern, tuple[PlannedRule, ...]] = {}
    while waiting:
        pattern = waiting.pop()
        if pattern not in rules:
            rules[pattern] = gathered(orderer.rules(pattern))
            waiting.extend(called for called, _ in _calls(rules[pattern]))
    rules = merged(rules, entry)
    return Plan(_procedures(orderer.relations, rules, entry), entry)


def own_calls(planned: PlannedRule, pattern: Pattern) -> list[Step]:
    """Return the steps that call the procedure that the rule is of."""
    return [step for step in planned.steps if step.calls == pattern]


def _moving(pattern: Pattern, further: Sequence[PlannedRule]) -> tuple[int, ...]:
    return tuple(
        index
        for index, is_bound in enumerate(pattern.bound)
        if is_bound and any(_moves(planned, index) for planned in further)
    )


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
    given = _given(rules)
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
                pattern,
                relation,
                rules[pattern],
                chosen,
                number,
                pattern in repeated,
                given[pattern],
            )
    return found


def _strategy(
    group: Sequence[Pattern], rules: Mapping[Pattern, tuple[PlannedRule, ...]]
) -> Strategy:
    members = set(group)
    used = [rule for pattern in group for rule in rules[pattern] if _uses(rule, members)]
    if not used:
        return Strategy.STRAIGHT
    if len(group) > 1:
        return Strategy.TABLED
    [pattern] = group
    further = [rule for rule in used if _passes_answers_on(rule, pattern)]
    moving = _moving(pattern, further)
    is_list = not pattern.is_check
    is_walk = all(rule in further or (is_list and _grows(rule, pattern, moving)) for rule in used)
    return Strategy.WALK if is_walk else Strategy.TABLED


def _grows(planned: PlannedRule, pattern: Pattern, moving: Iterable[int]) -> bool:
    """Say whether the rule makes answers of answers to the same call, whatever stands at `moving` positions."""
    [call, *others] = own_calls(planned, pattern)
    head = head_of(planned.rule)
    asked = {head[index] for index, is_bound in enumerate(pattern.bound) if is_bound}
    if others or not isinstance(call.goal, Atom) or not call.known <= asked | {CURRENT_TIME}:
        return False
    changing = {head[index] for index in moving}
    return (
        len(set(call.fresh)) == pattern.bound.count(False)
        and all(
            call.goal.args[i] == head[i] for i, is_bound in enumerate(pattern.bound) if is_bound
        )
        and all(changing.isdisjoint(variables(s.goal)) for s in planned.steps if s is not call)
    )


def _uses(rule: PlannedRule, members: AbstractSet[Pattern]) -> bool:
    return any(step.calls in members for step in rule.steps)


def _passes_answers_on(planned: PlannedRule, pattern: Pattern) -> bool:
    """Say whether the rule's last condition alone calls `pattern`, for exactly the rule's own answers."""
    if not planned.steps:
        return False
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


def _given(rules: Mapping[Pattern, tuple[PlannedRule, ...]]) -> dict[Pattern, frozenset[int]]:
    """Return the positions at which each procedure gets arguments of the question, but from itself."""
    given = {
        pattern: frozenset(index for index, is_bound in enumerate(pattern.bound) if is_bound)
        for pattern in rules
    }
    is_settled = False
    while not is_settled:
        is_settled = True
        for pattern, planned_rules in rules.items():
            # What a walk changes on its way is not what it was called with.
            kept = given[pattern] - _changed(pattern, planned_rules)
            for planned in planned_rules:
                own = {head_of(planned.rule)[index] for index in kept}
                for step in planned.steps:
                    if step.calls is not None and step.calls != pattern:
                        passed = _passed(step, own)
                        is_settled = is_settled and given[step.calls] <= passed
                        given[step.calls] &= passed
    return given


def _changed(pattern: Pattern, planned_rules: Sequence[PlannedRule]) -> set[int]:
    """Return the positions at which a procedure calls itself with other arguments than its own."""
    return {
        index
        for planned in planned_rules
        for step in planned.steps
        if step.calls == pattern
        for index, arg in enumerate(_args(step))
        if arg != head_of(planned.rule)[index]
    }


def _passed(step: Step, own: AbstractSet[Variable]) -> set[int]:
    """Return the positions at which the step calls with variables of `own`."""
    return {index for index, arg in enumerate(_args(step)) if arg in own}


def _args(step: Step) -> tuple[Term, ...]:
    atom = step.goal.goal if isinstance(step.goal, Negation) else step.goal
    assert isinstance(atom, Atom)
    return atom.args


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
