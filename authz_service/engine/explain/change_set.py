"""Change sets: facts to add and to remove, and facts with such changes made."""

from collections.abc import Iterator
from itertools import combinations
from typing import NamedTuple

from authz_service.facts.fact import Fact
from authz_service.facts.snapshot import FactSnapshot


class Change(NamedTuple):
    """A fact to add, or to remove."""

    fact: Fact
    is_added: bool


ChangeSet = frozenset[Change]


def changed(facts: FactSnapshot, changes: ChangeSet) -> FactSnapshot:
    """Return the facts with the changes made."""
    if not changes:
        return facts
    if all(change.is_added for change in changes):
        return facts.with_facts(change.fact for change in changes)
    return facts.changed({change.fact: change.is_added for change in changes})


def proper_parts(changes: ChangeSet) -> Iterator[ChangeSet]:
    for size in range(1, len(changes)):
        for part in combinations(sorted(changes, key=in_order), size):
            yield frozenset(part)


def in_order(change: Change) -> tuple[bool, Fact]:
    return change.is_added, change.fact
