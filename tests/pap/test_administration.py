"""Writing and publishing against each other: checked by one policy, committed under that policy or not at all."""

import asyncio
from collections.abc import Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from examples import entity, fact

from authz_service.engine.engines import Engine, LoadedPolicy, loader
from authz_service.engine.program import Question
from authz_service.errors import (
    EngineUnsupported,
    FactsOrphaned,
    MalformedValue,
    NoPolicy,
    PolicyChanged,
    PreconditionFailed,
    StoreNotFound,
    StoreUnavailable,
    UnusableFact,
)
from authz_service.facts.change import (
    Delete,
    Insert,
    MustExist,
    Replace,
    WriteOutcome,
    WriteRequest,
)
from authz_service.facts.fact import AnyValue, FactPattern
from authz_service.facts.instant import instant_of
from authz_service.facts.policy_text import PolicyFile
from authz_service.pap.administration import PolicyAdministrationPoint
from authz_service.pdp.decide import PolicyDecisionPoint
from authz_service.replica.follower import Follower
from authz_service.replica.replica import Replica
from authz_service.store.fact_store import FactStore, utc_now
from authz_service.store.writes import Written

READERS = (
    'actor User {} resource Doc { roles = ["reader"]; permissions = ["read"]; "read" if "reader"; }'
)
WRITERS = READERS.replace("reader", "writer")
BOTH = """actor User {}
resource Doc { roles = ["reader", "writer"]; permissions = ["read"]; "read" if "reader"; "read" if "writer"; }"""
ANN = fact('has_role(User:ann, "reader", Doc:x)')
EVE = fact('has_role(User:eve, "writer", Doc:x)')


class Process:
    """All that one serving process has for its writes."""

    def __init__(self, url: str) -> None:
        self.store = FactStore.open(url)
        load = loader(Engine.COMPILED)
        self.replica: Replica[LoadedPolicy] = Replica(
            self.store, load, lambda loaded: loaded.program.demand
        )
        self.replica.load()
        self.follower = Follower(self.replica)
        self.pap = PolicyAdministrationPoint(
            self.store,
            self.replica,
            self.follower,
            lambda files, _given_up: load(files),
            lambda _files, _given_up: (),
        )
        self.pdp = PolicyDecisionPoint(self.replica, evaluation_steps=100_000)

    async def publish(self, text: str, *, force: bool = False) -> int:
        files = [PolicyFile("main.polar", text)]
        published = await self.pap.publish("default", files, skip_tests=True, force=force)
        return published.version.version

    async def write(self, *facts: object, **request: object) -> int:
        inserts = [Insert(one) for one in facts]
        written = await self.pap.write_facts("default", WriteRequest(inserts, **request))
        return written.policy_version

    async def permits(self, text: str) -> bool:
        actor, action, resource = text.split()
        question = Question(entity(actor), action, entity(resource))
        decision = await self.pdp.decide(self.pdp.moment("default"), question, ())
        return decision.permitted

    async def close(self) -> None:
        await self.pap.close()
        self.pdp.close()
        self.replica.close()
        self.store.close()


@contextmanager
def running(url: str) -> Iterator[tuple[asyncio.Runner, Process, Process]]:
    with asyncio.Runner() as runner:
        processes = Process(url), Process(url)
        yield runner, *processes
        for process in processes:
            runner.run(process.close())


@pytest.fixture
def two(tmp_path: Path) -> Iterator[tuple[asyncio.Runner, Process, Process]]:
    with running(f"sqlite:///{tmp_path}/authz.db") as made:
        yield made


def test_a_process_hears_of_what_another_published(two) -> None:
    runner, one, other = two
    with pytest.raises(NoPolicy):
        runner.run(one.write(ANN))
    runner.run(other.publish(READERS))
    assert runner.run(one.write(ANN)) == 1
    other.store.create_store("new")
    with pytest.raises(NoPolicy):
        runner.run(one.pap.write_facts("new", WriteRequest([Insert(ANN)])))
    with pytest.raises(StoreNotFound):
        runner.run(one.pap.write_facts("none", WriteRequest([Insert(ANN)])))


def test_a_policy_is_published_to_a_store_that_another_process_has_just_made(two) -> None:
    runner, one, other = two
    files = [PolicyFile("main.polar", READERS)]
    other.store.create_store("new")
    published = runner.run(one.pap.publish("new", files, skip_tests=True))
    assert published.version.version == 1
    other.store.delete_store("new")
    for name in ("new", "none"):
        with pytest.raises(StoreNotFound):
            runner.run(one.pap.publish(name, files, skip_tests=True))


def test_stores_are_listed_as_they_are_now(two) -> None:
    """Which others have just made or deleted is known, too; a list that lacks one is short."""
    runner, one, other = two
    other.store.create_store("new")
    assert runner.run(one.pap.stores()) == ["default", "new"]
    other.store.delete_store("new")
    assert runner.run(one.pap.stores()) == ["default"]


def test_the_policy_comes_first(two) -> None:
    """The facts were checked by what is active no more, so they are checked again."""
    runner, one, other = two
    runner.run(one.publish(READERS))
    runner.run(other.publish(BOTH))
    assert one.replica.state("default").policy.version.version == 1
    assert runner.run(one.write(ANN)) == 2
    runner.run(other.publish(WRITERS, force=True))
    with pytest.raises(UnusableFact) as refused:
        runner.run(one.write(EVE, ANN))
    assert refused.value.field == "writes[1].insert.args[1]"
    assert runner.run(one.write(EVE)) == 3


@pytest.mark.parametrize("before", [0, 1, 49, 50, 60])
def test_few_and_many_writes_are_checked_alike(two, before) -> None:
    """Few are looked at in the event loop, and many in a thread, as is what is wrong."""
    runner, one, _ = two
    runner.run(one.publish(READERS))
    many = [fact(f'has_role(User:u{number}, "reader", Doc:x)') for number in range(before)]
    with pytest.raises(UnusableFact) as refused:
        runner.run(one.write(*many, EVE))
    assert refused.value.field == f"writes[{before}].insert.args[1]"
    assert one.store.read("default").facts == []
    strange = fact("unheard_of(User:ann)")
    request = WriteRequest([*map(Insert, many), Insert(ANN), Delete(strange)])
    written = runner.run(one.pap.write_facts("default", request))
    outcomes = [result.outcome for result in written.results]
    assert outcomes == [*[WriteOutcome.CREATED] * (before + 1), WriteOutcome.MISSING]
    assert written.policy_version == 1


def test_the_write_comes_first(two) -> None:
    """The policy was checked against what is stored, and then a fact came that it cannot use."""
    runner, one, other = two
    runner.run(one.publish(BOTH))
    runner.run(other.follower.catch_up())
    runner.run(one.write(ANN))
    with pytest.raises(FactsOrphaned) as refused:
        runner.run(other.publish(WRITERS))
    assert refused.value.facts == ('has_role(User:ann, "reader", Doc:x)',)
    assert one.store.policy("default", None).version == 1


def test_policies_that_come_faster_than_facts_are_checked(two, monkeypatch) -> None:
    runner, one, other = two
    runner.run(one.publish(READERS))
    texts = iter([BOTH, READERS] * 5)
    submit = one.store.submit

    def overtaken(*args: object, **kwargs: object) -> "Future[Written]":
        other.store.publish("default", (PolicyFile("main.polar", next(texts)),), utc_now())
        return submit(*args, **kwargs)

    monkeypatch.setattr(one.store, "submit", overtaken)
    with pytest.raises(PolicyChanged):
        runner.run(one.write(ANN))
    assert one.store.read("default").facts == []


def test_orphans_of_a_forced_policy_stay_stored_and_do_not_count(two) -> None:
    runner, one, _ = two
    runner.run(one.publish(READERS))
    runner.run(one.write(ANN))
    assert runner.run(one.permits("User:ann read Doc:x"))
    assert runner.run(one.publish(WRITERS, force=True)) == 2
    assert not runner.run(one.permits("User:ann read Doc:x"))
    assert [stored.fact for stored in one.store.read("default").facts] == [ANN]
    # What is an orphan already is none that another policy makes.
    assert runner.run(one.publish(WRITERS + " ")) == 3
    assert runner.run(one.publish(BOTH)) == 4
    assert runner.run(one.permits("User:ann read Doc:x"))


def test_a_retry_is_answered_though_the_policy_does_not_know_the_fact_any_more(two) -> None:
    runner, one, other = two
    runner.run(one.publish(READERS))
    request = WriteRequest([Insert(ANN)], idempotency_key="k")
    first = runner.run(one.pap.write_facts("default", request))
    runner.run(one.publish(WRITERS, force=True))
    for process in (one, other):
        assert runner.run(process.pap.write_facts("default", request)) == first


def test_what_replaces_a_pattern_matches_it(two) -> None:
    runner, one, _ = two
    runner.run(one.publish(BOTH))
    pattern = FactPattern("has_role", (entity("User:eve"), AnyValue(), AnyValue()))
    both = Replace(pattern, (Insert(EVE), Insert(ANN)))
    with pytest.raises(MalformedValue) as refused:
        runner.run(one.pap.write_facts("default", WriteRequest([both])))
    assert refused.value.field == "writes[0].replace.inserts[1]"


def test_expiry_ends_permission_at_its_instant(two) -> None:
    runner, one, _ = two
    runner.run(one.publish(READERS))
    until = utc_now() + timedelta(seconds=30)
    request = WriteRequest([Insert(ANN, instant_of(until))])
    runner.run(one.pap.write_facts("default", request))
    moment = one.pdp.moment("default")
    question = Question(entity("User:ann"), "read", entity("Doc:x"))
    for evaluated_at, permitted in ((until - timedelta(microseconds=1), True), (until, False)):
        at = replace(moment, evaluated_at=instant_of(evaluated_at))
        assert runner.run(one.pdp.decide(at, question, ())).permitted is permitted
        # Context facts do not expire.
        assert runner.run(one.pdp.decide(at, question, (ANN,))).permitted


def test_many_that_expire_at_once(two) -> None:
    """They are taken out in a thread, once; the answers are the same."""
    runner, one, _ = two
    runner.run(one.publish(READERS))
    until = utc_now() + timedelta(seconds=30)
    names = [f"u{number}" for number in range(500)]
    facts = [fact(f'has_role(User:{name}, "reader", Doc:x)') for name in names]
    request = WriteRequest([*(Insert(each, instant_of(until)) for each in facts), Insert(ANN)])
    runner.run(one.pap.write_facts("default", request))
    moment = replace(one.pdp.moment("default"), evaluated_at=instant_of(until))
    assert not moment.has_facts_ready
    for name, permitted in (("u1", False), ("ann", True), ("u499", False)):
        question = Question(entity(f"User:{name}"), "read", entity("Doc:x"))
        assert runner.run(one.pdp.decide(moment, question, ())).permitted is permitted
        assert moment.has_facts_ready
    assert len(moment.facts) == 1


def test_a_precondition_is_refused_with_its_place(two) -> None:
    runner, one, _ = two
    runner.run(one.publish(READERS))

    with pytest.raises(PreconditionFailed) as refused:
        runner.run(one.write(ANN, preconditions=[MustExist(FactPattern("has_role"))]))
    assert refused.value.field == "preconditions[0]"


@pytest.mark.parametrize("key", [None, "k"])
def test_what_is_written_is_not_said_to_be_refused(two, monkeypatch, key) -> None:
    """Another process published, to another store, what this one cannot load: so it cannot show any write."""
    runner, one, other = two
    runner.run(one.publish(READERS))
    other.store.create_store("new")
    other.store.publish("new", (PolicyFile("main.polar", BOTH),), utc_now())

    def unable(_files: object) -> LoadedPolicy:
        raise EngineUnsupported("the engine is another one here")

    request = WriteRequest([Insert(ANN)], idempotency_key=key)
    with monkeypatch.context() as patched:
        patched.setattr(one.replica, "_load_policy", unable)
        with pytest.raises(StoreUnavailable, match=r"is done, but .* another one here"):
            runner.run(one.pap.write_facts("default", request))
        with pytest.raises(StoreUnavailable):
            runner.run(one.pap.create_store("third"))
    assert [stored.fact for stored in one.store.read("default").facts] == [ANN]
    again = runner.run(one.pap.write_facts("default", request)).results[0].outcome
    assert again is (WriteOutcome.CREATED if key else WriteOutcome.EXISTED)


def put_back(store: FactStore, revision: int) -> None:
    """Let the database be what it was at `revision`, as a backup or a standby that lagged has it."""
    with store._engine.begin() as connection:
        for statement in (
            "DELETE FROM changes WHERE revision > {}",
            "DELETE FROM policies WHERE revision > {}",
            "DELETE FROM facts WHERE created > {}",
            "UPDATE stores SET revision = {}",
            "UPDATE head SET revision = {}",
        ):
            connection.exec_driver_sql(statement.format(revision))
    store.begin_life()


def test_what_is_written_after_a_restore_is_seen(two) -> None:
    """Its revision is one that the copy had in the life before."""
    runner, one, other = two
    runner.run(one.publish(READERS))
    runner.run(one.write(ANN))
    runner.run(one.write(fact('has_role(User:bea, "reader", Doc:x)')))
    put_back(other.store, 2)
    assert runner.run(one.permits("User:ann read Doc:x"))
    written = runner.run(one.pap.write_facts("default", WriteRequest([Delete(ANN)])))
    assert written.token.revision == 3
    assert not runner.run(one.permits("User:ann read Doc:x"))


def test_the_policy_of_a_life_before_checks_nothing(two) -> None:
    """The version is the same, the policy is another one."""
    runner, one, other = two
    runner.run(one.publish(READERS))
    runner.run(one.publish(BOTH))
    put_back(other.store, 1)
    files = (PolicyFile("main.polar", WRITERS),)
    assert other.store.publish("default", files, utc_now()).version.version == 2
    assert one.replica.state("default").policy.version.version == 2
    with pytest.raises(UnusableFact):
        runner.run(one.write(ANN))
    assert not one.store.read("default").facts


def test_a_policy_of_a_life_before_refuses_nothing(two) -> None:
    """The revision is the same, too."""
    runner, one, other = two
    runner.run(one.publish(READERS))
    put_back(other.store, 0)
    other.store.publish("default", (PolicyFile("main.polar", WRITERS),), utc_now())
    assert other.store.head().revision == one.replica.revision
    assert runner.run(one.write(EVE)) == 1
