"""Which state of a store may answer: the demands of a request, and how they are met.

Rule 1: a demand is met, or the request fails. Nothing older than demanded ever answers.
Rule 2: whether a demand is met is read off the state that answers, not off what was waited for.
Rule 3: a demand that is met already costs no waiting and no I/O. One that cannot be met, since the database
    cannot be reached, fails at once.
Rule 4: every wait ends before its caller's deadline, so that the caller learns the reason.
"""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass

from authz_service.engine.engines import LoadedPolicy
from authz_service.errors import (
    DeadlinePassed,
    ReplicaBehind,
    RevisionUnknown,
    TokenOfAnotherStore,
)
from authz_service.facts.instant import Instant
from authz_service.facts.revision import ConsistencyToken
from authz_service.replica.follower import Follower
from authz_service.replica.past import PastStates
from authz_service.replica.replica import Applied, Replica, StoreState
from authz_service.replica.uptime import uptime

_LOOK_SECONDS = 0.02
_LONGEST_WAIT = 30.0
"""Who has no deadline waits so long."""

_ANSWER_SECONDS = 0.2
"""So long before the deadline a wait ends, or a tenth of the time that is left if that is less."""


@dataclass(frozen=True, slots=True)
class AtLeastAsFresh:
    """A state that has everything in it that these tokens cover."""

    tokens: tuple[ConsistencyToken, ...]


@dataclass(frozen=True, slots=True)
class FullyConsistent:
    """A state that has everything in it that was committed when the request arrived."""


@dataclass(frozen=True, slots=True)
class Exactly:
    """The very state that a token names."""

    token: ConsistencyToken


@dataclass(frozen=True, slots=True)
class AsOf:
    """The state at a time that is past, and what had not expired by then."""

    instant: Instant


Newer = AtLeastAsFresh | FullyConsistent
Earlier = Exactly | AsOf
Consistency = Newer | Earlier
"""What a request can demand; one that demands nothing is answered by what is there."""


class Freshness:
    """Waits until the replica is as new as demanded, or until a state of the past is there."""

    def __init__(
        self,
        replica: Replica[LoadedPolicy],
        follower: Follower,
        past: PastStates[LoadedPolicy],
        clock: Callable[[], float] = uptime,
    ) -> None:
        self._replica = replica
        self._follower = follower
        self._past = past
        self._clock = clock

    async def reached(
        self, store: str, demand: Newer, seconds: float | None
    ) -> Applied[LoadedPolicy]:
        """Return what is applied, as soon as it meets `demand` for `store`.

        Raises ReplicaBehind if that takes longer than a caller waits who has `seconds` left, StoreUnavailable
        if it cannot be, and RevisionUnknown, TokenOfAnotherStore or StoreNotFound for tokens that the store
        does not have.
        """
        arrived = self._clock()
        applied = self._met(store, demand, arrived)
        if applied is not None:
            return applied
        try:
            async with asyncio.timeout(_longest_wait(seconds)):
                return await self._wait(store, demand, arrived)
        except TimeoutError:
            message = "this process did not become as fresh as demanded in time; try again"
            raise ReplicaBehind(message) from None

    async def past(
        self, store: str, demand: Earlier, seconds: float | None
    ) -> tuple[StoreState[LoadedPolicy], Instant]:
        """Return the state of `store` that is demanded, and the instant to evaluate at.

        Raises what `reached` raises, Compacted if the history does not go back so far, RevisionUnknown for a
        time before the store was made, and DeadlinePassed if the state is not there in time.
        """
        try:
            async with asyncio.timeout(_longest_wait(seconds)):
                return await self._earlier(store, demand)
        except TimeoutError:
            message = "the state of the past was not there in time; a later question may find it"
            raise DeadlinePassed(message) from None

    async def pinned(
        self, store: str, token: ConsistencyToken, seconds: float | None
    ) -> StoreState[LoadedPolicy]:
        """Return the very state of a token, which is the newest one or past. Raises what `past` raises."""
        try:
            async with asyncio.timeout(_longest_wait(seconds)):
                applied = await self.reached(store, AtLeastAsFresh((token,)), None)
                newest = applied.state(store)
                if newest.token == token:
                    return newest
                self._require_database()
                return (await self._past.at(token, newest)).state
        except TimeoutError:
            message = "the state of the past was not there in time; a later question may find it"
            raise DeadlinePassed(message) from None

    async def _earlier(
        self, store: str, demand: Earlier
    ) -> tuple[StoreState[LoadedPolicy], Instant]:
        if isinstance(demand, Exactly):
            token = demand.token
            applied = await self.reached(store, AtLeastAsFresh((token,)), None)
            self._require_database()
            state, committed_at = await self._past.at(token, applied.state(store))
            return state, committed_at
        # What was committed by then, by whomever, is to be here.
        applied = await self.reached(store, FullyConsistent(), None)
        incarnation, revision = await self._past.position_at(demand.instant)
        token = ConsistencyToken(incarnation, applied.state(store).number, revision)
        # A write has its time before it is committed, so this one may be newer than what was applied; or of
        # another life.
        try:
            applied = await self.reached(store, AtLeastAsFresh((token,)), None)
        except TokenOfAnotherStore:
            message = f"the store `{store}` was made anew after that time"
            raise RevisionUnknown(message) from None
        state, _ = await self._past.at(token, applied.state(store))
        return state, demand.instant

    def _require_database(self) -> None:
        if (trouble := self._follower.trouble) is not None:
            # Not the same one: others are told it, too.
            raise type(trouble)(trouble.message)

    async def _wait(self, store: str, demand: Newer, arrived: float) -> Applied[LoadedPolicy]:
        following: asyncio.Task[None] | None = None
        while (applied := self._met(store, demand, arrived)) is None:
            self._require_database()
            if following is None or following.done():
                following = self._follower.next_round()
            # A long round may bring what is demanded long before its end.
            await asyncio.wait([following], timeout=_LOOK_SECONDS)
        return applied

    def _met(self, store: str, demand: Newer, arrived: float) -> Applied[LoadedPolicy] | None:
        """Return what is applied if it meets `demand`. Raises the error if that can never be."""
        applied = self._replica.applied
        is_newest = applied.fresh_as_of >= arrived
        if isinstance(demand, FullyConsistent):
            return applied if is_newest else None
        for token in demand.tokens:
            is_reached = (
                token.incarnation == applied.incarnation and token.revision <= applied.revision
            )
            if not is_reached and not is_newest:
                return None
            # The copy is as new as the token, or has all that there is: what it says holds.
            token.checked(applied.incarnation, applied.state(store).number, applied.revision)
        return applied


def _longest_wait(seconds: float | None) -> float:
    if seconds is None:
        return _LONGEST_WAIT
    return min(_LONGEST_WAIT, seconds - min(_ANSWER_SECONDS, seconds / 10))
