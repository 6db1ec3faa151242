"""The calls that list: what they send, and what they make of what comes.

Rule 1: a list is whole or an error. A stream that ends without saying so, a message that does not belong
    there, or another number of ids than was promised, is an UnexpectedAnswer.
Rule 2: exceptions are never results: they are read from a field of their own, in a list of that form.
Rule 3: no list is true or false. An empty one, and one of exceptions, would be as true as any other.
Nothing here knows of channels, so that both clients share it.
"""

from collections.abc import Generator, Iterable, Iterator, Mapping
from copy import deepcopy
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final, NoReturn

from authz._call import (
    Call,
    reading,
    refusing_the_unrepresentable,
    stated_text,
    stated_time,
    stated_version,
)
from authz._consistency import Consistency, consistency_message
from authz._decision import no_decision
from authz._entity import Entity
from authz._fact import Fact
from authz._text import malformed
from authz._wire import entity_message, fact_message
from authz.errors import NotEnumerable, UnexpectedAnswer
from authz.v1 import authorization_service_pb2 as pb
from authz.v1 import list_pb2

# There is no third entry, and no default: a list of any other form cannot be read.
_ANY_EXCEPT: Final[Mapping[int, bool]] = {
    list_pb2.LIST_FORM_ONLY: False,
    list_pb2.LIST_FORM_ANY_EXCEPT: True,
}


@dataclass(frozen=True, slots=True)
class ListOrigin:
    """What a list was made of, which is the same for all its pages.

    If `is_any_except`, it is permitted for every value of the type except those that are listed. `size` is how
    many results, or how many exceptions, the whole list has.
    """

    consistency_token: str
    policy_version: int
    evaluated_at: datetime
    age: timedelta | None
    is_any_except: bool
    size: int


@dataclass(frozen=True, slots=True)
class EntityPage:
    """A page of a list: `entities`, or if `origin.is_any_except`, `exceptions`.

    `next_page_token` gets the page behind it, None if this was the last.
    """

    origin: ListOrigin
    entities: tuple[Entity, ...]
    exceptions: tuple[Entity, ...]
    next_page_token: str | None

    def __bool__(self) -> NoReturn:
        raise no_decision("a list")


@dataclass(frozen=True, slots=True)
class ActionList:
    """The actions that an actor may perform on a resource.

    `in` says whether an action is permitted, whatever the form of the list. If `is_any_except`, every action
    is but `exceptions`, and going through it raises NotEnumerable.
    """

    origin: ListOrigin
    actions: tuple[str, ...]
    exceptions: tuple[str, ...]

    @property
    def is_any_except(self) -> bool:
        return self.origin.is_any_except

    @property
    def consistency_token(self) -> str:
        return self.origin.consistency_token

    def __bool__(self) -> NoReturn:
        raise no_decision("a list")

    def __contains__(self, action: object) -> bool:
        # What is no action is not an exception either.
        if not isinstance(action, str):
            raise TypeError(f"expected an action, a str, found {type(action).__name__}")
        if self.is_any_except:
            return action not in self.exceptions
        return action in self.actions

    def __iter__(self) -> Iterator[str]:
        if self.is_any_except:
            raise not_enumerable("action")
        return iter(self.actions)


def not_enumerable(what: str) -> NotEnumerable:
    return NotEnumerable(
        f"any {what} is permitted but some, so there is no end of them; see `is_any_except` and `exceptions`"
    )


@dataclass(frozen=True, slots=True)
class ListPart:
    """One message of a list. `rest`: the token of the next page, `""` for the end, None if more comes."""

    origin: ListOrigin | None
    only: tuple[str, ...]
    excepted: tuple[str, ...]
    rest: str | None

    @property
    def ids(self) -> tuple[str, ...]:
        """The ids, of whichever form the list is; of the other form there are none."""
        return self.only or self.excepted


def part_token(part: ListPart) -> str | None:
    """Return the token of the state, which the first part of a list has."""
    return None if part.origin is None else part.origin.consistency_token


Request = pb.ListResourcesRequest | pb.ListActorsRequest
Response = list_pb2.ListResourcesResponse | list_pb2.ListActorsResponse


class Listing:
    """A list that can be asked for, page by page. With a page size of 0 there is one page, with all of it."""

    def __init__(self, entity_type: str, first: Request) -> None:
        self.entity_type = entity_type
        self.page_size = first.page_size
        self._first = first

    @refusing_the_unrepresentable()
    def call(self, page_token: str = "") -> Call[ListPart]:
        """Return the call for the page of this token. Pages are of the state of the first one."""
        request = deepcopy(self._first)
        if page_token:
            request.page_token = page_token
            request.ClearField("consistency")
        is_resources = isinstance(request, pb.ListResourcesRequest)
        return Call(
            f"/authz.v1.AuthorizationService/{'ListResources' if is_resources else 'ListActors'}",
            request.SerializeToString(),
            _read_resources if is_resources else _read_actors,
            repeatable=True,
        )

    def entities(self, ids: Iterable[str]) -> Generator[Entity, None, None]:
        return (Entity(self.entity_type, identifier) for identifier in ids)


@refusing_the_unrepresentable()
def list_resources(  # noqa: PLR0913, PLR0917 - one parameter for each field
    store: str,
    actor: Entity,
    action: str,
    resource_type: str,
    context_facts: Iterable[Fact],
    demand: Consistency | None,
    page_size: int,
) -> Listing:
    request = pb.ListResourcesRequest(
        store=store,
        actor=entity_message(actor),
        action=action,
        resource_type=resource_type,
        context_facts=map(fact_message, context_facts),
        consistency=None if demand is None else consistency_message(demand),
        page_size=page_size,
    )
    return Listing(resource_type, request)


@refusing_the_unrepresentable()
def list_actors(  # noqa: PLR0913, PLR0917 - one parameter for each field
    store: str,
    actor_type: str,
    action: str,
    resource: Entity,
    context_facts: Iterable[Fact],
    demand: Consistency | None,
    page_size: int,
) -> Listing:
    request = pb.ListActorsRequest(
        store=store,
        actor_type=actor_type,
        action=action,
        resource=entity_message(resource),
        context_facts=map(fact_message, context_facts),
        consistency=None if demand is None else consistency_message(demand),
        page_size=page_size,
    )
    return Listing(actor_type, request)


@refusing_the_unrepresentable()
def list_actions(
    store: str,
    actor: Entity,
    resource: Entity,
    context_facts: Iterable[Fact],
    demand: Consistency | None,
) -> Call[ActionList]:
    request = pb.ListActionsRequest(
        store=store,
        actor=entity_message(actor),
        resource=entity_message(resource),
        context_facts=map(fact_message, context_facts),
        consistency=None if demand is None else consistency_message(demand),
    )

    def read(response: list_pb2.ListActionsResponse) -> ActionList:
        origin = _origin(response.origin)
        actions, exceptions = tuple(response.actions), tuple(response.excepted_actions)
        _require_form(origin, actions, exceptions)
        if origin.size != len(actions or exceptions):
            raise _other_number(origin, len(actions or exceptions))
        return ActionList(origin, actions, exceptions)

    return Call(
        "/authz.v1.AuthorizationService/ListActions",
        request.SerializeToString(),
        reading(list_pb2.ListActionsResponse, read),
        repeatable=True,
    )


class Reader:
    """What was read of a list so far, page after page; refuses what does not belong to it."""

    def __init__(self) -> None:
        self._origin: ListOrigin | None = None
        self._count = 0
        self._rest: str | None = ""

    @property
    def origin(self) -> ListOrigin:
        if self._origin is None:
            raise UnexpectedAnswer("a list ended before it began")
        return self._origin

    def read(self, part: ListPart) -> tuple[str, ...]:
        """Return the ids of the next part: of this page, or the first one of the page behind it."""
        is_first = self._rest is not None
        if is_first is (part.origin is None):
            raise UnexpectedAnswer("a part of a list is not where it belongs")
        self._origin = self._origin or part.origin
        if is_first and part.origin != self._origin:
            raise UnexpectedAnswer("the next page is of another list")
        _require_form(self.origin, part.only, part.excepted)
        self._count += len(part.ids)
        if self._count > self.origin.size:
            raise _other_number(self.origin, self._count)
        self._rest = part.rest
        return part.ids

    def next_page_token(self) -> str:
        """Return the token of the page behind the one that has ended, `""` if there is none."""
        if self._rest is None:
            raise UnexpectedAnswer("a list ended before it was whole")
        return self._rest

    def require_whole(self) -> None:
        """Raise unless all was read that was promised."""
        if self._count != self.origin.size:
            raise _other_number(self.origin, self._count)


def require_no_demand(consistency: Consistency | None) -> None:
    """Raise InvalidRequest if a page token comes with a demand, which it would have to contradict."""
    if consistency is not None:
        raise malformed("a page token names the state; leave `consistency` out")


def page_of(listing: Listing, reader: Reader, ids: Iterable[str]) -> EntityPage:
    """Return the page that has these ids, after all of it was read."""
    entities = tuple(listing.entities(ids))
    is_any_except = reader.origin.is_any_except
    return EntityPage(
        reader.origin,
        () if is_any_except else entities,
        entities if is_any_except else (),
        reader.next_page_token() or None,
    )


def _part(response: Response, only: Iterable[str], excepted: Iterable[str]) -> ListPart:
    origin = _origin(response.origin) if response.HasField("origin") else None
    rest = None
    if response.HasField("end"):
        end = response.end
        rest = end.next_page_token
        if bool(rest) is end.complete:
            raise UnexpectedAnswer("a list says neither that it is complete, nor how it goes on")
    return ListPart(origin, tuple(only), tuple(excepted), rest)


_read_resources: Final = reading(
    list_pb2.ListResourcesResponse,
    lambda part: _part(part, part.resource_ids, part.excepted_resource_ids),
)
_read_actors: Final = reading(
    list_pb2.ListActorsResponse,
    lambda part: _part(part, part.actor_ids, part.excepted_actor_ids),
)


def _origin(message: list_pb2.ListOrigin) -> ListOrigin:
    if message.form not in _ANY_EXCEPT:
        raise UnexpectedAnswer(f"expected the form of a list, found {message.form}")
    return ListOrigin(
        consistency_token=stated_text(message.consistency_token, "consistency_token"),
        policy_version=stated_version(message.policy_version),
        evaluated_at=stated_time(message, "evaluated_at"),
        age=message.age.ToTimedelta() if message.HasField("age") else None,
        is_any_except=_ANY_EXCEPT[message.form],
        size=message.size,
    )


def _require_form(origin: ListOrigin, only: tuple[str, ...], excepted: tuple[str, ...]) -> None:
    if only if origin.is_any_except else excepted:
        raise UnexpectedAnswer("a list has ids that its form does not have")


def _other_number(origin: ListOrigin, count: int) -> UnexpectedAnswer:
    return UnexpectedAnswer(f"a list was said to have {origin.size} ids, and has {count}")
