"""The rules that engines evaluate: names resolved, types known, goals in an order that is safe.

`Rule.body` can be evaluated from left to right, starting from the head's open variables: whenever a
goal is reached, the variables that it needs are bound. An `Atom` binds its variables, a
`Comparison` with `=` and a `Membership` may bind one; nothing else binds. `CURRENT_TIME` is always bound.
An empty `Conjunction` always holds, an empty `Disjunction` never.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import assert_never

from authz_service.facts.value import Value
from authz_service.polar.source import Span


@dataclass(frozen=True, slots=True)
class Variable:
    """A variable; its name is unique in its rule."""

    name: str

    @property
    def is_anonymous(self) -> bool:
        """Whether it stands for a `_`. A blank keeps its name apart from those of authors."""
        return self.name.startswith("_ ")

    @property
    def shown(self) -> str:
        return "_" if self.is_anonymous else self.name


Term = Variable | Value

CURRENT_TIME = Variable("@current_unix_time")
"""The time of evaluation: an Integer, bound before any goal is evaluated. No variable of an author can
have its name."""


@dataclass(frozen=True, slots=True)
class Atom:
    """Holds if such a fact is stored, sent as context, stated in the policy or derived by a rule."""

    predicate: str
    args: tuple[Term, ...]
    span: Span = field(compare=False)

    @property
    def key(self) -> tuple[str, int]:
        """The predicate with its arity: atoms speak about the same facts only if this is equal."""
        return self.predicate, len(self.args)

    def __str__(self) -> str:
        args = (arg.name if isinstance(arg, Variable) else str(arg) for arg in self.args)
        return f"{self.predicate}({', '.join(args)})"


@dataclass(frozen=True, slots=True)
class Comparison:
    """`left operator right`. `=` and `!=` compare any values, the others Integers only."""

    operator: str
    left: Term
    right: Term
    span: Span = field(compare=False)


@dataclass(frozen=True, slots=True)
class Membership:
    """The term equals one of the values."""

    term: Term
    values: tuple[Value, ...]
    span: Span = field(compare=False)


@dataclass(frozen=True, slots=True)
class TypeTest:
    """The variable's value is of one of these concrete types."""

    variable: Variable
    types: frozenset[str]
    span: Span = field(compare=False)


@dataclass(frozen=True, slots=True)
class Negation:
    """There is no way to make `goal` hold. Variables that occur only inside are its own."""

    goal: "Goal"
    span: Span = field(compare=False)


@dataclass(frozen=True, slots=True)
class Conjunction:
    """All goals hold, with the same values for the variables that they share."""

    goals: tuple["Goal", ...]
    span: Span = field(compare=False)


@dataclass(frozen=True, slots=True)
class Disjunction:
    """At least one goal holds."""

    goals: tuple["Goal", ...]
    span: Span = field(compare=False)


Goal = Atom | Comparison | Membership | TypeTest | Negation | Conjunction | Disjunction


Types = Mapping[Variable, frozenset[str]]
"""The concrete types that the values of each variable of a rule can have."""


@dataclass(frozen=True, slots=True)
class Rule:
    """`head` holds if `body` does.

    `types` gives the concrete types that each variable's values can have. `open` holds the head's
    variables that the body does not bind: the rule speaks about every value of their types.
    """

    head: Atom
    body: Goal
    types: Types
    open: frozenset[Variable]
    span: Span = field(compare=False)

    def types_of(self, term: Term) -> frozenset[str]:
        return types_of(term, self.types)


def types_of(term: Term, types: Types) -> frozenset[str]:
    """Return the types that the values of `term` can have."""
    return types[term] if isinstance(term, Variable) else frozenset({term.type})


def variables(goal: Goal) -> set[Variable]:
    """Return all variables of `goal`, those inside of negations included."""
    match goal:
        case Atom():
            terms: tuple[Term, ...] = goal.args
        case Comparison():
            terms = (goal.left, goal.right)
        case Membership():
            terms = (goal.term,)
        case TypeTest():
            terms = (goal.variable,)
        case Negation():
            return variables(goal.goal)
        case Conjunction() | Disjunction():
            found: set[Variable] = set()
            for inner in goal.goals:
                found |= variables(inner)
            return found
        case _:
            assert_never(goal)
    return {term for term in terms if isinstance(term, Variable)}


def leaves(goal: Goal) -> Iterator[Goal]:
    """Yield every part of `goal` that has no parts, those under negations included."""
    match goal:
        case Negation():
            yield from leaves(goal.goal)
        case Conjunction() | Disjunction():
            for inner in goal.goals:
                yield from leaves(inner)
        case _:
            yield goal


def atoms(goal: Goal, *, negated: bool = False) -> Iterator[tuple[Atom, bool]]:
    """Yield every atom of `goal`, and whether it stands under a negation."""
    match goal:
        case Atom():
            yield goal, negated
        case Negation():
            yield from atoms(goal.goal, negated=True)
        case Conjunction() | Disjunction():
            for inner in goal.goals:
                yield from atoms(inner, negated=negated)
        case _:
            return
