"""View: what one program sees of one snapshot, ready for generated code.

For each access path of the program's demand a view has an attribute of the path's name:

    key of one position         view.NAME(id, ()) -> the members of that id, or ()
    key of several positions    view.NAME((id, id), ()) -> the members of these ids together, or ()
    no key                      view.NAME is the collection of members

Members are ids; tuples of ids where several positions are neither fixed nor given; the empty tuple, once,
where none is. `members` says what collections of them can do.

Rule 1: what a view shows never changes. An attribute that is missing is built on first use, at the cost of
    a look at all facts of its predicate; threads that race to build it build the same.
Rule 2: of a path that no change touches, an attribute is the bound `get` of the base's dict. Of a touched
    one it is a function over that and a map of what is otherwise, one more for context facts, however many
    changes there were.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from contextlib import suppress
from functools import lru_cache
from operator import length_hint
from typing import Any, cast

from immutables import Map

from authz_service.facts.access import AccessPath, Demand
from authz_service.facts.fact import Fact
from authz_service.facts.grouping import Index, Key
from authz_service.facts.ids import Ids
from authz_service.facts.index import Indexes, projection
from authz_service.facts.members import NONE, Member, Members, changed, is_same, settled
from authz_service.facts.rows import Row
from authz_service.facts.tables import Signature, Tables, signature_of
from authz_service.facts.work import Work

Changes = Mapping[Fact, bool]
"""What became of facts: they hold from now on, or no more."""

_MOST_REACHED = 1_000_000
"""So many ids are kept of one kind of walk; a set of ids takes 60 bytes for each ..."""

_OF_A_SET = 5
"""... and as much as for so many for itself."""

FEW_STARTS = 2_000
"""What walks come to from so few values of a type is found where indexes are built. Cedar closes the hierarchy
of its entities when they are loaded, too."""

MOST_STARTS = 200_000
"""From so many it is found beside the questions, which do not wait for it ..."""

_STEPS_OF_START = 1000
"""... if it takes no more steps from one of them, ..."""

_STEPS_AT_ALL = 20_000
_STEPS_FOR_EACH = 40
"""... and from all of them no more than so many, and these for each."""

_STEPS_AT_ONCE = 2000
"""They take about a millisecond."""

Get = Callable[[Key, Members], Members]
_Groups = Mapping[Key, Mapping[Member, bool]]

_Replaced = Map[Key, Members]
_NOTHING_REPLACED: _Replaced = Map()

Change = tuple[Fact, Row, bool]
"""What became of one fact, and the ids of its values."""


def view_of(tables: Tables, demand: Demand, indexes: Indexes | None = None) -> "View":
    """Return the view of these facts; nothing of it is built yet but `indexes`.

    Gives ids to the program's literals and numbers to its types: a question that came across them first
    would number them for itself alone.
    """
    for value in demand.named or ():
        tables.ids.add(value)
    for name in demand.type_names:
        tables.ids.type_number(name)
    source = _Written(indexes or Indexes(tables, demand), {}, {})
    return View(tables.ids, demand, source, {"ready": {}})


class Reached:
    """What walks along facts have found behind a value. Bounded; views share it while those facts are the same.

    Only sets that are complete are kept, and they are never changed.
    """

    __slots__ = ("_dropped", "_found", "_size", "get")

    def __init__(self) -> None:
        self._found: dict[int, AbstractSet[int]] = {}
        self._dropped: list[AbstractSet[int]] = []
        self._size = 0
        self.get = self._found.get
        """Return what is behind an id, itself included; None if that is not known."""

    @property
    def has_room(self) -> bool:
        """Whether nothing is dropped soon for what is kept now."""
        return self._size < _MOST_REACHED - _MOST_REACHED // 10

    def keep(self, start: int, found: AbstractSet[int]) -> None:
        """Remember that `found` is all that is behind `start`."""
        if len(found) > _MOST_REACHED // 100:
            return
        # To free all at once would stop everybody for a while.
        del self._dropped[-4:]
        if self._size > _MOST_REACHED:
            self._dropped = list(self._found.values())
            self._found, self._size = {}, 0
            self.get = self._found.get
        self._size += len(found) + _OF_A_SET
        self._found[start] = found


Ready = dict[str, dict[str, dict[str, tuple[Any, ...]]]]
"""By the type of a resource, an action and the type of an actor; to make and hash a tuple takes longer."""


class WholeView:
    """A view that builds nothing: what is missing raises AttributeError.

    CPython 3.11 reads an attribute in a quarter of the time from a class without `__getattr__`.
    """

    ids: Ids
    ready: Ready | None
    """What the program keeps here under what it has built all of; None if that is not worth it."""


class View(WholeView):
    """See the module. All attributes but `ids`, `ready` and the paths are private."""

    _demand: Demand
    _source: "_Written | _Asked"

    def __init__(
        self,
        ids: Ids,
        demand: Demand,
        source: "_Written | _Asked",
        paths: Mapping[str, object] = {},
    ) -> None:
        # One dict, assigned: CPython 3.12 reads it three times as fast as attributes set one by one.
        self.__dict__ = {**paths, "ids": ids, "_demand": demand, "_source": source}

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401 - of as many types as there are names
        demand: Demand | None = self.__dict__.get("_demand")
        built: object
        if demand is None:
            raise AttributeError(name)
        if name in demand.paths:
            built = self._source.build(self, name, demand.paths[name])
        elif name in demand.constants:
            built = self.ids.constant(demand.constants[name])
        elif name in demand.reaches:
            built = Reached()
        else:
            raise AttributeError(name)
        self.__dict__[name] = built
        return built

    def whole(self) -> WholeView:
        """Return the same view, for reading what is built."""
        whole = WholeView()
        whole.__dict__ = self.__dict__
        return whole

    def kept(self, resource_type: str, action: str) -> dict[str, tuple[Any, ...]]:
        """Return what of `ready` is about these, for each type of actors, to be added to."""
        assert self.ready is not None
        return self.ready.setdefault(resource_type, {}).setdefault(action, {})

    def built(self) -> tuple[str, ...]:
        """Return the names of the paths that are built."""
        return tuple(name for name in self._demand.names() if name in self.__dict__)

    def complete(self, names: Iterable[str] | None = None) -> None:
        """Build what is missing of `names`, or of all that is demanded so far."""
        for _ in self.completing(names):
            pass

    def completing(self, names: Iterable[str] | None = None) -> Iterator[None]:
        """Do what `complete` does, and yield between parts of about a millisecond."""
        demand = self._demand
        wanted = (*demand.names(), *demand.reaches) if names is None else names
        missing = [name for name in wanted if name not in self.__dict__]
        for name in missing:
            if name not in demand.reaches:
                if name in demand.paths:
                    yield from self._source.building(name)
                getattr(self, name)
                yield
        # Walks look up what is built now.
        for name in missing:
            if name in demand.reaches:
                yield from self._walking(name, FEW_STARTS)

    def walking(self) -> Iterator[None]:
        """Find what walks come to before questions need it, and yield between parts of about a millisecond.

        Costs some 10 us for each value that walks begin with, `MOST_STARTS` of a type at most.
        """
        for name in [*self._demand.reaches]:
            yield from self._walking(name, MOST_STARTS)

    def _walking(self, name: str, most_starts: int) -> Iterator[None]:
        """Find what walks come to, as far as that is little and the view keeps it."""
        reached = getattr(self, name)
        walks = self._demand.walks.get(name, ())
        starts = [
            (walk.find, start)
            for walk in walks
            for type_ in walk.types
            for start in self.ids.few_of_type(type_, most_starts)
        ]
        left = _STEPS_AT_ALL + _STEPS_FOR_EACH * len(starts)
        since = 0
        for find, start in starts:
            if left <= 0 or not reached.has_room:
                return
            if reached.get(start) is None:
                steps = iter(range(_STEPS_OF_START))
                # What needs more is left to the question that needs it.
                with suppress(StopIteration):
                    find(self, steps, start, {})
                taken = _STEPS_OF_START - length_hint(steps)
                left -= taken
                since += taken
            if since > _STEPS_AT_ONCE:
                since = 0
                yield

    def after(self, changes: Iterable[Change], since_base: Changes) -> "View":
        """Return the view after `changes`; `since_base` are these and all that came before.

        Costs the changes alone: what was replaced before is shared.
        """
        assert isinstance(self._source, _Written)
        # INVARIANT: what is marked as ready is built, so marks are copied first; and what is built is copied
        # before `replaced`, which a path enters first. What another thread was just building is not built here:
        # what replaces it there would be taken for a part of the base, and stay when the facts behind it go.
        marked = {
            resource_type: {action: actors.copy() for action, actors in actions.copy().items()}
            for resource_type, actions in (self.ready or {}).copy().items()
        }
        paths = {**self.__dict__.copy(), "ready": marked}
        replaced = self._source.replaced.copy()
        built = {name: members for name, members in replaced.items() if name in paths}
        source = _Written(self._source.indexes, since_base, built)
        shows = self._demand.shows
        shown = _by_table([change for change in changes if shows(change[0])])
        for signature, some in shown.items():
            for name in self._demand.reaches_over(*signature):
                paths[name] = Reached()
            for name, path in self._demand.paths_to(*signature):
                if name in paths:
                    groups = _groups(path, some, source.shows)
                    paths[name] = source.change(name, path, groups, paths[name])
        return View(self.ids, self._demand, source, paths)

    def with_facts(self, facts: Iterable[Fact]) -> "View":
        """Return the view with context facts. Costs these; touched paths are built on first use."""
        ids = self.ids.child()
        # What is not shown gets no ids.
        seen = dict.fromkeys(filter(self._demand.shows, facts), True)
        shown = _by_table(with_rows(seen, ids))
        paths = {**self.__dict__, "ready": None}
        for signature in shown:
            for name in self._demand.reaches_over(*signature):
                paths.pop(name, None)
            for name, _ in self._demand.paths_to(*signature):
                paths.pop(name, None)
        return View(ids, self._demand, _Asked(self, shown), paths)

    def merging(self, tables: Tables) -> Work["View"]:
        """Return the view of `tables`, which hold what this view's base and changes do; yield between parts.

        Costs a copy of each touched index; the others are shared.
        """
        assert isinstance(self._source, _Written)
        paths = self.__dict__.copy()
        indexes, replaced = Indexes(tables, self._demand), self._source.replaced
        for name in self._demand.names():
            if name not in paths:
                continue
            if self._demand.paths[name].key:
                index = cast("Index", self._source.indexes.index(name))
                indexes.built[name] = _merged(index, replaced.get(name, _NOTHING_REPLACED))
            else:
                indexes.built[name] = settled(paths[name])
            yield
        view = view_of(tables, self._demand, indexes)
        # The same facts with the same ids: what walks have reached is the same, too.
        view.__dict__.update((name, paths[name]) for name in self._demand.reaches if name in paths)
        view.complete(indexes.built)
        return view


class _Written:
    """A base, and what was written since: all of it, and its outcome for the paths that are built."""

    __slots__ = ("_since_base", "indexes", "replaced")

    def __init__(
        self, indexes: Indexes, since_base: Changes, replaced: dict[str, _Replaced]
    ) -> None:
        self.indexes = indexes
        self._since_base = since_base
        self.replaced = replaced

    def building(self, name: str) -> Iterator[None]:
        """Do what takes long of `build`, and yield between parts."""
        return self.indexes.building(name)

    def build(self, view: View, name: str, path: AccessPath) -> Get | Members:
        current = self._base(name, path)
        if not self._since_base:
            return current
        groups = _groups(path, _of_table(view, path, self._since_base), self.shows)
        return self.change(name, path, groups, current) if groups else current

    def change(
        self, name: str, path: AccessPath, groups: _Groups, current: Get | Members
    ) -> Get | Members:
        """Return `current`, what there is of a path, with changes; keep what replaces the base's."""
        if not path.key:
            return changed(cast("Members", current), groups.get((), {}))
        if not groups:
            return current
        base = cast("Get", self._base(name, path))
        before = self.replaced.get(name, _NOTHING_REPLACED)
        replaced = self.replaced[name] = _replaced(before, base, groups)
        return _get_over(replaced, base)

    def shows(self, fact: Fact) -> bool:
        """Say whether the view shows `fact`: what was written since decides, else the base."""
        holds = self._since_base.get(fact)
        if holds is None:
            holds = self.indexes.has(fact)
        return holds and self.indexes.demand.shows(fact)

    def _base(self, name: str, path: AccessPath) -> Get | Members:
        index = self.indexes.index(name)
        return cast("Index", index).get if path.key else index


class _Asked:
    """A view, and the context facts of one question over it."""

    __slots__ = ("_facts", "_under")

    def __init__(self, under: View, facts: Mapping[Signature, Sequence[Change]]) -> None:
        self._under = under
        self._facts = facts

    def building(self, name: str) -> Iterator[None]:
        """Do what takes long of `build`, and yield between parts."""
        return self._under.completing([name])

    def build(self, _: View, name: str, path: AccessPath) -> Get | Members:
        current: Get | Members = getattr(self._under, name)
        added = self._facts.get((path.predicate, path.arity), ())
        groups = _groups(path, added)
        if not groups:
            return current
        if not path.key:
            return changed(cast("Members", current), groups[()])
        get = cast("Get", current)
        return _get_over(_replaced(_NOTHING_REPLACED, get, groups), get)


def with_rows(changes: Changes, ids: Ids) -> list[Change]:
    """Return `changes` with the ids of their values, which those get that have none."""
    return [(fact, tuple(map(ids.add, fact.args)), holds) for fact, holds in changes.items()]


def _by_table(changes: Iterable[Change]) -> dict[Signature, list[Change]]:
    found: dict[Signature, list[Change]] = {}
    for change in changes:
        found.setdefault(signature_of(change[0]), []).append(change)
    return found


def _of_table(view: View, path: AccessPath, changes: Changes) -> Sequence[Change]:
    """Return those of `changes` that are shown and of the path's table."""
    signature, shows = (path.predicate, path.arity), view._demand.shows  # noqa: SLF001 - this module's own
    some = {f: holds for f, holds in changes.items() if signature_of(f) == signature and shows(f)}
    return with_rows(some, view.ids)


def _groups(
    path: AccessPath,
    changes: Iterable[Change],
    shows: Callable[[Fact], bool] | None = None,
) -> _Groups:
    """Return what becomes of the members of each key, `changes` being of the path's table.

    A member goes with the last of the facts that tell the same of it. `shows` knows which there are after the
    changes; it is needed only if some are gone.
    """
    for position, literal in path.literals:
        if isinstance(literal, frozenset):
            changes = [change for change in changes if change[0].args[position] in literal]
        else:
            changes = [change for change in changes if change[0].args[position] == literal]
    key_of, member_of, has_choice = _reading(path)
    if has_choice and shows is not None:
        changes = [
            (fact, row, holds or any(map(shows, path.alike(fact)))) for fact, row, holds in changes
        ]
    groups: dict[Key, dict[Member, bool]] = {}
    for _, row, holds in changes:
        key = key_of(row)
        group = groups.get(key)
        if group is None:
            groups[key] = {member_of(row): holds}
        else:
            group[member_of(row)] = holds
    return groups


@lru_cache(1000)
def _reading(path: AccessPath) -> tuple[Callable[[Row], Key], Callable[[Row], Member], bool]:
    """Return what takes the key and the member of a row, and whether several facts can tell the same.

    To find that out takes longer than to look at a fact.
    """
    return projection(path.key), projection(path.members), path.has_choice


def _replaced(before: _Replaced, get: Get, groups: _Groups) -> _Replaced:
    """Return the members of keys that are others than `get` returns, once `before`, after these changes."""
    replaced = before.mutate()
    for key, changes in groups.items():
        origin = get(key, NONE)
        after = changed(replaced.get(key, origin), changes)
        if is_same(after, origin):
            replaced.pop(key, None)
        else:
            replaced[key] = after
    return replaced.finish()


def _get_over(replaced: _Replaced, get: Get) -> Get:
    find = replaced.get

    def get_replaced(key: Key, default: Members) -> Members:
        found = find(key)
        return get(key, default) if found is None else found

    return get_replaced


def _merged(index: Index, replaced: _Replaced) -> Index:
    if not replaced:
        return index
    merged = index.copy()
    for key, members in replaced.items():
        if members:
            merged[key] = settled(members)
        else:
            merged.pop(key, None)
    return merged
