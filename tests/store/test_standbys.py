"""What is read of standbys, real ones: never anything that the primary has not shown, nor of another history."""

import time
from collections.abc import Iterator

import pytest
from postgresql import Server, Standby
from world import facts_now, insert, replayed, role, write

from authz_service.errors import RevisionUnknown, StoreUnavailable
from authz_service.facts.revision import Revision
from authz_service.replica.replica import Replica, ReplicaFault
from authz_service.store import checkpoints, fact_store, schema, standbys
from authz_service.store.fact_store import FactStore
from authz_service.store.head import Head


@pytest.fixture(scope="module")
def primary() -> Iterator[Server]:
    made = Server()
    FactStore.open(made.url("postgres")).close()
    yield made
    made.remove()


@pytest.fixture(scope="module")
def shared(primary: Server) -> Iterator[Standby]:
    made = Standby(primary)
    yield made
    made.remove()


@pytest.fixture
def standby(primary: Server, shared: Standby) -> Iterator[Standby]:
    """A standby that has all that was written before the test."""
    until_replayed(primary, shared)
    yield shared
    shared.resume()


@pytest.fixture
def made(primary: Server) -> Iterator:
    """Make further standbys, which a test may promote."""
    servers: list[Standby] = []

    def make(*settings: str) -> Standby:
        servers.append(Standby(primary, *settings))
        return servers[-1]

    yield make
    for server in servers:
        server.remove()


@pytest.fixture
def opened() -> Iterator:
    stores: list[FactStore] = []

    def open_store(server: Server, *read_from: Server) -> FactStore:
        urls = [one.url("postgres") for one in read_from]
        stores.append(FactStore.open(server.url("postgres"), read_database_urls=urls))
        return stores[-1]

    yield open_store
    for store in stores:
        store.close()


@pytest.fixture
def counted(monkeypatch) -> dict[str, int]:
    """How many reads a standby has served, and how many the primary had to serve in its place."""
    counts = {"standby": 0, "primary": 0}

    def count(place: str, owner: type, name: str) -> None:
        method = getattr(owner, name)

        def call(*arguments, **options):
            found = method(*arguments, **options)
            counts[place] += found is not None
            return found

        monkeypatch.setattr(owner, name, call)

    count("standby", standbys.Standbys, "read")
    count("primary", FactStore, "_load")
    count("primary", FactStore, "_changes_after")
    return counts


def until(holds) -> None:
    end = time.monotonic() + 20
    while not holds():
        assert time.monotonic() < end
        time.sleep(0.01)


def until_replayed(primary: Server, standby: Standby) -> None:
    [(wanted,)] = primary.execute("SELECT pg_current_wal_flush_lsn()")
    until(lambda: standby.execute(f"SELECT pg_last_wal_replay_lsn() >= '{wanted}'")[0][0])


def facts_of(replica: Replica) -> set:
    return set(replica.state("default").facts)


def names() -> Iterator[str]:
    return (f"user{number}" for number in range(10**9))


NAMES = names()


def add(store: FactStore):
    """Write a fact that is not there, and return the token."""
    return write(store, *insert(role(next(NAMES)))).token


def replica_of(store: FactStore) -> Replica:
    made = Replica(store, tuple)
    made.load()
    return made


def test_copies_and_log_come_from_a_standby_that_is_there(
    primary, standby, opened, counted
) -> None:
    store = opened(primary, standby)
    add(store)
    until_replayed(primary, standby)
    replica = replica_of(store)
    assert counted == {"standby": 1, "primary": 0}
    for _ in range(3):
        add(store)
    until_replayed(primary, standby)
    replica.catch_up()
    assert counted == {"standby": 2, "primary": 0}
    assert replica.revision == store.head().revision
    assert facts_of(replica) == facts_now(store)


def test_a_checkpoint_comes_from_a_standby_that_is_there(
    primary, standby, opened, counted, monkeypatch
) -> None:
    monkeypatch.setattr(checkpoints, "_FEWEST_FACTS", 1)
    monkeypatch.setattr(checkpoints, "_RENEWED_AFTER", 0)
    monkeypatch.setattr(checkpoints, "_USED_UP_TO", 100)
    store = opened(primary, standby)
    add(store)
    assert replica_of(store).due_checkpoint()(lambda: True)
    until_replayed(primary, standby)
    counted.update(standby=0, primary=0)
    replica = Replica(store, tuple)
    assert replica.load_checkpoint()
    assert counted == {"standby": 1, "primary": 0}
    assert facts_of(replica) == facts_now(store)
    # What a standby that lags has is not looked at, though the log would go on from it.
    standby.pause()
    token = add(store)
    replica = Replica(store, tuple)
    assert replica.load_checkpoint()
    assert counted == {"standby": 1, "primary": 1}
    assert replica.revision == token.revision
    assert facts_of(replica) == facts_now(store)


def test_a_standby_that_lags_is_not_asked_for_what_it_lacks(
    primary, standby, opened, counted
) -> None:
    store = opened(primary, standby)
    replica = replica_of(store)
    standby.pause()
    token = add(store)
    replica.catch_up()
    assert replica.revision == token.revision
    again = replica_of(store)
    assert again.revision == token.revision
    assert facts_of(replica) == facts_of(again) == facts_now(store)
    assert counted == {"standby": 1, "primary": 2}
    standby.resume()
    until_replayed(primary, standby)
    add(store)
    until_replayed(primary, standby)
    replica.catch_up()
    assert counted["standby"] == 2


def test_a_load_waits_a_moment_for_a_standby(primary, made, opened, counted) -> None:
    late = made("recovery_min_apply_delay=300ms")
    store = opened(primary, late)
    token = add(store)
    assert replica_of(store).revision == token.revision
    assert counted == {"standby": 1, "primary": 0}


def test_a_standby_that_is_believed_would_be_noticed(primary, standby, opened, monkeypatch) -> None:
    """With the guard off, an old copy would be passed off as fresh."""
    store = opened(primary, standby)
    standby.pause()
    token = add(store)
    monkeypatch.setattr(standbys, "has_reached", lambda *_: True)
    replica = replica_of(store)
    assert replica.applied.fresh_as_of > 0
    assert replica.revision < token.revision


def test_standbys_that_cannot_be_reached(primary, standby, opened, counted) -> None:
    gone = Standby(primary)
    gone.remove()
    store = opened(primary, gone)
    add(store)
    replica = replica_of(store)
    add(store)
    replica.catch_up()
    assert facts_of(replica) == facts_now(store)
    assert counted == {"standby": 0, "primary": 2}
    # The next one is asked instead.
    store = opened(primary, gone, standby)
    until_replayed(primary, standby)
    replica_of(store)
    assert counted == {"standby": 1, "primary": 2}


def test_a_standby_that_has_not_answered_yet_is_not_asked_again(primary, standby, opened) -> None:
    store = opened(primary, standby)
    [one] = store._standbys._all
    assert one.take()
    assert store._standbys.read(store.head(), lambda *_: "answer") is None
    one.give_back()
    assert store._standbys.read(store.head(), lambda *_: "answer") == "answer"


def test_a_conflict_with_recovery_is_no_error(primary, made, opened, counted) -> None:
    """The standby cancels what reads rows that the primary has removed."""
    strict = made("max_standby_streaming_delay=0", "max_standby_archive_delay=0")
    store = opened(primary, strict)
    add(store)
    until_replayed(primary, strict)

    def remove_meanwhile(connection, _):
        primary.execute("CREATE TABLE IF NOT EXISTS junk AS SELECT 1 AS n")
        connection.exec_driver_sql("SELECT count(*) FROM facts").all()
        primary.execute("DROP TABLE junk")
        primary.execute("DELETE FROM idempotency_keys")
        primary.execute("VACUUM FULL facts")
        until_replayed(primary, strict)
        connection.exec_driver_sql("SELECT count(*) FROM facts").all()
        return "read"

    assert store._standbys.read(store.head(), remove_meanwhile) is None
    assert store._standbys._all[0]._told
    assert facts_of(replica_of(store)) == facts_now(store)
    assert counted == {"standby": 0, "primary": 1}


def test_a_standby_is_no_primary(standby, opened) -> None:
    with pytest.raises(StoreUnavailable, match="perhaps a standby; give the primary's URL"):
        opened(standby)


def test_only_postgresql_has_standbys(primary, tmp_path) -> None:
    url = f"sqlite:///{tmp_path}/authz.db"
    for one, other in [(url, primary.url("postgres")), (primary.url("postgres"), url)]:
        with pytest.raises(StoreUnavailable, match="only PostgreSQL has standbys"):
            FactStore.open(one, read_database_urls=[other])


def test_a_standby_that_takes_over_begins_another_life(primary, standby, made, opened) -> None:
    """It has lost what it had not received; another standby still has it, and is not believed."""
    store = opened(primary)
    kept = add(store)
    heir = made()
    until_replayed(primary, heir)
    heir.cut_off()
    lost = [add(store) for _ in range(3)]
    until_replayed(primary, standby)
    ahead = replica_of(store)
    heir.promote()

    after = opened(heir, standby)
    ahead._store = after
    with pytest.raises(RevisionUnknown):
        after.check_token("default", lost[0])
    assert after.check_token("default", kept) == kept.revision
    # It has lost nothing of this, so until something is written nothing is ambiguous.
    with pytest.raises(ReplicaFault, match="is gone"):
        ahead.catch_up()
    ahead.load()
    assert ahead.revision == kept.revision
    assert facts_of(ahead) == facts_now(after)

    new = [add(after) for _ in range(4)]
    assert new[0].revision == lost[0].revision
    for token in (kept, *lost):
        with pytest.raises(RevisionUnknown):
            after.check_token("default", token)
    with pytest.raises(ReplicaFault, match="restored"):
        ahead.catch_up()
    ahead.load()
    assert ahead.revision == new[-1].revision
    assert facts_of(ahead) == facts_now(after) == replayed(after)
    # Once, not with every write and not for another process.
    assert {add(after).incarnation, add(opened(heir)).incarnation} == {new[0].incarnation}


def test_what_a_standby_has_beyond_the_primary_is_not_taken(
    primary, standby, opened, monkeypatch
) -> None:
    """As when another one has just taken over that had not received it."""
    store = opened(primary, standby)
    first = add(store)
    add(store)
    until_replayed(primary, standby)
    real = store.head()
    shown = Head(real.incarnation, first.revision, real.committed_at, real.compacted_to)
    before = Revision(first.revision - 1)
    assert [batch.revision for batch in store.changes_after(before, shown=shown)] == [
        first.revision
    ]
    monkeypatch.setattr(FactStore, "head", lambda _: shown)
    assert store._load_from_standby(lambda: None) is None
    monkeypatch.setattr(fact_store, "has_reached", lambda *_: True)
    assert store._load_from_standby(lambda: None)[0].revision > shown.revision


def test_a_promotion_that_goes_unnoticed_would_be_seen(primary, opened, made, monkeypatch) -> None:
    """Without the record, another state is taken for the one of a token that was lost."""
    store = opened(primary)
    heir = made()
    heir.cut_off()
    lost = add(store)
    heir.promote()
    with monkeypatch.context() as patch:
        patch.setattr(schema, "move", lambda *_: None)
        unnoticed = opened(heir)
    assert add(unnoticed) == lost
    assert unnoticed.check_token("default", lost) == lost.revision
    after = opened(heir)
    assert add(after).incarnation != lost.incarnation
    with pytest.raises(RevisionUnknown):
        after.check_token("default", lost)


def test_a_database_that_does_not_tell_its_lineage(primary, opened) -> None:
    primary.execute("CREATE ROLE plain LOGIN")
    primary.execute("GRANT ALL ON ALL TABLES IN SCHEMA public TO plain")
    primary.execute("REVOKE EXECUTE ON FUNCTION pg_control_system FROM PUBLIC")
    try:
        url = primary.url("postgres").replace("authz@", "plain@")
        store = FactStore.open(url)
        before = opened(primary).incarnation
        assert add(store).incarnation == before
        store.close()
    finally:
        primary.execute("GRANT EXECUTE ON FUNCTION pg_control_system TO PUBLIC")
