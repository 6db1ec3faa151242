"""Gather: one rule for several that differ in one literal, which is looked up as any of theirs.

"A reader, writer or admin of the document" is three rules and one look-up: of who is any of these.
"""

from collections.abc import Iterable, Iterator
from dataclasses import replace

from authz_service.engine.compiler.rule_program import canonical, head_of
from authz_service.engine.compiler.steps import Choice, PlannedRule
from authz_service.facts.value import Value
from authz_service.polar.goals import Atom, Goal, Variable

_Place = tuple[int, int]
"""The number of a step, and a position in its goal."""

_ANY = Variable("any")


def gathered(rules: Iterable[PlannedRule]) -> tuple[PlannedRule, ...]:
    """Return the rules with one in place of those that differ in one literal of a look-up of facts."""
    found: list[PlannedRule] = []
    places: dict[int, _Place] = {}
    alike: dict[object, int] = {}
    for planned in rules:
        blanked = dict(_blanked(planned))
        for key, place in blanked.items():
            # Rules gathered at one place can have nothing else at another.
            if key in alike and places.setdefault(alike[key], place) == place:
                found[alike[key]] = _with_literal_of(planned, found[alike[key]], place)
                break
        else:
            alike.update(dict.fromkeys(blanked.keys() - alike.keys(), len(found)))
            found.append(planned)
    return tuple(found)


def _blanked(planned: PlannedRule) -> Iterator[tuple[object, _Place]]:
    """Yield, for each literal in a look-up, what the rule is but for it, and its place."""
    goals = canonical(head_of(planned.rule), (step.goal for step in planned.steps))
    for number, (step, goal) in enumerate(zip(planned.steps, goals, strict=True)):
        if isinstance(goal, Atom) and step.calls is None:
            for position, arg in enumerate(goal.args):
                if isinstance(arg, Value):
                    blank = _with_any(goal, position)
                    calls = tuple(step.calls for step in planned.steps)
                    yield (*goals[:number], blank, *goals[number + 1 :], calls), (number, position)


def _with_any(goal: Atom, position: int) -> Goal:
    args = (*goal.args[:position], _ANY, *goal.args[position + 1 :])
    return Atom(goal.predicate, args, goal.span)


def _with_literal_of(planned: PlannedRule, other: PlannedRule, place: _Place) -> PlannedRule:
    """Return `other`, for which the literal of `planned` will do, too."""
    number, position = place
    literals = {_literal(planned, place), _literal(other, place)}
    step = other.steps[number]
    if step.choice is not None:
        literals |= step.choice.values
    chosen = step._replace(choice=Choice(position, frozenset(literals)))
    return replace(other, steps=(*other.steps[:number], chosen, *other.steps[number + 1 :]))


def _literal(planned: PlannedRule, place: _Place) -> Value:
    number, position = place
    goal = planned.steps[number].goal
    assert isinstance(goal, Atom)
    literal = goal.args[position]
    assert isinstance(literal, Value)
    return literal
