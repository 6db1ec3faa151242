"""Listings by their definition: check each value that could be told from others, and one that could not.

Values that occur neither in facts nor in policy and question are all alike to a policy. So whatever holds for
one of them, a stranger, holds for all, and the others are few enough to be checked one by one. Engines that
find lists faster are compared with this.
"""

from collections.abc import Callable, Iterable, Sequence
from collections.abc import Set as AbstractSet
from itertools import count
from typing import NamedTuple

from authz_service.engine.program import Listed, Question
from authz_service.facts.value import STRING, Value, string


class Listing(NamedTuple):
    """A question that has a hole, for values of a type; `ask` fills it.

    `choices` are the values that there are, or None if that is every value of the type.
    """

    type: str
    choices: tuple[Value, ...] | None
    ask: Callable[[Value], Question]

    def candidates(self, occurring: Iterable[Value]) -> tuple[Value, ...]:
        """Return the choices, or a stranger and all values that could be told from it.

        `occurring` are the values in facts and policy.
        """
        if self.choices is not None:
            return self.choices
        hole = Value(self.type, "")
        known = {*occurring, *self.ask(hole).as_fact().args} - {hole}
        some = (value for value in known if value.type == self.type)
        return _stranger(self.type, known), *some

    def listed(self, candidates: Sequence[Value], answers: Sequence[bool]) -> Listed:
        """Return the list, given the answers for all `candidates`."""
        is_any_except = self.choices is None and answers[0]
        pairs = zip(candidates, answers, strict=True)
        unlike = (value.id for value, answer in pairs if answer is not is_any_except)
        return Listed(self.type, tuple(unlike), is_any_except)

    def by_checks(self, occurring: Iterable[Value], decide: Callable[[Question], bool]) -> Listed:
        """Return the list; `occurring` are the values in facts and policy."""
        candidates = self.candidates(occurring)
        return self.listed(candidates, [decide(self.ask(value)) for value in candidates])


def resources(actor: Value, action: str, resource_type: str) -> Listing:
    return Listing(resource_type, None, lambda value: Question(actor, action, value))


def actors(actor_type: str, action: str, resource: Value) -> Listing:
    return Listing(actor_type, None, lambda value: Question(value, action, resource))


def actions(actor: Value, resource: Value, declared: AbstractSet[str] | None) -> Listing:
    """Return the listing of actions; `declared` are those of the resource's type, or None for any."""
    choices = None if declared is None else tuple(map(string, sorted(declared)))
    return Listing(STRING, choices, lambda value: Question(actor, value.id, resource))


def _stranger(type_name: str, known: AbstractSet[Value]) -> Value:
    """Return a value of the type that is none of the `known` ones."""
    strangers = (Value(type_name, f"stranger {number}") for number in count())
    return next(value for value in strangers if value not in known)
