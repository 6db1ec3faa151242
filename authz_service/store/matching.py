"""Patterns as conditions of SQL: never narrower than the pattern, so whoever reads the rows asks it again."""

from typing import Any

from sqlalchemy import ColumnElement, Select, Table, func, select

from authz_service.facts.change import AnyPattern
from authz_service.facts.fact import FactPattern
from authz_service.store.rows import key_range, parts


def matching(table: Table, store: int, pattern: AnyPattern) -> Select[Any]:
    """Return the query for the facts of `store` that may match: predicate, key, args, created, expires_at."""
    columns = table.c.predicate, table.c.key, table.c.args, table.c.created, table.c.expires_at
    return select(*columns).where(*conditions(table, store, pattern))


def conditions(table: Table, store: int, pattern: AnyPattern) -> list[ColumnElement[bool]]:
    found: list[ColumnElement[bool]] = [table.c.store == store]
    bounds = None
    if isinstance(pattern, FactPattern):
        if pattern.predicate is not None:
            found.append(table.c.predicate == pattern.predicate)
        bounds = key_range(pattern)
    if bounds is not None:
        found += [table.c.key >= bounds[0], table.c.key < bounds[1]]
    args = func.coalesce(table.c.args, table.c.key)
    # Case does not count with SQLite here, which is wider than the pattern and therefore right.
    found += [args.contains(part, autoescape=True) for part in parts(pattern)]
    return found
