"""What lists and batches say is what checks say, for random facts: by the real server, stored nowhere."""

import authz
import pytest
from authz.v1 import authorization_service_pb2 as pb
from authz.v1.authorization_service_pb2_grpc import AuthorizationServiceStub
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

POLICY = """
actor User {}
actor Team {}
resource Folder { roles = ["reader"]; relations = { parent: Folder }; "reader" if "reader" on "parent"; }
resource Document {
  permissions = ["read", "edit", "share"];
  roles = ["reader", "editor"];
  relations = { folder: Folder };
  "read" if "reader";
  "edit" if "editor";
  "reader" if "editor";
  "reader" if "reader" on "folder";
}
has_permission(user: User, "read", document: Document) if is_root(user) and not is_locked(document);
has_permission(_: User, "share", document: Document) if is_public(document);
has_permission(_: Team, "share", document: Document) if not is_locked(document);
"""
USERS, TEAMS, DOCUMENTS, FOLDERS = (
    [authz.Entity(name, identifier) for identifier in ids]
    for name, ids in (
        ("User", ["a", "b", "c"]),
        ("Team", ["a", "t"]),
        ("Document", ["1", "2", "3", "4", "a"]),
        ("Folder", ["1", "2", "3"]),
    )
)
STRANGERS = {name: authz.Entity(name, "never heard of") for name in ("User", "Team", "Document")}
ACTIONS = ["read", "edit", "share"]

users, documents, folders = map(st.sampled_from, (USERS, DOCUMENTS, FOLDERS))
facts = st.lists(
    st.one_of(
        st.builds(
            authz.Fact, st.just("has_role"), users, st.sampled_from(["reader", "editor"]), documents
        ),
        st.builds(authz.Fact, st.just("has_role"), users, st.just("reader"), folders),
        st.builds(authz.Fact, st.just("has_relation"), documents, st.just("folder"), folders),
        st.builds(authz.Fact, st.just("has_relation"), folders, st.just("parent"), folders),
        st.builds(authz.Fact, st.sampled_from(["is_locked", "is_public"]), documents),
        st.builds(authz.Fact, st.just("is_root"), users),
    ),
    max_size=12,
    unique=True,
)
actors = st.sampled_from([*USERS, *TEAMS, *STRANGERS.values()]).filter(
    lambda one: one.type != "Document"
)


@pytest.fixture(scope="module")
def client(shared):
    shared.client.publish_policy({"policy.polar": POLICY})
    return shared.client


@pytest.fixture(scope="module")
def stub(shared, client):
    assert client  # there is a policy
    return AuthorizationServiceStub(shared.channel)


law = settings(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


def said(found: authz.EntityList, everything: list[authz.Entity]) -> set[authz.Entity]:
    """Return which of these a list permits, whatever its form."""
    if found.is_any_except:
        return set(everything) - set(found.exceptions)
    return set(found)


@law
@given(facts, actors, st.sampled_from(ACTIONS), st.integers(0, 4))
def test_resources(client, facts, actor, action, size):
    everything = [*DOCUMENTS, STRANGERS["Document"]]
    found = client.list_resources(actor, action, "Document", context_facts=facts, page_size=size)
    single = [client.authorize(actor, action, one, context_facts=facts) for one in everything]
    permitted = {one for one, decision in zip(everything, single, strict=True) if decision}
    assert found.is_any_except is bool(single[-1])
    assert said(found, everything) == permitted


@law
@given(
    facts, st.sampled_from(["User", "Team"]), st.sampled_from(ACTIONS), documents, st.integers(0, 3)
)
def test_actors(client, facts, actor_type, action, document, size):
    everything = [*(USERS if actor_type == "User" else TEAMS), STRANGERS[actor_type]]
    found = client.list_actors(actor_type, action, document, context_facts=facts, page_size=size)
    single = [client.authorize(one, action, document, context_facts=facts) for one in everything]
    permitted = {one for one, decision in zip(everything, single, strict=True) if decision}
    assert found.is_any_except is bool(single[-1])
    assert said(found, everything) == permitted


@law
@given(facts, actors, documents)
def test_actions(client, facts, actor, document):
    found = client.list_actions(actor, document, context_facts=facts)
    permitted = [
        a for a in sorted(ACTIONS) if client.authorize(actor, a, document, context_facts=facts)
    ]
    assert list(found) == permitted


def outcome(call):
    """Return PERMIT or DENY as a truth, or what the error says."""
    try:
        return call().permitted
    except authz.AuthzError as error:
        return type(error), error.code, error.reason, error.field, error.message


@law
@given(
    facts,
    actors,
    st.sampled_from(ACTIONS),
    st.lists(
        st.sampled_from([*(d.id for d in DOCUMENTS), "nobody", "", "\x00", "x" * 513]), max_size=8
    ),
)
def test_many_resources_and_batches_are_what_single_questions_are(
    stub, client, facts, actor, action, ids
):
    documents = [wire("Document", identifier) for identifier in ids]
    context = [authz._wire.fact_message(one) for one in facts]
    asked = {"actor": wire(actor.type, actor.id), "action": action, "context_facts": context}
    many = stub.BatchAuthorize(
        pb.BatchAuthorizeRequest(
            many_resources=pb.ManyResources(**asked, resource_type="Document", resource_ids=ids)
        )
    ).many_decisions
    batch = stub.BatchAuthorize(
        pb.BatchAuthorizeRequest(
            questions=[pb.Question(**asked, resource=one) for one in documents]
        )
    ).results
    assert len(many.decisions) == len(batch) == len(ids)
    for place, (decision, result) in enumerate(zip(many.decisions, batch, strict=True)):
        if place in many.errors:
            assert decision == pb.DECISION_UNSPECIFIED
            assert many.errors[place] == result.error
        else:
            assert decision == result.decision != pb.DECISION_UNSPECIFIED
        if ids[place].isprintable() and ids[place]:
            one = authz.Entity("Document", ids[place])
            single = outcome(
                lambda one=one: client.authorize(actor, action, one, context_facts=facts)
            )
            (answer,) = client.authorize_many(actor, action, [one], context_facts=facts)
            assert outcome(lambda answer=answer: answer.decision) == single


def wire(name: str, identifier: str) -> dict:
    return {"type": name, "id": identifier}


def test_many_resources_in_one_call(client):
    documents = [authz.Entity("Document", str(number)) for number in range(10_000)]
    facts = [f'has_role(User:a, "editor", Document:{number})' for number in range(0, 1000, 7)]
    answers = client.authorize_many("User:a", "edit", documents, context_facts=facts)
    assert [place for place, answer in enumerate(answers) if answer] == list(range(0, 1000, 7))
    assert len({answer.decision.id for answer in answers}) == len(answers)
    with pytest.raises(authz.InvalidRequest) as caught:
        client.authorize_many("User:a", "edit", [*documents, documents[0]])
    assert (caught.value.reason, caught.value.field) == (
        "REQUEST_TOO_LARGE",
        "many_resources.resource_ids",
    )


def test_what_concerns_all_resources_fails_the_call(client, stub):
    for asked, reason, field in (
        (("User:a", "raed", "Document:1"), "UNKNOWN_ACTION", "action"),
        (("Document:a", "read", "Document:1"), "UNKNOWN_TYPE", "actor.type"),
        (("User:a", "read", "Docment:1"), "UNKNOWN_TYPE", "resource_type"),
    ):
        actor, action, resource = asked
        with pytest.raises(authz.InvalidRequest) as caught:
            client.authorize_many(actor, action, [resource])
        assert (caught.value.reason, caught.value.field) == (reason, f"many_resources.{field}")
    both = pb.BatchAuthorizeRequest(
        questions=[pb.Question()], many_resources=pb.ManyResources(resource_type="Document")
    )
    with pytest.raises(Exception, match="either"):
        stub.BatchAuthorize(both)


def test_each_of_many_resources_has_the_steps_of_one_question(start):
    service = start(evaluation_steps=40)
    service.client.publish_policy({"policy.polar": POLICY})
    # So many that where they lead is not known before it is asked.
    deep = [f'has_relation(Folder:{n}, "parent", Folder:{n + 1})' for n in range(2100)]
    flat = [
        'has_relation(Document:deep, "folder", Folder:0)',
        'has_role(User:a, "reader", Document:flat)',
    ]
    service.client.import_facts([*deep, *flat])
    found = service.client.authorize_many(
        "User:a", "read", ["Document:flat", "Document:deep", "Document:no"]
    )
    assert [getattr(answer.error, "reason", answer) for answer in found[1:2]] == [
        "EVALUATION_LIMIT_REACHED"
    ]
    assert found[0].permitted
    assert not found[2].permitted
