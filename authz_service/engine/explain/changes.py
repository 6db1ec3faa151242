"""Changes: the smallest sets of facts to add and to remove by which a denied question would be permitted.

The rules are followed from the question backwards, and what is missing is assumed: a fact that is not there is
a change, a value that nothing says is left open until all else is met, and what a rule denies is mended by a
fact less, or by a fact by which it no longer follows. The cheapest states go on first.

Rule 1: a set is reported only if the program permits with it and with none of its proper parts.
Rule 2: a set that turns out not to suffice is where the search begins again, with those changes made. What
    permits must contain a change that one such search finds; so no small set is overlooked.
Rule 3: values are those that exist: in facts, in the policy and in the question. Facts are those that rules
    can use.
Rule 4: reaching a limit is said: the answer knows up to which size nothing was overlooked.
"""

import heapq
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from itertools import count
from operator import ge, gt, le, lt
from typing import NamedTuple

from authz_service.engine.compiler.rule_program import STORED, goals_of, head_of, substituted
from authz_service.engine.compiler.steps import Pattern
from authz_service.engine.explain.change_set import (
    Change,
    ChangeSet,
    changed,
    in_order,
    proper_parts,
)
from authz_service.engine.explain.derive import Derivations
from authz_service.engine.explain.derive import Goal as Asked
from authz_service.engine.explain.kinds import KindRules
from authz_service.engine.explain.lookups import Lookups, Steps
from authz_service.engine.explain.support import Support
from authz_service.engine.explain.values import ExistingValues
from authz_service.errors import EvaluationLimitReached
from authz_service.facts.access import Demand
from authz_service.facts.fact import Fact
from authz_service.facts.snapshot import FactSnapshot
from authz_service.facts.value import Value, integer
from authz_service.polar.goals import (
    CURRENT_TIME,
    Atom,
    Comparison,
    Goal,
    Membership,
    Negation,
    Term,
    TypeTest,
    Variable,
    variables,
)

_ORDERINGS: dict[str, Callable[[int, int], bool]] = {"<": lt, "<=": le, ">": gt, ">=": ge}

MAX_CHANGES = 4
"""Larger sets are not looked for: nobody acts on them."""

_VALUES_OF_A_STEP = 16

_WORLD_STEPS = 100
"""So many steps stand for making a state of facts with changes in it, and for asking the program about it."""


@dataclass(frozen=True, slots=True)
class NearestChanges:
    """The sets that were found, smallest first.

    No set of at most `complete_up_to` changes was overlooked; of larger ones there may be more.
    """

    sets: tuple[tuple[Change, ...], ...]
    complete_up_to: int

    @property
    def is_complete(self) -> bool:
        """Whether all sets were found that are not too large to be looked for."""
        return self.complete_up_to == MAX_CHANGES


@dataclass(frozen=True, slots=True)
class Asking:
    """The question that is denied: its rules and goal, and what the program says with other facts."""

    rules: KindRules
    demand: Demand
    facts: FactSnapshot
    now: int
    goal: tuple[Value, ...]
    values: ExistingValues
    accepts: Callable[[Fact], bool]
    permits: Callable[[FactSnapshot], bool]


def nearest_changes(asking: Asking, most: int, steps: Steps) -> NearestChanges:
    """Return up to `most` sets of changes. Ends with what was found when no step is left."""
    return _Search(asking, steps).found(most)


class _Ancestors(NamedTuple):
    """The goals that a goal was reached from."""

    atom: Atom
    before: "_Ancestors | None"


class _Wanted(NamedTuple):
    """A condition that is still to be met, and what it is a condition of."""

    goal: Goal
    ancestors: "_Ancestors | None"


@dataclass(frozen=True, slots=True)
class _State:
    """What is still to be met, what variables stand for, and what is assumed so far."""

    world: "_World"
    wanted: tuple[_Wanted, ...]
    bound: Mapping[Variable, Term]
    types: Mapping[Variable, AbstractSet[str]]
    assumed: tuple[Atom, ...] = ()
    removed: frozenset[Fact] = frozenset()

    @property
    def cost(self) -> int:
        return len(self.world.changes) + len(self.assumed) + len(self.removed)

    def term(self, term: Term) -> Term:
        while isinstance(term, Variable) and term in self.bound:
            term = self.bound[term]
        return term

    def resolved(self, goal: Goal) -> Goal:
        return _with_terms(goal, {v: self.term(v) for v in variables(goal)})

    def atom(self, atom: Atom) -> Atom:
        return Atom(atom.predicate, tuple(map(self.term, atom.args)), atom.span)

    def types_of(self, term: Term) -> AbstractSet[str]:
        return self.types[term] if isinstance(term, Variable) else frozenset({term.type})

    def without(self, number: int) -> "_State":
        """Return the state in which this condition is met."""
        return _replaced(self, wanted=(*self.wanted[:number], *self.wanted[number + 1 :]))

    def unified(self, left: Term, right: Term) -> "_State | None":
        """Return the state in which both are the same, or None if they cannot be."""
        left, right = self.term(left), self.term(right)
        if left == right:
            return self
        types = self.types_of(left) & self.types_of(right)
        if not types or not (isinstance(left, Variable) or isinstance(right, Variable)):
            return None
        variable, other = (left, right) if isinstance(left, Variable) else (right, left)
        assert isinstance(variable, Variable)
        narrowed = {**self.types, other: types} if isinstance(other, Variable) else self.types
        return _replaced(self, bound={**self.bound, variable: other}, types=narrowed)

    def all_unified(self, left: Sequence[Term], right: Sequence[Term]) -> "_State | None":
        state: _State | None = self
        for one, other in zip(left, right, strict=True):
            state = None if state is None else state.unified(one, other)
        return state

    def narrowed(self, variable: Variable, types: AbstractSet[str]) -> "_State | None":
        left = self.types[variable] & types
        return _replaced(self, types={**self.types, variable: left}) if left else None

    def key(self) -> object:
        """Return what tells states apart that lead to different changes."""
        numbers: dict[Variable, Term] = {CURRENT_TIME: CURRENT_TIME}

        def seen(goal: Goal) -> Goal:
            goal = self.resolved(goal)
            for variable in sorted(variables(goal), key=lambda v: v.name):
                numbers.setdefault(variable, Variable(str(len(numbers))))
            return _with_terms(goal, numbers)

        wanted = [seen(one.goal) for one in self.wanted]
        assumed = [seen(one) for one in self.assumed]
        types = tuple(
            (number, self.types[variable])
            for variable, number in numbers.items()
            if variable in self.types
        )
        # A condition that is wanted twice, and now once, is nearer to its end than before.
        left = frozenset(Counter(wanted).items())
        return id(self.world), left, frozenset(assumed), self.removed, types


def _replaced(state: _State, **changes: object) -> _State:
    values = {name: getattr(state, name) for name in _State.__slots__}
    return _State(**{**values, **changes})


@dataclass(eq=False, slots=True)
class _World:
    """The facts with some changes made, and what follows from them."""

    changes: ChangeSet
    lookups: Lookups
    derivations: Derivations
    seen: set[object] = field(default_factory=set)

    def fact_of(self, atom: Atom) -> Fact:
        args = tuple(arg for arg in atom.args if isinstance(arg, Value))
        assert len(args) == len(atom.args)
        return Fact(atom.predicate, args)

    def matching(self, atom: Atom) -> Iterator[Fact]:
        args = [arg if isinstance(arg, Value) else None for arg in atom.args]
        return self.lookups.matching(atom.predicate, args)

    def asked(self, atom: Atom) -> Asked:
        """Return the goal whether there are values for the variables of an atom about a relation."""
        bound = tuple(isinstance(arg, Value) for arg in atom.args)
        ids = (self.lookups.ids.add(arg) for arg in atom.args if isinstance(arg, Value))
        return Pattern(atom.predicate, bound), tuple(ids)


_Entry = tuple[int, int, "_State | None", Iterator[_State]]


class _Search:
    """One search. States that are to go on, the cheapest first; of equally cheap ones the latest."""

    def __init__(self, asking: Asking, steps: Steps) -> None:
        self._asking = asking
        self._steps = steps
        self._names = count()
        self._numbers = count(0, -1)
        self._heap: list[_Entry] = []
        self._begun: set[ChangeSet] = set()
        self._found: list[ChangeSet] = []
        self._permitted: dict[ChangeSet, bool] = {frozenset(): False}
        self._now = integer(asking.now)

    def found(self, most: int) -> NearestChanges:
        reached = 0
        try:
            self._begin(frozenset())
            while self._heap and len(self._found) < most:
                cost, number, state, further = heapq.heappop(self._heap)
                reached = max(reached, cost)
                self._steps.spend()
                if state is not None:
                    self._enter(state, cost)
                    continue
                following = next(further, None)
                if following is not None:
                    heapq.heappush(self._heap, (cost, number, None, further))
                    self._push(following)
        except EvaluationLimitReached:
            # The sets that were found are verified; what was not looked at is said to be open.
            return self._told(max(reached, 1) - 1)
        return self._told(MAX_CHANGES if not self._heap else max(reached, 1) - 1)

    def _told(self, complete_up_to: int) -> NearestChanges:
        sets = (tuple(sorted(one, key=in_order)) for one in self._found)
        return NearestChanges(tuple(sorted(sets, key=len)), complete_up_to)

    def _push(self, state: _State) -> None:
        if state.cost <= MAX_CHANGES:
            heapq.heappush(self._heap, (state.cost, next(self._numbers), state, iter(())))

    def _enter(self, state: _State, cost: int) -> None:
        """Take up a state: it ends with a set of changes, or goes on."""
        if not state.wanted and not self._open(state):
            self._verify(state)
            return
        # A state costs what it is made of: deep in the data that is much.
        size = len(state.bound) + len(state.types)
        for _ in range(len(state.wanted) + size // _VALUES_OF_A_STEP):
            self._steps.spend()
        key = state.key()
        if key in state.world.seen:
            return
        state.world.seen.add(key)
        heapq.heappush(self._heap, (cost, next(self._numbers), None, self._further(state)))

    def _begin(self, changes: ChangeSet) -> None:
        """Begin the search with some changes made."""
        if changes in self._begun or len(changes) > MAX_CHANGES:
            return
        self._begun.add(changes)
        world = self._world(changes)
        atom = Atom(self._asking.rules.entry.relation, self._asking.goal, STORED)
        self._push(_State(world, (_Wanted(atom, None),), {CURRENT_TIME: self._now}, {}))

    def _world(self, changes: ChangeSet) -> _World:
        asking = self._asking
        for _ in range(_WORLD_STEPS):
            self._steps.spend()
        lookups = Lookups(changed(asking.facts, changes), asking.demand, self._steps)
        derivations = Derivations(asking.rules, lookups, asking.now, self._steps)
        return _World(changes, lookups, derivations)

    def _verify(self, state: _State) -> None:
        """Keep the set of changes if it suffices and no part of it does; else go on from it if it does not."""
        world = state.world
        added = {world.fact_of(state.atom(atom)) for atom in state.assumed}
        if any(world.lookups.has(fact) for fact in added) or not self._can_be(world, added):
            return
        changes = world.changes.union(
            (Change(fact, is_added=True) for fact in added),
            (Change(fact, is_added=False) for fact in state.removed),
        )
        if changes == world.changes or any(found <= changes for found in self._found):
            return
        if not self._permits(changes):
            self._begin(changes)
        elif changes not in self._found and not any(map(self._permits, proper_parts(changes))):
            self._found.append(changes)

    def _can_be(self, world: _World, added: AbstractSet[Fact]) -> bool:
        """Say whether these facts can be stored, and were not taken away before."""
        return all(
            self._asking.accepts(fact) and Change(fact, is_added=False) not in world.changes
            for fact in added
        )

    def _permits(self, changes: ChangeSet) -> bool:
        known = self._permitted.get(changes)
        if known is None:
            for _ in range(_WORLD_STEPS):
                self._steps.spend()
            known = self._asking.permits(changed(self._asking.facts, changes))
            self._permitted[changes] = known
        return known

    def _open(self, state: _State) -> list[Variable]:
        """Return the variables that assumed facts leave open."""
        terms = (state.term(arg) for atom in state.assumed for arg in atom.args)
        return list(dict.fromkeys(term for term in terms if isinstance(term, Variable)))

    def _further(self, state: _State) -> Iterator[_State]:
        """Yield what the state can become by meeting one of its conditions, or by giving a variable a value."""
        ranked = [
            (rank, number)
            for number, wanted in enumerate(state.wanted)
            if (rank := self._rank(state.resolved(wanted.goal))) is not None
        ]
        if not ranked:
            yield from self._with_values(state)
            return
        number = min(ranked)[1]
        wanted = state.wanted[number]
        goal = state.resolved(wanted.goal)
        rest = state.without(number)
        match goal:
            case Atom() if (stored := self._asking.rules.as_stored(goal)) is not None:
                yield from self._stored(rest, stored)
            case Atom():
                yield from self._derived(rest, goal, wanted.ancestors)
            case Negation(Atom() as denied):
                yield from self._denied(rest, denied)
            case _:
                yield from self._tested(rest, goal)

    def _rank(self, goal: Goal) -> int | None:
        """Return how early a condition is looked at; None for one that waits for values."""
        match goal:
            case TypeTest() | Comparison("="):
                return 0
            case Comparison(_, left, right):
                return None if isinstance(left, Variable) or isinstance(right, Variable) else 0
            case Membership(term):
                return 6 if isinstance(term, Variable) else 0
            case Negation(Atom(_, args)):
                is_waiting = any(not _is_own(arg) for arg in args if isinstance(arg, Variable))
                return None if is_waiting else 9
            case Negation(inner):
                return None if variables(inner) else 0
            case Atom(_, args):
                known = sum(isinstance(arg, Value) for arg in args)
                is_stored = self._asking.rules.as_stored(goal) is not None
                if known == len(args):
                    return 1 if is_stored else 2
                return (7 if known == 0 else 3) + (0 if is_stored else 1)
            case _:
                raise AssertionError(goal)

    def _tested(self, rest: _State, goal: Goal) -> Iterator[_State]:
        """Yield the states in which a test holds."""
        match goal:
            case Comparison("=", left, right):
                states = [rest.unified(left, right)]
            case Membership(Variable() as variable, values):
                states = [rest.unified(variable, value) for value in dict.fromkeys(values)]
            case TypeTest(variable, types):
                states = [rest.narrowed(variable, types)]
            case Negation(inner):
                states = [None if _holds(inner) else rest]
            case _:
                states = [rest if _holds(goal) else None]
        yield from (state for state in states if state is not None)

    def _stored(self, rest: _State, atom: Atom) -> Iterator[_State]:
        """Yield the states in which such a fact is there already, is assumed already, or is assumed now."""
        world = rest.world
        is_known = all(isinstance(arg, Value) for arg in atom.args)
        if is_known and world.lookups.has(world.fact_of(atom)):
            yield rest
            return
        if not is_known:
            for fact in world.matching(atom):
                state = rest.all_unified(atom.args, fact.args)
                if state is not None and fact not in rest.removed:
                    yield state
        for other in rest.assumed:
            if other.key == atom.key:
                state = rest.all_unified(atom.args, other.args)
                if state is not None:
                    yield state
        kinds = [a if isinstance(a, Value) else frozenset(rest.types_of(a)) for a in atom.args]
        if self._asking.rules.program.shapes.may_hold(atom.predicate, kinds):
            yield _replaced(rest, assumed=(*rest.assumed, atom))

    def _derived(self, rest: _State, atom: Atom, ancestors: _Ancestors | None) -> Iterator[_State]:
        """Yield the states in which a rule derives what `atom` asks for, and its conditions are wanted."""
        world = rest.world
        is_known = all(isinstance(arg, Value) for arg in atom.args)
        if is_known and world.derivations.holds(world.asked(atom)):
            yield rest
            return
        before = ancestors
        while before is not None:
            self._steps.spend()
            reached = rest.atom(before.atom)
            if reached == atom:
                return
            if _is_variant(reached, atom):
                # It could go on like that for ever; with values it comes to an end.
                yield from self._with_value(rest, atom, ancestors)
                return
            before = before.before
        here = _Ancestors(atom, ancestors)
        for rule in self._asking.rules.program.relations[atom.predicate].rules:
            names = {v: Variable(f"{v.name} {next(self._names)}") for v in rule.types}
            types = {names[v]: kinds for v, kinds in rule.types.items() if v != CURRENT_TIME}
            begun = _replaced(rest, types={**rest.types, **types})
            state = begun.all_unified(atom.args, [names[param] for param in head_of(rule)])
            if state is None:
                continue
            outside = _shared(head_of(rule), goals_of(rule))
            terms: dict[Variable, Term] = {**names, CURRENT_TIME: self._now}
            wanted = tuple(_Wanted(_renamed(goal, terms, outside), here) for goal in goals_of(rule))
            yield _replaced(state, wanted=(*wanted, *state.wanted))

    def _with_value(
        self, rest: _State, atom: Atom, ancestors: _Ancestors | None
    ) -> Iterator[_State]:
        """Yield the states in which one of the variables of `atom`, which is still wanted, has a value."""
        variable = next(arg for arg in atom.args if isinstance(arg, Variable))
        again = _replaced(rest, wanted=(_Wanted(atom, ancestors), *rest.wanted))
        for kind in sorted(rest.types[variable]):
            for value in self._asking.values.of(kind):
                state = again.unified(variable, value)
                if state is not None:
                    yield state

    def _denied(self, rest: _State, atom: Atom) -> Iterator[_State]:
        """Yield the states in which nothing holds any more by which `atom` would, or one way less does."""
        world, derivations = rest.world, rest.world.derivations
        asked = world.asked(atom)
        answer = derivations.first(asked)
        if answer is None:
            yield rest
            return
        support = Support(derivations)
        support.read(asked, answer)
        for fact in support.facts:
            if Change(fact, is_added=True) not in world.changes:
                yield _replaced(rest, removed=rest.removed | {fact})
        for number, (denied, types) in enumerate(support.denied):
            names = {v: Variable(f"{v.name} {next(self._names)} {number}") for v in types}
            goal = _with_terms(denied, dict(names))
            kinds = {names[v]: found for v, found in types.items()}
            state = _replaced(rest, types={**rest.types, **kinds})
            yield _replaced(state, wanted=(_Wanted(goal, None), *state.wanted))

    def _with_values(self, state: _State) -> Iterator[_State]:
        """Yield the states in which a variable that nothing says anything of has a value that exists."""
        waiting = [
            variable
            for wanted in state.wanted
            for variable in variables(state.resolved(wanted.goal))
            if not _is_own(variable)
        ]
        variable = next(iter([*self._open(state), *sorted(waiting, key=lambda v: v.name)]), None)
        if variable is None:
            return
        for kind in sorted(state.types[variable]):
            for value in self._asking.values.of(kind):
                bound = state.unified(variable, value)
                if bound is not None and self._may_be(bound):
                    yield bound

    def _may_be(self, state: _State) -> bool:
        """Say whether rules can use the facts that are assumed, as far as these are known."""
        shapes = self._asking.rules.program.shapes
        for assumed in state.assumed:
            atom = state.atom(assumed)
            kinds = [a if isinstance(a, Value) else frozenset(state.types[a]) for a in atom.args]
            if not shapes.may_hold(atom.predicate, kinds):
                return False
        return True


def _holds(goal: Goal) -> bool:
    """Say whether a test of values holds."""
    match goal:
        case Comparison("=", left, right):
            return left == right
        case Comparison("!=", left, right):
            return left != right
        case Comparison(operator, Value() as left, Value() as right):
            return _ORDERINGS[operator](int(left.id), int(right.id))
        case Membership(term, values):
            return term in values
        case _:
            raise AssertionError(goal)


def _is_variant(one: Atom, other: Atom) -> bool:
    """Say whether two atoms differ in nothing but which variables stand where."""
    if one.predicate != other.predicate:
        return False
    names: dict[Term, Term] = {}
    pairs = list(zip(one.args, other.args, strict=True))
    return all(
        names.setdefault(left, right) == right
        if isinstance(left, Variable) and isinstance(right, Variable)
        else left == right
        for left, right in pairs
    ) and len(set(names.values())) == len(names)


_OWN = "own "


def _is_own(variable: Variable) -> bool:
    """Say whether the variable occurs in what is denied only: there must be no value for it."""
    return variable.name.startswith(_OWN)


def _shared(head: Sequence[Variable], goals: Sequence[Goal]) -> set[Variable]:
    """Return the variables that do not stand in one denied condition only."""
    shared = {*head, CURRENT_TIME}
    times: dict[Variable, int] = {}
    for goal in goals:
        for variable in variables(goal):
            times[variable] = times.get(variable, 0) + 1
            if not isinstance(goal, Negation):
                shared.add(variable)
    return shared.union(variable for variable, number in times.items() if number > 1)


def _renamed(goal: Goal, terms: Mapping[Variable, Term], shared: AbstractSet[Variable]) -> Goal:
    renamed: dict[Variable, Term] = {
        variable: terms[variable]
        if variable in shared
        else Variable(_OWN + _name_of(terms[variable]))
        for variable in variables(goal)
    }
    return _with_terms(goal, renamed)


def _with_terms(goal: Goal, terms: Mapping[Variable, Term]) -> Goal:
    """Return the goal with terms in place of variables; the type of a value is decided."""
    match goal:
        case TypeTest(variable, types, span):
            term = terms.get(variable, variable)
            if isinstance(term, Value):
                return Membership(term, (term,) if term.type in types else (), span)
        case Negation(inner, span):
            return Negation(_with_terms(inner, terms), span)
        case _:
            pass
    return substituted(goal, terms)


def _name_of(term: Term) -> str:
    assert isinstance(term, Variable)
    return term.name
