"""What bad input gets: a status, a reason, the field and the cure; and nothing changes."""

import grpc
import pytest
from authz.v1 import (
    authorization_service_pb2,
    fact_pb2,
    fact_service_pb2,
    policy_service_pb2,
    store_service_pb2,
)
from authz.v1.authorization_service_pb2_grpc import AuthorizationServiceStub
from authz.v1.fact_service_pb2_grpc import FactServiceStub
from authz.v1.policy_service_pb2_grpc import PolicyServiceStub
from examples import policy_text
from google.rpc import error_details_pb2
from grpc_status import rpc_status

METHODS = [
    method
    for module in (
        authorization_service_pb2,
        fact_service_pb2,
        policy_service_pb2,
        store_service_pb2,
    )
    for service in module.DESCRIPTOR.services_by_name.values()
    for method in service.methods
]
ALICE = {"type": "Employee", "id": "alice"}
S1 = {"type": "SecuritySystem", "id": "s1"}
ROLE = {
    "predicate": "has_role",
    "args": [{"entity": ALICE}, {"text": "admin"}, {"entity": {"type": "Customer", "id": "acme"}}],
}


def question(**changes):
    fields = {"actor": ALICE, "action": "disarm", "resource": S1, **changes}
    return {name: value for name, value in fields.items() if value is not None}


def role(position: int, value):
    args = list(ROLE["args"])
    args[position] = value
    return {"predicate": "has_role", "args": args}


QUESTIONS = {
    "no actor": (question(actor=None), "MISSING_FIELD", "actor", "who wants to act"),
    "no action": (question(action=None), "MISSING_FIELD", "action", "what the actor"),
    "no resource": (question(resource=None), "MISSING_FIELD", "resource", "act on"),
    "empty id": (question(actor={"type": "Employee"}), "MISSING_FIELD", "actor.id", "empty"),
    "empty type": (question(resource={"id": "s1"}), "MISSING_FIELD", "resource.type", "empty"),
    "long id": (
        question(actor={"type": "Employee", "id": "é" * 257}),
        "MALFORMED_VALUE",
        "actor.id",
        "has 514 bytes of UTF-8; at most 512",
    ),
    "NUL": (
        question(resource={"type": "SecuritySystem", "id": "s\0"}),
        "MALFORMED_VALUE",
        "resource.id",
        "U+0000",
    ),
    "line end": (question(action="arm\n"), "MALFORMED_VALUE", "action", "U+000A at position 4"),
    "C1": (
        question(actor={"type": "Employee", "id": "\x85"}),
        "MALFORMED_VALUE",
        "actor.id",
        "U+0085",
    ),
    "unknown actor type": (
        question(actor={"type": "Employe", "id": "a"}),
        "UNKNOWN_TYPE",
        "actor.type",
        "did you mean `Employee`?",
    ),
    "case matters": (
        question(resource={"type": "securitysystem", "id": "a"}),
        "UNKNOWN_TYPE",
        "resource.type",
        "did you mean `SecuritySystem`?",
    ),
    "a type that cannot act": (
        question(actor=S1),
        "UNKNOWN_TYPE",
        "actor.type",
        "permits nothing to the type `SecuritySystem`; known are `Employee`",
    ),
    "a primitive type": (
        question(actor={"type": "String", "id": "a"}),
        "MALFORMED_VALUE",
        "actor.type",
        "not the type of an entity",
    ),
    "unknown action": (
        question(action="disram"),
        "UNKNOWN_ACTION",
        "action",
        "did you mean `disarm`?",
    ),
    "action of another type": (
        question(action="manage"),
        "UNKNOWN_ACTION",
        "action",
        'no action "manage" for `SecuritySystem`',
    ),
    "unusable context fact": (
        question(context_facts=[ROLE, role(1, {"text": "admni"})]),
        "UNUSABLE_FACT",
        "context_facts[1].args[1]",
        "did you mean `admin`?",
    ),
    "too many context facts": (
        question(context_facts=[ROLE] * 1001),
        "REQUEST_TOO_LARGE",
        "context_facts",
        "at most 1000",
    ),
}

FACTS = {
    "unknown predicate": (
        {"predicate": "has_rol", "args": ROLE["args"]},
        "UNUSABLE_FACT",
        "predicate",
        "did you mean `has_role`?",
    ),
    "derived predicate": (
        {"predicate": "has_permission", "args": ROLE["args"]},
        "UNUSABLE_FACT",
        "predicate",
        "store the role or relation",
    ),
    "unknown role": (
        role(1, {"text": "Admin"}),
        "UNUSABLE_FACT",
        "args[1]",
        "did you mean `admin`?",
    ),
    "integer for string": (
        role(1, {"integer": 1}),
        "UNUSABLE_FACT",
        "args[1]",
        "rules use has_role",
    ),
    "unknown type": (
        role(2, {"entity": {"type": "Custmer", "id": "a"}}),
        "UNKNOWN_TYPE",
        "args[2].entity.type",
        "did you mean `Customer`?",
    ),
    "old argument order": (
        {
            "predicate": "has_relation",
            "args": [
                {"entity": {"type": "Customer", "id": "c"}},
                {"text": "customer"},
                {"entity": {"type": "Location", "id": "l"}},
            ],
        },
        "UNUSABLE_FACT",
        "args",
        "the order is has_relation(owner, name, related); swap the two entities",
    ),
    "wrong arity": (
        {"predicate": "has_role", "args": ROLE["args"][:2]},
        "UNUSABLE_FACT",
        "args",
        "has 2 arguments",
    ),
    "no arguments": ({"predicate": "has_role"}, "MALFORMED_VALUE", "args", "1 to 5 arguments"),
    "an argument without kind": (role(1, {}), "MISSING_FIELD", "args[1]", "set `entity`"),
    "a string as entity": (
        role(1, {"entity": {"type": "String", "id": "admin"}}),
        "MALFORMED_VALUE",
        "args[1].entity.type",
        "not the type of an entity",
    ),
    "no predicate": ({"args": ROLE["args"]}, "MISSING_FIELD", "predicate", "empty"),
}


@pytest.fixture(scope="module")
def ready(shared):
    """Nothing in this module changes anything, so its tests can share a server."""
    shared.client.publish_policy({"policy.polar": policy_text("security_company")})
    return shared


def refusal(call, request):
    """Return code, reason, field and message of the error that `call` must raise."""
    with pytest.raises(grpc.RpcError) as caught:
        call(request, timeout=10)
    status = rpc_status.from_call(caught.value)
    info, bad_request = error_details_pb2.ErrorInfo(), error_details_pb2.BadRequest()
    field = ""
    for detail in status.details:
        detail.Unpack(info)
        if detail.Unpack(bad_request):
            field = bad_request.field_violations[0].field
    assert info.domain == "authz"
    return caught.value.code(), info.reason, field, status.message


@pytest.mark.parametrize("name", QUESTIONS)
def test_question(ready, name):
    fields, reason, field, message = QUESTIONS[name]
    stub = AuthorizationServiceStub(ready.channel)
    found = refusal(stub.Authorize, authorization_service_pb2.AuthorizeRequest(**fields))
    assert found[:3] == (grpc.StatusCode.INVALID_ARGUMENT, reason, field)
    assert message in found[3]

    good = authorization_service_pb2.Question(**question())
    batch = authorization_service_pb2.BatchAuthorizeRequest(
        questions=[good, authorization_service_pb2.Question(**fields), good]
    )
    results = stub.BatchAuthorize(batch).results
    assert [result.WhichOneof("outcome") for result in results] == ["decision", "error", "decision"]
    error = results[1].error
    assert (error.code, error.reason, error.field) == (3, reason, field)
    assert error.message == found[3]
    assert not results[1].decision_id


@pytest.mark.parametrize("name", FACTS)
def test_fact(ready, name):
    fact, reason, field, message = FACTS[name]
    writes = [{"insert": ROLE}, {"insert": fact}]
    call = FactServiceStub(ready.channel).WriteFacts
    found = refusal(call, fact_service_pb2.WriteFactsRequest(writes=writes))
    assert found[:3] == (grpc.StatusCode.INVALID_ARGUMENT, reason, f"writes[1].insert.{field}")
    assert message in found[3]
    assert list(ready.client.read_facts()) == []


def test_before_any_policy(service):
    ask = AuthorizationServiceStub(service.channel).Authorize
    found = refusal(ask, authorization_service_pb2.AuthorizeRequest(**question()))
    assert found[:2] == (grpc.StatusCode.FAILED_PRECONDITION, "NO_POLICY")
    assert "authz policy publish" in found[3]
    write = FactServiceStub(service.channel).WriteFacts
    found = refusal(write, fact_service_pb2.WriteFactsRequest(writes=[{"insert": ROLE}]))
    assert found[:2] == (grpc.StatusCode.FAILED_PRECONDITION, "NO_POLICY")
    get = PolicyServiceStub(service.channel).GetPolicy
    found = refusal(get, policy_service_pb2.GetPolicyRequest())
    assert found[:2] == (grpc.StatusCode.FAILED_PRECONDITION, "NO_POLICY")


def test_unknown_store(ready):
    policies, facts = PolicyServiceStub(ready.channel), FactServiceStub(ready.channel)
    asks = AuthorizationServiceStub(ready.channel)
    file = {"name": "p", "text": "actor User {}"}
    for call, request in (
        (asks.Authorize, authorization_service_pb2.AuthorizeRequest(store="x", **question())),
        (asks.BatchAuthorize, authorization_service_pb2.BatchAuthorizeRequest(store="x")),
        (
            facts.WriteFacts,
            fact_service_pb2.WriteFactsRequest(store="x", writes=[{"insert": ROLE}]),
        ),
        (facts.ReadFacts, fact_service_pb2.ReadFactsRequest(store="x")),
        (policies.PublishPolicy, policy_service_pb2.PublishPolicyRequest(store="x", files=[file])),
        (policies.GetPolicy, policy_service_pb2.GetPolicyRequest(store="x")),
    ):
        found = refusal(call, request)
        assert found[:3] == (grpc.StatusCode.NOT_FOUND, "STORE_NOT_FOUND", "store")


def test_policy_with_errors(ready):
    text = "actor User {\n  roles = [1];\n}\nf(x) if ;\n"
    request = policy_service_pb2.PublishPolicyRequest(files=[{"name": "a.polar", "text": text}])
    with pytest.raises(grpc.RpcError) as caught:
        PolicyServiceStub(ready.channel).PublishPolicy(request)
    status = rpc_status.from_call(caught.value)
    found = policy_service_pb2.PolicyDiagnostics()
    assert any(detail.Unpack(found) for detail in status.details)
    assert [(d.file, d.line, d.column, d.code) for d in found.diagnostics] == [
        ("a.polar", 2, 12, "P010"),
        ("a.polar", 4, 9, "P010"),
    ]
    assert found.diagnostics[0].excerpt == "  roles = [1];\n           ^"
    assert "a.polar:2:12: P010 expected a quoted name, found `1`" in status.message
    assert ready.client.get_policy().version == 1


def test_a_thousand_policy_errors_fit_into_the_status(ready):
    text = "é é\n" * 1000
    request = policy_service_pb2.PublishPolicyRequest(
        files=[{"name": "a", "text": "f(1) if ;\n" * 1000 + text}]
    )
    with pytest.raises(grpc.RpcError) as caught:
        PolicyServiceStub(ready.channel).PublishPolicy(request)
    assert caught.value.code() is grpc.StatusCode.INVALID_ARGUMENT
    found = policy_service_pb2.PolicyDiagnostics()
    assert any(detail.Unpack(found) for detail in rpc_status.from_call(caught.value).details)
    assert len(found.diagnostics) + found.omitted >= 1000


@pytest.mark.parametrize(
    ("files", "reason", "field"),
    [
        ([], "MISSING_FIELD", "files"),
        ([{"text": "actor User {}"}], "MISSING_FIELD", "files[0].name"),
        ([{"name": "a"}, {"name": "a"}], "MALFORMED_VALUE", "files[1].name"),
        ([{"name": "a", "text": "#" * (2**20 + 1)}], "REQUEST_TOO_LARGE", "files"),
        ([{"name": str(i)} for i in range(101)], "REQUEST_TOO_LARGE", "files"),
    ],
    ids=range(5),
)
def test_policy_request(ready, files, reason, field):
    call = PolicyServiceStub(ready.channel).PublishPolicy
    found = refusal(call, policy_service_pb2.PublishPolicyRequest(files=files))
    assert found[:3] == (grpc.StatusCode.INVALID_ARGUMENT, reason, field)


def test_batch_over_the_limit(start):
    service = start(max_batch_questions=3)
    service.client.publish_policy({"policy.polar": policy_text("security_company")})
    call = AuthorizationServiceStub(service.channel).BatchAuthorize
    four = authorization_service_pb2.BatchAuthorizeRequest(questions=[question()] * 4)
    found = refusal(call, four)
    assert found[:3] == (grpc.StatusCode.INVALID_ARGUMENT, "REQUEST_TOO_LARGE", "questions")
    assert "at most 3" in found[3]
    del four.questions[3]
    assert len(call(four).results) == 3


def test_request_over_the_size_limit(start):
    service = start(max_request_bytes=2000)
    call = PolicyServiceStub(service.channel).PublishPolicy

    def publish(size: int):
        file = {"name": "a", "text": "#" * size}
        return policy_service_pb2.PublishPolicyRequest(files=[file])

    assert call(publish(1900)).policy_version == 1
    found = refusal(call, publish(2000))
    assert found[:2] == (grpc.StatusCode.INVALID_ARGUMENT, "REQUEST_TOO_LARGE")
    with pytest.raises(grpc.RpcError) as caught:
        call(publish(10_000))
    assert caught.value.code() is grpc.StatusCode.RESOURCE_EXHAUSTED


def test_a_request_over_the_size_limit_is_not_parsed(start):
    """Of bytes that are no request at all it says that they are too many; parsing them would end otherwise."""
    service = start(max_request_bytes=2000)
    no_request = b"\xff" * 2001
    call = service.channel.unary_unary("/authz.v1.PolicyService/PublishPolicy")
    with pytest.raises(grpc.RpcError) as caught:
        call(no_request)
    assert caught.value.code() is grpc.StatusCode.INVALID_ARGUMENT
    assert "has 2001 bytes; at most 2000" in caught.value.details()


@pytest.mark.parametrize("data", [b"\xff", b"\x0a\x05x", b"\x0a\x03\xed\xa0\x80"])
@pytest.mark.parametrize("method", METHODS, ids=lambda method: method.name)
def test_bytes_that_are_no_request_are_refused_with_a_reason(ready, method, data):
    """No method may leave that to gRPC, which answers UNKNOWN, tells no reason and counts nothing.

    The third is half of a surrogate pair in the first field, the name of the store for nearly all.
    """
    if not method.input_type.fields:
        data = b"\xff"
    path = f"/{method.containing_service.full_name}/{method.name}"
    # A call of streams alone may be sent to any method.
    call = ready.channel.stream_stream(path)
    with pytest.raises(grpc.RpcError) as caught:
        list(call(iter([data]), timeout=10))
    info = error_details_pb2.ErrorInfo()
    assert rpc_status.from_call(caught.value).details[0].Unpack(info)
    found = caught.value.code(), info.reason
    assert found == (grpc.StatusCode.INVALID_ARGUMENT, "UNREADABLE_REQUEST")


def test_fields_of_a_newer_client_are_not_dropped(ready):
    """Field 90 might demand freshness, or say when a fact expires: ignoring it could be a wrong answer."""
    unknown = b"\xd2\x05\x01x"
    fact = fact_pb2.Fact.FromString(fact_pb2.Fact(**ROLE).SerializeToString() + unknown)
    write = fact_service_pb2.WriteFactsRequest(writes=[{"insert": fact}])
    asked = authorization_service_pb2.AuthorizeRequest(**question()).SerializeToString() + unknown
    ask = authorization_service_pb2.AuthorizeRequest.FromString(asked)
    for call, request in (
        (FactServiceStub(ready.channel).WriteFacts, write),
        (AuthorizationServiceStub(ready.channel).Authorize, ask),
    ):
        found = refusal(call, request)
        assert found[:2] == (grpc.StatusCode.INVALID_ARGUMENT, "UNKNOWN_FIELD")
    assert list(ready.client.read_facts()) == []


@pytest.mark.parametrize("token", ["x", "WyJhIl0=", "!!", "bnVsbA=="])
def test_page_tokens_are_checked(ready, token):
    call = FactServiceStub(ready.channel).ReadFacts
    found = refusal(call, fact_service_pb2.ReadFactsRequest(page_token=token))
    assert found[:3] == (grpc.StatusCode.INVALID_ARGUMENT, "INVALID_PAGE_TOKEN", "page_token")


@pytest.mark.parametrize("size", [-1, 1001])
def test_page_size(ready, size):
    call = FactServiceStub(ready.channel).ReadFacts
    found = refusal(call, fact_service_pb2.ReadFactsRequest(page_size=size))
    assert found[:3] == (grpc.StatusCode.INVALID_ARGUMENT, "MALFORMED_VALUE", "page_size")
