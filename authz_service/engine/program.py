"""Program: what every engine makes of a policy; Question, Listing and Query: what it is asked."""

from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from itertools import count
from typing import NamedTuple, Protocol

from authz_service.errors import EvaluationLimitReached
from authz_service.facts.access import Demand
from authz_service.facts.fact import AnyValue, Fact
from authz_service.facts.snapshot import FactSnapshot
from authz_service.facts.value import STRING, Value, string
from authz_service.polar.goals import Atom, Variable


class Question(NamedTuple):
    """May `actor` perform `action` on `resource`?"""

    actor: Value
    action: str
    resource: Value

    def as_fact(self) -> Fact:
        """Return the fact that holds if and only if the answer is PERMIT."""
        return Fact("allow", (self.actor, string(self.action), self.resource))


class Listed(NamedTuple):
    """What answers a listing: the values of `type` with these `ids`, or if `is_any_except`, all but these."""

    type: str
    ids: tuple[str, ...]
    """Each once, in no particular order. Not values: to make so many objects takes longer than to find them."""
    is_any_except: bool

    @property
    def values(self) -> tuple[Value, ...]:
        """What has the ids."""
        return tuple(Value(self.type, id_) for id_ in self.ids)


class Listing(NamedTuple):
    """A question that has a hole, for values of a type; `ask` fills it.

    `choices` are the values that there are, or None if that is every value of the type. Values that occur
    neither in facts nor in policy and question are all alike to a policy. So whatever holds for one of them,
    a stranger, holds for all, and the others are few enough to be checked one by one. That is what `by_checks`
    does; engines that find lists faster are compared with it.
    """

    type: str
    choices: tuple[Value, ...] | None
    ask: Callable[[Value], Question]

    @staticmethod
    def of_resources(actor: Value, action: str, resource_type: str) -> "Listing":
        """On which resources of the type may `actor` perform `action`?"""
        return Listing(resource_type, None, lambda value: Question(actor, action, value))

    @staticmethod
    def of_actors(actor_type: str, action: str, resource: Value) -> "Listing":
        """Who of the type may perform `action` on `resource`?"""
        return Listing(actor_type, None, lambda value: Question(value, action, resource))

    @staticmethod
    def of_actions(actor: Value, resource: Value, declared: AbstractSet[str] | None) -> "Listing":
        """What may `actor` do to `resource`? A list of Strings.

        `declared` are the actions of the resource's type (`Policy.actions`), or None for any.
        """
        choices = None if declared is None else tuple(map(string, sorted(declared)))
        return Listing(STRING, choices, lambda value: Question(actor, value.id, resource))

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


def _stranger(type_name: str, known: AbstractSet[Value]) -> Value:
    """Return a value of the type that is none of the `known` ones."""
    strangers = (Value(type_name, f"stranger {number}") for number in count())
    return next(value for value in strangers if value not in known)


class Limit(NamedTuple):
    """What a variable may be: of `type`, if that is given, and one of `values`, if these are."""

    type: str | None = None
    values: tuple[Value, ...] | None = None


class Query(NamedTuple):
    """For which values of `columns` do all `conditions` hold?

    It means what a rule `rows(columns) if conditions` would derive. Columns are different variables of the
    conditions; of the other variables there need only be a value. `limits` are in the order of the request.
    """

    conditions: tuple[Atom, ...]
    columns: tuple[Variable, ...]
    limits: Mapping[Variable, Limit]


Row = tuple[Value | AnyValue, ...]
"""A value for each column; AnyValue where every value of its type will do, also one that occurs nowhere."""


class Budget:
    """How much work an evaluation may do, in steps; a step is one fact or value tried.

    It does not change, so one serves any number of evaluations. Each counts by itself what it has spent: calls
    `next` on an `iter(budget.each)`, which is done in C and raises StopIteration when no step is left.
    """

    __slots__ = ("each", "steps")

    def __init__(self, steps: int) -> None:
        self.steps = steps
        self.each: Iterable[object] = range(steps)

    def shared(self) -> "Budget":
        """Return these steps for several evaluations, one after the other, which spend them together."""
        shared = Budget(self.steps)
        shared.each = iter(self.each)
        return shared

    def rest(self) -> None:
        """Let others go on, if somebody is to. Called about once a millisecond by work that takes no steps."""

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

    def listed(self, asked: Listing, facts: FactSnapshot, now: int, budget: Budget) -> Listed:
        """Return the values for which `permits` says yes to what is `asked`, all of them.

        What is given has passed the checks of `Policy.check_question`. All work counts on one `budget`; a list
        that needs more is EvaluationLimitReached, never a short one. The first list of its kind, and the first
        over these facts, waits for what checks do not need: code and indexes.
        """
        ...

    def query(self, query: Query, facts: FactSnapshot, now: int, budget: Budget) -> set[Row]:
        """Return all rows that answer `query`, given exactly `facts`; see `engine.queries.query`.

        A row that another one says with AnyValue as well is left out. Raises UnknownType, UnknownAction or
        UnusableCondition if the query cannot be meant so, VariableUnlimited if rows cannot say the answer,
        EngineUnsupported, and EvaluationLimitReached.
        """
        ...
