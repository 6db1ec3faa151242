"""What stores promise, and the tokens that name a state of one."""

from datetime import timedelta

import pytest
from world import (
    NOON,
    START,
    World,
    execute,
    facts_now,
    insert,
    policy,
    role,
    write,
)

from authz_service.errors import (
    InvalidToken,
    RevisionUnknown,
    StoreExists,
    StoreNotFound,
    StoreProtected,
    TokenOfAnotherStore,
)
from authz_service.facts.change import (
    DeleteMatching,
    StoreEvent,
)
from authz_service.facts.fact import FactPattern
from authz_service.facts.revision import ConsistencyToken
from authz_service.replica.replica import Replica, ReplicaFault
from promises.promise import promise


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
