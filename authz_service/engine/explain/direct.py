"""Direct: derivations of what is known to hold, without looking for what is not.

Compiled code says at once whether a condition holds that rules derive; so a rule is given up at its first
condition that fails, and only what holds is gone into. That is sound where relations do not use themselves:
what a goal rests on is of other relations. Recursive ones are left to `derive`.
"""

from authz_service.engine.explain.derive import Derivation, Derivations, Goal
from authz_service.engine.explain.kinds import Doing, NumberedRule, NumberedStep, Slots
from authz_service.engine.explain.lookups import Row


class Direct:
    """Finds how the answers to goals are derived that are known to have them."""

    def __init__(self, derivations: Derivations) -> None:
        self.derivations = derivations
        self._rules = derivations.rules
        self._spend = derivations.lookups.steps.spend
        self._found: dict[Goal, Derivation] = {}

    def derivation(self, goal: Goal, answer: Row) -> Derivation:
        """Return how an answer is derived. Raises EvaluationLimitReached."""
        derivations = self.derivations
        known = self._found.get(goal) or derivations.known(goal, answer)
        if known is not None:
            return known
        if not derivations.hidden and self._rules.is_direct(goal[0]):
            found = self._found[goal] = self._solved(goal)
            return found
        derivations.first(goal)
        return derivations.derivation(goal, answer)

    def _solved(self, goal: Goal) -> Derivation:
        pattern, args = goal
        rules = self._rules.rules(pattern)
        for rule in rules:
            self._spend()
            slots = self.derivations.begun(rule, args)
            # If nothing else derives what holds, and there are no values to find, this does.
            is_certain = rule is rules[-1] and not rule.binds
            solved = slots if is_certain else self._rest(rule, 0, slots)
            if solved is not None:
                return Derivation(rule, tuple(solved))
        raise AssertionError("what holds is derived by a rule")

    def _rest(self, rule: NumberedRule, at: int, slots: Slots) -> Slots | None:
        """Return values with which the conditions from `at` on hold, or None."""
        derivations = self.derivations
        for step in rule.steps[at:]:
            at += 1
            if step.fresh and not step.is_denied:
                return self._tried(rule, step, at, slots)
            if step.doing is Doing.CALL:
                goal = derivations.called(step, slots)
                holds = derivations.can_be_derived(goal) is not step.is_denied
            else:
                holds = derivations.holds_by_itself(step, slots)
            if not holds:
                return None
        return slots

    def _tried(self, rule: NumberedRule, step: NumberedStep, at: int, slots: Slots) -> Slots | None:
        """Return values with which a step that binds some, and those behind it, hold, or None."""
        derivations = self.derivations
        if step.doing is Doing.CALL:
            places, fresh = step.call_free, tuple(range(len(step.call_free)))
            rows = derivations.answers_to(step, slots)
        else:
            places = tuple([step.slots[place] for place in step.fresh])
            fresh = step.fresh
            rows = derivations.rows(step, slots)
        for row in rows:
            bound = slots.copy()
            for slot, place in zip(places, fresh, strict=True):
                bound[slot] = row[place]
            solved = self._rest(rule, at, bound)
            if solved is not None:
                return solved
        return None
