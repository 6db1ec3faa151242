from authz.v1 import fact_pb2 as _fact_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class WriteOutcome(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    WRITE_OUTCOME_UNSPECIFIED: _ClassVar[WriteOutcome]
    WRITE_OUTCOME_CREATED: _ClassVar[WriteOutcome]
    WRITE_OUTCOME_EXISTED: _ClassVar[WriteOutcome]
    WRITE_OUTCOME_DELETED: _ClassVar[WriteOutcome]
    WRITE_OUTCOME_MISSING: _ClassVar[WriteOutcome]
WRITE_OUTCOME_UNSPECIFIED: WriteOutcome
WRITE_OUTCOME_CREATED: WriteOutcome
WRITE_OUTCOME_EXISTED: WriteOutcome
WRITE_OUTCOME_DELETED: WriteOutcome
WRITE_OUTCOME_MISSING: WriteOutcome

class WriteFactsRequest(_message.Message):
    __slots__ = ("store", "writes")
    STORE_FIELD_NUMBER: _ClassVar[int]
    WRITES_FIELD_NUMBER: _ClassVar[int]
    store: str
    writes: _containers.RepeatedCompositeFieldContainer[FactWrite]
    def __init__(self, store: _Optional[str] = ..., writes: _Optional[_Iterable[_Union[FactWrite, _Mapping]]] = ...) -> None: ...

class FactWrite(_message.Message):
    __slots__ = ("insert", "delete")
    INSERT_FIELD_NUMBER: _ClassVar[int]
    DELETE_FIELD_NUMBER: _ClassVar[int]
    insert: _fact_pb2.Fact
    delete: _fact_pb2.Fact
    def __init__(self, insert: _Optional[_Union[_fact_pb2.Fact, _Mapping]] = ..., delete: _Optional[_Union[_fact_pb2.Fact, _Mapping]] = ...) -> None: ...

class WriteFactsResponse(_message.Message):
    __slots__ = ("outcomes", "consistency_token", "policy_version")
    OUTCOMES_FIELD_NUMBER: _ClassVar[int]
    CONSISTENCY_TOKEN_FIELD_NUMBER: _ClassVar[int]
    POLICY_VERSION_FIELD_NUMBER: _ClassVar[int]
    outcomes: _containers.RepeatedScalarFieldContainer[WriteOutcome]
    consistency_token: str
    policy_version: int
    def __init__(self, outcomes: _Optional[_Iterable[_Union[WriteOutcome, str]]] = ..., consistency_token: _Optional[str] = ..., policy_version: _Optional[int] = ...) -> None: ...

class ReadFactsRequest(_message.Message):
    __slots__ = ("store", "pattern", "page_size", "page_token")
    STORE_FIELD_NUMBER: _ClassVar[int]
    PATTERN_FIELD_NUMBER: _ClassVar[int]
    PAGE_SIZE_FIELD_NUMBER: _ClassVar[int]
    PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    store: str
    pattern: _fact_pb2.FactPattern
    page_size: int
    page_token: str
    def __init__(self, store: _Optional[str] = ..., pattern: _Optional[_Union[_fact_pb2.FactPattern, _Mapping]] = ..., page_size: _Optional[int] = ..., page_token: _Optional[str] = ...) -> None: ...

class ReadFactsResponse(_message.Message):
    __slots__ = ("facts", "next_page_token", "consistency_token", "policy_version")
    FACTS_FIELD_NUMBER: _ClassVar[int]
    NEXT_PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    CONSISTENCY_TOKEN_FIELD_NUMBER: _ClassVar[int]
    POLICY_VERSION_FIELD_NUMBER: _ClassVar[int]
    facts: _containers.RepeatedCompositeFieldContainer[_fact_pb2.Fact]
    next_page_token: str
    consistency_token: str
    policy_version: int
    def __init__(self, facts: _Optional[_Iterable[_Union[_fact_pb2.Fact, _Mapping]]] = ..., next_page_token: _Optional[str] = ..., consistency_token: _Optional[str] = ..., policy_version: _Optional[int] = ...) -> None: ...
