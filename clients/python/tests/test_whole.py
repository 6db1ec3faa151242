"""What has failed, or was interrupted, does not end when it is gone on with: its end would be taken for the whole."""

import asyncio

import pytest
from authz import AsyncClient, Client, Fact, ServiceError, Unavailable
from authz._wire import fact_message, value_message
from authz.v1 import fact_service_pb2, list_pb2, query_pb2
from scripted_service import NOON_MESSAGE, UNAVAILABLE, hang, serving

ORIGIN = {"consistency_token": "t", "policy_version": 1, "evaluated_at": NOON_MESSAGE}
FACT = fact_message(Fact("p", 1))
CHANGE = fact_service_pb2.WatchFactsResponse(
    consistency_token="t", committed_at=NOON_MESSAGE, deleted=[FACT]
)


def some(*messages):
    """Return a service that sends these, and what is passed on, for a call of that stream."""

    def made(then):
        def step(request, rpc):
            yield from messages
            then(request, rpc)

        return [step]

    return made


def a_page(then):
    return [
        lambda _request, _rpc: fact_service_pb2.ReadFactsResponse(
            facts=[FACT], next_page_token="p"
        ),
        then,
    ]


def entities(form, **ids):
    origin = list_pb2.ListOrigin(**ORIGIN, form=form, size=2)
    return some(list_pb2.ListResourcesResponse(origin=origin, **ids))


def listed(client):
    return client.list_resources("User:a", "read", "Doc")


STREAMS = {
    "list": (entities(list_pb2.LIST_FORM_ONLY, resource_ids=["a"]), listed, lambda found: found),
    "exceptions": (
        entities(list_pb2.LIST_FORM_ANY_EXCEPT, excepted_resource_ids=["a"]),
        listed,
        lambda found: found.exceptions,
    ),
    "query": (
        some(
            query_pb2.QueryResponse(origin=query_pb2.QueryOrigin(columns=["x"], **ORIGIN)),
            query_pb2.QueryResponse(rows=[{"cells": [{"value": value_message(1)}]}]),
        ),
        lambda client: client.query("p(?x)"),
        lambda found: found,
    ),
    "export": (
        some(
            fact_service_pb2.ExportFactsResponse(consistency_token="t"),
            fact_service_pb2.ExportFactsResponse(facts=[{"fact": FACT}]),
        ),
        lambda client: client.export_facts(),
        lambda found: found,
    ),
    "watch": (
        lambda then: [*some(CHANGE)(then), then],
        lambda client: client.watch_facts("s", timeout=0.3),
        lambda found: found,
    ),
    "facts": (a_page, lambda client: client.read_facts(), lambda found: found),
    "stored facts": (a_page, lambda client: client.read_stored_facts(), lambda found: found),
}
each = pytest.mark.parametrize(("steps", "ask", "items"), STREAMS.values(), ids=STREAMS)


@each
def test_what_has_failed_fails_again(steps, ask, items):
    with serving(*steps(UNAVAILABLE)) as service, Client(service.target, timeout=0.3) as client:
        found = items(ask(client))
        assert next(found)
        for _ in range(3):
            with pytest.raises(Unavailable):
                list(found)


async def opened(client, ask, items):
    asked = ask(client)
    return items(await asked if hasattr(asked, "__await__") else asked)


@each
def test_what_has_failed_fails_again_in_tasks(steps, ask, items):
    async def main():
        async with AsyncClient(service.target, timeout=0.3) as client:
            found = await opened(client, ask, items)
            assert await anext(found)
            for _ in range(3):
                with pytest.raises(Unavailable):
                    [one async for one in found]

    with serving(*steps(UNAVAILABLE)) as service:
        asyncio.run(main())


@each
def test_what_was_interrupted_does_not_end(steps, ask, items):
    async def main():
        async with AsyncClient(service.target, timeout=20) as client:
            found = await opened(client, ask, items)
            assert await anext(found)
            with pytest.raises(TimeoutError):
                await asyncio.wait_for(anext(found), 0.2)
            for _ in range(2):
                with pytest.raises(ServiceError, match="interrupted"):
                    [one async for one in found]

    with serving(*steps(hang)) as service:
        asyncio.run(main())
