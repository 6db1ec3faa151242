"""FactStore in detail: several stores, faults in the middle of a commit, any ids, and reopening."""

from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy.exc import IntegrityError
from writing import publish, write

from authz_service.errors import NoPolicy, PolicyNotFound, StoreNotFound
from authz_service.facts.change import ChangeBatch, Delete, Insert, Write, WriteOutcome
from authz_service.facts.fact import Fact
from authz_service.facts.policy_text import PolicyFile
from authz_service.facts.revision import Revision
from authz_service.facts.tables import Tables
from authz_service.facts.value import Value, boolean, integer, string
from authz_service.store.fact_store import FactStore, StoredState

NOON = datetime(2026, 1, 2, 12, 0, 0, 123456, tzinfo=UTC)
MAIN = PolicyFile("main.polar", "actor User {}")
ROLES = PolicyFile("roles.polar", "resource Org {}")
START = Revision(0)


def owner(user: str, org: str = "acme") -> Fact:
    return Fact("has_role", (Value("User", user), string("owner"), Value("Org", org)))


def insert(*facts: Fact) -> list[Write]:
    return [Insert(fact) for fact in facts]


def delete(*facts: Fact) -> list[Write]:
    return [Delete(fact) for fact in facts]


def loaded(store: FactStore, name: str = "default") -> StoredState:
    return next(state for state in store.load()[1] if state.name == name)


def stored(store: FactStore, name: str = "default") -> set[Fact]:
    facts = loaded(store, name).facts
    assert len(facts) == len(set(facts))
    return set(facts)


def replayed(batches: Iterable[ChangeBatch], name: str = "default") -> set[Fact]:
    facts: set[Fact] = set()
    for batch in batches:
        if batch.store == name:
            assert not facts & batch.inserted
            assert facts >= batch.deleted
            facts = (facts - batch.deleted) | batch.inserted
    return facts


def execute(store: FactStore, *statements: str) -> None:
    """Do what no method of the store does, behind its back."""
    with store._engine.begin() as connection:
        for statement in statements:
            connection.exec_driver_sql(statement)


@pytest.fixture
def url(tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path}/authz.db"


@pytest.fixture
def store(url: str) -> Iterator[FactStore]:
    opened = FactStore.open(url)
    yield opened
    opened.close()


@pytest.fixture
def other(store: FactStore) -> str:
    """A second store, beside the default one."""
    execute(store, "INSERT INTO stores (number, name, revision) VALUES (99, 'other', 0)")
    return "other"


def test_a_new_database_has_the_default_store_and_nothing_else(store: FactStore) -> None:
    assert store.load() == (store.head(), (StoredState("default", START, Tables(), None),))
    assert store.head().revision == 0
    assert store.changes_after(START) == ()
    assert len(bytes.fromhex(store.incarnation)) == 8


def test_memory_databases_are_separate() -> None:
    first, second = FactStore.open("sqlite://"), FactStore.open("sqlite:///:memory:")
    write(first, "default", insert(owner("alice")))

    assert stored(first) == {owner("alice")}
    assert stored(second) == set()
    assert first.incarnation != second.incarnation
    first.close()
    second.close()


def test_revisions_are_dense(store: FactStore, other: str) -> None:
    revisions = [
        write(store, "default", insert(owner("alice")))[0],
        publish(store, "default", (MAIN,), NOON)[0],
        write(store, other, insert(owner("alice")))[0],
        write(store, "default", delete(owner("alice")))[0],
        publish(store, other, (MAIN,), NOON)[0],
    ]

    assert revisions == [1, 2, 3, 4, 5]
    assert store.load()[0].revision == 5


def test_a_state_has_the_last_revision_of_its_own_store(store: FactStore, other: str) -> None:
    write(store, "default", insert(owner("alice")))
    write(store, other, insert(owner("bob")))
    write(store, other, insert(owner("carol")))

    assert loaded(store).revision == 1
    assert loaded(store, other).revision == 3


def test_writes_apply_in_order(store: FactStore) -> None:
    write(store, "default", insert(owner("alice")))

    _, outcomes = write(
        store,
        "default",
        [
            *insert(owner("bob")),
            *delete(owner("bob")),
            *delete(owner("bob")),
            *insert(owner("alice")),
            *delete(owner("alice")),
            *insert(owner("alice"), owner("carol"), owner("carol")),
        ],
    )

    assert [outcome.value for outcome in outcomes] == [
        *("created", "deleted", "missing"),
        *("existed", "deleted", "created"),
        *("created", "existed"),
    ]
    assert stored(store) == {owner("alice"), owner("carol")}


def test_the_log_has_the_net_effect(store: FactStore) -> None:
    write(store, "default", insert(owner("alice"), owner("bob")))
    revision, _ = write(
        store,
        "default",
        [
            *delete(owner("alice"), owner("bob")),
            *insert(owner("alice"), owner("carol"), owner("dave")),
            *delete(owner("dave")),
        ],
    )

    (batch,) = store.changes_after(Revision(1))

    assert batch == ChangeBatch(
        revision,
        "default",
        frozenset({owner("carol")}),
        frozenset({owner("bob")}),
        committed_at=store.head().committed_at,
    )


@pytest.mark.parametrize(
    "writes",
    [
        [],
        insert(owner("alice")),
        delete(owner("nobody")),
        [*insert(owner("bob")), *delete(owner("bob"))],
        [*delete(owner("alice")), *insert(owner("alice"))],
    ],
    ids=["nothing", "existing", "missing", "in and out", "out and in"],
)
def test_a_write_without_effect_takes_no_revision(store: FactStore, writes: list[Write]) -> None:
    write(store, "default", insert(owner("alice")))

    revision, outcomes = write(store, "default", writes)

    assert revision == 1
    assert len(outcomes) == len(writes)
    assert len(store.changes_after(START)) == 1
    assert stored(store) == {owner("alice")}


def test_a_write_without_effect_returns_the_last_revision_of_its_store(
    store: FactStore, other: str
) -> None:
    write(store, "default", insert(owner("alice")))
    write(store, other, insert(owner("bob")))

    assert write(store, "default", insert(owner("alice"))) == (1, (WriteOutcome.EXISTED,))


def test_an_error_in_the_middle_leaves_nothing(store: FactStore) -> None:
    """A trigger fails the commit when facts, but not yet the log, are written."""
    write(store, "default", insert(owner("alice")))
    publish(store, "default", (MAIN,), NOON)
    before = store.load()
    execute(
        store,
        "CREATE TRIGGER fault BEFORE INSERT ON changes BEGIN SELECT RAISE(ABORT, 'fault'); END",
    )

    with pytest.raises(IntegrityError, match="fault"):
        write(store, "default", [*insert(owner("bob")), *delete(owner("alice"))])
    with pytest.raises(IntegrityError, match="fault"):
        publish(store, "default", (ROLES,), NOON)
    assert store.load() == before
    execute(store, "DROP TRIGGER fault")

    assert write(store, "default", insert(owner("bob")))[0] == 3
    assert [batch.revision for batch in store.changes_after(START)] == [1, 2, 3]


def test_a_defect_is_not_reported_as_an_unavailable_database(store: FactStore) -> None:
    execute(store, "INSERT INTO changes VALUES (1, 0, 0, 0, 'facts', '[]')")

    with pytest.raises(IntegrityError):
        write(store, "default", insert(owner("alice")))


def test_stores_are_isolated(store: FactStore, other: str) -> None:
    write(store, "default", insert(owner("alice"), owner("bob")))
    write(store, other, insert(owner("alice")))
    write(store, other, delete(owner("alice"), owner("bob")))
    publish(store, other, (MAIN,), NOON)

    assert stored(store) == {owner("alice"), owner("bob")}
    assert stored(store, other) == set()
    with pytest.raises(NoPolicy):
        store.policy("default", None)
    with pytest.raises(PolicyNotFound):
        store.policy("default", 1)


def test_an_unknown_store_is_refused(store: FactStore) -> None:
    with pytest.raises(StoreNotFound):
        write(store, "nowhere", insert(owner("alice")))
    with pytest.raises(StoreNotFound):
        write(store, "Default", [])
    with pytest.raises(StoreNotFound):
        publish(store, "nowhere", (MAIN,), NOON)
    with pytest.raises(StoreNotFound):
        store.policy("nowhere", 1)


def test_policy_versions_count_in_each_store(store: FactStore, other: str) -> None:
    _, first = publish(store, "default", (MAIN,), NOON)
    _, second = publish(store, "default", (MAIN, ROLES), NOON)
    _, foreign = publish(store, other, (ROLES,), NOON)

    assert [first.version, second.version, foreign.version] == [1, 2, 1]
    assert store.policy("default", None) == second
    assert store.policy("default", 1) == first
    assert store.policy(other, None) == foreign
    assert loaded(store).policy == second
    with pytest.raises(PolicyNotFound):
        store.policy("default", 3)
    assert [batch.policy for batch in store.changes_after(START)] == [first, second, foreign]


def test_publishing_the_active_files_takes_no_revision(store: FactStore) -> None:
    _, first = publish(store, "default", (MAIN, ROLES), NOON)

    assert publish(store, "default", (ROLES, MAIN), datetime.now(UTC)) == (1, first)
    assert publish(store, "default", (MAIN,), NOON)[1].version == 2
    assert publish(store, "default", (MAIN, ROLES), NOON)[1].version == 3


def test_changes_are_whole_in_order_and_exclude_the_start(store: FactStore) -> None:
    for number in range(7):
        write(store, "default", insert(owner(f"a{number}"), owner(f"b{number}")))

    assert [batch.revision for batch in store.changes_after(Revision(3))] == [4, 5, 6, 7]
    first, second = store.changes_after(START, limit=2)
    assert (first.revision, second.revision) == (1, 2)
    assert first.inserted == {owner("a0"), owner("b0")}
    assert store.changes_after(Revision(7)) == ()
    assert store.changes_after(Revision(8)) == ()


def test_many_facts_in_one_write(store: FactStore) -> None:
    """More facts than a statement may have parameters, of several predicates."""
    facts = [
        Fact(f"predicate_{number % 7}", (Value("User", str(number)), integer(number)))
        for number in range(5000)
    ]
    _, created = write(store, "default", insert(*facts))
    _, existed = write(store, "default", insert(*facts))
    _, deleted = write(store, "default", delete(*facts[::2]))

    assert set(created) == {WriteOutcome.CREATED}
    assert set(existed) == {WriteOutcome.EXISTED}
    assert set(deleted) == {WriteOutcome.DELETED}
    assert stored(store) == set(facts[1::2])


LOOKALIKES = [
    *("\u00e9", "e\u0301", "e", "E", "alice", "Alice", "ALICE", "alice ", " alice", "\u0430lice"),
    *('"', '""', '","', "'", "\\", '\\"', "],[", '"],["String","x', "%", "_", "a\u2028b", "a b"),
    *("\U0001f600", "\ufeffalice", "\u200balice", "null", "1", "01", "1.0", "\\u00e9", "x" * 512),
]


def test_ids_are_byte_exact(url: str) -> None:
    facts = [owner(text) for text in LOOKALIKES]
    facts += [Fact("tag", (string(text),)) for text in LOOKALIKES]
    facts += [Fact("tag", (boolean(True),)), Fact("tag", (integer(1),)), Fact("Tag", (integer(1),))]
    store = FactStore.open(url)
    _, outcomes = write(store, "default", insert(*facts))
    write(store, "default", delete(facts[0], facts[5], owner("alice  ")))
    expected = set(facts) - {facts[0], facts[5]}
    assert set(outcomes) == {WriteOutcome.CREATED}
    assert replayed(store.changes_after(START)) == expected
    store.close()

    again = FactStore.open(url)

    assert stored(again) == expected
    assert replayed(again.changes_after(START)) == expected
    again.close()


ids = st.text(st.characters(exclude_categories=["Cc", "Cs"]), min_size=1, max_size=20)
values = st.builds(Value, st.sampled_from(["User", "String", "user"]), ids)
any_facts = st.builds(
    Fact, st.sampled_from(["p", "P"]), st.lists(values, min_size=1, max_size=5).map(tuple)
)


@given(st.lists(st.tuples(any_facts, any_facts), max_size=8))
@settings(max_examples=100, deadline=None)
def test_any_ids_come_back_and_stay_apart(pairs: list[tuple[Fact, Fact]]) -> None:
    store = FactStore.open("sqlite://")
    expected: set[Fact] = set()
    for one, two in pairs:
        write(store, "default", [*insert(one), *delete(two)])
        expected = (expected | {one}) - {two}
        assert stored(store) == expected
    assert replayed(store.changes_after(START)) == expected
    store.close()


def test_reopening_gives_the_same(url: str) -> None:
    store = FactStore.open(url)
    write(store, "default", insert(owner("alice"), owner("bob")))
    publish(store, "default", (ROLES, MAIN), NOON)
    write(store, "default", delete(owner("bob")))
    incarnation, state, log = store.incarnation, store.load(), store.changes_after(START)
    store.close()

    again = FactStore.open(url)

    assert (again.incarnation, again.load(), again.changes_after(START)) == (
        incarnation,
        state,
        log,
    )
    assert write(again, "default", insert(owner("carol")))[0] == 4
    again.close()


def test_a_closed_store_stays_closed(url: str) -> None:
    """Opened again by accident, it would lock the file for nobody's use."""
    store = FactStore.open(url)
    store.close()
    store.close()

    with pytest.raises(RuntimeError, match="closed"):
        store.load()
    FactStore.open(url).close()
