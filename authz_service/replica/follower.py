"""Follower: keeps a replica at the head of the log, for whoever waits for a revision and for all others.

Rule 1: one catching-up at a time, in a thread; who comes meanwhile shares what it brings.
Rule 2: a copy that is not what the log says (a gap, another life of the database) is loaded anew, beside the
    one that answers. It is never patched up by guessing.
"""

import asyncio

import structlog

from authz_service.errors import AuthzError, ServiceStopping
from authz_service.facts.revision import ConsistencyToken, Revision
from authz_service.replica.replica import P, Replica, ReplicaFault

_LOOK_SECONDS = 0.02
"""So often the head is looked at; with SQLite that takes some 0.1 ms."""

_log = structlog.get_logger("authz.replica")


class Follower:
    """Moves one replica on. All methods belong to one event loop."""

    def __init__(self, replica: Replica[P]) -> None:
        self._replica = replica
        self._turn = asyncio.Lock()
        self._moved = asyncio.Event()
        self._is_ending = False

    async def reach(self, revision: Revision) -> None:
        """Return when the replica has applied `revision`, which was committed.

        Raises StoreUnavailable, and what `load_policy` of the replica raises.
        """
        if self._replica.revision < revision:
            async with self._turn:
                if self._replica.revision < revision:
                    await self._move()

    async def catch_up(self) -> None:
        """Apply everything that is committed now. Raises what `reach` raises."""
        async with self._turn:
            await self._move()

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

    async def follow(self, stopped: asyncio.Event) -> None:
        """Catch up again and again, until `stopped` is set. What fails is tried again."""
        told = ""
        while not stopped.is_set():
            try:
                async with asyncio.timeout(_LOOK_SECONDS):
                    await stopped.wait()
            except TimeoutError:
                told = await self._try(told)

    async def _try(self, told: str) -> str:
        """Catch up; tell of a failure, but not twice of the same."""
        try:
            await self.catch_up()
        except AuthzError as error:
            if error.message != told:
                _log.error("not following", reason=error.reason, cause=error.message)
            return error.message
        # A follower that ended here would leave questions to be answered from an old copy for ever.
        except Exception as error:  # noqa: BLE001
            if repr(error) != told:
                _log.error("not following", reason="INTERNAL", exc_info=error)
            return repr(error)
        if told:
            _log.info("following again", revision=self._replica.revision)
        return ""

    async def _move(self) -> None:
        before = self._replica.incarnation, self._replica.revision
        try:
            await asyncio.to_thread(self._catch_up)
        finally:
            if before != (self._replica.incarnation, self._replica.revision):
                self._moved.set()
                # Who begins to wait from here on waits for the next time.
                self._moved = asyncio.Event()
                if self._is_ending:
                    self._moved.set()

    def _catch_up(self) -> None:
        try:
            self._replica.catch_up()
        except ReplicaFault as error:
            _log.error("loading anew", cause=str(error))
            self._replica.load()
