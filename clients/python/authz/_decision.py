"""Questions and what becomes of them.

Rule: nothing is true unless the service has permitted. A decision is as true as it permits, and an
answer without a decision refuses to be read as one; so do lists and rows, also if they are empty.
What can be true is no bool, and refuses to be compared with one: that would always say that they differ.
"""

from collections.abc import Iterable
from dataclasses import dataclass, fields
from datetime import datetime, timedelta

from authz._entity import Entity, to_entity
from authz._explain import PolicyRule
from authz._fact import Fact, to_facts
from authz._pending import refuse_bool
from authz.errors import AuthzError


@dataclass(frozen=True, slots=True, init=False)
class Question:
    """May `actor` perform `action` on `resource`, if `context_facts` hold too?"""

    actor: Entity
    action: str
    resource: Entity
    context_facts: tuple[Fact, ...]

    def __init__(
        self,
        actor: Entity | str,
        action: str,
        resource: Entity | str,
        context_facts: Iterable[Fact | str] = (),
    ) -> None:
        object.__setattr__(self, "actor", to_entity(actor))
        object.__setattr__(self, "action", action)
        object.__setattr__(self, "resource", to_entity(resource))
        object.__setattr__(self, "context_facts", to_facts(context_facts))

    @property
    def text(self) -> str:
        """The question as it is asked on the command line."""
        return f"{self.actor} {self.action} {self.resource}"


def no_decision(what: str) -> TypeError:
    """Return the error about `what` where it is taken for true or false, as which it says nothing."""
    return TypeError(f"{what} is no decision; ask `authorize`, or look at what is in it")


def not_searched(what: str) -> TypeError:
    """Return the error about `in` with what goes past once: asked again, it would not find what was there."""
    return TypeError(f"{what} is gone through once; look into a set of it, or ask `authorize`")


def to_question(question: Question | tuple[Entity | str, str, Entity | str]) -> Question:
    return question if isinstance(question, Question) else Question(*question)


@dataclass(frozen=True, slots=True)
class Decision:
    """What the service decided, and what it was based on. It is true exactly if it permits.

    `id` finds the decision in the logs of the service. `consistency_token` names the state of
    policy and facts that was evaluated, `evaluated_at` (UTC) the time that stood still meanwhile.
    Everything that was committed longer than `age` before is in that state; None if it is not told.
    `rules` are those by which it is permitted, if they were asked for.
    """

    permitted: bool
    id: str
    policy_version: int
    evaluated_at: datetime
    consistency_token: str
    age: timedelta | None = None
    rules: tuple[PolicyRule, ...] = ()

    def __eq__(self, other: object) -> bool:
        refuse_bool(other)
        return isinstance(other, Decision) and all(
            getattr(self, field.name) == getattr(other, field.name) for field in fields(self)
        )

    def __hash__(self) -> int:
        return hash((self.id, self.permitted))

    def __bool__(self) -> bool:
        return self.permitted


@dataclass(frozen=True, slots=True)
class Answer:
    """What became of one question of a batch: a decision or an error.

    If it is an error then `decision`, `permitted` and the answer's truth raise it, so that a
    failure can be taken neither for a permit nor for a deny.
    """

    _outcome: Decision | AuthzError

    def __eq__(self, other: object) -> bool:
        refuse_bool(other)
        return isinstance(other, Answer) and self._outcome == other._outcome

    def __hash__(self) -> int:
        return hash(self._outcome)

    @property
    def error(self) -> AuthzError | None:
        """Why there is no decision; None if there is one."""
        return self._outcome if isinstance(self._outcome, AuthzError) else None

    @property
    def decision(self) -> Decision:
        if isinstance(self._outcome, AuthzError):
            raise self._outcome
        return self._outcome

    @property
    def permitted(self) -> bool:
        return self.decision.permitted

    def __bool__(self) -> bool:
        return self.permitted


def batch_token(answers: Iterable[Answer]) -> str | None:
    """Return the token of the state that a batch was answered by; None if no question was."""
    decided = (answer.decision for answer in answers if answer.error is None)
    return next((decision.consistency_token for decision in decided), None)
