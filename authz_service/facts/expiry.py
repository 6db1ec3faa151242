"""Expiries: when the facts of one state of a store expire, and the snapshot of those that still count.

Rule 1: a fact does not count at its expiry or later, whether or not it was removed from the store.
Rule 2: as long as nothing has expired, that costs one comparison of integers.
Rule 3: what has expired is taken out of the snapshot once, and not for each question.
Like snapshots, expiries never change: a base in order of time, and the changes since it was made.
"""

from bisect import bisect_right
from collections.abc import Iterator, Mapping, Sequence
from itertools import takewhile
from typing import NamedTuple

from authz_service.facts.change import ChangeBatch
from authz_service.facts.fact import Fact
from authz_service.facts.instant import NEVER, Instant
from authz_service.facts.snapshot import FactSnapshot

# A change copies the changes before it; a new base sorts all.
_FEW_CHANGES = 1024
_CHANGES_SHARE = 16


class _Remaining(NamedTuple):
    """What was derived last, of which snapshot: it holds from one instant on, until before the other."""

    since: Instant
    until: Instant
    origin: FactSnapshot | None
    facts: FactSnapshot | None


class Expiries:
    """The expiries of facts; those that never expire are not in it."""

    __slots__ = ("_base", "_changes", "_order", "_remaining", "next")

    def __init__(self, expiries: Mapping[Fact, Instant] | None = None) -> None:
        base = dict(expiries or {})
        self._set(base, sorted((at, fact) for fact, at in base.items()), {})

    def _set(
        self,
        base: Mapping[Fact, Instant],
        order: Sequence[tuple[Instant, Fact]],
        changes: Mapping[Fact, Instant | None],
    ) -> None:
        self._base = base
        self._order = order
        self._changes = changes
        self._remaining = _Remaining(NEVER, NEVER, None, None)
        self.next: Instant = min(
            next((at for at, fact in order if fact not in changes), NEVER),
            min((at for at in changes.values() if at is not None), default=NEVER),
        )
        """When the first of the facts expires or has expired."""

    def after(self, batch: ChangeBatch) -> "Expiries":
        """Return the expiries that `batch` turns these into. Costs the batch and the changes before."""
        touched: dict[Fact, Instant | None] = {
            fact: None
            for fact in (*batch.deleted, *batch.expired, *batch.inserted)
            if fact in self._base or fact in self._changes
        }
        if not touched and not batch.expiries:
            return self
        changes = {**self._changes, **touched, **batch.expiries}
        if len(changes) > _FEW_CHANGES + len(self._base) // _CHANGES_SHARE:
            merged = {**self._base, **changes}
            return Expiries({fact: at for fact, at in merged.items() if at is not None})
        after = Expiries()
        after._set(self._base, self._order, changes)
        return after

    def of(self, fact: Fact) -> Instant | None:
        """Return when `fact`, which is stored, expires; None for never."""
        return self._changes[fact] if fact in self._changes else self._base.get(fact)

    def all(self) -> dict[Fact, Instant]:
        """Return the expiry of each fact that has one. Costs a copy."""
        merged = {**self._base, **self._changes}
        return {fact: at for fact, at in merged.items() if at is not None}

    def expired(self, instant: Instant) -> Iterator[Fact]:
        """Yield the facts that do not count at `instant` any more."""
        for _, fact in takewhile(lambda timed: timed[0] <= instant, self._order):
            if fact not in self._changes:
                yield fact
        for fact, at in self._changes.items():
            if at is not None and at <= instant:
                yield fact

    def is_quick(self, facts: FactSnapshot, instant: Instant, most: int) -> bool:
        """Say whether `remaining` at `instant` looks at no more than `most` facts."""
        kept = self._remaining
        if instant < self.next or (kept.origin is facts and kept.since <= instant < kept.until):
            return True
        ready = bisect_right(self._order, instant, key=lambda timed: timed[0])
        return ready + len(self._changes) <= most

    def remaining(self, facts: FactSnapshot, instant: Instant) -> FactSnapshot:
        """Return `facts`, which these expiries are of, without what has expired at `instant`."""
        if instant < self.next:
            return facts
        kept = self._remaining
        if kept.facts is None or kept.origin is not facts or not kept.since <= instant < kept.until:
            remaining = facts.changed(dict.fromkeys(self.expired(instant), False))
            # Threads that race to derive it derive the same.
            self._remaining = _Remaining(instant, self._next_after(instant), facts, remaining)
            return remaining
        return kept.facts

    def _next_after(self, instant: Instant) -> Instant:
        start = bisect_right(self._order, instant, key=lambda timed: timed[0])
        following = (at for at, f in self._order[start : start + 1])
        # INVARIANT: too early at the worst, if the first in the base has another expiry by now.
        changed = (at for at in self._changes.values() if at is not None and at > instant)
        return min(next(following, NEVER), min(changed, default=NEVER))
