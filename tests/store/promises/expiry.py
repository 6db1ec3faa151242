"""What facts with an expiry promise."""

import pytest
from world import (
    SECOND,
    World,
    delete,
    facts_now,
    insert,
    outcomes,
    replayed,
    role,
    roles,
    user,
    write,
)

from authz_service.errors import (
    PreconditionFailed,
)
from authz_service.facts.change import (
    About,
    DeleteMatching,
    MustExist,
    MustNotExist,
    Replace,
)
from authz_service.replica.replica import Replica
from promises.promise import promise


@promise
def a_fact_stops_counting_at_its_expiry(world: World) -> None:
    store = world.open()
    soon = world.instant(SECOND)
    write(store, *insert(role("ann"), until=soon), *insert(role("bob")))
    replica = Replica(store, tuple)
    replica.load()
    for swept in (False, True):
        state = replica.state("default")
        assert set(state.facts_at(soon)) == {role("bob")}
        if not swept:
            assert set(state.facts_at(soon - 1)) == {role("ann"), role("bob")}
            assert {one.fact for one in store.read("default", instant=soon - 1).facts} == {
                *(role("ann"), role("bob"))
            }
        assert {one.fact for one in store.read("default", instant=soon).facts} == {role("bob")}
        world.passes(SECOND)
        assert facts_now(store) == {role("bob")}
        store.remove_expired()
        replica.catch_up()
    replica.close()


@promise
def an_expired_fact_is_not_there_for_writes(world: World) -> None:
    store = world.open()
    write(store, *insert(role("ann"), role("bob"), role("cyd"), until=world.instant(SECOND)))
    world.passes(SECOND)
    done = write(
        store,
        *delete(role("ann")),
        DeleteMatching(roles("bob")),
        *insert(role("cyd")),
        preconditions=[MustNotExist(roles())],
    )
    assert outcomes(done) == ["missing", "missing", "created"]
    [batch] = store.changes_after(done.revision - 1)
    assert (batch.inserted, batch.deleted) == ({role("cyd")}, set())
    assert facts_now(store) == {role("cyd")} == replayed(store)


@promise
def what_had_expired_when_it_was_deleted_counts_by_no_clock(world: World) -> None:
    """Whoever deletes it is told that it is not there; by a clock that is behind it still would be."""
    store = world.open()
    gone = [role(name) for name in ("ann", "bob", "cyd", "dan")]
    write(store, *insert(*gone, role("eve"), until=world.instant(SECOND)))
    world.passes(SECOND)
    done = write(
        store,
        *delete(role("ann"), role("nobody")),
        DeleteMatching(roles("bob")),
        DeleteMatching(About(user("cyd"))),
        Replace(roles("dan"), ()),
    )
    assert outcomes(done) == ["missing", "missing", "missing", "missing", "replaced"]
    [batch] = store.changes_after(done.revision - 1)
    assert (batch.inserted, batch.deleted, batch.expired) == (set(), set(), set(gone))
    replica = Replica(store, tuple)
    replica.load()
    behind = world.instant(-SECOND)
    assert set(replica.state("default").facts_at(behind)) == {role("eve")}
    replica.close()
    assert write(store, *delete(role("ann"))).revision == done.revision
    assert store.remove_expired() == 1


@promise
def what_was_not_to_exist_counts_by_no_clock(world: World) -> None:
    """What was written since it is not there, would by a clock that is behind be there beside it."""
    store = world.open()
    write(store, *insert(role("ann"), role("bob"), until=world.instant(SECOND)))
    write(store, *insert(role("cyd")))
    world.passes(SECOND)
    with pytest.raises(PreconditionFailed):
        write(store, preconditions=[MustNotExist(roles("ann")), MustNotExist(roles())])
    with pytest.raises(PreconditionFailed):
        write(store, preconditions=[MustExist(roles("ann"))])
    done = write(store, *insert(role("dan")), preconditions=[MustNotExist(roles("ann"))])
    [batch] = store.changes_after(done.revision - 1)
    assert (batch.inserted, batch.deleted, batch.expired) == ({role("dan")}, set(), {role("ann")})
    replica = Replica(store, tuple)
    replica.load()
    behind = world.instant(-SECOND)
    there = {role("bob"), role("cyd"), role("dan")}
    assert set(replica.state("default").facts_at(behind)) == there
    replica.close()
    assert facts_now(store) == {role("cyd"), role("dan")}


@promise
def expiries_reach_replicas_in_every_way(world: World) -> None:
    """Loaded, applied one by one and derived from the log are the same at each instant."""
    store = world.open()
    followed = Replica(store, tuple)
    followed.load()
    at = [world.instant(number * SECOND) for number in range(5)]
    write(store, *insert(role("a"), role("b"), until=at[1]), *insert(role("c"), until=at[2]))
    write(store, *insert(role("a"), until=at[3]), *insert(role("b")), *delete(role("c")))
    write(store, *insert(role("c"), until=at[4]), *insert(role("d")))
    followed.catch_up()
    loaded = Replica(store, tuple)
    loaded.load()
    for instant, expected in zip(at, ("abcd", "abcd", "abcd", "bcd", "bd"), strict=True):
        for replica in (followed, loaded):
            state = replica.state("default")
            assert set(state.facts_at(instant)) == {role(name) for name in expected}
            assert set(state.facts_at(instant)) == {role(name) for name in expected}
    followed.close()
    loaded.close()
