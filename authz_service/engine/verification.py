"""What several engines say to the same questions, lists and queries, and which questions there are.

Every engine has a budget of its own, so that one that gives up says nothing about the others.
"""

from bisect import bisect_right
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import accumulate
from typing import NamedTuple, overload

from authz_service.engine.compiled import CompiledProgram
from authz_service.engine.engines import Engine
from authz_service.engine.program import Budget, Listed, Listing, Program, Query, Question, Row
from authz_service.engine.queries.samples import query_text
from authz_service.engine.reference import ReferenceProgram, constants
from authz_service.errors import AuthzError, EvaluationLimitReached, VariableUnlimited
from authz_service.facts.fact import Fact
from authz_service.facts.snapshot import FactSnapshot
from authz_service.facts.value import STRING, Value
from authz_service.polar.policy import Policy

STRANGER = "a stranger"
"""The id of an entity of each type that no fact mentions, unless a fact does."""


class ListQuestion(NamedTuple):
    """A list that can be asked for; `text` is that on the command line."""

    text: str
    listing: Listing


class QueryQuestion(NamedTuple):
    """A query, and its text on the command line."""

    text: str
    query: Query


class NotInRows(NamedTuple):
    """The answer to a query that rows cannot say, and which variables are to blame."""

    why: str


Rows = frozenset[Row]
Said = bool | Listed | Rows | NotInRows
Answer = Said | AuthzError
"""A decision, a list in the order of its values, or rows; or why there is none of these."""

Asked = Question | ListQuestion | QueryQuestion


class Comparison(NamedTuple):
    """What each engine said to a question."""

    question: Asked
    answers: Mapping[Engine, Answer]

    @property
    def said(self) -> set[Said]:
        """The answers that engines gave, each once."""
        return {answer for answer in self.answers.values() if not isinstance(answer, AuthzError)}

    @property
    def differs(self) -> bool:
        return len(self.said) > 1


def compare(
    programs: Mapping[Engine, Program],
    questions: Sequence[Question],
    facts: FactSnapshot,
    now: int,
    steps: int,
) -> Iterator[Comparison]:
    """Yield what each of `programs`, which are about the same policy, says to each of `questions`.

    The reference takes at most `steps` steps for all of them, the others for each. An engine that
    reached a limit is not asked about the same facts again.
    """
    answering = {
        engine: _answers(program, questions, facts, now, steps)
        for engine, program in programs.items()
    }
    for question in questions:
        yield Comparison(question, {engine: next(found) for engine, found in answering.items()})


def _answers(
    program: Program, questions: Sequence[Question], facts: FactSnapshot, now: int, steps: int
) -> Iterator[Answer]:
    if isinstance(program, ReferenceProgram):
        yield from _modelled(program, questions, facts, now, steps)
        return
    gave_up: EvaluationLimitReached | None = None
    for question in questions:
        # It may have taken a second, and would again about the same facts.
        if gave_up is not None:
            yield gave_up
            continue
        try:
            yield program.permits(question, facts, now, Budget(steps))
        except EvaluationLimitReached as error:
            gave_up = error
            yield error
        except AuthzError as error:
            yield error


def _modelled(
    program: ReferenceProgram,
    questions: Sequence[Question],
    facts: FactSnapshot,
    now: int,
    steps: int,
) -> Iterator[Answer]:
    """Yield the answers of the reference, which derives all that holds only once.

    More values to look at change no answer; `polar.safety` explains why.
    """
    asked = [question.as_fact() for question in questions]
    try:
        values = {value for fact in asked for value in fact.args}
        model = program.model(facts, values, now, Budget(steps))
    except EvaluationLimitReached as error:
        yield from [error] * len(asked)
        return
    yield from (fact in model for fact in asked)


def lists_of(policy: Policy, questions: Iterable[Question]) -> list[ListQuestion]:
    """Return all lists that some of `questions` are about, each once."""
    found: dict[str, Listing] = {}
    for actor, action, resource in questions:
        declared = policy.actions[resource.type]
        on_what = Listing.of_resources(actor, action, resource.type)
        found[f"list resources {actor} {action} {resource.type}"] = on_what
        who = Listing.of_actors(actor.type, action, resource)
        found[f"list actors {actor.type} {action} {resource}"] = who
        found[f"list actions {actor} {resource}"] = Listing.of_actions(actor, resource, declared)
    return [ListQuestion(text, one) for text, one in found.items()]


def compare_lists(
    programs: Mapping[Engine, Program],
    lists: Sequence[ListQuestion],
    facts: FactSnapshot,
    now: int,
    steps: int,
) -> Iterator[Comparison]:
    """Yield what the compiled and the reference engine make of each list. Limits as for `compare`."""
    answering: dict[Engine, Iterator[Answer]] = {}
    for engine, program in programs.items():
        if isinstance(program, ReferenceProgram):
            answering[engine] = _all_listed(program, lists, facts, now, steps)
        elif isinstance(program, CompiledProgram):
            answering[engine] = _listed(program, lists, facts, now, steps)
    for one in lists:
        yield Comparison(one, {engine: next(found) for engine, found in answering.items()})


def _listed(
    program: CompiledProgram,
    lists: Iterable[ListQuestion],
    facts: FactSnapshot,
    now: int,
    steps: int,
) -> Iterator[Answer]:
    for one in lists:
        try:
            yield _in_order(program.listed(one.listing, facts, now, Budget(steps)))
        except AuthzError as error:
            yield error


def _all_listed(
    program: ReferenceProgram,
    lists: Sequence[ListQuestion],
    facts: FactSnapshot,
    now: int,
    steps: int,
) -> Iterator[Answer]:
    wanted = [one.listing for one in lists]
    try:
        found = program.all_listed(wanted, facts, now, Budget(steps))
    except EvaluationLimitReached as error:
        yield from [error] * len(lists)
        return
    yield from map(_in_order, found)


def _in_order(listed: Listed) -> Listed:
    return listed._replace(ids=tuple(sorted(listed.ids)))


def compare_queries(
    programs: Mapping[Engine, Program],
    queries: Iterable[Query],
    facts: FactSnapshot,
    now: int,
    steps: int,
) -> Iterator[Comparison]:
    """Yield what the compiled and the reference engine say to each query.

    The reference takes at most `steps` steps for all of them, the compiled engine for each.
    """
    shared = Budget(steps).shared()
    for query in queries:
        answers = {
            engine: _rows(
                program,
                query,
                facts,
                now,
                shared if isinstance(program, ReferenceProgram) else Budget(steps),
            )
            for engine, program in programs.items()
            if isinstance(program, ReferenceProgram | CompiledProgram)
        }
        yield Comparison(QueryQuestion(query_text(query), query), answers)


def _rows(program: Program, query: Query, facts: FactSnapshot, now: int, budget: Budget) -> Answer:
    try:
        return frozenset(program.query(query, facts, now, budget))
    except VariableUnlimited as error:
        return NotInRows(error.message)
    except AuthzError as error:
        return error


class Kind(NamedTuple):
    """What questions have in common that differ in the entities only."""

    actor: str
    action: str
    resource: str


def kinds_of_questions(policy: Policy, texts: Iterable[str]) -> list[Kind]:
    """Return all kinds of questions; a type that knows any action is asked `texts`."""
    texts = sorted(set(texts))
    return [
        Kind(actor, action, resource)
        for resource in sorted(policy.types)
        for action in _actions(policy, resource, texts)
        for actor in sorted(policy.actors & policy.types)
    ]


class Questions(Sequence[Question]):
    """The questions of some kinds about the entities of some facts and a policy, and strangers.

    There may be billions; they are made when they are looked at.
    """

    def __init__(
        self, policy: Policy, facts: Iterable[Fact], kinds: Sequence[Kind] | None = None
    ) -> None:
        """All `kinds` of questions are meant if these are not given."""
        values = named_values(policy).union(*(fact.args for fact in facts))
        self._entities: dict[str, list[Value]] = {
            name: [Value(name, STRANGER)] for name in policy.types
        }
        for value in sorted(values):
            if value.type in policy.types and value.id != STRANGER:
                self._entities[value.type].append(value)
        texts = (value.id for value in values if value.type == STRING)
        self._kinds = kinds_of_questions(policy, texts) if kinds is None else kinds
        self._ends = list(accumulate(map(self._size, self._kinds)))

    def _size(self, kind: Kind) -> int:
        return len(self._entities[kind.actor]) * len(self._entities[kind.resource])

    def __len__(self) -> int:
        return self._ends[-1] if self._ends else 0

    @overload
    def __getitem__(self, index: int) -> Question: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[Question]: ...
    def __getitem__(self, index: int | slice) -> Question | Sequence[Question]:
        if isinstance(index, slice):
            return [self[number] for number in range(*index.indices(len(self)))]
        if not 0 <= index < len(self):
            raise IndexError(index)
        number = bisect_right(self._ends, index)
        kind = self._kinds[number]
        within = index - (self._ends[number - 1] if number else 0)
        resources = self._entities[kind.resource]
        actor, resource = divmod(within, len(resources))
        return Question(self._entities[kind.actor][actor], kind.action, resources[resource])


def _actions(policy: Policy, resource_type: str, texts: Sequence[str]) -> Sequence[str]:
    known = policy.actions[resource_type]
    return texts if known is None else sorted(known)


def named_values(policy: Policy) -> frozenset[Value]:
    """Return the values that the rules of `policy` name."""
    return frozenset().union(*(constants(rule) for rule in policy.rules))
