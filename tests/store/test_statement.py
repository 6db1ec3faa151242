"""Statements that the driver runs give what SQLAlchemy gives, rows and errors alike."""

from collections.abc import Callable

import pytest
from sqlalchemy import Connection, bindparam, column, insert, literal, select, table
from sqlalchemy.exc import DBAPIError, IntegrityError
from world import World, role
from world import insert as inserts

from authz_service.facts.change import WriteRequest
from authz_service.store import tables
from authz_service.store.fact_store import FactStore
from authz_service.store.statement import Statement

_STORES = (
    select(tables.stores, literal("fixed").label("word"))
    .where(tables.stores.c.number >= bindparam("least"))
    .order_by(tables.stores.c.number)
    .limit(bindparam("most"))
)
_MISSING = (
    select(column("secret"))
    .select_from(table("missing"))
    .where(column("secret") == bindparam("secret", "unused"))
)


@pytest.fixture
def store(world: World) -> FactStore:
    store = world.open()
    for name in "abc":
        store.create_store(name)
    return store


def test_rows_are_those_of_sqlalchemy(store: FactStore) -> None:
    statement = Statement(_STORES)
    for values in ({"least": 0, "most": 9}, {"most": 2, "least": 1}, {"least": 99, "most": 1}):
        with store._database.reading() as connection:
            expected = [tuple(row) for row in connection.execute(_STORES, values)]
            assert statement.rows(connection, values) == expected
            assert statement.scalar(connection, values) == (expected or [(None,)])[0][0]
        assert statement.ask(store._engine, values) == expected


def test_a_value_that_is_missing_is_no_null(store: FactStore) -> None:
    with store._database.reading() as connection, pytest.raises(KeyError, match="most"):
        Statement(_STORES).rows(connection, {"least": 0})


@pytest.mark.parametrize("many", [0, 1, 3])
def test_it_is_run_for_all_values(store: FactStore, many: int) -> None:
    policies = [
        {"store": 0, "version": 7 + n, "revision": 1, "files": f"'%s {n}", "published_at": "x"}
        for n in range(many)
    ]
    with store._database.writing() as connection:
        Statement(insert(tables.policies)).run(connection, policies)
    with store._database.reading() as connection:
        found = connection.execute(select(tables.policies)).mappings().all()
    assert [dict(row) for row in found] == policies


def _by_sqlalchemy(connection: Connection) -> None:
    connection.execute(_MISSING, {"secret": "value"})


def _by_statement(connection: Connection) -> None:
    Statement(_MISSING).rows(connection, {"secret": "value"})


def _error(call: Callable[[], object]) -> DBAPIError:
    with pytest.raises(DBAPIError) as caught:
        call()
    return caught.value


def test_errors_are_those_of_sqlalchemy_without_the_values(store: FactStore) -> None:
    errors = []
    for run in (_by_sqlalchemy, _by_statement):

        def call(run: Callable[[Connection], None] = run) -> None:
            with store._database.reading() as connection:
                run(connection)

        errors.append(_error(call))
    errors.append(_error(lambda: Statement(_MISSING).ask(store._engine, {"secret": "value"})))
    told = {(type(e), type(e.orig), str(e.orig), e.statement) for e in errors}
    assert len(told) == 1
    assert not any("value" in str(error) for error in errors)


def test_what_fails_has_no_effect(store: FactStore) -> None:
    twice = [
        {"store": 0, "version": 1, "revision": 1, "files": "", "published_at": ""},
    ] * 2
    with pytest.raises(IntegrityError), store._database.writing() as connection:
        Statement(insert(tables.policies)).run(connection, twice)
    with store._database.reading() as connection:
        assert connection.execute(select(tables.policies)).all() == []


def test_asking_leaves_nothing_open(world: World, store: FactStore) -> None:
    """Neither a connection that is not given back, nor a transaction that would see the past."""
    other = world.open()
    before = store._engine.pool.checkedout()
    for number in range(1, 30):
        written = other.write("default", WriteRequest(inserts(role(f"user{number}"))))
        assert store.head().revision == written.revision
        _error(lambda: Statement(_MISSING).ask(store._engine, {"secret": ""}))
    assert store._engine.pool.checkedout() == before
