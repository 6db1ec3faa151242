"""One rule asked with certain arguments: what its variables can be, and which conditions are left to test.

Types flow from the arguments, from tests of types and from equations; literals take the place of variables.
A condition that this decides is gone, and a rule that it refutes raises `NeverHolds`.
"""

from collections.abc import Callable, Sequence
from operator import ge, gt, le, lt

from authz_service.engine.compiler.rule_program import goals_of, substituted
from authz_service.facts.value import INTEGER, Value
from authz_service.polar.goals import (
    CURRENT_TIME,
    Atom,
    Comparison,
    Goal,
    Membership,
    Negation,
    Rule,
    Term,
    TypeTest,
    Variable,
    variables,
)
from authz_service.polar.matching import Arg
from authz_service.polar.source import Span

_ORDERINGS: dict[str, Callable[[int, int], bool]] = {"<": lt, "<=": le, ">": gt, ">=": ge}


class NeverHolds(Exception):
    """The rule derives nothing for these arguments."""


class Narrowed:
    """`rule` asked with `args`: after `settle`, its parameters, goals and the types of its variables."""

    def __init__(self, rule: Rule, args: Sequence[Arg]) -> None:
        self.types: dict[Variable, frozenset[str]] = {
            **rule.types,
            CURRENT_TIME: frozenset({INTEGER}),
        }
        self.params: list[Variable] = []
        self.goals: list[Goal] = []
        self._asked: dict[Variable, frozenset[str]] = {}
        self._terms: dict[Variable, Term] = {}
        # What the head says, apart from which variables stand there.
        self._equations: list[Goal] = []
        self._rule = rule
        self._args = args

    def settle(self) -> None:
        """Match the head and decide what can be. Raises NeverHolds. Costs the rule times its equations."""
        self._match_literals()
        self._match_parameters()
        goals: list[Goal] = [*self._equations, *goals_of(self._rule)]
        before: object = None
        while before != (state := (dict(self.types), len(goals), len(self._terms))):
            before = state
            goals = [left for goal in goals if (left := self._settled(goal)) is not None]
        self.goals = goals

    def tests(self) -> list[Goal]:
        """Return tests of the parameters that can be asked for with values of other types."""
        return [
            TypeTest(variable, self.types[variable], self._rule.span)
            for variable, asked in self._asked.items()
            if not asked <= self.types[variable]
        ]

    def _match_literals(self) -> None:
        for term, arg in zip(self._rule.head.args, self._args, strict=True):
            if isinstance(arg, Value):
                known = self._term(term)
                if known == CURRENT_TIME:
                    self._narrow(known, frozenset({arg.type}))
                    self._equations.append(Comparison("=", known, arg, self._rule.head.span))
                elif isinstance(known, Variable):
                    self._bind(known, arg)
                elif known != arg:
                    raise NeverHolds

    def _match_parameters(self) -> None:
        """Take a variable for each argument that is none."""
        for number, (term, arg) in enumerate(zip(self._rule.head.args, self._args, strict=True)):
            if isinstance(arg, Value):
                continue
            known = self._term(term)
            param = known
            if not isinstance(param, Variable) or param == CURRENT_TIME or param in self._asked:
                param = Variable(f"value {number + 1}")
                self.types[param] = arg
                self._equations.append(Comparison("=", param, known, self._rule.head.span))
            self._asked[param] = arg
            self.params.append(param)
            self._narrow(param, arg)

    def _term(self, term: Term) -> Term:
        while isinstance(term, Variable) and term in self._terms:
            term = self._terms[term]
        return term

    def _types(self, term: Term) -> frozenset[str]:
        return self.types[term] if isinstance(term, Variable) else frozenset({term.type})

    def _narrow(self, term: Term, types: frozenset[str]) -> None:
        found = self._types(term) & types
        if not found:
            raise NeverHolds
        if isinstance(term, Variable):
            self.types[term] = found

    def _bind(self, variable: Variable, term: Term) -> None:
        """Let `term` stand where `variable` stands."""
        self._narrow(variable, self._types(term))
        self._narrow(term, self.types[variable])
        self._terms[variable] = term

    def _settled(self, goal: Goal) -> Goal | None:
        """Return what is left of the goal, or None if it holds. Raises NeverHolds if it cannot."""
        match goal:
            case TypeTest(variable, types):
                self._narrow(self._term(variable), types)
                return None
            case Comparison("=", left, right, span):
                return self._equal(self._term(left), self._term(right), span)
            case Membership(term, values):
                return self._member(goal, self._term(term), values)
            case Negation(Comparison("=", left, right, span)):
                return self._settled(Comparison("!=", left, right, span))
            case Negation(Comparison("!=", left, right, span)):
                return self._settled(Comparison("=", left, right, span))
            case Negation(inner) if not isinstance(inner, Atom):
                return self._left(goal, holds_if=False, decided=self._decided(inner))
            case Comparison():
                return self._left(goal, holds_if=True, decided=self._decided(goal))
            case _:
                return self._resolved(goal)

    def _left(self, goal: Goal, *, holds_if: bool, decided: bool | None) -> Goal | None:
        """Return what is left of a goal that holds if the test in it is decided so."""
        if decided is None:
            return self._resolved(goal)
        if decided is not holds_if:
            raise NeverHolds
        return None

    def _equal(self, left: Term, right: Term, span: Span) -> Goal | None:
        if left == right:
            return None
        self._narrow(left, self._types(right))
        self._narrow(right, self._types(left))
        for term, other in ((left, right), (right, left)):
            if isinstance(term, Variable) and self._is_own(term):
                self._bind(term, other)
                return None
        if isinstance(left, Value) and isinstance(right, Value):
            raise NeverHolds
        return Comparison("=", left, right, span)

    def _is_own(self, variable: Variable) -> bool:
        return variable not in self._asked and variable != CURRENT_TIME

    def _member(self, goal: Membership, term: Term, values: tuple[Value, ...]) -> Goal | None:
        possible = tuple(v for v in dict.fromkeys(values) if v.type in self._types(term))
        if isinstance(term, Value):
            return self._left(goal, holds_if=True, decided=term in possible)
        if not possible:
            raise NeverHolds
        self._narrow(term, frozenset(value.type for value in possible))
        if len(possible) == 1:
            return self._equal(term, possible[0], goal.span)
        return Membership(term, possible, goal.span)

    def _decided(self, goal: Goal) -> bool | None:
        """Say whether a test holds, if that is known; it says nothing about what its variables can be."""
        match goal:
            case TypeTest(variable, types):
                found = self._types(self._term(variable))
                return True if found <= types else False if found.isdisjoint(types) else None
            case Membership(term, values):
                known = self._term(term)
                if isinstance(known, Value):
                    return known in values
                is_possible = any(value.type in self._types(known) for value in values)
                return None if is_possible else False
            case Comparison(operator, left, right):
                return self._compared(operator, self._term(left), self._term(right))
            case _:
                return None

    def _compared(self, operator: str, left: Term, right: Term) -> bool | None:
        if operator in _ORDERINGS:
            if isinstance(left, Value) and isinstance(right, Value):
                return _ORDERINGS[operator](int(left.id), int(right.id))
            return operator in ("<=", ">=") if left == right else None
        if left == right or (isinstance(left, Value) and isinstance(right, Value)):
            return left != right
        return True if self._types(left).isdisjoint(self._types(right)) else None

    def _resolved(self, goal: Goal) -> Goal:
        return substituted(goal, {variable: self._term(variable) for variable in variables(goal)})
