"""Expressions: conditions, calls and look-ups of facts as Python expressions."""

from collections.abc import Iterable, Mapping, Sequence
from itertools import chain

from authz_service.engine.compiler.functions import PASSED_ON, Function, Scope, tuple_of
from authz_service.engine.compiler.steps import Step
from authz_service.facts.access import AccessPath, Literal
from authz_service.facts.value import INTEGER, Value
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
)

_PYTHON = {"=": "==", "!=": "!=", "<": "<", "<=": "<=", ">": ">", ">=": ">="}
_DENIED = {"=": "!=", "!=": "==", "<": ">=", "<=": ">", ">": "<=", ">=": "<"}


class Expressions:
    """The expressions of one function. On a walk, those of `fixed` names are evaluated once before it."""

    def __init__(self, function: Function, fixed: frozenset[str]) -> None:
        self._function = function
        self._fixed = fixed
        self._demand = function.module.demand
        self._facts = function.module.facts

    def term(self, term: Term, scope: Mapping[Variable, str]) -> str:
        if term == CURRENT_TIME:
            return "(INTEGER_ZERO + now)"
        if isinstance(term, Variable):
            return scope[term]
        return self._facts(self._demand.literal(term))

    def literals(self, values: tuple[Value, ...]) -> str:
        return self._facts(self._demand.literals(values))

    def condition(self, step: Step, scope: Scope) -> str:
        """Return the expression that says whether the step holds."""
        match step.goal:
            case Negation(Atom() as atom):
                return self._atom(atom, step, scope, denied=True)
            case Negation(inner):
                return self._test(inner, scope, denied=True)
            case Atom():
                return self._atom(step.goal, step, scope, denied=False)
            case _:
                return self._test(step.goal, scope, denied=False)

    def _test(self, goal: Goal, scope: Scope, *, denied: bool) -> str:
        match goal:
            case Comparison(operator, left, right):
                sign = (_DENIED if denied else _PYTHON)[operator]
                return f"{self.term(left, scope)} {sign} {self.term(right, scope)}"
            case Membership(term, values):
                return f"{self.term(term, scope)} {_in(denied)} {self.literals(values)}"
            case TypeTest(variable, types):
                return self._type_test(self.term(variable, scope), types, denied=denied)
            case _:
                raise AssertionError(goal)

    def _type_test(self, value: str, types: frozenset[str], *, denied: bool) -> str:
        tests = []
        if INTEGER in types:
            tests.append(f"{value} >= INTEGERS")
        if types - {INTEGER}:
            name = self._demand.types(types - {INTEGER})
            tests.append(f"{value} >> TYPE_SHIFT in {self._facts(name)}")
        joined = tests[0] if len(tests) == 1 else f"({' or '.join(tests)})"
        return f"not ({joined})" if denied else joined

    def _atom(self, atom: Atom, step: Step, scope: Scope, *, denied: bool) -> str:
        """Return the expression that says whether there is such a fact, or an answer of such a call."""
        free = step.fresh
        if not free and step.calls is None:
            return self._membership(atom, step, scope, denied=denied)
        found = self.collection(atom, step, scope)
        if len(set(free)) < len(free):
            self._function.module.counts = True
            found = _any_alike(free, found)
        return f"not {found}" if denied else found

    def collection(self, atom: Atom, step: Step, scope: Scope) -> str:
        """Return the expression for the values of what is not known, or for yes or no if all is."""
        if step.calls is not None:
            return self.call(atom, step, scope)
        known = [
            index
            for index, arg in enumerate(atom.args)
            if not isinstance(arg, Variable) or arg in step.known
        ]
        return self._lookup(step, known, scope)

    def call(self, atom: Atom, step: Step, scope: Scope, starts: str | None = None) -> str:
        """Return the call. `starts` are the values to begin a walk with, if that is not only one."""
        assert step.calls is not None
        start = self._function.module.starts.get(step.calls)
        args = []
        for index, (arg, is_bound) in enumerate(zip(atom.args, step.calls.bound, strict=True)):
            if index == start:
                args.append(starts or f"({self.term(arg, scope)},)")
            elif is_bound:
                args.append(self.term(arg, scope))
        name = self._function.module.functions[step.calls]
        return f"{name}({', '.join([*PASSED_ON, *args])})"

    def _membership(self, atom: Atom, step: Step, scope: Scope, *, denied: bool) -> str:
        """Return the expression that says whether a fact is stored of which all is known."""
        positions = [index for index, arg in enumerate(atom.args) if isinstance(arg, Variable)]
        if not positions:
            found = self._lookup(step, range(len(atom.args)), scope)
            return f"not {found}" if denied else found
        # On a walk best what can be looked up once for all values; else a path that is there for another
        # reason will do; else the first argument is looked for.
        choices = [[i for i in range(len(atom.args)) if i != member] for member in positions]
        lasting = (c for c in choices if self._fixed and self._is_fixed(atom, c, scope))
        there = (c for c in choices if self._demand.has(_path(step, c)))
        known = next(chain(lasting, there, choices))
        [member] = set(range(len(atom.args))) - set(known)
        found = self._lookup(step, known, scope)
        return f"{self.term(atom.args[member], scope)} {_in(denied)} {found}"

    def _is_fixed(self, atom: Atom, key: Iterable[int], scope: Scope) -> bool:
        """Say whether these arguments are the same in all rounds of a walk."""
        values = (self.term(atom.args[index], scope) for index in key)
        return all(value in self._fixed or value.startswith("facts.") for value in values)

    def members_of(self, step: Step, variable: Variable, scope: Scope) -> str:
        """Return the expression for the values that `variable` has in facts, given all else of the look-up."""
        known = [index for index, arg in enumerate(_atom_of(step).args) if arg != variable]
        return self._lookup(step, known, scope)

    def looked_up(self, step: Step, moving: Variable, scope: Scope) -> str | None:
        """Return the name of what was looked up once for a whole walk and holds a value if the step does.

        None if the walk looks it up at each value that it comes to.
        """
        known = [
            index
            for index, arg in enumerate(_atom_of(step).args)
            if not isinstance(arg, Variable) or (arg in scope and arg != moving)
        ]
        path = _path(step, known)
        if len(path.members) != 1 or not path.key or not self._demand.has(path):
            return None
        return self._function.hoisted.get(self._expression(_atom_of(step), path, scope))

    def _lookup(self, step: Step, known: Iterable[int], scope: Scope) -> str:
        """Return the expression for what stands at the other positions."""
        atom, path = _atom_of(step), _path(step, known)
        expression = self._expression(atom, path, scope)
        if path.key and self._fixed and self._is_fixed(atom, path.key, scope):
            name = self._demand.name(path).partition("_by_")[0]
            return self._function.hoist(expression, path.predicate if path.has_choice else name)
        return expression

    def _expression(self, atom: Atom, path: AccessPath, scope: Scope) -> str:
        found = self._facts(self._demand.name(path))
        if not path.key:
            return found
        values = [self.term(atom.args[index], scope) for index in path.key]
        key = values[0] if len(values) == 1 else tuple_of(values)
        return f"{found}({key}, ())"


def is_look_up(step: Step) -> bool:
    """Say whether the step says that a fact is stored of which all is known."""
    return isinstance(step.goal, Atom) and step.calls is None and not step.fresh


def _atom_of(step: Step) -> Atom:
    goal = step.goal.goal if isinstance(step.goal, Negation) else step.goal
    assert isinstance(goal, Atom)
    return goal


def _path(step: Step, known: Iterable[int]) -> AccessPath:
    atom = _atom_of(step)
    literals: list[tuple[int, Literal]] = []
    key: list[int] = []
    for index in known:
        arg = atom.args[index]
        if step.choice is not None and step.choice.position == index:
            literals.append((index, step.choice.values))
        elif isinstance(arg, Value):
            literals.append((index, arg))
        else:
            key.append(index)
    return AccessPath(atom.predicate, len(atom.args), tuple(literals), tuple(key))


def _any_alike(free: Sequence[Variable], found: str) -> str:
    """Return the expression that says whether `found` has values that are equal where the variables are."""
    pairs = [
        (free.index(variable), index)
        for index, variable in enumerate(free)
        if free.index(variable) != index
    ]
    return f"has_alike(steps, {found}, {tuple(pairs)!r})"


def _in(denied: bool) -> str:  # noqa: FBT001 - of which of two words
    return "not in" if denied else "in"
