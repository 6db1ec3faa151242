import pytest
from authz import (
    ANY,
    AnyOf,
    Diagnostic,
    Entity,
    Fact,
    FactPattern,
    InvalidRequest,
    Policy,
    PublishedPolicy,
    UnexpectedAnswer,
    WriteCounts,
    WriteOutcome,
    WriteResult,
)
from authz._wire import fact_message
from authz.v1.fact_pb2 import Fact as FactMessage
from authz.v1.fact_pb2 import FactPattern as PatternMessage
from authz.v1.fact_pb2 import Value as ValueMessage
from authz.v1.fact_pb2 import ValuePattern
from authz.v1.fact_service_pb2 import ReadFactsResponse, WriteFactsResponse
from authz.v1.policy_service_pb2 import (
    GetPolicyResponse,
    PolicyDiagnostic,
    PolicyDiagnostics,
    PublishPolicyResponse,
)
from routes import both_routes
from scripted_service import NOON, answer, oblige, serving

ALICE_OWNS = Fact("has_role", Entity("User", "alice"), "owner")
BOB_OWNS = Fact.parse('has_role(User:bob, "owner")')


def page(*facts, following=""):
    return answer(ReadFactsResponse(facts=map(fact_message, facts), next_page_token=following))


@both_routes
def test_deletes_come_before_inserts(route):
    with serving(oblige) as service:
        result = route(
            service.target,
            lambda client: client.write_facts(insert=[ALICE_OWNS], delete=[str(BOB_OWNS)]),
        )

    outcomes = WriteOutcome.DELETED, WriteOutcome.CREATED
    assert result == WriteResult(outcomes, "token-2", 3, (WriteCounts(1), WriteCounts(1)))
    (request,) = service.requests
    assert [write.WhichOneof("operation") for write in request.writes] == ["delete", "insert"]
    assert request.writes[0].delete == fact_message(BOB_OWNS)


@both_routes
def test_pages_are_read_to_the_end(route):
    pages = page(ALICE_OWNS, following="2"), page(following="3"), page(Fact("f", True, -1))
    with serving(*pages) as service:
        facts = route(service.target, lambda client: client.read_facts(page_size=1))

    assert facts == [ALICE_OWNS, Fact("f", True, -1)]
    assert [request.page_token for request in service.requests] == ["", "2", "3"]
    assert {request.page_size for request in service.requests} == {1}
    assert not service.requests[0].HasField("pattern")


@pytest.mark.parametrize(
    "pattern",
    ["f(User:alice, _, String:_)", FactPattern("f", Entity("User", "alice"), ANY, AnyOf("String"))],
)
@both_routes
def test_patterns_are_sent(route, pattern):
    with serving(oblige) as service:
        assert route(service.target, lambda client: client.read_facts(pattern)) == []

    alice = fact_message(Fact("f", Entity("User", "alice"))).args[0]
    assert service.requests[0].pattern == PatternMessage(
        predicate="f",
        args=[ValuePattern(value=alice), ValuePattern(any=True), ValuePattern(type="String")],
    )


@both_routes
def test_bad_patterns_raise_at_the_call(route):
    def read(client):
        with pytest.raises(InvalidRequest):
            client.read_facts("f(")
        with pytest.raises(InvalidRequest):
            client.read_facts(page_size=2**40)
        return client.read_facts()

    with serving(oblige) as service:
        route(service.target, read)


@both_routes
def test_policies_are_published_and_read(route):
    with serving(oblige) as service:
        published = route(service.target, lambda client: client.publish_policy({"a.polar": "x"}))
        policy = route(service.target, lambda client: client.get_policy(4))

    assert published == PublishedPolicy(4, "token-3")
    assert policy == Policy({"policy.polar": "actor User {}"}, 4, NOON, "token-3")
    assert service.requests[0].files[0].name == "a.polar"
    assert service.requests[1].policy_version == 4


@both_routes
def test_what_is_said_about_a_published_policy(route):
    finding = PolicyDiagnostic(
        code="P601", file="a.polar", line=1, column=2, message="m", excerpt="^"
    )
    said = PublishPolicyResponse(
        policy_version=4,
        consistency_token="t",
        tests=3,
        warnings=PolicyDiagnostics(diagnostics=[finding], omitted=2),
    )
    with serving(answer(said)) as service:
        published = route(
            service.target,
            lambda client: client.publish_policy({"a.polar": "x"}, skip_tests=True, force=True),
        )

    assert service.requests[0].skip_tests
    assert service.requests[0].force
    assert (published.tests, published.omitted) == (3, 2)
    assert published.warnings == (Diagnostic("P601", "a.polar", 1, 2, "m", "^"),)


@pytest.mark.parametrize(
    ("ask", "response"),
    [
        (lambda client: client.write_facts(insert=["f(1)"]), WriteFactsResponse()),
        (
            lambda client: client.write_facts(insert=["f(1)"]),
            WriteFactsResponse(outcomes=[0], counts=[{}], consistency_token="t", policy_version=1),
        ),
        (
            lambda client: client.read_facts(),
            ReadFactsResponse(facts=[FactMessage(predicate="f", args=[ValueMessage()])]),
        ),
        (lambda client: client.read_facts(), ReadFactsResponse(facts=[FactMessage()])),
        (lambda client: client.read_facts(), ReadFactsResponse(next_page_token="again")),
        (lambda client: client.publish_policy({}), PublishPolicyResponse(policy_version=1)),
        (lambda client: client.get_policy(), GetPolicyResponse(policy_version=1)),
    ],
)
@both_routes
def test_answers_that_lack_something_are_errors(route, ask, response):
    with serving(answer(response)) as service, pytest.raises(UnexpectedAnswer):
        route(service.target, ask)
