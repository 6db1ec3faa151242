from authz.v1 import fact_pb2 as _fact_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class FactOrigin(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    FACT_ORIGIN_UNSPECIFIED: _ClassVar[FactOrigin]
    FACT_ORIGIN_STORED: _ClassVar[FactOrigin]
    FACT_ORIGIN_CONTEXT: _ClassVar[FactOrigin]

class ConditionOutcome(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    CONDITION_OUTCOME_UNSPECIFIED: _ClassVar[ConditionOutcome]
    CONDITION_OUTCOME_HOLDS: _ClassVar[ConditionOutcome]
    CONDITION_OUTCOME_FAILS: _ClassVar[ConditionOutcome]
    CONDITION_OUTCOME_OPEN: _ClassVar[ConditionOutcome]
FACT_ORIGIN_UNSPECIFIED: FactOrigin
FACT_ORIGIN_STORED: FactOrigin
FACT_ORIGIN_CONTEXT: FactOrigin
CONDITION_OUTCOME_UNSPECIFIED: ConditionOutcome
CONDITION_OUTCOME_HOLDS: ConditionOutcome
CONDITION_OUTCOME_FAILS: ConditionOutcome
CONDITION_OUTCOME_OPEN: ConditionOutcome

class PolicyRule(_message.Message):
    __slots__ = ("file", "line", "column", "text")
    FILE_FIELD_NUMBER: _ClassVar[int]
    LINE_FIELD_NUMBER: _ClassVar[int]
    COLUMN_FIELD_NUMBER: _ClassVar[int]
    TEXT_FIELD_NUMBER: _ClassVar[int]
    file: str
    line: int
    column: int
    text: str
    def __init__(self, file: _Optional[str] = ..., line: _Optional[int] = ..., column: _Optional[int] = ..., text: _Optional[str] = ...) -> None: ...

class UsedFact(_message.Message):
    __slots__ = ("fact", "origin")
    FACT_FIELD_NUMBER: _ClassVar[int]
    ORIGIN_FIELD_NUMBER: _ClassVar[int]
    fact: _fact_pb2.Fact
    origin: FactOrigin
    def __init__(self, fact: _Optional[_Union[_fact_pb2.Fact, _Mapping]] = ..., origin: _Optional[_Union[FactOrigin, str]] = ...) -> None: ...

class Proof(_message.Message):
    __slots__ = ("steps",)
    STEPS_FIELD_NUMBER: _ClassVar[int]
    steps: _containers.RepeatedCompositeFieldContainer[ProofStep]
    def __init__(self, steps: _Optional[_Iterable[_Union[ProofStep, _Mapping]]] = ...) -> None: ...

class ProofStep(_message.Message):
    __slots__ = ("fact", "rule", "premises")
    FACT_FIELD_NUMBER: _ClassVar[int]
    RULE_FIELD_NUMBER: _ClassVar[int]
    PREMISES_FIELD_NUMBER: _ClassVar[int]
    fact: _fact_pb2.Fact
    rule: PolicyRule
    premises: _containers.RepeatedCompositeFieldContainer[Premise]
    def __init__(self, fact: _Optional[_Union[_fact_pb2.Fact, _Mapping]] = ..., rule: _Optional[_Union[PolicyRule, _Mapping]] = ..., premises: _Optional[_Iterable[_Union[Premise, _Mapping]]] = ...) -> None: ...

class Premise(_message.Message):
    __slots__ = ("fact", "step", "condition")
    FACT_FIELD_NUMBER: _ClassVar[int]
    STEP_FIELD_NUMBER: _ClassVar[int]
    CONDITION_FIELD_NUMBER: _ClassVar[int]
    fact: UsedFact
    step: int
    condition: str
    def __init__(self, fact: _Optional[_Union[UsedFact, _Mapping]] = ..., step: _Optional[int] = ..., condition: _Optional[str] = ...) -> None: ...

class Misses(_message.Message):
    __slots__ = ("goals", "is_cut")
    GOALS_FIELD_NUMBER: _ClassVar[int]
    IS_CUT_FIELD_NUMBER: _ClassVar[int]
    goals: _containers.RepeatedCompositeFieldContainer[MissedGoal]
    is_cut: bool
    def __init__(self, goals: _Optional[_Iterable[_Union[MissedGoal, _Mapping]]] = ..., is_cut: bool = ...) -> None: ...

class MissedGoal(_message.Message):
    __slots__ = ("text", "attempts", "can_be_stored", "is_part", "is_short")
    TEXT_FIELD_NUMBER: _ClassVar[int]
    ATTEMPTS_FIELD_NUMBER: _ClassVar[int]
    CAN_BE_STORED_FIELD_NUMBER: _ClassVar[int]
    IS_PART_FIELD_NUMBER: _ClassVar[int]
    IS_SHORT_FIELD_NUMBER: _ClassVar[int]
    text: str
    attempts: _containers.RepeatedCompositeFieldContainer[Attempt]
    can_be_stored: bool
    is_part: bool
    is_short: bool
    def __init__(self, text: _Optional[str] = ..., attempts: _Optional[_Iterable[_Union[Attempt, _Mapping]]] = ..., can_be_stored: bool = ..., is_part: bool = ..., is_short: bool = ...) -> None: ...

class Attempt(_message.Message):
    __slots__ = ("rule", "conditions")
    RULE_FIELD_NUMBER: _ClassVar[int]
    CONDITIONS_FIELD_NUMBER: _ClassVar[int]
    rule: PolicyRule
    conditions: _containers.RepeatedCompositeFieldContainer[RuleCondition]
    def __init__(self, rule: _Optional[_Union[PolicyRule, _Mapping]] = ..., conditions: _Optional[_Iterable[_Union[RuleCondition, _Mapping]]] = ...) -> None: ...

class RuleCondition(_message.Message):
    __slots__ = ("text", "outcome", "goal", "facts")
    TEXT_FIELD_NUMBER: _ClassVar[int]
    OUTCOME_FIELD_NUMBER: _ClassVar[int]
    GOAL_FIELD_NUMBER: _ClassVar[int]
    FACTS_FIELD_NUMBER: _ClassVar[int]
    text: str
    outcome: ConditionOutcome
    goal: int
    facts: _containers.RepeatedCompositeFieldContainer[UsedFact]
    def __init__(self, text: _Optional[str] = ..., outcome: _Optional[_Union[ConditionOutcome, str]] = ..., goal: _Optional[int] = ..., facts: _Optional[_Iterable[_Union[UsedFact, _Mapping]]] = ...) -> None: ...

class NearestChanges(_message.Message):
    __slots__ = ("sets", "complete_up_to", "largest")
    SETS_FIELD_NUMBER: _ClassVar[int]
    COMPLETE_UP_TO_FIELD_NUMBER: _ClassVar[int]
    LARGEST_FIELD_NUMBER: _ClassVar[int]
    sets: _containers.RepeatedCompositeFieldContainer[ChangeSet]
    complete_up_to: int
    largest: int
    def __init__(self, sets: _Optional[_Iterable[_Union[ChangeSet, _Mapping]]] = ..., complete_up_to: _Optional[int] = ..., largest: _Optional[int] = ...) -> None: ...

class ChangeSet(_message.Message):
    __slots__ = ("changes",)
    CHANGES_FIELD_NUMBER: _ClassVar[int]
    changes: _containers.RepeatedCompositeFieldContainer[ProposedChange]
    def __init__(self, changes: _Optional[_Iterable[_Union[ProposedChange, _Mapping]]] = ...) -> None: ...

class ProposedChange(_message.Message):
    __slots__ = ("add", "remove")
    ADD_FIELD_NUMBER: _ClassVar[int]
    REMOVE_FIELD_NUMBER: _ClassVar[int]
    add: _fact_pb2.Fact
    remove: UsedFact
    def __init__(self, add: _Optional[_Union[_fact_pb2.Fact, _Mapping]] = ..., remove: _Optional[_Union[UsedFact, _Mapping]] = ...) -> None: ...
