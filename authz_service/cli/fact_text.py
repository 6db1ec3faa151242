"""Facts as text and as JSON, as commands print and read them: one in a line.

A line of text is a fact, or a comment; a line that begins with `{` is JSON, which carries the expiry, too.
"""

import json
from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import authz

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


def moment_of(at: str | None) -> str | datetime | None:
    """Return the past moment that `--at` names: a time if it looks like one, else a consistency token."""
    if at is None or not (at[:4].isdecimal() and at[4:5] == "-"):
        return at
    return time_of(at)


def fact_json(stored: authz.StoredFact | authz.Fact) -> Mapping[str, Any]:
    fact = stored.fact if isinstance(stored, authz.StoredFact) else stored
    shown: dict[str, Any] = {
        "predicate": fact.predicate,
        "args": [_value_json(arg) for arg in fact.args],
    }
    if isinstance(stored, authz.StoredFact) and stored.expires_at is not None:
        shown["expires_at"] = stored.expires_at.isoformat()
    return shown


def fact_line(stored: authz.StoredFact) -> str:
    """Return the fact as a line of text; when it expires is a comment there."""
    expiry = f"  # until {stored.expires_at.isoformat()}" if stored.expires_at else ""
    return f"{stored.fact}{expiry}"


def read_lines(lines: Iterable[str], name: str) -> Iterator[authz.StoredFact]:
    """Yield the facts of the lines; ends the command at the first that is wrong, and says where."""
    for number, line in enumerate(lines, start=1):
        try:
            if line.lstrip().startswith("{"):
                yield _from_json(json.loads(line))
            else:
                yield from map(authz.StoredFact, authz.parse_facts(line.rstrip("\n")))
        except authz.InvalidRequest as error:
            problem = error.message.removeprefix("line 1, ")
            output.fail(f"{name}, line {number}: {problem}", output.EXIT_USAGE)
        except (ValueError, TypeError, KeyError, AttributeError):
            example = (
                '{"predicate": "p", "args": [{"type": "User", "id": "alice"}, "text", 1, true]}'
            )
            output.fail(
                f"{name}, line {number}: no fact as JSON; write for example {example}",
                output.EXIT_USAGE,
            )


def _from_json(value: Mapping[str, Any]) -> authz.StoredFact:
    expires_at = value.get("expires_at")
    return authz.StoredFact(
        authz.Fact(value["predicate"], *map(_value_from_json, value["args"])),
        None if expires_at is None else datetime.fromisoformat(expires_at),
    )


def _value_from_json(value: Any) -> authz.Value:  # noqa: ANN401 - whatever JSON may hold
    if isinstance(value, dict):
        return authz.Entity(value["type"], value["id"])
    if isinstance(value, str | int):
        return value
    raise TypeError(value)


def _value_json(value: authz.Value) -> object:
    if isinstance(value, authz.Entity):
        return {"type": value.type, "id": value.id}
    return value
