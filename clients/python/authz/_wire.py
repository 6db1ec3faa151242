"""Entities, facts, patterns and times as messages, and back."""

from datetime import UTC, datetime

from google.protobuf.timestamp_pb2 import Timestamp

from authz._argument import AnyOf, Value
from authz._entity import Entity
from authz._fact import Fact, FactPattern, StoredFact, require_zone
from authz.errors import UnexpectedAnswer
from authz.v1 import fact_pb2, fact_service_pb2


def entity_message(entity: Entity) -> fact_pb2.Entity:
    return fact_pb2.Entity(type=entity.type, id=entity.id)


def fact_message(fact: Fact) -> fact_pb2.Fact:
    return fact_pb2.Fact(predicate=fact.predicate, args=map(value_message, fact.args))


def time_message(moment: datetime) -> Timestamp:
    message = Timestamp()
    message.FromDatetime(moment)
    return message


def stored_message(stored: StoredFact) -> fact_pb2.StoredFact:
    expires_at = None if stored.expires_at is None else time_message(stored.expires_at)
    return fact_pb2.StoredFact(fact=fact_message(stored.fact), expires_at=expires_at)


def pattern_message(pattern: FactPattern) -> fact_pb2.FactPattern:
    return fact_pb2.FactPattern(predicate=pattern.predicate, args=map(_hole_message, pattern.args))


def value_message(value: Value) -> fact_pb2.Value:
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
        return fact_pb2.ValuePattern(value=value_message(hole))
    if hole.type:
        return fact_pb2.ValuePattern(type=hole.type)
    return fact_pb2.ValuePattern(any=True)


def read_fact(message: fact_pb2.Fact) -> Fact:
    return Fact(message.predicate, *map(read_value, message.args))


def read_stored(message: fact_pb2.StoredFact) -> StoredFact:
    expires_at = read_time(message.expires_at) if message.HasField("expires_at") else None
    return StoredFact(read_fact(message.fact), expires_at)


def read_value(message: fact_pb2.Value) -> Value:
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
            raise UnexpectedAnswer("there is a value of a kind unknown to this client")


Moment = str | datetime | None
"""Of when facts are read: of the state that a token names, of a past time, or of now."""


def set_moment(
    request: fact_service_pb2.ReadFactsRequest | fact_service_pb2.ExportFactsRequest, at: Moment
) -> None:
    match at:
        case str():
            request.at_token = at
        case datetime():
            request.at_time.FromDatetime(require_zone(at))
        case None:
            pass


def read_time(message: Timestamp) -> datetime:
    """Return the time in UTC, to the microsecond. Raises ValueError if no datetime can hold it."""
    return message.ToDatetime(tzinfo=UTC)
