"""Follower: keeps a replica at the head of the log, for whoever waits for a revision and for all others.

Rule 1: one round at a time, in a thread of its own; a round looks at the head and applies all that it shows.
    Who comes meanwhile shares the next round, which begins after they came.
Rule 2: a copy that is not what the log says (a gap, another life of the database) is loaded anew, beside the
    one that answers. It is never patched up by guessing. All processes find that out at the same moment, and
    each waits for a time of its own before it reads everything; so does each that tries again.
Rule 3: while the last round has failed, or waits in vain for the database, `trouble` says so, so that nobody
    need wait to be told.
Rule 4: a call to the database that does not return is given up, and its thread is left behind. One whose answer
    goes on coming in parts, as a whole copy does, may take as long as it needs.
Rule 5: what is counted in seconds here is counted in looks of this loop, so that a process that was stopped
    for a while does not take that for a silence of the database.
"""

import asyncio
import time
from collections.abc import Callable
from random import random

import structlog

from authz_service.errors import AuthzError, ReplicaBehind, ServiceStopping, StoreUnavailable
from authz_service.facts.revision import ConsistencyToken
from authz_service.replica.pulse import QUIET_SECONDS, Call
from authz_service.replica.replica import P, Replica, ReplicaFault
from authz_service.replica.runner import Runner

_LOOK_SECONDS = 0.02
"""So often the head is looked at; with SQLite that takes some 0.1 ms."""

_LONGEST_PAUSE = 0.5
"""So often it is looked at when that has failed again and again."""

_SPREAD_SECONDS = 1.0
"""Loads that many processes find necessary at one moment begin within so long."""

_TICK_SECONDS = 1.0
_SILENT_TICKS = 5
_GIVEN_UP_TICKS = 30

_MOST_LEFT = 4
"""So many threads may hang in the database before the next one is waited for, however long it takes."""

_log = structlog.get_logger("authz.replica")


class Follower:
    """Moves one replica on. All methods belong to one event loop."""

    def __init__(self, replica: Replica[P], chance: Callable[[], float] = random) -> None:
        """`chance` returns a number from 0 to 1, another one in each process."""
        self._replica = replica
        self._chance = chance
        self._runner: Runner | None = None
        self._left: list[Runner] = []
        self._running: asyncio.Task[None] | None = None
        self._next: asyncio.Task[None] | None = None
        self._moved = asyncio.Event()
        self._is_ending = False
        self._turns = 0
        self._is_turning = False
        self.trouble: StoreUnavailable | ReplicaBehind | None = None
        """Why the replica does not move on; None while it does."""

    @property
    def signs(self) -> tuple[int, int]:
        """What changes as long as the loop of `follow` turns, or waits for a round that gets on."""
        return self._turns, self._replica.pulse.beats if self._is_turning else 0

    @property
    def patience(self) -> float:
        """For how many seconds `signs`, read after this, may have stayed as they are."""
        return self._replica.pulse.patience if self._is_turning else QUIET_SECONDS

    async def reach(self, token: ConsistencyToken) -> None:
        """Return when the replica has applied what was committed with `token`.

        Raises StoreUnavailable, and what `load_policy` of the replica raises.
        """
        if not self._has(token) and self._running is not None:
            # It may be enough; if not, whatever became of it, the next one is.
            await asyncio.wait([self._running])
        if not self._has(token):
            await self.catch_up()

    def _has(self, token: ConsistencyToken) -> bool:
        # A copy of a life before a restore can have the same revision, which is another one.
        applied = self._replica.applied
        return applied.incarnation == token.incarnation and applied.revision >= token.revision

    async def catch_up(self) -> None:
        """Apply everything that is committed now. Raises what `reach` raises."""
        # What is shared goes on when one of those who wait is cancelled.
        await asyncio.shield(self.next_round())

    def next_round(self) -> asyncio.Task[None]:
        """Return the round that begins next, and at once if none is under way. It need not be awaited."""
        if self._next is None:
            self._next = asyncio.create_task(self._round(self._running))
            self._next.add_done_callback(_heard)
        return self._next

    async def beyond(self, token: ConsistencyToken) -> None:
        """Return when the replica is beyond `token`, or is not a copy of that life of the database.

        Raises ServiceStopping once `end` was called.
        """
        while not self._is_ending:
            if self._replica.incarnation != token.incarnation:
                return
            if self._replica.revision > token.revision:
                return
            await self._moved.wait()
        raise ServiceStopping("the service is stopping; go on with the last token, at once")

    def end(self) -> None:
        """Send away everyone who waits in `beyond`, for good."""
        self._is_ending = True
        self._moved.set()

    def close(self) -> None:
        """Let the thread of the rounds end. Call when nobody waits for one any more."""
        if self._runner is not None:
            self._runner.leave()

    async def follow(self, stopped: asyncio.Event) -> None:
        """Catch up again and again, until `stopped` is set. What fails is tried again."""
        told, pause = "", _LOOK_SECONDS
        while not stopped.is_set():
            self._turns += 1
            try:
                async with asyncio.timeout(pause * (1 - self._chance() / 2) if told else pause):
                    await stopped.wait()
            except TimeoutError:
                told = await self._try(told)
                pause = min(2 * pause, _LONGEST_PAUSE) if told else _LOOK_SECONDS

    async def _try(self, told: str) -> str:
        """Catch up; tell of a failure, but not twice of the same."""
        self._is_turning = True
        try:
            await self.catch_up()
        except AuthzError as error:
            if error.message != told:
                self._tell(error.reason, cause=error.message)
            return error.message
        # A follower that ended here would leave questions to be answered from an old copy for ever.
        except Exception as error:  # noqa: BLE001
            if repr(error) != told:
                self._tell("INTERNAL", exc_info=error)
            return repr(error)
        finally:
            self._is_turning = False
        if told:
            _log.info("following again", revision=self._replica.revision)
        return ""

    def _tell(self, reason: str, **why: object) -> None:
        _log.error("not following", reason=reason, stopped_at=self._replica.stopped_at, **why)

    async def _round(self, before: asyncio.Task[None] | None) -> None:
        if before is not None:
            await asyncio.wait([before])
        # Who comes from here on has come after this round began.
        self._running, self._next = self._next, None
        try:
            await self._move()
        except StoreUnavailable as error:
            self.trouble = error
            raise
        except Exception:
            stopped_at = self._replica.stopped_at
            what = "what was committed" if stopped_at is None else f"revision {stopped_at}"
            self.trouble = ReplicaBehind(f"this process cannot apply {what}; its log says why")
            raise
        else:
            self.trouble = None
        finally:
            self._running = None

    async def _move(self) -> None:
        before = self._replica.incarnation, self._replica.revision
        if self._runner is None:
            self._runner = Runner("follow")
        moving = asyncio.wrap_future(self._runner.run(self._catch_up))
        try:
            await self._watched(moving)
        finally:
            if before != (self._replica.incarnation, self._replica.revision):
                self._moved.set()
                # Who begins to wait from here on waits for the next time.
                self._moved = asyncio.Event()
                if self._is_ending:
                    self._moved.set()

    async def _watched(self, moving: asyncio.Future[None]) -> None:
        """Wait for `moving`. Raises StoreUnavailable if a call to the database had to be given up."""
        pulse = self._replica.pulse
        call: Call | None = None
        parts = ticks = 0
        while not (await asyncio.wait([moving], timeout=_TICK_SECONDS))[0]:
            is_silent = call is not None and pulse.call is call and call.parts == parts
            ticks = ticks + 1 if is_silent else 0
            call = pulse.call
            parts = call.parts if call is not None else 0
            if ticks >= _SILENT_TICKS:
                self.trouble = StoreUnavailable("the database does not answer; try again")
            if call is not None and ticks >= _GIVEN_UP_TICKS and self._leave_runner(call):
                moving.add_done_callback(_heard)
                raise StoreUnavailable("the database has not answered for long; try again")
        moving.result()

    def _leave_runner(self, call: Call) -> bool:
        """Leave the thread that waits for `call` behind; say whether that could be done."""
        self._left = [runner for runner in self._left if runner.is_alive]
        if len(self._left) >= _MOST_LEFT or not self._replica.pulse.give_up(call):
            return False
        if self._runner is not None:
            self._runner.leave()
            self._left.append(self._runner)
            self._runner = None
        return True

    def _catch_up(self) -> None:
        try:
            self._replica.catch_up()
        except ReplicaFault as error:
            _log.error("loading anew", cause=str(error))
            time.sleep(_SPREAD_SECONDS * self._chance())
            self._replica.load()


def _heard(ended: "asyncio.Future[None]") -> None:
    """Take note of the error that something may have ended with and that nobody waits for."""
    if not ended.cancelled():
        ended.exception()
