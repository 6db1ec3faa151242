"""Protobuf to domain and back: the only validation of what comes over the wire.

What leaves here cannot be malformed: ids have 1 to 512 bytes and no control characters, primitives
are canonical, counts are within bounds. Whether the policy knows the names is not decided here.
"""

import base64
import binascii
import hashlib
import json
from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import NoReturn

from authz.v1 import authorization_service_pb2, fact_pb2, fact_service_pb2, policy_service_pb2
from google.protobuf import timestamp_pb2

from authz_service.engine.program import Question
from authz_service.errors import (
    InvalidPageToken,
    MalformedValue,
    MissingField,
    RequestTooLarge,
)
from authz_service.facts.change import Delete, Insert, Write, WriteOutcome, WriteResult
from authz_service.facts.fact import MAX_ARGS, AnyValue, Fact, FactPattern
from authz_service.facts.policy_text import MAX_POLICY_BYTES, PolicyFile
from authz_service.facts.value import (
    MAX_NAME_BYTES,
    PRIMITIVE_TYPES,
    Value,
    boolean,
    id_problem,
    integer,
    string,
)

DEFAULT_STORE = "default"

MAX_CONTEXT_FACTS = 1000
MAX_WRITES = 1000
MAX_PAGE_SIZE = 1000
DEFAULT_PAGE_SIZE = 100
MAX_POLICY_FILES = 100
MAX_FILE_NAME_BYTES = 256

_OUTCOMES = {
    WriteOutcome.CREATED: fact_service_pb2.WRITE_OUTCOME_CREATED,
    # The contract has no word for it yet: the fact was there.
    WriteOutcome.CHANGED: fact_service_pb2.WRITE_OUTCOME_EXISTED,
    WriteOutcome.EXISTED: fact_service_pb2.WRITE_OUTCOME_EXISTED,
    WriteOutcome.DELETED: fact_service_pb2.WRITE_OUTCOME_DELETED,
    WriteOutcome.MISSING: fact_service_pb2.WRITE_OUTCOME_MISSING,
}

AnyQuestion = authorization_service_pb2.AuthorizeRequest | authorization_service_pb2.Question


def store_name(name: str) -> str:
    return name or DEFAULT_STORE


def question(message: AnyQuestion) -> Question:
    """Raises MissingField or MalformedValue, naming the field."""
    if not message.HasField("actor"):
        _missing("actor", "say who wants to act")
    actor = _entity(message.actor, "actor")
    if not message.action:
        _missing("action", "say what the actor wants to do")
    _check_id(message.action, "action")
    if not message.HasField("resource"):
        _missing("resource", "say what the actor wants to act on")
    return Question(actor, message.action, _entity(message.resource, "resource"))


def context_facts(message: AnyQuestion) -> Sequence[Fact]:
    check_count(len(message.context_facts), MAX_CONTEXT_FACTS, "context_facts")
    return [
        fact(inner, f"context_facts[{index}]") for index, inner in enumerate(message.context_facts)
    ]


def fact(message: fact_pb2.Fact, field: str) -> Fact:
    _check_name(message.predicate, f"{field}.predicate")
    if not 1 <= len(message.args) <= MAX_ARGS:
        text = f"a fact has 1 to {MAX_ARGS} arguments, this one has {len(message.args)}"
        raise MalformedValue(text, field=f"{field}.args")
    args = (_value(arg, f"{field}.args[{index}]") for index, arg in enumerate(message.args))
    return Fact(message.predicate, tuple(args))


def writes(message: fact_service_pb2.WriteFactsRequest) -> Sequence[Write]:
    if not message.writes:
        _missing("writes", "say which facts to insert or delete")
    check_count(len(message.writes), MAX_WRITES, "writes")
    return [_write(inner, f"writes[{index}]") for index, inner in enumerate(message.writes)]


def pattern(message: fact_pb2.FactPattern) -> FactPattern:
    if message.predicate:
        _check_name(message.predicate, "pattern.predicate")
    if len(message.args) > MAX_ARGS:
        raise MalformedValue(f"facts have at most {MAX_ARGS} arguments", field="pattern.args")
    args = tuple(_hole(arg, f"pattern.args[{index}]") for index, arg in enumerate(message.args))
    return FactPattern(message.predicate or None, args or None)


def page_size(size: int) -> int:
    if not 0 <= size <= MAX_PAGE_SIZE:
        raise MalformedValue(f"a page has 1 to {MAX_PAGE_SIZE} facts", field="page_size")
    return size or DEFAULT_PAGE_SIZE


def page_token(store: str, wanted: FactPattern, last: Fact) -> str:
    """Return the token that names the place behind `last`. It is data, bound to store and pattern."""
    place = [last.predicate, *(list(value) for value in last.args)]
    text = json.dumps([_digest(store, wanted), place], ensure_ascii=False)
    return base64.urlsafe_b64encode(text.encode()).decode()


def after_page(token: str, store: str, wanted: FactPattern) -> Fact | None:
    """Return the fact to go on behind, None for the first page. Raises InvalidPageToken."""
    if not token:
        return None
    try:
        digest, place = json.loads(base64.b64decode(token, altchars=b"-_", validate=True))
        predicate, *args = place
        values = tuple(Value(str(kind), str(identifier)) for kind, identifier in args)
    except (binascii.Error, ValueError, TypeError):
        _bad_token()
    if digest != _digest(store, wanted):
        _bad_token()
    return Fact(str(predicate), values)


def policy_files(message: policy_service_pb2.PublishPolicyRequest) -> tuple[PolicyFile, ...]:
    if not message.files:
        _missing("files", "send the files of the policy")
    check_count(len(message.files), MAX_POLICY_FILES, "files")
    names: set[str] = set()
    for index, file in enumerate(message.files):
        field = f"files[{index}].name"
        _check_id(file.name, field, MAX_FILE_NAME_BYTES)
        if file.name in names:
            raise MalformedValue(f"the file name `{file.name}` is used twice", field=field)
        names.add(file.name)
    size = sum(len(file.text.encode()) for file in message.files)
    if size > MAX_POLICY_BYTES:
        text = f"the policy has {size} bytes; at most {MAX_POLICY_BYTES} are allowed"
        raise RequestTooLarge(text, field="files")
    return tuple(PolicyFile(file.name, file.text) for file in message.files)


def check_count(count: int, most: int, field: str) -> None:
    if count > most:
        text = f"{count} {field} in one request; at most {most} are allowed, send several requests"
        raise RequestTooLarge(text, field=field)


def fact_message(stored: Fact) -> fact_pb2.Fact:
    return fact_pb2.Fact(predicate=stored.predicate, args=map(_value_message, stored.args))


def outcome_messages(
    results: Iterable[WriteResult],
) -> list[fact_service_pb2.WriteOutcome]:
    return [_OUTCOMES[result.outcome] for result in results]


def timestamp(moment: datetime) -> timestamp_pb2.Timestamp:
    message = timestamp_pb2.Timestamp()
    message.FromDatetime(moment)
    return message


def _write(message: fact_service_pb2.FactWrite, field: str) -> Write:
    match message.WhichOneof("operation"):
        case "insert":
            return Insert(fact(message.insert, f"{field}.insert"))
        case "delete":
            return Delete(fact(message.delete, f"{field}.delete"))
        case _:
            _missing(field, "set `insert` or `delete`")


def _hole(message: fact_pb2.ValuePattern, field: str) -> Value | AnyValue:
    match message.WhichOneof("kind"):
        case "value":
            return _value(message.value, f"{field}.value")
        case "type":
            _check_name(message.type, f"{field}.type")
            return AnyValue(message.type)
        case "any" if message.any:
            return AnyValue()
        case _:
            _missing(field, "set `value`, `type`, or `any` to true")


def _value(message: fact_pb2.Value, field: str) -> Value:
    match message.WhichOneof("kind"):
        case "entity":
            return _entity(message.entity, f"{field}.entity")
        case "text":
            _check_id(message.text, f"{field}.text")
            return string(message.text)
        case "integer":
            return integer(message.integer)
        case "boolean":
            return boolean(message.boolean)
        case _:
            _missing(field, "set `entity`, `text`, `integer` or `boolean`")


def _entity(message: fact_pb2.Entity, field: str) -> Value:
    _check_name(message.type, f"{field}.type")
    if message.type in PRIMITIVE_TYPES:
        text = f"`{message.type}` is not the type of an entity"
        raise MalformedValue(text, field=f"{field}.type")
    _check_id(message.id, f"{field}.id")
    return Value(message.type, message.id)


def _check_name(name: str, field: str) -> None:
    _check_id(name, field, MAX_NAME_BYTES)


def _check_id(text: str, field: str, most: int | None = None) -> None:
    if not text:
        _missing(field, "it must not be empty")
    problem = id_problem(text)
    if problem is None and most is not None and len(text.encode()) > most:
        problem = f"has more than {most} bytes of UTF-8"
    if problem is not None:
        raise MalformedValue(f"`{field}` {problem}", field=field)


def _value_message(value: Value) -> fact_pb2.Value:
    match value.type:
        case "String":
            return fact_pb2.Value(text=value.id)
        case "Integer":
            return fact_pb2.Value(integer=int(value.id))
        case "Boolean":
            return fact_pb2.Value(boolean=value.id == "true")
        case _:
            return fact_pb2.Value(entity=fact_pb2.Entity(type=value.type, id=value.id))


def _digest(store: str, wanted: FactPattern) -> str:
    return hashlib.blake2b(repr((store, wanted)).encode(), digest_size=8).hexdigest()


def _missing(field: str, cure: str) -> NoReturn:
    raise MissingField(f"`{field}` is missing; {cure}", field=field)


def _bad_token() -> NoReturn:
    text = "this page token does not belong to this pattern and store; start at the first page"
    raise InvalidPageToken(text, field="page_token")
