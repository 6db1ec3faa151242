"""Checkpoints, on every database: what is started from is what `load` finds, or it is not started from."""

import itertools
from collections.abc import Callable, Iterator, Sequence
from datetime import timedelta

import pytest
from sqlalchemy import func, select, update
from world import NOON, World, delete, execute, facts_now, insert, policy, role, write

from authz_service.errors import EngineUnsupported, StoreUnavailable
from authz_service.facts.change import Insert
from authz_service.facts.policy_text import PolicyFile
from authz_service.replica import saved
from authz_service.replica.replica import Replica
from authz_service.store import checkpoints, tables
from authz_service.store.checkpoints import Writing
from authz_service.store.fact_store import FactStore


@pytest.fixture(autouse=True)
def _small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of any number of facts, in several pieces, and used while the log is a hundred times as long."""
    monkeypatch.setattr(checkpoints, "_FEWEST_FACTS", 1)
    monkeypatch.setattr(checkpoints, "_LEAST_BYTES", 0)
    monkeypatch.setattr(checkpoints, "PIECE_BYTES", 100)
    monkeypatch.setattr(checkpoints, "_USED_UP_TO", 100)


@pytest.fixture
def replica_of() -> Iterator[Callable[..., Replica]]:
    made: list[Replica] = []

    def make(store: FactStore, load_policy: Callable = tuple) -> Replica:
        made.append(Replica(store, load_policy))
        return made[-1]

    yield make
    for replica in made:
        replica.close()


def always() -> bool:
    return True


def until(calls: int) -> Callable[[], bool]:
    """Return what says to go on until it was asked so many times."""
    counted = itertools.count(1)
    return lambda: next(counted) <= calls


def saves(replica: Replica, rest: Callable[[], bool]) -> bool:
    write = replica.due_checkpoint()
    return write is not None and write(rest)


def save(store: FactStore, rest: Callable[[], bool] = always) -> bool:
    """Save one as a process does that has looked once before."""
    replica = Replica(store, tuple)
    replica.load()
    replica._unfinished = store.look_at_checkpoints(saved.FORM, 0, replica.revision).unfinished
    try:
        return saves(replica, rest)
    finally:
        replica.close()


def content(store: FactStore) -> bytes | None:
    return store.checkpoint(saved.FORM)


def revision_of(store: FactStore) -> int | None:
    found = content(store)
    return None if found is None else saved.decoded(memoryview(found)).revision


def pieces(store: FactStore) -> Sequence[tuple[int, int]]:
    """Return the revision and number of each piece that is there."""
    table = tables.checkpoints.c
    with store._engine.connect() as connection:
        return [
            (revision, piece)
            for revision, piece in connection.execute(
                select(table.revision, table.piece).order_by(table.revision, table.piece)
            )
        ]


def test_what_is_started_from_a_checkpoint_is_what_is_loaded(world: World, replica_of) -> None:
    store = world.open()
    until = world.instant(timedelta(hours=1))
    write(store, *insert(role("ann"), role("bob")), Insert(role("eve"), until))
    store.publish("default", policy("old"), NOON)
    for name in ("gone", "other"):
        store.create_store(name)
        write(store, *insert(role("oz")), name=name)
    assert save(store)
    write(store, *insert(role("dan")), *delete(role("bob")))
    store.publish("default", policy("new"), NOON)
    store.delete_store("gone")
    store.create_store("gone")

    first, second = replica_of(store), replica_of(store)
    assert first.load_checkpoint()
    second.load()

    assert (first.revision, first.incarnation) == (second.revision, second.incarnation)
    assert [one.store for one in first.states()] == [one.store for one in second.states()]
    for wanted in second.states():
        found = first.state(wanted.store)
        assert set(found.facts) == set(wanted.facts) == facts_now(store, wanted.store)
        assert found.expiries.all() == wanted.expiries.all()
        assert (found.policy, found.token) == (wanted.policy, wanted.token)
    # Fresh like any copy that looked at the head just now.
    assert first.applied.fresh_as_of >= second.applied.fresh_as_of - 60


def test_what_is_not_whole_is_not_there(world: World, replica_of) -> None:
    """Whoever writes one ends after any of its transactions: the one before is there, until another is whole."""
    store = world.open()
    write(store, *insert(role("ann")))
    assert content(store) is None
    assert save(store)
    for ends in range(1, 100):
        before = revision_of(store)
        write(store, *insert(role(f"user {ends}")))
        is_whole = save(store, until(ends))
        assert revision_of(store) == (store.head().revision if is_whole else before)
        replica = replica_of(store)
        assert replica.load_checkpoint()
        assert set(replica.state("default").facts) == facts_now(store)
        if is_whole and len({revision for revision, _ in pieces(store)}) == 1:
            break
    assert ends > 5
    number = len(pieces(store))
    assert pieces(store) == [(store.head().revision, piece) for piece in range(number)]


def test_a_database_that_fails_leaves_the_one_before(world: World, monkeypatch) -> None:
    store = world.open()
    write(store, *insert(role("ann")))
    assert save(store)
    write(store, *insert(role("bob")))
    added = []
    add = Writing._insert

    def fails(writing: Writing, *args: object) -> None:
        if len(added) == 2:
            raise StoreUnavailable("away")
        added.append(args)
        add(writing, *args)

    with monkeypatch.context() as patch:
        patch.setattr(Writing, "_insert", fails)
        with pytest.raises(StoreUnavailable):
            save(store)
    assert revision_of(store) == 1


def test_one_is_written_at_a_time(world: World) -> None:
    store, other = world.open(), world.open()
    write(store, *insert(role("ann")))
    replica = Replica(store, tuple)
    replica.load()
    seen: list[bool] = []

    def meanwhile() -> bool:
        if not pieces(store):
            return True
        wanted = other.look_at_checkpoints(saved.FORM, 10, other.head().revision).is_wanted
        writing = Writing(saved.FORM, other.incarnation, other.head().revision)
        seen.append(wanted or other.write_checkpoint(writing, [b"x"], lambda: b"", always))
        return True

    assert saves(replica, meanwhile)
    replica.close()
    assert len(seen) >= 5
    assert not any(seen)
    assert revision_of(store) == 1


def test_what_somebody_left_unfinished_keeps_nobody_from_writing_one(world: World) -> None:
    """Also if nothing is written any more, as after an import into a server that is stopped then."""
    store = world.open()
    write(store, *insert(role("ann"), role("bob")))
    assert not save(store, lambda: len(pieces(store)) < 3)
    assert len(pieces(store)) > 1
    replica = Replica(store, tuple)
    replica.load()
    # Somebody may be at it; if so there is more at the next look.
    assert not saves(replica, always)
    assert saves(replica, always)
    replica.close()
    assert revision_of(store) == 1
    assert [piece for _, piece in pieces(store)] == [*range(len(pieces(store)))]


def test_who_goes_on_with_what_was_taken_for_left_makes_none(world: World) -> None:
    store, other = world.open(), world.open()
    write(store, *insert(role("ann"), role("bob")))
    one, two = Replica(store, tuple), Replica(other, tuple)
    for replica in (one, two):
        replica.load()
    came = [False]

    def meanwhile() -> bool:
        if len(pieces(store)) == 3 and not any(came):
            came.append(saves(two, always) or saves(two, always))
        return True

    assert not saves(one, meanwhile)
    assert came == [False, True]
    assert revision_of(store) == 1
    for replica in (one, two):
        replica.close()


def test_a_copy_that_is_no_newer_is_not_even_made(world: World, monkeypatch) -> None:
    """A process that cannot apply what the log goes on with has one, and would make it at every look."""
    store = world.open()
    monkeypatch.setattr(checkpoints, "_RENEWED_AFTER", 0)
    write(store, *insert(role("ann")))
    replica = Replica(store, tuple)
    replica.load()
    write(store, *insert(role("bob")))
    assert save(store)
    write(store, *insert(role("cyd")))
    with monkeypatch.context() as patch:
        patch.setattr(Replica, "_saving", None)
        assert not saves(replica, always)
    replica.close()


def test_a_copy_of_what_the_database_has_not_is_none(world: World) -> None:
    store = world.open()
    write(store, *insert(role("ann")))
    write(store, *insert(role("bob")))
    replica = Replica(store, tuple)
    replica.load()
    lose_writes(store)
    assert not saves(replica, always)
    replica.close()
    assert pieces(store) == []


def test_few_facts_are_not_written_again_and_again(world: World, monkeypatch) -> None:
    store = world.open()
    many = [role(f"user {number}") for number in range(400)]
    write(store, *insert(*many))
    assert save(store)
    monkeypatch.setattr(checkpoints, "_LEAST_BYTES", 10_000)
    write(store, *delete(*many[3:]))
    assert save(store)
    assert revision_of(store) == 2
    for number in range(5):
        write(store, *insert(role(f"later {number}")))
        assert not save(store)


def test_who_is_told_to_stop_does_not_even_begin(world: World) -> None:
    store = world.open()
    write(store, *insert(role("ann"), role("bob")))
    asked = []

    def stops() -> bool:
        asked.append(pieces(store))
        return False

    assert not save(store, stops)
    assert not any(asked)
    assert pieces(store) == []


def test_pieces_that_somebody_took_away_make_none(world: World) -> None:
    store = world.open()
    write(store, *insert(role("ann")))

    def meanwhile() -> bool:
        execute(store, "DELETE FROM checkpoints WHERE piece = 1")
        return True

    assert not save(store, meanwhile)
    assert content(store) is None


def test_one_of_a_life_that_ended_is_not_finished(world: World) -> None:
    store = world.open()
    write(store, *insert(role("ann")))
    for ends in itertools.count(1):
        lives = {store.incarnation}
        goes_on = until(ends)

        def meanwhile(lives: set[str] = lives, goes_on: Callable[[], bool] = goes_on) -> bool:
            if not goes_on():
                lives.add(store.begin_life())
            return True

        is_whole = save(store, meanwhile)
        if len(lives) == 1:
            assert is_whole
            break
        assert content(store) is None
    assert ends > 5


def test_another_is_wanted_when_enough_was_written(world: World, monkeypatch) -> None:
    store = world.open()
    monkeypatch.setattr(checkpoints, "_FEWEST_FACTS", 3)
    monkeypatch.setattr(checkpoints, "_RENEWED_AFTER", 1)
    write(store, *insert(role("ann"), role("bob")))
    assert not save(store)
    write(store, *insert(role("cyd")))
    assert save(store)
    assert not save(store)
    size = len(content(store) or b"")
    log = tables.changes.c
    written = 0
    while written <= size:
        assert not save(store)
        write(store, *insert(role(f"user {written}")))
        with store._engine.connect() as connection:
            written = connection.scalar(
                select(func.sum(func.length(log.body))).where(log.revision > 2)
            )
    assert save(store)
    assert revision_of(store) == store.head().revision
    # Also of few facts, where there is one of many.
    monkeypatch.setattr(checkpoints, "_FEWEST_FACTS", 1000)
    monkeypatch.setattr(checkpoints, "_RENEWED_AFTER", 0)
    write(store, *insert(role("dan")))
    assert save(store)


def test_it_is_not_used_where_reading_the_facts_takes_less(
    world: World, replica_of, monkeypatch
) -> None:
    store = world.open()
    write(store, *insert(role("ann")))
    assert save(store)
    assert replica_of(store).load_checkpoint()
    write(store, *insert(role("bob")))
    monkeypatch.setattr(checkpoints, "_USED_UP_TO", 0)
    replica = replica_of(store)
    assert not replica.load_checkpoint()
    assert replica.states() == ()


def test_small_writes_take_longer_than_their_bytes(world: World, monkeypatch) -> None:
    store = world.open()
    write(store, *insert(*(role(f"user {number}") for number in range(100))))
    assert save(store)
    size = len(content(store) or b"")
    monkeypatch.setattr(checkpoints, "_USED_UP_TO", 1)
    written = 0
    while content(store) is not None:
        write(store, *insert(role(f"later {written}")))
        written += 1
    with store._engine.connect() as connection:
        log = connection.scalar(
            select(func.sum(func.length(tables.changes.c.body))).where(
                tables.changes.c.revision > 1
            )
        )
    assert log < size < log + written * checkpoints._ROW_BYTES


def damage(store: FactStore) -> None:
    table = tables.checkpoints.c
    with store._database.writing() as connection:
        query = select(table.body).where(table.piece == 2)
        body = bytearray(connection.execute(query).scalar_one())
        body[50] ^= 1
        connection.execute(
            update(tables.checkpoints).where(table.piece == 2).values(body=bytes(body))
        )


def lack_a_piece(store: FactStore) -> None:
    execute(store, "DELETE FROM checkpoints WHERE piece = 2")


def be_of_another_form(store: FactStore) -> None:
    execute(store, "UPDATE checkpoints SET form = form + 1")


def begin_another_life(store: FactStore) -> None:
    store.begin_life()


def be_of_another_life(store: FactStore) -> None:
    execute(store, "UPDATE head SET incarnation = 'another'")


def lose_writes(store: FactStore) -> None:
    execute(store, "UPDATE head SET revision = 1")


def forget_history(store: FactStore) -> None:
    write(store, *insert(role("dan")))
    execute(store, "UPDATE head SET compacted_to = revision")


def tear_the_log(store: FactStore) -> None:
    write(store, *insert(role("dan")))
    write(store, *insert(role("eve")))
    execute(store, "DELETE FROM changes WHERE revision = 3")


def write_what_is_not_understood(store: FactStore) -> None:
    write(store, *insert(role("dan")))
    execute(store, "UPDATE changes SET kind = 'later' WHERE revision = 3")


@pytest.mark.parametrize(
    "happen",
    [
        *(damage, lack_a_piece, be_of_another_form, begin_another_life, be_of_another_life),
        *(lose_writes, forget_history, tear_the_log, write_what_is_not_understood),
    ],
    ids=lambda function: function.__name__,
)
def test_one_from_which_nothing_goes_on_is_refused(
    world: World, replica_of, happen: Callable[[FactStore], None]
) -> None:
    store = world.open()
    write(store, *insert(role("ann")))
    write(store, *insert(role("bob")))
    assert save(store)
    happen(store)

    replica = replica_of(store)

    assert not replica.load_checkpoint()
    assert (replica.incarnation, replica.revision, replica.states()) == ("", 0, ())
    replica.load()
    assert set(replica.state("default").facts) >= facts_now(store)
    assert replica.revision == store.head().revision


def test_a_policy_that_is_understood_no_more_does_not_matter_when_there_is_another(
    world: World, replica_of
) -> None:
    store = world.open()
    write(store, *insert(role("ann")))
    store.publish("default", policy("old"), NOON)
    assert save(store)
    store.publish("default", policy("new"), NOON)

    def load_policy(files: Sequence[PolicyFile]) -> str:
        if files[0].text == "old":
            raise EngineUnsupported("not by this program")
        return files[0].text

    replica = replica_of(store, load_policy)
    assert not replica.load_checkpoint()
    replica.load()
    assert replica.state("default").policy.loaded == "new"


def test_a_defect_in_what_only_a_checkpoint_needs_keeps_no_process_from_starting(
    world: World, replica_of
) -> None:
    store = world.open()
    write(store, *insert(role("ann")))
    assert save(store)
    store.publish("default", policy("old"), NOON)
    store.publish("default", policy("new"), NOON)

    def load_policy(files: Sequence[PolicyFile]) -> str:
        if files[0].text == "old":
            raise RecursionError("a defect")
        return files[0].text

    replica = replica_of(store, load_policy)
    assert not replica.load_checkpoint()
    replica.load()
    assert replica.state("default").policy.loaded == "new"


def test_those_of_another_form_stay_as_long_as_they_are_of_use(world: World) -> None:
    store = world.open()
    write(store, *insert(role("ann")))
    assert save(store)
    [*mine] = pieces(store)
    be_of_another_form(store)
    write(store, *insert(role("bob")))
    assert save(store)
    assert pieces(store) == [*mine, *((2, piece) for _, piece in pieces(store)[len(mine) :])]
    assert revision_of(store) == 2
    forget_history(store)
    assert save(store)
    assert {revision for revision, _ in pieces(store)} == {3}


def test_the_database_being_away_is_no_start(world: World, replica_of, monkeypatch) -> None:
    store = world.open()
    write(store, *insert(role("ann")))
    assert save(store)
    replica = replica_of(store)

    def away(*_: object, **__: object) -> None:
        raise StoreUnavailable("away")

    with monkeypatch.context() as patch:
        patch.setattr(FactStore, "head", away)
        assert not replica.load_checkpoint()
        with pytest.raises(StoreUnavailable):
            replica.catch_up()
    with monkeypatch.context() as patch:
        patch.setattr(FactStore, "changes_after", away)
        write(store, *insert(role("bob")))
        assert not replica.load_checkpoint()
    assert replica.states() == ()
    assert replica.load_checkpoint()
