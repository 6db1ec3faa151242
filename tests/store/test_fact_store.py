"""The guarantees of the store and of the replica, on real SQLite files."""

import sqlite3
from collections.abc import Callable
from datetime import UTC, datetime

import pytest
from examples import fact
from writing import publish, write

from authz_service.errors import NoPolicy, PolicyNotFound, StoreNotFound, StoreUnavailable
from authz_service.facts.change import Delete, Insert, Write, WriteOutcome
from authz_service.facts.fact import Fact
from authz_service.facts.policy_text import PolicyFile
from authz_service.facts.value import Value
from authz_service.replica.replica import Replica, ReplicaFault
from authz_service.store.fact_store import DEFAULT_STORE, FactStore

NOW = datetime(2026, 1, 2, 3, 4, 5, 678901, tzinfo=UTC)


def insert(text: str) -> Write:
    return Insert(fact(text))


def delete(text: str) -> Write:
    return Delete(fact(text))


@pytest.fixture
def url(tmp_path):
    return f"sqlite:///{tmp_path / 'authz.db'}"


@pytest.fixture
def store(url):
    opened = FactStore.open(url)
    yield opened
    opened.close()


def facts_of(store: FactStore) -> set[Fact]:
    _, [state] = store.load()
    return set(state.facts)


def test_revisions_are_dense_and_a_write_without_effect_takes_none(store):
    writes = ([insert("p(A:1)")], [insert("p(A:1)")], [delete("p(A:2)")], [delete("p(A:1)")])
    assert [write(store, DEFAULT_STORE, batch)[0] for batch in writes] == [1, 1, 1, 2]
    assert [batch.revision for batch in store.changes_after(0)] == [1, 2]
    assert store.load()[0].revision == 2


def test_writes_apply_in_order_and_the_log_has_the_net_effect(store):
    write(store, DEFAULT_STORE, [insert("p(A:old)")])
    batch = [
        insert("p(A:1)"),
        delete("p(A:1)"),
        insert("p(A:2)"),
        delete("p(A:old)"),
        insert("p(A:2)"),
    ]
    _, outcomes = write(store, DEFAULT_STORE, batch)
    assert outcomes == (
        WriteOutcome.CREATED,
        WriteOutcome.DELETED,
        WriteOutcome.CREATED,
        WriteOutcome.DELETED,
        WriteOutcome.EXISTED,
    )
    [change] = store.changes_after(1)
    assert (change.inserted, change.deleted) == ({fact("p(A:2)")}, {fact("p(A:old)")})
    assert facts_of(store) == {fact("p(A:2)")}


def test_a_write_happens_wholly_or_not_at_all(store):
    """The database fills up in the middle of a write: nothing of it is there, and the next one works."""
    write(store, DEFAULT_STORE, [insert("p(A:1)")])
    with store._engine.begin() as connection:
        pages = connection.exec_driver_sql("PRAGMA page_count").scalar_one()
        connection.exec_driver_sql(f"PRAGMA max_page_count = {pages + 4}")
    many = [insert(f"p(A:{number:0500})") for number in range(1000)]
    with pytest.raises(StoreUnavailable, match="full"):
        write(store, DEFAULT_STORE, many)
    assert facts_of(store) == {fact("p(A:1)")}
    assert store.load()[0].revision == 1
    assert write(store, DEFAULT_STORE, [insert("p(A:2)")])[0] == 2
    with store._engine.begin() as connection:
        connection.exec_driver_sql("PRAGMA max_page_count = 100000")
    assert write(store, DEFAULT_STORE, many)[0] == 3


LOOKALIKES = [
    "é",
    "e\u0301",
    "É",
    "a",
    "A",
    "a ",
    " a",
    "K",
    "\u212a",
    "ı",
    "İ",
    "ß",
    "ss",
    "x\u2028",
    "%",
    "_",
    "*",
    "'",
    '"',
]
SEPARATORS = [
    ",",
    ":",
    "::",
    "|",
    "/",
    "\\",
    "#",
    "@",
    "(",
    ")",
    "[",
    "]",
    '","',
    '"],["',
    "..",
    "$(x)",
    "{{x}}",
    "\u200d",
    "\u202e",
]


def test_ids_are_kept_byte_for_byte(url):
    facts = {
        Fact("p", (Value("A", text), Value("String", other)))
        for text in LOOKALIKES + SEPARATORS
        for other in SEPARATORS
    }
    store = FactStore.open(url)
    for one in facts:
        _, [outcome] = write(store, DEFAULT_STORE, [Insert(one)])
        assert outcome is WriteOutcome.CREATED
    store.close()
    store = FactStore.open(url)
    assert facts_of(store) == facts
    store.close()


def test_policy_versions(store):
    with pytest.raises(NoPolicy):
        store.policy(DEFAULT_STORE, None)
    files = (PolicyFile("b", "2"), PolicyFile("a", "1"))
    assert publish(store, DEFAULT_STORE, files, NOW)[0] == 1
    revision, again = publish(store, DEFAULT_STORE, files[::-1], NOW)
    assert (revision, again.version) == (1, 1)
    revision, second = publish(store, DEFAULT_STORE, (PolicyFile("a", "1"),), NOW)
    assert (revision, second.version) == (2, 2)
    assert store.policy(DEFAULT_STORE, 1).files == (PolicyFile("a", "1"), PolicyFile("b", "2"))
    assert store.policy(DEFAULT_STORE, None).published_at == NOW
    with pytest.raises(PolicyNotFound):
        store.policy(DEFAULT_STORE, 3)
    assert [change.policy.version for change in store.changes_after(0)] == [1, 2]


@pytest.mark.parametrize(
    "call",
    [
        lambda store: write(store, "x", [insert("p(A:1)")]),
        lambda store: publish(store, "x", (), NOW),
        lambda store: store.policy("x", None),
    ],
)
def test_unknown_store(store, call: Callable[[FactStore], object]):
    with pytest.raises(StoreNotFound):
        call(store)


def test_what_cannot_be_opened_is_explained(tmp_path):
    (tmp_path / "text.db").write_text(
        "this is not a database, but long enough to be looked at" * 50
    )
    for url, message in {
        f"sqlite:///{tmp_path / 'none' / 'x.db'}": "folder exists",
        f"sqlite:///{tmp_path / 'text.db'}": "not a database",
        "mysql://root:secret@host/x": "not supported",
        "nonsense": "cannot be read",
    }.items():
        with pytest.raises(StoreUnavailable, match=message) as caught:
            FactStore.open(url)
        assert "secret" not in caught.value.message


def test_a_database_of_another_schema_is_refused(tmp_path, url):
    FactStore.open(url).close()
    with sqlite3.connect(tmp_path / "authz.db") as connection:
        connection.execute("UPDATE alembic_version SET version_num = 99")
    connection.close()
    with pytest.raises(StoreUnavailable, match="schema version 99"):
        FactStore.open(url)


def test_a_gap_in_the_log_is_never_skipped(store):
    replica = Replica(store, tuple)
    replica.load()
    for number in range(3):
        write(store, DEFAULT_STORE, [insert(f"p(A:{number})")])
    with store._engine.begin() as connection:
        connection.exec_driver_sql("DELETE FROM changes WHERE revision = 2")
    with pytest.raises(ReplicaFault, match="revision 3 in the log follows 1"):
        replica.catch_up()
    assert set(replica.state(DEFAULT_STORE).facts) == {fact("p(A:0)")}
    assert replica.revision == 1
