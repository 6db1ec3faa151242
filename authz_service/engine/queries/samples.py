"""Queries to compare engines by: most are about what holds, with variables for some of its values.

Chance comes from outside: this package is pure, and the same seed makes the same queries.
"""

from collections.abc import Iterator, Sequence
from typing import Protocol, TypeVar

from authz_service.engine.program import Limit, Query
from authz_service.engine.queries.names import ASKED, is_question
from authz_service.engine.queries.sources import shown, shown_name
from authz_service.facts.fact import Fact
from authz_service.facts.value import PRIMITIVE_TYPES, STRING, Value
from authz_service.polar.goals import Atom, Term, Variable
from authz_service.polar.policy import Policy

T = TypeVar("T")

_AIMED = 0.8
_KEPT_NAMES = 0.7
_KEPT_ENTITIES = 0.3
_LISTED = 0.15
_MORE_CONDITIONS = (0, 1, 1, 2)


class Chance(Protocol):
    """The part of `random.Random` that is used here."""

    def random(self) -> float:
        """Return a number from 0 to 1."""
        ...

    def choice(self, seq: Sequence[T]) -> T:
        """Return one of `seq`."""
        ...


class Samples:
    """Queries about a policy and facts. `holding` are these and what follows from them."""

    def __init__(self, policy: Policy, chance: Chance, holding: Sequence[Fact]) -> None:
        self._chance = chance
        self._heads = sorted(
            {r.head.key for r in policy.rules if all(map(r.types_of, r.head.args))}
        )
        self._by_predicate: dict[str, list[Fact]] = {}
        self._by_value: dict[Value, list[Fact]] = {}
        for fact in holding:
            if _can_be_asked(fact, policy):
                self._by_predicate.setdefault(fact.predicate, []).append(fact)
                for value in fact.args:
                    self._by_value.setdefault(value, []).append(fact)

    def __bool__(self) -> bool:
        """Say whether there is anything to ask."""
        return bool(self._heads or self._by_predicate)

    def query(self) -> Query:
        """Return a query, all variables of which are columns."""
        if self._by_predicate and (self._chance.random() < _AIMED or not self._heads):
            return self._aimed()
        predicate, arity = self._chance.choice(self._heads)
        columns = tuple(Variable(f"v{number}") for number in range(1, arity + 1))
        return Query((Atom(predicate, columns, ASKED),), columns, {})

    def _aimed(self) -> Query:
        """Return a query that has an answer: conditions that hold and share values, some made variables."""
        predicate = self._chance.choice(sorted(self._by_predicate))
        chosen = [self._chance.choice(self._by_predicate[predicate])]
        for _ in range(self._chance.choice(_MORE_CONDITIONS)):
            shared = [value for value in chosen[-1].args if value.type not in PRIMITIVE_TYPES]
            if shared:
                chosen.append(self._chance.choice(self._by_value[self._chance.choice(shared)]))
        terms = dict(self._terms(dict.fromkeys(value for fact in chosen for value in fact.args)))
        conditions = dict.fromkeys(
            Atom(fact.predicate, tuple(terms[value] for value in fact.args), ASKED)
            for fact in chosen
        )
        values = {term: value for value, term in terms.items() if isinstance(term, Variable)}
        limits = {
            variable: Limit(None, (value,))
            for variable, value in values.items()
            if self._chance.random() < _LISTED
        }
        return Query(tuple(conditions), tuple(values), limits)

    def _terms(self, values: dict[Value, None]) -> Iterator[tuple[Value, Term]]:
        for number, value in enumerate(values, start=1):
            kept = _KEPT_NAMES if value.type in PRIMITIVE_TYPES else _KEPT_ENTITIES
            is_kept = self._chance.random() < kept
            yield value, value if is_kept else Variable(f"v{number}")


def _can_be_asked(fact: Fact, policy: Policy) -> bool:
    if not is_question(Atom(fact.predicate, fact.args, ASKED)):
        return True
    _, action, resource = fact.args
    is_action = action.type == STRING and resource.type in policy.types
    return is_action and policy.knows(action.id, resource.type)


def query_text(query: Query) -> str:
    """Return the query as it is asked on the command line, but for its columns."""
    conditions = [shown(atom) for atom in query.conditions]
    for variable, limit in query.limits.items():
        if limit.values is not None:
            values = ", ".join(map(str, limit.values))
            conditions.append(f"{shown_name(variable)} in [{values}]")
    return " and ".join(conditions)
