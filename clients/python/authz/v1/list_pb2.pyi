import datetime

from google.protobuf import duration_pb2 as _duration_pb2
from google.protobuf import timestamp_pb2 as _timestamp_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class ListForm(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    LIST_FORM_UNSPECIFIED: _ClassVar[ListForm]
    LIST_FORM_ONLY: _ClassVar[ListForm]
    LIST_FORM_ANY_EXCEPT: _ClassVar[ListForm]
LIST_FORM_UNSPECIFIED: ListForm
LIST_FORM_ONLY: ListForm
LIST_FORM_ANY_EXCEPT: ListForm

class ListOrigin(_message.Message):
    __slots__ = ("consistency_token", "policy_version", "evaluated_at", "age", "form", "size")
    CONSISTENCY_TOKEN_FIELD_NUMBER: _ClassVar[int]
    POLICY_VERSION_FIELD_NUMBER: _ClassVar[int]
    EVALUATED_AT_FIELD_NUMBER: _ClassVar[int]
    AGE_FIELD_NUMBER: _ClassVar[int]
    FORM_FIELD_NUMBER: _ClassVar[int]
    SIZE_FIELD_NUMBER: _ClassVar[int]
    consistency_token: str
    policy_version: int
    evaluated_at: _timestamp_pb2.Timestamp
    age: _duration_pb2.Duration
    form: ListForm
    size: int
    def __init__(self, consistency_token: _Optional[str] = ..., policy_version: _Optional[int] = ..., evaluated_at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., age: _Optional[_Union[datetime.timedelta, _duration_pb2.Duration, _Mapping]] = ..., form: _Optional[_Union[ListForm, str]] = ..., size: _Optional[int] = ...) -> None: ...

class ListEnd(_message.Message):
    __slots__ = ("complete", "next_page_token")
    COMPLETE_FIELD_NUMBER: _ClassVar[int]
    NEXT_PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    complete: bool
    next_page_token: str
    def __init__(self, complete: bool = ..., next_page_token: _Optional[str] = ...) -> None: ...

class ListResourcesResponse(_message.Message):
    __slots__ = ("origin", "resource_ids", "excepted_resource_ids", "end")
    ORIGIN_FIELD_NUMBER: _ClassVar[int]
    RESOURCE_IDS_FIELD_NUMBER: _ClassVar[int]
    EXCEPTED_RESOURCE_IDS_FIELD_NUMBER: _ClassVar[int]
    END_FIELD_NUMBER: _ClassVar[int]
    origin: ListOrigin
    resource_ids: _containers.RepeatedScalarFieldContainer[str]
    excepted_resource_ids: _containers.RepeatedScalarFieldContainer[str]
    end: ListEnd
    def __init__(self, origin: _Optional[_Union[ListOrigin, _Mapping]] = ..., resource_ids: _Optional[_Iterable[str]] = ..., excepted_resource_ids: _Optional[_Iterable[str]] = ..., end: _Optional[_Union[ListEnd, _Mapping]] = ...) -> None: ...

class ListActorsResponse(_message.Message):
    __slots__ = ("origin", "actor_ids", "excepted_actor_ids", "end")
    ORIGIN_FIELD_NUMBER: _ClassVar[int]
    ACTOR_IDS_FIELD_NUMBER: _ClassVar[int]
    EXCEPTED_ACTOR_IDS_FIELD_NUMBER: _ClassVar[int]
    END_FIELD_NUMBER: _ClassVar[int]
    origin: ListOrigin
    actor_ids: _containers.RepeatedScalarFieldContainer[str]
    excepted_actor_ids: _containers.RepeatedScalarFieldContainer[str]
    end: ListEnd
    def __init__(self, origin: _Optional[_Union[ListOrigin, _Mapping]] = ..., actor_ids: _Optional[_Iterable[str]] = ..., excepted_actor_ids: _Optional[_Iterable[str]] = ..., end: _Optional[_Union[ListEnd, _Mapping]] = ...) -> None: ...

class ListActionsResponse(_message.Message):
    __slots__ = ("origin", "actions", "excepted_actions")
    ORIGIN_FIELD_NUMBER: _ClassVar[int]
    ACTIONS_FIELD_NUMBER: _ClassVar[int]
    EXCEPTED_ACTIONS_FIELD_NUMBER: _ClassVar[int]
    origin: ListOrigin
    actions: _containers.RepeatedScalarFieldContainer[str]
    excepted_actions: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, origin: _Optional[_Union[ListOrigin, _Mapping]] = ..., actions: _Optional[_Iterable[str]] = ..., excepted_actions: _Optional[_Iterable[str]] = ...) -> None: ...
