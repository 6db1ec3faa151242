"""What Client lists: its calls that return entities or actions, of one state and one time."""

from abc import ABC, abstractmethod
from collections.abc import Generator, Iterable, Mapping
from functools import partial

from authz import _lists as lists
from authz._call import Call, Result
from authz._carried import CarriedTokens
from authz._consistency import Consistency
from authz._entity import Entity, to_entity
from authz._entity_list import EntityList, read_list, read_page
from authz._fact import Fact, to_facts
from authz._lists import ActionList, EntityPage, Listing, part_token
from authz._results import token_of
from authz._settings import Settings


class Lists(ABC):
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
    ) -> EntityList:
        """Return all resources of a type on which `actor` may perform `action`, as an iterator.

        All are of one state and one time. The list is whole in the service before the first one comes, and what
        ends it early raises, so that it is never silently short. Until the first one it is tried again while
        the service is unavailable.

        The timeout is for the whole list, until its last entity was taken. With a `page_size` it comes in
        pages, each with a timeout of its own, for whoever takes their time.

        A list can also say `is_any_except`; then going through it raises NotEnumerable.
        """
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
    ) -> EntityPage:
        """Return one page of what `list_resources` lists, for those who show pages to somebody.

        `page_token` is the `next_page_token` of the page before; all else but `page_size` must be as it was.
        Pages are of the state and the time of the first one, whatever was written since. Raises Compacted
        when the history of that state is no longer kept.
        """
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
    ) -> EntityList:
        """Return all actors of a type that may perform `action` on `resource`. As `list_resources`."""
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
    ) -> EntityPage:
        """Return one page of what `list_actors` lists. As `list_resources_page`."""
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
    ) -> ActionList:
        """Return all actions that `actor` may perform on `resource`."""
        demand, carried = self._carried.demand(consistency)
        call = lists.list_actions(
            self._settings.store,
            to_entity(actor),
            to_entity(resource),
            to_facts(context_facts),
            demand,
        )
        return self._ask(self._carried.answering(call, carried, token_of), timeout)

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
    ) -> EntityList:
        seconds = self._settings.timeout_or_default(timeout)
        first = self._carried.answering(listing.call(), carried, part_token)
        return read_list(listing, first, partial(self._begin, seconds=seconds))

    def _page(
        self, listing: Listing, token: str, carried: Mapping[str, int], timeout: float | None
    ) -> EntityPage:
        seconds = self._settings.timeout_or_default(timeout)
        call = self._carried.answering(listing.call(token), carried, part_token)
        return read_page(listing, call, partial(self._begin, seconds=seconds))

    @abstractmethod
    def _begin(
        self, call: Call[Result], seconds: float
    ) -> tuple[Result, Generator[Result, None, None]]:
        """Return the first part of a stream, which is tried again until it is there, and the other parts."""

    @abstractmethod
    def _ask(self, call: Call[Result], timeout: float | None) -> Result:
        """Send a call, and return what comes of it."""
