"""Watchdog: sees from outside of the event loop that a process no longer follows the log, and has it end.

Rule 1: a process whose follower is dead, hung or starved leaves service: it would answer from a frozen copy
    for ever, and believe that it is a good one. Its listener closes, too: a shared port looks at nothing else.
Rule 2: it does not come back. What went wrong once is not trusted again; a supervisor starts another one.
Rule 3: nobody can close the listener of a loop that does not turn, so then the process ends at once.
Rule 4: time is counted in ticks of this thread. A process that was stopped for a while (SIGSTOP, a paused
    container) has one tick for all of it, and looks at the head before anyone thinks that it is hung.
"""

import asyncio
import os
import threading
from collections.abc import Callable
from typing import NoReturn

import structlog

from authz_service.replica.follower import Follower
from authz_service.replica.pulse import QUIET_SECONDS

EXIT_HUNG = 70
"""The exit code of a process that ended itself, and is to be started anew."""

_TICK_SECONDS = 0.25

_log = structlog.get_logger("authz.watchdog")


class Watchdog:
    """A thread that watches one event loop and its follower, from `start` to `stop`.

    `leave` is called on the loop, once, when the follower is hung; after `grace` seconds more the process ends.
    """

    def __init__(self, follower: Follower, leave: Callable[[], None], grace: float) -> None:
        self._loop = asyncio.get_running_loop()
        self._follower = follower
        self._leave = leave
        self._grace = grace
        self._turns = 0
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._run, name="watchdog", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        self._stopped.set()

    def _run(self) -> None:
        loop, follower = _Silence(), _Silence()
        left = 0.0
        while not self._stopped.wait(_TICK_SECONDS):
            try:
                self._loop.call_soon_threadsafe(self._turn)
            except RuntimeError:  # the loop is closed
                return
            if loop.seconds(self._turns) >= QUIET_SECONDS:
                end_process("the event loop has not turned for 5 s")
            # In this order: a long wait for the database may end between the two.
            patience = self._follower.patience
            silence = follower.seconds(self._follower.signs)
            if left:
                left += _TICK_SECONDS
                if left > self._grace:
                    end_process("requests did not come to an end")
            elif silence >= patience:
                _say("leaving service", "the follower of the log is dead or hung")
                left = _TICK_SECONDS
                self._loop.call_soon_threadsafe(self._leave)

    def _turn(self) -> None:
        self._turns += 1


class _Silence:
    """For how many ticks something has not changed."""

    def __init__(self) -> None:
        self._sign: object = None
        self._ticks = 0

    def seconds(self, sign: object) -> float:
        """Return for how long it is `sign` already. Call once each tick."""
        self._ticks = self._ticks + 1 if sign == self._sign else 0
        self._sign = sign
        return self._ticks * _TICK_SECONDS


def end_process(cause: str) -> NoReturn:
    """End this process now, whatever hangs in it. What was acknowledged is on the disk."""
    _say("ending this process", cause).join(1.0)
    os._exit(EXIT_HUNG)


def _say(event: str, cause: str) -> threading.Thread:
    """Write to the log, in a thread of its own: the log may be what hangs."""
    saying = threading.Thread(target=_log.error, args=[event], kwargs={"cause": cause}, daemon=True)
    saying.start()
    return saying
