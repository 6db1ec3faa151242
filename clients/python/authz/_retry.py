"""When a call is tried again: the only retries there are, since gRPC's own are switched off.

Rule 1: only UNAVAILABLE is tried again, and CANCELLED, which is what a request gets that comes to a server
    when it has begun to stop; and only for calls whose effect is the same however often they are sent.
Rule 2: all attempts and pauses together take no longer than the call's timeout.
Rule 3: when the time is up the caller learns why the last attempt failed that was not cut short by that.
"""

import math
import random
import time
from collections.abc import Callable, Iterator
from typing import Final

import grpc

from authz.errors import AuthzError, DeadlineExceeded, Unavailable

FIRST_PAUSE: Final = 0.020
LONGEST_PAUSE: Final = 1.0
# With less time than this an attempt would end as DEADLINE_EXCEEDED, which hides the reason.
SHORTEST_ATTEMPT: Final = 0.010
# So little that gRPC answers DEADLINE_EXCEEDED at once.
NO_TIME: Final = 1e-6
# gRPC takes deadlines some centuries ahead for past ones. Three years are as good as forever.
LONGEST_ATTEMPT: Final = 1e8


def require_timeout(seconds: float) -> float:
    if not 0 < seconds < math.inf:
        raise ValueError(f"expected a timeout in seconds, positive and finite, found {seconds!r}")
    return seconds


def pauses(jitter: Callable[[float, float], float] = random.uniform) -> Iterator[float]:
    """Yield the pauses between attempts, for ever: doubling up to the longest, jittered by half."""
    pause = FIRST_PAUSE
    while True:
        yield jitter(pause / 2, pause)
        pause = min(2 * pause, LONGEST_PAUSE)


class Attempts:
    """The attempts of one call, from now until its timeout."""

    def __init__(
        self, timeout: float, *, repeatable: bool, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._clock = clock
        self._deadline = clock() + timeout
        self._repeatable = repeatable
        self._pauses = pauses()
        self._told: AuthzError | None = None

    def time_left(self) -> float:
        """Return how long an attempt that begins now may take, more than nothing.

        Raises what an attempt before failed with if the pause after it took longer than it should.
        """
        left = self._deadline - self._clock()
        if left <= 0 and self._told is not None:
            raise self._told
        return min(max(left, NO_TIME), LONGEST_ATTEMPT)

    def pause_after(self, failure: AuthzError) -> float:
        """Return how long to wait before the next attempt, or raise `failure` if there is none."""
        left = self._deadline - self._clock()
        is_passing = isinstance(failure, Unavailable) or failure.code is grpc.StatusCode.CANCELLED
        is_worth_it = self._repeatable and is_passing
        if is_worth_it:
            self._told = failure
        if not is_worth_it or left < 2 * SHORTEST_ATTEMPT:
            # An attempt that the end of the time cut short says less than the one before it.
            is_cut_short = isinstance(failure, DeadlineExceeded)
            raise self._told if is_cut_short and self._told is not None else failure
        # Shortened towards the end, so that a service that comes back late is still found.
        return min(next(self._pauses), left / 2)
