"""What views cost: what no change touches is shared, and read without a call of ours."""

from collections.abc import Callable

from authz_service.facts import view
from authz_service.facts.access import AccessPath, Demand
from authz_service.facts.fact import Fact
from authz_service.facts.snapshot import FactSnapshot
from authz_service.facts.value import Value
from authz_service.facts.view import Reached


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
    rebased = later.rebased(origin.merged(), origin)

    assert set(rebased) == set(STORED)
    view = rebased.view(DEMAND)
    liked = getattr(view, LIKES)(view.ids.find(Value("User", "a")), ())
    assert list(map(view.ids.value, liked)) == [Value("User", "b")]


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
