"""Queries: protobuf to domain, and rows back to messages."""

import re
from collections.abc import Collection, Iterator, Sequence
from itertools import islice

from authz.v1 import authorization_service_pb2, query_pb2

from authz_service.engine.program import Limit, Query, Row
from authz_service.engine.queries.names import ASKED
from authz_service.errors import MalformedValue, MissingField
from authz_service.facts.fact import MAX_ARGS, AnyValue
from authz_service.facts.value import Value
from authz_service.pdp.decide import Moment
from authz_service.polar.goals import Atom, Term, Variable
from authz_service.server import codec
from authz_service.server.moments import origin

MAX_CONDITIONS = 20
MAX_LISTED_VALUES = 1000

_ANONYMOUS = "_"
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*", re.ASCII)

_ROWS_OF_A_MESSAGE = 500


def query(message: authorization_service_pb2.QueryRequest) -> Query:
    """Raises MissingField, MalformedValue or RequestTooLarge, naming the field."""
    if not message.conditions:
        raise MissingField("`conditions` is missing; say what is to hold", field="conditions")
    codec.check_count(len(message.conditions), MAX_CONDITIONS, "conditions")
    terms = _Terms()
    conditions = tuple(
        terms.condition(inner, f"conditions[{number}]")
        for number, inner in enumerate(message.conditions)
    )
    limits: dict[Variable, Limit] = {}
    for number, inner in enumerate(message.variables):
        name = _variable(inner.name, f"variables[{number}].name")
        if name in limits:
            text = f"`{name.name}` stands twice among the variables; say all about it in one place"
            raise MalformedValue(text, field=f"variables[{number}].name")
        limits[name] = _limit(inner, f"variables[{number}]")
    return Query(conditions, _columns(message, terms.named), limits)


def _columns(
    message: authorization_service_pb2.QueryRequest, named: Sequence[Variable]
) -> tuple[Variable, ...]:
    if message.without_columns:
        if message.columns:
            text = "there are columns, and `without_columns` is set; leave one of both out"
            raise MalformedValue(text, field="without_columns")
        return ()
    columns = [_variable(name, f"columns[{n}]") for n, name in enumerate(message.columns)]
    for number, column in enumerate(columns):
        if column in columns[:number]:
            text = f"`{column.name}` stands twice among the columns"
            raise MalformedValue(text, field=f"columns[{number}]")
    return tuple(columns or named)


def _limit(message: query_pb2.QueryVariable, place: str) -> Limit:
    if message.type:
        codec.check_name(message.type, f"{place}.type")
    if not message.HasField("in"):
        return Limit(message.type or None)
    listed = getattr(message, "in").values
    codec.check_count(len(listed), MAX_LISTED_VALUES, f"{place}.in.values")
    values = (codec.value(one, f"{place}.in.values[{n}]") for n, one in enumerate(listed))
    return Limit(message.type or None, tuple(values))


def _variable(name: str, field: str) -> Variable:
    if name == _ANONYMOUS:
        text = f"`{_ANONYMOUS}` is each time another variable; give it a name"
        raise MalformedValue(text, field=field)
    return Variable(_checked(name, field))


def _checked(name: str, field: str) -> str:
    codec.check_name(name, field)
    if not _NAME.fullmatch(name):
        text = "the name of a variable has letters, digits and `_`, and does not begin with a digit"
        raise MalformedValue(text, field=field)
    return name


class _Terms:
    """The variables so far: those with a name, and how many others there were."""

    def __init__(self) -> None:
        self._named: dict[Variable, None] = {}
        self._anonymous = 0

    @property
    def named(self) -> Sequence[Variable]:
        return tuple(self._named)

    def condition(self, message: query_pb2.QueryCondition, place: str) -> Atom:
        codec.check_name(message.predicate, f"{place}.predicate")
        if len(message.args) > MAX_ARGS:
            text = f"a condition has at most {MAX_ARGS} arguments, this one has {len(message.args)}"
            raise MalformedValue(text, field=f"{place}.args")
        args = (self._term(arg, f"{place}.args[{n}]") for n, arg in enumerate(message.args))
        return Atom(message.predicate, tuple(args), ASKED)

    def _term(self, message: query_pb2.QueryTerm, place: str) -> Term:
        match message.WhichOneof("kind"):
            case "value":
                return codec.value(message.value, f"{place}.value")
            case "variable" if message.variable == _ANONYMOUS:
                # A blank keeps it apart from every name that a caller can write.
                self._anonymous += 1
                return Variable(f"{_ANONYMOUS} {self._anonymous}")
            case "variable":
                found = Variable(_checked(message.variable, f"{place}.variable"))
                self._named.setdefault(found)
                return found
            case _:
                text = f"`{place}` is missing; set `value` or `variable`"
                raise MissingField(text, field=place)


def answer_messages(
    moment: Moment, asked: Query, rows: Collection[Row]
) -> Iterator[query_pb2.QueryResponse]:
    """Yield the whole answer: first what it was made of, last its end, which says how many rows there are."""
    columns = [column.name for column in asked.columns]
    yield query_pb2.QueryResponse(origin=query_pb2.QueryOrigin(columns=columns, **origin(moment)))
    remaining = iter(rows)
    while some := tuple(islice(remaining, _ROWS_OF_A_MESSAGE)):
        yield query_pb2.QueryResponse(rows=map(_row, some))
    yield query_pb2.QueryResponse(end=query_pb2.QueryEnd(row_count=len(rows)))


def _row(row: Row) -> query_pb2.QueryRow:
    return query_pb2.QueryRow(cells=map(_cell, row))


def _cell(cell: Value | AnyValue) -> query_pb2.QueryCell:
    if isinstance(cell, AnyValue):
        return query_pb2.QueryCell(any_of_type=cell.type)
    return query_pb2.QueryCell(value=codec.value_message(cell))
