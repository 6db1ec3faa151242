"""The head row tells where the last write was made."""

import sqlalchemy as sa
from alembic import op

from authz_service.store.dialect import TEXT

revision = "3"
down_revision = "2"


def upgrade() -> None:
    # Made anew, as SQLite puts a column that is added behind everything else.
    op.rename_table("head", "old_head")
    op.create_table(
        "head",
        sa.Column("id", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("incarnation", TEXT, nullable=False),
        sa.Column("revision", sa.BigInteger, nullable=False),
        sa.Column("committed_at", sa.BigInteger, nullable=False),
        sa.Column("compacted_to", sa.BigInteger, nullable=False),
        sa.Column("lineage", TEXT),
    )
    op.execute(
        "INSERT INTO head (id, incarnation, revision, committed_at, compacted_to) "
        "SELECT id, incarnation, revision, committed_at, compacted_to FROM old_head"
    )
    op.drop_table("old_head")
