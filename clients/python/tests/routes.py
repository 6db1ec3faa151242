"""The two ways to the service, so that each test goes both."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any

import pytest
from authz import AsyncClient, Client, Fact

Ask = Callable[[Any], Any]


def threads(target: str, ask: Ask, **settings: Any) -> Any:
    with Client(target, **settings) as client:
        asked = ask(client)
        return list(asked) if isinstance(asked, Iterator) else asked


def asyncio_(target: str, ask: Ask, **settings: Any) -> Any:
    async def main() -> Any:
        async with AsyncClient(target, **settings) as client:
            asked = ask(client)
            return await (_all(asked) if isinstance(asked, AsyncIterator) else asked)

    return asyncio.run(main())


async def _all(facts: AsyncIterator[Fact]) -> list[Fact]:
    return [fact async for fact in facts]


both_routes = pytest.mark.parametrize("route", [threads, asyncio_])
