"""Entities, facts, patterns and times as messages, and back."""

from datetime import UTC, datetime

from google.protobuf.timestamp_pb2 import Timestamp

from authz._argument import AnyOf, Value
from authz._entity import Entity
from authz._fact import Fact, FactPattern
from authz.errors import UnexpectedAnswer
from authz.v1 import fact_pb2


def entity_message(entity: Entity) -> fact_pb2.Entity:
    return fact_pb2.Entity(type=entity.type, id=entity.id)


def fact_message(fact: Fact) -> fact_pb2.Fact:
    return fact_pb2.Fact(predicate=fact.predicate, args=map(_value_message, fact.args))


def pattern_message(pattern: FactPattern) -> fact_pb2.FactPattern:
    return fact_pb2.FactPattern(predicate=pattern.predicate, args=map(_hole_message, pattern.args))


def _value_message(value: Value) -> fact_pb2.Value:
    match value:
        case Entity():
            return fact_pb2.Value(entity=entity_message(value))
        case bool():
            return fact_pb2.Value(boolean=value)
        case int():
            return fact_pb2.Value(integer=value)
        case str():
            return fact_pb2.Value(text=value)


def _hole_message(hole: Value | AnyOf) -> fact_pb2.ValuePattern:
    if not isinstance(hole, AnyOf):
        return fact_pb2.ValuePattern(value=_value_message(hole))
    if hole.type:
        return fact_pb2.ValuePattern(type=hole.type)
    return fact_pb2.ValuePattern(any=True)


def read_fact(message: fact_pb2.Fact) -> Fact:
    return Fact(message.predicate, *map(_read_value, message.args))


def _read_value(message: fact_pb2.Value) -> Value:
    match message.WhichOneof("kind"):
        case "entity":
            return Entity(message.entity.type, message.entity.id)
        case "text":
            return message.text
        case "integer":
            return message.integer
        case "boolean":
            return message.boolean
        case _:
            raise UnexpectedAnswer("a fact has an argument of a kind unknown to this client")


def read_time(message: Timestamp) -> datetime:
    """Return the time in UTC, to the microsecond. Raises ValueError if no datetime can hold it."""
    return message.ToDatetime(tzinfo=UTC)
