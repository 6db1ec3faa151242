"""Imports, exports and watches: what is sent, what is made of what comes, and what becomes of an end too early."""

import asyncio
import time
from collections.abc import AsyncIterator
from datetime import timedelta

import grpc
import pytest
from authz import (
    AsyncClient,
    Client,
    Compacted,
    DeadlineExceeded,
    Fact,
    ImportResult,
    InvalidRequest,
    NotFound,
    ServiceError,
    StoredFact,
    StoreEvent,
    Unavailable,
    UnexpectedAnswer,
)
from authz._wire import fact_message, stored_message
from authz.v1 import fact_service_pb2 as pb
from google.rpc.error_details_pb2 import BadRequest, ErrorInfo
from routes import both_routes, threads
from scripted_service import NOON, NOON_MESSAGE, UNAVAILABLE, answer, fail, serving

A, B, C = (Fact("f", number) for number in (1, 2, 3))
IMPORTED = pb.ImportFactsResponse(created=3, existed=2, changed=1, consistency_token="token-9")
COMPACTED = fail(grpc.StatusCode.OUT_OF_RANGE, "too long ago", ErrorInfo(reason="COMPACTED"))


def told(*messages, then=None):
    """Answer with a stream: these messages, and then the end, or what `then` does."""

    def step(request, rpc):
        yield from messages
        if then is not None:
            then(request, rpc)

    return step


def hang(_request, rpc):
    while rpc.is_active():
        time.sleep(0.01)


def exported(*facts, token=""):
    return pb.ExportFactsResponse(consistency_token=token, facts=map(stored_message, facts))


def change(token="", *, committed=True, **fields):
    committed_at = NOON_MESSAGE if committed else None
    return pb.WatchFactsResponse(consistency_token=token, committed_at=committed_at, **fields)


def inserted(token, *facts):
    return change(token, inserted=[stored_message(StoredFact(fact)) for fact in facts])


def checkpoint(token):
    return change(token, committed=False)


DELETED = change("end", store_event=pb.STORE_EVENT_DELETED)


# Imports.


@both_routes
def test_facts_are_imported_in_packs_that_name_the_store(route):
    facts = [StoredFact(A, NOON), "f(2)", *(Fact("f", number) for number in range(2001))]
    with serving(answer(IMPORTED)) as service:
        result = route(service.target, lambda c: c.import_facts(iter(facts)), store="s")

    assert result == ImportResult(3, 2, 1, "token-9")
    [requests] = service.requests
    assert [len(request.facts) for request in requests] == [1000, 1000, 3]
    assert {request.store for request in requests} == {"s"}
    assert requests[0].facts[0] == stored_message(StoredFact(A, NOON))
    assert requests[0].facts[1] == stored_message(StoredFact(B))


@both_routes
def test_an_import_of_nothing_is_one_request(route):
    with serving(answer(IMPORTED)) as service:
        route(service.target, lambda client: client.import_facts([]))
    assert [len(request.facts) for request in service.requests[0]] == [0]


@pytest.mark.parametrize("number", [0, 1, 999, 1000, 1001, 2000])
def test_asynchronous_facts_come_in_packs_too(number):
    async def some():
        for each in range(number):
            yield Fact("f", each)

    async def main():
        async with AsyncClient(service.target) as client:
            await client.import_facts(some())

    with serving(answer(IMPORTED)) as service:
        asyncio.run(main())
    [requests] = service.requests
    sent = [fact.fact.args[0].integer for request in requests for fact in request.facts]
    assert sent == list(range(number))
    assert all(len(request.facts) <= 1000 for request in requests)


@both_routes
def test_the_service_says_why_it_refused_an_import(route):
    violation = BadRequest.FieldViolation(field="requests[1].facts[5].fact.args[0]")
    refuse = fail(
        grpc.StatusCode.INVALID_ARGUMENT,
        "no such type",
        ErrorInfo(reason="UNKNOWN_TYPE"),
        BadRequest(field_violations=[violation]),
    )
    with serving(refuse) as service, pytest.raises(InvalidRequest, match="no such type") as caught:
        route(service.target, lambda client: client.import_facts([A]))
    assert (caught.value.reason, caught.value.field) == ("UNKNOWN_TYPE", violation.field)


@both_routes
def test_an_import_is_sent_once(route):
    """Its facts are taken from an iterable, which cannot be gone through again."""
    with serving(UNAVAILABLE) as service, pytest.raises(Unavailable):
        route(service.target, lambda client: client.import_facts([A]))
    assert len(service.requests) == 1


@pytest.mark.parametrize("at", [0, 1500])
@both_routes
def test_an_import_whose_facts_fail_never_looks_whole(route, at):
    """The service must not hear the end of the requests, as if these were all facts."""

    def broken():
        yield from (Fact("f", number) for number in range(at))
        raise OSError("the file is gone")

    with serving(answer(IMPORTED)) as service:
        with pytest.raises(OSError, match="the file is gone"):
            route(service.target, lambda client: client.import_facts(broken()))
        with pytest.raises(InvalidRequest, match="column"):
            route(service.target, lambda client: client.import_facts(["f("]))
        with pytest.raises(InvalidRequest) as caught:
            route(service.target, lambda client: client.import_facts([Fact("f", "\ud800")]))
        assert caught.value.reason == "UNREPRESENTABLE"
    assert not any(service.whole)


@both_routes
def test_a_text_is_no_list_of_facts(route):
    with serving(answer(IMPORTED)) as service, pytest.raises(TypeError, match="list of facts"):
        route(service.target, lambda client: client.import_facts("f(1)"))


@both_routes
def test_an_import_may_have_a_timeout(route):
    with serving(hang) as service:
        with pytest.raises(DeadlineExceeded, match=r"in 0\.3 s"):
            route(service.target, lambda client: client.import_facts([A], timeout=0.3))
        with pytest.raises(ValueError, match="timeout"):
            route(service.target, lambda client: client.import_facts([A], timeout=0))


@both_routes
def test_an_import_without_a_token_is_no_answer(route):
    with serving(answer(pb.ImportFactsResponse())) as service, pytest.raises(UnexpectedAnswer):
        route(service.target, lambda client: client.import_facts([A]))


# Exports.


def export(client, **options):
    """Return the token and all facts."""
    if isinstance(client, Client):
        whole = client.export_facts(**options)
        return [whole.consistency_token, *whole]

    async def read():
        whole = await client.export_facts(**options)
        return [whole.consistency_token, *[fact async for fact in whole]]

    return read()


@both_routes
def test_an_export_is_read_to_the_end(route):
    expiring = StoredFact(A, NOON)
    stream = told(exported(token="t"), exported(expiring, StoredFact(B)), exported(StoredFact(C)))
    with serving(stream) as service:
        assert route(service.target, lambda c: export(c, pattern="f(_)", at="x"), store="s") == [
            "t",
            expiring,
            StoredFact(B),
            StoredFact(C),
        ]
        route(service.target, lambda c: export(c, at=NOON))
    first, second = service.requests
    assert (first.store, first.at_token, first.pattern.predicate) == ("s", "x", "f")
    assert second.at_time.ToDatetime() == NOON.replace(tzinfo=None)


@pytest.mark.parametrize(
    ("messages", "code", "error"),
    [
        ([], grpc.StatusCode.NOT_FOUND, NotFound),
        ([exported(token="t")], grpc.StatusCode.UNAVAILABLE, Unavailable),
        ([exported(token="t"), exported(StoredFact(A))], grpc.StatusCode.UNAVAILABLE, Unavailable),
        ([exported(token="t"), exported(StoredFact(A))], grpc.StatusCode.OUT_OF_RANGE, Compacted),
        ([exported(token="t")], grpc.StatusCode.CANCELLED, ServiceError),
    ],
)
@both_routes
def test_an_export_that_ends_too_early_is_an_error_and_no_short_list(route, messages, code, error):
    with serving(told(*messages, then=fail(code))) as service, pytest.raises(error):
        route(service.target, export)
    assert len(service.requests) == 1


@pytest.mark.parametrize("messages", [[], [exported(StoredFact(A))]])
@both_routes
def test_an_export_without_a_token_is_no_answer(route, messages):
    with serving(told(*messages)) as service, pytest.raises(UnexpectedAnswer, match="lacks"):
        route(service.target, export)


@both_routes
def test_an_export_with_what_is_no_fact_is_no_answer(route):
    wrong = pb.ExportFactsResponse(facts=[{"fact": {"predicate": "f", "args": [{}]}}])
    with serving(told(exported(token="t"), wrong)) as service, pytest.raises(UnexpectedAnswer):
        route(service.target, export)


@both_routes
def test_an_export_may_have_a_timeout(route):
    stream = told(exported(token="t"), exported(StoredFact(A)), then=hang)
    with serving(stream) as service, pytest.raises(DeadlineExceeded, match=r"in 0\.3 s"):
        route(service.target, lambda client: export(client, timeout=0.3))


def wait_until_over(service):
    end = time.monotonic() + 5
    while not service.over:
        assert time.monotonic() < end
        time.sleep(0.01)


def test_who_stops_reading_an_export_ends_the_call():
    with serving(told(exported(token="t"), exported(StoredFact(A)), then=hang)) as service:
        with Client(service.target) as client:
            with client.export_facts() as whole:
                assert next(whole) == StoredFact(A)
            wait_until_over(service)
            assert list(whole) == []

        async def main():
            async with AsyncClient(service.target) as client:
                async with await client.export_facts() as whole:
                    assert await anext(whole) == StoredFact(A)
                await asyncio.to_thread(wait_until_over, service)
                assert [fact async for fact in whole] == []

        service.over.clear()
        asyncio.run(main())


# Watches.


def watch(client, start="", *, count=None, **options):
    """Return the first changes, or all."""
    changes = client.watch_facts(start, **options)
    if not isinstance(changes, AsyncIterator):
        return [one for one, _ in zip(changes, range(count or 10**6), strict=False)]

    async def read():
        found = []
        async for one in changes:
            found.append(one)
            if len(found) == count:
                break
        await changes.aclose()
        return found

    return read()


@both_routes
def test_a_revision_that_comes_in_parts_is_one_change(route):
    stream = told(
        checkpoint("t1"),
        inserted("", A),
        change("", inserted=[stored_message(StoredFact(B))], deleted=[fact_message(C)]),
        change(
            "t2",
            changed=[stored_message(StoredFact(A, NOON))],
            expired=[fact_message(B)],
            policy_version=4,
        ),
        DELETED,
    )
    with serving(stream) as service:
        first, second, last = route(service.target, watch)
    assert (first.is_checkpoint, first.consistency_token) == (True, "t1")
    assert second.inserted == (StoredFact(A), StoredFact(B))
    assert (second.deleted, second.expired) == ((C,), (B,))
    assert second.changed == (StoredFact(A, NOON),)
    assert (second.policy_version, second.committed_at) == (4, NOON)
    assert (last.store_event, last.consistency_token) == (StoreEvent.DELETED, "end")
    assert service.requests[0].start_token == ""


@both_routes
def test_a_watch_goes_on_behind_what_it_told(route):
    """Parts of a revision that is not whole are asked for again, and nothing comes twice."""
    streams = [
        told(checkpoint("t1"), inserted("t2", A), inserted("", B), then=UNAVAILABLE),
        UNAVAILABLE,
        told(checkpoint("t2"), then=UNAVAILABLE),
        told(checkpoint("t2"), inserted("", B), inserted("t3", C), DELETED),
    ]
    with serving(*streams) as service:
        found = route(service.target, watch)
    assert [one.consistency_token for one in found] == ["t1", "t2", "t3", "end"]
    assert [one.inserted for one in found[1:3]] == [
        (StoredFact(A),),
        (StoredFact(B), StoredFact(C)),
    ]
    assert [request.start_token for request in service.requests] == ["", "t2", "t2", "t2"]


@both_routes
def test_a_watch_gives_up_when_the_service_stays_away(route):
    """The time begins anew with each message that came."""
    before = time.monotonic()
    stream = told(checkpoint("t1"), inserted("t2", A), then=UNAVAILABLE)
    with serving(stream, stream, UNAVAILABLE) as service, pytest.raises(Unavailable):
        route(service.target, lambda client: watch(client, timeout=0.5))
    assert 0.4 < time.monotonic() - before < 5
    assert len(service.requests) > 3


@pytest.mark.parametrize(
    ("step", "error"),
    [
        (COMPACTED, Compacted),
        (fail(grpc.StatusCode.NOT_FOUND), NotFound),
        (fail(grpc.StatusCode.INTERNAL), ServiceError),
        (told(checkpoint("t2"), then=COMPACTED), Compacted),
        (told(checkpoint("t2")), UnexpectedAnswer),
        (told(inserted("t2", A), inserted("", B)), UnexpectedAnswer),
        (told(change("t2", store_event=99)), UnexpectedAnswer),
        (told(change("t2", inserted=[{}])), UnexpectedAnswer),
        (told(), UnexpectedAnswer),
    ],
)
@both_routes
def test_a_watch_never_ends_as_if_there_were_no_more(route, step, error):
    with serving(step) as service, pytest.raises(error):
        route(service.target, lambda client: watch(client, "t1"))
    assert len(service.requests) == 1


@both_routes
def test_what_a_watch_cannot_send_raises_at_once(route):
    with serving(told()) as service, pytest.raises(InvalidRequest):
        route(service.target, lambda client: client.watch_facts("\ud800"))
    assert not service.requests


def test_who_stops_following_ends_the_call():
    with serving(told(checkpoint("t1"), then=hang)) as service:
        with Client(service.target) as client:
            watching = client.watch_facts()
            next(watching)
            watching.close()
            wait_until_over(service)

        async def main():
            async with AsyncClient(service.target) as client:
                watching = client.watch_facts()
                await anext(watching)
                await watching.aclose()
                await asyncio.to_thread(wait_until_over, service)

        service.over.clear()
        asyncio.run(main())


def test_closing_the_client_ends_a_watch():
    async def main():
        client = AsyncClient(service.target)
        watching = client.watch_facts()
        await anext(watching)
        waiting = asyncio.ensure_future(anext(watching))
        await asyncio.sleep(0.1)
        await client.close()
        with pytest.raises(ServiceError, match="closed during the call"):
            await waiting

    with serving(told(checkpoint("t1"), then=hang)) as service:
        asyncio.run(main())
        client = Client(service.target)
        watching = client.watch_facts()
        next(watching)
        client.close()
        with pytest.raises(ServiceError, match="closed during the call"):
            next(watching)


def test_times_of_exports_need_a_zone():
    with serving(told()) as service, pytest.raises(InvalidRequest, match="zone"):
        threads(service.target, lambda client: client.export_facts(at=NOON.replace(tzinfo=None)))
    assert StoredFact(A, NOON + timedelta(1)) != StoredFact(A, NOON)
