"""Databases of older versions: they are migrated, keep what they hold, and end up like new ones."""

import json
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from sqlalchemy import create_engine
from world import NOON, START, facts_now, policy, replayed, role, write

from authz_service.errors import Compacted, StoreUnavailable
from authz_service.facts.change import Insert
from authz_service.facts.fact import Fact
from authz_service.facts.value import Value
from authz_service.store import schema, tables
from authz_service.store.fact_store import FactStore
from authz_service.store.migrations.versions import (
    checkpoints,
    first,
    history,
    lineage,
    signing,
)

# As the first version made it, before there were migrations.
FIRST = """
CREATE TABLE head (id INTEGER NOT NULL, schema_version INTEGER NOT NULL, incarnation TEXT NOT NULL,
    revision INTEGER NOT NULL, PRIMARY KEY (id));
CREATE TABLE stores (name TEXT NOT NULL, PRIMARY KEY (name));
CREATE TABLE facts (store TEXT NOT NULL, predicate TEXT NOT NULL, args TEXT NOT NULL,
    revision INTEGER NOT NULL, PRIMARY KEY (store, predicate, args));
CREATE TABLE changes (revision INTEGER NOT NULL, ordinal INTEGER NOT NULL, store TEXT NOT NULL,
    kind TEXT NOT NULL, predicate TEXT, args TEXT, policy_version INTEGER,
    PRIMARY KEY (revision, ordinal));
CREATE TABLE policies (store TEXT NOT NULL, version INTEGER NOT NULL, files TEXT NOT NULL,
    published_at TEXT NOT NULL, PRIMARY KEY (store, version));
INSERT INTO head VALUES (1, 1, '00112233445566aa', 5);
INSERT INTO stores VALUES ('default'), ('other');
"""

LONG = Fact("p", (*(Value("User", "x" * 512),) * 4, Value("String", "\u00e9\u2028'")))


def old_args(fact: Fact) -> str:
    return json.dumps([list(value) for value in fact.args], ensure_ascii=False)


@pytest.fixture
def old(tmp_path: Path) -> str:
    with closing(sqlite3.connect(tmp_path / "authz.db")) as connection, connection:
        connection.executescript(FIRST)
        facts = [("default", role("ann"), 1), ("default", LONG, 4), ("other", role("bob"), 5)]
        connection.executemany(
            "INSERT INTO facts VALUES (?, ?, ?, ?)",
            [(store, fact.predicate, old_args(fact), at) for store, fact, at in facts],
        )
        connection.executemany(
            "INSERT INTO changes VALUES (?, 0, ?, ?, ?, ?, ?)",
            [
                (1, "default", "insert", "has_role", old_args(role("ann")), None),
                (2, "default", "policy", None, None, 1),
                (3, "default", "policy", None, None, 2),
                (4, "default", "insert", "p", old_args(LONG), None),
                (5, "other", "insert", "has_role", old_args(role("bob")), None),
            ],
        )
        connection.executemany(
            "INSERT INTO policies VALUES ('default', ?, ?, ?)",
            [(n, json.dumps([["main.polar", f"v{n}"]]), NOON.isoformat()) for n in (1, 2)],
        )
    return f"sqlite:///{tmp_path}/authz.db"


def test_the_first_schema_is_migrated(old: str) -> None:
    for _ in range(2):
        store = FactStore.open(old)
        head = store.head()
        assert (head.incarnation, head.revision, head.compacted_to) == ("00112233445566aa", 5, 5)
        assert facts_now(store) == {role("ann"), LONG}
        assert facts_now(store, "other") == {role("bob")}
        assert store.policy("default", None).files == policy("v2")
        assert store.policy("default", 1).files == policy("v1")
        assert store.policy("default", 1).published_at == NOON
        assert [(state.name, state.revision) for state in store.load()[1]] == [
            *(("other", 5), ("default", 4))
        ]
        with pytest.raises(Compacted):
            store.changes_after(START)
        store.close()
    store = FactStore.open(old)
    assert write(store, Insert(role("cyd"))).revision == 6
    assert replayed(store, start=[role("ann"), LONG]) == facts_now(store)
    assert facts_now(store, revision=5) == {role("ann"), LONG}
    store.close()


def test_a_migrated_database_is_like_a_new_one(old: str, tmp_path: Path) -> None:
    FactStore.open(old).close()
    FactStore.open(f"sqlite:///{tmp_path}/new.db").close()
    schemas = []
    for name in ("authz.db", "new.db"):
        with closing(sqlite3.connect(tmp_path / name)) as connection:
            found = connection.execute("SELECT name, sql FROM sqlite_master").fetchall()
            schemas.append(sorted((name, " ".join(str(sql).split())) for name, sql in found))
    assert schemas[0] == schemas[1]
    assert len(schemas[0]) > 10


def test_a_migration_that_fails_leaves_everything(old: str, monkeypatch) -> None:
    def fail(*_: object) -> None:
        raise RuntimeError("power cut")

    with monkeypatch.context() as patch:
        patch.setattr("authz_service.store.rows._key", fail)
        with pytest.raises(RuntimeError, match="power cut"):
            FactStore.open(old)
    store = FactStore.open(old)
    assert facts_now(store) == {role("ann"), LONG}
    store.close()


def test_a_schema_of_the_future_is_refused(url: str) -> None:
    FactStore.open(url).close()
    engine = create_engine(url.replace("postgresql:", "postgresql+psycopg:"))
    with engine.begin() as connection:
        connection.exec_driver_sql("UPDATE alembic_version SET version_num = '99'")
    engine.dispose()
    with pytest.raises(StoreUnavailable, match="schema version 99"):
        FactStore.open(url)


def test_the_newest_migration_is_the_one_that_the_program_needs() -> None:
    assert (first.down_revision, history.down_revision) == (None, first.revision)
    assert lineage.down_revision == history.revision
    assert signing.down_revision == lineage.revision
    assert checkpoints.down_revision == signing.revision
    assert checkpoints.revision == schema.NEWEST
    assert set(tables.metadata.tables) > {"head", "facts", "past_facts", "changes"}
