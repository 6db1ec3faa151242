"""The tables. Text is compared byte by byte (SQLite's BINARY collation, the default)."""

from sqlalchemy import Column, Integer, MetaData, PrimaryKeyConstraint, Table, Text

SCHEMA_VERSION = 1

metadata = MetaData()

# One row. `incarnation` tells this database from every other one, also from an older copy of itself
# that was given a life of its own; `revision` is the one dense counter of commits.
head = Table(
    "head",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("schema_version", Integer, nullable=False),
    Column("incarnation", Text, nullable=False),
    Column("revision", Integer, nullable=False),
)

stores = Table("stores", metadata, Column("name", Text, primary_key=True))

# `args` is the canonical JSON text of the arguments; see `rows.encode_args`.
facts = Table(
    "facts",
    metadata,
    Column("store", Text, nullable=False),
    Column("predicate", Text, nullable=False),
    Column("args", Text, nullable=False),
    Column("revision", Integer, nullable=False),
    PrimaryKeyConstraint("store", "predicate", "args"),
)

# The log: what each revision did to its store. `kind` is "insert", "delete" or "policy".
changes = Table(
    "changes",
    metadata,
    Column("revision", Integer, nullable=False),
    Column("ordinal", Integer, nullable=False),
    Column("store", Text, nullable=False),
    Column("kind", Text, nullable=False),
    Column("predicate", Text),
    Column("args", Text),
    Column("policy_version", Integer),
    PrimaryKeyConstraint("revision", "ordinal"),
)

policies = Table(
    "policies",
    metadata,
    Column("store", Text, nullable=False),
    Column("version", Integer, nullable=False),
    Column("files", Text, nullable=False),
    Column("published_at", Text, nullable=False),
    PrimaryKeyConstraint("store", "version"),
)
