"""Queries through the server and both clients: rows, what they were made of, and errors with place and cure."""

import asyncio
import itertools
from datetime import timedelta

import grpc
import pytest
from authz import (
    ANY,
    AnyOf,
    AsyncClient,
    AtLeastAsFresh,
    Client,
    DeadlineExceeded,
    Entity,
    Exactly,
    Fact,
    InvalidRequest,
    LimitReached,
    NotFound,
    Refused,
    Var,
)
from authz._status import error_of_call
from authz.v1 import authorization_service_pb2 as pb
from authz.v1 import fact_pb2, query_pb2

POLICY = """actor User {}
actor Bot {}
resource Org { roles = ["owner", "member"]; "member" if "owner"; }
resource Repo {
  roles = ["reader"]; permissions = ["read"]; relations = { organization: Org };
  "reader" if "member" on "organization";
  "read" if "reader";
}
has_permission(_: User, "read", repo: Repo) if is_public(repo);
resource Note { permissions = ["read"]; }
has_permission(_: User, "read", note: Note) if not is_secret(note);
resource Site { permissions = ["see"]; }
has_permission(_: User, "see", _: Site);
limit(_: User, n: Integer) if n < 5;
"""
ALICE, BOB = Entity("User", "alice"), Entity("User", "bob")
FACTS = [
    'has_role(User:alice, "owner", Org:acme)',
    'has_role(User:bob, "member", Org:acme)',
    'has_relation(Repo:anvil, "organization", Org:acme)',
    'has_relation(Repo:rocket, "organization", Org:acme)',
    "is_public(Repo:site)",
]


def with_facts(service):
    service.client.publish_policy({"policy.polar": POLICY})
    service.client.write_facts(insert=FACTS)
    return service


@pytest.fixture(scope="module")
def stocked(shared):
    return with_facts(shared)


@pytest.fixture
def own(service):
    """For tests that change something."""
    return with_facts(service)


def threads(target, *conditions, **options):
    with Client(target, timeout=20) as client:
        return list(client.query(*conditions, **options))


def asyncio_(target, *conditions, **options):
    async def ask():
        async with AsyncClient(target, timeout=20) as client:
            return [row async for row in await client.query(*conditions, **options)]

    return asyncio.run(ask())


both_routes = pytest.mark.parametrize("route", [threads, asyncio_])


def rows(found):
    return {tuple(row.values()) for row in found}


@both_routes
def test_rows(stocked, route):
    found = route(stocked.target, "has_role(User:alice, ?role, Org:?org)")
    assert rows(found) == {("owner", Entity("Org", "acme")), ("member", Entity("Org", "acme"))}
    assert all(list(row) == ["role", "org"] for row in found)
    joined = route(
        stocked.target,
        ("has_role", BOB, Var("role"), Var("org", "Org")),
        ("has_relation", Var("repo"), "organization", Var("org")),
        columns=["repo", "role"],
    )
    assert rows(joined) == {(Entity("Repo", name), "member") for name in ("anvil", "rocket")}


def test_any_value(stocked):
    query = stocked.client.query
    assert rows(query('has_permission(?who, "read", Repo:?what)')) == {
        (AnyOf("User"), Entity("Repo", "site")),
        *itertools.product((ALICE, BOB), (Entity("Repo", "anvil"), Entity("Repo", "rocket"))),
    }
    assert rows(query('has_permission(?who, "see", ?what)')) == {(AnyOf("User"), AnyOf("Site"))}
    assert rows(query('has_permission(?who, "read", Note:?n)')) == {(AnyOf("User"), AnyOf("Note"))}


def test_what_rows_cannot_say_is_an_error(stocked):
    query = 'has_permission(User:alice, "read", Note:?n)'
    with pytest.raises(Refused) as failure:
        stocked.client.query(query, context_facts=["is_secret(Note:diary)"])
    assert failure.value.reason == "VARIABLE_UNLIMITED"
    assert failure.value.code is grpc.StatusCode.FAILED_PRECONDITION
    assert "`?n`" in failure.value.message
    assert "limit `?n` to a list of values" in failure.value.message
    limited = f"{query} and ?n in [Note:diary, Note:poem]"
    found = stocked.client.query(limited, context_facts=["is_secret(Note:diary)"])
    assert rows(found) == {(Entity("Note", "poem"),)}
    with pytest.raises(Refused, match=r"`\?n` can be any Integer"):
        stocked.client.query("limit(User:alice, ?n)")
    assert rows(stocked.client.query("limit(?u, ?n) and ?n in [4, 5]")) == {(AnyOf("User"), 4)}


def test_lists_of_values_and_holes(stocked):
    query = stocked.client.query
    assert rows(query('has_role(?who, ?role, Org:acme) and ?role in ["owner"]')) == {
        (ALICE, "owner")
    }
    assert rows(query("has_role(?who, _, Org:_)")) == {(ALICE,), (BOB,)}
    assert rows(query(("has_role", Var("who"), ANY, AnyOf("Org")))) == {(ALICE,), (BOB,)}
    assert rows(query("has_role(?who, _, Org:acme) and ?who in []")) == set()
    assert rows(query("has_role(?who, ?role, Org:?o)", columns=["who"])) == {(ALICE,), (BOB,)}


def test_without_columns_a_row_says_yes(stocked):
    assert list(stocked.client.query('has_role(User:bob, "member", Org:acme)')) == [{}]
    assert list(stocked.client.query('has_role(User:bob, "owner", Org:acme)')) == []
    assert list(stocked.client.query("has_role(?who, _, Org:acme)", columns=[])) == [{}]


def test_what_an_answer_was_made_of(own):
    token = own.client.carried_tokens[0]
    with own.client.query("is_public(?repo)") as found:
        assert found.origin.columns == ("repo",)
        assert found.origin.consistency_token == token
        assert found.origin.policy_version == 1
        assert timedelta() <= found.origin.age < timedelta(seconds=60)
    written = own.client.write_facts(insert=["is_public(Repo:late)"])
    late = {"repo": Entity("Repo", "late")}
    assert late in list(own.client.query("is_public(?repo)"))
    then = list(own.client.query("is_public(?repo)", consistency=Exactly(token)))
    assert then == [{"repo": Entity("Repo", "site")}]
    fresh = AtLeastAsFresh(written.consistency_token)
    with Client(own.target) as other:
        assert late in list(other.query("is_public(?repo)", consistency=fresh))


def test_context_facts_and_stores(own):
    extra = [Fact("is_public", Entity("Repo", "draft"))]
    found = own.client.query("is_public(?repo)", context_facts=extra)
    assert {row["repo"].id for row in found} == {"site", "draft"}
    with pytest.raises(InvalidRequest) as failure:
        own.client.query("is_public(?repo)", context_facts=["is_publik(Repo:x)"])
    assert failure.value.field == "context_facts[0].predicate"
    own.client.create_store("other")
    with Client(own.target, store="other") as other:
        other.publish_policy({"policy.polar": POLICY})
        assert list(other.query("is_public(?repo)")) == []
    with Client(own.target, store="none") as none, pytest.raises(NotFound):
        none.query("is_public(?repo)")


def condition(predicate="has_role", *args):
    return query_pb2.QueryCondition(predicate=predicate, args=args)


def variable(name):
    return query_pb2.QueryTerm(variable=name)


A, B, C = map(variable, "abc")
ROLE = condition("has_role", A, B, C)


def named(name="a", kind=""):
    return query_pb2.QueryVariable(name=name, type=kind)


def listed(*values):
    limit = named("b")
    getattr(limit, "in").values.extend(fact_pb2.Value(**value) for value in values)
    return limit


WRONG = {
    "no conditions": ({}, "conditions", "MISSING_FIELD"),
    "too many": ({"conditions": [ROLE] * 21}, "conditions", "REQUEST_TOO_LARGE"),
    "no predicate": ({"conditions": [condition("")]}, "conditions[0].predicate", "MISSING_FIELD"),
    "six arguments": (
        {"conditions": [condition("p", *[A] * 6)]},
        "conditions[0].args",
        "MALFORMED_VALUE",
    ),
    "an empty term": (
        {"conditions": [condition("p", query_pb2.QueryTerm())]},
        "conditions[0].args[0]",
        "MISSING_FIELD",
    ),
    "no variable": (
        {"conditions": [condition("p", variable("a b"))]},
        "conditions[0].args[0].variable",
        "MALFORMED_VALUE",
    ),
    "twice limited": (
        {"conditions": [ROLE], "variables": [named(), named()]},
        "variables[1].name",
        "MALFORMED_VALUE",
    ),
    "a limit of nothing": (
        {"conditions": [ROLE], "variables": [named("x")]},
        "variables[0]",
        "MALFORMED_VALUE",
    ),
    "a limit of any": (
        {"conditions": [ROLE], "variables": [named("_")]},
        "variables[0].name",
        "MALFORMED_VALUE",
    ),
    "an unknown type": (
        {"conditions": [ROLE], "variables": [named(kind="Usr")]},
        "variables[0].type",
        "UNKNOWN_TYPE",
    ),
    "an empty value": (
        {"conditions": [ROLE], "variables": [listed({"text": ""})]},
        "variables[0].in.values[0].text",
        "MISSING_FIELD",
    ),
    "a value of an unknown type": (
        {"conditions": [ROLE], "variables": [listed({"entity": {"type": "Usr", "id": "x"}})]},
        "variables[0].in.values[0]",
        "UNKNOWN_TYPE",
    ),
    "too many values": (
        {"conditions": [ROLE], "variables": [listed(*[{"text": "x"}] * 1001)]},
        "variables[0].in.values",
        "REQUEST_TOO_LARGE",
    ),
    "no such column": ({"conditions": [ROLE], "columns": ["x"]}, "columns[0]", "MALFORMED_VALUE"),
    "a column twice": (
        {"conditions": [ROLE], "columns": ["a", "a"]},
        "columns[1]",
        "MALFORMED_VALUE",
    ),
    "columns and none": (
        {"conditions": [ROLE], "columns": ["a"], "without_columns": True},
        "without_columns",
        "MALFORMED_VALUE",
    ),
    "a demand of nothing": (
        {"conditions": [ROLE], "consistency": {}},
        "consistency",
        "MISSING_FIELD",
    ),
}


def raw(target, request):
    with grpc.insecure_channel(target) as channel:
        send = channel.unary_stream(
            "/authz.v1.AuthorizationService/Query",
            request_serializer=pb.QueryRequest.SerializeToString,
            response_deserializer=query_pb2.QueryResponse.FromString,
        )
        return list(send(request, timeout=20))


@pytest.mark.parametrize("name", WRONG)
def test_wrong_requests(stocked, name):
    fields, field, reason = WRONG[name]
    with pytest.raises(grpc.RpcError) as failure:
        raw(stocked.target, pb.QueryRequest(**fields))
    error = error_of_call(failure.value, "", 1)
    assert (error.field, error.reason) == (field, reason)


@pytest.mark.parametrize(
    ("query", "field", "cure"),
    [
        ('has_rol(?a, "owner", Org:?o)', "conditions[0].predicate", "did you mean `has_role`?"),
        ('has_role(?a, "ownr", Org:?o)', "conditions[0].args[1]", "did you mean `owner`?"),
        ("has_role(?a, ?r)", "conditions[0].args", "`has_role` has 3 arguments, not 2"),
        ("has_role(Usr:x, ?r, ?o)", "conditions[0].args[0]", "did you mean `User`?"),
        ("has_role(Org:x, ?r, ?o)", "conditions[0].args[0]", "argument 1 is Bot | User"),
        ('allow(?a, "reed", Repo:?r)', "conditions[0].args[1]", "did you mean `read`?"),
        ("is_public(?x) and is_secret(?x)", "conditions[1]", "`is_secret(?x)` wants Note"),
    ],
)
def test_what_nothing_can_meet_is_an_error_and_no_empty_answer(stocked, query, field, cure):
    with pytest.raises(InvalidRequest) as failure:
        stocked.client.query(query)
    assert failure.value.field == field
    assert cure in failure.value.message


def test_parts_and_end(own):
    own.client.write_facts(insert=[f"is_public(Repo:r{n})" for n in range(999)])
    request = pb.QueryRequest(conditions=[condition("is_public", A)])
    first, *parts, last = raw(own.target, request)
    assert first.origin.columns == ["a"]
    assert [len(part.rows) for part in (first, *parts, last)] == [0, 500, 500, 0]
    assert last.end.row_count == 1000


def with_repos(start, number, **settings):
    service = start(**settings)
    service.client.publish_policy({"policy.polar": POLICY})
    service.client.write_facts(insert=[f"is_public(Repo:r{n})" for n in range(number)])
    return service


def test_a_limit_ends_it_with_an_error(start):
    client = with_repos(start, 900, query_steps=1000).client
    assert len(list(client.query("is_public(?a)"))) == 900
    with pytest.raises(LimitReached, match="raise `query_steps`"):
        client.query("is_public(?a) and is_public(?b)")


def test_a_deadline_ends_it_and_the_work(start):
    client = with_repos(start, 1000, query_steps=10**12).client
    long = " and ".join(f"is_public(?{name})" for name in "abcdef")
    for _ in range(3):
        with pytest.raises(DeadlineExceeded):
            client.query(long, timeout=0.3)
    # The two threads for queries are free again.
    assert len(list(client.query("is_public(?a)", timeout=20))) == 1000
