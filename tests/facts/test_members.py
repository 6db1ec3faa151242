"""Collections of members against plain sets, of all sizes, changed again and again."""

from collections.abc import Mapping
from itertools import accumulate, chain

import pytest
from hypothesis import given
from hypothesis import strategies as st

from authz_service.facts.members import (
    MOST_COPIED,
    MOST_IN_TUPLE,
    Patched,
    changed,
    collecting,
    collection,
    settled,
)

SIZES = (0, 1, MOST_IN_TUPLE, MOST_IN_TUPLE + 1, MOST_COPIED, MOST_COPIED + 1, 8 * MOST_COPIED)
KINDS = (tuple, frozenset, Patched)


@given(
    st.sampled_from(SIZES),
    st.lists(st.dictionaries(st.integers(-20, 20), st.booleans(), max_size=6), max_size=8),
)
def test_changes(size: int, batches: list[Mapping[int, bool]]) -> None:
    members, model = collection(range(size)), set(range(size))
    for changes in batches:
        before, expected = members, set(model)
        members = changed(members, changes)
        model = (model - changes.keys()) | {member for member, is_in in changes.items() if is_in}
        for found, wanted in ((before, expected), (members, model), (settled(members), model)):
            assert isinstance(found, KINDS)
            assert (len(found), bool(found)) == (len(wanted), bool(wanted))
            assert sorted(found) == sorted(wanted)
            assert all((member in found) == (member in wanted) for member in range(-21, 22))
    assert not isinstance(settled(members), Patched)
    if isinstance(members, Patched):
        assert not isinstance(members.origin, Patched)


@given(
    st.dictionaries(st.integers(-20, 20), st.booleans(), max_size=30),
    st.frozensets(st.integers(-21, 21)) | st.just(frozenset(range(-5, 5 * MOST_COPIED))),
)
def test_members_in_common(changes: Mapping[int, bool], others: frozenset[int]) -> None:
    members = changed(collection(range(2 * MOST_COPIED)), {-30: True, **changes})
    assert isinstance(members, Patched)
    assert members.isdisjoint(others) == frozenset(members).isdisjoint(others)


GROUP = st.lists(st.integers(-4, 4), min_size=1, max_size=4) | st.lists(
    st.integers(0, 30), min_size=MOST_IN_TUPLE - 1, max_size=MOST_IN_TUPLE + 2
)


@given(groups=st.lists(GROUP | GROUP.map(sorted), max_size=6), may_repeat=st.booleans())
def test_collecting(groups: list[list[int]], *, may_repeat: bool) -> None:
    if not may_repeat:
        groups = [list(dict.fromkeys(group)) for group in groups]
    members = tuple(chain.from_iterable(groups))
    starts = list(accumulate(map(len, groups), initial=0))[:-1]

    found = collecting(may_repeat=may_repeat)(members, starts)

    wanted = [collection(list(dict.fromkeys(group))) for group in groups]
    assert found == wanted
    assert list(map(type, found)) == list(map(type, wanted))


def test_a_large_collection_is_not_copied() -> None:
    members = collection(range(MOST_COPIED + 1))
    one = changed(members, {-1: True})
    two = changed(one, {-1: False, 3: False})

    assert isinstance(two, Patched)
    assert two.origin is members
    assert (two.added, two.removed) == (frozenset(), frozenset({3}))
    assert changed(one, {-1: True, -2: False}) is one


@pytest.mark.parametrize("is_in", [True, False])
def test_patches_do_not_outgrow_what_they_are_over(is_in: bool) -> None:  # noqa: FBT001 - a case
    size = 2 * MOST_COPIED
    members = collection(range(size))
    for number in range(size // 2):
        members = changed(members, {-1 - number if is_in else number: is_in})
        if isinstance(members, Patched):
            assert len(members.added) + len(members.removed) <= len(members.origin) // 4
    assert len(members) == (size + size // 2 if is_in else size // 2)
