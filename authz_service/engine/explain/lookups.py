"""Lookups: facts through the indexes that programs demand, by whatever is known of their arguments.

Rule 1: an index that the program has built anyway is preferred; another one is demanded only where none will
    do.
Rule 2: nothing here looks at all facts of a predicate while any of their arguments is known.
Rule 3: facts that no rule can use are not seen, as by the program.
"""

from collections.abc import Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from typing import NamedTuple, cast

from authz_service.engine.program import Budget
from authz_service.errors import EvaluationLimitReached
from authz_service.facts.access import AccessPath, Demand
from authz_service.facts.fact import Fact
from authz_service.facts.ids import Ids
from authz_service.facts.members import NONE, Members
from authz_service.facts.snapshot import FactSnapshot
from authz_service.facts.value import PRIMITIVE_TYPES, Value
from authz_service.facts.view import Get, View

Row = tuple[int, ...]


class Steps:
    """How much work is left. What explains one answer shares it."""

    __slots__ = ("_budget", "_take", "left")

    def __init__(self, budget: Budget) -> None:
        self._budget = budget
        self.left = iter(budget.each)
        """Has an item for each step that is left, for compiled code."""
        self._take = self.left.__next__

    def spend(self) -> None:
        """Take a step. Raises EvaluationLimitReached when there is none left."""
        try:
            self._take()
        except StopIteration:
            raise self.reached() from None

    def reached(self) -> EvaluationLimitReached:
        """Return the error that says that there is no step left."""
        return self._budget.reached()


class Way(NamedTuple):
    """How facts of a predicate are found when some of their arguments are known.

    `path` is None if all are: then the fact itself is looked for. What an index of several literals finds is
    looked for as well (`is_loose`).
    """

    name: str
    path: AccessPath | None
    is_loose: bool
    key: Row = ()
    members: Row = ()

    @staticmethod
    def by(name: str, path: AccessPath, *, is_loose: bool = False) -> "Way":
        return Way(name, path, is_loose, path.key, path.members)


class Lookups:
    """What the program of `demand` can see of `facts`. Values that only a question knows get ids of its own."""

    def __init__(self, facts: FactSnapshot, demand: Demand, steps: Steps) -> None:
        self.facts = facts
        self.steps = steps
        self.demand = demand
        self.view: View = facts.view(demand)
        self.ids: Ids = self.view.ids.child()

    def has(self, fact: Fact) -> bool:
        """Say whether the fact holds and can be used."""
        return fact in self.facts and self.demand.shows(fact)

    def fact(self, predicate: str, row: Row) -> Fact:
        return Fact(predicate, tuple([self.ids.value(one) for one in row]))

    def holds(self, way: Way, predicate: str, row: Row) -> bool:
        """Say whether there is this fact, all of which is known."""
        if way.path is not None:
            members = self._members(way, row)
            at = way.members
            member = row[at[0]] if len(at) == 1 else tuple([row[i] for i in at])
            if member not in members:
                return False
            if not way.is_loose:
                return True
        return self.has(self.fact(predicate, row))

    def rows(self, way: Way, predicate: str, known: Sequence[int | None]) -> Iterator[Row]:
        """Yield the arguments of the facts that agree with what is `known`."""
        path = way.path
        if path is None:
            row = cast("Row", tuple(known))
            if self.holds(way, predicate, row):
                yield row
            return
        found = list(known)
        at = way.members
        for member in self._members(way, known):
            self.steps.spend()
            values = (member,) if isinstance(member, int) else member
            for position, value in zip(at, values, strict=True):
                found[position] = value
            row = cast("Row", tuple(found))
            agrees = all(k is None or k == value for k, value in zip(known, row, strict=True))
            if agrees and (not way.is_loose or self.has(self.fact(predicate, row))):
                yield row

    def matching(self, predicate: str, args: Sequence[Value | None]) -> Iterator[Fact]:
        """Yield the facts that agree with the arguments that are not None."""
        known: list[int | None] = []
        for arg in args:
            found = None if arg is None else self.ids.find(arg)
            if arg is not None and found is None:
                return
            known.append(found)
        literals = {at: arg for at, arg in enumerate(args) if arg is not None}
        way = self.general_way(predicate, len(args), literals)
        for row in self.rows(way, predicate, known):
            yield self.fact(predicate, row)

    def general_way(self, predicate: str, arity: int, known: Mapping[int, Value]) -> Way:
        """Return the best way there is, else one by a single argument that serves for other look-ups, too."""
        if len(known) == arity:
            return Way("", None, is_loose=False)
        found = best_way(self.demand, predicate, arity, known, frozenset(known))
        if found is not None:
            return found
        entities = (at for at, value in known.items() if value.type not in PRIMITIVE_TYPES)
        key = next(entities, next(iter(known), None))
        path = AccessPath(predicate, arity, (), () if key is None else (key,))
        return Way.by(self.demand.name(path), path)

    def _members(self, way: Way, known: Sequence[int | None]) -> Members:
        assert way.path is not None
        found = getattr(self.view, way.name)
        key = way.key
        if not key:
            return cast("Members", found)
        get = cast("Get", found)
        if len(key) == 1:
            return get(cast("int", known[key[0]]), NONE)
        return get(cast("Row", tuple([known[at] for at in key])), NONE)


def best_way(
    demand: Demand,
    predicate: str,
    arity: int,
    literals: Mapping[int, Value],
    known: AbstractSet[int],
) -> Way | None:
    """Return the way by the index that fixes most of what is known, among those that are demanded already.

    `literals` are the values known before; `known` are the positions known when facts are looked for, those
    of the literals included. None if no index fixes more than literals.
    """
    fitting = [
        (len(path.key) + len(path.literals), not path.has_choice, name, path)
        for name, path in demand.paths_to(predicate, arity)
        if path.key and known >= set(path.key) and _fits(path, literals)
    ]
    if not fitting:
        return None
    _, is_exact, name, path = max(fitting, key=lambda found: found[:3])
    return Way.by(name, path, is_loose=not is_exact)


def _fits(path: AccessPath, literals: Mapping[int, Value]) -> bool:
    """Say whether the index has all facts with these literals."""
    return all(
        literals.get(at) in literal
        if isinstance(literal, frozenset)
        else literals.get(at) == literal
        for at, literal in path.literals
    )
