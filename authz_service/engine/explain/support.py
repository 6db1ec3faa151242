"""Support: what one derivation rests on, whose end is the end of what it derives."""

from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet

from authz_service.engine.explain.derive import Derivations, Goal
from authz_service.engine.explain.kinds import Doing
from authz_service.facts.fact import Fact
from authz_service.polar.goals import Atom, Term, Variable


class Support:
    """What a derivation rests on: the facts, and the conditions that deny something."""

    def __init__(self, derivations: Derivations) -> None:
        self._derivations = derivations
        self.facts: list[Fact] = []
        self.denied: list[tuple[Atom, Mapping[Variable, AbstractSet[str]]]] = []

    def read(self, goal: Goal, answer: tuple[int, ...]) -> None:
        waiting = [(goal, answer)]
        seen = set(waiting)
        derivations = self._derivations
        value = derivations.lookups.ids.value
        while waiting:
            rule, slots = derivations.derivation(*waiting.pop())
            for step in rule.steps:
                if step.doing is Doing.CALL and not step.is_denied:
                    used = derivations.called(step, slots), _known(slots, step.call_free)
                    if used not in seen:
                        seen.add(used)
                        waiting.append(used)
                elif step.doing is Doing.LOOK_UP and not step.is_denied:
                    row = _known(slots, step.slots)
                    self.facts.append(derivations.lookups.fact(step.predicate, row))
                elif step.doing in (Doing.CALL, Doing.LOOK_UP):
                    args: list[Term] = []
                    types: dict[Variable, AbstractSet[str]] = {}
                    for number in step.slots:
                        known = slots[number]
                        if known is None:
                            variable = rule.variables[number]
                            types[variable] = rule.rule.types[variable]
                            args.append(variable)
                        else:
                            args.append(value(known))
                    self.denied.append((Atom(step.predicate, tuple(args), step.span), types))


def _known(slots: Sequence[int | None], numbers: Sequence[int]) -> tuple[int, ...]:
    found = [slots[number] for number in numbers]
    return tuple(value for value in found if value is not None)
