"""Facts, changes, results and policies as the text of table cells, and back.

An argument is its type and its id with U+001F between them, arguments are divided by U+001E. Control characters
are in no type and no id, so equal text means equal arguments, and text has the order of types and ids.
"""

import hashlib
import json
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import datetime
from enum import StrEnum
from itertools import chain, repeat
from typing import Any, Final, NamedTuple

from authz_service.facts.change import About, WriteOutcome, WriteRequest, WriteResult
from authz_service.facts.fact import AnyValue, Fact, FactPattern
from authz_service.facts.instant import Instant
from authz_service.facts.policy_text import PolicyFile, PolicyVersion
from authz_service.facts.value import Value

_IN_ARGUMENT = "\x1f"
_BETWEEN_ARGUMENTS = "\x1e"
BETWEEN_FACTS = 2 * _BETWEEN_ARGUMENTS
"""Between the texts of the arguments of facts, each of which has some."""

_BEFORE_DIGEST = "\x1d"
_NUL = "\0"

_JSON: Final[Any] = {"ensure_ascii": False, "separators": (",", ":")}
# What is not itself in JSON.
_ESCAPED: Final = re.compile(r'[\0-\x1f"\\]')

# An entry of an index of PostgreSQL has at most 2,704 bytes; a predicate has up to 128 of them.
_KEY_BYTES = 2000
_KEPT_BYTES = 1600

# So many are remembered while facts are read: what they share is near.
_BEGINNINGS_KNOWN = 1000

# So many characters are some hundreds of facts.
_PIECE = 1 << 14


class Kind(StrEnum):
    """What a row of the log is about."""

    FACTS = "facts"
    POLICY = "policy"
    CREATED = "created"
    DELETED = "deleted"


class Mark(StrEnum):
    """What became of a fact."""

    INSERTED = "+"
    CHANGED = "~"
    DELETED = "-"
    EXPIRED = "x"


_MARKS: Final = {mark.value: mark for mark in Mark}

Effect = tuple[Mark, Fact, Instant | None]


def _encode_args(args: Sequence[Value]) -> str:
    text = _BETWEEN_ARGUMENTS.join(map(_IN_ARGUMENT.join, args))
    # What comes over the wire was checked. Two facts must never be one here, whoever asks.
    if (
        text.count(_IN_ARGUMENT) != len(args)
        or text.count(_BETWEEN_ARGUMENTS) >= max(len(args), 1)
        or _NUL in text
        or _BEFORE_DIGEST in text
    ):
        message = "a type or id has a control character"
        raise ValueError(message)
    return text


def _encode_value(value: Value) -> str:
    return _encode_args((value,))


class FactColumns(NamedTuple):
    """The columns that tell a fact from every other, in the order of the tables."""

    predicate: str
    key: str
    args: str | None


def fact_columns(fact: Fact) -> FactColumns:
    predicate, args = fact
    return FactColumns(predicate, *_key(_encode_args(args)))


def columns_of_facts(facts: Sequence[Fact]) -> Iterator[FactColumns]:
    """Yield what `fact_columns` returns for each, in a third of the time."""
    texts = _texts(facts)
    if texts is None:
        yield from map(fact_columns, facts)
        return
    for fact, text in zip(facts, texts, strict=True):
        yield FactColumns(fact.predicate, *_key(text))


def _texts(facts: Sequence[Fact]) -> list[str] | None:
    """Return the texts of the arguments of each; None if one of them needs to be looked at by itself."""
    texts = [
        _BETWEEN_ARGUMENTS.join([f"{type_}{_IN_ARGUMENT}{id_}" for type_, id_ in args])
        for _, args in facts
    ]
    arities = [len(args) for _, args in facts]
    everything = "".join(texts)
    # Texts of types and ids can only add to these marks, so if all together have none too many, none has.
    is_plain = (
        all(arities)
        and everything.count(_IN_ARGUMENT) == sum(arities)
        and everything.count(_BETWEEN_ARGUMENTS) == sum(arities) - len(arities)
        and _NUL not in everything
        and _BEFORE_DIGEST not in everything
    )
    return texts if is_plain else None


def fact_key(fact: Fact) -> str:
    return fact_columns(fact).key


def _key(text: str) -> tuple[str, str | None]:
    # A character has at most four bytes.
    if len(text) <= _KEY_BYTES // 4:
        return text, None
    encoded = text.encode()
    if len(encoded) <= _KEY_BYTES:
        return text, None
    digest = hashlib.blake2b(encoded, digest_size=32).hexdigest()
    return encoded[:_KEPT_BYTES].decode(errors="ignore") + _BEFORE_DIGEST + digest, text


class _Beginnings(dict[str, tuple[Value, ...]]):
    """All arguments but the last, by their text, made when they are looked up first."""

    def __missing__(self, text: str) -> tuple[Value, ...]:
        arguments = text.split(_BETWEEN_ARGUMENTS) if text else ()
        values = self[text] = tuple([Value._make(one.split(_IN_ARGUMENT)) for one in arguments])
        return values


def fact_decoder() -> Callable[[str, str, str | None], Fact]:
    """Return what makes facts of their columns.

    Facts that are read in order have mostly all but the last argument from the one before.
    """
    beginnings = _Beginnings()
    # Half of the time of reading a million facts goes by here, and the constructors of the two would take half
    # of that.
    new = tuple.__new__

    def decode(predicate: str, key: str, args: str | None) -> Fact:
        beginning, _, last = (key if args is None else args).rpartition(_BETWEEN_ARGUMENTS)
        if len(beginnings) > _BEGINNINGS_KNOWN:
            beginnings.clear()
        value = new(Value, last.split(_IN_ARGUMENT))
        return new(Fact, (predicate, (*beginnings[beginning], value)))

    return decode


def decode_facts(predicate: str, texts: Sequence[str]) -> list[Fact]:
    """Return the facts of these texts of arguments, in their order.

    As `fact_decoder` does it, for many at a time: nothing is done in Python for each of them.
    """
    arity = texts[0].count(_BETWEEN_ARGUMENTS) + 1 if texts else 0
    columns = list(columns_of(BETWEEN_FACTS.join(texts))) if texts else []
    if len(columns) != 1 or columns[0][0] != arity:
        decode = fact_decoder()
        return [decode(predicate, text, None) for text in texts]
    args = zip(*map(_decode_column, columns[0][1]), strict=True)
    return list(map(tuple.__new__, repeat(Fact), zip(repeat(predicate), args)))


def _decode_column(texts: Sequence[str]) -> list[Value]:
    """Return the values of the texts of arguments; equal ones are one object."""
    different = list(dict.fromkeys(texts))
    pairs = zip(*split_values(different), strict=True)
    values = list(map(tuple.__new__, repeat(Value), pairs))
    if len(different) == len(texts):
        return values
    return list(map(dict(zip(different, values, strict=True)).__getitem__, texts))


def split_values(texts: Sequence[str]) -> tuple[list[str], list[str]]:
    """Return the types and the ids of the values of texts of one argument."""
    halves = _IN_ARGUMENT.join(texts).split(_IN_ARGUMENT) if texts else []
    return halves[::2], halves[1::2]


def pieces_of(facts: str) -> Iterator[str]:
    """Yield the texts of the arguments of facts, a few at a time, with `BETWEEN_FACTS` between them as before.

    All that is made of a few at once is still in the processor's cache when it is looked at, and freed.
    """
    start = 0
    while (end := facts.find(BETWEEN_FACTS, start + _PIECE)) >= 0:
        yield facts[start:end]
        start = end + len(BETWEEN_FACTS)
    yield facts[start:]


def columns_of(facts: str) -> Iterator[tuple[int, Sequence[list[str]]]]:
    """Yield the arguments of facts, in columns of one text for each, by arity.

    `facts` are the texts of the arguments of each, with `BETWEEN_FACTS` between them.
    """
    texts = facts.split(_BETWEEN_ARGUMENTS)
    # Two marks follow each other between two facts, so there is an empty text.
    arity = facts.partition(BETWEEN_FACTS)[0].count(_BETWEEN_ARGUMENTS) + 1
    ends = texts[arity :: arity + 1]
    if len(texts) == len(ends) * (arity + 1) + arity and not any(ends):
        columns = [texts[at :: arity + 1] for at in range(arity)]
        if all(map(all, columns)):
            yield arity, columns
            return
    yield from _columns_by_arity(facts)


def _columns_by_arity(facts: str) -> Iterator[tuple[int, Sequence[list[str]]]]:
    rows: dict[int, list[list[str]]] = {}
    for text in facts.split(BETWEEN_FACTS):
        row = text.split(_BETWEEN_ARGUMENTS)
        rows.setdefault(len(row), []).append(row)
    for arity, some in rows.items():
        yield arity, [list(column) for column in zip(*some, strict=True)]


def key_range(pattern: FactPattern) -> tuple[str, str] | None:
    """Return bounds for the keys of facts that match, the second excluded; None if all keys are possible."""
    if pattern.args is None:
        return None
    start = ""
    for number, arg in enumerate(pattern.args, start=1):
        if isinstance(arg, AnyValue):
            start += f"{arg.type}{_IN_ARGUMENT}" if arg.type is not None else ""
            break
        start += _encode_value(arg)
        if number == len(pattern.args):
            # One text, and nothing between it and the same text with the first character.
            return _exact(start)
        start += _BETWEEN_ARGUMENTS
    if not start or len(start.encode()) > _KEPT_BYTES:
        return None
    return start, start[:-1] + chr(ord(start[-1]) + 1)


def _exact(text: str) -> tuple[str, str]:
    key, _ = _key(text)
    return key, key + "\x01"


def parts(pattern: FactPattern | About) -> Iterator[str]:
    """Yield texts that the arguments of every fact that matches contain."""
    if isinstance(pattern, About):
        yield _encode_value(pattern.value)
        return
    for arg in pattern.args or ():
        if isinstance(arg, Value):
            yield _encode_value(arg)


def encode_effects(effects: Sequence[Effect]) -> str:
    texts = tuple(chain.from_iterable(chain.from_iterable(fact.args for _, fact, _ in effects)))
    if _ESCAPED.search("".join(texts)) is not None:
        return _encode_effects(effects)
    # What `_encode_effects` returns, in two thirds of the time: JSON of these texts is the texts in quotes.
    rows = []
    known = None
    row = ""
    for mark, (predicate, args), expires_at in effects:
        kind = mark, predicate, len(args), expires_at
        if kind != known:
            known = kind
            quoted = ",".join(['"%s"'] * (2 * len(args)))
            begin = json.dumps([mark, predicate], **_JSON)[:-1].replace("%", "%%")
            row = f"{begin},[{quoted}],{json.dumps(expires_at)}]"
        rows.append(row)
    return f"[{','.join(rows)}]" % texts


def _encode_effects(effects: Sequence[Effect]) -> str:
    return json.dumps(
        [
            [mark, fact.predicate, list(chain.from_iterable(fact.args)), expires_at]
            for mark, fact, expires_at in effects
        ],
        **_JSON,
    )


def decode_effects(body: str) -> Iterator[Effect]:
    # As in `fact_decoder`: the constructors of both would take most of the time. What is written at once has
    # many values in common: made once, they take less memory, and less time of the collector of garbage.
    new = tuple.__new__
    known: dict[tuple[str, str], Value] = {}
    for mark, predicate, texts, expires_at in json.loads(body):
        pairs = zip(texts[::2], texts[1::2], strict=True)
        args = tuple(
            [known.get(pair) or known.setdefault(pair, new(Value, pair)) for pair in pairs]
        )
        yield _MARKS[mark], new(Fact, (predicate, args)), expires_at


def content_digest(request: WriteRequest) -> str:
    """Return what tells the content of a request from every other."""
    # The text of these values names every class and quotes every string.
    text = repr((tuple(request.writes), tuple(request.preconditions)))
    return hashlib.blake2b(text.encode(), digest_size=32).hexdigest()


def encode_written(revision: int, policy_version: int, results: Iterable[WriteResult]) -> str:
    rows = [[one.outcome.value, one.inserted, one.changed, one.deleted] for one in results]
    return json.dumps([revision, policy_version, rows], separators=(",", ":"))


def decode_written(text: str) -> tuple[int, int, tuple[WriteResult, ...]]:
    revision, policy_version, rows = json.loads(text)
    results = tuple(WriteResult(WriteOutcome(outcome), *counts) for outcome, *counts in rows)
    return revision, policy_version, results


def encode_files(files: Iterable[PolicyFile]) -> str:
    """Return the files as JSON, ordered by name: their order in a policy has no meaning."""
    return json.dumps([list(file) for file in sorted(files)], ensure_ascii=False)


def decode_policy(version: int, files: str, published_at: str) -> PolicyVersion:
    return PolicyVersion(
        version,
        tuple(PolicyFile(*pair) for pair in json.loads(files)),
        datetime.fromisoformat(published_at),
    )
