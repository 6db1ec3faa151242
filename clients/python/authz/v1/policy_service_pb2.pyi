import datetime

from google.protobuf import timestamp_pb2 as _timestamp_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class PolicyFile(_message.Message):
    __slots__ = ("name", "text")
    NAME_FIELD_NUMBER: _ClassVar[int]
    TEXT_FIELD_NUMBER: _ClassVar[int]
    name: str
    text: str
    def __init__(self, name: _Optional[str] = ..., text: _Optional[str] = ...) -> None: ...

class PublishPolicyRequest(_message.Message):
    __slots__ = ("store", "files", "skip_tests", "force")
    STORE_FIELD_NUMBER: _ClassVar[int]
    FILES_FIELD_NUMBER: _ClassVar[int]
    SKIP_TESTS_FIELD_NUMBER: _ClassVar[int]
    FORCE_FIELD_NUMBER: _ClassVar[int]
    store: str
    files: _containers.RepeatedCompositeFieldContainer[PolicyFile]
    skip_tests: bool
    force: bool
    def __init__(self, store: _Optional[str] = ..., files: _Optional[_Iterable[_Union[PolicyFile, _Mapping]]] = ..., skip_tests: bool = ..., force: bool = ...) -> None: ...

class PublishPolicyResponse(_message.Message):
    __slots__ = ("policy_version", "consistency_token", "warnings", "tests")
    POLICY_VERSION_FIELD_NUMBER: _ClassVar[int]
    CONSISTENCY_TOKEN_FIELD_NUMBER: _ClassVar[int]
    WARNINGS_FIELD_NUMBER: _ClassVar[int]
    TESTS_FIELD_NUMBER: _ClassVar[int]
    policy_version: int
    consistency_token: str
    warnings: PolicyDiagnostics
    tests: int
    def __init__(self, policy_version: _Optional[int] = ..., consistency_token: _Optional[str] = ..., warnings: _Optional[_Union[PolicyDiagnostics, _Mapping]] = ..., tests: _Optional[int] = ...) -> None: ...

class GetPolicyRequest(_message.Message):
    __slots__ = ("store", "policy_version")
    STORE_FIELD_NUMBER: _ClassVar[int]
    POLICY_VERSION_FIELD_NUMBER: _ClassVar[int]
    store: str
    policy_version: int
    def __init__(self, store: _Optional[str] = ..., policy_version: _Optional[int] = ...) -> None: ...

class GetPolicyResponse(_message.Message):
    __slots__ = ("files", "policy_version", "published_at", "consistency_token")
    FILES_FIELD_NUMBER: _ClassVar[int]
    POLICY_VERSION_FIELD_NUMBER: _ClassVar[int]
    PUBLISHED_AT_FIELD_NUMBER: _ClassVar[int]
    CONSISTENCY_TOKEN_FIELD_NUMBER: _ClassVar[int]
    files: _containers.RepeatedCompositeFieldContainer[PolicyFile]
    policy_version: int
    published_at: _timestamp_pb2.Timestamp
    consistency_token: str
    def __init__(self, files: _Optional[_Iterable[_Union[PolicyFile, _Mapping]]] = ..., policy_version: _Optional[int] = ..., published_at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., consistency_token: _Optional[str] = ...) -> None: ...

class PolicyDiagnostics(_message.Message):
    __slots__ = ("diagnostics", "omitted")
    DIAGNOSTICS_FIELD_NUMBER: _ClassVar[int]
    OMITTED_FIELD_NUMBER: _ClassVar[int]
    diagnostics: _containers.RepeatedCompositeFieldContainer[PolicyDiagnostic]
    omitted: int
    def __init__(self, diagnostics: _Optional[_Iterable[_Union[PolicyDiagnostic, _Mapping]]] = ..., omitted: _Optional[int] = ...) -> None: ...

class PolicyDiagnostic(_message.Message):
    __slots__ = ("code", "file", "line", "column", "message", "excerpt")
    CODE_FIELD_NUMBER: _ClassVar[int]
    FILE_FIELD_NUMBER: _ClassVar[int]
    LINE_FIELD_NUMBER: _ClassVar[int]
    COLUMN_FIELD_NUMBER: _ClassVar[int]
    MESSAGE_FIELD_NUMBER: _ClassVar[int]
    EXCERPT_FIELD_NUMBER: _ClassVar[int]
    code: str
    file: str
    line: int
    column: int
    message: str
    excerpt: str
    def __init__(self, code: _Optional[str] = ..., file: _Optional[str] = ..., line: _Optional[int] = ..., column: _Optional[int] = ..., message: _Optional[str] = ..., excerpt: _Optional[str] = ...) -> None: ...

class OrphanedFacts(_message.Message):
    __slots__ = ("facts", "count")
    FACTS_FIELD_NUMBER: _ClassVar[int]
    COUNT_FIELD_NUMBER: _ClassVar[int]
    facts: _containers.RepeatedScalarFieldContainer[str]
    count: int
    def __init__(self, facts: _Optional[_Iterable[str]] = ..., count: _Optional[int] = ...) -> None: ...
