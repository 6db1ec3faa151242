"""PostgreSQL that is away, or not as it must be: the error says what helps, and nothing is torn."""

from collections.abc import Iterator

import psycopg
import pytest
from postgresql import Server
from world import facts_now, insert, replayed, role, write

from authz_service.errors import StoreUnavailable
from authz_service.store.fact_store import FactStore


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    """A server of this module's own, as it is stopped."""
    made = Server()
    yield made
    made.remove()


def test_a_server_that_is_away_comes_back(server: Server) -> None:
    store = FactStore.open(server.empty_database())
    write(store, *insert(role("ann")))
    server.stop()
    for call in (
        lambda: write(store, *insert(role("bob"))),
        store.head,
        lambda: FactStore.open(server.url("postgres")),
    ):
        with pytest.raises(StoreUnavailable, match=r"try again|check the URL"):
            call()
    server.start()
    assert write(store, *insert(role("cyd"))).revision == 2
    assert facts_now(store) == {role("ann"), role("cyd")} == replayed(store)
    store.close()


def test_a_writer_whose_connection_breaks_writes_all_or_nothing(server: Server) -> None:
    """The server ends the connection while the committer holds the lock."""
    store = FactStore.open(server.empty_database())
    write(store, *insert(role("ann")))

    def end_connections(_: object) -> None:
        with psycopg.connect(server.url("postgres"), autocommit=True) as connection:
            connection.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
                "WHERE pid <> pg_backend_pid() AND state = 'idle in transaction'"
            )

    ended = store._committer.submit(end_connections)
    with pytest.raises(StoreUnavailable):
        ended.result()
    assert write(store, *insert(role("bob"))).revision == 2
    assert facts_now(store) == {role("ann"), role("bob")} == replayed(store)
    store.close()


def test_what_cannot_be_used_is_explained(server: Server) -> None:
    with psycopg.connect(server.url("postgres"), autocommit=True) as connection:
        connection.execute(
            "CREATE DATABASE latin ENCODING 'LATIN1' LC_COLLATE 'C' LC_CTYPE 'C' TEMPLATE template0"
        )
        connection.execute("CREATE DATABASE foreign_tables")
        connection.execute("CREATE ROLE reader LOGIN")
    with psycopg.connect(server.url("foreign_tables"), autocommit=True) as connection:
        connection.execute("CREATE TABLE photos (name TEXT)")
    FactStore.open(server.empty_database()).close()
    host = f"?host={server.folder}"
    for url, message in {
        server.url("nothing"): "`nothing` on .* cannot be reached",
        server.url("latin"): "encoding of the database is LATIN1",
        server.url("foreign_tables"): "belongs to another program",
        f"postgresql://reader:secret@/postgres{host}": "grant it that",
        f"postgresql://nobody:secret@/postgres{host}": "has this database and user",
        "postgresql://authz:secret@127.0.0.1:1/authz": "cannot be reached",
    }.items():
        with pytest.raises(StoreUnavailable, match=message) as caught:
            FactStore.open(url)
        assert "secret" not in caught.value.message
