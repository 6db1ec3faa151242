"""FactSnapshot: all facts of a store at one revision, immutable.

A snapshot never changes after it was made; a later revision is a new snapshot that shares the
predicates which the revision did not touch. Whoever holds one keeps a consistent view for as long
as it likes, without locks.
"""

from collections.abc import Iterable, Iterator, Mapping

from authz_service.facts.change import ChangeBatch
from authz_service.facts.fact import Fact, FactPattern


class FactSnapshot:
    """A set of facts, grouped by predicate. Applying a batch costs the predicates it touches."""

    __slots__ = ("_by_predicate",)

    def __init__(self, facts: Iterable[Fact] = ()) -> None:
        groups: dict[str, set[Fact]] = {}
        for fact in facts:
            groups.setdefault(fact.predicate, set()).add(fact)
        self._by_predicate: Mapping[str, frozenset[Fact]] = {
            predicate: frozenset(group) for predicate, group in groups.items()
        }

    def __contains__(self, fact: Fact) -> bool:
        return fact in self._by_predicate.get(fact.predicate, ())

    def __iter__(self) -> Iterator[Fact]:
        for group in self._by_predicate.values():
            yield from group

    def __len__(self) -> int:
        return sum(map(len, self._by_predicate.values()))

    def matching(self, pattern: FactPattern) -> Iterator[Fact]:
        """Yield the facts that match, in no particular order."""
        candidates: Iterable[Fact] = self
        if pattern.predicate is not None:
            candidates = self._by_predicate.get(pattern.predicate, frozenset())
        return (fact for fact in candidates if pattern.matches(fact))

    def with_facts(self, facts: Iterable[Fact]) -> "FactSnapshot":
        """Return this snapshot with `facts` added; for context facts, which hold for one question."""
        return self._changed(inserted=frozenset(facts), deleted=frozenset())

    def after(self, batch: ChangeBatch) -> "FactSnapshot":
        """Return the snapshot that `batch` turns this one into."""
        return self._changed(inserted=batch.inserted, deleted=batch.deleted)

    def _changed(self, *, inserted: frozenset[Fact], deleted: frozenset[Fact]) -> "FactSnapshot":
        groups = dict(self._by_predicate)
        for predicate in {fact.predicate for fact in inserted | deleted}:
            kept = groups.get(predicate, frozenset()).difference(deleted)
            groups[predicate] = kept.union(f for f in inserted if f.predicate == predicate)
        changed = FactSnapshot()
        changed._by_predicate = groups
        return changed
