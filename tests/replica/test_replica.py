"""What the replica promises: whole revisions, in order; faults stop it; snapshots never change."""

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from queue import Queue
from threading import Event

import pytest
from structlog.testing import capture_logs
from writing import write

from authz_service.errors import StoreNotFound
from authz_service.facts import index, snapshot, view
from authz_service.facts.access import AccessPath, Demand, Walk
from authz_service.facts.change import Delete, Insert
from authz_service.facts.fact import Fact
from authz_service.facts.policy_text import PolicyFile
from authz_service.facts.value import Value
from authz_service.facts.work import done
from authz_service.replica import replica as replica_module
from authz_service.replica.replica import Replica, ReplicaFault
from authz_service.store.fact_store import FactStore
from authz_service.store.reading import RevisionUnreadable

NOON = datetime(2026, 1, 2, 12, tzinfo=UTC)


class PolicyBroken(Exception):
    pass


def load_policy(files: Sequence[PolicyFile]) -> str:
    """Stand in for the language: a policy is its texts, and `broken` is an error."""
    text = " ".join(file.text for file in files)
    if text == "broken":
        raise PolicyBroken
    return text


def tag(name: str) -> Fact:
    return Fact("tag", (Value("User", name),))


def insert(store: FactStore, *names: str) -> None:
    write(store, "default", [Insert(tag(name)) for name in names])


def publish(store: FactStore, text: str) -> None:
    store.publish("default", (PolicyFile("main.polar", text),), NOON)


def execute(store: FactStore, statement: str) -> None:
    with store._engine.begin() as connection:
        connection.exec_driver_sql(statement)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[FactStore]:
    opened = FactStore.open(f"sqlite:///{tmp_path}/authz.db")
    yield opened
    opened.close()


@pytest.fixture
def replica(store: FactStore) -> Replica[str]:
    loaded = Replica(store, load_policy)
    loaded.load()
    return loaded


def test_an_empty_database(replica: Replica[str], store: FactStore) -> None:
    state = replica.state("default")

    assert (state.revision, len(state.facts), state.policy) == (0, 0, None)
    assert [state.store for state in replica.states()] == ["default"]
    assert replica.incarnation == store.incarnation
    with pytest.raises(StoreNotFound):
        replica.state("other")


def test_a_policy_and_facts_arrive(replica: Replica[str], store: FactStore) -> None:
    insert(store, "alice")
    publish(store, "one")
    insert(store, "bob")
    assert replica.state("default").revision == 0

    replica.catch_up()

    state = replica.state("default")
    assert set(state.facts) == {tag("alice"), tag("bob")}
    assert state.policy is not None
    assert (state.policy.loaded, state.policy.version.version) == ("one", 1)
    assert replica.revision == state.revision == 3


def test_a_snapshot_in_use_does_not_change(replica: Replica[str], store: FactStore) -> None:
    insert(store, "alice")
    replica.catch_up()
    before = replica.state("default")
    facts = set(before.facts)
    publish(store, "one")
    insert(store, "bob", "carol")
    write(store, "default", [Delete(tag("alice"))])

    replica.catch_up()

    assert replica.state("default") is not before
    assert set(before.facts) == facts == {tag("alice")}
    assert (before.revision, before.policy) == (1, None)


@pytest.mark.parametrize("lost", [2, 3])
def test_a_gap_is_a_fault_and_never_skipped(
    replica: Replica[str], store: FactStore, lost: int
) -> None:
    for name in ("alice", "bob", "carol", "dave"):
        insert(store, name)
    execute(store, f"DELETE FROM changes WHERE revision = {lost}")

    for _ in range(2):
        with pytest.raises(
            ReplicaFault, match=f"revision {lost + 1} in the log follows {lost - 1}"
        ):
            replica.catch_up()
        assert replica.revision == replica.state("default").revision == lost - 1
        assert len(replica.state("default").facts) == lost - 1


def test_a_log_without_its_end_is_a_fault(replica: Replica[str], store: FactStore) -> None:
    """Nothing follows, which must not look like nothing happened."""
    insert(store, "alice")
    insert(store, "bob")
    execute(store, "DELETE FROM changes WHERE revision = 2")

    with pytest.raises(ReplicaFault, match="ends at 1, the head is 2"):
        replica.catch_up()
    assert replica.revision == 1


def test_a_gap_longer_than_one_reading_is_a_fault(replica: Replica[str], store: FactStore) -> None:
    insert(store, "alice")
    execute(store, "UPDATE changes SET revision = 5000")
    execute(store, "UPDATE head SET revision = 5000")

    with pytest.raises(ReplicaFault, match="revision 5000 in the log follows 0"):
        replica.catch_up()


def test_a_store_that_nobody_made_is_a_fault(replica: Replica[str], store: FactStore) -> None:
    insert(store, "alice")
    execute(store, "UPDATE changes SET store = 7")

    with pytest.raises(ReplicaFault, match="unknown store `number 7`"):
        replica.catch_up()
    assert replica.revision == 0


@pytest.mark.parametrize(
    "damage",
    [
        "UPDATE changes SET kind = 'of-a-later-version' WHERE revision = 4",
        "UPDATE changes SET body = '{}]' WHERE revision = 4",
        """UPDATE changes SET body = '[["?", "tag", [], null]]' WHERE revision = 4""",
        "UPDATE changes SET body = '[[1]]' WHERE revision = 4",
        "UPDATE changes SET body = '7' WHERE revision = 4",
        "UPDATE changes SET kind = 'policy', body = '9' WHERE revision = 4",
    ],
)
def test_what_is_not_understood_stops_just_before_it(
    replica: Replica[str], store: FactStore, damage: str
) -> None:
    for name in ("alice", "bob", "carol", "dave", "erin"):
        insert(store, name)
    execute(store, "CREATE TABLE kept AS SELECT * FROM changes")
    execute(store, damage)

    for _ in range(2):
        with pytest.raises(RevisionUnreadable, match="revision 4 "):
            replica.catch_up()
        assert replica.revision == replica.state("default").revision == 3
        assert set(replica.state("default").facts) == {tag("alice"), tag("bob"), tag("carol")}
        assert replica.stopped_at == 4

    execute(store, "DELETE FROM changes")
    execute(store, "INSERT INTO changes SELECT * FROM kept")
    replica.catch_up()
    assert replica.revision == 5
    assert replica.stopped_at is None


def test_a_database_from_the_past_is_a_fault(replica: Replica[str], store: FactStore) -> None:
    insert(store, "alice")
    insert(store, "bob")
    replica.catch_up()
    execute(store, "DELETE FROM changes WHERE revision = 2")
    execute(store, "UPDATE head SET revision = 1")

    with pytest.raises(ReplicaFault, match="revision 2 is gone"):
        replica.catch_up()


@pytest.mark.parametrize("has_policy", [False, True])
def test_a_restore_between_head_and_log_is_a_fault(
    replica: Replica[str], store: FactStore, *, has_policy: bool
) -> None:
    """The log goes on behind the copy, but with what was written in another life."""
    insert(store, "alice")
    insert(store, "bob")
    replica.catch_up()
    insert(store, "carol")
    head = store.head()

    def restored():
        for table, column in (("changes", "revision"), ("facts", "created")):
            execute(store, f"DELETE FROM {table} WHERE {column} > 1")
        execute(store, "UPDATE head SET revision = 1")
        store.begin_life()
        insert(store, "dave")
        publish(store, "one") if has_policy else insert(store, "erin")
        insert(store, "frank")
        return head

    store.head = restored
    with pytest.raises(ReplicaFault, match="restored"):
        replica.catch_up()
    assert set(replica.state("default").facts) == {tag("alice"), tag("bob")}


def test_loading_again_recovers_from_a_gap(replica: Replica[str], store: FactStore) -> None:
    insert(store, "alice")
    insert(store, "bob")
    execute(store, "DELETE FROM changes WHERE revision = 1")
    with pytest.raises(ReplicaFault):
        replica.catch_up()

    replica.load()
    insert(store, "carol")
    replica.catch_up()

    assert set(replica.state("default").facts) == {tag("alice"), tag("bob"), tag("carol")}
    assert replica.revision == 3


def test_a_policy_that_does_not_load_stops_before_its_revision(
    replica: Replica[str], store: FactStore
) -> None:
    publish(store, "one")
    publish(store, "broken")
    insert(store, "alice")

    with pytest.raises(PolicyBroken):
        replica.catch_up()

    state = replica.state("default")
    assert replica.revision == state.revision == 1
    assert replica.stopped_at == 2
    assert state.policy is not None
    assert state.policy.loaded == "one"
    with pytest.raises(PolicyBroken):
        Replica(store, load_policy).load()


def test_a_policy_that_does_not_load_is_loaded_once_a_round(store: FactStore) -> None:
    loads = []

    def load_never(files: Sequence[PolicyFile]) -> str:
        loads.append(files)
        raise ValueError(files)

    replica = Replica(store, load_never)
    replica.load()
    insert(store, "alice")
    publish(store, "one")
    for number in (1, 2):
        with pytest.raises(ValueError, match="one"):
            replica.catch_up()
        assert len(loads) == number
        assert (replica.revision, replica.stopped_at) == (1, 2)


def test_a_policy_that_could_not_be_loaded_is_tried_again(store: FactStore) -> None:
    outcomes = iter([PolicyBroken(), PolicyBroken(), "two"])

    def load_at_last(files: Sequence[PolicyFile]) -> str:
        if load_policy(files) == "one":
            return "one"
        outcome = next(outcomes)
        if isinstance(outcome, Exception):
            raise outcome
        return outcome

    replica = Replica(store, load_at_last)
    publish(store, "one")
    replica.load()
    insert(store, "alice")
    publish(store, "two")
    insert(store, "bob")
    for _ in range(2):
        with pytest.raises(PolicyBroken):
            replica.catch_up()
        assert replica.revision == 2
        assert set(replica.state("default").facts) == {tag("alice")}

    replica.catch_up()
    state = replica.state("default")
    assert state.policy is not None
    assert (state.policy.loaded, state.revision) == ("two", 4)


def test_a_failed_load_leaves_what_was_there(replica: Replica[str], store: FactStore) -> None:
    insert(store, "alice")
    replica.catch_up()
    before = replica.state("default")
    publish(store, "broken")

    with pytest.raises(PolicyBroken):
        replica.load()

    assert replica.state("default") is before


def accepts(fact: Fact) -> bool:
    return fact.predicate == "tag"


def demanding(files: Sequence[PolicyFile]) -> Demand:
    """Stand in for a compiler: each word of the text is a predicate that is looked at whole."""
    demand = Demand(accepts, frozenset())
    for word in load_policy(files).split():
        demand.name(AccessPath(word, 1, (), ()))
    return demand


@pytest.fixture
def indexed(store: FactStore, monkeypatch: pytest.MonkeyPatch) -> Iterator[Replica[Demand]]:
    """A replica that merges whenever more than two facts were written."""
    monkeypatch.setattr(snapshot, "_SMALL_DELTA", 2)
    publish(store, "tag")
    loaded = Replica(store, demanding, lambda demand: demand)
    loaded.load()
    yield loaded
    loaded.close()


def tagged(replica: Replica[Demand]) -> set[Value]:
    """Return what the active policy sees; it must have been built before it could be seen."""
    state = replica.state("default")
    assert state.policy is not None
    view = state.facts.view(state.policy.loaded)
    assert view.built() == state.policy.loaded.names()
    return set(map(view.ids.value, view.tag))


def test_a_policy_is_seen_with_its_indexes(indexed: Replica[Demand], store: FactStore) -> None:
    insert(store, "alice")
    indexed.catch_up()
    assert tagged(indexed) == {Value("User", "alice")}
    publish(store, "tag label")
    insert(store, "bob")
    indexed.catch_up()

    assert tagged(indexed) == {Value("User", "alice"), Value("User", "bob")}
    indexed.load()
    assert tagged(indexed) == {Value("User", "alice"), Value("User", "bob")}


def test_indexes_of_a_policy_to_come_are_there_before_it(
    store: FactStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    to_come = demanding([PolicyFile("main.polar", "tag label")])
    replica = Replica(store, lambda _: to_come, lambda demand: demand)
    replica.load()
    insert(store, "alice")
    replica.catch_up()
    for _ in replica.preparing("default", to_come):
        insert(store, "bob")
        replica.catch_up()

    monkeypatch.delattr(index.Indexes, "_selection")
    publish(store, "tag label")
    replica.catch_up()
    assert tagged(replica) == {Value("User", "alice"), Value("User", "bob")}
    with pytest.raises(StoreNotFound):
        replica.preparing("other", to_come)


@pytest.mark.parametrize("is_published", [False, True], ids=["loaded", "published"])
def test_walks_are_taken_after_a_load_and_a_new_policy(
    store: FactStore, monkeypatch: pytest.MonkeyPatch, *, is_published: bool
) -> None:
    walked: Queue[int] = Queue()

    def walking(files: Sequence[PolicyFile]) -> Demand:
        demand = demanding(files)
        reach = demand.reach("walk", frozenset({("tag", 1)}), "tags")
        find = lambda _, steps, start, run: walked.put(start)  # noqa: ARG005, E731
        demand.walk(reach, Walk(frozenset({"User"}), find))
        return demand

    monkeypatch.setattr(view, "FEW_STARTS", 0)
    replica = Replica(store, walking, lambda demand: demand)
    insert(store, "alice", "bob")
    if not is_published:
        publish(store, "tag")
    replica.load()
    if is_published:
        publish(store, "tag")
        replica.catch_up()
    ids = done(replica.state("default").facts.gathering({})).ids
    users = {Value("User", "alice"), Value("User", "bob")}
    assert {ids.value(walked.get(timeout=10)) for _ in users} == users
    replica.close()
    assert walked.empty()


def test_a_walk_ahead_that_fails_is_told_and_ends_nothing(
    store: FactStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    trouble = RuntimeError("lost the way")

    def walking(files: Sequence[PolicyFile]) -> Demand:
        def find(*_: object) -> None:
            raise trouble

        demand = demanding(files)
        reach = demand.reach("walk", frozenset({("tag", 1)}), "tags")
        demand.walk(reach, Walk(frozenset({"User"}), find))
        return demand

    monkeypatch.setattr(view, "FEW_STARTS", 0)
    replica = Replica(store, walking, lambda demand: demand)
    insert(store, "alice")
    publish(store, "tag")
    with capture_logs() as lines:
        replica.load()
        publish(store, "tag label")
        replica.catch_up()
        replica._merging.submit(int).result(timeout=10)

    told = [(line["log_level"], line["exc_info"]) for line in lines]
    assert told == [("error", trouble)] * 2
    insert(store, "bob")
    replica.catch_up()
    assert tagged(replica) == {Value("User", "alice"), Value("User", "bob")}
    replica.close()


def merge_ends(replica: Replica[Demand]) -> None:
    assert replica._merge is not None
    replica._merge.merged.result(timeout=10)


def test_a_merge_is_taken_over_with_what_was_written_meanwhile(
    indexed: Replica[Demand], store: FactStore
) -> None:
    insert(store, "alice", "bob", "carol")
    indexed.catch_up()
    before = indexed.state("default")
    write(store, "default", [Delete(tag("bob"))])
    merge_ends(indexed)
    insert(store, "dave")
    indexed.catch_up()

    state = indexed.state("default")
    assert dict(state.facts._delta) == {tag("bob"): False, tag("dave"): True}
    assert set(state.facts) == {tag("alice"), tag("carol"), tag("dave")}
    assert tagged(indexed) == {Value("User", name) for name in ("alice", "carol", "dave")}
    assert (state.revision, indexed._merge) == (4, None)
    assert set(before.facts) == {tag("alice"), tag("bob"), tag("carol")}


@pytest.mark.parametrize("times", [0, 3])
def test_an_import_during_a_merge_does_not_keep_the_process_from_giving_signs_of_life(
    indexed: Replica[Demand], store: FactStore, monkeypatch: pytest.MonkeyPatch, times: int
) -> None:
    monkeypatch.setattr(replica_module, "_TIMES_ADDED", times)
    begin = Event()
    indexed._merging.submit(begin.wait)
    insert(store, "alice", "bob", "carol")
    indexed.catch_up()
    names = [f"user {number}" for number in range(3000)]
    insert(store, *names)
    write(store, "default", [Delete(tag("bob"))])
    indexed.catch_up()
    begin.set()
    merge_ends(indexed)
    assert indexed._merge is not None
    _, origin = indexed._merge.merged.result()
    # What was written meanwhile is added beside; else it takes time here, which is not silence.
    assert origin.revision == (indexed.revision if times else 2)
    before = indexed.pulse.beats
    indexed._finish_merge()
    assert times or indexed.pulse.beats > before + 10
    assert tagged(indexed) == {Value("User", name) for name in ("alice", "carol", *names)}


@pytest.mark.parametrize(("more", "shorter"), [(0, 1), (1, 1), (8, 4.5), (1000, 20)])
def test_merges_rest_less_the_more_waits_for_the_next_one(
    indexed: Replica[Demand],
    store: FactStore,
    monkeypatch: pytest.MonkeyPatch,
    more: int,
    shorter: float,
) -> None:
    begin, rests = Event(), list[float]()
    indexed._merging.submit(begin.wait)
    insert(store, "alice", "bob", "carol")
    indexed.catch_up()
    insert(store, *[f"user {number}" for number in range(more)])
    indexed.catch_up()
    monkeypatch.setattr(indexed._is_closing, "wait", rests.append)
    begin.set()
    merge_ends(indexed)
    assert rests[0] == pytest.approx(replica_module._MERGE_PAUSE_SECONDS / shorter)


def test_a_merge_for_another_policy_is_not_taken_over(
    indexed: Replica[Demand], store: FactStore
) -> None:
    insert(store, "alice", "bob", "carol")
    indexed.catch_up()
    publish(store, "tag label")
    merge_ends(indexed)
    indexed.catch_up()

    assert len(indexed.state("default").facts._delta) == 3
    assert tagged(indexed) == {Value("User", name) for name in ("alice", "bob", "carol")}
    merge_ends(indexed)
    indexed.catch_up()
    assert not indexed.state("default").facts._delta
    assert tagged(indexed) == {Value("User", name) for name in ("alice", "bob", "carol")}


def test_a_merge_of_what_was_before_load_is_not_taken_over(
    indexed: Replica[Demand], store: FactStore
) -> None:
    insert(store, "alice", "bob", "carol")
    indexed.catch_up()
    merge_ends(indexed)
    execute(store, """DELETE FROM facts WHERE key LIKE '%bob%'""")
    indexed.load()
    indexed.catch_up()

    assert tagged(indexed) == {Value("User", "alice"), Value("User", "carol")}


def test_closing_waits_for_a_merge(indexed: Replica[Demand], store: FactStore) -> None:
    insert(store, "alice", "bob", "carol")
    indexed.catch_up()
    merging = indexed._merge

    indexed.close()

    assert merging is not None
    assert merging.merged.done()
