import datetime

from authz.v1 import fact_pb2 as _fact_pb2
from google.protobuf import duration_pb2 as _duration_pb2
from google.protobuf import timestamp_pb2 as _timestamp_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class QueryCondition(_message.Message):
    __slots__ = ("predicate", "args")
    PREDICATE_FIELD_NUMBER: _ClassVar[int]
    ARGS_FIELD_NUMBER: _ClassVar[int]
    predicate: str
    args: _containers.RepeatedCompositeFieldContainer[QueryTerm]
    def __init__(self, predicate: _Optional[str] = ..., args: _Optional[_Iterable[_Union[QueryTerm, _Mapping]]] = ...) -> None: ...

class QueryTerm(_message.Message):
    __slots__ = ("value", "variable")
    VALUE_FIELD_NUMBER: _ClassVar[int]
    VARIABLE_FIELD_NUMBER: _ClassVar[int]
    value: _fact_pb2.Value
    variable: str
    def __init__(self, value: _Optional[_Union[_fact_pb2.Value, _Mapping]] = ..., variable: _Optional[str] = ...) -> None: ...

class QueryVariable(_message.Message):
    __slots__ = ("name", "type")
    NAME_FIELD_NUMBER: _ClassVar[int]
    TYPE_FIELD_NUMBER: _ClassVar[int]
    IN_FIELD_NUMBER: _ClassVar[int]
    name: str
    type: str
    def __init__(self, name: _Optional[str] = ..., type: _Optional[str] = ..., **kwargs) -> None: ...

class QueryValues(_message.Message):
    __slots__ = ("values",)
    VALUES_FIELD_NUMBER: _ClassVar[int]
    values: _containers.RepeatedCompositeFieldContainer[_fact_pb2.Value]
    def __init__(self, values: _Optional[_Iterable[_Union[_fact_pb2.Value, _Mapping]]] = ...) -> None: ...

class QueryResponse(_message.Message):
    __slots__ = ("origin", "rows", "end")
    ORIGIN_FIELD_NUMBER: _ClassVar[int]
    ROWS_FIELD_NUMBER: _ClassVar[int]
    END_FIELD_NUMBER: _ClassVar[int]
    origin: QueryOrigin
    rows: _containers.RepeatedCompositeFieldContainer[QueryRow]
    end: QueryEnd
    def __init__(self, origin: _Optional[_Union[QueryOrigin, _Mapping]] = ..., rows: _Optional[_Iterable[_Union[QueryRow, _Mapping]]] = ..., end: _Optional[_Union[QueryEnd, _Mapping]] = ...) -> None: ...

class QueryOrigin(_message.Message):
    __slots__ = ("columns", "consistency_token", "policy_version", "evaluated_at", "age")
    COLUMNS_FIELD_NUMBER: _ClassVar[int]
    CONSISTENCY_TOKEN_FIELD_NUMBER: _ClassVar[int]
    POLICY_VERSION_FIELD_NUMBER: _ClassVar[int]
    EVALUATED_AT_FIELD_NUMBER: _ClassVar[int]
    AGE_FIELD_NUMBER: _ClassVar[int]
    columns: _containers.RepeatedScalarFieldContainer[str]
    consistency_token: str
    policy_version: int
    evaluated_at: _timestamp_pb2.Timestamp
    age: _duration_pb2.Duration
    def __init__(self, columns: _Optional[_Iterable[str]] = ..., consistency_token: _Optional[str] = ..., policy_version: _Optional[int] = ..., evaluated_at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., age: _Optional[_Union[datetime.timedelta, _duration_pb2.Duration, _Mapping]] = ...) -> None: ...

class QueryRow(_message.Message):
    __slots__ = ("cells",)
    CELLS_FIELD_NUMBER: _ClassVar[int]
    cells: _containers.RepeatedCompositeFieldContainer[QueryCell]
    def __init__(self, cells: _Optional[_Iterable[_Union[QueryCell, _Mapping]]] = ...) -> None: ...

class QueryCell(_message.Message):
    __slots__ = ("value", "any_of_type")
    VALUE_FIELD_NUMBER: _ClassVar[int]
    ANY_OF_TYPE_FIELD_NUMBER: _ClassVar[int]
    value: _fact_pb2.Value
    any_of_type: str
    def __init__(self, value: _Optional[_Union[_fact_pb2.Value, _Mapping]] = ..., any_of_type: _Optional[str] = ...) -> None: ...

class QueryEnd(_message.Message):
    __slots__ = ("row_count",)
    ROW_COUNT_FIELD_NUMBER: _ClassVar[int]
    row_count: int
    def __init__(self, row_count: _Optional[int] = ...) -> None: ...
