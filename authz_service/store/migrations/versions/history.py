"""Stores with numbers, expiry, history and idempotency keys.

The old log told what was inserted and deleted, not when. So history begins with this migration, and so does
the log: `compacted_to` is the revision at which it happens. All facts and all versions of policies are kept.
"""

import json
import time
from collections.abc import Callable, Iterator
from typing import Any

import sqlalchemy as sa
from alembic import op

from authz_service.facts.fact import Fact
from authz_service.facts.value import Value
from authz_service.store.dialect import TEXT
from authz_service.store.rows import fact_columns

revision = "2"
down_revision = "1"

_OLD = ("head", "stores", "facts", "changes", "policies")
_CHUNK = 1000


def upgrade() -> None:
    for name in _OLD:
        op.rename_table(name, f"old_{name}")
    _create_tables()
    connection = op.get_bind()
    _copy_head(connection)
    numbers = _copy_stores(connection)
    _copy_facts(connection, numbers)
    _copy_policies(connection, numbers)
    for name in _OLD:
        op.drop_table(f"old_{name}")


def _copy_head(connection: sa.Connection) -> None:
    now = time.time_ns() // 1000
    connection.execute(
        sa.text(
            "INSERT INTO head (id, incarnation, revision, committed_at, compacted_to) "
            "SELECT 1, incarnation, revision, :now, revision FROM old_head"
        ),
        {"now": now},
    )


def _copy_stores(connection: sa.Connection) -> dict[str, int]:
    """Number the stores: 0 for the default one; others, of which no program made any, below 0."""
    names = connection.scalars(sa.text("SELECT name FROM old_stores ORDER BY name")).all()
    others = [name for name in names if name != "default"]
    numbers = {"default": 0, **{name: -place for place, name in enumerate(others, start=1)}}
    for name, number in numbers.items():
        connection.execute(
            sa.text(
                "INSERT INTO stores (number, name, revision) VALUES (:number, :name, coalesce("
                "(SELECT max(revision) FROM old_changes WHERE store = :name), 0))"
            ),
            {"number": number, "name": name},
        )
    return numbers


def _copy_facts(connection: sa.Connection, numbers: dict[str, int]) -> None:
    def rows() -> Iterator[dict[str, Any]]:
        old = sa.text("SELECT store, predicate, args, revision FROM old_facts")
        for store, predicate, args, created in connection.execute(old):
            fact = Fact(predicate, tuple(Value(*pair) for pair in json.loads(args)))
            yield {"store": numbers[store], **fact_columns(fact)._asdict(), "created": created}

    _insert(
        connection,
        "INSERT INTO facts (store, predicate, key, args, created) "
        "VALUES (:store, :predicate, :key, :args, :created)",
        rows,
    )


def _copy_policies(connection: sa.Connection, numbers: dict[str, int]) -> None:
    def rows() -> Iterator[dict[str, Any]]:
        old = sa.text(
            "SELECT p.store, p.version, p.files, p.published_at, c.revision FROM old_policies p "
            "LEFT JOIN old_changes c ON c.store = p.store AND c.policy_version = p.version"
        )
        for row in connection.execute(old).mappings():
            yield {**row, "store": numbers[row["store"]], "revision": row["revision"] or 0}

    _insert(
        connection,
        "INSERT INTO policies (store, version, revision, files, published_at) "
        "VALUES (:store, :version, :revision, :files, :published_at)",
        rows,
    )


def _insert(
    connection: sa.Connection, statement: str, rows: Callable[[], Iterator[dict[str, Any]]]
) -> None:
    chunk: list[dict[str, Any]] = []
    for row in rows():
        chunk.append(row)
        if len(chunk) == _CHUNK:
            connection.execute(sa.text(statement), chunk)
            chunk = []
    if chunk:
        connection.execute(sa.text(statement), chunk)


def _create_tables() -> None:
    op.create_table(
        "head",
        sa.Column("id", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("incarnation", TEXT, nullable=False),
        sa.Column("revision", sa.BigInteger, nullable=False),
        sa.Column("committed_at", sa.BigInteger, nullable=False),
        sa.Column("compacted_to", sa.BigInteger, nullable=False),
    )
    op.create_table(
        "stores",
        sa.Column("number", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("name", TEXT, nullable=False),
        sa.Column("revision", sa.BigInteger, nullable=False),
        sa.Column("deleted", sa.BigInteger),
    )
    is_there = sa.column("deleted").is_(None)
    op.create_index(
        "stores_name",
        "stores",
        ["name"],
        unique=True,
        sqlite_where=is_there,
        postgresql_where=is_there,
    )
    op.create_table(
        "facts",
        *_fact_columns(),
        sa.PrimaryKeyConstraint("store", "predicate", "key"),
        sqlite_with_rowid=False,
    )
    expires = sa.column("expires_at").is_not(None)
    op.create_index(
        "facts_expires_at", "facts", ["expires_at"], sqlite_where=expires, postgresql_where=expires
    )
    op.create_table(
        "past_facts",
        *_fact_columns(sa.Column("deleted", sa.BigInteger, nullable=False)),
        sa.PrimaryKeyConstraint("store", "predicate", "key", "created"),
        sqlite_with_rowid=False,
    )
    op.create_index("past_facts_deleted", "past_facts", ["deleted"])
    op.create_table(
        "changes",
        sa.Column("revision", sa.BigInteger, nullable=False),
        sa.Column("part", sa.Integer, nullable=False),
        sa.Column("store", sa.BigInteger, nullable=False),
        sa.Column("committed_at", sa.BigInteger, nullable=False),
        sa.Column("kind", TEXT, nullable=False),
        sa.Column("body", TEXT, nullable=False),
        sa.PrimaryKeyConstraint("revision", "part"),
    )
    op.create_index("changes_committed_at", "changes", ["committed_at"])
    op.create_table(
        "policies",
        _store_column(),
        sa.Column("version", sa.Integer, nullable=False),
        sa.Column("revision", sa.BigInteger, nullable=False),
        sa.Column("files", TEXT, nullable=False),
        sa.Column("published_at", TEXT, nullable=False),
        sa.PrimaryKeyConstraint("store", "version"),
    )
    op.create_table(
        "idempotency_keys",
        _store_column(),
        sa.Column("key", TEXT, nullable=False),
        sa.Column("content", TEXT, nullable=False),
        sa.Column("kept_until", sa.BigInteger, nullable=False),
        sa.Column("written", TEXT, nullable=False),
        sa.PrimaryKeyConstraint("store", "key"),
    )
    op.create_index("idempotency_keys_kept_until", "idempotency_keys", ["kept_until"])


def _store_column() -> sa.Column[int]:
    return sa.Column("store", sa.BigInteger, sa.ForeignKey("stores.number"), nullable=False)


def _fact_columns(*deleted: sa.Column[int]) -> tuple[sa.Column[Any], ...]:
    return (
        _store_column(),
        sa.Column("predicate", TEXT, nullable=False),
        sa.Column("key", TEXT, nullable=False),
        sa.Column("args", TEXT),
        sa.Column("created", sa.BigInteger, nullable=False),
        *deleted,
        sa.Column("expires_at", sa.BigInteger),
    )
