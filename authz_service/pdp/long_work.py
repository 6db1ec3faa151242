"""LongWork: what may take long runs in threads of its own, as long as somebody waits for it.

Rule 1: the event loop comes first. Twice in a millisecond the work gives way until the loop has done what has
    come up; without that each of the loop's many small steps would have to wait for the interpreter's lock.
Rule 2: of several works one computes at a time, as they could only take the lock from one another. They take
    turns where they give way.
Rule 3: work whose caller has left ends soon, at the next step that it counts.
"""

import asyncio
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from copy import copy
from itertools import chain
from typing import TypeVar

from authz_service.engine.program import Budget
from authz_service.errors import EvaluationLimitReached

T = TypeVar("T")

_THREADS = 4

_WORKS_SECONDS = 0.0005

_LONGEST_TURN = 0.1
"""A loop that does not come round in that time is not waited for: it may be waiting for the work to end."""

_STEPS_BETWEEN_LOOKS = 64


class Caller:
    """Whoever waits for some work, which asks it now and then whether to go on."""

    def __init__(self, loop: asyncio.AbstractEventLoop, turn: threading.Lock) -> None:
        self._loop = loop
        self._turn = turn
        self._began = time.monotonic()
        self.has_left = False
        """Set by the loop, read by the thread."""

    def give_way(self) -> None:
        """Let the loop and other works go on, if this one has done so for long enough. Call it often."""
        if time.monotonic() - self._began < _WORKS_SECONDS or self.has_left:
            return
        came_round = threading.Event()
        self._turn.release()
        try:
            self._loop.call_soon_threadsafe(came_round.set)
            came_round.wait(_LONGEST_TURN)
        finally:
            self._turn.acquire()
        self._began = time.monotonic()


class LongWork:
    """The threads. Checks do not wait for them, as these have others."""

    def __init__(self) -> None:
        self._threads = ThreadPoolExecutor(_THREADS, "long")
        self._turn = threading.Lock()

    async def run(self, work: Callable[[Caller], T]) -> T:
        """Return what `work` returns for its caller, in a thread; if this is cancelled, the caller has left."""
        loop = asyncio.get_running_loop()
        caller = Caller(loop, self._turn)
        try:
            return await loop.run_in_executor(self._threads, self._in_turn, work, caller)
        finally:
            caller.has_left = True

    def _in_turn(self, work: Callable[[Caller], T], caller: Caller) -> T:
        with self._turn:
            return work(caller)

    def close(self) -> None:
        """Let work that runs come to its end, and start none."""
        self._threads.shutdown(cancel_futures=True)


class LongBudget(Budget):
    """The steps for one answer, which give way as they are taken; none are left when its caller has left.

    `limit` says what is reached when they are spent, and what to do then.
    """

    __slots__ = ("_limit",)

    def __init__(self, steps: int, caller: Caller, limit: str) -> None:
        super().__init__(steps)
        self.each = _Steps(steps, caller)
        self._limit = limit

    def shared(self) -> "LongBudget":
        """See `Budget.shared`."""
        shared = copy(self)
        shared.each = iter(self.each)
        return shared

    def reached(self) -> EvaluationLimitReached:
        return EvaluationLimitReached(self._limit)


class _Steps:
    """As many numbers as there are steps, for each evaluation anew; counting is mostly done in C."""

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
            self._caller.give_way()
            yield range(start, min(start + _STEPS_BETWEEN_LOOKS, self._steps))
