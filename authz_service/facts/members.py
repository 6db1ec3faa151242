"""Collections of members: what an index keeps for one key. Immutable, each member once.

Three kinds, by size: a tuple while looking through it costs no more than hashing, a frozenset beyond,
and over a frozenset too large to copy the changes to it.
"""

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from itertools import chain, filterfalse
from operator import ge

Member = int | tuple[int, ...]
Members = Collection[Member]

NONE: Members = ()
ONCE: Members = ((),)
"""Of a path without members: the fact holds."""

# Measured by benchmarks/facts_in_memory.py.
MOST_IN_TUPLE = 12
MOST_COPIED = 1024

_MOST_SHARED = 1 << 16
"""So many collections of one member are known by it, to be found again."""


def collection(members: Sequence[Member]) -> Members:
    """Return `members`, which are distinct, as the smaller or faster of a tuple and a frozenset."""
    return tuple(members) if len(members) <= MOST_IN_TUPLE else frozenset(members)


Collecting = Callable[[tuple[Member, ...], Sequence[int]], list[Members]]


def collecting(*, may_repeat: bool) -> Collecting:
    """Return what makes the collections of an index, many at a time, of members in groups.

    The groups follow each other; it is told where each starts, and none is empty. Of the same single member
    collections are mostly one object. Members that may repeat in a group count once.
    """
    shared: dict[Member, Members] = {}

    def collected(members: tuple[Member, ...], starts: Sequence[int]) -> list[Members]:
        if len(shared) > _MOST_SHARED:
            shared.clear()
        if len(starts) == len(members):
            return list(map(shared.setdefault, members, zip(members, strict=True)))
        ends = [*starts[1:], len(members)]
        groups = list(map(members.__getitem__, map(slice, starts, ends)))
        if may_repeat and not _ascend(members, starts):
            groups = [tuple(dict.fromkeys(group)) for group in groups]
        sizes = set(map(len, groups))
        if min(sizes) > 1 and max(sizes) <= MOST_IN_TUPLE:
            return list[Members](groups)
        return [
            group
            if 1 < len(group) <= MOST_IN_TUPLE
            else shared.setdefault(group[0], group)
            if len(group) == 1
            else frozenset(group)
            for group in groups
        ]

    return collected


def _ascend(members: Sequence[Member], starts: Sequence[int]) -> bool:
    """Say whether each member is greater than the one before in its group, so that none is there twice.

    Rows in the order of the database pass, and it costs a fraction of looking for repetitions.
    """
    falls = bytes(map(ge, members, members[1:]))
    return falls.count(1) == sum(map(falls.__getitem__, [start - 1 for start in starts[1:]]))


def changed(members: Members, changes: Mapping[Member, bool]) -> Members:
    """Return `members` with those that map to true and without those that map to false.

    Costs the size of a small collection, and of all changes so far to a large one.
    """
    if len(changes) == 1 and isinstance(members, tuple):
        # Most changes are of this kind: one more or less among a few.
        ((member, is_in),) = changes.items()
        if (member in members) is is_in:
            return members
        return collection((*members, member) if is_in else [m for m in members if m != member])
    added = [member for member, is_in in changes.items() if is_in and member not in members]
    removed = [member for member, is_in in changes.items() if not is_in and member in members]
    if not added and not removed:
        return members
    if len(members) > MOST_COPIED:
        return _patched(members, frozenset(added), frozenset(removed))
    kept = filterfalse(frozenset(removed).__contains__, members) if removed else members
    return collection([*kept, *added])


def is_same(members: Members, others: Members) -> bool:
    """Say whether two collections have the same members. Costs nothing if one is over the other."""
    if members is others:
        return True
    if len(members) != len(others) or isinstance(members, Patched) or isinstance(others, Patched):
        return False
    return frozenset(members) == frozenset(others)


def settled(members: Members) -> Members:
    """Return `members` as they would be, had they never been changed."""
    return collection(tuple(members)) if isinstance(members, Patched) else members


class Patched(Collection[Member]):
    """A large collection with few changes: `added` are not in `origin`, `removed` all are."""

    __slots__ = ("added", "origin", "removed")

    def __init__(
        self, origin: frozenset[Member], added: frozenset[Member], removed: frozenset[Member]
    ) -> None:
        self.origin = origin
        self.added = added
        self.removed = removed

    def __contains__(self, member: object) -> bool:
        return member in self.added or (member in self.origin and member not in self.removed)

    def __iter__(self) -> Iterator[Member]:
        return chain(filterfalse(self.removed.__contains__, self.origin), self.added)

    def isdisjoint(self, others: AbstractSet[Member]) -> bool:
        """Say whether it has nothing of `others`. Costs the smaller one."""
        if not self.added.isdisjoint(others):
            return False
        origin = self.origin
        return origin.isdisjoint(others) or others & origin <= self.removed

    def __len__(self) -> int:
        return len(self.origin) + len(self.added) - len(self.removed)


def _patched(members: Members, added: frozenset[Member], removed: frozenset[Member]) -> Members:
    """Return `members`, changed; patches do not nest, and do not outgrow what they are over."""
    if isinstance(members, Patched):
        origin = members.origin
        added, removed = (
            (members.added - removed) | (added - members.removed),
            (members.removed - added) | (removed - members.added),
        )
    else:
        assert isinstance(members, frozenset)
        origin = members
    if not added and not removed:
        return origin
    patched = Patched(origin, added, removed)
    return patched if len(added) + len(removed) <= len(origin) // 4 else settled(patched)
