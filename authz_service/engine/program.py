"""Program: what every engine makes of a policy, and Question: what it decides."""

from collections.abc import Hashable
from collections.abc import Set as AbstractSet
from typing import NamedTuple, Protocol

from authz_service.errors import EvaluationLimitReached
from authz_service.facts.access import Demand
from authz_service.facts.fact import Fact
from authz_service.facts.snapshot import FactSnapshot
from authz_service.facts.value import Value, string


class Question(NamedTuple):
    """May `actor` perform `action` on `resource`?"""

    actor: Value
    action: str
    resource: Value

    def as_fact(self) -> Fact:
        """Return the fact that holds if and only if the answer is PERMIT."""
        return Fact("allow", (self.actor, string(self.action), self.resource))


class Budget:
    """How much work an evaluation may do, in steps; a step is one fact or value tried.

    It does not change, so one serves any number of evaluations. Each counts by itself what it has spent: calls
    `next` on an `iter(budget.each)`, which is done in C and raises StopIteration when no step is left.
    """

    __slots__ = ("each", "steps")

    def __init__(self, steps: int) -> None:
        self.steps = steps
        self.each = range(steps)

    def reached(self) -> EvaluationLimitReached:
        """Return the error that says that there is no step left."""
        return EvaluationLimitReached(
            f"the question needed more than {self.steps} steps; "
            "simplify the policy, or raise `evaluation_steps`"
        )


class Program(Protocol):
    """A policy made executable by one engine. Safe to use from several threads at once.

    Can be pickled: it is made in one process to be used in another.
    """

    @property
    def demand(self) -> Demand | None:
        """What it looks up in facts, for snapshots to prepare; None if it looks at all of them."""
        ...

    def is_ready(self, question: Question, facts: FactSnapshot) -> bool:
        """Say whether `permits` costs its steps and no more: nothing is left to be prepared."""
        ...

    @property
    def asked(self) -> AbstractSet[Hashable]:
        """The kinds of questions that are prepared, for the program that takes over from this one."""
        ...

    def prepare(self, asked: AbstractSet[Hashable] | None) -> None:
        """Do what the first questions would wait for, if they are of the kinds that are `asked`.

        Without knowing what is asked it guesses.
        """
        ...

    def permits(self, question: Question, facts: FactSnapshot, now: int, budget: Budget) -> bool:
        """Say whether the policy permits what `question` asks, given exactly `facts`.

        `now` is the time of evaluation in whole seconds since 1970, what `@current_unix_time` stands for.
        `question` has passed `Policy.check_question`. Facts that no rule can use are ignored. There
        are three outcomes: true, false, or an AuthzError that says nothing about the answer.
        """
        ...
