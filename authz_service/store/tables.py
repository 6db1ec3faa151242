"""The tables, and how facts, policy files and times are written in them.

One counter row (`head`) orders every commit to the database; `facts` and `policies` are the present
state, `changes` is the log that led to it, and a commit writes both. Text is compared byte for byte,
which is SQLite's own way (BINARY). Columns speak the domain's types: a row read here needs no
further decoding.
"""

import json
from datetime import UTC, datetime
from typing import Final

from sqlalchemy import Column, Dialect, Enum, Integer, MetaData, String, Table, Text
from sqlalchemy.types import TypeDecorator

from authz_service.facts.policy_text import PolicyFile
from authz_service.facts.value import Value

SCHEMA_VERSION: Final = 1
"""Counts changes of this module that older or newer programs cannot read."""

INSERT: Final = "insert"
DELETE: Final = "delete"
POLICY: Final = "policy"


class _Arguments(TypeDecorator[tuple[Value, ...]]):
    """The arguments of a fact as canonical JSON, `[["User","alice"],["String","owner"]]`.

    Equal arguments have one text and different ones different texts, so the text can be a key.
    """

    impl = Text
    cache_ok = True

    def process_bind_param(self, value: tuple[Value, ...] | None, dialect: Dialect) -> str | None:
        del dialect
        return None if value is None else _canonical_json(value)

    def process_result_value(self, value: str | None, dialect: Dialect) -> tuple[Value, ...] | None:
        del dialect
        return None if value is None else tuple([Value(*pair) for pair in json.loads(value)])


class _Files(TypeDecorator[tuple[PolicyFile, ...]]):
    """The files of a policy as JSON, `[["main.polar","actor User {}"]]`."""

    impl = Text
    cache_ok = True

    def process_bind_param(self, value: tuple[PolicyFile, ...] | None, dialect: Dialect) -> str:
        del dialect
        return _canonical_json(value or ())

    def process_result_value(
        self, value: str | None, dialect: Dialect
    ) -> tuple[PolicyFile, ...] | None:
        del dialect
        return None if value is None else tuple(PolicyFile(*pair) for pair in json.loads(value))


class _Instant(TypeDecorator[datetime]):
    """A point in time as ISO 8601 in UTC. A time without an offset is refused, never guessed."""

    impl = String
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> str | None:
        del dialect
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError("a stored time needs an offset from UTC")
        return value.astimezone(UTC).isoformat()

    def process_result_value(self, value: str | None, dialect: Dialect) -> datetime | None:
        del dialect
        return None if value is None else datetime.fromisoformat(value)


def _canonical_json(pairs: tuple[tuple[str, str], ...]) -> str:
    return json.dumps(pairs, ensure_ascii=False, separators=(",", ":"))


metadata = MetaData()

# One row. A new incarnation tells the tokens of this history from those of any other database.
database = Table(
    "database",
    metadata,
    Column("schema_version", Integer, nullable=False),
    Column("incarnation", String, nullable=False),
)

# One row: the revision of the last commit.
head = Table("head", metadata, Column("revision", Integer, nullable=False))

# `revision` is the last one that belongs to the store, 0 while there is none.
stores = Table(
    "stores",
    metadata,
    Column("name", String, primary_key=True),
    Column("revision", Integer, nullable=False),
)

# Without row ids the primary key is the table, so that a fact is stored once and not twice.
facts = Table(
    "facts",
    metadata,
    Column("store", String, primary_key=True),
    Column("predicate", String, primary_key=True),
    Column("args", _Arguments, primary_key=True),
    Column("revision", Integer, nullable=False),
    sqlite_with_rowid=False,
)

# A row names a fact (`predicate`, `args`) or, if its kind is `policy`, a policy version.
changes = Table(
    "changes",
    metadata,
    Column("revision", Integer, primary_key=True, autoincrement=False),
    Column("ordinal", Integer, primary_key=True, autoincrement=False),
    Column("store", String, nullable=False),
    Column("kind", Enum(INSERT, DELETE, POLICY, native_enum=False), nullable=False),
    Column("predicate", String),
    Column("args", _Arguments),
    Column("policy_version", Integer),
    sqlite_with_rowid=False,
)

policies = Table(
    "policies",
    metadata,
    Column("store", String, primary_key=True),
    Column("version", Integer, primary_key=True, autoincrement=False),
    Column("revision", Integer, nullable=False),
    Column("files", _Files, nullable=False),
    Column("published_at", _Instant, nullable=False),
)
