"""EntityList and AsyncEntityList: the entities of a list, one after the other, as they come.

Rule: they never end short. What ends a list before its end raises, and so does going through a list of any
value but some, which has no end.
"""

from collections.abc import AsyncGenerator, AsyncIterator, Callable, Coroutine, Generator, Iterator
from contextlib import aclosing, closing
from datetime import datetime, timedelta
from itertools import chain
from types import TracebackType
from typing import NoReturn, Self

from authz._call import Call
from authz._decision import no_decision, not_searched
from authz._entity import Entity
from authz._lists import EntityPage, Listing, ListOrigin, ListPart, Reader, not_enumerable, page_of
from authz._whole import AsyncWhole, Whole

Parts = Generator[ListPart, None, None]
AsyncParts = AsyncGenerator[ListPart, None]

Begin = Callable[[Call[ListPart]], tuple[ListPart, Parts]]
"""Sends a call until it has a first part, and returns that and the others."""

AsyncBegin = Callable[[Call[ListPart]], Coroutine[None, None, tuple[ListPart, AsyncParts]]]


class _Origin:
    """What a list was made of, whichever way it is read."""

    def __init__(self, listing: Listing, origin: ListOrigin) -> None:
        self._listing = listing
        self.origin = origin

    @property
    def is_any_except(self) -> bool:
        """Whether it is permitted for every value of the type but `exceptions`."""
        return self.origin.is_any_except

    @property
    def consistency_token(self) -> str:
        return self.origin.consistency_token

    @property
    def policy_version(self) -> int:
        return self.origin.policy_version

    @property
    def evaluated_at(self) -> datetime:
        return self.origin.evaluated_at

    @property
    def age(self) -> timedelta | None:
        return self.origin.age

    def __bool__(self) -> NoReturn:
        raise no_decision("a list")

    def _require_end(self) -> None:
        if self.is_any_except:
            raise not_enumerable(self._listing.entity_type)


class EntityList(_Origin, Iterator[Entity]):
    """The entities for which it is permitted, each once, in the order of their ids.

    If `is_any_except`, it is permitted for all entities of the type but `exceptions`, and going through it
    raises NotEnumerable. Whoever stops before the end closes it, or takes it as a context manager.
    """

    def __init__(
        self, listing: Listing, origin: ListOrigin, ids: Generator[str, None, None]
    ) -> None:
        super().__init__(listing, origin)
        self._ids = ids
        self._entities = Whole(listing.entities(ids))

    def __next__(self) -> Entity:
        self._require_end()
        return next(self._entities)

    def __contains__(self, item: object) -> NoReturn:
        raise not_searched("a list of entities")

    @property
    def exceptions(self) -> Iterator[Entity]:
        """The entities for which it is not permitted, if it is for any other; else none."""
        return self._entities if self.is_any_except else iter(())

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc_value: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """End the call. There are no more entities then."""
        self._ids.close()


def read_list(listing: Listing, first: Call[ListPart], begin: Begin) -> EntityList:
    """Return the list whose first page, which may be all of it, `first` gets."""
    reader = Reader()
    part, parts = begin(first)
    ids = reader.read(part)
    return EntityList(listing, reader.origin, _ids(listing, reader, ids, parts, begin))


def _ids(
    listing: Listing, reader: Reader, read: tuple[str, ...], parts: Parts, begin: Begin
) -> Generator[str, None, None]:
    while True:
        with closing(parts):
            yield from read
            for part in parts:
                yield from reader.read(part)
        token = reader.next_page_token()
        if not token:
            reader.require_whole()
            return
        following, parts = begin(listing.call(token))
        read = reader.read(following)


def read_page(listing: Listing, call: Call[ListPart], begin: Begin) -> EntityPage:
    """Return the one page that `call` gets."""
    reader = Reader()
    first, parts = begin(call)
    with closing(parts):
        ids = [identifier for part in chain([first], parts) for identifier in reader.read(part)]
    return page_of(listing, reader, ids)


class AsyncEntityList(_Origin, AsyncIterator[Entity]):
    """See EntityList; for `async for`."""

    def __init__(
        self, listing: Listing, origin: ListOrigin, ids: AsyncGenerator[str, None]
    ) -> None:
        super().__init__(listing, origin)
        self._ids = ids
        self._entities = AsyncWhole(Entity(listing.entity_type, one) async for one in ids)

    async def __anext__(self) -> Entity:
        self._require_end()
        return await anext(self._entities)

    @property
    def exceptions(self) -> AsyncIterator[Entity]:
        """See EntityList.exceptions."""
        return AsyncWhole(self._exceptions())

    async def _exceptions(self) -> AsyncGenerator[Entity, None]:
        if self.is_any_except:
            async for entity in self._entities:
                yield entity

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc_value: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self.aclose()

    async def aclose(self) -> None:
        """End the call. There are no more entities then."""
        await self._ids.aclose()


async def read_list_async(
    listing: Listing, first: Call[ListPart], begin: AsyncBegin
) -> AsyncEntityList:
    """Return what `read_list` does."""
    reader = Reader()
    part, parts = await begin(first)
    ids = reader.read(part)
    return AsyncEntityList(listing, reader.origin, _ids_async(listing, reader, ids, parts, begin))


async def _ids_async(
    listing: Listing, reader: Reader, read: tuple[str, ...], parts: AsyncParts, begin: AsyncBegin
) -> AsyncGenerator[str, None]:
    while True:
        async with aclosing(parts):
            for identifier in read:
                yield identifier
            async for part in parts:
                for identifier in reader.read(part):
                    yield identifier
        token = reader.next_page_token()
        if not token:
            reader.require_whole()
            return
        following, parts = await begin(listing.call(token))
        read = reader.read(following)


async def read_page_async(listing: Listing, call: Call[ListPart], begin: AsyncBegin) -> EntityPage:
    """Return what `read_page` does."""
    reader = Reader()
    first, parts = await begin(call)
    async with aclosing(parts):
        ids = list(reader.read(first))
        async for part in parts:
            ids += reader.read(part)
    return page_of(listing, reader, ids)
