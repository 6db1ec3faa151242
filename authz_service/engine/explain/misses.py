"""Misses: how near each rule came to what does not hold, and which of its conditions failed.

Rule 1: what is told of a condition was evaluated; a condition that could not be, as a value for it is missing,
    is `OPEN`.
Rule 2: what was left out is said to be: goals and instances beyond the limits.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum

from authz_service.engine.explain.derive import Derivations, Goal
from authz_service.engine.explain.kinds import Doing, NumberedRule, NumberedStep, Slots
from authz_service.engine.explain.proof import Proof, proof_of
from authz_service.engine.explain.wording import condition_text, goal_text
from authz_service.facts.fact import Fact
from authz_service.polar.source import Span

MAX_GOALS = 100
_MOST_INSTANCES = 3
_MOST_TRIED = 1000


class Outcome(Enum):
    """What became of a condition."""

    HOLDS = "holds"
    FAILS = "fails"
    OPEN = "open"


@dataclass(frozen=True, slots=True)
class Condition:
    """A condition of a rule with the values that it was looked at with.

    `goal` is the number of the goal that tells why it fails, if rules can derive it; `facts` are those by which
    fails what is denied.
    """

    text: str
    outcome: Outcome
    goal: int | None = None
    facts: tuple[Fact, ...] = ()


@dataclass(frozen=True, slots=True)
class Attempt:
    """A rule with values: all conditions but some hold."""

    span: Span
    conditions: tuple[Condition, ...]


@dataclass(frozen=True, slots=True)
class MissedGoal:
    """What does not hold, and how its rules fail. It would hold as well if it were stored, if it can be.

    `is_part` says that it stands for a part of a rule, and its attempts for what stands between `or`.
    `is_short` says that there are more ways to try its rules, which fail not later than those shown.
    """

    text: str
    attempts: tuple[Attempt, ...]
    can_be_stored: bool
    is_part: bool
    is_short: bool


@dataclass(frozen=True, slots=True)
class Misses:
    """The goals that were missed; the first one is what was asked. More of them were left out if `is_cut`."""

    goals: tuple[MissedGoal, ...]
    is_cut: bool


def misses_of(derivations: Derivations, goal: Goal) -> Misses:
    """Return why a goal that does not hold does not. Raises EvaluationLimitReached."""
    return _Misses(derivations).of(goal)


class _Misses:
    def __init__(self, derivations: Derivations) -> None:
        self._derivations = derivations
        self._numbers: dict[Goal, int] = {}
        self._waiting: list[Goal] = []
        self._is_cut = False

    def of(self, root: Goal) -> Misses:
        self._number(root)
        found: list[MissedGoal] = []
        while len(found) < len(self._waiting):
            found.append(self._missed(self._waiting[len(found)]))
        return Misses(tuple(found), self._is_cut)

    def _number(self, goal: Goal) -> int | None:
        number = self._numbers.get(goal)
        if number is None:
            if len(self._waiting) == MAX_GOALS:
                self._is_cut = True
                return None
            number = self._numbers[goal] = len(self._waiting)
            self._waiting.append(goal)
        return number

    def _missed(self, goal: Goal) -> MissedGoal:
        pattern, args = goal
        rules = self._derivations.rules
        attempts: list[Attempt] = []
        is_short = False
        written = sorted(rules.rules(pattern), key=lambda one: one.rule.span.start)
        for rule in written:
            if rule.is_stored:
                continue
            slots = self._derivations.begun(rule, args)
            found = _Furthest()
            for at, reached in self._failures(rule, slots):
                found.add(at, reached)
            is_short = is_short or found.is_short
            for at, reached in found.instances:
                attempts.append(Attempt(rule.rule.span, self._conditions(rule, at, reached)))
        return MissedGoal(
            goal_text(self._derivations, goal),
            tuple(attempts),
            any(rule.is_stored for rule in written),
            rules.is_helper(pattern.relation),
            is_short,
        )

    def _failures(self, rule: NumberedRule, slots: Slots) -> Iterator[tuple[int, Slots]]:
        """Yield how far the rule gets with each choice of values, and these. At most so many are tried."""
        waiting: list[Iterator[tuple[int, Slots]]] = [iter([(0, slots)])]
        tried = 0
        while waiting and tried < _MOST_TRIED:
            here = next(waiting[-1], None)
            if here is None:
                waiting.pop()
                continue
            self._derivations.lookups.steps.spend()
            at, reached = here
            while at < len(rule.steps):
                step = rule.steps[at]
                if step.fresh and not step.is_denied:
                    break
                if not self._holds(step, reached):
                    break
                at += 1
            else:
                continue
            step = rule.steps[at]
            if step.fresh and not step.is_denied:
                further = self._further(step, at, reached)
                first = next(further, None)
                if first is not None:
                    waiting += [further, iter([first])]
                    continue
            tried += 1
            yield at, reached

    def _further(self, step: NumberedStep, at: int, slots: Slots) -> Iterator[tuple[int, Slots]]:
        """Yield the values behind a step that binds some."""
        derivations = self._derivations
        if step.doing is Doing.CALL:
            places = step.call_free
            rows = derivations.answers_to(step, slots)
        else:
            places = tuple(step.slots[place] for place in step.fresh)
            rows = (tuple([row[p] for p in step.fresh]) for row in derivations.rows(step, slots))
        for row in rows:
            bound = slots.copy()
            for slot, value in zip(places, row, strict=True):
                bound[slot] = value
            yield at + 1, bound

    def _holds(self, step: NumberedStep, slots: Slots) -> bool:
        """Say whether a condition holds whose values are bound, but for those that it would bind."""
        derivations = self._derivations
        match step.doing:
            case Doing.CALL if step.has_alike:
                return next(derivations.answers_to(step, slots), None) is not None
            case Doing.CALL:
                return derivations.holds(derivations.called(step, slots)) is not step.is_denied
            case Doing.BIND | Doing.TRY_VALUES:
                return True
            case _:
                return derivations.holds_by_itself(step, slots)

    def _conditions(self, rule: NumberedRule, failed: int, slots: Slots) -> tuple[Condition, ...]:
        found = [
            (step.span.start, number, self._condition(rule, step, number - failed, slots))
            for number, step in enumerate(rule.steps)
        ]
        return tuple(condition for _, _, condition in sorted(found, key=lambda one: one[:2]))

    def _condition(
        self, rule: NumberedRule, step: NumberedStep, behind: int, slots: Slots
    ) -> Condition:
        """Return what to say of a condition; `behind` is negative before the one that failed, 0 there."""
        text = condition_text(self._derivations, rule, step, slots)
        if behind < 0:
            return Condition(text, Outcome.HOLDS)
        fresh = {step.slots[place] for place in step.fresh}
        if any(slots[n] is None for n in step.slots if n not in fresh):
            return Condition(text, Outcome.OPEN)
        if behind > 0 and self._holds(step, slots):
            return Condition(text, Outcome.HOLDS)
        if step.doing is Doing.CALL and not step.is_denied:
            goal = self._derivations.called(step, slots)
            # With values that differ where the same are meant, it can hold.
            is_met = step.has_alike and self._derivations.holds(goal)
            number = None if is_met else self._number(goal)
            return Condition(text, Outcome.FAILS, goal=number)
        facts = self._facts_against(step, slots) if step.is_denied else ()
        return Condition(text, Outcome.FAILS, facts=facts)

    def _facts_against(self, step: NumberedStep, slots: Slots) -> tuple[Fact, ...]:
        """Return facts by which holds what the step denies."""
        derivations = self._derivations
        if step.doing is Doing.CALL:
            proof = proof_of(derivations, derivations.called(step, slots))
            return proof.facts if isinstance(proof, Proof) else (proof,)
        if step.doing is Doing.LOOK_UP:
            row = next(derivations.rows(step, slots))
            return (derivations.lookups.fact(step.predicate, row),)
        return ()


class _Furthest:
    """The instances of a rule that got furthest, and whether there are others."""

    def __init__(self) -> None:
        self.instances: list[tuple[int, Slots]] = []
        self.is_short = False

    def add(self, at: int, slots: Slots) -> None:
        if self.instances:
            best = self.instances[0][0]
            self.is_short = self.is_short or at != best or len(self.instances) == _MOST_INSTANCES
            if at > best:
                self.instances.clear()
            elif at < best or len(self.instances) == _MOST_INSTANCES:
                return
        self.instances.append((at, slots))
