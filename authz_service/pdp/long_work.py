"""LongWork: what may take long runs in threads of its own, as long as somebody waits for it.

Rule 1: the event loop goes on meanwhile. Work is done in small steps of the interpreter, between which threads
    take turns; one call that computes for milliseconds would stop all others.
Rule 2: work whose caller has left ends soon, at the next step that it counts.
"""

import asyncio
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import chain
from typing import TypeVar

from authz_service.engine.program import Budget
from authz_service.errors import EvaluationLimitReached

T = TypeVar("T")

_THREADS = 2

_STEPS_BETWEEN_LOOKS = 4096
"""So many steps take about a millisecond."""


class Caller:
    """Whoever waits for some work. `has_left` is set by one thread and read by another."""

    __slots__ = ("has_left",)

    def __init__(self) -> None:
        self.has_left = False


class LongWork:
    """The threads. Other questions do not wait for them, as these are not theirs."""

    def __init__(self) -> None:
        self._threads = ThreadPoolExecutor(_THREADS, "long")

    async def run(self, work: Callable[[Caller], T]) -> T:
        """Return what `work` returns for its caller, in a thread; if this is cancelled, the caller has left."""
        caller = Caller()
        try:
            return await asyncio.get_running_loop().run_in_executor(self._threads, work, caller)
        finally:
            caller.has_left = True

    def close(self) -> None:
        """Let work that runs come to its end, and start none."""
        self._threads.shutdown(cancel_futures=True)


class LongBudget(Budget):
    """The steps for one answer. There are none left when its caller has left.

    `limit` says what is reached when they are spent, and what to do then.
    """

    __slots__ = ("_limit",)

    def __init__(self, steps: int, caller: Caller, limit: str) -> None:
        super().__init__(steps)
        self.each = _Steps(steps, caller)
        self._limit = limit

    def reached(self) -> EvaluationLimitReached:
        return EvaluationLimitReached(self._limit)


class _Steps:
    """As many numbers as there are steps, for each evaluation anew; counting is done in C."""

    __slots__ = ("_caller", "_steps")

    def __init__(self, steps: int, caller: Caller) -> None:
        self._steps = steps
        self._caller = caller

    def __iter__(self) -> Iterator[int]:
        return chain.from_iterable(self._parts())

    def _parts(self) -> Iterator[range]:
        for start in range(0, self._steps, _STEPS_BETWEEN_LOOKS):
            if self._caller.has_left:
                return
            yield range(start, min(start + _STEPS_BETWEEN_LOOKS, self._steps))
