"""What the log of changes promises: dense revisions, and each write whole."""

import pytest
from world import (
    NOON,
    SECOND,
    START,
    Held,
    World,
    delete,
    exactly,
    facts_now,
    hold_up,
    insert,
    outcomes,
    policy,
    replayed,
    role,
    write,
)

from authz_service.errors import (
    PreconditionFailed,
    StoreNotFound,
)
from authz_service.facts.change import (
    MustExist,
    WriteRequest,
)
from promises.promise import promise


@promise
def revisions_are_dense(world: World) -> None:
    store = world.open()
    tokens = [
        write(store, *insert(role("ann"))).revision,
        write(store, *insert(role("ann"))).revision,
        store.publish("default", policy("one"), NOON).revision,
        store.create_store("other").revision,
        write(store, *insert(role("bob")), name="other").revision,
        write(store, *delete(role("ann"))).revision,
        write(store, *delete(role("ann"))).revision,
        store.delete_store("other").revision,
    ]
    assert tokens == [1, 1, 2, 3, 4, 5, 5, 6]
    assert [batch.revision for batch in store.changes_after(START)] == [1, 2, 3, 4, 5, 6]
    assert [batch.store for batch in store.changes_after(START)] == [
        *("default", "default", "other", "other", "default", "other")
    ]


@promise
def packed_writes_have_each_their_own_revision_and_error(world: World) -> None:
    store = world.open()
    write(store, *insert(role("bob")))
    released = hold_up(store)
    requests = []
    for number in range(40):
        conditions = [MustExist(exactly(role("nobody")))] if number % 4 == 3 else []
        requests.append(WriteRequest(insert(role(f"u{number}")), conditions))
    futures = [store.submit("default", request) for request in requests]
    lost = store.submit("nowhere", WriteRequest(insert(role("x"))))
    last = store.submit("default", WriteRequest(delete(role("u0"), role("u3"))))
    released.set()
    revisions = []
    for number, future in enumerate(futures):
        if number % 4 == 3:
            with pytest.raises(PreconditionFailed):
                future.result()
        else:
            revisions.append(future.result().revision)
    with pytest.raises(StoreNotFound):
        lost.result()
    assert revisions == list(range(2, 32))
    assert outcomes(last.result()) == ["deleted", "missing"]
    assert last.result().revision == 32
    assert facts_now(store) == replayed(store)
    assert len(facts_now(store)) == 30


@promise
def a_write_that_was_given_up_before_it_began_does_not_happen(world: World) -> None:
    store = world.open()
    released = hold_up(store)
    waiting = [store.submit("default", WriteRequest(insert(role(name)))) for name in "abc"]
    assert waiting[1].cancel()
    released.set()
    assert [waiting[0].result().revision, waiting[2].result().revision] == [1, 2]
    assert not waiting[0].cancel()
    assert facts_now(store) == {role("a"), role("c")} == replayed(store)


@promise
def large_writes_are_packed_a_few_at_a_time(world: World) -> None:
    """So that nobody waits for the lock for long; in order all the same."""
    store = world.open()
    released = hold_up(store)
    sizes = (2000, 2000, 2000, 1, 6000, 1)
    waiting = [
        store.submit("default", WriteRequest(insert(*(role(f"{n}-{i}") for i in range(size)))))
        for n, size in enumerate(sizes)
    ]
    released.set()
    assert [one.result().revision for one in waiting] == [1, 2, 3, 4, 5, 6]
    assert [len(batch.inserted) for batch in store.changes_after(START)] == list(sizes)


@promise
def closing_commits_what_was_submitted(world: World) -> None:
    store = world.open()
    released = hold_up(store)
    waiting = [store.submit("default", WriteRequest(insert(role(name)))) for name in "abc"]
    released.set()
    store.close()
    assert [one.result().revision for one in waiting] == [1, 2, 3]
    with pytest.raises(RuntimeError, match="closed"):
        store.submit("default", WriteRequest(insert(role("d"))))
    assert facts_now(world.open()) == {role("a"), role("b"), role("c")}


@promise
def a_defect_in_one_write_spares_its_neighbours(world: World) -> None:
    store = world.open()
    released = hold_up(store)
    good = [store.submit("default", WriteRequest(insert(role("a"))))]
    broken = store.submit("default", WriteRequest(insert(role("bad\x1fid"))))
    good += [store.submit("default", WriteRequest(insert(role(name)))) for name in "bc"]
    released.set()
    with pytest.raises(ValueError, match="control character"):
        broken.result()
    assert [one.result().revision for one in good] == [1, 2, 3]
    assert facts_now(store) == {role("a"), role("b"), role("c")} == replayed(store)


@promise
def overlapping_writers_are_seen_in_the_order_of_revisions(world: World) -> None:
    """A, D and C begin in that order; C commits, A commits, a poll, D commits, a poll: all are seen."""
    stores = {name: world.open() for name in "ADC"}
    reader = world.open()
    held = {name: Held(store) for name, store in stores.items()}
    writing = {}
    for name, store in stores.items():
        writing[name] = store.submit("default", WriteRequest(insert(role(name))))
        held[name].begun()
    seen: list[int] = []
    at_token = {}
    for name in "CAD":
        held[name].release()
        token = writing[name].result(10).revision
        # Read at the token of C before A commits, and again when all have.
        at_token[token] = facts_now(reader, revision=token)
        if name != "C":
            seen += [batch.revision for batch in reader.changes_after(seen[-1] if seen else START)]
    assert seen == [1, 2, 3]
    assert at_token == {
        1: {role("C")},
        2: {role("C"), role("A")},
        3: {role("C"), role("A"), role("D")},
    }
    assert {token: facts_now(reader, revision=token) for token in at_token} == at_token


@promise
def every_returned_token_reaches_the_log(world: World) -> None:
    """Also that of a write which changed nothing, and while others write to other stores."""
    store = world.open()
    store.create_store("other")
    tokens = [
        write(store, *insert(role("ann"))).token,
        write(store, *insert(role("ann"))).token,
        write(store, *insert(role("ann")), name="other").token,
        write(store, *delete(role("nobody"))).token,
        write(store).token,
    ]
    for name in ("default", "other"):
        page = store.log(name, START, limit=1)
        reached = [page.up_to]
        while page.up_to < store.head().revision:
            page = store.log(name, page.up_to, limit=1)
            assert page.up_to > reached[-1]
            reached.append(page.up_to)
        assert reached[-1] >= max(token.revision for token in tokens)
    assert [b.revision for b in store.log("default", START).batches] == [2]
    # Each is the token of a change of its own store, so that it can be waited for.
    assert [(token.store, token.revision) for token in tokens] == [
        (0, 2),
        (0, 2),
        (1, 3),
        (0, 2),
        (0, 2),
    ]


@promise
def the_log_tells_expiry_from_deletion(world: World) -> None:
    store = world.open()
    soon = world.instant(SECOND)
    write(store, *insert(role("ann"), role("bob"), role("cyd"), until=soon), *insert(role("dan")))
    write(store, *delete(role("bob")))
    write(store, *insert(role("cyd")))
    world.passes(SECOND)
    assert store.remove_expired() == 1
    assert store.remove_expired() == 0
    first, second, third, fourth = store.changes_after(START)
    assert first.expiries == dict.fromkeys((role("ann"), role("bob"), role("cyd")), soon)
    assert first.inserted == {role("ann"), role("bob"), role("cyd"), role("dan")}
    assert (second.deleted, second.expired) == ({role("bob")}, set())
    assert (third.inserted, third.expiries) == (set(), {role("cyd"): None})
    assert (fourth.deleted, fourth.expired) == (set(), {role("ann")})
    assert replayed(store) == facts_now(store) == {role("cyd"), role("dan")}
