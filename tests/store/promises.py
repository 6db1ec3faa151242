"""What the store promises, each as a function of a `World`: run on every database, and with protections broken."""

from collections.abc import Callable
from datetime import timedelta

import pytest
from world import (
    NOON,
    SECOND,
    START,
    Held,
    World,
    delete,
    exactly,
    execute,
    facts_now,
    hold_up,
    insert,
    outcomes,
    policy,
    replayed,
    role,
    roles,
    user,
    write,
)

from authz_service.errors import (
    Compacted,
    ExpiryPassed,
    FactsOrphaned,
    IdempotencyKeyReused,
    InvalidToken,
    PolicyChanged,
    PreconditionFailed,
    RevisionUnknown,
    StoreExists,
    StoreNotFound,
    StoreProtected,
    TokenOfAnotherStore,
)
from authz_service.facts.change import (
    About,
    DeleteMatching,
    Insert,
    MustExist,
    MustNotExist,
    Replace,
    StoredFact,
    StoreEvent,
    WriteOutcome,
    WriteRequest,
    WriteResult,
)
from authz_service.facts.expiry import Expiries
from authz_service.facts.fact import Fact, FactPattern
from authz_service.facts.revision import ConsistencyToken, Revision
from authz_service.facts.snapshot import FactSnapshot
from authz_service.facts.value import string
from authz_service.replica.replica import Replica, ReplicaFault
from authz_service.store.fact_store import FactStore
from authz_service.store.pack import ActiveVersion
from authz_service.store.upkeep import begin_compaction

Promise = Callable[[World], None]
PROMISES: list[Promise] = []


def promise(function: Promise) -> Promise:
    PROMISES.append(function)
    return function


# Revisions and the log.


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


# What writes do.


@promise
def writes_say_what_they_did(world: World) -> None:
    store = world.open()
    soon, later = world.instant(SECOND), world.instant(2 * SECOND)
    done = write(
        store,
        *insert(role("ann")),
        *insert(role("ann")),
        *insert(role("ann"), until=soon),
        *insert(role("ann"), until=soon),
        *delete(role("ann"), role("ann")),
        *insert(role("bob"), role("cyd")),
        DeleteMatching(roles(where="acme")),
        DeleteMatching(roles(where="acme")),
    )
    assert outcomes(done) == [
        *("created", "existed", "changed", "existed", "deleted", "missing"),
        *("created", "created", "deleted", "missing"),
    ]
    assert done.results[8] == WriteResult(WriteOutcome.DELETED, deleted=2)
    assert done.revision == 0
    assert store.changes_after(START) == ()
    write(store, *insert(role("ann"), role("bob")), *insert(role("cyd"), until=soon))
    done = write(
        store,
        Replace(
            roles(where="acme"),
            (Insert(role("ann")), Insert(role("cyd"), later), Insert(role("dan"))),
        ),
    )
    assert done.results == (WriteResult(WriteOutcome.REPLACED, inserted=1, changed=1, deleted=1),)
    assert facts_now(store) == {role("ann"), role("cyd"), role("dan")} == replayed(store)
    [batch] = store.changes_after(done.revision - 1)
    assert (batch.inserted, batch.deleted) == ({role("dan")}, {role("bob")})
    assert batch.expiries == {role("cyd"): later}


@promise
def patterns_match_what_they_say(world: World) -> None:
    store = world.open()
    facts = [
        role("ann", "owner", "acme"),
        role("ann", "member", "acme"),
        role("ann", "owner", "ac"),
        role("annn", "owner", "acme"),
        role("Ann", "owner", "ACME"),
        Fact("has_role", (user("ann"), string("owner"))),
        Fact("has_role", (user("ann"),)),
        Fact("has_role_", (user("ann"), string("owner"), user("acme"))),
        Fact("knows", (user("a%"), user("a_"))),
        Fact("knows", (user("ab"), user("ann"))),
    ]
    write(store, *insert(*facts))
    for pattern in (
        *(
            roles(who, what, where)
            for who in (None, "ann")
            for what in (None, "owner")
            for where in (None, "acme")
        ),
        *(FactPattern(predicate) for predicate in ("has_role", "has_role_", "knows", "none")),
        *map(exactly, facts),
        *(About(user(name)) for name in ("ann", "a%", "a_", "acme", "nobody")),
        FactPattern("knows", (user("a%"), user("a_"))),
        FactPattern(None, (user("ann"),)),
        FactPattern(),
    ):
        expected = {fact for fact in facts if pattern.matches(fact)}
        assert {one.fact for one in store.export("default", pattern)} == expected
        done = write(store, DeleteMatching(pattern), *insert(*facts))
        assert done.results[0].deleted == len(expected), pattern
        assert store.head().revision == 1


@promise
def everything_about_an_entity_goes(world: World) -> None:
    store = world.open()
    kept = [role("bob", "ann"), role("bob", where="ann"), Fact("p", (string("ann"),))]
    gone = [role("ann"), Fact("knows", (user("bob"), user("ann"))), Fact("p", (user("ann"),))]
    write(store, *insert(*kept, *gone))
    done = write(store, DeleteMatching(About(user("ann"))))
    assert done.results == (WriteResult(WriteOutcome.DELETED, deleted=3),)
    assert facts_now(store) == set(kept) == replayed(store)


@promise
def a_batch_happens_wholly_or_not_at_all(world: World) -> None:
    """The error names the offender, whichever it is."""
    store = world.open()
    write(store, *insert(role("ann")))
    late = Insert(role("late"), world.instant())
    for place in range(4):
        writes = [*insert(role("bob")), *delete(role("ann")), *insert(role("cyd"))]
        writes.insert(place, late)
        with pytest.raises(ExpiryPassed) as passed:
            write(store, *writes)
        assert passed.value.field == f"writes[{place}].expires_at"
        with pytest.raises(ExpiryPassed) as passed:
            write(store, Replace(roles(), (*insert(role("x")), late)))
        assert passed.value.field == "writes[0].replace.inserts[1].expires_at"
    conditions = [MustExist(roles("ann")), MustNotExist(roles("bob")), MustExist(roles("bob"))]
    with pytest.raises(PreconditionFailed) as failed:
        write(store, *delete(role("ann")), preconditions=conditions)
    assert failed.value.field == "preconditions[2]"
    assert facts_now(store) == {role("ann")} == replayed(store)
    assert store.head().revision == 1


@promise
def preconditions_hold_before_the_first_write(world: World) -> None:
    store = world.open()
    none = [MustNotExist(roles(where="acme"))]
    write(store, *insert(role("ann")), *insert(role("bob")), preconditions=none)
    with pytest.raises(PreconditionFailed):
        write(store, *insert(role("cyd")), preconditions=none)
    write(store, *delete(role("ann"), role("bob")), preconditions=[MustExist(roles("bob"))])
    write(store, *insert(role("ann"), until=world.instant(SECOND)), preconditions=none)
    world.passes(SECOND)
    write(store, *insert(role("bob")), preconditions=none)
    assert facts_now(store) == {role("bob")}


@promise
def a_retry_gets_the_first_result(world: World) -> None:
    store = world.open(keys_kept=timedelta(hours=1))
    ann = WriteRequest(insert(role("ann")), idempotency_key="k")
    assert store.written("default", ann) is None
    first = store.write("default", ann)
    write(store, *delete(role("ann")))
    other = world.open(keys_kept=timedelta(hours=1))
    assert store.write("default", ann) == other.write("default", ann) == first
    assert other.written("default", ann) == first
    assert (facts_now(store), store.head().revision) == (set(), 2)
    for changed in (
        WriteRequest(insert(role("bob")), idempotency_key="k"),
        WriteRequest(delete(role("ann")), idempotency_key="k"),
        WriteRequest(insert(role("ann"), until=world.instant(SECOND)), idempotency_key="k"),
        WriteRequest(insert(role("ann")), [MustNotExist(roles())], idempotency_key="k"),
    ):
        with pytest.raises(IdempotencyKeyReused):
            store.write("default", changed)
        with pytest.raises(IdempotencyKeyReused):
            store.written("default", changed)
    store.create_store("other")
    assert store.write("other", ann).revision == 4
    both = [
        store.submit("default", WriteRequest(insert(role("x")), idempotency_key="p"))
        for _ in range(5)
    ]
    assert len({one.result().revision for one in both}) == 1
    assert [one.result().results for one in both] == [(WriteResult(WriteOutcome.CREATED, 1),)] * 5
    world.passes(timedelta(hours=1))
    assert store.write("default", ann).revision == 6


@promise
def a_failed_write_does_not_use_up_its_key(world: World) -> None:
    store = world.open()
    request = WriteRequest(insert(role("ann")), [MustExist(roles("bob"))], "k")
    with pytest.raises(PreconditionFailed):
        store.write("default", request)
    write(store, *insert(role("bob")))
    assert store.write("default", request).revision == 2


# Ids.

LOOKALIKES = [
    *("\u00e9", "e\u0301", "e", "E", "alice", "Alice", "ALICE", "alice ", " alice", "\u0430lice"),
    *("K", "\u212a", "k", "\u0131", "\u0130", "i", "I", "\u00df", "ss", "SS", "\uff21", "A", "a"),
    *('"', '""', '","', "'", "''", "\\", '\\"', "],[", '"],["String","x', "%", "_", "*", "**", "?"),
    *(":", "::", "#", "@", ",", "|", "/", "//", "--", ";", "(", ")", "..", "$(x)", "{{x}}", "%s"),
    *(
        "a\u2028b",
        "a b",
        "a\u00a0b",
        "\U0001f600",
        "\ufeffalice",
        "\u200balice",
        "a\u200db",
        "\u202ea",
    ),
    *("null", "NULL", "1", "01", "1.0", "true", "True", "-0", "1e400", "\\u00e9", "\\x00", "NaN"),
    *("user:*", "' OR 1=1 --", "x" * 512, "x" * 511, "\U0001f600" * 128, "\u00e9" * 256),
]


@promise
def ids_are_kept_byte_for_byte(world: World) -> None:
    store = world.open()
    facts = [Fact("p", (user(text),)) for text in LOOKALIKES]
    facts += [Fact(text[:32], (user("x"),)) for text in sorted({text[:32] for text in LOOKALIKES})]
    facts += [Fact("p", (user(text), string(text))) for text in LOOKALIKES]
    # Longer than an entry of an index may be, and alike for as long as possible.
    facts += [Fact("p", (*(user("x" * 512),) * 4, string(text))) for text in LOOKALIKES]
    done = write(store, *insert(*facts))
    assert set(outcomes(done)) == {"created"}
    assert facts_now(store) == set(facts) == replayed(store)
    for fact in facts:
        assert {one.fact for one in store.export("default", exactly(fact))} == {fact}
    gone = facts[::3]
    assert set(outcomes(write(store, *delete(*gone)))) == {"deleted"}
    assert facts_now(world.open()) == set(facts) - set(gone) == replayed(store)
    assert facts_now(store, revision=done.revision) == set(facts)


@promise
def stores_of_all_names_are_apart(world: World) -> None:
    store = world.open()
    for name in LOOKALIKES:
        store.create_store(name)
        write(store, *insert(role(name)), name=name)
    assert set(store.stores()) == {"default", *LOOKALIKES}
    for name in LOOKALIKES:
        assert facts_now(store, name) == {role(name)}


# Expiry.


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


# Writes and policies.


def active(store: FactStore, version: int) -> ActiveVersion:
    return ActiveVersion(store.incarnation, 0, version)


@promise
def a_write_that_was_checked_by_another_policy_is_refused(world: World) -> None:
    """The policy comes first, from another process: whatever the facts were checked by is not active."""
    store, other = world.open(), world.open()
    with pytest.raises(PolicyChanged):
        store.write("default", WriteRequest(insert(role("ann"))), checked_by=active(store, 1))
    assert store.publish("default", policy("one"), NOON).version.version == 1
    assert (
        store.write(
            "default", WriteRequest(insert(role("ann"))), checked_by=active(store, 1)
        ).policy_version
        == 1
    )
    checked_by = store.policy("default", None).version
    other.publish("default", policy("two"), NOON)
    with pytest.raises(PolicyChanged):
        store.write(
            "default", WriteRequest(insert(role("bob"))), checked_by=active(store, checked_by)
        )
    assert facts_now(store) == {role("ann")}
    assert store.head().revision == 3
    assert (
        store.write(
            "default", WriteRequest(insert(role("bob"))), checked_by=active(store, 2)
        ).revision
        == 4
    )


@promise
def the_policy_of_a_deleted_store_checks_nothing_for_its_successor(world: World) -> None:
    """The name and the version are the same, the store is another."""
    store = world.open()
    former = ActiveVersion(store.incarnation, store.create_store("other").store, 1)
    store.publish("other", policy("one"), NOON)
    store.delete_store("other")
    store.create_store("other")
    store.publish("other", policy("two"), NOON)
    with pytest.raises(PolicyChanged):
        store.write("other", WriteRequest(insert(role("ann"))), former)
    with pytest.raises(PolicyChanged):
        store.publish("other", policy("three"), NOON, replaces=former)


@promise
def a_policy_finds_the_orphans_written_while_it_was_checked(world: World) -> None:
    """The write comes first, between the look at all facts and the lock."""
    store, other = world.open(), world.open()
    store.publish("default", policy("one"), NOON)
    write(store, *insert(role("ann")))
    seen = store.head().revision
    # By now all facts were looked at; these come before the lock is taken.
    for writes in (insert(role("bob"), role("cyd")), delete(role("cyd"))):
        other.write("default", WriteRequest(writes), checked_by=active(store, 1))
    with pytest.raises(FactsOrphaned) as caught:
        store.publish(
            "default",
            policy("two"),
            NOON,
            replaces=active(store, 1),
            orphaned=lambda fact: fact not in (role("ann"), role("cyd")),
            seen=seen,
        )
    assert (caught.value.facts, caught.value.count) == ((str(role("bob")),), 1)
    assert store.policy("default", None).version == 1
    assert (
        store.publish("default", policy("two"), NOON, replaces=active(store, 1)).version.version
        == 2
    )


@promise
def a_policy_finds_the_orphans_that_live_on(world: World) -> None:
    """Whoever looked at all facts left this one out, as it had expired in the copy of before."""
    store = world.open()
    store.publish("default", policy("one"), NOON)
    write(store, *insert(role("ann"), until=world.instant(SECOND)))
    seen = store.head().revision
    write(store, *insert(role("ann")))
    world.passes(SECOND)
    with pytest.raises(FactsOrphaned):
        store.publish("default", policy("two"), NOON, orphaned=lambda _: True, seen=seen)


@promise
def a_policy_that_orphans_facts_names_them(world: World) -> None:
    store = world.open()
    write(store, *insert(*(role(f"u{number:02}") for number in range(25)), role("ann")))
    write(store, *insert(role("old"), until=world.instant(SECOND)))
    world.passes(SECOND)
    with pytest.raises(FactsOrphaned) as caught:
        store.publish(
            "default",
            policy("one"),
            NOON,
            replaces=active(store, 0),
            orphaned=lambda fact: fact != role("ann"),
        )
    assert caught.value.count == 25
    assert caught.value.facts == tuple(str(role(f"u{number:02}")) for number in range(10))
    assert store.head().revision == 2
    with pytest.raises(PolicyChanged):
        store.publish("default", policy("one"), NOON, replaces=active(store, 3))
    nothing = store.publish(
        "default", policy("one"), NOON, replaces=active(store, 0), orphaned=lambda _: False
    )
    assert nothing.version.version == 1
    same = store.publish(
        "default", policy("one"), NOON, replaces=active(store, 1), orphaned=lambda _: True
    )
    assert same == nothing


# Stores.


@promise
def stores_are_isolated(world: World) -> None:
    store = world.open()
    other = store.create_store("other")
    with pytest.raises(StoreExists):
        store.create_store("other")
    assert store.stores() == ("default", "other")
    write(store, *insert(role("ann")))
    token = write(store, *insert(role("bob")), name="other").token
    assert token.store == other.store == other.revision
    write(store, DeleteMatching(FactPattern()), name="other")
    store.publish("other", policy("one"), NOON)
    assert (facts_now(store), facts_now(store, "other")) == ({role("ann")}, set())
    assert store.policy_at("default", store.head().revision) is None


@promise
def a_deleted_store_is_gone_and_its_name_free(world: World) -> None:
    store = world.open()
    replica = Replica(store, tuple)
    replica.load()
    store.create_store("other")
    token = write(store, *insert(role("bob")), name="other").token
    replica.catch_up()
    assert set(replica.state("other").facts) == {role("bob")}
    store.delete_store("other")
    for call in (
        lambda: write(store, *insert(role("x")), name="other"),
        lambda: store.publish("other", policy("one"), NOON),
        lambda: store.read("other"),
        lambda: store.log("other", START),
        lambda: store.policy("other", None),
        lambda: store.delete_store("other"),
        lambda: store.check_token("other", token),
        lambda: replica.catch_up() or replica.state("other"),
    ):
        with pytest.raises(StoreNotFound):
            call()
    store.create_store("other")
    replica.catch_up()
    assert facts_now(store, "other") == set() == set(replica.state("other").facts)
    with pytest.raises(TokenOfAnotherStore):
        store.check_token("other", token)
    with pytest.raises(StoreProtected):
        store.delete_store("default")
    events = [(batch.store, batch.event) for batch in store.changes_after(START)]
    assert events == [
        ("other", StoreEvent.CREATED),
        ("other", None),
        ("other", StoreEvent.DELETED),
        ("other", StoreEvent.CREATED),
    ]
    world.passes(timedelta(days=31))
    store.compact()
    assert facts_now(store, "other") == set()
    replica.close()


# Tokens.


@promise
def tokens_are_checked(world: World) -> None:
    store = world.open()
    store.create_store("other")
    token = write(store, *insert(role("ann"))).token
    assert ConsistencyToken.parse(str(token)) == token
    assert store.check_token("default", token) == token.revision == 2
    with pytest.raises(TokenOfAnotherStore):
        store.check_token("other", token)
    with pytest.raises(RevisionUnknown):
        store.check_token("default", token._replace(revision=3))
    with pytest.raises(RevisionUnknown):
        store.check_token("default", token._replace(incarnation="00" * 8))
    text = str(token)
    for place, letter in enumerate(text):
        with pytest.raises(InvalidToken):
            ConsistencyToken.parse(
                text[:place] + ("B" if letter == "A" else "A") + text[place + 1 :]
            )
    for wrong in ("", text[:-1], text + "A", text + "=", text.lower(), " " + text, "\u00e9" * 39):
        with pytest.raises(InvalidToken):
            ConsistencyToken.parse(wrong)


@promise
def tokens_of_the_newer_life_are_refused_after_a_restore(world: World) -> None:
    """Facts and log are taken back to an earlier revision, as by a backup; new writes reuse the revisions."""
    store = world.open()
    old = write(store, *insert(role("ann"))).token
    lost = write(store, *insert(role("bob"))).token
    replica = Replica(store, tuple)
    replica.load()
    execute(
        store,
        "DELETE FROM changes WHERE revision = 2",
        "DELETE FROM facts WHERE created = 2",
        "UPDATE head SET revision = 1",
        "UPDATE stores SET revision = 1",
    )
    with pytest.raises(RevisionUnknown):
        store.check_token("default", lost)
    restored = world.open()
    before = restored.incarnation
    assert restored.begin_life() != before
    again = write(restored, *insert(role("cyd"))).token
    assert again.revision == lost.revision
    for token in (old, lost):
        with pytest.raises(RevisionUnknown):
            restored.check_token("default", token)
    assert restored.check_token("default", again) == 2
    with pytest.raises(ReplicaFault, match="restored"):
        replica.catch_up()
    replica.load()
    replica.catch_up()
    assert set(replica.state("default").facts) == {role("ann"), role("cyd")}
    assert replica.state("default").token == again
    replica.close()


# Reading and history.


@promise
def pages_show_each_fact_of_a_revision_once(world: World) -> None:
    store = world.open()
    facts = {Fact(f"p{number % 3}", (user(str(number)),)) for number in range(50)}
    revision = write(store, *insert(*facts)).revision
    seen: list[StoredFact] = []
    page = store.read("default", revision=revision, size=7)
    while True:
        seen += page.facts
        if not page.has_more:
            break
        # What is written between two pages does not show: neither what goes nor what comes.
        gone = [one.fact for one in seen[-3:]]
        write(store, *delete(*gone), *insert(Fact("p1", (user(f"new{len(seen)}"),))))
        page = store.read("default", revision=revision, after=seen[-1].fact, size=7)
        assert page.revision == revision
    assert len(seen) == 50
    assert {one.fact for one in seen} == facts
    assert [one.fact.predicate for one in seen] == sorted(one.fact.predicate for one in seen)


@promise
def an_export_is_of_one_revision(world: World) -> None:
    store = world.open()
    # Three pages, of which all but the first are read when the facts are gone.
    facts = {role(str(number)) for number in range(12_500)}
    write(store, *insert(*facts))
    export = store.export("default", roles(where="acme"))
    seen = [next(export).fact]
    write(store, DeleteMatching(roles()))
    seen += [one.fact for one in export]
    assert (len(seen), set(seen)) == (12_500, facts)
    assert (export.revision, facts_now(store)) == (1, set())


@promise
def an_export_ends_with_its_store_and_its_life(world: World) -> None:
    store = world.open()
    facts = insert(*(role(str(number)) for number in range(5_500)))
    for name, end, error in (
        ("deleted", lambda: store.delete_store("deleted"), StoreNotFound),
        (
            "made again",
            lambda: (store.delete_store("made again"), store.create_store("made again")),
            RevisionUnknown,
        ),
        ("restored", store.begin_life, RevisionUnknown),
    ):
        made = store.create_store(name)
        store.write(name, WriteRequest(facts))
        export = store.export(name)
        next(export)
        end()
        assert export.token[:2] == made[:2]
        with pytest.raises(error):
            list(export)


@promise
def the_past_can_be_asked(world: World) -> None:
    store = world.open()
    expected: list[set[Fact]] = [set()]
    times = [world.instant(-SECOND)]
    until = world.instant(timedelta(hours=1))
    for writes in (
        insert(role("ann"), role("bob")),
        delete(role("ann")),
        [*insert(role("ann")), *insert(role("cyd"), until=until)],
        insert(role("cyd")),
        [DeleteMatching(roles())],
        insert(role("ann")),
    ):
        write(store, *writes)
        facts = facts_now(store)
        expected.append(facts)
        times.append(world.instant())
        world.passes(SECOND)
    for revision, (facts, time) in enumerate(zip(expected, times, strict=True)):
        assert facts_now(store, revision=revision) == facts
        assert store.revision_at(time) == revision
        assert store.revision_at(time + 1) == revision
    # A question of the past has a time, too.
    assert role("cyd") not in facts_now(store, revision=3, instant=until)
    assert role("cyd") in facts_now(store, revision=4, instant=until)
    with pytest.raises(RevisionUnknown):
        store.read("default", revision=7)


@promise
def history_that_is_being_forgotten_is_not_told_any_more(world: World) -> None:
    """Rows of it are still there, and perhaps not all of a revision."""
    store = world.open()
    for name in ("ann", "bob"):
        write(store, *insert(role(name)))
        world.passes(SECOND)
    write(store, *insert(role("cyd")))
    forget = store._committer.submit(lambda pack: begin_compaction(pack, world.instant()))
    reached = forget.result()
    assert reached == 2
    for after in range(reached):
        with pytest.raises(Compacted):
            store.changes_after(Revision(after))
    [batch] = store.changes_after(reached)
    assert batch.inserted == {role("cyd")}


@promise
def history_is_kept_for_its_time(world: World) -> None:
    store = world.open()
    kept = timedelta(days=30)
    for number in range(5):
        write(store, *insert(role(f"u{number}")))
        store.publish("default", policy(f"{number}"), NOON)
        world.passes(timedelta(days=1))
        write(store, *delete(role(f"u{number}")))
    head = store.head().revision
    assert head == 15
    assert store.compact(kept) == 0
    past = {revision: facts_now(store, revision=revision) for revision in range(head + 1)}
    world.passes(timedelta(days=28))
    # Of the first two and a half days: u0 and u1 are gone, u2 was written and policy 2 published.
    horizon = store.compact(kept)
    assert horizon == 8
    assert store.compact(kept) == 8
    for revision in range(head + 1):
        if revision < horizon:
            for call in (
                lambda at=revision: store.read("default", revision=at),
                lambda at=revision: store.changes_after(at),
                lambda at=revision: store.log("default", at),
                lambda at=revision: store.policy_at("default", at),
            ):
                with pytest.raises(Compacted):
                    call()
        else:
            assert facts_now(store, revision=revision) == past[revision]
    assert store.policy_at("default", horizon).files == policy("2")
    assert store.policy("default", 3).files == policy("2")
    assert [batch.revision for batch in store.changes_after(horizon)] == list(range(9, 16))
    with pytest.raises(Compacted):
        store.revision_at(world.instant(-timedelta(days=32)))
    assert store.revision_at(world.instant(-timedelta(days=31))) == 8
    behind = Replica(store, tuple)
    with pytest.raises(ReplicaFault):
        behind.catch_up()
    behind.load()
    assert set(behind.state("default").facts) == facts_now(store) == set()
    behind.close()


@promise
def what_expires_costs_nothing_until_it_does(world: World) -> None:
    store = world.open()
    soon = world.instant(SECOND)
    write(store, *insert(role("ann"), until=soon), *insert(role("bob")))
    replica = Replica(store, tuple)
    replica.load()
    state = replica.state("default")
    assert state.facts_at(soon - 1) is state.facts
    assert state.facts_at(soon) is state.facts_at(soon + 5)
    assert isinstance(state.expiries, Expiries)
    assert set(state.facts_at(soon)) == set(FactSnapshot([role("bob")]))
    replica.close()
