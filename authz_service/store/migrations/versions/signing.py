"""A key by which page tokens are signed."""

import secrets

import sqlalchemy as sa
from alembic import op

from authz_service.store.dialect import TEXT

revision = "4"
down_revision = "3"


def upgrade() -> None:
    signing = op.create_table(
        "signing",
        sa.Column("id", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("key", TEXT, nullable=False),
    )
    op.bulk_insert(signing, [{"id": 1, "key": secrets.token_hex(32)}])
