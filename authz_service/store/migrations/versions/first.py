"""The first schema: facts, policies and the log of changes in one SQLite file."""

from alembic import op
from sqlalchemy import Column, Integer, PrimaryKeyConstraint, Text

revision = "1"
down_revision = None


def upgrade() -> None:
    op.create_table(
        "head",
        Column("id", Integer, primary_key=True),
        Column("schema_version", Integer, nullable=False),
        Column("incarnation", Text, nullable=False),
        Column("revision", Integer, nullable=False),
    )
    op.create_table("stores", Column("name", Text, primary_key=True))
    op.create_table(
        "facts",
        Column("store", Text, nullable=False),
        Column("predicate", Text, nullable=False),
        Column("args", Text, nullable=False),
        Column("revision", Integer, nullable=False),
        PrimaryKeyConstraint("store", "predicate", "args"),
    )
    op.create_table(
        "changes",
        Column("revision", Integer, nullable=False),
        Column("ordinal", Integer, nullable=False),
        Column("store", Text, nullable=False),
        Column("kind", Text, nullable=False),
        Column("predicate", Text),
        Column("args", Text),
        Column("policy_version", Integer),
        PrimaryKeyConstraint("revision", "ordinal"),
    )
    op.create_table(
        "policies",
        Column("store", Text, nullable=False),
        Column("version", Integer, nullable=False),
        Column("files", Text, nullable=False),
        Column("published_at", Text, nullable=False),
        PrimaryKeyConstraint("store", "version"),
    )
