"""Merge: one procedure for several that do the same.

Relations are split by types, which often makes no difference to what is left of their rules: users and teams
hold roles in the same way. Two procedures do the same if their steps are alike when each may stand for the
other (induction on how often rules are applied).
"""

from collections.abc import Mapping
from collections.abc import Set as AbstractSet
from dataclasses import replace

from authz_service.engine.compiler.rule_program import canonical, head_of
from authz_service.engine.compiler.steps import Pattern, PlannedRule
from authz_service.polar.goals import Atom, Goal, Negation

Rules = Mapping[Pattern, tuple[PlannedRule, ...]]


def merged(rules: Rules, entry: Pattern) -> dict[Pattern, tuple[PlannedRule, ...]]:
    """Return the procedures without those that do the same as another; `entry` stays."""
    instead: dict[Pattern, Pattern] = {}
    kept: dict[object, list[Pattern]] = {}
    for pattern in sorted(rules, key=lambda pattern: pattern != entry):
        likely = kept.setdefault((pattern.relation.partition("(")[0], pattern.bound), [])
        other = next((o for o in likely if _are_alike(pattern, o, rules)), None)
        if other is None:
            likely.append(pattern)
        else:
            instead[pattern] = other
    return {
        pattern: tuple(_redirected(planned, instead) for planned in planned_rules)
        for pattern, planned_rules in rules.items()
        if pattern not in instead
    }


def _redirected(planned: PlannedRule, instead: Mapping[Pattern, Pattern]) -> PlannedRule:
    steps = (
        step if step.calls is None else step._replace(calls=instead.get(step.calls, step.calls))
        for step in planned.steps
    )
    return replace(planned, steps=tuple(steps))


def _are_alike(one: Pattern, other: Pattern, rules: Rules) -> bool:
    pair = frozenset({one, other})
    return len(rules[one]) == len(rules[other]) and all(
        _canonical(own, pair) == _canonical(its, pair)
        for own, its in zip(rules[one], rules[other], strict=True)
    )


def _canonical(planned: PlannedRule, pair: AbstractSet[Pattern]) -> list[object]:
    """Return what the steps do, with numbers for variables, and one name for the `pair`."""
    goals = canonical(head_of(planned.rule), (step.goal for step in planned.steps))
    return [
        (goal, step.choice) if step.calls is None else _called(goal, step.calls, pair)
        for step, goal in zip(planned.steps, goals, strict=True)
    ]


def _called(goal: Goal, pattern: Pattern, pair: AbstractSet[Pattern]) -> object:
    atom = goal.goal if isinstance(goal, Negation) else goal
    assert isinstance(atom, Atom)
    name = "" if pattern in pair else pattern.relation
    return isinstance(goal, Negation), name, pattern.bound, atom.args
