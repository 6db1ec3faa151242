"""Program: what every engine makes of a policy, and Question: what it decides."""

from typing import NamedTuple, Protocol

from authz_service.errors import EvaluationLimitReached
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
    """How much work one evaluation may do, in steps; a step is one fact or value tried."""

    __slots__ = ("_left", "_steps")

    def __init__(self, steps: int) -> None:
        self._steps = steps
        self._left = steps

    def spend(self) -> None:
        """Count one step. Raises EvaluationLimitReached when there is none left."""
        self._left -= 1
        if self._left < 0:
            message = (
                f"the question needed more than {self._steps} steps; "
                "simplify the policy, or raise `evaluation_steps`"
            )
            raise EvaluationLimitReached(message)


class Program(Protocol):
    """A policy made executable by one engine. Safe to use from several threads at once."""

    def permits(self, question: Question, facts: FactSnapshot, now: int, budget: Budget) -> bool:
        """Say whether the policy permits what `question` asks, given exactly `facts`.

        `now` is the time of evaluation in whole seconds since 1970, what `@current_unix_time` stands for.
        `question` has passed `Policy.check_question`. Facts that no rule can use are ignored. There
        are three outcomes: true, false, or an AuthzError that says nothing about the answer.
        """
        ...
