import inspect
import pickle

import authz
import grpc
import pytest
from authz import (
    AlreadyExists,
    AuthzError,
    Compacted,
    DeadlineExceeded,
    FactsOrphaned,
    InvalidRequest,
    LimitReached,
    NotFound,
    NotReady,
    PolicyRejected,
    PreconditionFailed,
    Refused,
    ServiceError,
    Unavailable,
    UnexpectedAnswer,
    errors,
)
from authz._status import error_of_status
from authz.v1.policy_service_pb2 import OrphanedFacts, PolicyDiagnostic, PolicyDiagnostics
from google.rpc.error_details_pb2 import BadRequest, ErrorInfo
from routes import both_routes
from scripted_service import fail, serving

TYPED = {
    grpc.StatusCode.OK: UnexpectedAnswer,
    grpc.StatusCode.INVALID_ARGUMENT: InvalidRequest,
    grpc.StatusCode.NOT_FOUND: NotFound,
    grpc.StatusCode.ALREADY_EXISTS: AlreadyExists,
    grpc.StatusCode.FAILED_PRECONDITION: Refused,
    grpc.StatusCode.OUT_OF_RANGE: Compacted,
    grpc.StatusCode.RESOURCE_EXHAUSTED: LimitReached,
    grpc.StatusCode.DEADLINE_EXCEEDED: DeadlineExceeded,
    grpc.StatusCode.UNAVAILABLE: Unavailable,
}


def ask(client):
    return client.authorize("User:alice", "read", "Doc:1")


def test_the_whole_tree_is_public_and_drawn():
    tree = [
        cls for _, cls in inspect.getmembers(errors, inspect.isclass) if issubclass(cls, AuthzError)
    ]

    assert len(tree) == 16
    for cls in tree:
        assert cls.__name__ in authz.__all__
        assert cls.__name__ in errors.__doc__


@pytest.mark.parametrize("code", grpc.StatusCode)
def test_every_status_is_a_typed_error(code):
    error = error_of_status(code, "why")

    assert type(error) is TYPED.get(code, ServiceError)
    assert error.code is code
    assert str(error) == "why"


@pytest.mark.parametrize("code", [code for code in grpc.StatusCode if code.value[0]])
@both_routes
def test_no_other_error_reaches_the_caller(route, code):
    with serving(fail(code)) as service, pytest.raises(AuthzError) as caught:
        route(service.target, ask, timeout=1)

    assert type(caught.value) is TYPED.get(code, ServiceError)
    assert caught.value.code is code


@both_routes
def test_details_are_read(route):
    violation = BadRequest.FieldViolation(field="actor.type", description="not declared")
    step = fail(
        grpc.StatusCode.INVALID_ARGUMENT,
        "type `Usr` is not declared",
        ErrorInfo(domain="authz", reason="UNKNOWN_TYPE"),
        BadRequest(field_violations=[violation, BadRequest.FieldViolation(field="action")]),
    )

    with serving(step) as service, pytest.raises(InvalidRequest) as caught:
        route(service.target, ask)

    assert caught.value.reason == "UNKNOWN_TYPE"
    assert caught.value.field == "actor.type"
    assert caught.value.message == "type `Usr` is not declared"


@pytest.mark.parametrize("reason", ["POLICY_INVALID", "POLICY_TESTS_FAILED"])
@both_routes
def test_a_rejected_policy_carries_its_diagnostics(route, reason):
    finding = PolicyDiagnostic(
        code="P101", file="policy.polar", line=7, column=2, message="no such role", excerpt="^"
    )
    step = fail(
        grpc.StatusCode.INVALID_ARGUMENT,
        "the policy has 301 errors",
        ErrorInfo(domain="authz", reason=reason),
        PolicyDiagnostics(diagnostics=[finding] * 300, omitted=1),
    )

    with serving(step) as service, pytest.raises(PolicyRejected) as caught:
        route(service.target, lambda client: client.publish_policy({"policy.polar": "?"}))

    assert caught.value.reason == reason
    assert len(caught.value.diagnostics) == 300
    assert caught.value.omitted == 1
    assert "policy.polar:7:2: P101 no such role" in str(caught.value)
    assert str(caught.value).endswith("... and 1 more")


@pytest.mark.parametrize(
    ("reason", "error"),
    [
        ("NO_POLICY", NotReady),
        ("PRECONDITION_FAILED", PreconditionFailed),
        ("FACTS_ORPHANED", FactsOrphaned),
        ("REVISION_UNKNOWN", Refused),
    ],
)
def test_reasons_tell_refusals_apart(reason, error):
    refusal = grpc.StatusCode.FAILED_PRECONDITION
    assert type(error_of_status(refusal, "why", reason=reason)) is error
    # A reason that contradicts the status does not count.
    assert type(error_of_status(grpc.StatusCode.NOT_FOUND, "why", reason=reason)) is NotFound


@both_routes
def test_orphaned_facts_are_named(route):
    step = fail(
        grpc.StatusCode.FAILED_PRECONDITION,
        "the policy cannot use 12 of the stored facts",
        ErrorInfo(domain="authz", reason="FACTS_ORPHANED"),
        OrphanedFacts(facts=["f(1)", "f(2)"], count=12),
    )
    with serving(step) as service, pytest.raises(FactsOrphaned) as caught:
        route(service.target, lambda client: client.publish_policy({"policy.polar": "?"}))

    assert (caught.value.facts, caught.value.count) == (("f(1)", "f(2)"), 12)


@both_routes
def test_details_that_cannot_be_read_leave_the_status(route):
    def garbled(_request, rpc):
        rpc.set_trailing_metadata((("grpc-status-details-bin", b"\xff\xff"),))
        rpc.abort(grpc.StatusCode.NOT_FOUND, "no store `x`")

    with serving(garbled) as service, pytest.raises(NotFound, match="no store `x`"):
        route(service.target, ask)


def test_errors_travel_between_processes():
    error = PolicyRejected("wrong", reason="POLICY_INVALID", field="files")
    error.omitted = 3
    copy = pickle.loads(pickle.dumps(error))

    assert (copy.message, copy.code, copy.reason, copy.field, copy.omitted) == (
        "wrong",
        grpc.StatusCode.INVALID_ARGUMENT,
        "POLICY_INVALID",
        "files",
        3,
    )
