import datetime

from authz.v1 import explain_pb2 as _explain_pb2
from authz.v1 import fact_pb2 as _fact_pb2
from authz.v1 import list_pb2 as _list_pb2
from authz.v1 import query_pb2 as _query_pb2
from google.protobuf import duration_pb2 as _duration_pb2
from google.protobuf import timestamp_pb2 as _timestamp_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class Decision(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    DECISION_UNSPECIFIED: _ClassVar[Decision]
    DECISION_PERMIT: _ClassVar[Decision]
    DECISION_DENY: _ClassVar[Decision]
DECISION_UNSPECIFIED: Decision
DECISION_PERMIT: Decision
DECISION_DENY: Decision

class AuthorizeRequest(_message.Message):
    __slots__ = ("store", "actor", "action", "resource", "context_facts", "consistency", "name_rules")
    STORE_FIELD_NUMBER: _ClassVar[int]
    ACTOR_FIELD_NUMBER: _ClassVar[int]
    ACTION_FIELD_NUMBER: _ClassVar[int]
    RESOURCE_FIELD_NUMBER: _ClassVar[int]
    CONTEXT_FACTS_FIELD_NUMBER: _ClassVar[int]
    CONSISTENCY_FIELD_NUMBER: _ClassVar[int]
    NAME_RULES_FIELD_NUMBER: _ClassVar[int]
    store: str
    actor: _fact_pb2.Entity
    action: str
    resource: _fact_pb2.Entity
    context_facts: _containers.RepeatedCompositeFieldContainer[_fact_pb2.Fact]
    consistency: Consistency
    name_rules: bool
    def __init__(self, store: _Optional[str] = ..., actor: _Optional[_Union[_fact_pb2.Entity, _Mapping]] = ..., action: _Optional[str] = ..., resource: _Optional[_Union[_fact_pb2.Entity, _Mapping]] = ..., context_facts: _Optional[_Iterable[_Union[_fact_pb2.Fact, _Mapping]]] = ..., consistency: _Optional[_Union[Consistency, _Mapping]] = ..., name_rules: bool = ...) -> None: ...

class Consistency(_message.Message):
    __slots__ = ("minimize_latency", "at_least_as_fresh", "fully_consistent", "exactly", "as_of")
    MINIMIZE_LATENCY_FIELD_NUMBER: _ClassVar[int]
    AT_LEAST_AS_FRESH_FIELD_NUMBER: _ClassVar[int]
    FULLY_CONSISTENT_FIELD_NUMBER: _ClassVar[int]
    EXACTLY_FIELD_NUMBER: _ClassVar[int]
    AS_OF_FIELD_NUMBER: _ClassVar[int]
    minimize_latency: bool
    at_least_as_fresh: AtLeastAsFresh
    fully_consistent: bool
    exactly: str
    as_of: _timestamp_pb2.Timestamp
    def __init__(self, minimize_latency: bool = ..., at_least_as_fresh: _Optional[_Union[AtLeastAsFresh, _Mapping]] = ..., fully_consistent: bool = ..., exactly: _Optional[str] = ..., as_of: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ...) -> None: ...

class AtLeastAsFresh(_message.Message):
    __slots__ = ("consistency_tokens",)
    CONSISTENCY_TOKENS_FIELD_NUMBER: _ClassVar[int]
    consistency_tokens: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, consistency_tokens: _Optional[_Iterable[str]] = ...) -> None: ...

class AuthorizeResponse(_message.Message):
    __slots__ = ("decision", "consistency_token", "policy_version", "evaluated_at", "decision_id", "age", "rules")
    DECISION_FIELD_NUMBER: _ClassVar[int]
    CONSISTENCY_TOKEN_FIELD_NUMBER: _ClassVar[int]
    POLICY_VERSION_FIELD_NUMBER: _ClassVar[int]
    EVALUATED_AT_FIELD_NUMBER: _ClassVar[int]
    DECISION_ID_FIELD_NUMBER: _ClassVar[int]
    AGE_FIELD_NUMBER: _ClassVar[int]
    RULES_FIELD_NUMBER: _ClassVar[int]
    decision: Decision
    consistency_token: str
    policy_version: int
    evaluated_at: _timestamp_pb2.Timestamp
    decision_id: str
    age: _duration_pb2.Duration
    rules: _containers.RepeatedCompositeFieldContainer[_explain_pb2.PolicyRule]
    def __init__(self, decision: _Optional[_Union[Decision, str]] = ..., consistency_token: _Optional[str] = ..., policy_version: _Optional[int] = ..., evaluated_at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., decision_id: _Optional[str] = ..., age: _Optional[_Union[datetime.timedelta, _duration_pb2.Duration, _Mapping]] = ..., rules: _Optional[_Iterable[_Union[_explain_pb2.PolicyRule, _Mapping]]] = ...) -> None: ...

class ExplainRequest(_message.Message):
    __slots__ = ("store", "actor", "action", "resource", "context_facts", "consistency", "max_proofs", "max_change_sets")
    STORE_FIELD_NUMBER: _ClassVar[int]
    ACTOR_FIELD_NUMBER: _ClassVar[int]
    ACTION_FIELD_NUMBER: _ClassVar[int]
    RESOURCE_FIELD_NUMBER: _ClassVar[int]
    CONTEXT_FACTS_FIELD_NUMBER: _ClassVar[int]
    CONSISTENCY_FIELD_NUMBER: _ClassVar[int]
    MAX_PROOFS_FIELD_NUMBER: _ClassVar[int]
    MAX_CHANGE_SETS_FIELD_NUMBER: _ClassVar[int]
    store: str
    actor: _fact_pb2.Entity
    action: str
    resource: _fact_pb2.Entity
    context_facts: _containers.RepeatedCompositeFieldContainer[_fact_pb2.Fact]
    consistency: Consistency
    max_proofs: int
    max_change_sets: int
    def __init__(self, store: _Optional[str] = ..., actor: _Optional[_Union[_fact_pb2.Entity, _Mapping]] = ..., action: _Optional[str] = ..., resource: _Optional[_Union[_fact_pb2.Entity, _Mapping]] = ..., context_facts: _Optional[_Iterable[_Union[_fact_pb2.Fact, _Mapping]]] = ..., consistency: _Optional[_Union[Consistency, _Mapping]] = ..., max_proofs: _Optional[int] = ..., max_change_sets: _Optional[int] = ...) -> None: ...

class ExplainResponse(_message.Message):
    __slots__ = ("decision", "consistency_token", "policy_version", "evaluated_at", "age", "proofs", "has_all_proofs", "misses", "nearest_changes")
    DECISION_FIELD_NUMBER: _ClassVar[int]
    CONSISTENCY_TOKEN_FIELD_NUMBER: _ClassVar[int]
    POLICY_VERSION_FIELD_NUMBER: _ClassVar[int]
    EVALUATED_AT_FIELD_NUMBER: _ClassVar[int]
    AGE_FIELD_NUMBER: _ClassVar[int]
    PROOFS_FIELD_NUMBER: _ClassVar[int]
    HAS_ALL_PROOFS_FIELD_NUMBER: _ClassVar[int]
    MISSES_FIELD_NUMBER: _ClassVar[int]
    NEAREST_CHANGES_FIELD_NUMBER: _ClassVar[int]
    decision: Decision
    consistency_token: str
    policy_version: int
    evaluated_at: _timestamp_pb2.Timestamp
    age: _duration_pb2.Duration
    proofs: _containers.RepeatedCompositeFieldContainer[_explain_pb2.Proof]
    has_all_proofs: bool
    misses: _explain_pb2.Misses
    nearest_changes: _explain_pb2.NearestChanges
    def __init__(self, decision: _Optional[_Union[Decision, str]] = ..., consistency_token: _Optional[str] = ..., policy_version: _Optional[int] = ..., evaluated_at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., age: _Optional[_Union[datetime.timedelta, _duration_pb2.Duration, _Mapping]] = ..., proofs: _Optional[_Iterable[_Union[_explain_pb2.Proof, _Mapping]]] = ..., has_all_proofs: bool = ..., misses: _Optional[_Union[_explain_pb2.Misses, _Mapping]] = ..., nearest_changes: _Optional[_Union[_explain_pb2.NearestChanges, _Mapping]] = ...) -> None: ...

class BatchAuthorizeRequest(_message.Message):
    __slots__ = ("store", "questions", "consistency", "many_resources")
    STORE_FIELD_NUMBER: _ClassVar[int]
    QUESTIONS_FIELD_NUMBER: _ClassVar[int]
    CONSISTENCY_FIELD_NUMBER: _ClassVar[int]
    MANY_RESOURCES_FIELD_NUMBER: _ClassVar[int]
    store: str
    questions: _containers.RepeatedCompositeFieldContainer[Question]
    consistency: Consistency
    many_resources: ManyResources
    def __init__(self, store: _Optional[str] = ..., questions: _Optional[_Iterable[_Union[Question, _Mapping]]] = ..., consistency: _Optional[_Union[Consistency, _Mapping]] = ..., many_resources: _Optional[_Union[ManyResources, _Mapping]] = ...) -> None: ...

class ManyResources(_message.Message):
    __slots__ = ("actor", "action", "resource_type", "resource_ids", "context_facts")
    ACTOR_FIELD_NUMBER: _ClassVar[int]
    ACTION_FIELD_NUMBER: _ClassVar[int]
    RESOURCE_TYPE_FIELD_NUMBER: _ClassVar[int]
    RESOURCE_IDS_FIELD_NUMBER: _ClassVar[int]
    CONTEXT_FACTS_FIELD_NUMBER: _ClassVar[int]
    actor: _fact_pb2.Entity
    action: str
    resource_type: str
    resource_ids: _containers.RepeatedScalarFieldContainer[str]
    context_facts: _containers.RepeatedCompositeFieldContainer[_fact_pb2.Fact]
    def __init__(self, actor: _Optional[_Union[_fact_pb2.Entity, _Mapping]] = ..., action: _Optional[str] = ..., resource_type: _Optional[str] = ..., resource_ids: _Optional[_Iterable[str]] = ..., context_facts: _Optional[_Iterable[_Union[_fact_pb2.Fact, _Mapping]]] = ...) -> None: ...

class Question(_message.Message):
    __slots__ = ("actor", "action", "resource", "context_facts")
    ACTOR_FIELD_NUMBER: _ClassVar[int]
    ACTION_FIELD_NUMBER: _ClassVar[int]
    RESOURCE_FIELD_NUMBER: _ClassVar[int]
    CONTEXT_FACTS_FIELD_NUMBER: _ClassVar[int]
    actor: _fact_pb2.Entity
    action: str
    resource: _fact_pb2.Entity
    context_facts: _containers.RepeatedCompositeFieldContainer[_fact_pb2.Fact]
    def __init__(self, actor: _Optional[_Union[_fact_pb2.Entity, _Mapping]] = ..., action: _Optional[str] = ..., resource: _Optional[_Union[_fact_pb2.Entity, _Mapping]] = ..., context_facts: _Optional[_Iterable[_Union[_fact_pb2.Fact, _Mapping]]] = ...) -> None: ...

class BatchAuthorizeResponse(_message.Message):
    __slots__ = ("results", "consistency_token", "policy_version", "evaluated_at", "age", "many_decisions")
    RESULTS_FIELD_NUMBER: _ClassVar[int]
    CONSISTENCY_TOKEN_FIELD_NUMBER: _ClassVar[int]
    POLICY_VERSION_FIELD_NUMBER: _ClassVar[int]
    EVALUATED_AT_FIELD_NUMBER: _ClassVar[int]
    AGE_FIELD_NUMBER: _ClassVar[int]
    MANY_DECISIONS_FIELD_NUMBER: _ClassVar[int]
    results: _containers.RepeatedCompositeFieldContainer[QuestionResult]
    consistency_token: str
    policy_version: int
    evaluated_at: _timestamp_pb2.Timestamp
    age: _duration_pb2.Duration
    many_decisions: ManyDecisions
    def __init__(self, results: _Optional[_Iterable[_Union[QuestionResult, _Mapping]]] = ..., consistency_token: _Optional[str] = ..., policy_version: _Optional[int] = ..., evaluated_at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., age: _Optional[_Union[datetime.timedelta, _duration_pb2.Duration, _Mapping]] = ..., many_decisions: _Optional[_Union[ManyDecisions, _Mapping]] = ...) -> None: ...

class ManyDecisions(_message.Message):
    __slots__ = ("decisions", "errors", "decision_id")
    class ErrorsEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: int
        value: QuestionError
        def __init__(self, key: _Optional[int] = ..., value: _Optional[_Union[QuestionError, _Mapping]] = ...) -> None: ...
    DECISIONS_FIELD_NUMBER: _ClassVar[int]
    ERRORS_FIELD_NUMBER: _ClassVar[int]
    DECISION_ID_FIELD_NUMBER: _ClassVar[int]
    decisions: _containers.RepeatedScalarFieldContainer[Decision]
    errors: _containers.MessageMap[int, QuestionError]
    decision_id: str
    def __init__(self, decisions: _Optional[_Iterable[_Union[Decision, str]]] = ..., errors: _Optional[_Mapping[int, QuestionError]] = ..., decision_id: _Optional[str] = ...) -> None: ...

class QuestionResult(_message.Message):
    __slots__ = ("decision", "error", "decision_id")
    DECISION_FIELD_NUMBER: _ClassVar[int]
    ERROR_FIELD_NUMBER: _ClassVar[int]
    DECISION_ID_FIELD_NUMBER: _ClassVar[int]
    decision: Decision
    error: QuestionError
    decision_id: str
    def __init__(self, decision: _Optional[_Union[Decision, str]] = ..., error: _Optional[_Union[QuestionError, _Mapping]] = ..., decision_id: _Optional[str] = ...) -> None: ...

class QuestionError(_message.Message):
    __slots__ = ("code", "reason", "message", "field")
    CODE_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    MESSAGE_FIELD_NUMBER: _ClassVar[int]
    FIELD_FIELD_NUMBER: _ClassVar[int]
    code: int
    reason: str
    message: str
    field: str
    def __init__(self, code: _Optional[int] = ..., reason: _Optional[str] = ..., message: _Optional[str] = ..., field: _Optional[str] = ...) -> None: ...

class ListResourcesRequest(_message.Message):
    __slots__ = ("store", "actor", "action", "resource_type", "context_facts", "consistency", "page_size", "page_token")
    STORE_FIELD_NUMBER: _ClassVar[int]
    ACTOR_FIELD_NUMBER: _ClassVar[int]
    ACTION_FIELD_NUMBER: _ClassVar[int]
    RESOURCE_TYPE_FIELD_NUMBER: _ClassVar[int]
    CONTEXT_FACTS_FIELD_NUMBER: _ClassVar[int]
    CONSISTENCY_FIELD_NUMBER: _ClassVar[int]
    PAGE_SIZE_FIELD_NUMBER: _ClassVar[int]
    PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    store: str
    actor: _fact_pb2.Entity
    action: str
    resource_type: str
    context_facts: _containers.RepeatedCompositeFieldContainer[_fact_pb2.Fact]
    consistency: Consistency
    page_size: int
    page_token: str
    def __init__(self, store: _Optional[str] = ..., actor: _Optional[_Union[_fact_pb2.Entity, _Mapping]] = ..., action: _Optional[str] = ..., resource_type: _Optional[str] = ..., context_facts: _Optional[_Iterable[_Union[_fact_pb2.Fact, _Mapping]]] = ..., consistency: _Optional[_Union[Consistency, _Mapping]] = ..., page_size: _Optional[int] = ..., page_token: _Optional[str] = ...) -> None: ...

class ListActorsRequest(_message.Message):
    __slots__ = ("store", "actor_type", "action", "resource", "context_facts", "consistency", "page_size", "page_token")
    STORE_FIELD_NUMBER: _ClassVar[int]
    ACTOR_TYPE_FIELD_NUMBER: _ClassVar[int]
    ACTION_FIELD_NUMBER: _ClassVar[int]
    RESOURCE_FIELD_NUMBER: _ClassVar[int]
    CONTEXT_FACTS_FIELD_NUMBER: _ClassVar[int]
    CONSISTENCY_FIELD_NUMBER: _ClassVar[int]
    PAGE_SIZE_FIELD_NUMBER: _ClassVar[int]
    PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    store: str
    actor_type: str
    action: str
    resource: _fact_pb2.Entity
    context_facts: _containers.RepeatedCompositeFieldContainer[_fact_pb2.Fact]
    consistency: Consistency
    page_size: int
    page_token: str
    def __init__(self, store: _Optional[str] = ..., actor_type: _Optional[str] = ..., action: _Optional[str] = ..., resource: _Optional[_Union[_fact_pb2.Entity, _Mapping]] = ..., context_facts: _Optional[_Iterable[_Union[_fact_pb2.Fact, _Mapping]]] = ..., consistency: _Optional[_Union[Consistency, _Mapping]] = ..., page_size: _Optional[int] = ..., page_token: _Optional[str] = ...) -> None: ...

class ListActionsRequest(_message.Message):
    __slots__ = ("store", "actor", "resource", "context_facts", "consistency")
    STORE_FIELD_NUMBER: _ClassVar[int]
    ACTOR_FIELD_NUMBER: _ClassVar[int]
    RESOURCE_FIELD_NUMBER: _ClassVar[int]
    CONTEXT_FACTS_FIELD_NUMBER: _ClassVar[int]
    CONSISTENCY_FIELD_NUMBER: _ClassVar[int]
    store: str
    actor: _fact_pb2.Entity
    resource: _fact_pb2.Entity
    context_facts: _containers.RepeatedCompositeFieldContainer[_fact_pb2.Fact]
    consistency: Consistency
    def __init__(self, store: _Optional[str] = ..., actor: _Optional[_Union[_fact_pb2.Entity, _Mapping]] = ..., resource: _Optional[_Union[_fact_pb2.Entity, _Mapping]] = ..., context_facts: _Optional[_Iterable[_Union[_fact_pb2.Fact, _Mapping]]] = ..., consistency: _Optional[_Union[Consistency, _Mapping]] = ...) -> None: ...

class QueryRequest(_message.Message):
    __slots__ = ("store", "conditions", "variables", "columns", "without_columns", "context_facts", "consistency")
    STORE_FIELD_NUMBER: _ClassVar[int]
    CONDITIONS_FIELD_NUMBER: _ClassVar[int]
    VARIABLES_FIELD_NUMBER: _ClassVar[int]
    COLUMNS_FIELD_NUMBER: _ClassVar[int]
    WITHOUT_COLUMNS_FIELD_NUMBER: _ClassVar[int]
    CONTEXT_FACTS_FIELD_NUMBER: _ClassVar[int]
    CONSISTENCY_FIELD_NUMBER: _ClassVar[int]
    store: str
    conditions: _containers.RepeatedCompositeFieldContainer[_query_pb2.QueryCondition]
    variables: _containers.RepeatedCompositeFieldContainer[_query_pb2.QueryVariable]
    columns: _containers.RepeatedScalarFieldContainer[str]
    without_columns: bool
    context_facts: _containers.RepeatedCompositeFieldContainer[_fact_pb2.Fact]
    consistency: Consistency
    def __init__(self, store: _Optional[str] = ..., conditions: _Optional[_Iterable[_Union[_query_pb2.QueryCondition, _Mapping]]] = ..., variables: _Optional[_Iterable[_Union[_query_pb2.QueryVariable, _Mapping]]] = ..., columns: _Optional[_Iterable[str]] = ..., without_columns: bool = ..., context_facts: _Optional[_Iterable[_Union[_fact_pb2.Fact, _Mapping]]] = ..., consistency: _Optional[_Union[Consistency, _Mapping]] = ...) -> None: ...
