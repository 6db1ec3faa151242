"""The snapshot file: what is written is read, whole; anything else is refused, with the reason."""

import json
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from test_filling import facts
from writing import write

from authz_service.errors import EngineUnsupported, StoreUnavailable
from authz_service.facts.change import Delete, Insert
from authz_service.facts.fact import Fact
from authz_service.facts.instant import Instant, instant_of
from authz_service.facts.policy_text import PolicyFile, PolicyVersion
from authz_service.facts.revision import Revision
from authz_service.facts.tables import Tables
from authz_service.facts.value import Value, integer
from authz_service.replica import snapshot_file
from authz_service.replica.replica import NEVER_FRESH, Replica
from authz_service.replica.saved import Encoded, Saved, SavedStore, SnapshotRefused
from authz_service.store import fact_store
from authz_service.store.fact_store import FactStore

NOON = datetime(2026, 1, 2, 12, tzinfo=UTC)


def tag(name: str) -> Fact:
    return Fact("tag", (Value("User", name), integer(len(name))))


def saved(*stores: SavedStore) -> Saved:
    return Saved("0011223344556677", Revision(7), Instant(5), list(stores))


def one_store(
    some: frozenset[Fact], expiries: Mapping[Fact, Instant], name: str = "default"
) -> SavedStore:
    files = (PolicyFile("main.polar", "actor User {}\n# ü"), PolicyFile("b.polar", ""))
    policy = PolicyVersion(3, files, NOON)
    return SavedStore(name, len(name), Revision(6), policy, expiries, Tables(some))


SMALL = saved(
    one_store(frozenset(map(tag, "abc")), {tag("a"): Instant(9)}),
    SavedStore("other", 2, Revision(2), None, {}, Tables()),
)


@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    some=st.lists(st.frozensets(facts, max_size=20), max_size=3),
    expiry=st.integers(0, 2**63 - 1),
)
def test_what_is_written_is_read(tmp_path: Path, some: list[frozenset[Fact]], expiry: int) -> None:
    stores = [
        one_store(stored, dict.fromkeys(sorted(stored)[::2], Instant(expiry)), f"store {number}")
        for number, stored in enumerate(some)
    ]
    snapshot_file.write(tmp_path / "snapshot", saved(*stores))

    found = snapshot_file.read(tmp_path / "snapshot")

    assert found == saved(*stores)
    for store, stored in zip(found.stores, some, strict=True):
        assert set(store.facts) == stored
        assert all(fact in store.facts for fact in stored)


def test_no_other_user_can_read_it(tmp_path: Path) -> None:
    snapshot_file.write(tmp_path / "snapshot", SMALL)
    assert (tmp_path / "snapshot").stat().st_mode & 0o777 == 0o600


def test_every_truncation_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "snapshot"
    snapshot_file.write(path, SMALL)
    content = path.read_bytes()
    for length in range(len(content)):
        path.write_bytes(content[:length])
        with pytest.raises(SnapshotRefused):
            snapshot_file.read(path)
    path.write_bytes(content + b"\0")
    with pytest.raises(SnapshotRefused, match="should have"):
        snapshot_file.read(path)


def test_every_flipped_byte_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "snapshot"
    snapshot_file.write(path, SMALL)
    content = bytearray(path.read_bytes())
    for place in range(len(content)):
        for flip in (0x01, 0x80, 0xFF):
            content[place] ^= flip
            path.write_bytes(content)
            with pytest.raises(SnapshotRefused):
                snapshot_file.read(path)
            content[place] ^= flip


def test_a_newer_form_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "snapshot"
    with monkeypatch.context() as newer:
        newer.setattr("authz_service.replica.saved.FORM", 3)
        snapshot_file.write(path, SMALL)
    with pytest.raises(SnapshotRefused, match="the form 3, this program reads 2"):
        snapshot_file.read(path)


def test_a_full_disk_leaves_the_file_of_before(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "snapshot"
    snapshot_file.write(path, SMALL)
    before = path.read_bytes()

    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(OSError, match="No space"):
        snapshot_file.write(path, saved())
    assert path.read_bytes() == before
    assert not (tmp_path / "snapshot.new").exists()


WRITER = """
import sys
from pathlib import Path
from test_snapshot_file import one_store, saved, tag
from authz_service.replica import snapshot_file
some = frozenset(tag(str(number)) for number in range(2000))
number = 0
while True:
    number += 1
    snapshot_file.write(Path(sys.argv[1]), saved(one_store(some, {}, f"store {number}")))
    print(number, flush=True)
"""


@pytest.mark.parametrize("milliseconds", [0, 2, 7])
def test_a_kill_leaves_a_whole_file(tmp_path: Path, milliseconds: int) -> None:
    path = tmp_path / "snapshot"
    command = [sys.executable, "-c", WRITER, str(path)]
    environment = {"PYTHONPATH": ":".join(sys.path)}
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment) as writer:
        assert writer.stdout is not None
        for _ in range(3):
            assert writer.stdout.readline()
        time.sleep(milliseconds / 1000)
        writer.kill()
        told = writer.stdout.read().split()

    found = snapshot_file.read(path)

    assert len(found.stores[0].facts) == 2000
    number = int(found.stores[0].name.split()[1])
    assert number >= int(told[-1] if told else 3)
    # What the killed one has left behind is in nobody's way.
    snapshot_file.write(path, SMALL)
    assert snapshot_file.read(path).stores[0].name == "default"


# A replica and its file.


@pytest.fixture
def store(tmp_path: Path) -> Iterator[FactStore]:
    opened = FactStore.open(f"sqlite:///{tmp_path}/authz.db")
    yield opened
    opened.close()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "snapshot"


def replica_of(
    store: FactStore, clock: Callable[[], datetime] = fact_store.utc_now
) -> Replica[object]:
    return Replica(store, tuple, clock=lambda: clock().timestamp(), wall_clock=clock)


def insert(store: FactStore, *names: str, expires_at: Instant | None = None) -> None:
    write(store, "default", [Insert(tag(name), expires_at) for name in names])


def test_a_replica_starts_from_its_file_and_goes_on_with_the_log(
    store: FactStore, path: Path
) -> None:
    insert(store, "alice", "bob")
    insert(store, "eve", expires_at=Instant(2**62))
    store.publish("default", (PolicyFile("main.polar", "text"),), NOON)
    store.create_store("other")
    first = replica_of(store)
    first.load()
    insert(store, "carol")
    write(store, "default", [Delete(tag("bob"))])
    first.catch_up()
    first.save_file(path)
    insert(store, "dave")
    write(store, "default", [Delete(tag("alice"))])

    second, third = replica_of(store), replica_of(store)
    assert second.load_file(path)
    third.load()

    assert (second.revision, second.incarnation) == (third.revision, third.incarnation)
    for name in ("default", "other"):
        found, wanted = second.state(name), third.state(name)
        assert set(found.facts) == set(wanted.facts)
        assert found.expiries.all() == wanted.expiries.all()
        assert (found.policy, found.number, found.revision) == (
            wanted.policy,
            wanted.number,
            wanted.revision,
        )
        assert found.token == wanted.token


def test_a_replica_starts_while_the_database_is_down_and_says_how_old_it_is(
    store: FactStore, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    insert(store, "alice")
    first = replica_of(store, lambda: NOON)
    first.load()
    first.save_file(path)
    insert(store, "bob")

    second = replica_of(store, lambda: NOON + timedelta(hours=1))
    with monkeypatch.context() as down:

        def head(_: FactStore) -> None:
            raise StoreUnavailable("down")

        down.setattr(FactStore, "head", head)
        assert second.load_file(path)
    assert set(second.state("default").facts) == {tag("alice")}
    assert second.revision == 1
    assert second.fresh_as_of == instant_of(NOON)

    second.catch_up()
    assert set(second.state("default").facts) == {tag("alice"), tag("bob")}
    assert second.fresh_as_of == instant_of(NOON + timedelta(hours=1))


def test_a_database_that_is_away_at_the_start_is_followed_when_it_comes_back(
    store: FactStore, path: Path, tmp_path: Path
) -> None:
    insert(store, "alice")
    first = replica_of(store)
    first.load()
    first.save_file(path)
    insert(store, "bob")
    store.close()
    database, elsewhere = tmp_path / "authz.db", tmp_path / "elsewhere"
    database.rename(elsewhere)
    database.mkdir()
    url = f"sqlite:///{database}"
    with pytest.raises(StoreUnavailable):
        FactStore.open(url)

    away = FactStore.open(url, may_be_away=True)
    second = replica_of(away)
    assert second.load_file(path)
    assert set(second.state("default").facts) == {tag("alice")}
    for fails in (second.catch_up, second.load, lambda: insert(away, "carol")):
        with pytest.raises(StoreUnavailable):
            fails()
    assert set(second.state("default").facts) == {tag("alice")}

    database.rmdir()
    elsewhere.rename(database)
    second.catch_up()
    assert set(second.state("default").facts) == {tag("alice"), tag("bob")}
    away.close()


def test_a_clock_that_was_set_back_makes_nothing_fresh(store: FactStore, path: Path) -> None:
    first = replica_of(store, lambda: NOON)
    first.load()
    first.save_file(path)
    saved_ = snapshot_file.read(path)
    second = replica_of(store, lambda: NOON - timedelta(hours=1))
    second._take_saved(saved_)
    assert second.applied.fresh_as_of == NEVER_FRESH


def test_the_file_says_only_what_was_known_to_be_fresh(
    store: FactStore, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As long as the database is away, a file that is written gets no younger."""
    now = NOON
    replica = replica_of(store, lambda: now)
    replica.load()
    now += timedelta(minutes=3)

    def head(_: FactStore) -> None:
        raise StoreUnavailable("down")

    monkeypatch.setattr(FactStore, "head", head)
    with pytest.raises(StoreUnavailable):
        replica.catch_up()
    replica.save_file(path)
    assert snapshot_file.read(path).fresh_as_of == instant_of(NOON)


def other_life(store: FactStore) -> None:
    store.begin_life()


def lost_writes(store: FactStore) -> None:
    with store._engine.begin() as connection:
        connection.exec_driver_sql("UPDATE head SET revision = 1")


def compacted(store: FactStore) -> None:
    insert(store, "dave")
    with store._engine.begin() as connection:
        connection.exec_driver_sql("UPDATE head SET compacted_to = revision")


def torn_log(store: FactStore) -> None:
    insert(store, "dave")
    insert(store, "eve")
    with store._engine.begin() as connection:
        connection.exec_driver_sql("DELETE FROM changes WHERE revision = 3")


@pytest.mark.parametrize("happens", [other_life, lost_writes, compacted, torn_log])
def test_a_file_that_the_log_does_not_go_on_from_is_refused(
    store: FactStore, path: Path, happens: Callable[[FactStore], None]
) -> None:
    insert(store, "alice")
    insert(store, "bob")
    first = replica_of(store)
    first.load()
    first.save_file(path)
    happens(store)

    second = replica_of(store)

    assert not second.load_file(path)
    assert (second.incarnation, second.revision, second.states()) == ("", 0, ())
    second.load()
    assert second.revision == store.head().revision


def test_no_file_is_no_start(store: FactStore, path: Path) -> None:
    assert not replica_of(store).load_file(path)
    path.write_bytes(b"nonsense")
    assert not replica_of(store).load_file(path)
    path.unlink()
    path.mkdir()
    assert not replica_of(store).load_file(path)


def test_a_policy_that_is_understood_no_more_is_no_start_while_the_database_may_have_another(
    store: FactStore, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store.publish("default", (PolicyFile("main.polar", "old"),), NOON)
    first = replica_of(store)
    first.load()
    first.save_file(path)
    store.publish("default", (PolicyFile("main.polar", "new"),), NOON)

    def load_policy(files: Sequence[PolicyFile]) -> str:
        if files[0].text == "old":
            raise EngineUnsupported("not by this program")
        return files[0].text

    second = Replica(store, load_policy)
    assert not second.load_file(path)
    second.load()
    assert second.state("default").policy.loaded == "new"

    def head(_: FactStore) -> None:
        raise StoreUnavailable("down")

    monkeypatch.setattr(FactStore, "head", head)
    with pytest.raises(EngineUnsupported):
        Replica(store, load_policy).load_file(path)


def test_no_other_thread_waits_long_for_one_that_encodes(monkeypatch: pytest.MonkeyPatch) -> None:
    """What the interpreter does in one step is small, and between such steps is a rest."""
    many = frozenset(tag(str(number)) for number in range(10_000))
    store = one_store(many, dict.fromkeys(many, Instant(9)))
    sizes: list[int] = []
    dumps = json.dumps

    def counted(*args: object, **options: bool) -> str:
        made = dumps(*args, **options)
        sizes.append(len(made))
        return made

    monkeypatch.setattr(json, "dumps", counted)
    rests: list[int] = []
    encoded = b"".join(Encoded(saved(store), lambda: rests.append(len(sizes))))
    assert max(sizes) < len(encoded) / 10
    assert len(rests) > len(many) / 256
