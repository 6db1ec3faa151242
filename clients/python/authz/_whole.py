"""Whole and AsyncWhole: what comes in parts, and has failed for good once it has failed.

A plain generator is over after an exception. Whoever caught that, and went on with the same iterator, would
find its end, and take what came before for all there is.
"""

from collections.abc import AsyncGenerator, AsyncIterator, Generator, Iterator
from typing import TypeVar

import grpc

from authz.errors import AuthzError, ServiceError

Item = TypeVar("Item")


def _interrupted() -> ServiceError:
    message = "this was interrupted, so there is no telling what comes next; ask again"
    return ServiceError(message, code=grpc.StatusCode.CANCELLED)


class Whole(Iterator[Item]):
    """The items of a generator. What ends them too early is raised again each time."""

    def __init__(self, items: Generator[Item, None, None]) -> None:
        self._items = items
        self._failure: AuthzError | None = None

    def __next__(self) -> Item:
        if self._failure is not None:
            raise self._failure
        try:
            return next(self._items)
        except AuthzError as error:
            self._failure = error
            raise
        except StopIteration:
            raise
        except BaseException:
            self._failure = _interrupted()
            raise

    def close(self) -> None:
        """Stop before the end. There are no more items then, unless it has failed."""
        self._items.close()


class AsyncWhole(AsyncIterator[Item]):
    """See Whole."""

    def __init__(self, items: AsyncGenerator[Item, None]) -> None:
        self._items = items
        self._failure: AuthzError | None = None

    async def __anext__(self) -> Item:
        if self._failure is not None:
            raise self._failure
        try:
            return await anext(self._items)
        except AuthzError as error:
            self._failure = error
            raise
        except StopAsyncIteration:
            raise
        except BaseException:
            self._failure = _interrupted()
            raise

    async def aclose(self) -> None:
        """See Whole.close."""
        await self._items.aclose()
