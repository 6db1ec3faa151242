"""Open positions: where the facts that rules derive may hold for every value.

A position of a predicate is *open* if some rule for it leaves the head variable there unbound, as in
`has_permission(_: User, "read", _: Organization);`. Which rules do that depends on which positions the
conditions in their bodies find open: a least fixpoint over all rules.
"""

from collections import Counter, deque
from collections.abc import Callable, Sequence
from heapq import heappop, heappush

from authz_service.polar.goals import (
    CURRENT_TIME,
    Atom,
    Comparison,
    Conjunction,
    Disjunction,
    Goal,
    Membership,
    Types,
    Variable,
    atoms,
    variables,
)
from authz_service.polar.matching import MatchIndex, args_of, bits
from authz_service.polar.resolve import ResolvedRule

OpenArguments = Callable[[Atom], set[Variable]]

_Key = tuple[str, int]


class Openness:
    """The open variables of each rule's head, and the open positions that each condition meets."""

    def __init__(self, rules: Sequence[ResolvedRule], types: Sequence[Types]) -> None:
        self._rules = rules
        self._types = types
        self._uses: dict[_Key, _Uses] = {}
        for index, rule in enumerate(rules):
            for atom in {atom for atom, _ in atoms(rule.body)}:
                uses = self._uses.setdefault(atom.key, _Uses(len(atom.args)))
                uses.add(index, atom, types[index])
        self.heads: list[frozenset[Variable]] = [frozenset()] * len(rules)
        """The variables of each rule's head that its body does not bind."""
        self._run()

    def arguments_in(self, index: int) -> OpenArguments:
        """Return the function that finds an atom's variables at open positions, for rule `index`."""

        def open_arguments(atom: Atom) -> set[Variable]:
            positions = self._uses[atom.key].open_positions(index, atom)
            return {arg for i in positions if isinstance(arg := atom.args[i], Variable)}

        return open_arguments

    def _run(self) -> None:
        # Least work so far first: a long rule that others open one by one waits until they are done.
        work = [0] * len(self._rules)
        waiting = [(0, index) for index in range(len(self._rules))]
        is_waiting = [True] * len(self._rules)
        while waiting:
            _, index = heappop(waiting)
            is_waiting[index] = False
            span = self._rules[index].span
            work[index] += span.end - span.start
            for user in self._settle(index):
                if not is_waiting[user]:
                    is_waiting[user] = True
                    heappush(waiting, (work[user], user))

    def _settle(self, index: int) -> set[int]:
        """Find the open variables of rule `index`; return the rules whose conditions that changes."""
        rule = self._rules[index]
        bound = bound_by(rule.body, self.arguments_in(index))
        found = frozenset(variables(rule.head) - bound)
        if found == self.heads[index]:
            return set()
        self.heads[index] = found
        uses = self._uses.get(rule.key)
        if uses is None:
            return set()
        positions = [i for i, arg in enumerate(rule.head.args) if arg in found]
        return uses.open_at(positions, rule.head, self._types[index])


class _Uses:
    """The conditions of all bodies on one predicate, and the positions at which each meets an open head.

    A position opens once for each condition, however many heads are open there.
    """

    def __init__(self, arity: int) -> None:
        self._index = MatchIndex(arity)
        self._rules: list[int] = []
        self._opened = [0] * arity
        self._numbers: dict[tuple[int, Atom], int] = {}
        self._open: list[set[int]] = []

    def add(self, rule: int, atom: Atom, types: Types) -> None:
        number = len(self._rules)
        self._index.add(number, args_of(atom, types))
        self._rules.append(rule)
        self._open.append(set())
        self._numbers[rule, atom] = number

    def open_positions(self, rule: int, atom: Atom) -> set[int]:
        return self._open[self._numbers[rule, atom]]

    def open_at(self, positions: Sequence[int], head: Atom, types: Types) -> set[int]:
        """Open `positions` for the conditions that may ask for `head`; return the rules they are in."""
        matching = self._index.matching(args_of(head, types))
        changed: set[int] = set()
        for position in positions:
            newly = matching & ~self._opened[position]
            self._opened[position] |= newly
            for number in bits(newly):
                self._open[number].add(position)
                changed.add(self._rules[number])
        return changed


def bound_by(body: Goal, open_arguments: OpenArguments) -> set[Variable]:
    """Return the variables that have finitely many values once `body` holds, in whatever order.

    An atom binds its variables, except those that also stand at an open position of it; `in` binds;
    `=` binds one side if the other is bound; `or` binds what each branch binds. Costs the size of the
    body times its nesting.
    """
    propagation = _Propagation()
    root = _Scope(body, open_arguments, None)
    propagation.begin(root)
    propagation.bind(root, CURRENT_TIME)
    propagation.run()
    return root.bound


class _Propagation:
    """Variables that were bound in some scope, and what follows from that."""

    def __init__(self) -> None:
        self._events: deque[tuple[_Scope, Variable]] = deque()

    def begin(self, scope: "_Scope") -> None:
        for variable in scope.seeds:
            self.bind(scope, variable)
        for inner in scope.inner:
            self.begin(inner)

    def bind(self, scope: "_Scope", variable: Variable) -> None:
        if variable not in scope.bound:
            scope.bound.add(variable)
            self._events.append((scope, variable))

    def run(self) -> None:
        while self._events:
            scope, variable = self._events.popleft()
            for other in scope.equal_to.get(variable, ()):
                self.bind(scope, other)
            for inner in scope.mentions.get(variable, ()):
                self.bind(inner, variable)
            choice = scope.choice
            if choice is not None:
                choice.bound_in[variable] += 1
                if choice.bound_in[variable] == choice.size:
                    self.bind(choice.scope, variable)


class _Scope:
    """A conjunction: the whole body, or a branch of an `or`. Negations bind nothing and are left out."""

    def __init__(self, goal: Goal, open_arguments: OpenArguments, choice: "_Choice | None") -> None:
        self.choice = choice
        self.bound: set[Variable] = set()
        self.seeds: set[Variable] = set()
        self.equal_to: dict[Variable, list[Variable]] = {}
        self.inner: list[_Scope] = []
        self.mentions: dict[Variable, list[_Scope]] = {}
        for part in goal.goals if isinstance(goal, Conjunction) else (goal,):
            self._add(part, open_arguments)

    def _add(self, goal: Goal, open_arguments: OpenArguments) -> None:
        match goal:
            case Atom():
                # A variable that stands at an open position too, as in `p(x, x)`, is not bound by it:
                # an engine that asks for `p` would have to know `x` before.
                self.seeds |= variables(goal) - open_arguments(goal)
            case Membership(Variable() as term):
                self.seeds.add(term)
            case Comparison("=", left, right):
                if isinstance(left, Variable) and isinstance(right, Variable):
                    self.equal_to.setdefault(left, []).append(right)
                    self.equal_to.setdefault(right, []).append(left)
                else:
                    self.seeds |= variables(goal)
            case Disjunction(goals):
                choice = _Choice(self, len(goals))
                for branch in goals:
                    inner = _Scope(branch, open_arguments, choice)
                    self.inner.append(inner)
                    for variable in variables(branch):
                        self.mentions.setdefault(variable, []).append(inner)
            case _:
                return


class _Choice:
    """An `or` of `size` branches in `scope`, and in how many of them each variable is bound."""

    def __init__(self, scope: _Scope, size: int) -> None:
        self.scope = scope
        self.size = size
        self.bound_in: Counter[Variable] = Counter()
