"""Migrations of the schema, for alembic. Each is named in `versions` for what it brings."""
