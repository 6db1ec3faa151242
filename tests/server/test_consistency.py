"""What requests demand of the state that answers, over the wire: two servers on one database, one of which lags."""

import re
import sqlite3
import time
import urllib.request
from datetime import UTC, datetime, timedelta

import authz
import grpc
import pytest
from authz.v1 import authorization_service_pb2 as pb
from authz.v1.authorization_service_pb2_grpc import AuthorizationServiceStub
from google.rpc import error_details_pb2
from grpc_status import rpc_status

from authz_service.pdp.consistency import Freshness
from authz_service.replica import follower

POLICY = """
actor User {}
resource Document {
  permissions = ["read"];
  roles = ["reader"];
  "read" if "reader";
}
"""


def ask(service, **consistency) -> pb.AuthorizeResponse:
    request = pb.AuthorizeRequest(
        actor={"type": "User", "id": "ann"},
        action="read",
        resource={"type": "Document", "id": "d"},
        consistency=consistency or None,
    )
    return AuthorizationServiceStub(service.channel).Authorize(request, timeout=10)


def ask_batch(service, **consistency) -> pb.BatchAuthorizeResponse:
    question = pb.Question(
        actor={"type": "User", "id": "ann"},
        action="read",
        resource={"type": "Document", "id": "d"},
    )
    request = pb.BatchAuthorizeRequest(questions=[question], consistency=consistency)
    return AuthorizationServiceStub(service.channel).BatchAuthorize(request, timeout=10)


def at_least(*tokens: str) -> dict:
    return {"at_least_as_fresh": {"consistency_tokens": tokens}}


def permits(response: pb.AuthorizeResponse) -> bool:
    assert response.decision in (pb.DECISION_PERMIT, pb.DECISION_DENY)
    return response.decision == pb.DECISION_PERMIT


def refusal(call, *arguments, **consistency) -> tuple[str, str, str]:
    """Return code, reason and field of the status."""
    with pytest.raises(grpc.RpcError) as caught:
        call(*arguments, **consistency)
    reason = field = ""
    for detail in rpc_status.from_call(caught.value).details:
        info, bad = error_details_pb2.ErrorInfo(), error_details_pb2.BadRequest()
        if detail.Unpack(info):
            reason = info.reason
        elif detail.Unpack(bad):
            field = bad.field_violations[0].field
    return caught.value.code().name, reason, field


def metric(service, name: str) -> float:
    with urllib.request.urlopen(f"http://127.0.0.1:{service.metrics_port}/metrics") as answer:
        return float(re.search(rf"^{name} (.*)$", answer.read().decode(), re.MULTILINE)[1])


@pytest.fixture
def pair(start, monkeypatch):
    """Two servers of one database; neither looks for what the other has written unless it is asked to."""
    writer = start()
    writer.client.publish_policy({"policy.polar": POLICY})
    monkeypatch.setattr(follower, "_LOOK_SECONDS", 3600.0)
    reader = start()
    return writer, reader


FACT = 'has_role(User:ann, "reader", Document:d)'


def test_the_default_is_what_is_there(pair):
    writer, reader = pair
    writer.client.write_facts(insert=[FACT])
    assert permits(ask(writer))
    assert not permits(ask(reader))
    assert not permits(ask(reader, minimize_latency=True))


def test_read_your_writes_with_a_token(pair):
    writer, reader = pair
    token = writer.client.write_facts(insert=[FACT]).consistency_token
    answer = ask(reader, **at_least(token))
    assert permits(answer)
    assert answer.consistency_token == token
    token = writer.client.write_facts(delete=[FACT]).consistency_token
    batch = ask_batch(reader, **at_least(token))
    assert batch.results[0].decision == pb.DECISION_DENY
    assert batch.consistency_token == token


def test_fully_consistent(pair):
    writer, reader = pair
    writer.client.write_facts(insert=[FACT])
    assert permits(ask(reader, fully_consistent=True))
    writer.client.write_facts(delete=[FACT])
    assert ask_batch(reader, fully_consistent=True).results[0].decision == pb.DECISION_DENY


@pytest.mark.parametrize("demand", ["token", "fully"])
def test_what_was_demanded_would_be_missed(pair, monkeypatch, demand):
    """The tests above can fail: without the protection the answer is of an older state."""

    async def reached(self, _store, _demand, _seconds):
        return self._replica.applied

    monkeypatch.setattr(Freshness, "reached", reached)
    writer, reader = pair
    token = writer.client.write_facts(insert=[FACT]).consistency_token
    demanded = at_least(token) if demand == "token" else {"fully_consistent": True}
    assert not permits(ask(reader, **demanded))


def test_the_token_of_a_policy_that_was_read_is_of_that_policy(pair):
    """It was read from the database, which is ahead of the copy."""
    writer, reader = pair
    writer.client.publish_policy({"policy.polar": POLICY.replace("read", "see")})
    found = reader.client.get_policy()
    assert found.version == 2
    assert refusal(ask, reader, **at_least(found.consistency_token))[1] == "UNKNOWN_ACTION"
    assert refusal(ask, reader, exactly=found.consistency_token)[1] == "UNKNOWN_ACTION"


def test_revoke_then_grant_by_content(pair):
    """The new enemy: who saw the second write must not be answered by a state without the first."""
    writer, reader = pair
    writer.client.write_facts(insert=[FACT])
    assert permits(ask(reader, fully_consistent=True))
    writer.client.write_facts(delete=[FACT])
    token = writer.client.write_facts(
        insert=['has_role(User:bob, "reader", Document:d)']
    ).consistency_token
    assert permits(ask(reader))
    assert not permits(ask(reader, **at_least(token)))


def test_a_policy_has_tokens_too(pair):
    writer, reader = pair
    writer.client.write_facts(insert=[FACT])
    without = POLICY.replace('"read" if "reader";', '"read" if "reader" and is_open(resource);')
    published = writer.client.publish_policy({"policy.polar": without})
    answer = ask(reader, **at_least(published.consistency_token))
    assert answer.policy_version == published.version == 2
    assert not permits(answer)


def test_answers_tell_their_age(start):
    service = start()
    service.client.publish_policy({"policy.polar": POLICY})
    for answer in (ask(service), ask(service, fully_consistent=True)):
        assert answer.HasField("age")
        assert 0 <= answer.age.ToTimedelta().total_seconds() < 2
    assert ask_batch(service, minimize_latency=True).HasField("age")
    assert 0 <= metric(service, "authz_replica_age_seconds") < 2


def test_the_age_grows_until_a_look(pair):
    _, reader = pair
    time.sleep(0.3)
    assert ask(reader).age.ToTimedelta().total_seconds() >= 0.3
    assert metric(reader, "authz_replica_age_seconds") >= 0.3
    assert ask(reader, fully_consistent=True).age.ToTimedelta().total_seconds() < 0.3
    assert ask(reader).age.ToTimedelta().total_seconds() < 0.3


@pytest.fixture
def lagging(start, monkeypatch):
    service = start(max_staleness_seconds=0.5)
    service.client.publish_policy({"policy.polar": POLICY})
    monkeypatch.setattr(follower, "_LOOK_SECONDS", 3600.0)
    time.sleep(1)
    return service


def test_nothing_is_decided_by_what_is_too_old(lagging):
    for demand in ({}, {"minimize_latency": True}):
        assert refusal(ask, lagging, **demand) == ("UNAVAILABLE", "REPLICA_STALE", "")
    assert refusal(ask_batch, lagging, minimize_latency=True)[1] == "REPLICA_STALE"
    token = lagging.client.get_policy().consistency_token
    assert refusal(ask, lagging, **at_least(token))[1] == "REPLICA_STALE"
    # A look at the head is all that it takes.
    assert not permits(ask(lagging, fully_consistent=True))
    assert not permits(ask(lagging))


def test_demands_that_say_nothing(shared):
    for demand in (
        {"minimize_latency": False},
        {"fully_consistent": False},
    ):
        expected = ("INVALID_ARGUMENT", "MISSING_FIELD", "consistency")
        assert refusal(ask, shared, **demand) == expected
    field = "consistency.at_least_as_fresh.consistency_tokens"
    assert refusal(ask, shared, **at_least()) == ("INVALID_ARGUMENT", "MISSING_FIELD", field)
    assert refusal(ask, shared, **at_least("nonsense"))[1:] == ("INVALID_TOKEN", field)
    many = [shared.client.create_store("other")] * 101
    assert refusal(ask, shared, **at_least(*many))[1:] == ("REQUEST_TOO_LARGE", field)


def test_tokens_that_the_store_does_not_have(start):
    service = start()
    service.client.publish_policy({"policy.polar": POLICY})
    field = "consistency.at_least_as_fresh.consistency_tokens"
    other = service.client.create_store("other")
    expected = ("INVALID_ARGUMENT", "TOKEN_OF_ANOTHER_STORE", field)
    assert refusal(ask, service, **at_least(other)) == expected
    token = service.client.get_policy().consistency_token
    assert permits(ask(service, **at_least(token))) is False


def timestamp(moment: datetime) -> dict:
    return {"seconds": int(moment.timestamp()), "nanos": moment.microsecond * 1000}


@pytest.fixture
def history(pair):
    """What a document was readable by, in this order: nobody, ann, everybody, ann until some expiry, nobody."""
    writer, reader = pair
    client = writer.client
    opened = POLICY.replace(
        '"read" if "reader";', '"read" if "reader"; "read" if is_open(resource);'
    )
    tokens = [client.get_policy().consistency_token]
    tokens.append(client.write_facts(insert=[FACT]).consistency_token)
    tokens.append(client.publish_policy({"policy.polar": opened}).consistency_token)
    tokens.append(
        client.write_facts(insert=["is_open(Document:d)"], delete=[FACT]).consistency_token
    )
    expires_at = datetime.now(UTC) + timedelta(seconds=2)
    stored = authz.StoredFact(authz.Fact.parse(FACT), expires_at)
    result = client.write_facts(delete=["is_open(Document:d)"], insert=[stored])
    tokens.append(result.consistency_token)
    time.sleep(2.1)
    tokens.append(client.write_facts(insert=["is_open(Document:e)"]).consistency_token)
    return reader, tokens, expires_at


def test_states_of_the_past_decide_as_they_did(history):
    """With the facts, the policy and the time of then, at a server that had not heard of any of it."""
    reader, tokens, expires_at = history
    for _ in range(2):
        answers = [ask(reader, exactly=token) for token in tokens]
        assert [permits(answer) for answer in answers] == [False, True, True, True, True, False]
        assert [answer.consistency_token for answer in answers] == tokens
        assert [answer.policy_version for answer in answers] == [1, 1, 2, 2, 2, 2]
        assert not any(answer.HasField("age") for answer in answers)
    times = [answer.evaluated_at.ToDatetime(UTC) for answer in answers]
    assert times == sorted(times)
    for answer, moment in zip(answers, times, strict=True):
        asked = ask(reader, as_of=timestamp(moment))
        assert (permits(asked), asked.consistency_token) == (
            permits(answer),
            answer.consistency_token,
        )
        assert asked.evaluated_at == answer.evaluated_at
    # The facts of one revision, before and after one of them expired.
    assert permits(ask(reader, as_of=timestamp(expires_at - timedelta(microseconds=1))))
    assert not permits(ask(reader, as_of=timestamp(expires_at)))
    batch = ask_batch(reader, exactly=tokens[1])
    assert batch.results[0].decision == pb.DECISION_PERMIT
    assert (batch.consistency_token, batch.policy_version) == (tokens[1], 1)


def test_states_of_the_past_that_are_not_there(start):
    service = start()
    empty = service.client.create_store("other")
    assert refusal(ask, service, exactly="nonsense")[1:] == (
        "INVALID_TOKEN",
        "consistency.exactly",
    )
    assert refusal(ask, service, exactly=empty)[1:] == (
        "TOKEN_OF_ANOTHER_STORE",
        "consistency.exactly",
    )
    token = service.client.publish_policy({"policy.polar": POLICY}).consistency_token
    assert not permits(ask(service, exactly=token))
    later = timestamp(datetime.now(UTC) + timedelta(days=1))
    assert refusal(ask, service, as_of=later)[1:] == ("MALFORMED_VALUE", "consistency.as_of")
    # Before everything the store was there, without a policy.
    assert refusal(ask, service, as_of={"seconds": 1})[1] == "NO_POLICY"


def test_history_that_is_no_longer_kept(tmp_path, start):
    service = start()
    tokens = [service.client.publish_policy({"policy.polar": POLICY}).consistency_token]
    tokens += [
        service.client.write_facts(insert=[fact]).consistency_token
        for fact in (FACT.replace("ann", "bob"), FACT.replace("ann", "cyd"))
    ]
    with sqlite3.connect(tmp_path / "authz.db") as connection:
        connection.execute("UPDATE head SET compacted_to = 2")
    connection.close()
    assert refusal(ask, service, exactly=tokens[0]) == (
        "OUT_OF_RANGE",
        "COMPACTED",
        "consistency.exactly",
    )
    assert not permits(ask(service, exactly=tokens[1]))


def test_a_client_takes_its_writes_along(pair):
    """To another process of the service, as behind a load balancer, and to another client."""
    writer, reader = pair
    question = ("User:ann", "read", "Document:d")
    with authz.Client(reader.target, timeout=10) as client:
        writer.client.write_facts(insert=[FACT])
        assert not client.authorize(*question)
        client.carry(*writer.client.carried_tokens)
        assert client.authorize(*question)
        client.write_facts(delete=[FACT])
        assert not client.authorize(*question)
        # Where the write was not sent to.
        writer.client.carry(*client.carried_tokens)
        assert not writer.client.authorize(*question)
        assert not writer.client.authorize_batch([question])[0]
