"""What AsyncClient lists: its calls that return entities or actions, of one state and one time."""

from abc import ABC, abstractmethod
from collections.abc import AsyncGenerator, Iterable, Mapping
from functools import partial

from authz import _lists as lists
from authz._call import Call, Result
from authz._carried import CarriedTokens
from authz._consistency import Consistency
from authz._entity import Entity, to_entity
from authz._entity_list import AsyncEntityList, read_list_async, read_page_async
from authz._fact import Fact, to_facts
from authz._lists import ActionList, EntityPage, Listing, part_token
from authz._pending import Pending
from authz._results import token_of
from authz._settings import Settings


class AsyncLists(ABC):
    """The part of a client that lists; the rest of it sends the calls."""

    _settings: Settings
    _carried: CarriedTokens

    def list_resources(  # noqa: PLR0913 - as many as there are to choose
        self,
        actor: Entity | str,
        action: str,
        resource_type: str,
        *,
        page_size: int = 0,
        context_facts: Iterable[Fact | str] = (),
        consistency: Consistency | None = None,
        timeout: float | None = None,
    ) -> Pending[AsyncEntityList]:
        """See Client.list_resources."""
        demand, carried = self._carried.demand(consistency)
        listing = lists.list_resources(
            self._settings.store,
            to_entity(actor),
            action,
            resource_type,
            to_facts(context_facts),
            demand,
            page_size,
        )
        return self._list(listing, carried, timeout)

    def list_resources_page(  # noqa: PLR0913 - as many as there are to choose
        self,
        actor: Entity | str,
        action: str,
        resource_type: str,
        *,
        page_size: int,
        page_token: str = "",
        context_facts: Iterable[Fact | str] = (),
        consistency: Consistency | None = None,
        timeout: float | None = None,
    ) -> Pending[EntityPage]:
        """See Client.list_resources_page."""
        demand, carried = self._page_demand(consistency, page_token)
        listing = lists.list_resources(
            self._settings.store,
            to_entity(actor),
            action,
            resource_type,
            to_facts(context_facts),
            demand,
            page_size,
        )
        return self._page(listing, page_token, carried, timeout)

    def list_actors(  # noqa: PLR0913 - as many as there are to choose
        self,
        actor_type: str,
        action: str,
        resource: Entity | str,
        *,
        page_size: int = 0,
        context_facts: Iterable[Fact | str] = (),
        consistency: Consistency | None = None,
        timeout: float | None = None,
    ) -> Pending[AsyncEntityList]:
        """See Client.list_actors."""
        demand, carried = self._carried.demand(consistency)
        listing = lists.list_actors(
            self._settings.store,
            actor_type,
            action,
            to_entity(resource),
            to_facts(context_facts),
            demand,
            page_size,
        )
        return self._list(listing, carried, timeout)

    def list_actors_page(  # noqa: PLR0913 - as many as there are to choose
        self,
        actor_type: str,
        action: str,
        resource: Entity | str,
        *,
        page_size: int,
        page_token: str = "",
        context_facts: Iterable[Fact | str] = (),
        consistency: Consistency | None = None,
        timeout: float | None = None,
    ) -> Pending[EntityPage]:
        """See Client.list_actors_page."""
        demand, carried = self._page_demand(consistency, page_token)
        listing = lists.list_actors(
            self._settings.store,
            actor_type,
            action,
            to_entity(resource),
            to_facts(context_facts),
            demand,
            page_size,
        )
        return self._page(listing, page_token, carried, timeout)

    def list_actions(
        self,
        actor: Entity | str,
        resource: Entity | str,
        *,
        context_facts: Iterable[Fact | str] = (),
        consistency: Consistency | None = None,
        timeout: float | None = None,
    ) -> Pending[ActionList]:
        """See Client.list_actions."""
        demand, carried = self._carried.demand(consistency)
        call = lists.list_actions(
            self._settings.store,
            to_entity(actor),
            to_entity(resource),
            to_facts(context_facts),
            demand,
        )
        return self._start(self._carried.answering(call, carried, token_of), timeout)

    def _page_demand(
        self, consistency: Consistency | None, page_token: str
    ) -> tuple[Consistency | None, Mapping[str, int]]:
        """Return what a page demands, and what of the carried tokens that covers."""
        if not page_token:
            return self._carried.demand(consistency)
        lists.require_no_demand(consistency)
        return None, {}

    def _list(
        self, listing: Listing, carried: Mapping[str, int], timeout: float | None
    ) -> Pending[AsyncEntityList]:
        seconds = self._settings.timeout_or_default(timeout)
        first = self._carried.answering(listing.call(), carried, part_token)
        return Pending(read_list_async(listing, first, partial(self._begin, seconds=seconds)))

    def _page(
        self, listing: Listing, token: str, carried: Mapping[str, int], timeout: float | None
    ) -> Pending[EntityPage]:
        seconds = self._settings.timeout_or_default(timeout)
        call = self._carried.answering(listing.call(token), carried, part_token)
        return Pending(read_page_async(listing, call, partial(self._begin, seconds=seconds)))

    @abstractmethod
    async def _begin(
        self, call: Call[Result], seconds: float
    ) -> tuple[Result, AsyncGenerator[Result, None]]:
        """Return the first part of a stream, which is tried again until it is there, and the other parts."""

    @abstractmethod
    def _start(self, call: Call[Result], timeout: float | None) -> Pending[Result]:
        """Send a call, and return what comes of it."""
