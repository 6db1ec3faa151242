import datetime

from authz.v1 import fact_pb2 as _fact_pb2
from google.protobuf import timestamp_pb2 as _timestamp_pb2
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
    WRITE_OUTCOME_CHANGED: _ClassVar[WriteOutcome]
    WRITE_OUTCOME_REPLACED: _ClassVar[WriteOutcome]

class StoreEvent(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    STORE_EVENT_UNSPECIFIED: _ClassVar[StoreEvent]
    STORE_EVENT_CREATED: _ClassVar[StoreEvent]
    STORE_EVENT_DELETED: _ClassVar[StoreEvent]
WRITE_OUTCOME_UNSPECIFIED: WriteOutcome
WRITE_OUTCOME_CREATED: WriteOutcome
WRITE_OUTCOME_EXISTED: WriteOutcome
WRITE_OUTCOME_DELETED: WriteOutcome
WRITE_OUTCOME_MISSING: WriteOutcome
WRITE_OUTCOME_CHANGED: WriteOutcome
WRITE_OUTCOME_REPLACED: WriteOutcome
STORE_EVENT_UNSPECIFIED: StoreEvent
STORE_EVENT_CREATED: StoreEvent
STORE_EVENT_DELETED: StoreEvent

class WriteFactsRequest(_message.Message):
    __slots__ = ("store", "writes", "preconditions", "idempotency_key")
    STORE_FIELD_NUMBER: _ClassVar[int]
    WRITES_FIELD_NUMBER: _ClassVar[int]
    PRECONDITIONS_FIELD_NUMBER: _ClassVar[int]
    IDEMPOTENCY_KEY_FIELD_NUMBER: _ClassVar[int]
    store: str
    writes: _containers.RepeatedCompositeFieldContainer[FactWrite]
    preconditions: _containers.RepeatedCompositeFieldContainer[FactPrecondition]
    idempotency_key: str
    def __init__(self, store: _Optional[str] = ..., writes: _Optional[_Iterable[_Union[FactWrite, _Mapping]]] = ..., preconditions: _Optional[_Iterable[_Union[FactPrecondition, _Mapping]]] = ..., idempotency_key: _Optional[str] = ...) -> None: ...

class FactWrite(_message.Message):
    __slots__ = ("insert", "delete", "delete_matching", "replace", "expires_at")
    INSERT_FIELD_NUMBER: _ClassVar[int]
    DELETE_FIELD_NUMBER: _ClassVar[int]
    DELETE_MATCHING_FIELD_NUMBER: _ClassVar[int]
    REPLACE_FIELD_NUMBER: _ClassVar[int]
    EXPIRES_AT_FIELD_NUMBER: _ClassVar[int]
    insert: _fact_pb2.Fact
    delete: _fact_pb2.Fact
    delete_matching: _fact_pb2.FactPattern
    replace: FactReplacement
    expires_at: _timestamp_pb2.Timestamp
    def __init__(self, insert: _Optional[_Union[_fact_pb2.Fact, _Mapping]] = ..., delete: _Optional[_Union[_fact_pb2.Fact, _Mapping]] = ..., delete_matching: _Optional[_Union[_fact_pb2.FactPattern, _Mapping]] = ..., replace: _Optional[_Union[FactReplacement, _Mapping]] = ..., expires_at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ...) -> None: ...

class FactReplacement(_message.Message):
    __slots__ = ("pattern", "inserts")
    PATTERN_FIELD_NUMBER: _ClassVar[int]
    INSERTS_FIELD_NUMBER: _ClassVar[int]
    pattern: _fact_pb2.FactPattern
    inserts: _containers.RepeatedCompositeFieldContainer[_fact_pb2.StoredFact]
    def __init__(self, pattern: _Optional[_Union[_fact_pb2.FactPattern, _Mapping]] = ..., inserts: _Optional[_Iterable[_Union[_fact_pb2.StoredFact, _Mapping]]] = ...) -> None: ...

class FactPrecondition(_message.Message):
    __slots__ = ("must_exist", "must_not_exist")
    MUST_EXIST_FIELD_NUMBER: _ClassVar[int]
    MUST_NOT_EXIST_FIELD_NUMBER: _ClassVar[int]
    must_exist: _fact_pb2.FactPattern
    must_not_exist: _fact_pb2.FactPattern
    def __init__(self, must_exist: _Optional[_Union[_fact_pb2.FactPattern, _Mapping]] = ..., must_not_exist: _Optional[_Union[_fact_pb2.FactPattern, _Mapping]] = ...) -> None: ...

class WriteFactsResponse(_message.Message):
    __slots__ = ("outcomes", "consistency_token", "policy_version", "counts")
    OUTCOMES_FIELD_NUMBER: _ClassVar[int]
    CONSISTENCY_TOKEN_FIELD_NUMBER: _ClassVar[int]
    POLICY_VERSION_FIELD_NUMBER: _ClassVar[int]
    COUNTS_FIELD_NUMBER: _ClassVar[int]
    outcomes: _containers.RepeatedScalarFieldContainer[WriteOutcome]
    consistency_token: str
    policy_version: int
    counts: _containers.RepeatedCompositeFieldContainer[WriteCounts]
    def __init__(self, outcomes: _Optional[_Iterable[_Union[WriteOutcome, str]]] = ..., consistency_token: _Optional[str] = ..., policy_version: _Optional[int] = ..., counts: _Optional[_Iterable[_Union[WriteCounts, _Mapping]]] = ...) -> None: ...

class WriteCounts(_message.Message):
    __slots__ = ("inserted", "changed", "deleted")
    INSERTED_FIELD_NUMBER: _ClassVar[int]
    CHANGED_FIELD_NUMBER: _ClassVar[int]
    DELETED_FIELD_NUMBER: _ClassVar[int]
    inserted: int
    changed: int
    deleted: int
    def __init__(self, inserted: _Optional[int] = ..., changed: _Optional[int] = ..., deleted: _Optional[int] = ...) -> None: ...

class DeleteEntityRequest(_message.Message):
    __slots__ = ("store", "entity", "idempotency_key")
    STORE_FIELD_NUMBER: _ClassVar[int]
    ENTITY_FIELD_NUMBER: _ClassVar[int]
    IDEMPOTENCY_KEY_FIELD_NUMBER: _ClassVar[int]
    store: str
    entity: _fact_pb2.Entity
    idempotency_key: str
    def __init__(self, store: _Optional[str] = ..., entity: _Optional[_Union[_fact_pb2.Entity, _Mapping]] = ..., idempotency_key: _Optional[str] = ...) -> None: ...

class DeleteEntityResponse(_message.Message):
    __slots__ = ("deleted", "consistency_token")
    DELETED_FIELD_NUMBER: _ClassVar[int]
    CONSISTENCY_TOKEN_FIELD_NUMBER: _ClassVar[int]
    deleted: int
    consistency_token: str
    def __init__(self, deleted: _Optional[int] = ..., consistency_token: _Optional[str] = ...) -> None: ...

class ImportFactsRequest(_message.Message):
    __slots__ = ("store", "facts")
    STORE_FIELD_NUMBER: _ClassVar[int]
    FACTS_FIELD_NUMBER: _ClassVar[int]
    store: str
    facts: _containers.RepeatedCompositeFieldContainer[_fact_pb2.StoredFact]
    def __init__(self, store: _Optional[str] = ..., facts: _Optional[_Iterable[_Union[_fact_pb2.StoredFact, _Mapping]]] = ...) -> None: ...

class ImportFactsResponse(_message.Message):
    __slots__ = ("created", "existed", "changed", "consistency_token")
    CREATED_FIELD_NUMBER: _ClassVar[int]
    EXISTED_FIELD_NUMBER: _ClassVar[int]
    CHANGED_FIELD_NUMBER: _ClassVar[int]
    CONSISTENCY_TOKEN_FIELD_NUMBER: _ClassVar[int]
    created: int
    existed: int
    changed: int
    consistency_token: str
    def __init__(self, created: _Optional[int] = ..., existed: _Optional[int] = ..., changed: _Optional[int] = ..., consistency_token: _Optional[str] = ...) -> None: ...

class ReadFactsRequest(_message.Message):
    __slots__ = ("store", "pattern", "page_size", "page_token", "at_token", "at_time")
    STORE_FIELD_NUMBER: _ClassVar[int]
    PATTERN_FIELD_NUMBER: _ClassVar[int]
    PAGE_SIZE_FIELD_NUMBER: _ClassVar[int]
    PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    AT_TOKEN_FIELD_NUMBER: _ClassVar[int]
    AT_TIME_FIELD_NUMBER: _ClassVar[int]
    store: str
    pattern: _fact_pb2.FactPattern
    page_size: int
    page_token: str
    at_token: str
    at_time: _timestamp_pb2.Timestamp
    def __init__(self, store: _Optional[str] = ..., pattern: _Optional[_Union[_fact_pb2.FactPattern, _Mapping]] = ..., page_size: _Optional[int] = ..., page_token: _Optional[str] = ..., at_token: _Optional[str] = ..., at_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ...) -> None: ...

class ReadFactsResponse(_message.Message):
    __slots__ = ("facts", "next_page_token", "consistency_token", "policy_version", "expires_at")
    class ExpiresAtEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: int
        value: _timestamp_pb2.Timestamp
        def __init__(self, key: _Optional[int] = ..., value: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ...) -> None: ...
    FACTS_FIELD_NUMBER: _ClassVar[int]
    NEXT_PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    CONSISTENCY_TOKEN_FIELD_NUMBER: _ClassVar[int]
    POLICY_VERSION_FIELD_NUMBER: _ClassVar[int]
    EXPIRES_AT_FIELD_NUMBER: _ClassVar[int]
    facts: _containers.RepeatedCompositeFieldContainer[_fact_pb2.Fact]
    next_page_token: str
    consistency_token: str
    policy_version: int
    expires_at: _containers.MessageMap[int, _timestamp_pb2.Timestamp]
    def __init__(self, facts: _Optional[_Iterable[_Union[_fact_pb2.Fact, _Mapping]]] = ..., next_page_token: _Optional[str] = ..., consistency_token: _Optional[str] = ..., policy_version: _Optional[int] = ..., expires_at: _Optional[_Mapping[int, _timestamp_pb2.Timestamp]] = ...) -> None: ...

class ExportFactsRequest(_message.Message):
    __slots__ = ("store", "pattern", "at_token", "at_time")
    STORE_FIELD_NUMBER: _ClassVar[int]
    PATTERN_FIELD_NUMBER: _ClassVar[int]
    AT_TOKEN_FIELD_NUMBER: _ClassVar[int]
    AT_TIME_FIELD_NUMBER: _ClassVar[int]
    store: str
    pattern: _fact_pb2.FactPattern
    at_token: str
    at_time: _timestamp_pb2.Timestamp
    def __init__(self, store: _Optional[str] = ..., pattern: _Optional[_Union[_fact_pb2.FactPattern, _Mapping]] = ..., at_token: _Optional[str] = ..., at_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ...) -> None: ...

class ExportFactsResponse(_message.Message):
    __slots__ = ("consistency_token", "facts")
    CONSISTENCY_TOKEN_FIELD_NUMBER: _ClassVar[int]
    FACTS_FIELD_NUMBER: _ClassVar[int]
    consistency_token: str
    facts: _containers.RepeatedCompositeFieldContainer[_fact_pb2.StoredFact]
    def __init__(self, consistency_token: _Optional[str] = ..., facts: _Optional[_Iterable[_Union[_fact_pb2.StoredFact, _Mapping]]] = ...) -> None: ...

class WatchFactsRequest(_message.Message):
    __slots__ = ("store", "start_token")
    STORE_FIELD_NUMBER: _ClassVar[int]
    START_TOKEN_FIELD_NUMBER: _ClassVar[int]
    store: str
    start_token: str
    def __init__(self, store: _Optional[str] = ..., start_token: _Optional[str] = ...) -> None: ...

class WatchFactsResponse(_message.Message):
    __slots__ = ("consistency_token", "committed_at", "inserted", "changed", "deleted", "expired", "policy_version", "store_event")
    CONSISTENCY_TOKEN_FIELD_NUMBER: _ClassVar[int]
    COMMITTED_AT_FIELD_NUMBER: _ClassVar[int]
    INSERTED_FIELD_NUMBER: _ClassVar[int]
    CHANGED_FIELD_NUMBER: _ClassVar[int]
    DELETED_FIELD_NUMBER: _ClassVar[int]
    EXPIRED_FIELD_NUMBER: _ClassVar[int]
    POLICY_VERSION_FIELD_NUMBER: _ClassVar[int]
    STORE_EVENT_FIELD_NUMBER: _ClassVar[int]
    consistency_token: str
    committed_at: _timestamp_pb2.Timestamp
    inserted: _containers.RepeatedCompositeFieldContainer[_fact_pb2.StoredFact]
    changed: _containers.RepeatedCompositeFieldContainer[_fact_pb2.StoredFact]
    deleted: _containers.RepeatedCompositeFieldContainer[_fact_pb2.Fact]
    expired: _containers.RepeatedCompositeFieldContainer[_fact_pb2.Fact]
    policy_version: int
    store_event: StoreEvent
    def __init__(self, consistency_token: _Optional[str] = ..., committed_at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., inserted: _Optional[_Iterable[_Union[_fact_pb2.StoredFact, _Mapping]]] = ..., changed: _Optional[_Iterable[_Union[_fact_pb2.StoredFact, _Mapping]]] = ..., deleted: _Optional[_Iterable[_Union[_fact_pb2.Fact, _Mapping]]] = ..., expired: _Optional[_Iterable[_Union[_fact_pb2.Fact, _Mapping]]] = ..., policy_version: _Optional[int] = ..., store_event: _Optional[_Union[StoreEvent, str]] = ...) -> None: ...
