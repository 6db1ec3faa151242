"""Queries: conditions with variables, as values and as text, and the rows that answer them.

    query     = condition { "and" condition }
    condition = name list | variable "in" "[" [ value { "," value } ] "]"
    list      = "(" [ term { "," term } ] ")"
    term      = variable | name ":" variable | hole      the second one is a variable of that type
    variable  = "?" name                                 an id that begins with `?` is written in quotes

`_` is each time a variable of its own, and `User:_` one of that type. Values and holes are those of facts; in
brackets an id that has one of `[ ]` in it is written in quotes.
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from authz._argument import ANY, AnyOf, Value, exact, scan_hole, scan_list, scan_value
from authz._call import (
    Call,
    reading,
    refusing_the_unrepresentable,
    stated_text,
    stated_time,
    stated_version,
)
from authz._consistency import Consistency, consistency_message
from authz._fact import Fact, to_facts
from authz._text import NAME, Scanner, malformed, quoted, require_name
from authz._wire import fact_message, read_value, value_message
from authz.errors import UnexpectedAnswer
from authz.v1 import authorization_service_pb2, query_pb2

_VARIABLE: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]*", re.ASCII)
_HOLE: Final = "_of_type_"
"""What the names of variables begin with that callers have not named, but given a type."""

_IN_BRACKETS: Final = (
    re.compile(r"""[^\s:,()";#\[\]]+"""),
    re.compile(r"""[^\s,()"\[\]]+"""),
)
"""What NAME and BARE are in a list of values."""

_CONDITION: Final = (
    "a condition such as `has_role(?user, _, Organization:acme)` or `?role in [...]`"
)
_ALL_HOLD: Final = (
    "a query has no `or`, `not` or comparisons; write a rule with them, and ask for it"
)


@dataclass(frozen=True, slots=True)
class Var:
    """A variable of a query: any value, or any of `type`. Variables of one name are one variable."""

    name: str
    type: str = ""

    def __post_init__(self) -> None:
        if not _VARIABLE.fullmatch(self.name) or self.name.startswith(_HOLE):
            message = "the name of a variable has letters, digits and `_`, and does not begin with a digit"
            raise malformed(f"{message} or with `{_HOLE}`; found {quoted(self.name)}")
        if self.type:
            require_name(self.type, "a type")


Term = Value | Var | AnyOf
Row = Mapping[str, Value | AnyOf]
"""Values by the names of variables. `AnyOf` stands where any value of its type will do."""


@dataclass(frozen=True, slots=True, init=False)
class Condition:
    """A predicate that is to hold: `Condition("has_role", Entity("User", "alice"), Var("role"), ANY)`."""

    predicate: str
    args: tuple[Term, ...]

    def __init__(self, predicate: str, *args: Term) -> None:
        require_name(predicate, "a predicate")
        terms = (arg if isinstance(arg, Var | AnyOf) else exact(arg) for arg in args)
        object.__setattr__(self, "predicate", str.__str__(predicate))
        object.__setattr__(self, "args", tuple(terms))


@dataclass(frozen=True, slots=True)
class Among:
    """The variable `name` is one of the values: `?role in ["owner", "member"]`."""

    name: str
    values: tuple[Value, ...]


AnyCondition = Condition | Among | tuple[str | Term, ...] | str


def parse_query(text: str) -> list[Condition | Among]:
    """Read conditions with `and` between them. Raises InvalidRequest that names the column."""
    scanner = Scanner(text)
    found = [_scan_condition(scanner)]
    while True:
        scanner.skip_space()
        if scanner.at_end():
            return found
        start = scanner.position
        if scanner.take(NAME) != "and":
            scanner.position = start
            scanner.fail("`and` or the end", cure=_ALL_HOLD)
        found.append(_scan_condition(scanner))


def _scan_condition(scanner: Scanner) -> Condition | Among:
    scanner.skip_space()
    if scanner.sees("?"):
        variable = _scan_variable(scanner)
        scanner.skip_space()
        start = scanner.position
        if scanner.take(NAME) != "in":
            scanner.position = start
            scanner.fail("`in`", cure=_ALL_HOLD)
        scanner.expect("[", "`[`")
        return Among(variable.name, _scan_values(scanner))
    predicate = scanner.take(NAME)
    if not predicate:
        scanner.fail(_CONDITION)
    if not scanner.accept("("):
        scanner.fail("`(`", cure=_ALL_HOLD)
    return Condition(predicate, *scan_list(scanner, _scan_term))


def _scan_values(scanner: Scanner) -> tuple[Value, ...]:
    if scanner.accept("]"):
        return ()
    values = [scan_value(scanner, *_IN_BRACKETS)]
    while scanner.accept(","):
        values.append(scan_value(scanner, *_IN_BRACKETS))
    scanner.expect("]", "`,` or `]`")
    return tuple(values)


def _scan_term(scanner: Scanner) -> Term:
    scanner.skip_space()
    if scanner.sees("?"):
        return _scan_variable(scanner)
    start = scanner.position
    type_name = scanner.take(NAME)
    if type_name and scanner.sees(":?"):
        scanner.position += len(":")
        return _scan_variable(scanner, type_name)
    scanner.position = start
    return scan_hole(scanner)


def _scan_variable(scanner: Scanner, type_name: str = "") -> Var:
    scanner.position += len("?")
    name = scanner.take(_VARIABLE)
    if not name:
        scanner.fail("the name of a variable")
    return Var(name, type_name)


def to_conditions(given: Iterable[AnyCondition]) -> Iterator[Condition | Among]:
    """Yield the conditions, those that are text parsed. A tuple is a predicate and its arguments."""
    for one in given:
        match one:
            case str():
                yield from parse_query(one)
            case Condition() | Among():
                yield one
            case (str() as predicate, *args):
                yield Condition(predicate, *args)
            case _:
                raise TypeError(f"expected a condition, found {type(one).__name__}")


@dataclass(frozen=True, slots=True)
class Origin:
    """What an answer was made of, and what its columns are; see `Rows`."""

    columns: tuple[str, ...]
    consistency_token: str
    policy_version: int
    evaluated_at: datetime
    age: timedelta | None


class QueryAnswer:
    """What comes of one answer: first its origin, then rows, then its end."""

    def __init__(self) -> None:
        self._origin: Origin | None = None
        self._count = 0
        self._is_over = False

    def read(self, response: query_pb2.QueryResponse) -> "Part":
        if self._is_over:
            raise UnexpectedAnswer("there is more behind the end of the answer")
        if response.HasField("origin"):
            self._origin = _origin(response.origin)
        if self._origin is None:
            raise UnexpectedAnswer("the answer lacks `origin`")
        columns = self._origin.columns
        rows = [_row(columns, row) for row in response.rows]
        self._count += len(rows)
        if response.HasField("end"):
            if response.end.row_count != self._count:
                message = f"expected {response.end.row_count} rows, found {self._count}"
                raise UnexpectedAnswer(message)
            self._is_over = True
        return Part(self._origin, rows)

    def check_end(self) -> None:
        """Raise unless the answer is whole."""
        if not self._is_over:
            raise UnexpectedAnswer("the service stopped before the end of the answer")


@dataclass(frozen=True, slots=True)
class Part:
    """Some rows of an answer."""

    origin: Origin
    rows: list[Row]


def token_of_part(part: Part) -> str:
    return part.origin.consistency_token


def _origin(message: query_pb2.QueryOrigin) -> Origin:
    return Origin(
        columns=tuple(message.columns),
        consistency_token=stated_text(message.consistency_token, "consistency_token"),
        policy_version=stated_version(message.policy_version),
        evaluated_at=stated_time(message, "evaluated_at"),
        age=message.age.ToTimedelta() if message.HasField("age") else None,
    )


def _row(columns: tuple[str, ...], message: query_pb2.QueryRow) -> Row:
    if len(message.cells) != len(columns):
        raise UnexpectedAnswer(
            f"expected {len(columns)} cells in a row, found {len(message.cells)}"
        )
    return dict(zip(columns, map(_cell, message.cells), strict=True))


def _cell(message: query_pb2.QueryCell) -> Value | AnyOf:
    match message.WhichOneof("kind"):
        case "value":
            return read_value(message.value)
        case "any_of_type":
            return AnyOf(stated_text(message.any_of_type, "any_of_type"))
        case _:
            raise UnexpectedAnswer("a row has a cell of a kind unknown to this client")


@dataclass(frozen=True, slots=True)
class AskedQuery:
    """A query as it was given, ready to be sent as often as it takes."""

    store: str
    conditions: tuple[Condition | Among, ...]
    columns: tuple[str, ...] | None
    context_facts: tuple[Fact, ...]

    def call(self, demand: Consistency | None) -> tuple[Call[Part], QueryAnswer]:
        """Return the call, and what its answers go through."""
        answer = QueryAnswer()
        call = Call(
            "/authz.v1.AuthorizationService/Query",
            _request(self, demand),
            reading(query_pb2.QueryResponse, answer.read),
            repeatable=True,
        )
        return call, answer


def to_query(
    store: str,
    conditions: Iterable[AnyCondition],
    columns: Iterable[str | Var] | None,
    context_facts: Iterable[Fact | str],
) -> AskedQuery:
    if isinstance(columns, str):
        raise TypeError("expected a list of columns, found a str; put it into a list")
    names = (one.name if isinstance(one, Var) else one for one in columns or ())
    return AskedQuery(
        store,
        tuple(to_conditions(conditions)),
        None if columns is None else tuple(names),
        to_facts(context_facts),
    )


@refusing_the_unrepresentable()
def _request(query: AskedQuery, demand: Consistency | None) -> bytes:
    terms = _Terms()
    conditions = [
        query_pb2.QueryCondition(predicate=one.predicate, args=map(terms.message, one.args))
        for one in query.conditions
        if isinstance(one, Condition)
    ]
    for one in query.conditions:
        if isinstance(one, Among):
            terms.limit(one)
    request = authorization_service_pb2.QueryRequest(
        store=query.store,
        conditions=conditions,
        variables=terms.limits.values(),
        columns=terms.columns if query.columns is None else query.columns,
        without_columns=not (terms.columns if query.columns is None else query.columns),
        context_facts=map(fact_message, query.context_facts),
        consistency=None if demand is None else consistency_message(demand),
    )
    return request.SerializeToString()


class _Terms:
    """The variables of one query, and what was said about them."""

    def __init__(self) -> None:
        self.limits: dict[str, query_pb2.QueryVariable] = {}
        self.columns: list[str] = []

    def message(self, term: Term) -> query_pb2.QueryTerm:
        match term:
            case Var(name, type_name):
                if name not in self.columns:
                    self.columns.append(name)
                self._of_type(name, type_name)
                return query_pb2.QueryTerm(variable=name)
            case AnyOf(type_name) if term != ANY:
                name = f"{_HOLE}{len(self.limits)}"
                self._of_type(name, type_name)
                return query_pb2.QueryTerm(variable=name)
            case AnyOf():
                return query_pb2.QueryTerm(variable="_")
            case _:
                return query_pb2.QueryTerm(value=value_message(term))

    def limit(self, among: Among) -> None:
        limit = self._limit(among.name)
        listed = getattr(limit, "in")
        if limit.HasField("in"):
            raise malformed(f"`?{among.name}` has two lists of values; write one of them")
        listed.SetInParent()
        listed.values.extend(map(value_message, among.values))

    def _of_type(self, name: str, type_name: str) -> None:
        if type_name:
            limit = self._limit(name)
            if limit.type not in ("", type_name):
                raise malformed(f"`?{name}` has two types, {limit.type} and {type_name}")
            limit.type = type_name

    def _limit(self, name: str) -> query_pb2.QueryVariable:
        return self.limits.setdefault(name, query_pb2.QueryVariable(name=name))
