"""Protobuf to domain and back: the only validation of what comes over the wire.

What leaves here cannot be malformed: ids have 1 to 512 bytes and no control characters, primitives
are canonical, counts are within bounds. Whether the policy knows the names is not decided here.
"""

import base64
import binascii
import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from itertools import chain, islice
from typing import NoReturn

from authz.v1 import authorization_service_pb2, fact_pb2, fact_service_pb2, policy_service_pb2
from google.protobuf import timestamp_pb2

from authz_service.engine.program import Question
from authz_service.errors import (
    InvalidPageToken,
    InvalidToken,
    MalformedValue,
    MissingField,
    RequestTooLarge,
)
from authz_service.facts.change import (
    ChangeBatch,
    Delete,
    DeleteMatching,
    Insert,
    MustExist,
    MustNotExist,
    Precondition,
    Replace,
    StoredFact,
    StoreEvent,
    Write,
    WriteOutcome,
    WriteRequest,
    WriteResult,
)
from authz_service.facts.fact import MAX_ARGS, AnyValue, Fact, FactPattern
from authz_service.facts.instant import Instant
from authz_service.facts.policy_text import MAX_POLICY_BYTES, PolicyFile
from authz_service.facts.revision import ConsistencyToken, Revision
from authz_service.facts.value import (
    MAX_NAME_BYTES,
    PRIMITIVE_TYPES,
    STRING,
    Value,
    boolean,
    id_problem,
    integer,
    is_plain,
    string,
)

DEFAULT_STORE = "default"

MAX_CONTEXT_FACTS = 1000
MAX_WRITES = 1000
MAX_PRECONDITIONS = 100
MAX_KEY_BYTES = 128
MAX_STREAMED_FACTS = 1000
MAX_PAGE_SIZE = 1000
DEFAULT_PAGE_SIZE = 100
MAX_POLICY_FILES = 100
MAX_FILE_NAME_BYTES = 256

_OUTCOMES = {
    WriteOutcome.CREATED: fact_service_pb2.WRITE_OUTCOME_CREATED,
    WriteOutcome.CHANGED: fact_service_pb2.WRITE_OUTCOME_CHANGED,
    WriteOutcome.EXISTED: fact_service_pb2.WRITE_OUTCOME_EXISTED,
    WriteOutcome.DELETED: fact_service_pb2.WRITE_OUTCOME_DELETED,
    WriteOutcome.MISSING: fact_service_pb2.WRITE_OUTCOME_MISSING,
    WriteOutcome.REPLACED: fact_service_pb2.WRITE_OUTCOME_REPLACED,
}

_EVENTS = {
    None: fact_service_pb2.STORE_EVENT_UNSPECIFIED,
    StoreEvent.CREATED: fact_service_pb2.STORE_EVENT_CREATED,
    StoreEvent.DELETED: fact_service_pb2.STORE_EVENT_DELETED,
}

# Of named tuples, in half the time that their own takes.
_new = tuple.__new__

# The years that both Timestamp and datetime can hold; nothing is stored before 1970.
_SECONDS = range(253402300800)

Moment = ConsistencyToken | Instant | None
"""Of when facts are read: of a state, of a time, or of now."""

PagedRead = tuple[str, int, FactPattern, Moment]
"""What pages of one list have in common: the life of the database, the store's number, which facts, of when."""

AnyRead = fact_service_pb2.ReadFactsRequest | fact_service_pb2.ExportFactsRequest

AnyQuestion = (
    authorization_service_pb2.AuthorizeRequest
    | authorization_service_pb2.Question
    | authorization_service_pb2.ExplainRequest
)
WithActor = (
    AnyQuestion
    | authorization_service_pb2.ManyResources
    | authorization_service_pb2.ListResourcesRequest
    | authorization_service_pb2.ListActionsRequest
)
WithAction = (
    AnyQuestion
    | authorization_service_pb2.ManyResources
    | authorization_service_pb2.ListResourcesRequest
    | authorization_service_pb2.ListActorsRequest
)
WithResource = (
    AnyQuestion
    | authorization_service_pb2.ListActorsRequest
    | authorization_service_pb2.ListActionsRequest
)
WithContext = WithActor | WithAction | authorization_service_pb2.QueryRequest


def store_name(name: str) -> str:
    return name or DEFAULT_STORE


def new_store_name(name: str) -> str:
    """Return the name of a store to make or to delete, for which there is no default."""
    check_name(name, "store")
    return name


def question(message: AnyQuestion) -> Question:
    """Raises MissingField or MalformedValue, naming the field."""
    return Question(actor(message), action(message), resource(message))


def actor(message: WithActor) -> Value:
    if not message.HasField("actor"):
        _missing("actor", "say who wants to act")
    return _entity(message.actor, "actor")


def action(message: WithAction) -> str:
    if not message.action:
        _missing("action", "say what the actor wants to do")
    _check_id(message.action, "action")
    return message.action


def resource(message: WithResource) -> Value:
    if not message.HasField("resource"):
        _missing("resource", "say what the actor wants to act on")
    return _entity(message.resource, "resource")


def type_name(name: str, field: str) -> str:
    check_name(name, field)
    return name


def resource_id(text: str) -> str:
    _check_id(text, "resource.id")
    return text


def context_facts(message: WithContext) -> Sequence[Fact]:
    facts = message.context_facts
    if not facts:
        return ()
    check_count(len(facts), MAX_CONTEXT_FACTS, "context_facts")
    return [
        plain_fact(inner) or fact(inner, f"context_facts[{index}]")
        for index, inner in enumerate(facts)
    ]


def plain_fact(message: fact_pb2.Fact) -> Fact | None:
    """Return what `fact` does if all texts are plain, as nearly always; None if that has to look closer.

    It takes less than half of the time, as it names no fields.
    """
    # A slice: to walk over protobuf's own sequence takes longer, and ends in an exception.
    predicate, args = message.predicate, message.args[: MAX_ARGS + 1]
    if not (1 <= len(args) <= MAX_ARGS and is_plain(predicate, MAX_NAME_BYTES)):
        return None
    values: list[Value] = []
    for arg in args:
        match arg.WhichOneof("kind"):
            case "entity":
                entity = arg.entity
                type_name, text = entity.type, entity.id
                if not is_plain(type_name, MAX_NAME_BYTES) or type_name in PRIMITIVE_TYPES:
                    return None
            case "text":
                type_name, text = STRING, arg.text
            case "integer":
                type_name, text = integer(arg.integer)
            case "boolean":
                type_name, text = boolean(arg.boolean)
            case _:
                return None
        if not is_plain(text):
            return None
        values.append(_new(Value, (type_name, text)))
    return _new(Fact, (predicate, tuple(values)))


def fact(message: fact_pb2.Fact, field: str) -> Fact:
    check_name(message.predicate, f"{field}.predicate")
    if not 1 <= len(message.args) <= MAX_ARGS:
        text = f"a fact has 1 to {MAX_ARGS} arguments, this one has {len(message.args)}"
        raise MalformedValue(text, field=f"{field}.args")
    args = (value(arg, f"{field}.args[{index}]") for index, arg in enumerate(message.args))
    return Fact(message.predicate, tuple(args))


def write_request(message: fact_service_pb2.WriteFactsRequest) -> WriteRequest:
    if not message.writes:
        _missing("writes", "say which facts to insert or delete")
    check_count(len(message.writes), MAX_WRITES, "writes")
    writes = message.writes[:]
    replacements = [inner.replace for inner in writes if inner.HasField("replace")]
    more = sum(max(0, len(replacement.inserts) - 1) for replacement in replacements)
    check_count(len(writes) + more, MAX_WRITES, "writes")
    check_count(len(message.preconditions), MAX_PRECONDITIONS, "preconditions")
    return WriteRequest(
        [_write(inner, f"writes[{index}]") for index, inner in enumerate(writes)],
        [
            _precondition(inner, f"preconditions[{index}]")
            for index, inner in enumerate(message.preconditions)
        ],
        idempotency_key(message.idempotency_key),
    )


def idempotency_key(key: str) -> str | None:
    if key:
        _check_id(key, "idempotency_key", MAX_KEY_BYTES)
    return key or None


def entity(message: fact_service_pb2.DeleteEntityRequest) -> Value:
    if not message.HasField("entity"):
        _missing("entity", "say which entity to forget")
    return _entity(message.entity, "entity")


def inserts(message: fact_service_pb2.ImportFactsRequest) -> list[Insert]:
    check_count(len(message.facts), MAX_STREAMED_FACTS, "facts")
    return [_stored(inner, f"facts[{index}]") for index, inner in enumerate(message.facts)]


def pattern(message: fact_pb2.FactPattern, field: str = "pattern") -> FactPattern:
    if message.predicate:
        check_name(message.predicate, f"{field}.predicate")
    if len(message.args) > MAX_ARGS:
        raise MalformedValue(f"facts have at most {MAX_ARGS} arguments", field=f"{field}.args")
    args = tuple(_hole(arg, f"{field}.args[{index}]") for index, arg in enumerate(message.args))
    return FactPattern(message.predicate or None, args or None)


def moment(message: AnyRead, now: Instant) -> Moment:
    """Return of when facts are to be read. Raises InvalidToken, and MalformedValue for a time to come."""
    match message.WhichOneof("moment"):
        case "at_token":
            return token(message.at_token, "at_token")
        case "at_time":
            return past_instant(message.at_time, "at_time", now)
        case _:
            return None


def past_instant(message: timestamp_pb2.Timestamp, field: str, now: Instant) -> Instant:
    instant = _instant(message, field)
    if instant > now:
        text = "the time is not past yet; leave it out to ask about what is there now"
        raise MalformedValue(text, field=field)
    return instant


def token(text: str, field: str) -> ConsistencyToken:
    try:
        return ConsistencyToken.parse(text)
    except InvalidToken as error:
        raise InvalidToken(error.message, field=field) from None


def page_size(size: int) -> int:
    if not 0 <= size <= MAX_PAGE_SIZE:
        raise MalformedValue(f"a page has 1 to {MAX_PAGE_SIZE} facts", field="page_size")
    return size or DEFAULT_PAGE_SIZE


def page_token(read: PagedRead, revision: Revision | None, last: Fact) -> str:
    """Return the token that names the place behind `last`, bound to what is read.

    With the `revision` that the first page was of, so that all pages of the past are of one; None for now.
    """
    place = [revision, last.predicate, *(list(value) for value in last.args)]
    text = json.dumps([_digest(read, place), *place], ensure_ascii=False)
    return base64.urlsafe_b64encode(text.encode()).decode()


def after_page(text: str, read: PagedRead) -> tuple[Revision | None, Fact] | None:
    """Return the revision to read at and the fact to go on behind, None for the first page.

    Raises InvalidPageToken for one of another read, and for one that was changed.
    """
    if not text:
        return None
    try:
        digest, *place = json.loads(base64.b64decode(text, altchars=b"-_", validate=True))
        revision, predicate, *args = place
        values = tuple(Value(kind, identifier) for kind, identifier in args)
    # Text that is nested too deep is a RecursionError.
    except (binascii.Error, ValueError, TypeError, RecursionError):
        _bad_token()
    words = [predicate, *(word for value in values for word in value)]
    if not all(isinstance(word, str) and id_problem(word) is None for word in words):
        _bad_token()
    if type(revision) not in (int, type(None)) or digest != _digest(read, place):
        _bad_token()
    return None if revision is None else Revision(revision), Fact(predicate, values)


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
    return fact_pb2.Fact(predicate=stored.predicate, args=map(value_message, stored.args))


def stored_message(stored: StoredFact) -> fact_pb2.StoredFact:
    return fact_pb2.StoredFact(
        fact=fact_message(stored.fact), expires_at=instant_message(stored.expires_at)
    )


def export_messages(
    facts: Iterable[StoredFact],
) -> Iterator[fact_service_pb2.ExportFactsResponse]:
    """Yield the facts in as many messages as it takes."""
    iterator = iter(facts)
    for first in iterator:
        some = chain([first], islice(iterator, MAX_STREAMED_FACTS - 1))
        yield fact_service_pb2.ExportFactsResponse(facts=map(stored_message, some))


def change_messages(
    batch: ChangeBatch, at: ConsistencyToken
) -> Iterator[fact_service_pb2.WatchFactsResponse]:
    """Yield what one revision did, in as many messages as it takes; the last one has the token."""
    part = fact_service_pb2.WatchFactsResponse(committed_at=instant_message(batch.committed_at))
    for number, (field, fact) in enumerate(_effects(batch)):
        if number and number % MAX_STREAMED_FACTS == 0:
            yield part
            part = fact_service_pb2.WatchFactsResponse(
                committed_at=instant_message(batch.committed_at)
            )
        if field in ("inserted", "changed"):
            stored = stored_message(StoredFact(fact, batch.expiries.get(fact)))
            getattr(part, field).append(stored)
        else:
            getattr(part, field).append(fact_message(fact))
    part.consistency_token = str(at)
    part.policy_version = batch.policy.version if batch.policy else 0
    part.store_event = _EVENTS[batch.event]
    yield part


def count_messages(results: Iterable[WriteResult]) -> list[Mapping[str, int]]:
    """Return the fields of WriteCounts for each of them."""
    return [
        {"inserted": result.inserted, "changed": result.changed, "deleted": result.deleted}
        for result in results
    ]


def outcome_messages(
    results: Iterable[WriteResult],
) -> list[fact_service_pb2.WriteOutcome]:
    return [_OUTCOMES[result.outcome] for result in results]


def timestamp(moment: datetime) -> timestamp_pb2.Timestamp:
    message = timestamp_pb2.Timestamp()
    message.FromDatetime(moment)
    return message


def duration(seconds: float) -> Mapping[str, int]:
    """Return the fields of a Duration."""
    whole = int(seconds)
    return {"seconds": whole, "nanos": int((seconds - whole) * 1e9)}


def instant_message(instant: Instant | None) -> timestamp_pb2.Timestamp | None:
    if instant is None:
        return None
    seconds, microseconds = divmod(instant, 1_000_000)
    return timestamp_pb2.Timestamp(seconds=seconds, nanos=microseconds * 1000)


def _effects(batch: ChangeBatch) -> Iterator[tuple[str, Fact]]:
    changed = batch.expiries.keys() - batch.inserted
    for field, facts in (
        ("inserted", batch.inserted),
        ("changed", changed),
        ("deleted", batch.deleted),
        ("expired", batch.expired),
    ):
        for one in sorted(facts):
            yield field, one


def _write(message: fact_service_pb2.FactWrite, field: str) -> Write:
    operation = message.WhichOneof("operation")
    expires = message.HasField("expires_at")
    if expires and operation != "insert":
        text = "only a fact that is inserted can expire"
        raise MalformedValue(text, field=f"{field}.expires_at")
    match operation:
        case "insert":
            inserted = message.insert
            expires_at = _expiry(message, field) if expires else None
            return Insert(plain_fact(inserted) or fact(inserted, f"{field}.insert"), expires_at)
        case "delete":
            deleted = message.delete
            return Delete(plain_fact(deleted) or fact(deleted, f"{field}.delete"))
        case "delete_matching":
            return DeleteMatching(_to_delete(message.delete_matching, f"{field}.delete_matching"))
        case "replace":
            return _replace(message.replace, f"{field}.replace")
        case _:
            _missing(field, "set `insert`, `delete`, `delete_matching` or `replace`")


def _replace(message: fact_service_pb2.FactReplacement, field: str) -> Replace:
    if not message.HasField("pattern"):
        _missing(f"{field}.pattern", "say which facts are replaced")
    return Replace(
        _to_delete(message.pattern, f"{field}.pattern"),
        tuple(
            _stored(inner, f"{field}.inserts[{index}]")
            for index, inner in enumerate(message.inserts)
        ),
    )


def _to_delete(message: fact_pb2.FactPattern, field: str) -> FactPattern:
    """Return a pattern by which facts go. One that was left empty by mistake must not empty the store."""
    found = pattern(message, field)
    if found.predicate is None and all(arg == AnyValue() for arg in found.args or ()):
        text = f"`{field}` matches every fact; name a predicate, a value or a type, so that others stay"
        raise MissingField(text, field=field)
    return found


def _precondition(message: fact_service_pb2.FactPrecondition, field: str) -> Precondition:
    match message.WhichOneof("condition"):
        case "must_exist":
            return MustExist(pattern(message.must_exist, f"{field}.must_exist"))
        case "must_not_exist":
            return MustNotExist(pattern(message.must_not_exist, f"{field}.must_not_exist"))
        case _:
            _missing(field, "set `must_exist` or `must_not_exist`")


def _stored(message: fact_pb2.StoredFact, field: str) -> Insert:
    found = plain_fact(message.fact) or fact(message.fact, f"{field}.fact")
    return Insert(found, _expiry(message, field))


def _expiry(
    message: fact_pb2.StoredFact | fact_service_pb2.FactWrite, field: str
) -> Instant | None:
    if not message.HasField("expires_at"):
        return None
    return _instant(message.expires_at, f"{field}.expires_at")


def _instant(message: timestamp_pb2.Timestamp, field: str) -> Instant:
    if message.seconds not in _SECONDS or not 0 <= message.nanos < 1_000_000_000:
        text = "a time is between the years 1970 and 9999, with 0 to 999999999 nanoseconds"
        raise MalformedValue(text, field=field)
    return Instant(message.seconds * 1_000_000 + message.nanos // 1000)


def _hole(message: fact_pb2.ValuePattern, field: str) -> Value | AnyValue:
    match message.WhichOneof("kind"):
        case "value":
            return value(message.value, f"{field}.value")
        case "type":
            check_name(message.type, f"{field}.type")
            return AnyValue(message.type)
        case "any" if message.any:
            return AnyValue()
        case _:
            _missing(field, "set `value`, `type`, or `any` to true")


def value(message: fact_pb2.Value, field: str) -> Value:
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
    type_name, identifier = message.type, message.id
    if not is_plain(type_name, MAX_NAME_BYTES):
        check_name(type_name, f"{field}.type")
    if type_name in PRIMITIVE_TYPES:
        text = f"`{type_name}` is not the type of an entity"
        raise MalformedValue(text, field=f"{field}.type")
    if not is_plain(identifier):
        _check_id(identifier, f"{field}.id")
    return Value(type_name, identifier)


def check_name(name: str, field: str) -> None:
    _check_id(name, field, MAX_NAME_BYTES)


def _check_id(text: str, field: str, most: int | None = None) -> None:
    if not text:
        _missing(field, "it must not be empty")
    problem = id_problem(text)
    if problem is None and most is not None and len(text.encode()) > most:
        problem = f"has more than {most} bytes of UTF-8"
    if problem is not None:
        raise MalformedValue(f"`{field}` {problem}", field=field)


def value_message(value: Value) -> fact_pb2.Value:
    match value.type:
        case "String":
            return fact_pb2.Value(text=value.id)
        case "Integer":
            return fact_pb2.Value(integer=int(value.id))
        case "Boolean":
            return fact_pb2.Value(boolean=value.id == "true")
        case _:
            return fact_pb2.Value(entity=fact_pb2.Entity(type=value.type, id=value.id))


def _digest(read: PagedRead, place: Sequence[object]) -> str:
    # `ascii`, as the place may have been made up of what is no Unicode.
    return hashlib.blake2b(ascii([read, place]).encode(), digest_size=8).hexdigest()


def _missing(field: str, cure: str) -> NoReturn:
    raise MissingField(f"`{field}` is missing; {cure}", field=field)


def _bad_token() -> NoReturn:
    text = (
        "this page token does not belong to this store, pattern and moment, or was changed; "
        "start at the first page"
    )
    raise InvalidPageToken(text, field="page_token")
