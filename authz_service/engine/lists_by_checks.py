"""Lists by the definition: every value that occurs is checked, and one that does not occur.

Values that occur neither in facts nor in the policy nor in the question are all alike, so that one of them, the
stranger, stands for all.
"""

from abc import abstractmethod
from collections.abc import Callable
from itertools import count

from authz_service.engine.program import Budget, Listed, Question
from authz_service.facts.snapshot import FactSnapshot
from authz_service.facts.value import STRING, Value, string
from authz_service.polar.policy import Policy


class ListsByChecks:
    """The lists of an engine that only checks. `_constants` are the values that the rules name."""

    _policy: Policy
    _constants: frozenset[Value]

    @abstractmethod
    def permits(self, question: Question, facts: FactSnapshot, now: int, budget: Budget) -> bool:
        """See `Program.permits`."""

    def resources(
        self,
        actor: Value,
        action: str,
        resource_type: str,
        facts: FactSnapshot,
        now: int,
        budget: Budget,
    ) -> Listed:
        """See `Program.resources`."""

        def is_permitted(resource: Value) -> bool:
            return self.permits(Question(actor, action, resource), facts, now, budget)

        return self._listed(resource_type, is_permitted, facts, actor, budget)

    def actors(
        self,
        actor_type: str,
        action: str,
        resource: Value,
        facts: FactSnapshot,
        now: int,
        budget: Budget,
    ) -> Listed:
        """See `Program.actors`."""

        def is_permitted(actor: Value) -> bool:
            return self.permits(Question(actor, action, resource), facts, now, budget)

        return self._listed(actor_type, is_permitted, facts, resource, budget)

    def actions(
        self, actor: Value, resource: Value, facts: FactSnapshot, now: int, budget: Budget
    ) -> Listed:
        """See `Program.actions`."""

        def is_permitted(action: Value) -> bool:
            return self.permits(Question(actor, action.id, resource), facts, now, budget)

        known = self._policy.actions[resource.type]
        if known is None:
            return self._listed(STRING, is_permitted, facts, actor, budget)
        return Listed(tuple(filter(is_permitted, map(string, known))), is_any_except=False)

    def _listed(
        self,
        type_name: str,
        is_permitted: Callable[[Value], bool],
        facts: FactSnapshot,
        asked: Value,
        budget: Budget,
    ) -> Listed:
        steps = iter(budget.each)
        everything = self._constants.union((asked,), *(fact.args for fact in facts))
        occurring = [value for value in everything if value.type == type_name]
        names = (Value(type_name, f"stranger {number}") for number in count())
        is_any_except = is_permitted(next(name for name in names if name not in everything))
        found: list[Value] = []
        for value in occurring:
            if next(steps, None) is None:
                raise budget.reached()
            if is_permitted(value) is not is_any_except:
                found.append(value)
        return Listed(tuple(found), is_any_except)
