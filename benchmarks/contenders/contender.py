"""Contender: one engine that can be asked; Timed: what it answered and what that cost.

Every question is asked once of a store, and no answer is kept. Costs are CPU time, without the loop and the
clocks around the questions. The cyclic garbage collector does not look at what was loaded before. As other
processes disturb short measurements, small stores are measured in some rounds, of which the best counts.
"""

import gc
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import NamedTuple, Protocol

from authz_service.engine.program import Question
from workloads.workload import Store

ROUNDS = 5

# Larger stores take long to build, and are asked so many questions that one round is steady.
MOST_FOR_ROUNDS = 5_000


class Timed(NamedTuple):
    """What a contender answered, in the order of the questions."""

    decisions: Sequence[bool]
    cpu: float
    """Seconds of CPU for each question, on average."""
    latencies: Sequence[int] = ()
    """Nanoseconds for each question, if questions were asked one by one."""
    again: float | None = None
    """Seconds of CPU for each question when it was asked before, if that was measured, too."""


class Limits(NamedTuple):
    """What is asked of a contender, so that a run comes to an end."""

    questions: int
    """Of a small store; more of a large one."""
    most_facts: int = 10_000_000
    """Larger stores are not tried ..."""
    reason: str = ""
    """... for this reason."""


Asked = Callable[[Sequence[Question]], Timed]


class Contender(Protocol):
    """An engine that can be loaded with a store."""

    name: str
    limits: Limits

    def load(self, store: Store) -> Asked:
        """Make everything ready that questions about `store` have in common."""
        ...


def one_by_one(ask: Callable[[Question], bool], questions: Sequence[Question]) -> Timed:
    """Put `questions` to `ask` and time each of them."""
    with frozen():
        empty = min((_run(None, questions) for _ in range(3)), key=lambda run: run.cpu)
        run = _run(ask, questions)
    clock = min(empty.latencies)
    return Timed(
        run.decisions, max(0.0, run.cpu - empty.cpu), [each - clock for each in run.latencies]
    )


def _run(ask: Callable[[Question], bool] | None, questions: Sequence[Question]) -> Timed:
    decisions, latencies = [], []
    clock = time.perf_counter_ns
    decision = False
    before = time.process_time()
    for question in questions:
        start = clock()
        if ask is not None:
            decision = ask(question)
        latencies.append(clock() - start)
        decisions.append(decision)
    return Timed(decisions, (time.process_time() - before) / len(questions), latencies)


@contextmanager
def frozen() -> Iterator[None]:
    """Keep what exists out of the sight of the garbage collector meanwhile."""
    gc.collect()
    gc.freeze()
    try:
        yield
    finally:
        gc.unfreeze()
