"""Saved: all stores of a replica at one revision, and the bytes of snapshot files and checkpoints that say it.

Rule 1: whoever decodes them gets what was encoded, whole, or SnapshotRefused with the reason: a checksum is
    over every byte. They hold numbers and texts and nothing that could be executed.
Rule 2: `fresh_as_of` is a time at which there was nothing newer than the revision.

First come the form, the length and the checksum of the rest. Then come parts, each after its length: the first
is JSON and says what the others are. Columns and texts are in them as they are in memory, so reading them back
costs little more than the disk.
"""

import hashlib
import json
import struct
import sys
from array import array
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import islice, repeat
from operator import and_, rshift
from typing import Any, Final

from authz_service.facts.fact import Fact
from authz_service.facts.ids import FIRST_INTEGER, INTEGER_ZERO, TYPE_SHIFT, Ids
from authz_service.facts.instant import Instant
from authz_service.facts.policy_text import PolicyFile, PolicyVersion
from authz_service.facts.revision import Revision
from authz_service.facts.rows import Column, Rows
from authz_service.facts.tables import Signature, Tables
from authz_service.facts.value import Value

_MAGIC: Final = b"authz snapshot\r\n"
FORM: Final = 2
"""Another one for whatever is written in another way; only this one is read."""

_HEAD: Final = struct.Struct("<16sIQ32s")
HEAD_BYTES: Final = _HEAD.size
_LENGTH: Final = struct.Struct("<Q")
_BETWEEN: Final = "\x1e"
_PART: Final = 4096
_EXPIRIES: Final = 256
_INTEGERS: Final = 0
_MIXED: Final = -1


class SnapshotRefused(Exception):
    """A file or checkpoint cannot be used; the message says why."""


@dataclass(frozen=True, slots=True)
class SavedStore:
    """One store, as its part of what is saved."""

    name: str
    number: int
    revision: Revision
    policy: PolicyVersion | None
    expiries: Mapping[Fact, Instant]
    facts: Tables


@dataclass(frozen=True, slots=True)
class Saved:
    """Everything that is in a file or checkpoint."""

    incarnation: str
    revision: Revision
    fresh_as_of: Instant
    stores: Sequence[SavedStore]


class Encoded:
    """The bytes of `saved`: go through its pieces once, and then ask for the `head` that stands before them.

    `rest` is called between parts of about a millisecond of what is done before the first piece.
    """

    def __init__(self, saved: Saved, rest: Callable[[], object] = lambda: None) -> None:
        self._saved = saved
        self._rest = rest
        self._checksum = hashlib.blake2b(digest_size=32)
        self._length = 0

    def __iter__(self) -> Iterator[bytes]:
        for part in _parts(self._saved, self._rest):
            for piece in (_LENGTH.pack(len(part)), part):
                self._checksum.update(piece)
                self._length += len(piece)
                yield piece

    @property
    def head(self) -> bytes:
        """What stands before the pieces, `HEAD_BYTES` long."""
        return _HEAD.pack(_MAGIC, FORM, self._length, self._checksum.digest())


def decoded(content: memoryview) -> Saved:
    """Return what was encoded. Raises SnapshotRefused."""
    if len(content) < HEAD_BYTES:
        raise SnapshotRefused("it is too short")
    magic, form, length, checksum = _HEAD.unpack_from(content)
    if magic != _MAGIC:
        raise SnapshotRefused("it is no snapshot of this service")
    if form != FORM:
        raise SnapshotRefused(f"it has the form {form}, this program reads {FORM}")
    body = content[HEAD_BYTES:]
    if len(body) != length:
        raise SnapshotRefused(f"it has {len(body)} bytes and should have {length}")
    if hashlib.blake2b(body, digest_size=32).digest() != checksum:
        raise SnapshotRefused("its checksum is wrong")
    try:
        return _saved(_split(body))
    except (ValueError, LookupError, TypeError, struct.error) as error:
        raise SnapshotRefused(f"its content makes no sense: {error!r}") from error


def _split(body: memoryview) -> Iterator[memoryview]:
    start = 0
    while start < len(body):
        (length,) = _LENGTH.unpack_from(body, start)
        start += _LENGTH.size
        yield body[start : start + length]
        start += length


def _parts(saved: Saved, rest: Callable[[], object]) -> Iterator[bytes]:
    """Yield the parts, the description first."""
    # What is listed here is frozen; ids go on growing, and `described` has what there was.
    described: list[str] = []
    parts: list[Callable[[], bytes]] = []
    for store in saved.stores:
        types, tables = [], []
        for number, name in store.facts.ids.types():
            texts = store.facts.ids.texts(number)
            types.append([number, name, len(texts)])
            parts.append(lambda texts=texts: _joined(texts))  # type: ignore[misc]
        for (predicate, arity), rows in store.facts.by_signature.items():
            kinds = []
            for column in rows.columns:
                kind, pieces = _column_parts(column, rest)
                kinds.append([kind, column.codes.typecode])
                parts += pieces
            tables.append([predicate, arity, len(rows), kinds])
        described.append(_described(store, types, tables, rest))
    head = {
        "incarnation": saved.incarnation,
        "revision": saved.revision,
        "fresh_as_of": saved.fresh_as_of,
        "order": sys.byteorder,
    }
    yield _with_list(head, "stores", described).encode()
    for part in parts:
        yield part()


def _described(
    store: SavedStore, types: list[Any], tables: list[Any], rest: Callable[[], object]
) -> str:
    policy = store.policy
    described = {
        "name": store.name,
        "number": store.number,
        "revision": store.revision,
        "policy": policy and [policy.version, policy.files, policy.published_at.isoformat()],
        "types": types,
        "tables": tables,
    }
    return _with_list(described, "expiries", _expiries(store.expiries, rest))


def _with_list(some: Mapping[str, Any], name: str, items: Iterable[str]) -> str:
    """Return `some` in JSON, and in it a list of what is JSON already."""
    return f'{json.dumps(some, ensure_ascii=False)[:-1]}, "{name}": [{", ".join(items)}]}}'


def _expiries(expiries: Mapping[Fact, Instant], rest: Callable[[], object]) -> Iterator[str]:
    """Yield them in JSON, in parts, as no other thread runs meanwhile."""
    entries = iter(expiries.items())
    while some := list(islice(entries, _EXPIRIES)):
        yield json.dumps([[at, *fact] for fact, at in some], ensure_ascii=False)[1:-1]
        rest()


def _joined(texts: Sequence[str]) -> bytes:
    starts = range(0, len(texts), _PART)
    # In parts, as no other thread runs meanwhile.
    return _BETWEEN.encode().join(
        _BETWEEN.join(texts[start : start + _PART]).encode() for start in starts
    )


def _column_parts(
    column: Column, rest: Callable[[], object]
) -> tuple[int, list[Callable[[], bytes]]]:
    """Return the type of all ids of a column or _MIXED, and what makes the parts of it."""
    types, numbers = array("I"), array("q")
    for start in range(0, len(column.ids), _PART):
        some = column.ids[start : start + _PART]
        if some and max(some) < FIRST_INTEGER:
            types.extend(map(rshift, some, repeat(TYPE_SHIFT)))
            numbers.extend(map(and_, some, repeat((1 << TYPE_SHIFT) - 1)))
        else:
            for id_ in some:
                is_integer = id_ >= FIRST_INTEGER
                types.append(_INTEGERS if is_integer else id_ >> TYPE_SHIFT)
                numbers.append(id_ - INTEGER_ZERO if is_integer else id_ & ((1 << TYPE_SHIFT) - 1))
        rest()
    kinds = set(types)
    kind = kinds.pop() if len(kinds) == 1 else _MIXED
    parts = [column.codes.tobytes, numbers.tobytes]
    return kind, parts if kind != _MIXED else [*parts, types.tobytes]


def _saved(parts: Iterator[memoryview]) -> Saved:
    head = json.loads(bytes(next(parts)))
    if head["order"] != sys.byteorder:
        raise SnapshotRefused("it is of a machine with another order of bytes")
    stores = [_store(described, parts) for described in head["stores"]]
    if next(parts, None) is not None:
        raise SnapshotRefused("it has more parts than it says")
    return Saved(
        head["incarnation"], Revision(head["revision"]), Instant(head["fresh_as_of"]), stores
    )


def _store(described: Mapping[str, Any], parts: Iterator[memoryview]) -> SavedStore:
    ids = Ids()
    known: dict[int, list[int]] = {}
    for number, name, count in described["types"]:
        texts = str(next(parts), "utf-8").split(_BETWEEN) if count else (next(parts), [])[1]
        if len(texts) != count:
            raise SnapshotRefused(f"it has {len(texts)} values of a type, and should have {count}")
        known[number] = ids.restore(number, name, texts)
    by_signature: dict[Signature, Rows] = {}
    for predicate, arity, size, kinds in described["tables"]:
        columns = [_column(kind, width, known, parts) for kind, width in kinds]
        if any(len(column) != size for column in columns) or len(columns) != arity:
            raise SnapshotRefused(f"a column of `{predicate}` has not one value for each fact")
        by_signature[predicate, arity] = Rows.of(columns) if columns else Rows(0, [()] * size)
    policy = described["policy"]
    return SavedStore(
        described["name"],
        described["number"],
        Revision(described["revision"]),
        policy and _policy(*policy),
        {
            Fact(predicate, tuple(Value(*arg) for arg in args)): Instant(at)
            for at, predicate, args in described["expiries"]
        },
        Tables.of(ids, by_signature),
    )


def _policy(version: int, files: Sequence[Sequence[str]], published_at: str) -> PolicyVersion:
    return PolicyVersion(
        version,
        tuple(PolicyFile(*file) for file in files),
        datetime.fromisoformat(published_at),
    )


def _column(
    kind: int, width: str, known: Mapping[int, list[int]], parts: Iterator[memoryview]
) -> Column:
    codes, numbers = array(width), array("q")
    codes.frombytes(next(parts))
    numbers.frombytes(next(parts))
    if kind == _MIXED:
        types = array("I")
        types.frombytes(next(parts))
        ids = [
            known[of][number] if of != _INTEGERS else INTEGER_ZERO + number
            for of, number in zip(types, numbers, strict=True)
        ]
    elif kind == _INTEGERS:
        ids = [INTEGER_ZERO + number for number in numbers]
    else:
        ids = list(map(known[kind].__getitem__, numbers))
    return Column(codes, ids)
