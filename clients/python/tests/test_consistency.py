"""Which state is demanded: what the caller says, and by default one that has the client's own writes."""

import asyncio
import threading
from concurrent.futures import ThreadPoolExecutor
from random import Random

import grpc
import pytest
from authz import (
    AsOf,
    AsyncClient,
    AtLeastAsFresh,
    Client,
    Exactly,
    FullyConsistent,
    MinimizeLatency,
    Refused,
)
from authz._call import Call
from authz._carried import MOST_TOKENS, CarriedTokens
from authz.v1 import authorization_service_pb2 as pb
from authz.v1 import fact_service_pb2 as fact_pb
from google.protobuf.duration_pb2 import Duration
from google.rpc.error_details_pb2 import ErrorInfo
from routes import both_routes
from scripted_service import (
    NOON,
    UNAVAILABLE,
    answer,
    decided,
    decided_batch,
    fail,
    oblige,
    serving,
)

QUESTION = ("User:alice", "read", "Doc:1")


def written(token: str) -> fact_pb.WriteFactsResponse:
    return fact_pb.WriteFactsResponse(
        outcomes=[fact_pb.WRITE_OUTCOME_CREATED],
        counts=[fact_pb.WriteCounts(inserted=1)],
        consistency_token=token,
        policy_version=1,
    )


def demanded(service) -> pb.Consistency:
    return service.requests[-1].consistency


def carried(service) -> list[str]:
    return list(demanded(service).at_least_as_fresh.consistency_tokens)


@both_routes
@pytest.mark.parametrize(
    ("demand", "message"),
    [
        (None, pb.Consistency()),
        (MinimizeLatency(), pb.Consistency(minimize_latency=True)),
        (FullyConsistent(), pb.Consistency(fully_consistent=True)),
        (
            AtLeastAsFresh("t1", "t2"),
            pb.Consistency(at_least_as_fresh={"consistency_tokens": ["t1", "t2"]}),
        ),
        (Exactly("t1"), pb.Consistency(exactly="t1")),
        (AsOf(NOON), pb.Consistency(as_of={"seconds": int(NOON.timestamp()), "nanos": 123456000})),
    ],
)
def test_what_is_demanded_is_sent(route, demand, message):
    with serving(oblige) as service:
        route(service.target, lambda client: client.authorize(*QUESTION, consistency=demand))
        assert demanded(service) == message
        route(service.target, lambda client: client.authorize_batch([QUESTION], consistency=demand))
        assert demanded(service) == message
        assert service.requests[0].HasField("consistency") == (demand is not None)


def test_a_token_is_needed():
    with pytest.raises(ValueError, match="expected a consistency token"):
        AtLeastAsFresh()


@both_routes
def test_the_age_is_told(route):
    response = decided(age=Duration(seconds=1, nanos=5_000_000))
    with serving(answer(response)) as service:
        found = route(service.target, lambda client: client.authorize(*QUESTION))
    assert found.age.total_seconds() == 1.005


WRITES = {
    "write_facts": lambda client: client.write_facts(insert=["f(User:a)"]),
    "write_facts_with_a_key": lambda client: client.write_facts(
        insert=["f(User:a)"], idempotency_key="k"
    ),
    "delete_entity": lambda client: client.delete_entity("User:a"),
    "publish_policy": lambda client: client.publish_policy({"a.polar": ""}),
    "create_store": lambda client: client.create_store("default"),
}


@pytest.mark.parametrize("write", WRITES.values(), ids=WRITES)
def test_own_writes_are_seen(write):
    with serving(oblige) as service, Client(service.target) as client:
        result = write(client)
        token = result if isinstance(result, str) else result.consistency_token
        client.authorize(*QUESTION)
        assert carried(service) == [token]
        client.authorize_batch([QUESTION])
        assert carried(service) == [token]
        client.authorize(*QUESTION, consistency=AtLeastAsFresh("other"))
        assert carried(service) == ["other", token]
        client.authorize(*QUESTION, consistency=MinimizeLatency())
        assert demanded(service).WhichOneof("demand") == "minimize_latency"


@pytest.mark.parametrize("write", WRITES.values(), ids=WRITES)
def test_own_writes_are_seen_by_tasks(write):
    async def run(target: str, service) -> None:
        async with AsyncClient(target) as client:
            result = await write(client)
            token = result if isinstance(result, str) else result.consistency_token
            await asyncio.gather(*(client.authorize(*QUESTION) for _ in range(5)))
            assert client.carried_tokens == (token,)
            for request in service.requests[1:]:
                assert list(request.consistency.at_least_as_fresh.consistency_tokens) == [token]

    with serving(oblige) as service:
        asyncio.run(run(service.target, service))


def test_own_writes_are_seen_by_other_threads():
    with serving(oblige) as service, Client(service.target) as client:
        with ThreadPoolExecutor(1) as other:
            other.submit(WRITES["write_facts"], client).result()
        client.authorize(*QUESTION)
        assert carried(service) == ["token-2"]


def test_it_can_be_switched_off():
    with serving(oblige) as service, Client(service.target, read_your_writes=False) as client:
        WRITES["write_facts"](client)
        client.authorize(*QUESTION)
        assert not service.requests[-1].HasField("consistency")
        client.carry("given")
        WRITES["write_facts"](client)
        client.authorize(*QUESTION)
        assert carried(service) == ["given"]


def test_tokens_go_to_another_process():
    with serving(oblige) as service, Client(service.target) as writer:
        WRITES["write_facts"](writer)
        with Client(service.target) as other:
            other.carry(*writer.carried_tokens)
            other.authorize(*QUESTION)
            assert carried(service) == ["token-2"]
            other.forget_tokens()
            other.authorize(*QUESTION)
            assert not service.requests[-1].HasField("consistency")


@both_routes
def test_a_retry_demands_the_same(route):
    def ask(client):
        client.carry("t1")
        return client.authorize(*QUESTION)

    with serving(UNAVAILABLE, UNAVAILABLE, oblige) as service:
        assert route(service.target, ask)
        assert len(service.requests) == 3
        for request in service.requests:
            assert list(request.consistency.at_least_as_fresh.consistency_tokens) == ["t1"]


def test_a_refused_token_is_not_dropped():
    """The caller is told each time, until it says that what the token stands for may be lost."""
    info = ErrorInfo(reason="REVISION_UNKNOWN", domain="authz")
    refuse = fail(grpc.StatusCode.FAILED_PRECONDITION, "told to fail", info)
    with serving(refuse) as service, Client(service.target) as client:
        client.carry("t1")
        for _ in range(2):
            with pytest.raises(Refused) as caught:
                client.authorize(*QUESTION)
            assert caught.value.reason == "REVISION_UNKNOWN"
            assert carried(service) == ["t1"]


@pytest.mark.parametrize("write", WRITES.values(), ids=WRITES)
def test_a_write_does_not_cover_what_was_given(write):
    """That may be of another store, or of what a restore has lost: only the service can tell."""
    with serving(oblige) as service, Client(service.target) as client:
        client.carry("given")
        token = write(client)
        token = token if isinstance(token, str) else token.consistency_token
        client.authorize(*QUESTION)
        assert carried(service) == ["given", token]
        assert client.carried_tokens == ("token-1",)
        write(client)
        assert "given" not in client.carried_tokens


def test_the_newest_state_covers_no_token():
    """It was not asked whether what they stand for is there, so later questions still ask that."""
    with serving(oblige) as service, Client(service.target) as client:
        client.carry("t1", "t2")
        client.authorize(*QUESTION, consistency=FullyConsistent())
        client.authorize(*QUESTION)
        assert carried(service) == ["t1", "t2"]


def test_a_later_write_covers_an_earlier_one():
    steps = (answer(written("t1")), answer(written("t2")), oblige)
    with serving(*steps) as service, Client(service.target) as client:
        WRITES["write_facts"](client)
        WRITES["write_facts"](client)
        client.authorize(*QUESTION)
        assert carried(service) == ["t2"]


def test_a_repeated_write_covers_nothing():
    """It brings the token of when it was done first."""
    steps = (answer(written("t2")), answer(written("t1")), oblige)
    with serving(*steps) as service, Client(service.target) as client:
        WRITES["write_facts"](client)
        WRITES["write_facts_with_a_key"](client)
        client.authorize(*QUESTION)
        assert carried(service) == ["t2", "t1"]


def test_writes_that_overlap_leave_a_token_each_until_an_answer():
    first_is_there, second_is_done = threading.Event(), threading.Event()

    def slow(_request, _rpc):
        first_is_there.set()
        assert second_is_done.wait(10)
        return written("t1")

    steps = (slow, answer(written("t2")), oblige)
    with serving(*steps) as service, Client(service.target, timeout=10) as client:
        with ThreadPoolExecutor(1) as other:
            first = other.submit(WRITES["write_facts"], client)
            assert first_is_there.wait(10)
            WRITES["write_facts"](client)
            second_is_done.set()
            first.result()
        client.authorize(*QUESTION)
        assert carried(service) == ["t2", "t1"]
        client.authorize(*QUESTION)
        assert carried(service) == ["token-1"]


def test_a_batch_without_a_decision_covers_nothing():
    failed = pb.QuestionResult(error=pb.QuestionError(code=3, reason="UNKNOWN_TYPE"))
    with serving(answer(decided_batch(failed))) as service, Client(service.target) as client:
        client.carry("t1", "t2")
        client.authorize_batch([QUESTION])
        client.authorize_batch([QUESTION])
        assert carried(service) == ["t1", "t2"]


def test_more_tokens_than_a_question_takes():
    tokens = [f"t{number}" for number in range(MOST_TOKENS + 1)]
    with serving(oblige) as service, Client(service.target) as client:
        client.carry(*tokens)
        client.authorize(*QUESTION)
        assert demanded(service).fully_consistent
        client.authorize(*QUESTION)
        assert carried(service) == ["token-1"]


class Scene:
    """Writes and questions that overlap at random, with a service that commits in some order."""

    def __init__(self, seed: int) -> None:
        self.random = Random(seed)
        self.carried = CarriedTokens(notes_writes=True)
        self.head = 0
        self.returned = 0
        self.under_way: list = []

    def step(self) -> None:
        if self.under_way and self.random.random() < 0.5:
            self.under_way.pop(self.random.randrange(len(self.under_way)))()
        elif self.random.random() < 0.6:
            self.begin_write()
        else:
            self.begin_question()

    def begin_write(self) -> None:
        call = self.carried.writing(Call("", b"", bytes.decode, repeatable=True), str)

        def commit() -> None:
            self.head += 1
            revision = self.head
            self.under_way.append(lambda: self.end_write(call, revision))

        self.under_way.append(commit)

    def end_write(self, call, revision: int) -> None:
        call.read(str(revision).encode())
        self.returned = max(self.returned, revision)

    def begin_question(self) -> None:
        demand, covered = self.carried.demand(None)
        call = self.carried.answering(
            Call("", b"", bytes.decode, repeatable=True), covered, lambda token: token
        )
        least = max(map(int, demand.tokens), default=0) if demand else 0
        assert least >= self.returned, "a question does not cover a write that has returned"
        revision = self.random.randint(least, self.head)
        self.under_way.append(lambda: call.read(str(revision).encode()))


def test_questions_cover_every_write_that_has_returned():
    for seed in range(300):
        scene = Scene(seed)
        for _ in range(60):
            scene.step()


def test_that_can_fail(monkeypatch):
    """If the last token to come took the place of all others."""
    wrote = CarriedTokens._wrote
    monkeypatch.setattr(
        CarriedTokens, "_wrote", lambda self, token, _began: wrote(self, token, self._count)
    )
    with pytest.raises(AssertionError, match="does not cover"):
        test_questions_cover_every_write_that_has_returned()
