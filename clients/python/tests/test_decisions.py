"""No answer but a whole PERMIT is ever true."""

from datetime import timedelta

import pytest
from authz import (
    Answer,
    AsyncClient,
    Decision,
    Entity,
    Fact,
    InvalidRequest,
    NotFound,
    Question,
    ServiceError,
    UnexpectedAnswer,
)
from authz.v1.authorization_service_pb2 import (
    DECISION_DENY,
    DECISION_PERMIT,
    AuthorizeRequest,
    BatchAuthorizeResponse,
    QuestionError,
    QuestionResult,
)
from authz.v1.fact_pb2 import Entity as EntityMessage
from authz.v1.fact_pb2 import Fact as FactMessage
from authz.v1.fact_pb2 import Value as ValueMessage
from routes import both_routes, threads
from scripted_service import DENY, NOON, PERMIT, answer, decided, decided_batch, serving

PERMITTED = QuestionResult(decision=DECISION_PERMIT, decision_id="d1")
DENIED = QuestionResult(decision=DECISION_DENY, decision_id="d2")
FAILED = QuestionResult(
    error=QuestionError(code=3, reason="UNKNOWN_TYPE", message="no `Usr`", field="actor.type")
)


def ask(client):
    return client.authorize("User:alice", "read", "Doc:1")


def ask_three(client):
    question = ("User:alice", "read", "Doc:1")
    return client.authorize_batch([question, question, Question(*question)])


@both_routes
def test_a_permit_is_true(route):
    with serving(PERMIT) as service:
        decision = route(service.target, ask)

    assert decision
    assert decision == Decision(True, "decision-1", 3, NOON, "token-1")


@both_routes
def test_a_deny_is_false(route):
    with serving(DENY) as service:
        decision = route(service.target, ask)

    assert not decision
    assert decision.permitted is False


@pytest.mark.parametrize(
    "response",
    [
        decided(0),
        decided(3),
        decided(7),
        decided(-1),
        decided(decision_id=""),
        decided(consistency_token=""),
        decided(policy_version=0),
        decided(evaluated_at=None),
        decided(evaluated_at={"seconds": 2**62}),
        decided(evaluated_at={"nanos": -1}),
        BatchAuthorizeResponse(consistency_token="?"),
    ],
    ids=lambda response: str(response).replace("\n", " "),
)
@both_routes
def test_anything_else_is_an_error(route, response):
    with serving(answer(response)) as service, pytest.raises(UnexpectedAnswer):
        route(service.target, ask)


@both_routes
def test_a_question_is_sent_as_asked(route):
    with serving(PERMIT) as service:
        route(
            service.target,
            lambda client: client.authorize(
                Entity("User", "a:b"),
                "read",
                "Doc:1",
                context_facts=['f("x", true)', Fact("g", 1)],
            ),
            store="tenants",
            metadata=[("authorization", "Bearer t")],
        )

    assert service.requests == [
        AuthorizeRequest(
            store="tenants",
            actor=EntityMessage(type="User", id="a:b"),
            action="read",
            resource=EntityMessage(type="Doc", id="1"),
            context_facts=[
                FactMessage(
                    predicate="f", args=[ValueMessage(text="x"), ValueMessage(boolean=True)]
                ),
                FactMessage(predicate="g", args=[ValueMessage(integer=1)]),
            ],
        )
    ]
    assert service.metadata[0]["authorization"] == "Bearer t"


@both_routes
def test_a_batch_answers_each_question(route):
    with serving(answer(decided_batch(PERMITTED, DENIED, FAILED))) as service:
        permitted, denied, failed = route(service.target, ask_three)

    assert permitted
    assert permitted.decision == Decision(True, "d1", 3, NOON, "token-1")
    assert not denied
    assert denied.error is None
    assert failed.error.field == "actor.type"


@both_routes
def test_no_answer_is_compared_with_a_bool(route):
    """`False in answers` would be false for whatever is denied."""
    with serving(answer(decided_batch(PERMITTED, DENIED, FAILED))) as service:
        answers = route(service.target, ask_three)
    pending = AsyncClient().authorize("User:alice", "read", "Doc:1")
    for compared in (*answers, answers[0].decision, answers[1].decision, pending):
        several = [compared, compared]
        for value in (True, False):
            with pytest.raises(TypeError, match="no bool"):
                _ = compared == value
            with pytest.raises(TypeError, match="no bool"):
                _ = value != compared
            with pytest.raises(TypeError, match="no bool"):
                _ = value in several
    pending.close()


def test_answers_are_equal_if_all_of_them_is():
    one, same = (Answer(Decision(True, "d", 1, NOON, "t")) for _ in range(2))
    assert (one, one.decision, hash(one)) == (same, same.decision, hash(same))
    for other in (
        Decision(False, "d", 1, NOON, "t"),
        Decision(True, "e", 1, NOON, "t"),
        Decision(True, "d", 1, NOON, "t", timedelta(1)),
        None,
        1,
    ):
        assert one.decision != other
        assert one != Answer(other)
        assert one != other


def test_a_failed_question_is_neither_permit_nor_deny():
    with serving(answer(decided_batch(PERMITTED, DENIED, FAILED))) as service:
        failed = threads(service.target, ask_three)[2]

    with pytest.raises(InvalidRequest, match="no `Usr`"):
        bool(failed)
    with pytest.raises(InvalidRequest):
        _ = failed.permitted
    with pytest.raises(InvalidRequest):
        _ = failed.decision


@pytest.mark.parametrize(
    ("code", "error"), [(5, NotFound), (0, UnexpectedAnswer), (99, ServiceError)]
)
def test_the_error_of_a_question_is_typed(code, error):
    failed = QuestionResult(error=QuestionError(code=code))
    with serving(answer(decided_batch(PERMITTED, DENIED, failed))) as service:
        assert type(threads(service.target, ask_three)[2].error) is error


@pytest.mark.parametrize(
    "response",
    [
        decided_batch(PERMITTED, PERMITTED),
        decided_batch(PERMITTED, PERMITTED, QuestionResult(decision_id="d")),
        decided_batch(PERMITTED, PERMITTED, QuestionResult(decision=0, decision_id="d")),
        decided_batch(PERMITTED, PERMITTED, QuestionResult(decision=7, decision_id="d")),
        decided_batch(PERMITTED, PERMITTED, QuestionResult(decision=DECISION_PERMIT)),
        BatchAuthorizeResponse(results=[PERMITTED] * 3),
    ],
)
@both_routes
def test_a_batch_that_lacks_something_is_an_error(route, response):
    with serving(answer(response)) as service, pytest.raises(UnexpectedAnswer):
        route(service.target, ask_three)


@pytest.mark.parametrize(
    ("arguments", "error"),
    [
        (("alice", "read", "Doc:1"), InvalidRequest),
        (("User:alice", "read", "ns::Doc:1"), InvalidRequest),
        (("User:\ud800", "read", "Doc:1"), InvalidRequest),
        (("User:alice", 5, "Doc:1"), TypeError),
    ],
)
@both_routes
def test_bad_arguments_raise_and_send_nothing(route, arguments, error):
    with serving(PERMIT) as service, pytest.raises(error):
        route(service.target, lambda client: client.authorize(*arguments))

    assert not service.requests


@both_routes
def test_one_text_is_not_a_list_of_facts(route):
    with pytest.raises(TypeError, match="use parse_facts"):
        route("127.0.0.1:1", lambda client: client.write_facts(insert="f(1)"))
