"""Characters to tokens.

Positions count characters. Whitespace is space, tab and line ends; `#` starts a comment, which ends before
any character that some editor shows as a line end, lest a rule look like a comment or a comment like a
rule. Names are letters, digits and `_` (of any script), not starting with a digit. Every other character
is reported with its place, and lexing goes on behind it, so that one run finds all of them.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum

from authz_service.facts.value import INTEGER_MAX, INTEGER_MIN, MAX_NAME_BYTES, id_problem
from authz_service.polar.diagnostic import Diagnostic
from authz_service.polar.source import PolicySource, Span


class Kind(Enum):
    """What a token is."""

    NAME = "a name"
    STRING = "a string"
    INTEGER = "an integer"
    SYMBOL = "a symbol"
    END = "the end of the file"


@dataclass(frozen=True, slots=True)
class Token:
    """`text` is the token as written, except for strings: there it is the unescaped content."""

    kind: Kind
    text: str
    span: Span

    def __str__(self) -> str:
        if self.kind is Kind.END:
            return Kind.END.value
        return f"`{self.span.source.text[self.span.start : self.span.end]}`"


_TOKEN = re.compile(
    r"""
    (?P<space>[ \t\r\n]+|\#[^\r\n\v\f\x1c-\x1e\x85\u2028\u2029]*)
  | (?P<name>[^\W\d]\w*)
  | (?P<number>[-+]?\d[\w.]*)
  | (?P<string>"(?:[^"\\\n]|\\[^\n])*")
  | (?P<open>"[^\n]*)
  | (?P<foreign>'[^'\n]*'|&&?)
  | (?P<symbol>!=|<=|>=|==|:=|\?=|::|@\w*|[:,;(){}\[\]=<>.*/+!|?-])
    """,
    re.VERBOSE,
)
_CURES = {
    "'": 'write strings as "text"',
    "\ufeff": "this is a byte order mark; save the file as UTF-8 without one",
}
_ESCAPE = re.compile(r"\\(.)")
_ESCAPED = {"n": "\n", "t": "\t", "r": "\r", "0": "\0"}


def tokenize(source: PolicySource, findings: list[Diagnostic]) -> list[Token]:
    """Return the tokens of `source`, ending in an END token; add what is wrong to `findings`."""
    tokens = list(_tokens(source, findings))
    end = len(source.text)
    return [*tokens, Token(Kind.END, "", Span(source, end, end))]


def _tokens(source: PolicySource, findings: list[Diagnostic]) -> Iterator[Token]:
    position = 0
    while position < len(source.text):
        match = _TOKEN.match(source.text, position)
        if match is None:
            span = Span(source, position, position + 1)
            findings.append(_bad_character(source.text[position], span))
            position += 1
            continue
        span = Span(source, position, match.end())
        position = match.end()
        token = _token(str(match.lastgroup), match.group(), span, findings)
        if token is not None:
            yield token


def _token(group: str, text: str, span: Span, findings: list[Diagnostic]) -> Token | None:
    match group:
        case "space":
            return None
        case "name":
            return Token(Kind.NAME, _checked_name(text, span, findings), span)
        case "number":
            return Token(Kind.INTEGER, _checked_integer(text, span, findings), span)
        case "string":
            return Token(Kind.STRING, _checked_string(text, span, findings), span)
        case "foreign":
            return _foreign(text, span, findings)
        case "open":
            findings.append(
                Diagnostic(
                    "P002", "this string has no end", span, 'close it with `"` on the same line'
                )
            )
            return Token(Kind.STRING, text[1:], span)
        case _:
            return Token(Kind.SYMBOL, text, span)


def _foreign(text: str, span: Span, findings: list[Diagnostic]) -> Token:
    """Report what other languages write, and go on with what is meant by it."""
    if text.startswith("&"):
        findings.append(Diagnostic("P001", f"unexpected `{text}`", span, "write `and`"))
        return Token(Kind.NAME, "and", span)
    findings.append(Diagnostic("P001", f"unexpected {text}", span, 'write strings as "text"'))
    return Token(Kind.STRING, text[1:-1], span)


def _checked_name(text: str, span: Span, findings: list[Diagnostic]) -> str:
    size = len(text.encode("utf-8", "surrogatepass"))
    if size > MAX_NAME_BYTES:
        message = f"this name has {size} bytes of UTF-8"
        findings.append(Diagnostic("P007", message, span, f"at most {MAX_NAME_BYTES} are allowed"))
    return text


def _checked_integer(text: str, span: Span, findings: list[Diagnostic]) -> str:
    digits = text.lstrip("+-")
    if not (digits.isascii() and digits.isdigit()):
        findings.append(
            Diagnostic("P003", f"`{text}` is not an integer", span, "numbers are whole: `42`, `-7`")
        )
        return "0"
    # 19 digits hold every 64-bit integer; converting a longer text would cost more than its length.
    if len(digits.lstrip("0")) > 19 or not INTEGER_MIN <= int(text) <= INTEGER_MAX:
        findings.append(
            Diagnostic(
                "P004",
                "this integer does not fit into 64 bits",
                span,
                f"use {INTEGER_MIN} to {INTEGER_MAX}",
            )
        )
        return "0"
    return str(int(text))


def _checked_string(text: str, span: Span, findings: list[Diagnostic]) -> str:
    content = _ESCAPE.sub(lambda m: _ESCAPED.get(m[1], m[1]), text[1:-1])
    problem = id_problem(content)
    if problem is not None:
        findings.append(
            Diagnostic("P005", f"this string {problem}", span, "no fact or request can equal it")
        )
    return content


def _bad_character(character: str, span: Span) -> Diagnostic:
    shown = f"`{character}`" if character.isprintable() else f"U+{ord(character):04X}"
    cure = _CURES.get(character, "remove it")
    return Diagnostic("P001", f"unexpected character {shown}", span, cure)
