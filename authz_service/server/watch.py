"""Following a store: what each revision did to it, as far as the log reaches, and then as it happens.

Rule 1: what is behind the start is told once, in order, each revision whole; its last part has the token.
Rule 2: nothing is kept for a watcher. One page of the log is read when the watcher has taken the one before.
Rule 3: what happens to other stores costs no look into the database.
"""

import asyncio
import time
from collections.abc import AsyncGenerator, Iterator

from authz.v1 import fact_service_pb2 as pb

from authz_service.engine.engines import LoadedPolicy
from authz_service.errors import StoreNotFound
from authz_service.facts.change import ChangeBatch, StoreEvent
from authz_service.facts.revision import ConsistencyToken, Revision
from authz_service.replica.follower import Follower
from authz_service.replica.replica import Replica
from authz_service.server import codec
from authz_service.store.fact_store import FactStore

# So many revisions of up to 1000 facts, or one that has more, are held for a watcher that reads slowly.
_PAGE = 16
_LOOK_SECONDS = 0.02

_CHECKPOINT_SECONDS = 10.0
"""A watcher of a quiet store hears so often how far the log is, so that its token does not grow old."""


class Watch:
    """One watcher's way through the log: the store of `start`, which is called `store`, from there on."""

    def __init__(
        self,
        facts: FactStore,
        replica: Replica[LoadedPolicy],
        follower: Follower,
        store: str,
        start: ConsistencyToken,
    ) -> None:
        self._facts = facts
        self._replica = replica
        self._follower = follower
        self._store = store
        self._position = start
        self._told_at = time.monotonic()

    async def messages(self) -> AsyncGenerator[pb.WatchFactsResponse, None]:
        """Yield until the store is deleted. Raises Compacted, RevisionUnknown, ServiceStopping."""
        yield self._checkpoint()
        while True:
            await self._follower.beyond(self._position)
            if not self._skip_others():
                for batch in await self._next_batches():
                    parts = codec.change_messages(batch, self._at(batch.revision))
                    while part := await asyncio.to_thread(_next_part, parts):
                        yield part
                    if batch.event is StoreEvent.DELETED:
                        return
                    self._told_at = time.monotonic()
            if time.monotonic() - self._told_at > _CHECKPOINT_SECONDS:
                yield self._checkpoint()

    def _skip_others(self) -> bool:
        """Go past what was done to other stores, if nothing was done to this one; say so."""
        # INVARIANT: of one reading. A copy that is loaded anew can be of another life, with fewer revisions.
        applied = self._replica.applied
        try:
            state = applied.state(self._store)
        except StoreNotFound:
            return False
        is_other = (state.incarnation, state.number) != self._position[:2]
        if is_other or state.revision > self._position.revision:
            return False
        self._position = self._at(applied.revision)
        return True

    async def _next_batches(self) -> tuple[ChangeBatch, ...]:
        page = await asyncio.to_thread(self._facts.follow, self._position, limit=_PAGE)
        if page.up_to == self._position.revision:
            # The replica is a copy of another life of the database, and will be loaded anew.
            await asyncio.sleep(_LOOK_SECONDS)
        self._position = self._at(page.up_to)
        return tuple(page.batches)

    def _checkpoint(self) -> pb.WatchFactsResponse:
        self._told_at = time.monotonic()
        return pb.WatchFactsResponse(consistency_token=str(self._position))

    def _at(self, revision: Revision) -> ConsistencyToken:
        return self._position._replace(revision=revision)


def _next_part(parts: Iterator[pb.WatchFactsResponse]) -> pb.WatchFactsResponse | None:
    return next(parts, None)
