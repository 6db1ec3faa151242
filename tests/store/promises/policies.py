"""What writes and policies promise each other."""

import pytest
from world import (
    NOON,
    SECOND,
    World,
    delete,
    facts_now,
    insert,
    policy,
    role,
    write,
)

from authz_service.errors import (
    FactsOrphaned,
    PolicyChanged,
)
from authz_service.facts.change import (
    WriteRequest,
)
from authz_service.store.fact_store import FactStore
from authz_service.store.pack import ActiveVersion
from promises.promise import promise


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
