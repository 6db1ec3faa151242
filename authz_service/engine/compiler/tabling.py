"""What compiled code keeps while one question is answered: tables for recursion, and where walks have been.

Tables follow SLG resolution (Chen and Warren 1996) without its treatment of negation, which stratified rules
do not need: each call has one table of answers; who needs them leaves a continuation, which runs once for each
answer, now or later. So recursion of any form ends, a chain of 100,000 facts is no deeper than one of three,
and no pair of a continuation and an answer is looked at twice in a question. What is left to do stays in
the agenda when a question of yes or no is answered early, and is taken up if the same tables are asked again.
"""

from collections.abc import Callable, Collection, Hashable, Iterable, Iterator, Sequence, Sized
from typing import Any

from authz_service.facts.members import Patched
from authz_service.facts.view import View

Steps = Iterator[object]
"""Has an item for each step that is left: `next` takes one, and raises StopIteration when there is none."""

Run = dict[Hashable, Any]
"""What one question keeps while it is answered: its tables, and what it has tried."""

Answer = Any
"""`()` for yes, the value for one free argument, a tuple of values for more."""

Continuation = Callable[["Tables", "Table", View, Steps, int, Run, tuple[int, ...], Answer], object]


def tables_of(facts: View, steps: Steps, now: int, run: Run, name: str) -> "Tables":
    """Return the tables of a group of procedures that use each other, for this question."""
    found: Tables | None = run.get((name,))
    if found is None:
        found = run[(name,)] = Tables(facts, steps, now, run)
    return found


def tried_of(run: Run, *key: Hashable) -> set[Any]:
    """Return what walks under `key` have tried in this question without success."""
    found: set[Any] | None = run.get(key)
    if found is None:
        found = run[key] = set()
    return found


def forget(run: Run, *key: Hashable) -> None:
    """Drop what was tried under `key`: the walk succeeded, so nothing is known about its other steps."""
    del run[key]


FEW = 32
"""So many values each walk comes to, though an earlier one of the question did: else it would not be known as a
whole, and not be kept."""

_FOR_A_STEP = 100
"""So many values are compared in C in the time of one step."""


def spend(steps: Steps, values: Sized) -> None:
    """Count the steps that it takes to look at all `values` in C."""
    for _ in range(len(values) // _FOR_A_STEP):
        next(steps)


def meet(steps: Steps, members: Collection[int], reached: frozenset[int] | set[int]) -> bool:
    """Say whether the two have a value in common. Costs the smaller one, all of it in C."""
    next(steps)
    spend(steps, min(members, reached, key=len))
    if isinstance(members, Patched):
        return not members.isdisjoint(reached)
    return not reached.isdisjoint(members)


def has_alike(
    steps: Steps, found: Iterable[tuple[int, ...]], pairs: Sequence[tuple[int, int]]
) -> bool:
    """Say whether some tuple of `found` has equal values at the positions of each of `pairs`."""
    for values in found:
        next(steps)
        if all(values[one] == values[other] for one, other in pairs):
            return True
    return False


class Table:
    """The answers of one call so far, and what waits for more of them."""

    __slots__ = ("answers", "is_check", "waiting")

    def __init__(self, *, is_check: bool) -> None:
        self.answers: set[Answer] = set()
        self.is_check = is_check
        self.waiting: list[tuple[Continuation, Table, tuple[int, ...]]] = []


class Tables:
    """The tables of one group of procedures, for one question."""

    __slots__ = ("_agenda", "_facts", "_now", "_run", "_steps", "_tables")

    def __init__(self, facts: View, steps: Steps, now: int, run: Run) -> None:
        self._facts = facts
        self._steps = steps
        self._now = now
        self._run = run
        self._tables: dict[tuple[Continuation, tuple[int, ...]], Table] = {}
        self._agenda: list[tuple[Continuation, Table, tuple[int, ...], Answer]] = []

    def holds(self, start: Continuation, args: tuple[int, ...]) -> bool:
        """Say whether the call has its answer."""
        table = self._table(start, args, is_check=True)
        self._work_on(table)
        return bool(table.answers)

    def answers(self, start: Continuation, args: tuple[int, ...]) -> set[Answer]:
        """Return all answers of the call."""
        table = self._table(start, args, is_check=False)
        self._work_on(table)
        return table.answers

    def call(
        self,
        start: Continuation,
        args: tuple[int, ...],
        resume: Continuation,
        table: Table,
        saved: tuple[int, ...],
        *,
        is_check: bool,
    ) -> None:
        """Let `resume` run with `saved` for each answer of the call, on behalf of `table`."""
        called = self._table(start, args, is_check=is_check)
        called.waiting.append((resume, table, saved))
        for answer in called.answers:
            self._plan(resume, table, saved, answer)

    def add(self, table: Table, answer: Answer) -> None:
        """Add an answer, and wake up what waits for it."""
        if answer not in table.answers:
            table.answers.add(answer)
            for resume, target, saved in table.waiting:
                self._plan(resume, target, saved, answer)

    def _plan(
        self, resume: Continuation, table: Table, saved: tuple[int, ...], answer: Answer
    ) -> None:
        # A step is counted here, and not when it is taken: so the agenda is no longer than steps are left.
        next(self._steps)
        self._agenda.append((resume, table, saved, answer))

    def _table(self, start: Continuation, args: tuple[int, ...], *, is_check: bool) -> Table:
        key = (start, args)
        table = self._tables.get(key)
        if table is None:
            table = self._tables[key] = Table(is_check=is_check)
            self._plan(start, table, args, None)
        return table

    def _work_on(self, table: Table) -> None:
        """Work until `table` cannot change any more."""
        agenda = self._agenda
        while agenda and not (table.is_check and table.answers):
            resume, target, saved, answer = agenda.pop()
            if not (target.is_check and target.answers):
                resume(self, target, self._facts, self._steps, self._now, self._run, saved, answer)
