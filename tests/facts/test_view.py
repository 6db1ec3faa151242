"""What views cost: what no change touches is shared, and read without a call of ours."""

from collections.abc import Callable
from random import Random

import pytest

from authz_service.facts import grouping, view
from authz_service.facts import index as index_module
from authz_service.facts.access import AccessPath, Demand
from authz_service.facts.fact import Fact
from authz_service.facts.snapshot import FactSnapshot
from authz_service.facts.tables import Tables
from authz_service.facts.value import Value, string
from authz_service.facts.view import Reached
from authz_service.facts.work import done


def accepts(_: Fact) -> bool:
    return True


def fact(predicate: str, *names: str) -> Fact:
    return Fact(predicate, tuple(Value("User", name) for name in names))


DEMAND = Demand(accepts, frozenset())
LIKES = DEMAND.name(AccessPath("likes", 2, (), (0,)))
KNOWS = DEMAND.name(AccessPath("knows", 2, (), (0, 1)))
STORED = FactSnapshot([fact("likes", "a", "b"), fact("knows", "a", "b")]).prepared(DEMAND)


def index(snapshot: FactSnapshot, name: str) -> object:
    """Return the dict that a path is read from, if it is read without a function of ours."""
    get: Callable[..., object] = vars(snapshot.view(DEMAND))[name]
    return getattr(get, "__self__", None)


def test_untouched_paths_are_read_from_the_dict_itself() -> None:
    written = STORED.changed({fact("likes", "a", "c"): True})
    asked = written.with_facts([fact("likes", "a", "d")])

    assert isinstance(index(STORED, LIKES), dict)
    assert index(written, LIKES) is None
    assert index(STORED, KNOWS) is index(written, KNOWS) is index(asked, KNOWS)
    assert LIKES not in vars(asked.view(DEMAND))


def test_a_merge_shares_what_was_not_touched_and_carries_the_views() -> None:
    merged = STORED.changed({fact("likes", "a", "c"): True}).merged()

    assert index(merged, KNOWS) is index(STORED, KNOWS)
    assert isinstance(index(merged, LIKES), dict)
    assert index(merged, LIKES) is not index(STORED, LIKES)


def test_what_changes_nothing_makes_nothing() -> None:
    there, absent = fact("likes", "a", "b"), fact("likes", "b", "a")

    assert STORED.changed({there: True, absent: False}) is STORED
    assert STORED.with_facts([there]) is STORED
    assert STORED.merged() is STORED


def test_a_context_of_any_depth_is_one_step_away() -> None:
    asked = STORED
    for number in range(500):
        asked = asked.with_facts([fact("likes", "a", str(number))])

    view = asked.view(DEMAND)
    assert len(getattr(view, LIKES)(view.ids.find(Value("User", "a")), ())) == 501


def test_writes_of_any_number_are_one_step_away() -> None:
    written = STORED
    for number in range(2000):
        written = written.changed({fact("likes", "a", str(number)): True})

    view = written.view(DEMAND)
    assert len(getattr(view, LIKES)(view.ids.find(Value("User", "a")), ())) == 2001


def test_what_was_merged_may_have_changed_again_meanwhile() -> None:
    added, removed = fact("likes", "a", "c"), fact("likes", "a", "b")
    origin = STORED.changed({added: True, removed: False})
    later = origin.changed({added: False, removed: True})
    rebased = done(later.rebasing(origin.merged(), origin))

    assert set(rebased) == set(STORED)
    view = rebased.view(DEMAND)
    liked = getattr(view, LIKES)(view.ids.find(Value("User", "a")), ())
    assert list(map(view.ids.value, liked)) == [Value("User", "b")]


def test_facts_of_new_values_need_not_be_looked_up() -> None:
    stored = FactSnapshot([fact("likes", "a", "b")])
    loaded = FactSnapshot.of(done(stored.gathering({("likes", 2): 0})))
    ids = done(loaded.gathering({})).ids
    before = len(ids)
    written = loaded.changed({fact("likes", "a", "new"): True, fact("likes", "a", "never"): False})
    assert not done(loaded.gathering({})).is_findable
    assert len(written) == 2
    assert len(ids) == before + 1

    assert written.changed({fact("likes", "a", "b"): True}) is written
    assert done(loaded.gathering({})).is_findable


def test_what_is_reached_is_bounded(monkeypatch):
    monkeypatch.setattr(view, "_MOST_REACHED", 1000)
    reached = Reached()
    for start in range(2000):
        reached.keep(start, {start})
        assert reached.get(start) == {start}
    kept = [start for start in range(2000) if reached.get(start) is not None]
    assert kept == list(range(kept[0], 2000))
    assert len(kept) <= 1000
    reached.keep(-1, set(range(11)))
    assert reached.get(-1) is None
    for start in range(100):
        reached.keep(start, {start})
    assert reached._dropped == []


@pytest.mark.parametrize("key", [0, 2])
@pytest.mark.parametrize("rows", [2, 3, 2048])
def test_the_order_of_rows_does_not_matter(
    monkeypatch: pytest.MonkeyPatch, key: int, rows: int
) -> None:
    monkeypatch.setattr(index_module, "PART_ROWS", rows)
    monkeypatch.setattr(grouping, "PART_ROWS", rows)
    monkeypatch.setattr(grouping, "_BUCKET", 1)
    roles = tuple(map(string, ("reader", "writer", "other")))
    users = [Value("User", str(number)) for number in range(25)]
    some = [
        Fact("role", (users[one], role, users[other]))
        for one in range(25)
        for other in range(one)
        for role in roles[one % 3 :]
    ]
    demand = Demand(accepts, frozenset(roles))
    wanted = frozenset(roles[:2])
    name = demand.name(AccessPath("role", 3, ((1, wanted),), (key,)))
    expected: dict[Value, set[Value]] = {user: set() for user in users}
    for fact in some:
        if fact.args[1] in wanted:
            expected[fact.args[key]].add(fact.args[2 - key])

    tables = Tables(Random(1).sample(some, len(some)))
    for one in (tables, done(tables.gathering({("role", 3): key}))):
        seen = FactSnapshot.of(one).view(demand)
        for user in users:
            found = getattr(seen, name)(seen.ids.find(user), ())
            assert len(found) == len(set(found))
            assert set(map(seen.ids.value, found)) == expected[user]


def test_what_was_taken_back_leaves_nothing() -> None:
    added = STORED.changed({fact("likes", "a", "c"): True})
    removed = STORED.changed({fact("likes", "a", "b"): False})

    for back in (
        added.changed({fact("likes", "a", "c"): False}),
        removed.changed({fact("likes", "a", "b"): True}),
    ):
        # Without a delta there is nothing to merge.
        assert back.merged() is back
        assert set(back) == set(STORED)


def test_a_merge_has_parts() -> None:
    people = [f"p{number}" for number in range(1000)]
    written = STORED.changed({fact("likes", "a", name): True for name in people})
    parts = 0

    def count() -> None:
        nonlocal parts
        parts += 1

    merged = done(written.merging(), count)
    assert set(merged) == set(written)
    assert parts > len(people) / 100
