"""Queries, compiled: a query is one more rule, whose module answers all queries of its shape.

Rule 1: entities, Integers and what the policy does not name are arguments of the module. Strings and Booleans
    that it names, such as roles and actions, stay in it: rules depend on them.
Rule 2: so do variables with a list of values and those whose values are tried. The module is called once for
    each combination of theirs.
Rule 3: only so many modules are kept. The access paths that they have demanded stay with the policy's.
"""

from collections.abc import Callable, Iterator
from functools import lru_cache
from itertools import product
from typing import Any, NamedTuple

from authz_service.engine.compiler.emit import Source, emit
from authz_service.engine.compiler.plan import plan
from authz_service.engine.compiler.rewrites import rewritten
from authz_service.engine.program import Budget, Query, Row
from authz_service.engine.queries.names import ASKED
from authz_service.engine.queries.unlimited import Values, rows, strangers
from authz_service.engine.queries.vocabulary import ResolvedQuery, Vocabulary, fixed_values
from authz_service.errors import EngineUnsupported
from authz_service.facts.access import Demand
from authz_service.facts.ids import Decoded, Ids
from authz_service.facts.snapshot import FactSnapshot
from authz_service.facts.value import INTEGER, Value
from authz_service.facts.view import View
from authz_service.polar.goals import Atom, Conjunction, Rule, Term, Variable

MAX_SHAPES = 100
"""So many modules for queries are kept; each takes some milliseconds to compile."""

_ROWS = "rows-of-query"
"""The predicate of the rule that a query is; no author can write this name."""

_Execute = Callable[[Source, str], dict[str, Any]]


class Shape(NamedTuple):
    """What queries have in common that one module answers. Variables are numbered where they first stand."""

    conditions: tuple[tuple[str, tuple[Term, ...]], ...]
    given: tuple[Variable, ...]
    wanted: tuple[Variable, ...]
    types: tuple[tuple[Variable, frozenset[str]], ...]

    @property
    def rule(self) -> Rule:
        head = Atom(_ROWS, (*self.given, *self.wanted), ASKED)
        body = tuple(Atom(predicate, args, ASKED) for predicate, args in self.conditions)
        return Rule(head, Conjunction(body, ASKED), dict(self.types), frozenset(), ASKED)


class CompiledQueries:
    """Answers queries about one policy. Safe to use from several threads at once."""

    def __init__(
        self,
        vocabulary: Vocabulary,
        demand: Demand,
        execute: _Execute,
    ) -> None:
        self._vocabulary = vocabulary
        self._demand = demand
        self._execute = execute
        self._function = lru_cache(maxsize=MAX_SHAPES)(self._compiled)

    def rows(self, query: Query, facts: FactSnapshot, now: int, budget: Budget) -> set[Row]:
        """See `Program.query`. Costs what the query visits, and a call for each combination of tried values.

        Raises EngineUnsupported if there cannot be a module.
        """
        asked = self._vocabulary.resolved(query)
        call = _Call(asked)
        answer = self._function(call.shape)
        if answer is None:
            raise EngineUnsupported("the rules behind the query build on each other too deep")
        view = facts.view(self._demand)
        steps = iter(budget.each)
        try:
            return call.rows(answer, view, steps, now)
        except StopIteration:
            raise budget.reached() from None

    def source(self, query: Query) -> Source:
        """Return the text of the module for this query. Raises EngineUnsupported."""
        return self._source(_Call(self._vocabulary.resolved(query)).shape)

    def _source(self, shape: Shape) -> Source:
        rule = shape.rule
        types = [rule.types_of(arg) for arg in rule.head.args]
        program = self._vocabulary.specialiser.with_rule(rule).program(_ROWS, types)
        bound = (*(True for _ in shape.given), *(False for _ in shape.wanted))
        return emit(plan(rewritten(program), bound), self._demand, "a query")

    def _compiled(self, shape: Shape) -> Callable[..., Any] | None:
        """Return the function that answers queries of this shape; None if there cannot be one."""
        try:
            source = self._source(shape)
        except EngineUnsupported:
            return None
        found: Callable[..., Any] = self._execute(source, "compiled query")[source.entry]
        return found


class _Call:
    """A query as a shape, and the values that make the query of it."""

    def __init__(self, asked: ResolvedQuery) -> None:
        self._asked = asked
        query = asked.query
        self._values = [value for value in fixed_values(query) if value not in asked.literals]
        self._choices = (*asked.listed, *asked.tried)
        self._wanted = [column for column in query.columns if column not in self._choices]
        self.shape = self._shape()

    def _shape(self) -> Shape:
        types = self._asked.types
        atoms = (*self._asked.query.conditions, *self._asked.actions)
        names: dict[Term, Variable] = {}
        for atom in atoms:
            for arg in atom.args:
                if isinstance(arg, Variable) or arg in self._values:
                    names.setdefault(arg, Variable(f"value {len(names)}"))
        conditions = tuple(
            (atom.predicate, tuple(names.get(arg, arg) for arg in atom.args)) for atom in atoms
        )
        typed = {
            name: types[term] if isinstance(term, Variable) else frozenset({term.type})
            for term, name in names.items()
        }
        terms: list[Term] = [*self._values, *self._choices]
        given = tuple(names[term] for term in terms)
        wanted = tuple(names[column] for column in self._wanted)
        return Shape(conditions, given, wanted, tuple(typed.items()))

    def rows(
        self, answer: Callable[..., Any], view: View, steps: Iterator[object], now: int
    ) -> set[Row]:
        # Not the view's own: what only this query knows must not stay.
        ids = view.ids.child()
        values = [ids.add(value) for value in self._values]
        listed = {
            variable: [ids.add(value) for value in some]
            for variable, some in self._asked.listed.items()
        }
        for value in strangers(self._asked):
            ids.add(value)
        # All that occurs anywhere has its id now.
        tried = values_to_try(ids, self._asked)
        choices = [
            *listed.values(),
            *(
                [id_ for name in sorted(self._asked.types[variable]) for id_ in tried[name]]
                for variable in self._asked.tried
            ),
        ]
        decoded = Decoded(ids)
        found: set[Values] = set()
        for chosen in product(*choices):
            next(steps)
            answers = answer(view, steps, now, {}, *values, *chosen)
            found |= self._rows_of(answers, chosen, decoded)
        return rows(found, self._asked, lambda name: len(tried[name]), steps.__next__)

    def _rows_of(self, answers: Any, chosen: tuple[int, ...], decoded: Decoded) -> set[Values]:  # noqa: ANN401 - as generated
        """Return the columns of each answer, of those that a module gives for one combination of values."""
        if not self._wanted:
            answers = {()} if answers else ()
        elif len(self._wanted) == 1:
            [*types] = self._asked.types[self._wanted[0]]
            if not self._choices and types != [INTEGER] and len(types) == 1:
                texts = decoded.ids.texts_of(types[0], answers)
                return {(Value(types[0], text),) for text in texts}
            answers = ((answer,) for answer in answers)
        value = decoded.__getitem__
        if not self._choices:
            return {tuple(map(value, answer)) for answer in answers}
        variables = (*self._choices, *self._wanted)
        places = [variables.index(column) for column in self._asked.query.columns]
        picked = (map((*chosen, *answer).__getitem__, places) for answer in answers)
        return {tuple(map(value, row)) for row in picked}


def values_to_try(ids: Ids, asked: ResolvedQuery) -> dict[str, tuple[int, ...]]:
    """Return the values of the types of tried variables: all that have an id, strangers included.

    Values that occur in these facts no more, or not yet, are among them; they behave like strangers.
    """
    types = frozenset().union(*(asked.types[variable] for variable in asked.tried))
    return {name: tuple(ids.of_type(name).values()) for name in types}
