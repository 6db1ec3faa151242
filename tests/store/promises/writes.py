"""What writes promise: what each does, preconditions, and retries with a key."""

from datetime import timedelta

import pytest
from world import (
    SECOND,
    START,
    World,
    delete,
    exactly,
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
    ExpiryPassed,
    IdempotencyKeyReused,
    PreconditionFailed,
)
from authz_service.facts.change import (
    About,
    DeleteMatching,
    Insert,
    MustExist,
    MustNotExist,
    Replace,
    WriteOutcome,
    WriteRequest,
    WriteResult,
)
from authz_service.facts.fact import Fact, FactPattern
from authz_service.facts.value import string
from promises.promise import promise


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
