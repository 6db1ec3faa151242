"""Moments: what a request is answered by, once what it demands of the state is met."""

from functools import lru_cache
from typing import Any, Literal, Protocol

from authz.v1 import authorization_service_pb2 as pb

from authz_service.errors import (
    Compacted,
    DeadlinePassed,
    RevisionUnknown,
    TokenOfAnotherStore,
)
from authz_service.facts.revision import ConsistencyToken
from authz_service.pdp.consistency import (
    AsOf,
    AtLeastAsFresh,
    Consistency,
    Exactly,
    Freshness,
    FullyConsistent,
)
from authz_service.pdp.decide import Moment, PolicyDecisionPoint, instant_now
from authz_service.server import codec
from authz_service.server.boundary import Rpc, has_expired
from authz_service.server.demands import consistency, field_of

_TOKENS_KEPT = 256


class Demanding(Protocol):
    """A request that names a store, and may demand something of its state."""

    @property
    def store(self) -> str: ...

    @property
    def consistency(self) -> pb.Consistency: ...

    def HasField(self, field_name: Literal["consistency"]) -> bool: ...  # noqa: N802 - protobuf's


class Moments:
    """Finds the moment for a request, waiting for it if need be."""

    def __init__(self, pdp: PolicyDecisionPoint, freshness: Freshness) -> None:
        self._pdp = pdp
        self._freshness = freshness

    async def of(self, request: Demanding, rpc: Rpc) -> Moment:
        """Return the newest moment of the store, or if more is demanded, one that meets it."""
        if request.HasField("consistency"):
            return await self.demanded(request, rpc)
        return self._pdp.moment(codec.store_name(request.store))

    async def demanded(self, request: Demanding, rpc: Rpc) -> Moment:
        """Return a moment that meets what `request` demands, as soon as there is one."""
        store = codec.store_name(request.store)
        demand = consistency(request.consistency, instant_now())
        if demand is None:
            return self._pdp.moment(store)
        try:
            moment = await self._met(store, demand, rpc.time_remaining())
        except (RevisionUnknown, TokenOfAnotherStore, Compacted) as error:
            error.field = field_of(demand)
            raise
        if has_expired(rpc):
            message = "the deadline passed before the demanded state was there"
            raise DeadlinePassed(message)
        return moment

    async def _met(self, store: str, demand: Consistency, seconds: float | None) -> Moment:
        match demand:
            case AtLeastAsFresh() | FullyConsistent():
                applied = await self._freshness.reached(store, demand, seconds)
                return self._pdp.moment_of(store, applied)
            case Exactly() | AsOf():
                state, instant = await self._freshness.past(store, demand, seconds)
                return self._pdp.moment_in_the_past(state, instant)


def origin(moment: Moment) -> dict[str, Any]:
    """Return the fields by which an answer says what it is of: state, policy, time, and age if it has one.

    Protobuf takes messages inside of others as mappings, too, which is quicker than to make and copy them.
    """
    seconds, microseconds = divmod(moment.evaluated_at, 1_000_000)
    return {
        "consistency_token": _text_of(moment.state.token),
        "policy_version": moment.policy.version.version,
        "evaluated_at": {"seconds": seconds, "nanos": microseconds * 1000},
        "age": None if moment.age is None else codec.duration(moment.age),
    }


# One state answers many questions, and the text of its token has a checksum.
@lru_cache(maxsize=_TOKENS_KEPT)
def _text_of(token: ConsistencyToken) -> str:
    return str(token)
