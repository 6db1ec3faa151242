"""What reading promises: pages, exports and the past."""

from datetime import timedelta

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
    roles,
    user,
    write,
)

from authz_service.errors import (
    Compacted,
    RevisionUnknown,
    StoreNotFound,
)
from authz_service.facts.change import (
    DeleteMatching,
    StoredFact,
    WriteRequest,
)
from authz_service.facts.expiry import Expiries
from authz_service.facts.fact import Fact
from authz_service.facts.revision import Revision
from authz_service.facts.snapshot import FactSnapshot
from authz_service.replica.replica import Replica, ReplicaFault
from authz_service.store.upkeep import begin_compaction
from promises.promise import promise


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
