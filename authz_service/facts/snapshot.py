"""FactSnapshot: all facts of a store at one revision, immutable, with views for programs.

A snapshot is a base and one delta over it: the facts that hold and are not in the base, and those of the base
that hold no more. What was written and taken back since is in neither. The base of a question with context
facts is the snapshot itself. A later revision shares the base and the delta before it, and takes the views
along; `merged` makes a new base.

A snapshot never changes after it was made. Whoever holds one keeps a consistent view for as long as it
likes, from any thread, without locks. Snapshots that come of one another share a table of ids.
"""

from collections.abc import Iterable, Iterator, Mapping
from itertools import islice

from immutables import Map, MapMutation

from authz_service.facts.access import Demand
from authz_service.facts.change import ChangeBatch
from authz_service.facts.fact import Fact, FactPattern
from authz_service.facts.tables import Signature, Tables, signature_of
from authz_service.facts.value import Value
from authz_service.facts.view import Change, Changes, View, WholeView, view_of, with_rows
from authz_service.facts.work import Work, done

# A delta is in the way of questions, a merge copies the base. Measured by benchmarks/facts_in_memory.py.
_SMALL_DELTA = 4096
_DELTA_SHARE = 64

_KINDS_OF_DELTA = 100

_CHANGED_AT_ONCE = 200

_UNKNOWN = -1

_NO_DELTA: Changes = Map()


class FactSnapshot:
    """A set of facts."""

    __slots__ = ("_base", "_delta", "_size", "_views", "_wholes", "whole")

    def __init__(self, facts: Iterable[Fact] = ()) -> None:
        tables = Tables(facts)
        self._set(tables, _NO_DELTA, len(tables), {})

    def _set(
        self,
        base: "Tables | FactSnapshot",
        delta: Changes,
        size: int,
        views: dict[Demand, View],
    ) -> None:
        self._base = base
        self._delta = delta
        self._size = size
        self._views = views
        self._wholes: dict[Demand, WholeView] = {d: view.whole() for d, view in views.items()}
        # An attribute and no method, as every question calls it.
        self.whole = self._wholes.get
        """Return the view of a demand for reading what is built of it; None if nothing is."""

    @staticmethod
    def of(tables: Tables) -> "FactSnapshot":
        """Return the snapshot of `tables`, which nobody changes any more."""
        return FactSnapshot._made(tables, _NO_DELTA, len(tables), {})

    def __contains__(self, fact: Fact) -> bool:
        holds = self._delta.get(fact)
        return fact in self._base if holds is None else holds

    def __iter__(self) -> Iterator[Fact]:
        return self.matching(FactPattern())

    def __len__(self) -> int:
        if self._size == _UNKNOWN:
            return len(self._base) + sum(fact not in self._base for fact in self._delta)
        return self._size

    def matching(self, pattern: FactPattern) -> Iterator[Fact]:
        """Yield the facts that match, in no particular order.

        Costs a look at all facts of the predicate and at the delta; a fact without holes costs one look.
        """
        if self._delta:
            yield from (f for f in self._base.matching(pattern) if f not in self._delta)
            yield from (f for f, holds in self._delta.items() if holds and pattern.matches(f))
        else:
            yield from self._base.matching(pattern)

    def kinds(self, named: Iterable[Value]) -> Iterator[Fact | None]:
        """Yield at least one fact of each kind, and None between parts of about a millisecond.

        Of one kind are facts of a predicate that have, at each place, values of the same type, or the same one
        of the `named` values. Some of the facts can be gone, after a deletion.
        """
        yield from self._base.kinds(named)
        for number, (fact, holds) in enumerate(self._delta.items()):
            if holds:
                yield fact
            if number % _KINDS_OF_DELTA == 0:
                yield None

    def with_facts(self, facts: Iterable[Fact]) -> "FactSnapshot":
        """Return this snapshot with `facts` added; for context facts, which hold for one question.

        Costs the facts alone.
        """
        if isinstance(self._base, FactSnapshot):
            return self._base.with_facts((*self._delta, *facts))
        if not self._base.is_findable:
            # A question must not wait for that; a view finds out as well what is there already.
            return self._made(self, dict.fromkeys(facts, True), _UNKNOWN, {})
        added = {fact: True for fact in facts if fact not in self}
        return self._made(self, added, len(self) + len(added), {}) if added else self

    def after(self, batch: ChangeBatch) -> "FactSnapshot":
        """Return the snapshot that `batch` turns this one into. Costs the batch."""
        return self.changed(
            {
                **dict.fromkeys(batch.deleted, False),
                **dict.fromkeys(batch.expired, False),
                **dict.fromkeys(batch.inserted, True),
            }
        )

    def changed(self, changes: Changes) -> "FactSnapshot":
        """Return this snapshot with the facts that map to true, and without those that map to false.

        Costs the changes alone: a delta that thousands of facts were written to is shared, and not copied.
        """
        if isinstance(self._base, FactSnapshot):
            return self._base.changed({**self._delta, **changes})
        find, add, has = self._base.find, self._base.ids.add, self._base.has
        assert isinstance(self._delta, Map)
        delta: MapMutation[Fact, bool] = self._delta.mutate()
        changed: list[Change] = []
        size = self._size
        for fact, holds in changes.items():
            row = find(fact)
            before = delta.get(fact)
            was = (row is not None and has(signature_of(fact), row)) if before is None else before
            if was is holds:
                continue
            # INVARIANT: the delta has what is otherwise than in the base, so what changes again is as there.
            if before is None:
                delta[fact] = holds
            else:
                del delta[fact]
            size += 1 if holds else -1
            changed.append((fact, tuple(map(add, fact.args)) if row is None else row, holds))
        if not changed:
            return self
        finished = delta.finish()
        views = {demand: v.after(changed, finished) for demand, v in self._views.copy().items()}
        return self._made(self._base, finished, size, views)

    def view(self, demand: Demand) -> View:
        """Return what the program of `demand` sees; its paths are built on first use."""
        view = self._views.get(demand)
        if view is None:
            view = self._views.setdefault(demand, self._view(demand))
            self._wholes[demand] = view.whole()
        return view

    def _view(self, demand: Demand) -> View:
        if isinstance(self._base, FactSnapshot):
            return self._base.view(demand).with_facts(self._delta)
        view = view_of(self._base, demand)
        return view.after(with_rows(self._delta, view.ids), self._delta) if self._delta else view

    def prepared(self, demand: Demand | None) -> "FactSnapshot":
        """Return this snapshot with all that is demanded so far built, and without other views."""
        if demand is None:
            return self._made(self._base, self._delta, self._size, {})
        view = self.view(demand)
        view.complete()
        return self._made(self._base, self._delta, self._size, {demand: view})

    def preparing(self, demand: Demand | None) -> Iterator[None]:
        """Build what is demanded so far, and yield between parts of about a millisecond.

        Snapshots that come of this one share what is built, so that `prepared` has little left to do for them.
        """
        if demand is not None:
            yield from self.view(demand).completing()

    def walking(self, demand: Demand) -> Iterator[None]:
        """Find what walks come to before questions need it, and yield between parts of about a millisecond.

        Snapshots that come of this one share it, up to a change that such walks pass.
        """
        return self.view(demand).walking()

    def gathering(self, positions: Mapping[Signature, int]) -> Work[Tables]:
        """Return all facts as tables, which nobody may change. Not for a question's context facts.

        Those with the same value at the position of their table stand together.
        """
        tables = self._base
        assert isinstance(tables, Tables)
        if self._delta:
            tables = yield from tables.changing(self._delta)
        return (yield from tables.gathering(positions))

    def findable(self) -> None:
        """Make sure that facts can be looked up, as each change needs. Takes a second for a million, once."""
        self._base.findable()

    def finding(self) -> Iterator[None]:
        """Do what `findable` does, and yield between parts of about a millisecond."""
        return self._base.finding()

    @property
    def merge_due(self) -> float:
        """How much was written, where above 1 `merged` pays."""
        delta = len(self._delta)
        return delta / max(_SMALL_DELTA, (len(self) - delta) // _DELTA_SHARE)

    def merged(self) -> "FactSnapshot":
        """Return the same facts without a delta, and with the views.

        Costs a copy of what was touched. When so many values came that most ids may be of values that are
        gone, all is made anew, and the ids are others.
        """
        return done(self.merging())

    def merging(self) -> Work["FactSnapshot"]:
        """Do what `merged` does, and yield between parts of about a millisecond."""
        if isinstance(self._base, FactSnapshot):
            return (yield from self._base.changed(self._delta).merging())
        if not self._delta:
            return self
        if self._base.is_outgrown:
            return self._made_anew()
        tables = yield from self._base.changing(self._delta)
        views = {}
        for demand, view in self._views.copy().items():
            views[demand] = yield from view.merging(tables)
        return self._made(tables, _NO_DELTA, self._size, views)

    def _made_anew(self) -> "FactSnapshot":
        """Return the same facts and views with a table of ids that has no other values than theirs."""
        anew = FactSnapshot(self)
        for demand, view in self._views.copy().items():
            anew.view(demand).complete(view.built())
        return anew

    def rebasing(self, merged: "FactSnapshot", origin: "FactSnapshot") -> Work["FactSnapshot"]:
        """Return this snapshot, `origin` after some writes, over `merged`, which has the facts of `origin`.

        Costs what was written after `origin`, and what was built of the views since.
        """
        before = origin._delta  # noqa: SLF001 - its own kind
        since = {f: holds for f, holds in self._delta.items() if before.get(f) is not holds}
        yield
        since |= {f: not holds for f, holds in before.items() if f not in self._delta}
        yield
        rebased = merged
        left = iter(since.items())
        while some := dict(islice(left, _CHANGED_AT_ONCE)):
            rebased = rebased.changed(some)
            yield
        for demand, view in self._views.copy().items():
            yield from rebased.view(demand).completing(view.built())
        return rebased

    @staticmethod
    def _made(
        base: "Tables | FactSnapshot", delta: Changes, size: int, views: dict[Demand, View]
    ) -> "FactSnapshot":
        made = FactSnapshot.__new__(FactSnapshot)
        made._set(base, delta, size, views)  # noqa: SLF001 - its own kind
        return made
