import datetime

from google.protobuf import timestamp_pb2 as _timestamp_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class Entity(_message.Message):
    __slots__ = ("type", "id")
    TYPE_FIELD_NUMBER: _ClassVar[int]
    ID_FIELD_NUMBER: _ClassVar[int]
    type: str
    id: str
    def __init__(self, type: _Optional[str] = ..., id: _Optional[str] = ...) -> None: ...

class Value(_message.Message):
    __slots__ = ("entity", "text", "integer", "boolean")
    ENTITY_FIELD_NUMBER: _ClassVar[int]
    TEXT_FIELD_NUMBER: _ClassVar[int]
    INTEGER_FIELD_NUMBER: _ClassVar[int]
    BOOLEAN_FIELD_NUMBER: _ClassVar[int]
    entity: Entity
    text: str
    integer: int
    boolean: bool
    def __init__(self, entity: _Optional[_Union[Entity, _Mapping]] = ..., text: _Optional[str] = ..., integer: _Optional[int] = ..., boolean: bool = ...) -> None: ...

class Fact(_message.Message):
    __slots__ = ("predicate", "args")
    PREDICATE_FIELD_NUMBER: _ClassVar[int]
    ARGS_FIELD_NUMBER: _ClassVar[int]
    predicate: str
    args: _containers.RepeatedCompositeFieldContainer[Value]
    def __init__(self, predicate: _Optional[str] = ..., args: _Optional[_Iterable[_Union[Value, _Mapping]]] = ...) -> None: ...

class ValuePattern(_message.Message):
    __slots__ = ("value", "type", "any")
    VALUE_FIELD_NUMBER: _ClassVar[int]
    TYPE_FIELD_NUMBER: _ClassVar[int]
    ANY_FIELD_NUMBER: _ClassVar[int]
    value: Value
    type: str
    any: bool
    def __init__(self, value: _Optional[_Union[Value, _Mapping]] = ..., type: _Optional[str] = ..., any: bool = ...) -> None: ...

class FactPattern(_message.Message):
    __slots__ = ("predicate", "args")
    PREDICATE_FIELD_NUMBER: _ClassVar[int]
    ARGS_FIELD_NUMBER: _ClassVar[int]
    predicate: str
    args: _containers.RepeatedCompositeFieldContainer[ValuePattern]
    def __init__(self, predicate: _Optional[str] = ..., args: _Optional[_Iterable[_Union[ValuePattern, _Mapping]]] = ...) -> None: ...

class StoredFact(_message.Message):
    __slots__ = ("fact", "expires_at")
    FACT_FIELD_NUMBER: _ClassVar[int]
    EXPIRES_AT_FIELD_NUMBER: _ClassVar[int]
    fact: Fact
    expires_at: _timestamp_pb2.Timestamp
    def __init__(self, fact: _Optional[_Union[Fact, _Mapping]] = ..., expires_at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ...) -> None: ...
