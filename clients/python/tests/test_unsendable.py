"""Texts that cannot be sent are an InvalidRequest before anything is: whatever a client is handed, both ways."""

import inspect

import pytest
from authz import (
    AnyOf,
    AtLeastAsFresh,
    Client,
    Entity,
    Exactly,
    Fact,
    FactPattern,
    InvalidRequest,
    Question,
    Var,
)
from authz.errors import MALFORMED_TEXT, UNREPRESENTABLE
from routes import both_routes
from scripted_service import hang, serving

HALF = "half\ud83d"
WHO, WHAT = "User:alice", "Doc:1"
TYPED = Entity("User", HALF)

CALLS = {
    "authorize": [
        lambda c: c.authorize(TYPED, "read", WHAT),
        lambda c: c.authorize(f"User:{HALF}", "read", WHAT),
        lambda c: c.authorize(WHO, HALF, WHAT),
        lambda c: c.authorize(WHO, "read", Entity(HALF, "x")),
        lambda c: c.authorize(WHO, "read", WHAT, context_facts=[Fact("p", HALF)]),
        lambda c: c.authorize(WHO, "read", WHAT, consistency=AtLeastAsFresh(HALF)),
        lambda c: c.authorize(WHO, "read", WHAT, consistency=Exactly(HALF)),
    ],
    "authorize_batch": [
        lambda c: c.authorize_batch([(WHO, HALF, WHAT)]),
        lambda c: c.authorize_batch([Question(WHO, "read", WHAT, [Fact(HALF)])]),
        lambda c: c.authorize_batch([], consistency=Exactly(HALF)),
    ],
    "authorize_many": [
        lambda c: c.authorize_many(WHO, HALF, [WHAT]),
        lambda c: c.authorize_many(WHO, "read", [Entity("Doc", HALF)]),
        lambda c: c.authorize_many(WHO, "read", [], consistency=Exactly(HALF)),
    ],
    "carry": [lambda c: c.carry("fine", HALF)],
    "create_store": [lambda c: c.create_store(HALF)],
    "delete_entity": [
        lambda c: c.delete_entity(TYPED),
        lambda c: c.delete_entity(WHO, idempotency_key=HALF),
    ],
    "delete_store": [lambda c: c.delete_store(HALF)],
    "explain": [
        lambda c: c.explain(WHO, HALF, WHAT),
        lambda c: c.explain(WHO, "read", WHAT, consistency=Exactly(HALF)),
    ],
    "export_facts": [
        lambda c: c.export_facts(FactPattern(HALF)),
        lambda c: c.export_facts(at=HALF),
    ],
    "import_facts": [lambda c: c.import_facts([Fact("p", HALF)])],
    "list_actions": [
        lambda c: c.list_actions(TYPED, WHAT),
        lambda c: c.list_actions(WHO, WHAT, context_facts=[Fact("p", TYPED)]),
    ],
    "list_actors": [
        lambda c: c.list_actors(HALF, "read", WHAT),
        lambda c: c.list_actors("User", HALF, WHAT),
    ],
    "list_actors_page": [
        lambda c: c.list_actors_page("User", HALF, WHAT, page_size=1),
        lambda c: c.list_actors_page("User", "read", WHAT, page_size=1, page_token=HALF),
    ],
    "list_resources": [
        lambda c: c.list_resources(WHO, "read", HALF),
        lambda c: c.list_resources(WHO, HALF, "Doc"),
    ],
    "list_resources_page": [
        lambda c: c.list_resources_page(WHO, HALF, "Doc", page_size=1),
        lambda c: c.list_resources_page(WHO, "read", "Doc", page_size=1, page_token=HALF),
    ],
    "publish_policy": [
        lambda c: c.publish_policy({HALF: ""}),
        lambda c: c.publish_policy({"policy.polar": HALF}),
    ],
    "query": [
        lambda c: c.query(f'p("{HALF}")'),
        lambda c: c.query((HALF, Var("a"))),
        lambda c: c.query(("p", Var("a", HALF))),
        lambda c: c.query(("p", AnyOf(HALF))),
        lambda c: c.query(f'p(?a) and ?a in ["{HALF}"]'),
        lambda c: c.query("p(?a)", columns=[HALF]),
    ],
    "read_facts": [
        lambda c: c.read_facts(FactPattern(HALF)),
        lambda c: c.read_facts(at=HALF),
    ],
    "read_stored_facts": [lambda c: c.read_stored_facts(at=HALF)],
    "watch_facts": [lambda c: c.watch_facts(HALF)],
    "write_facts": [
        lambda c: c.write_facts(insert=[Fact("p", HALF)]),
        lambda c: c.write_facts(delete_matching=[FactPattern("p", AnyOf(HALF))]),
        lambda c: c.write_facts(replace={FactPattern(HALF): []}),
        lambda c: c.write_facts(if_exists=[FactPattern(HALF)]),
        lambda c: c.write_facts(insert=["p(1)"], idempotency_key=HALF),
    ],
}
WITHOUT_TEXTS = {"carried_tokens", "close", "forget_tokens", "get_policy", "list_stores"}
EVERY = [
    pytest.param(call, id=f"{name} {n}") for name in CALLS for n, call in enumerate(CALLS[name])
]


def test_no_method_is_left_out():
    public = {name for name, _ in inspect.getmembers(Client) if not name.startswith("_")}
    assert public == CALLS.keys() | WITHOUT_TEXTS


@pytest.fixture(scope="module")
def target():
    with serving(hang) as service:
        yield service.target


@both_routes
@pytest.mark.parametrize("call", EVERY)
def test_half_a_character_is_refused_before_anything_is_sent(target, route, call):
    with pytest.raises(InvalidRequest, match="half a surrogate pair is no character") as failure:
        route(target, call, timeout=5)

    assert failure.value.reason == UNREPRESENTABLE
    assert r"half\ud83d" in str(failure.value)
    str(failure.value).encode()


@both_routes
def test_the_name_of_a_store(target, route):
    with pytest.raises(InvalidRequest, match="half a surrogate pair"):
        route(target, lambda c: c.authorize(WHO, "read", WHAT), store=HALF)


@both_routes
@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"metadata": [("authorization", HALF)]}, "`authorization` has characters that are not"),
        ({"metadata": [("authorization", "é")]}, "`authorization` has characters that are not"),
        ({"metadata": [("authorization", b"\x00")]}, "`authorization` has characters that are not"),
        ({"metadata": [("x-bin", HALF)]}, "`x-bin` has characters that are not"),
        ({"metadata": [("Authorization", "x")]}, 'letters.*; found "Authorization"'),
        ({"metadata": [(HALF, "x")]}, "the key of metadata has"),
    ],
)
def test_metadata_that_cannot_be_sent(target, route, settings, message):
    with pytest.raises(InvalidRequest, match=message) as failure:
        route(target, lambda c: c.list_stores(), **settings)

    assert failure.value.reason == MALFORMED_TEXT


@both_routes
def test_where_nothing_can_be(route):
    with pytest.raises(InvalidRequest, match="half a surrogate pair"):
        route(HALF, lambda c: c.list_stores())
