"""The replica against a model: for every revision, a set of facts and a policy in each store."""

import tempfile
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from typing import NamedTuple

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule
from writing import publish, write

from authz_service.facts import snapshot
from authz_service.facts.change import Delete, Insert, Write, WriteOutcome
from authz_service.facts.fact import Fact
from authz_service.facts.policy_text import PolicyFile
from authz_service.facts.value import Value, string
from authz_service.replica.replica import Replica, StoreState
from authz_service.store import checkpoints
from authz_service.store.fact_store import FactStore

NOON = datetime(2026, 1, 2, 12, tzinfo=UTC)
STORES = ("default", "other")

facts = st.builds(
    Fact,
    st.sampled_from(["has_role", "has_relation"]),
    st.sampled_from(["é", "e\u0301", "a", "A"]).map(
        lambda text: (Value("User", text), string("r"))
    ),
)
writes = st.lists(st.one_of(facts.map(Insert), facts.map(Delete)), max_size=6)
policies = st.lists(
    st.builds(PolicyFile, st.just("main.polar"), st.sampled_from("abc")), min_size=1, max_size=1
).map(tuple)


class Expected(NamedTuple):
    """One store as it must be: the last revision of its own, its facts, its policy."""

    revision: int
    facts: frozenset[Fact]
    version: int
    files: tuple[PolicyFile, ...]


def load_policy(files: Sequence[PolicyFile]) -> tuple[PolicyFile, ...]:
    return tuple(files)


State = StoreState[tuple[PolicyFile, ...]]


def seen(state: State) -> Expected:
    if state.policy is None:
        return Expected(state.revision, frozenset(state.facts), 0, ())
    assert state.policy.version.files == state.policy.loaded
    version = state.policy.version.version
    return Expected(state.revision, frozenset(state.facts), version, state.policy.loaded)


@pytest.fixture(scope="module", autouse=True)
def _of_few_facts() -> Iterator[None]:
    """Merge after a few writes, and write checkpoints of a few facts."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(snapshot, "_SMALL_DELTA", 2)
        patch.setattr(checkpoints, "_FEWEST_FACTS", 1)
        patch.setattr(checkpoints, "PIECE_BYTES", 200)
        yield


class ReplicaModel(RuleBasedStateMachine):
    """`history[n]` is what every store must be at revision n."""

    def __init__(self) -> None:
        super().__init__()
        self.directory = tempfile.TemporaryDirectory()
        self.url = f"sqlite:///{self.directory.name}/authz.db"
        self.store = FactStore.open(self.url)
        self.history = [dict.fromkeys(STORES, Expected(0, frozenset(), 0, ()))]
        self.replicas: list[Replica[tuple[PolicyFile, ...]]] = []
        self.handed_out: list[tuple[State, Expected]] = []

    @initialize()
    def start(self) -> None:
        with self.store._engine.begin() as connection:
            connection.exec_driver_sql(
                "INSERT INTO stores (number, name, revision) VALUES (99, 'other', 0)"
            )
        self.load()

    def load(self) -> None:
        self.replica = Replica(self.store, load_policy)
        self.replicas.append(self.replica)
        self.replica.load()
        assert self.replica.revision == len(self.history) - 1

    def commit(self, name: str, after: Expected) -> None:
        self.history.append({**self.history[-1], name: after})

    @rule(name=st.sampled_from(STORES), writes=writes)
    def write(self, name: str, writes: list[Write]) -> None:
        before = self.history[-1][name]
        present = set(before.facts)
        outcomes = []
        for write_ in writes:
            fact = write_.fact
            if isinstance(write_, Insert):
                outcomes.append(WriteOutcome.EXISTED if fact in present else WriteOutcome.CREATED)
                present.add(fact)
            else:
                outcomes.append(WriteOutcome.DELETED if fact in present else WriteOutcome.MISSING)
                present.discard(fact)
        if present != before.facts:
            revision = len(self.history)
            self.commit(name, before._replace(revision=revision, facts=frozenset(present)))
        # What changes nothing is covered by the last revision that belongs to the store.
        assert write(self.store, name, writes) == (self.history[-1][name].revision, tuple(outcomes))

    @rule(name=st.sampled_from(STORES), files=policies)
    def publish(self, name: str, files: tuple[PolicyFile, ...]) -> None:
        before = self.history[-1][name]
        if files != before.files:
            after = before._replace(
                revision=len(self.history), version=before.version + 1, files=files
            )
            self.commit(name, after)
        revision, version = publish(self.store, name, files, NOON)
        assert revision == self.history[-1][name].revision
        assert (version.version, version.files) == self.history[-1][name][2:]

    @rule()
    def catch_up(self) -> None:
        self.replica.catch_up()
        assert self.replica.revision == len(self.history) - 1

    @rule()
    def load_again(self) -> None:
        self.replica.load()
        assert self.replica.revision == len(self.history) - 1

    @rule()
    def save_checkpoint(self) -> None:
        if write := self.replica.due_checkpoint():
            write(lambda: True)

    @rule()
    def start_from_checkpoint(self) -> None:
        replica = Replica(self.store, load_policy)
        self.replicas.append(replica)
        if replica.load_checkpoint():
            self.replica = replica
            assert self.replica.revision == len(self.history) - 1

    @rule()
    def restart(self) -> None:
        incarnation = self.store.incarnation
        self.store.close()
        self.store = FactStore.open(self.url)
        assert self.store.incarnation == incarnation
        self.load()

    @rule(name=st.sampled_from(STORES))
    def hold(self, name: str) -> None:
        state = self.replica.state(name)
        self.handed_out.append((state, seen(state)))

    @invariant()
    def a_whole_revision_is_seen(self) -> None:
        states = {state.store: seen(state) for state in self.replica.states()}
        assert states == self.history[self.replica.revision]

    def teardown(self) -> None:
        for replica in self.replicas:
            replica.close()
        self.store.close()
        self.directory.cleanup()
        for state, when_handed_out in self.handed_out:
            assert seen(state) == when_handed_out


TestReplicaModel = ReplicaModel.TestCase
TestReplicaModel.settings = settings(max_examples=40, stateful_step_count=30, deadline=None)
