"""Queries: what is sent for conditions in either form, what is made of rows, and an end too early is never silent."""

import asyncio

import grpc
import pytest
from authz import (
    ANY,
    AnyOf,
    AsyncClient,
    Client,
    Condition,
    Entity,
    Fact,
    InvalidRequest,
    Unavailable,
    UnexpectedAnswer,
    Var,
    parse_query,
)
from authz._wire import fact_message, value_message
from authz.v1 import query_pb2 as pb
from routes import both_routes, threads
from scripted_service import NOON, NOON_MESSAGE, UNAVAILABLE, fail, serving

ACME = Entity("Org", "acme")
ORIGIN = {"consistency_token": "token-1", "policy_version": 3, "evaluated_at": NOON_MESSAGE}


def told(*messages, then=None):
    def step(request, rpc):
        yield from messages
        if then is not None:
            then(request, rpc)

    return step


def origin(*columns):
    return pb.QueryResponse(origin=pb.QueryOrigin(columns=columns, **ORIGIN))


def rows(*found):
    return pb.QueryResponse(rows=[pb.QueryRow(cells=map(cell, row)) for row in found])


def cell(value):
    if isinstance(value, AnyOf):
        return pb.QueryCell(any_of_type=value.type)
    return pb.QueryCell(value=value_message(value))


def end(count):
    return pb.QueryResponse(end=pb.QueryEnd(row_count=count))


def sent(*conditions, **options):
    with serving(told(origin(), end(0))) as service:
        threads(service.target, lambda client: client.query(*conditions, **options), store="s")
    [request] = service.requests
    return request


def asked(client):
    """Take all rows on either route."""
    found = client.query("p(?a, ?b)")
    return found if hasattr(found, "__next__") else taken(found)


async def taken(pending):
    return [row async for row in await pending]


@both_routes
def test_rows(route):
    answer = told(origin("a", "b"), rows((ACME, 1), ("x", True)), rows((AnyOf("User"), 2)), end(3))
    with serving(answer) as service:
        found = route(service.target, asked)
    assert found == [
        {"a": ACME, "b": 1},
        {"a": "x", "b": True},
        {"a": AnyOf("User"), "b": 2},
    ]


def test_the_origin_is_there_before_the_rows():
    def look(client):
        with client.query("p(?a, ?b)") as found:
            return found.origin

    with serving(told(origin("a", "b"), end(0))) as service:
        assert threads(service.target, look).columns == ("a", "b")
        assert threads(service.target, look).evaluated_at == NOON
        assert threads(service.target, look).policy_version == 3
        assert threads(service.target, look).age is None


@pytest.mark.parametrize("count", [0, 1])
def test_rows_are_neither_true_nor_false(count):
    """`if client.query(...)` would be true also if there are none."""

    async def ask():
        async with AsyncClient(service.target) as client:
            return await client.query("p(?a)")

    with serving(told(origin("a"), rows(*[(1,)] * count), end(count))) as service:
        with Client(service.target) as client:
            found = client.query("p(?a)"), asyncio.run(ask())
        for one in found:
            with pytest.raises(TypeError, match="no decision"):
                bool(one)
        with pytest.raises(TypeError, match="gone through once"):
            _ = {"a": 1} in found[0]


WRONG = {
    "no end": [origin("a", "b"), rows((1, 2))],
    "nothing": [],
    "no origin": [rows((1, 2)), end(1)],
    "too few rows": [origin("a", "b"), rows((1, 2)), end(2)],
    "too few cells": [origin("a", "b"), rows((1,)), end(1)],
    "more behind the end": [origin("a", "b"), end(0), rows((1, 2))],
    "an empty cell": [origin("a", "b"), pb.QueryResponse(rows=[{"cells": [{}, {}]}]), end(1)],
}


@both_routes
@pytest.mark.parametrize("name", WRONG)
def test_an_answer_that_is_not_whole_is_none(route, name):
    with serving(told(*WRONG[name])) as service, pytest.raises(UnexpectedAnswer):
        route(service.target, asked)


@both_routes
def test_it_is_asked_again_before_the_first_row_only(route):
    with serving(UNAVAILABLE, told(origin("a", "b"), rows((1, 2)), end(1))) as service:
        assert route(service.target, asked) == [{"a": 1, "b": 2}]
        assert len(service.requests) == 2
    broken = told(origin("a", "b"), rows((1, 2)), then=fail(grpc.StatusCode.UNAVAILABLE, "gone"))
    with serving(broken) as service, pytest.raises(Unavailable):
        route(service.target, asked)
    assert len(service.requests) == 1


def test_text_and_tuples_say_the_same():
    text = sent(
        'has_role(Org:acme, ?role, Org:?org) and p(_, "x", -1, true) and ?role in ["a", "b"]'
    )
    assert text == sent(
        ("has_role", ACME, Var("role"), Var("org", "Org")),
        Condition("p", ANY, "x", -1, True),
        '?role in ["a", "b"]',
    )
    assert text.store == "s"
    assert list(text.columns) == ["role", "org"]
    assert {one.name: (one.type, len(getattr(one, "in").values)) for one in text.variables} == {
        "role": ("", 2),
        "org": ("Org", 0),
    }
    assert [one.HasField("in") for one in text.variables] == [False, True]


def test_holes_with_a_type_are_variables_that_are_not_returned():
    request = sent("p(User:_, ?a, User:_)")
    first, _, last = (arg.variable for arg in request.conditions[0].args)
    assert first != last
    assert {(one.name, one.type) for one in request.variables} == {(first, "User"), (last, "User")}
    assert list(request.columns) == ["a"]


def test_columns_and_context_facts():
    request = sent("p(?a, ?b)", columns=[Var("b")], context_facts=["q(1)"])
    assert list(request.columns) == ["b"]
    assert request.context_facts == [fact_message(Fact("q", 1))]
    assert not request.without_columns
    for without in (sent("p(?a)", columns=[]), sent("p(1)")):
        assert without.without_columns
    with pytest.raises(TypeError):
        sent("p(?a)", columns="a")


def test_an_empty_list_of_values_is_sent():
    [variable] = sent("p(?a) and ?a in []").variables
    assert variable.HasField("in")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "column 1: expected a condition"),
        ("p(?a) or q(?a)", "column 7: expected `and` or the end, found `or`"),
        ("p(?a) and", "column 10: expected a condition"),
        ("p(?1)", "column 4: expected the name of a variable"),
        ("p(User:?)", "column 9: expected the name of a variable"),
        ("?a is 1", "column 4: expected `in`, found `is`"),
        ("?a in [?b]", "column 8: expected a value"),
        ("?a in 1", "column 7: expected `[`"),
        ("p(?a", "column 5: expected `,` or `)`"),
    ],
)
def test_text_that_is_no_query(text, message):
    with pytest.raises(InvalidRequest) as failure:
        parse_query(text)
    assert failure.value.reason == "MALFORMED_TEXT"
    column, _, problem = message.partition(":")
    named = f"{column} of `{text}`" if text else column
    assert failure.value.message.startswith(f"{named}:{problem}")


@pytest.mark.parametrize("text", ["p(?a) or q(?a)", "not p(?a)", "p(?a) and ?a != ?b", "?a < 3"])
def test_what_only_rules_can_say(text):
    with pytest.raises(InvalidRequest, match=r"write a rule with them, and ask for it$"):
        parse_query(text)


def test_values_in_brackets():
    [among] = parse_query('?a in [1, true, "x]", Org:acme, Org:"a]", -3]')
    assert among.values == (1, True, "x]", ACME, Entity("Org", "a]"), -3)


def test_an_id_with_a_question_mark_is_quoted():
    assert parse_query('p(User:"?x", User:?x)') == [
        Condition("p", Entity("User", "?x"), Var("x", "User"))
    ]


@pytest.mark.parametrize(
    "conditions",
    [
        ("p(User:?a, Org:?a)",),
        ("p(?a) and ?a in [1] and ?a in [2]",),
        (("p", Var("a", "User"), Var("a", "Org")),),
    ],
)
def test_what_contradicts_itself_is_not_sent(conditions):
    with pytest.raises(InvalidRequest, match="has two"):
        sent(*conditions)


@pytest.mark.parametrize("name", ["", "a b", "1a", "é", "_of_type_0", "a-b"])
def test_names_of_variables(name):
    with pytest.raises(InvalidRequest):
        Var(name)


@pytest.mark.parametrize(
    ("text", "column", "found"),
    [
        ("p(?a, 9223372036854775808)", 7, "9223372036854775808"),
        ("p(-9223372036854775809)", 3, "-9223372036854775809"),
        ("?a in [1, 99999999999999999999]", 11, "99999999999999999999"),
        (f"p({'9' * 5000})", 3, "999"),
    ],
)
def test_an_integer_beyond_64_bits_is_said_to_be_one(text, column, found):
    message = (
        rf"column {column}( of `.*`)?: expected an integer from -9223372036854775808 to 9223372036854775807, "
        f"found {found}"
    )
    with pytest.raises(InvalidRequest, match=message):
        parse_query(text)


def test_integers_at_the_ends_and_with_zeros_before_them():
    text = "p(9223372036854775807, -9223372036854775808, 00000000000000000000007)"
    assert parse_query(text) == [Condition("p", 2**63 - 1, -(2**63), 7)]
    with pytest.raises(InvalidRequest, match="found 9223372036854775808"):
        Condition("p", 2**63)
    with pytest.raises(InvalidRequest, match="found one of 40001 bits"):
        Condition("p", 2**40000)
