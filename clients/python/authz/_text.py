r"""The text form of facts and patterns: its words, and a scanner that reads them.

    name   = one or more characters other than white space : , ( ) " ; #
    bare   = one or more characters other than white space , ( ) "
    string = '"' characters '"'    with \n \t \r \0, and \x for any other character x itself

Rule: what `quoted` writes, `Scanner.string` reads back unchanged, on one line.
"""

import re
from typing import Final, NoReturn

from authz.errors import MALFORMED_TEXT, UNREPRESENTABLE, InvalidRequest

NAME: Final = re.compile(r"""[^\s:,()";#]+""")
BARE: Final = re.compile(r"""[^\s,()"]+""")
_SPACE: Final = re.compile(r"\s*")
_STRING: Final = re.compile(r'"((?:[^"\\]|\\.)*)"', re.DOTALL)
_ESCAPE: Final = re.compile(r"\\(.)", re.DOTALL)

_ESCAPED: Final = {"n": "\n", "t": "\t", "r": "\r", "0": "\0"}
_ESCAPES: Final = str.maketrans(
    {'"': '\\"', "\\": "\\\\"} | {char: f"\\{letter}" for letter, char in _ESCAPED.items()}
)
_MOST_SHOWN: Final = 200


def quoted(text: str) -> str:
    return f'"{text.translate(_ESCAPES)}"'


def malformed(message: str) -> InvalidRequest:
    return InvalidRequest(message, reason=MALFORMED_TEXT)


def require_name(text: str, kind: str) -> None:
    """Refuse a name that would not survive the text form."""
    if not NAME.fullmatch(text):
        raise malformed(
            f"expected {kind}, found {quoted(text)}: it may not be empty"
            ' or contain white space or any of : , ( ) " ; #'
        )


def not_unicode(error: UnicodeEncodeError) -> InvalidRequest:
    """Return the error about a text that cannot be sent, as half a character stands in it."""
    message = (
        f"half a surrogate pair is no character: {error.object!r}, at position {error.start + 1}"
    )
    return InvalidRequest(f"the request cannot be sent: {message}", reason=UNREPRESENTABLE)


def require_unicode(text: str) -> None:
    """Refuse a text that cannot be sent."""
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise not_unicode(error) from None


class Scanner:
    """A place in a text. Every failure names the column (and the line, if there are several)."""

    __slots__ = ("_line", "_text", "position")

    def __init__(self, text: str, line: int | None = None) -> None:
        self._text = text
        self._line = line
        self.position = 0

    def skip_space(self) -> None:
        self.take(_SPACE)

    def sees(self, symbol: str) -> bool:
        return self._text.startswith(symbol, self.position)

    def at_end(self) -> bool:
        return self.position == len(self._text)

    def accept(self, symbol: str) -> bool:
        """Go past `symbol`, and the white space before it, if it comes next."""
        self.skip_space()
        found = self.sees(symbol)
        if found:
            self.position += len(symbol)
        return found

    def expect(self, symbol: str, expected: str) -> None:
        if not self.accept(symbol):
            self.fail(expected)

    def take(self, words: re.Pattern[str]) -> str:
        """Go past the word that begins here; empty if none does."""
        match = words.match(self._text, self.position)
        if match is None:
            return ""
        self.position = match.end()
        return match[0]

    def string(self) -> str:
        """Go past the string that begins here, and return what it means."""
        match = _STRING.match(self._text, self.position)
        if match is None:
            self.fail('a string that is closed with `"`')
        self.position = match.end()
        return _ESCAPE.sub(lambda escape: _ESCAPED.get(escape[1], escape[1]), match[1])

    def fail(self, expected: str, found: str = "", cure: str = "") -> NoReturn:
        """Raise InvalidRequest: `expected` is not here, but `found`, by default the next word or character."""
        column = f"column {self.position + 1}"
        place = column if self._line is None else f"line {self._line}, {column}"
        # Of a file the line says where it is; of one text among others only the text itself does.
        if self._line is None and self._text.isprintable() and 0 < len(self._text) <= _MOST_SHOWN:
            place += f" of `{self._text}`"
        word = self._next_word()
        here = f"`{word}`" if word else "the end"
        raise malformed(
            f"{place}: expected {expected}, found {found or here}{cure and f'; {cure}'}"
        )

    def _next_word(self) -> str:
        """Return what comes next: a name, or a character that is none; empty at the end."""
        word = NAME.match(self._text, self.position)
        return word[0][:_MOST_SHOWN] if word else self._text[self.position : self.position + 1]
