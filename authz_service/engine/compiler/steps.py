"""Steps: the conditions of a rule in the order in which they are looked at, given what is bound at first."""

from dataclasses import dataclass
from typing import NamedTuple

from authz_service.facts.value import Value
from authz_service.polar.goals import Atom, Goal, Membership, Negation, Rule, Variable, variables


class Pattern(NamedTuple):
    """A relation, and which of its arguments are bound."""

    relation: str
    bound: tuple[bool, ...]

    @property
    def is_check(self) -> bool:
        return all(self.bound)


class Choice(NamedTuple):
    """The values any of which will do at a position of a condition."""

    position: int
    values: frozenset[Value]


class Step(NamedTuple):
    """A condition in its place, and the procedure that it calls if it is about a relation.

    `known` are the variables that are bound before; `in_loop` says that it is looked at many times. `choice`
    says what will do instead of one of its literals.
    """

    goal: Goal
    calls: Pattern | None
    known: frozenset[Variable]
    in_loop: bool
    choice: Choice | None = None

    @property
    def fresh(self) -> list[Variable]:
        """The variables that the condition tries values of, each as often as it stands there."""
        goal = self.goal.goal if isinstance(self.goal, Negation) else self.goal
        match goal:
            case Atom(_, args):
                return [arg for arg in args if isinstance(arg, Variable) and arg not in self.known]
            case Membership(Variable() as term) if term not in self.known:
                return [term]
            case _:
                return []

    @property
    def binds(self) -> bool:
        """Whether the condition gives values to variables, one after the other."""
        return isinstance(self.goal, Atom | Membership) and not variables(self.goal) <= self.known


@dataclass(frozen=True, slots=True)
class PlannedRule:
    """A rule with its conditions in order."""

    rule: Rule
    steps: tuple[Step, ...]
