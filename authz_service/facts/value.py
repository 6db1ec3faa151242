"""Value: a typed identifier, `User:alice`, or a primitive in canonical text, `Integer:3`.

One representation for both keeps values of different types apart everywhere: as Python values
`True`, `1` and `1.0` are equal and hash alike, as `Value`s a Boolean never equals an Integer.
Ids are byte-exact; nothing here folds case or normalises.
"""

import re
from typing import NamedTuple

STRING = "String"
INTEGER = "Integer"
BOOLEAN = "Boolean"
PRIMITIVE_TYPES = frozenset({STRING, INTEGER, BOOLEAN})

# Oso Cloud raised its limit for an argument from 384 to 512 bytes in 2026; peers allow similar sizes.
MAX_ID_BYTES = 512
MAX_NAME_BYTES = 128

_REFUSED = re.compile("[\\x00-\\x1f\\x7f-\\x9f\\ud800-\\udfff]")

INTEGER_MIN = -(2**63)
INTEGER_MAX = 2**63 - 1


class Value(NamedTuple):
    """A type name and an id; equal only if both are, byte for byte."""

    type: str
    id: str

    def __str__(self) -> str:
        """Return the text form: `User:alice`, `"owner"`, `3` or `true`."""
        if self.type == STRING:
            return quoted(self.id)
        if self.type in PRIMITIVE_TYPES:
            return self.id
        return f"{self.type}:{self.id if _is_bare(self.id) else quoted(self.id)}"


def string(text: str) -> Value:
    return Value(STRING, text)


def integer(number: int) -> Value:
    return Value(INTEGER, str(number))


def boolean(truth: bool) -> Value:  # noqa: FBT001 - the value itself, not a flag
    return Value(BOOLEAN, "true" if truth else "false")


def is_plain(text: str, most: int = MAX_ID_BYTES) -> bool:
    """Say whether `text` is 1 to `most` printable characters of ASCII, with which nothing can be wrong."""
    return 0 < len(text) <= most and text.isascii() and text.isprintable()


def id_problem(text: str) -> str | None:
    """Say why `text` cannot be an id or a String, or return None if it can.

    Refused are the empty text, more than 512 bytes of UTF-8 and control characters (C0, DEL, C1),
    which storage engines and logs treat differently from one another.
    """
    if is_plain(text):
        return None
    if not text:
        return "is empty"
    size = len(text.encode("utf-8", "surrogatepass"))
    if size > MAX_ID_BYTES:
        return f"has {size} bytes of UTF-8; at most {MAX_ID_BYTES} are allowed"
    refused = _REFUSED.search(text)
    if refused is None:
        return None
    character, position = refused[0], refused.end()
    if "\ud800" <= character <= "\udfff":
        return f"has a lone surrogate at position {position}"
    return f"has the control character U+{ord(character):04X} at position {position}"


def quoted(text: str) -> str:
    """Return `text` between double quotes, with quotes, backslashes and line ends escaped."""
    escaped = text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
    return f'"{escaped}"'


def _is_bare(text: str) -> bool:
    # After the `:` of the type another one would look like a namespace.
    return (
        text != "_"
        and not text.startswith(":")
        and not any(c.isspace() or c in ',()"' for c in text)
    )
