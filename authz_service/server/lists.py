"""The RPCs that list: decode, make the list or find the kept one, send it or a page of it.

Rule 1: nothing is sent before the list is whole, and the end is sent last. Whatever ends a list earlier is an
    error.
Rule 2: a page is of the state and the time that its token names, whatever is newer by now.
Rule 3: the exceptions of a list of any value stand in a field of their own, and are never its results.
"""

import asyncio
from bisect import bisect
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from authz.v1 import authorization_service_pb2 as pb
from authz.v1 import list_pb2

from authz_service.errors import (
    Compacted,
    DeadlinePassed,
    InvalidPageToken,
    MalformedValue,
    RevisionUnknown,
    TokenOfAnotherStore,
)
from authz_service.facts.fact import Fact
from authz_service.pdp.consistency import Freshness
from authz_service.pdp.decide import Moment, PolicyDecisionPoint
from authz_service.pdp.lists import (
    ActionList,
    ActorList,
    AnyList,
    List,
    ListKey,
    Lists,
    ResourceList,
    key_of,
)
from authz_service.server import codec
from authz_service.server.boundary import Rpc, has_expired
from authz_service.server.cursor import Cursor, cursor_text, read_cursor
from authz_service.server.moments import Moments

_IDS_IN_A_MESSAGE = 1000

_AnyRequest = pb.ListResourcesRequest | pb.ListActorsRequest


@dataclass(frozen=True, slots=True)
class _Found:
    """A list, what it is known by, how fresh its state was, and behind which id to begin."""

    list: List
    key: ListKey
    age: float | None
    last: str | None = None


class _Part(NamedTuple):
    """What one message of a list has; the first has an origin, the last an end."""

    origin: list_pb2.ListOrigin | None
    only: Sequence[str]
    excepted: Sequence[str]
    end: list_pb2.ListEnd | None


class ListRpcs:
    """Answers the RPCs that list."""

    def __init__(
        self,
        pdp: PolicyDecisionPoint,
        lists: Lists,
        moments: Moments,
        freshness: Freshness,
        signing_key: Callable[[], bytes],
    ) -> None:
        self._pdp = pdp
        self._lists = lists
        self._moments = moments
        self._freshness = freshness
        self._load_key = signing_key
        self._key: bytes | None = None

    async def resources(
        self, request: pb.ListResourcesRequest, rpc: Rpc
    ) -> AsyncIterator[list_pb2.ListResourcesResponse]:
        """Yield the messages that answer ListResources."""
        wanted = ResourceList(
            codec.actor(request),
            codec.action(request),
            codec.type_name(request.resource_type, "resource_type"),
        )
        async for part in self._parts(request, wanted, rpc):
            yield list_pb2.ListResourcesResponse(
                origin=part.origin,
                resource_ids=part.only,
                excepted_resource_ids=part.excepted,
                end=part.end,
            )

    async def actors(
        self, request: pb.ListActorsRequest, rpc: Rpc
    ) -> AsyncIterator[list_pb2.ListActorsResponse]:
        """Yield the messages that answer ListActors."""
        wanted = ActorList(
            codec.type_name(request.actor_type, "actor_type"),
            codec.action(request),
            codec.resource(request),
        )
        async for part in self._parts(request, wanted, rpc):
            yield list_pb2.ListActorsResponse(
                origin=part.origin,
                actor_ids=part.only,
                excepted_actor_ids=part.excepted,
                end=part.end,
            )

    async def actions(
        self, request: pb.ListActionsRequest, rpc: Rpc
    ) -> list_pb2.ListActionsResponse:
        """Return the answer to ListActions."""
        wanted = ActionList(codec.actor(request), codec.resource(request))
        facts = tuple(codec.context_facts(request))
        found = await self._made(await self._moments.of(request, rpc), wanted, facts)
        _check_deadline(rpc)
        only, excepted = _by_form(found.list, found.list.ids)
        return list_pb2.ListActionsResponse(
            origin=_origin(found), actions=only, excepted_actions=excepted
        )

    async def _parts(self, request: _AnyRequest, wanted: AnyList, rpc: Rpc) -> AsyncIterator[_Part]:
        """Yield the parts of the list, or of the page, that `request` asks for."""
        facts = tuple(codec.context_facts(request))
        if request.page_size < 0:
            text = "a page has at least one id; leave `page_size` out for the whole list"
            raise MalformedValue(text, field="page_size")
        if request.page_token:
            found = await self._continued(request, wanted, facts, rpc)
        else:
            found = await self._made(await self._moments.of(request, rpc), wanted, facts)
        start = 0 if found.last is None else bisect(found.list.ids, found.last)
        stop = len(found.list.ids)
        end = list_pb2.ListEnd(complete=True)
        if request.page_size and start + request.page_size < stop:
            stop = start + request.page_size
            token = await self._page_token(found, found.list.ids[stop - 1])
            end = list_pb2.ListEnd(next_page_token=token)
        for part in _split(found, start, stop, end):
            _check_deadline(rpc)
            yield part

    async def _made(self, moment: Moment, wanted: AnyList, facts: tuple[Fact, ...]) -> _Found:
        made = await self._lists.made(moment, wanted, facts)
        return _Found(made, key_of(moment, wanted, facts), moment.age)

    async def _continued(
        self, request: _AnyRequest, wanted: AnyList, facts: tuple[Fact, ...], rpc: Rpc
    ) -> _Found:
        """Return the list that the page token of `request` is of, and behind which id to go on."""
        if request.HasField("consistency"):
            text = "the page token names the state; leave `consistency` out, or start at the first page"
            raise MalformedValue(text, field="consistency")
        cursor = read_cursor(request.page_token, await self._signing_key(), wanted, facts)
        key, age = cursor.key, cursor.age
        try:
            found = await self._kept(codec.store_name(request.store), key, age, rpc)
        except TokenOfAnotherStore:
            text = "this page token is of another store; start at the first page"
            raise InvalidPageToken(text, field="page_token") from None
        except RevisionUnknown:
            text = (
                "this page token is of another database, or of this one before it was restored; start at "
                "the first page"
            )
            raise RevisionUnknown(text, field="page_token") from None
        except Compacted as error:
            error.field = "page_token"
            raise
        return _Found(found, key, age, cursor.last)

    async def _kept(self, store: str, key: ListKey, age: float | None, rpc: Rpc) -> List:
        kept = self._lists.kept(key)
        if kept is not None and self._pdp.has(store, key.state):
            return kept
        state = await self._freshness.pinned(store, key.state, rpc.time_remaining())
        moment = self._pdp.moment_in_the_past(state, key.evaluated_at, age)
        return await self._lists.made(moment, key.wanted, key.context_facts)

    async def _page_token(self, found: _Found, last: str) -> str:
        self._lists.keep(found.key, found.list)
        return cursor_text(Cursor(found.key, found.age, last), await self._signing_key())

    async def _signing_key(self) -> bytes:
        if self._key is None:
            self._key = await asyncio.to_thread(self._load_key)
        return self._key


def _split(found: _Found, start: int, stop: int, end: list_pb2.ListEnd) -> Iterator[_Part]:
    """Yield the ids from `start` to before `stop` in parts, at least one."""
    origin: list_pb2.ListOrigin | None = _origin(found)
    places = range(start, stop, _IDS_IN_A_MESSAGE) or (start,)
    for place in places:
        behind = min(place + _IDS_IN_A_MESSAGE, stop)
        only, excepted = _by_form(found.list, found.list.ids[place:behind])
        yield _Part(origin, only, excepted, end if behind == stop else None)
        origin = None


def _by_form(made: List, ids: Sequence[str]) -> tuple[Sequence[str], Sequence[str]]:
    """Return the results and the exceptions."""
    return ((), ids) if made.is_any_except else (ids, ())


def _origin(found: _Found) -> list_pb2.ListOrigin:
    made, key = found.list, found.key
    return list_pb2.ListOrigin(
        consistency_token=str(key.state),
        policy_version=made.policy_version,
        evaluated_at=codec.instant_message(key.evaluated_at),
        age=None if found.age is None else codec.duration(found.age),
        form=list_pb2.LIST_FORM_ANY_EXCEPT if made.is_any_except else list_pb2.LIST_FORM_ONLY,
        size=len(made.ids),
    )


def _check_deadline(rpc: Rpc) -> None:
    if has_expired(rpc):
        message = "the deadline passed before the list was sent; ask for pages, or wait longer"
        raise DeadlinePassed(message)
