"""LongWork: what may take long runs in threads of its own, as long as somebody waits for it.

Rule 1: the event loop comes first. Twice in a millisecond the work gives way until the loop has nothing to do.
    If it went on earlier, each of the many small steps of a question would wait for the interpreter's lock.
Rule 2: of several works one computes at a time, as they could only take the lock from one another. They take
    turns where they give way.
Rule 3: a loop that always has something to do is waited for, but not for ever: each work comes to its end.
Rule 4: work whose caller has left ends soon, at the next step that it counts.
"""

import asyncio
import math
import threading
import time
from collections import deque
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

_WAITS_SECONDS = 0.01
"""So long a work that has computed waits for the loop to have nothing to do, before it goes on all the same."""

_IDLE_TURNS = 4
"""A turn of the loop that takes more than so many times what the shortest one took had something to do."""

_LONGEST_TURN = 0.1
"""A loop that does not come round in that time is not waited for: it may be waiting for the work to end."""

_STEPS_BETWEEN_LOOKS = 64


class Turns:
    """Which of the callers may compute. Belongs to the event loop, which hands the turn on."""

    def __init__(
        self, loop: asyncio.AbstractEventLoop, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self.loop = loop
        self._clock = clock
        self._asking: deque[Caller] = deque()
        self._turn_of: Caller | None = None
        """Who computes, or will as soon as the loop has nothing to do."""
        self._began = self._came_round = 0.0
        self._shortest = math.inf

    def ask(self, caller: "Caller") -> None:
        """Let `caller` go on when it is its turn, behind all others."""
        if caller not in self._asking:
            self._asking.append(caller)
        self._pass_on(caller)

    def end(self, caller: "Caller") -> None:
        """Let others go on instead of `caller`, for good. It may still be asking, if it waited in vain."""
        if caller in self._asking:
            self._asking.remove(caller)
        self._pass_on(caller)

    def _pass_on(self, caller: "Caller") -> None:
        """End the turn of `caller`, if it has it, and see who is next."""
        if self._turn_of is caller:
            self._turn_of = None
        if self._turn_of is None and self._asking:
            self._turn_of = self._asking.popleft()
            self._began = self._came_round = self._clock()
            self.loop.call_soon(self._come_round, self._turn_of)

    def _come_round(self, caller: "Caller") -> None:
        """Tell `caller` to go on if the loop has done nothing since it came here last, or did enough."""
        now = self._clock()
        took, self._came_round = now - self._came_round, now
        self._shortest = min(took, self._shortest)
        is_idle = took <= _IDLE_TURNS * self._shortest
        if is_idle or now - self._began >= caller.patience:
            caller.may_go.set()
        else:
            self.loop.call_soon(self._come_round, caller)


class Caller:
    """Whoever waits for some work, which asks it now and then whether to go on."""

    def __init__(self, turns: Turns) -> None:
        self._turns = turns
        self._began = 0.0
        self.patience = 0.0
        """For how many seconds the loop may put the work off. What may be short is not put off."""
        self.may_go = threading.Event()
        """Set by the loop, cleared by the thread."""
        self.has_left = False
        """Set by the loop, read by the thread."""

    def begin(self) -> None:
        """Wait until no other work computes."""
        self._wait()
        self.patience = _WAITS_SECONDS

    def give_way(self) -> None:
        """Let the loop and other works go on, if this one has done so for long enough. Call it often."""
        if time.monotonic() - self._began >= _WORKS_SECONDS and not self.has_left:
            self._wait()

    def end(self) -> None:
        """Let others compute."""
        self._turns.loop.call_soon_threadsafe(self._turns.end, self)

    def _wait(self) -> None:
        self.may_go.clear()
        self._turns.loop.call_soon_threadsafe(self._turns.ask, self)
        self.may_go.wait(_LONGEST_TURN)
        self._began = time.monotonic()


class LongWork:
    """The threads. Checks do not wait for them, as these have others. It serves one event loop at a time."""

    def __init__(self) -> None:
        self._threads = ThreadPoolExecutor(_THREADS, "long")
        self._turns: Turns | None = None

    async def run(self, work: Callable[[Caller], T]) -> T:
        """Return what `work` returns for its caller, in a thread; if this is cancelled, the caller has left."""
        loop = asyncio.get_running_loop()
        if self._turns is None or self._turns.loop is not loop:
            self._turns = Turns(loop)
        caller = Caller(self._turns)
        try:
            return await loop.run_in_executor(self._threads, _in_turn, work, caller)
        finally:
            caller.has_left = True

    def close(self) -> None:
        """Let work that runs come to its end, and start none."""
        self._threads.shutdown(cancel_futures=True)


def _in_turn(work: Callable[[Caller], T], caller: Caller) -> T:
    caller.begin()
    try:
        return work(caller)
    finally:
        caller.end()


class LongBudget(Budget):
    """The steps for one answer, which give way as they are taken; none are left when its caller has left.

    `limit` says what is reached when they are spent, and what to do then.
    """

    __slots__ = ("_caller", "_limit")

    def __init__(self, steps: int, caller: Caller, limit: str) -> None:
        super().__init__(steps)
        self.each = _Steps(steps, caller)
        self._caller = caller
        self._limit = limit

    def shared(self) -> "LongBudget":
        """See `Budget.shared`."""
        shared = copy(self)
        shared.each = iter(self.each)
        return shared

    def rest(self) -> None:
        """See `Budget.rest`."""
        self._caller.give_way()

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
