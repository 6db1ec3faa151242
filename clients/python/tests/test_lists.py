"""Lists: what is sent, what is made of what comes, and that a list that breaks off never looks whole."""

import asyncio
from datetime import timedelta

import grpc
import pytest
from authz import (
    ActionList,
    AsyncClient,
    AtLeastAsFresh,
    Client,
    Entity,
    Fact,
    FullyConsistent,
    InvalidRequest,
    LimitReached,
    NotEnumerable,
    NotFound,
    Unavailable,
    UnexpectedAnswer,
)
from authz.v1 import authorization_service_pb2 as pb
from authz.v1 import list_pb2
from google.protobuf.duration_pb2 import Duration
from routes import both_routes
from scripted_service import NOON, NOON_MESSAGE, UNAVAILABLE, answer, decided_batch, fail, serving

ONLY, ANY_EXCEPT = list_pb2.LIST_FORM_ONLY, list_pb2.LIST_FORM_ANY_EXCEPT


def origin(size, form=ONLY, token="token-1", **changed):
    whole = {
        "consistency_token": token,
        "policy_version": 3,
        "evaluated_at": NOON_MESSAGE,
        "age": Duration(nanos=5000000),
        "form": form,
        "size": size,
    }
    return list_pb2.ListOrigin(**(whole | changed))


def part(*ids, **fields):
    return list_pb2.ListResourcesResponse(resource_ids=ids, **fields)


def end(token=""):
    return list_pb2.ListEnd(next_page_token=token) if token else list_pb2.ListEnd(complete=True)


def sends(*messages, then=None):
    def step(request, rpc):
        yield from messages
        if then is not None:
            then(request, rpc)

    return step


def ask(client, **changed):
    return client.list_resources("User:ann", "read", "Doc", **changed)


def by_threads(target, **changed):
    with Client(target) as client:
        found = ask(client, **changed)
        return found, [str(one) for one in found]


def by_asyncio(target, **changed):
    async def main():
        async with AsyncClient(target) as client:
            found = await ask(client, **changed)
            return found, [str(one) async for one in found]

    return asyncio.run(main())


both = pytest.mark.parametrize("listed", [by_threads, by_asyncio])


@both
def test_a_list(listed):
    steps = sends(part("a", origin=origin(3)), part("b"), part("c", end=end()))
    with serving(steps) as service:
        found, entities = listed(service.target, context_facts=["f(1)"])
    assert entities == ["Doc:a", "Doc:b", "Doc:c"]
    assert (found.consistency_token, found.policy_version) == ("token-1", 3)
    assert (found.evaluated_at, found.age) == (NOON, timedelta(milliseconds=5))
    assert not found.is_any_except
    [request] = service.requests
    assert request == pb.ListResourcesRequest(
        store="default",
        actor={"type": "User", "id": "ann"},
        action="read",
        resource_type="Doc",
        context_facts=[{"predicate": "f", "args": [{"integer": 1}]}],
    )


@both
def test_pages_are_fetched_as_they_are_needed(listed):
    first = sends(part("a", "b", origin=origin(3), end=end("next")))
    second = sends(part("c", origin=origin(3), end=end()))
    with serving(first, UNAVAILABLE, second) as service:
        _, entities = listed(service.target, page_size=2, consistency=FullyConsistent())
    assert entities == ["Doc:a", "Doc:b", "Doc:c"]
    assert [request.page_token for request in service.requests] == ["", "next", "next"]
    assert [request.page_size for request in service.requests] == [2, 2, 2]
    assert [r.HasField("consistency") for r in service.requests] == [True, False, False]


@both
def test_it_is_tried_again_until_the_first_part(listed):
    with serving(UNAVAILABLE, sends(part(origin=origin(0), end=end()))) as service:
        _, entities = listed(service.target)
    assert entities == []
    assert len(service.requests) == 2


@both
@pytest.mark.parametrize(
    ("failure", "error"),
    [(UNAVAILABLE, Unavailable), (fail(grpc.StatusCode.RESOURCE_EXHAUSTED), LimitReached)],
)
def test_a_list_that_breaks_in_the_middle_raises(listed, failure, error):
    with serving(sends(part("a", origin=origin(3)), then=failure)) as service:
        with pytest.raises(error):
            listed(service.target)
        assert len(service.requests) == 1


BROKEN = {
    "nothing": [],
    "no origin": [part("a", end=end())],
    "no end": [part("a", origin=origin(1))],
    "an end that says nothing": [part("a", origin=origin(1), end=list_pb2.ListEnd())],
    "more after the end": [part("a", origin=origin(2), end=end()), part("b")],
    "two origins": [part("a", origin=origin(2)), part("b", origin=origin(2), end=end())],
    "too few": [part("a", origin=origin(2), end=end())],
    "too many": [part("a", "b", origin=origin(1), end=end())],
    "no form": [part("a", origin=origin(1, form=0), end=end())],
    "a form of the future": [part("a", origin=origin(1, form=7), end=end())],
    "no token": [part("a", origin=origin(1, token=""), end=end())],
    "no version": [part("a", origin=origin(1, policy_version=0), end=end())],
    "results among exceptions": [part("a", origin=origin(1, form=ANY_EXCEPT), end=end())],
    "exceptions among results": [
        list_pb2.ListResourcesResponse(excepted_resource_ids=["a"], origin=origin(1), end=end())
    ],
    "an id that is none": [part("", origin=origin(1), end=end())],
}


@both
@pytest.mark.parametrize("messages", BROKEN.values(), ids=BROKEN)
def test_what_is_no_list_is_an_error(listed, messages):
    with serving(sends(*messages)) as service, pytest.raises((UnexpectedAnswer, InvalidRequest)):
        listed(service.target)


@both
def test_pages_of_two_lists_are_an_error(listed):
    first = sends(part("a", origin=origin(2), end=end("next")))
    second = sends(part("b", origin=origin(2, token="token-2"), end=end()))
    with serving(first, second) as service, pytest.raises(UnexpectedAnswer, match="another list"):
        listed(service.target, page_size=1)


@both
def test_any_value_but_some_is_not_gone_through(listed):
    excepted = list_pb2.ListResourcesResponse(
        excepted_resource_ids=["a"], origin=origin(1, form=ANY_EXCEPT), end=end()
    )
    with serving(sends(excepted)) as service, pytest.raises(NotEnumerable, match="Doc"):
        listed(service.target)


def test_exceptions():
    def excepted(*ids, **fields):
        return list_pb2.ListResourcesResponse(excepted_resource_ids=ids, **fields)

    whole = sends(excepted("a", origin=origin(2, form=ANY_EXCEPT)), excepted("b", end=end()))
    with serving(whole) as service:
        with Client(service.target) as client:
            found = ask(client)
            assert found.is_any_except
            assert list(found.exceptions) == [Entity("Doc", "a"), Entity("Doc", "b")]
            page = client.list_resources_page("User:ann", "read", "Doc", page_size=5)
            assert (page.entities, len(page.exceptions)) == ((), 2)

        async def main():
            async with AsyncClient(service.target) as asyncio_client:
                listed = await ask(asyncio_client)
                return [str(one) async for one in listed.exceptions]

        assert asyncio.run(main()) == ["Doc:a", "Doc:b"]
    finite = sends(part("a", origin=origin(1), end=end()))
    with serving(finite) as service, Client(service.target) as client:
        found = ask(client)
        assert list(found.exceptions) == []
        assert list(found) == [Entity("Doc", "a")]


@pytest.mark.parametrize("form", [ONLY, ANY_EXCEPT])
@pytest.mark.parametrize("ids", [(), ("read",)])
def test_no_list_is_true_or_false(form, ids):
    """`if client.list_actions(...)` would permit whoever may do nothing, too."""
    kind = "" if form == ONLY else "excepted_"
    message = list_pb2.ListResourcesResponse(
        origin=origin(len(ids), form=form), end=end(), **{f"{kind}resource_ids": ids}
    )
    with serving(sends(message)) as service:
        with Client(service.target) as client:
            listed = ask(client), ask(client, page_size=1)
            page = client.list_resources_page("User:ann", "read", "Doc", page_size=5)

        async def main():
            async with AsyncClient(service.target) as client:
                return await ask(client)

        listed = (*listed, page, asyncio.run(main()))
    response = list_pb2.ListActionsResponse(
        origin=origin(len(ids), form=form), **{f"{kind}actions": ids}
    )
    for found in (*listed, *actions_of(response)):
        with pytest.raises(TypeError, match="no decision"):
            bool(found)


@pytest.mark.parametrize("wrong", [None, 1, b"read", Entity("Doc", "read"), ("read",)])
def test_what_is_no_action_is_neither_permitted_nor_denied(wrong):
    for response in (
        list_pb2.ListActionsResponse(actions=["read"], origin=origin(1)),
        list_pb2.ListActionsResponse(excepted_actions=["read"], origin=origin(1, form=ANY_EXCEPT)),
    ):
        for found in actions_of(response):
            with pytest.raises(TypeError, match="expected an action"):
                _ = wrong in found


def test_a_list_that_goes_past_is_not_searched():
    """The second question would not find what the first one went past, and no text is an entity."""
    whole = sends(part("a", "b", origin=origin(2), end=end()))
    with serving(whole) as service, Client(service.target) as client:
        found = ask(client)
        for wanted in (Entity("Doc", "b"), Entity("Doc", "a"), "Doc:a"):
            with pytest.raises(TypeError, match="gone through once"):
                _ = wanted in found
        assert set(found) == {Entity("Doc", "a"), Entity("Doc", "b")}


def test_one_page_at_a_time():
    first = sends(part("a", origin=origin(2), end=end("next")))
    second = sends(part("b", origin=origin(2), end=end()))
    with serving(first, second) as service, Client(service.target) as client:
        client.carry("mine")
        page = client.list_resources_page("User:ann", "read", "Doc", page_size=1)
        assert (page.entities, page.next_page_token) == ((Entity("Doc", "a"),), "next")
        page = client.list_resources_page(
            "User:ann", "read", "Doc", page_size=1, page_token=page.next_page_token
        )
        assert (page.entities, page.next_page_token) == ((Entity("Doc", "b"),), None)
        with pytest.raises(InvalidRequest, match="names the state"):
            client.list_resources_page(
                *("User:ann", "read", "Doc"),
                page_size=1,
                page_token="x",
                consistency=FullyConsistent(),
            )
    assert [r.consistency.HasField("at_least_as_fresh") for r in service.requests] == [True, False]


def test_lists_cover_what_was_carried_and_take_its_place():
    empty = sends(part(origin=origin(0, token="newer"), end=end()))
    with serving(empty) as service, Client(service.target) as client:
        client.carry("one", "two")
        list(ask(client, consistency=AtLeastAsFresh("three")))
        assert client.carried_tokens == ("newer",)
    tokens = service.requests[0].consistency.at_least_as_fresh.consistency_tokens
    assert list(tokens) == ["three", "one", "two"]


@pytest.mark.parametrize("route", ["threads", "asyncio"])
def test_who_stops_early_ends_the_call(route):
    many = [part(str(number)) for number in range(1, 5000)]
    with serving(sends(part("0", origin=origin(5000)), *many)) as service:
        if route == "threads":
            with Client(service.target) as client, ask(client) as found:
                assert next(found) == Entity("Doc", "0")
        else:

            async def main():
                async with AsyncClient(service.target) as client, await ask(client) as found:
                    assert await anext(found) == Entity("Doc", "0")

            asyncio.run(main())
        assert len(service.requests) == 1


def test_actors():
    told = list_pb2.ListActorsResponse(actor_ids=["a", "b"], origin=origin(2), end=end())
    with serving(sends(told)) as service:
        with Client(service.target) as client:
            found = list(client.list_actors("User", "read", "Doc:1"))
            page = client.list_actors_page("User", "read", "Doc:1", page_size=2)

        async def main():
            async with AsyncClient(service.target) as client:
                page = await client.list_actors_page("User", "read", "Doc:1", page_size=2)
                listed = await client.list_actors("User", "read", "Doc:1")
                return page, [one async for one in listed]

        assert asyncio.run(main()) == (page, found)
    assert found == [Entity("User", "a"), Entity("User", "b")]
    assert page.entities == tuple(found)
    assert service.requests[0].actor_type == "User"
    assert service.requests[0].resource.id == "1"


def actions_of(response) -> tuple[ActionList, ActionList]:
    with serving(answer(response)) as service:
        with Client(service.target) as client:
            found = client.list_actions("User:ann", "Doc:1")

        async def main():
            async with AsyncClient(service.target) as client:
                return await client.list_actions("User:ann", "Doc:1")

        return found, asyncio.run(main())


def test_actions():
    response = list_pb2.ListActionsResponse(actions=["read", "write"], origin=origin(2))
    for found in actions_of(response):
        assert list(found) == ["read", "write"]
        assert "read" in found
        assert "share" not in found
    response = list_pb2.ListActionsResponse(
        excepted_actions=["write"], origin=origin(1, form=ANY_EXCEPT)
    )
    for found in actions_of(response):
        assert "read" in found
        assert "write" not in found
        with pytest.raises(NotEnumerable):
            list(found)
    for wrong in (
        list_pb2.ListActionsResponse(actions=["read"]),
        list_pb2.ListActionsResponse(actions=["read"], origin=origin(2)),
        list_pb2.ListActionsResponse(actions=["read"], origin=origin(1, form=ANY_EXCEPT)),
    ):
        with pytest.raises(UnexpectedAnswer):
            actions_of(wrong)


def many(*decisions, errors=None, decision_id="d"):
    response = decided_batch()
    response.many_decisions.CopyFrom(
        pb.ManyDecisions(decisions=decisions, errors=errors or {}, decision_id=decision_id)
    )
    return response


UNSAID, PERMIT, DENY = pb.DECISION_UNSPECIFIED, pb.DECISION_PERMIT, pb.DECISION_DENY
ERROR = pb.QuestionError(code=8, reason="EVALUATION_LIMIT_REACHED", message="too much")


def ask_many(client):
    return client.authorize_many("User:ann", "read", ["Doc:a", "Doc:b", Entity("Doc", "c")])


def test_many_resources():
    with serving(answer(many(PERMIT, UNSAID, DENY, errors={1: ERROR}))) as service:
        with Client(service.target) as client:
            answers = ask_many(client)

        async def main():
            async with AsyncClient(service.target) as client:
                return await ask_many(client)

        assert [bool(answer) for answer in asyncio.run(main())[::2]] == [True, False]
    first, second, third = answers
    assert (first.permitted, third.permitted) == (True, False)
    assert (first.decision.id, third.decision.id) == ("d.0", "d.2")
    assert isinstance(second.error, LimitReached)
    with pytest.raises(LimitReached):
        bool(second)
    asked = service.requests[0].many_resources
    assert (asked.resource_type, list(asked.resource_ids)) == ("Doc", ["a", "b", "c"])


@pytest.mark.parametrize(
    "response",
    [
        many(PERMIT, UNSAID, DENY),
        many(PERMIT, DENY),
        many(PERMIT, PERMIT, DENY, errors={1: ERROR}),
        many(PERMIT, 7, DENY),
        many(PERMIT, PERMIT, DENY, decision_id=""),
        decided_batch(),
    ],
)
def test_what_is_no_answer_about_many_resources_is_an_error(response):
    with (
        serving(answer(response)) as service,
        Client(service.target) as client,
        pytest.raises(UnexpectedAnswer),
    ):
        ask_many(client)


def test_many_resources_are_of_one_type():
    with Client("127.0.0.1:1") as client, pytest.raises(InvalidRequest, match="one type"):
        client.authorize_many("User:ann", "read", ["Doc:a", "Folder:a"])


@both_routes
@pytest.mark.parametrize(
    "ask",
    [
        lambda client: client.authorize_many("User:ann", "read", []),
        lambda client: client.authorize_batch([]),
    ],
)
def test_nothing_asked_is_nothing_answered_by_the_service(route, ask):
    with serving(answer(pb.BatchAuthorizeResponse())) as service:
        assert route(service.target, ask) == []
    assert service.requests == [pb.BatchAuthorizeRequest(store="default")]
    with serving(fail(grpc.StatusCode.NOT_FOUND)) as service, pytest.raises(NotFound):
        route(service.target, ask)


def test_what_cannot_be_sent_raises_at_the_call():
    with Client("127.0.0.1:1") as client:
        with pytest.raises(InvalidRequest):
            client.list_resources("User:ann", "\ud800", "Doc")
        with pytest.raises(InvalidRequest):
            client.list_actors("User", "read", "Doc:1", context_facts=[Fact("f", 2**70)])
