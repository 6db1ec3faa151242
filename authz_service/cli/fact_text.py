"""Facts as text and as JSON, as commands print and read them: one in a line.

A line of text is a fact, perhaps with `until` and a time, or a comment; a line that begins with `{` is JSON.
What cannot be read is an error, never a fact without its expiry.
"""

import json
import re
import sys
from array import array
from codecs import BOM_UTF8
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

import authz
from authz.errors import MALFORMED_TEXT

from authz_service.cli import output

_UNITS: Final = {"s": 1, "m": 60, "h": 3600, "d": 86400}


def time_of(text: str) -> datetime:
    """Return the time that `text` is: an ISO time with a zone, or `90s`, `15m`, `8h`, `30d` from now."""
    try:
        if text[-1:] in _UNITS and text[:-1].isdecimal():
            return datetime.now(UTC) + timedelta(seconds=int(text[:-1]) * _UNITS[text[-1]])
        moment = datetime.fromisoformat(text)
    except (ValueError, OverflowError):
        output.fail(f"`{text}` is no time; {_EXAMPLES}", output.EXIT_USAGE)
    if moment.tzinfo is None:
        output.fail(f"`{text}` has no time zone; {_EXAMPLES}", output.EXIT_USAGE)
    return moment


_EXAMPLES: Final = "write for example 8h, 30d, or 2030-01-31T12:00:00Z"
_TOKEN: Final = re.compile(r"[\w-]{39,}", re.ASCII)


def moment_of(at: str | None) -> str | datetime | None:
    """Return the past moment that `--at` names: a consistency token if it looks like one, else a time."""
    if at is None or _TOKEN.fullmatch(at):
        return at
    try:
        moment = datetime.fromisoformat(at)
    except ValueError:
        moment = None
    if moment is None or moment.tzinfo is None:
        problem = (
            "is neither a consistency token nor a time" if moment is None else "has no time zone"
        )
        output.fail(f"`{at}` {problem}; {_PAST_EXAMPLE}", output.EXIT_USAGE)
    return moment


_PAST_EXAMPLE: Final = "write for example 2026-01-31T12:00:00Z, or a token as it was returned"


def fact_json(stored: authz.StoredFact | authz.Fact) -> Mapping[str, Any]:
    fact = stored.fact if isinstance(stored, authz.StoredFact) else stored
    shown: dict[str, Any] = {
        "predicate": fact.predicate,
        "args": [value_json(arg) for arg in fact.args],
    }
    if isinstance(stored, authz.StoredFact) and stored.expires_at is not None:
        shown["expires_at"] = stored.expires_at.isoformat()
    return shown


def fact_line(stored: authz.StoredFact) -> str:
    """Return the fact as a line of text, with its expiry if it has one. Only FactLines reads such a line."""
    expiry = f" until {stored.expires_at.isoformat()}" if stored.expires_at else ""
    return f"{stored.fact}{expiry}"


class FactLines(Iterator[authz.StoredFact]):
    """The facts of the lines of a file. Raises InvalidRequest at the first that is wrong, and says where."""

    def __init__(self, lines: Iterable[bytes], name: str) -> None:
        self._name = name
        self._numbers = array("L")
        self._facts = self._read(lines)

    def __next__(self) -> authz.StoredFact:
        return next(self._facts)

    def count(self) -> int:
        """Return how many facts were read so far."""
        return len(self._numbers)

    def place(self, index: int) -> str:
        """Return where the fact stands that was the `index`-th, from 0."""
        return f"{self._name}, line {self._numbers[index]}"

    def _read(self, lines: Iterable[bytes]) -> Iterator[authz.StoredFact]:
        for number, line in enumerate(lines, start=1):
            try:
                # A byte order mark is no part of the text.
                found = _from_line(_decoded(line.removeprefix(BOM_UTF8) if number == 1 else line))
            except authz.InvalidRequest as error:
                problem = error.message.removeprefix("line 1, ")
                message = f"{self._name}, line {number}: {problem}"
                raise authz.InvalidRequest(message, reason=error.reason) from None
            if found is not None:
                self._numbers.append(number)
                yield found


def facts_in(file: Path) -> list[authz.StoredFact]:
    """Return the facts of a file, or of standard input for `-`. What cannot be read ends the command."""
    try:
        data = sys.stdin.buffer.read() if str(file) == "-" else file.read_bytes()
    except OSError as error:
        output.fail(f"cannot read {file}: {error.strerror}", output.EXIT_USAGE)
    return list(FactLines(data.split(b"\n"), str(file)))


def _decoded(line: bytes) -> str:
    try:
        return line.decode()
    except UnicodeDecodeError as error:
        message = f"byte {error.start + 1} is not UTF-8"
        raise authz.InvalidRequest(message, reason=MALFORMED_TEXT) from None


def _from_line(line: str) -> authz.StoredFact | None:
    if not line.lstrip().startswith("{"):
        return _from_text(line.rstrip("\n"))
    try:
        return _from_json(json.loads(line))
    except authz.InvalidRequest:
        raise
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
        message = f"no fact as JSON; write for example {_JSON_EXAMPLE}"
        raise authz.InvalidRequest(message, reason=MALFORMED_TEXT) from None


_JSON_EXAMPLE: Final = (
    '{"predicate": "p", "args": [{"type": "User", "id": "alice"}, "text", 1, true], '
    '"expires_at": "2030-01-31T12:00:00Z"}'
)


def _from_text(line: str) -> authz.StoredFact | None:
    try:
        found = authz.parse_facts(line)
    except authz.InvalidRequest:
        # The word may stand in a string, too: what is before the right one is a fact.
        for until in re.finditer(r"\s+until\s+", line):
            with suppress(authz.InvalidRequest):
                found = authz.parse_facts(line[: until.start()])
                if found:
                    break
        else:
            raise
        return authz.StoredFact(found[0], _expiry(line[until.end() :].partition("#")[0].strip()))
    return authz.StoredFact(found[0]) if found else None


def _expiry(text: str) -> datetime:
    try:
        return datetime.fromisoformat(text)
    except ValueError:
        message = f"`{text}` is no time; write for example 2030-01-31T12:00:00Z"
        raise authz.InvalidRequest(message, reason=MALFORMED_TEXT) from None


def _from_json(value: Mapping[str, Any]) -> authz.StoredFact:
    # A name that is misspelled must not make a fact that expires one that never does.
    if value.keys() - {"predicate", "args", "expires_at"}:
        raise ValueError(value)
    expires_at = value.get("expires_at")
    return authz.StoredFact(
        authz.Fact(value["predicate"], *map(_value_from_json, value["args"])),
        None if expires_at is None else datetime.fromisoformat(expires_at),
    )


def _value_from_json(value: Any) -> authz.Value:  # noqa: ANN401 - whatever JSON may hold
    if isinstance(value, dict) and value.keys() == {"type", "id"}:
        return authz.Entity(value["type"], value["id"])
    if isinstance(value, str | int):
        return value
    raise TypeError(value)


def value_json(value: authz.Value) -> object:
    if isinstance(value, authz.Entity):
        return {"type": value.type, "id": value.id}
    return value
