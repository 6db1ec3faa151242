"""Derivations: what follows from one state of facts, as far as it was asked for, and from what.

Goals are followed from the question on, with a table of answers for each goal that was met. An answer keeps
the rule and the values by which it was found first.

Rule 1: a derivation uses facts and answers that were there before it. So what it rests on never leads back to
    it, whatever circles there are in the facts.
Rule 2: what is denied is evaluated by itself, to its end, before the rule goes on. It never depends on the
    rule.
Rule 3: nothing here recurs in Python: a chain of 100,000 facts is no deeper than one of three.
Rule 4: `hidden` facts are not used, but they are seen where a rule denies something.
"""

from collections.abc import Callable, Iterator
from collections.abc import Set as AbstractSet
from operator import eq, ge, gt, le, lt, ne
from typing import Any, NamedTuple

from authz_service.engine.compiler.steps import Pattern
from authz_service.engine.explain.kinds import (
    Check,
    Doing,
    KindRules,
    NumberedRule,
    NumberedStep,
    Slots,
)
from authz_service.engine.explain.lookups import Lookups, Row, Steps
from authz_service.facts.fact import Fact
from authz_service.facts.ids import INTEGER_ZERO

_COMPARED: dict[str, Callable[[Any, Any], bool]] = {
    "=": eq,
    "!=": ne,
    "<": lt,
    "<=": le,
    ">": gt,
    ">=": ge,
}

_MOST_CHECKS = 32

Goal = tuple[Pattern, Row]
"""A relation with the values of its bound arguments."""


class Derivation(NamedTuple):
    """The rule and the values of its slots by which an answer was found."""

    rule: NumberedRule
    slots: tuple[Any, ...]


class Table:
    """The answers to one goal: the values of its free arguments, in the order in which they were found."""

    __slots__ = ("answers", "goal", "is_check", "waiting")

    def __init__(self, goal: Goal) -> None:
        self.goal = goal
        self.is_check = goal[0].is_check
        self.answers: dict[Row, None] = {}
        self.waiting: list[_Frame] = []

    @property
    def is_done(self) -> bool:
        """Whether no answer can be added: the goal is a question of yes or no, and it is yes."""
        return self.is_check and bool(self.answers)


class _Frame(NamedTuple):
    """A rule of a table that goes on at a step; `rows` are what is left to try there."""

    table: Table
    rule: NumberedRule
    at: int
    slots: Slots
    rows: Iterator[Row] | None = None


class _Search:
    """The tables that one goal needs, and what is left to do for them."""

    __slots__ = ("agenda", "goal", "is_first_enough", "tables")

    def __init__(self, goal: Goal, *, is_first_enough: bool) -> None:
        self.goal = Table(goal)
        self.is_first_enough = is_first_enough
        self.tables = {goal: self.goal}
        self.agenda: list[_Frame] = []


class Derivations:
    """What was derived so far about one state of facts."""

    def __init__(
        self,
        rules: KindRules,
        lookups: Lookups,
        now: int,
        steps: Steps,
        hidden: AbstractSet[Fact] = frozenset(),
    ) -> None:
        self.rules = rules
        self.lookups = lookups
        self.hidden = hidden
        # What rules deny is derived from all facts, so it has nothing in common with what is derived here.
        self._of_all = Derivations(rules, lookups, now, steps) if hidden else None
        self._now = INTEGER_ZERO + now
        self._seconds = now
        self._steps = steps
        self._known: dict[Goal, Table] = {}
        self._checks_left = _MOST_CHECKS
        self._decided: dict[Goal, bool] = {}
        self._exists: dict[Goal, Row | None] = {}
        # INVARIANT: the answers that a derivation uses came into this before it, from whichever search.
        self._first: dict[tuple[Goal, Row], Derivation] = {}
        self._templates: dict[NumberedRule, Slots] = {}
        self._kept_templates = rules.templates(lookups.view.ids)

    def holds(self, goal: Goal) -> bool:
        """Say whether the goal has an answer. Raises EvaluationLimitReached."""
        return self.first(goal) is not None

    def answers(self, goal: Goal) -> list[Row]:
        """Return all values of the goal's free arguments. Raises EvaluationLimitReached."""
        known = self._known.get(goal)
        if known is None:
            known = self._searched(goal, is_first_enough=goal[0].is_check)
        return list(known.answers)

    def answers_to(self, step: NumberedStep, slots: Slots) -> Iterator[Row]:
        """Yield the values of what a call leaves open, once for each way in which it holds."""
        rows = self.answers(self.called(step, slots))
        if not step.has_alike:
            return iter(rows)
        free = step.call_free
        return (row for row in rows if len({*zip(free, row, strict=True)}) == len(set(free)))

    def known(self, goal: Goal, answer: Row) -> Derivation | None:
        """Return how an answer was found, or None if it was not yet."""
        return self._first.get((goal, answer)) if self._first else None

    def can_be_derived(self, goal: Goal) -> bool:
        """Say whether the goal has an answer, without finding out why if that is possible."""
        known = self._decided.get(goal)
        if known is None:
            # Compiled code knows questions of yes or no only.
            check = self.rules.check(goal[0].relation) if goal[0].is_check else None
            known = self.holds(goal) if check is None else self._checked(check, goal[1])
            self._decided[goal] = known
        return known

    def derivation(self, goal: Goal, answer: Row) -> Derivation:
        """Return how an answer was found that is known to be one."""
        return self._first[goal, answer]

    def first(self, goal: Goal) -> Row | None:
        """Return the answer of the goal that was found first. Raises EvaluationLimitReached."""
        known = self._known.get(goal)
        if known is not None:
            return next(iter(known.answers), None)
        if goal not in self._exists:
            self._searched(goal, is_first_enough=True)
        return self._exists[goal]

    def begun(self, rule: NumberedRule, args: Row) -> Slots:
        """Return the slots of a rule with its arguments and literals in them."""
        return [*args, *self._template(rule, len(args))]

    def _template(self, rule: NumberedRule, given: int) -> Slots:
        """Return the slots of a rule behind those of its arguments, with its literals in them."""
        found = self._kept_templates.get(rule)
        if found is None:
            found = self._templates.get(rule)
        if found is None:
            found = [None] * (rule.size - given)
            for slot, value in rule.literals:
                found[slot - given] = self.lookups.ids.add(value)
            if rule.time_slot is not None:
                found[rule.time_slot - given] = self._now
            # What only this question knows or asks for says nothing to the next one.
            is_kept = rule.time_slot is None and all(
                self.lookups.view.ids.find(value) is not None for _, value in rule.literals
            )
            (self._kept_templates if is_kept else self._templates)[rule] = found
        return found

    def called(self, step: NumberedStep, slots: Slots | tuple[Any, ...]) -> Goal:
        """Return the goal that a step asks for."""
        assert step.calls is not None
        return step.calls, tuple(map(slots.__getitem__, step.call_args))

    def test(self, step: NumberedStep, slots: Slots) -> bool:
        """Say whether a test of bound values holds, denied or not."""
        first = slots[step.slots[0]]
        if step.operator:
            holds = _COMPARED[step.operator](first, slots[step.slots[1]])
        elif step.values:
            holds = self.lookups.ids.value(first) in step.values
        else:
            holds = self.lookups.ids.value(first).type in step.types
        return holds is not step.is_denied

    def rows(self, step: NumberedStep, slots: Slots) -> Iterator[Row]:
        """Yield the values of all slots of a step that binds, for each way in which it holds."""
        if step.doing is Doing.TRY_VALUES:
            return ((self.lookups.ids.add(value),) for value in dict.fromkeys(step.values))
        if step.doing is Doing.BIND:
            other = slots[step.slots[1 - step.fresh[0]]]
            return iter([(other, other)])
        return self._stored(step, slots)

    def _stored(self, step: NumberedStep, slots: Slots) -> Iterator[Row]:
        assert step.way is not None
        known = [slots[n] for n in step.slots]
        found = self.lookups.rows(step.way, step.predicate, known)
        if self.hidden and not step.is_denied:
            hidden, lookups = self.hidden, self.lookups
            found = (r for r in found if lookups.fact(step.predicate, r) not in hidden)
        if len({step.slots[at] for at in step.fresh}) < len(step.fresh):
            found = (row for row in found if _is_alike(step, row))
        return found

    def is_stored(self, step: NumberedStep, slots: Slots) -> bool:
        """Say whether there is a fact as a step looks for."""
        if step.fresh:
            return next(self._stored(step, slots), None) is not None
        assert step.way is not None
        row = tuple(map(slots.__getitem__, step.slots))
        if not self.lookups.holds(step.way, step.predicate, row):
            return False
        if self.hidden and not step.is_denied:
            return self.lookups.fact(step.predicate, row) not in self.hidden
        return True

    def _searched(self, goal: Goal, *, is_first_enough: bool) -> Table:
        """Return the table of a goal that is complete, or has an answer if one is enough."""
        searches = [self._begun(goal, is_first_enough=is_first_enough)]
        while True:
            search = searches[-1]
            agenda, table = search.agenda, search.goal
            if agenda and not (search.is_first_enough and table.answers):
                frame = agenda.pop()
                if frame.table.is_check and frame.table.answers:
                    continue
                self._steps.spend()
                denied = self._advance(search, frame)
                if denied is not None:
                    searches.append(self._begun(denied, is_first_enough=True))
                continue
            searches.pop()
            self._keep(search)
            if not searches:
                return table

    def _keep(self, search: _Search) -> None:
        """Remember what is certain: everything after a search to the end, else what is answered yes."""
        self._exists[search.goal.goal] = next(iter(search.goal.answers), None)
        for goal, table in search.tables.items():
            if not search.agenda or table.is_done:
                table.waiting.clear()
                self._known.setdefault(goal, table)

    def _begun(self, goal: Goal, *, is_first_enough: bool) -> _Search:
        search = _Search(goal, is_first_enough=is_first_enough)
        self._begin(search, search.goal)
        return search

    def _begin(self, search: _Search, table: Table) -> None:
        pattern, args = table.goal
        for rule in reversed(self.rules.rules(pattern)):
            search.agenda.append(_Frame(table, rule, 0, self.begun(rule, args)))

    def _advance(self, search: _Search, frame: _Frame) -> Goal | None:
        """Go on with a rule to its end, or to where it has to wait. Return a goal to decide first, if any."""
        table, rule, at, slots, rows = frame
        steps = rule.steps
        if rows is not None:
            row = next(rows, None)
            if row is None:
                return None
            search.agenda.append(frame)
            slots = _bound(steps[at], slots, row)
            at += 1
        while at < len(steps):
            step = steps[at]
            holds: bool | None
            if step.doing is Doing.CALL and not step.is_denied:
                self._call(search, _Frame(table, rule, at, slots))
                return None
            if step.doing is Doing.CALL:
                goal = self.called(step, slots)
                holds = self._denies(goal)
                if holds is None:
                    search.agenda.append(_Frame(table, rule, at, slots))
                    return goal
            elif step.fresh and not step.is_denied:
                search.agenda.append(_Frame(table, rule, at, slots, self.rows(step, slots)))
                return None
            else:
                holds = self.holds_by_itself(step, slots)
            if not holds:
                return None
            at += 1
        self._answer(search, table, Derivation(rule, tuple(slots)))
        return None

    def holds_by_itself(self, step: NumberedStep, slots: Slots) -> bool:
        """Say whether a condition holds that asks no rules, and whose values are bound."""
        if step.doing is Doing.LOOK_UP:
            return self.is_stored(step, slots) is not step.is_denied
        return self.test(step, slots)

    def _denies(self, goal: Goal) -> bool | None:
        """Say whether a goal does not hold, or None if that must be searched for."""
        if self._of_all is not None:
            return not self._of_all.can_be_derived(goal)
        exists = self._known_to_hold(goal)
        if exists is None and goal[0].is_check and not self._can_hold(goal):
            self._known[goal] = Table(goal)
            exists = False
        return None if exists is None else not exists

    def _known_to_hold(self, goal: Goal) -> bool | None:
        known = self._known.get(goal)
        if known is not None:
            return bool(known.answers)
        return self._exists[goal] is not None if goal in self._exists else None

    def _can_hold(self, goal: Goal) -> bool:
        """Say whether it is worth while to derive a goal: compiled code knows faster if it is in vain."""
        pattern, args = goal
        check = self.rules.check(pattern.relation) if pattern.is_check else None
        if check is None:
            return True
        if self.rules.is_recursive(pattern.relation):
            # Each could look at all that is behind, which tables look at once.
            self._checks_left -= 1
            if self._checks_left < 0:
                return True
        return self._checked(check, args)

    def _checked(self, check: Check, args: Row) -> bool:
        try:
            return check(self.lookups.view, self._steps.left, self._seconds, {}, *args)
        except StopIteration:
            raise self._steps.reached() from None

    def _call(self, search: _Search, frame: _Frame) -> None:
        goal = self.called(frame.rule.steps[frame.at], frame.slots)
        table = self._known.get(goal)
        if table is None:
            table = search.tables.get(goal)
            if table is None:
                if not self._can_hold(goal):
                    self._known[goal] = Table(goal)
                    return
                table = search.tables[goal] = Table(goal)
                table.waiting.append(frame)
                self._begin(search, table)
                return
            if not table.is_done:
                table.waiting.append(frame)
        for answer in reversed(table.answers):
            search.agenda.append(_resumed(frame, answer))

    def _answer(self, search: _Search, table: Table, derivation: Derivation) -> None:
        answer = tuple(map(derivation.slots.__getitem__, derivation.rule.answer))
        if answer in table.answers:
            return
        table.answers[answer] = None
        self._first.setdefault((table.goal, answer), derivation)
        waiting = table.waiting
        for frame in reversed(waiting):
            search.agenda.append(_resumed(frame, answer))
        if table.is_done:
            waiting.clear()


def _bound(step: NumberedStep, slots: Slots, row: Row) -> Slots:
    """Return the slots with the values that a step binds."""
    bound = slots.copy()
    for place in step.fresh:
        bound[step.slots[place]] = row[place]
    return bound


def _resumed(frame: _Frame, answer: Row) -> _Frame:
    """Return the frame behind its call, with an answer to it; one that does not fit ends where it begins."""
    step = frame.rule.steps[frame.at]
    slots = frame.slots
    if step.call_free:
        slots = slots.copy()
        for slot, value in zip(step.call_free, answer, strict=True):
            if slots[slot] is not None and slots[slot] != value:
                return frame._replace(rows=iter(()))
            slots[slot] = value
    return _Frame(frame.table, frame.rule, frame.at + 1, slots)


def _is_alike(step: NumberedStep, row: Row) -> bool:
    seen: dict[int, int] = {}
    return all(seen.setdefault(step.slots[at], row[at]) == row[at] for at in step.fresh)
