"""Tokens: a cursor over the tokens of a file, with the verbs that grammar rules are written in.

`peek` and `at` look, `accept` takes a token if it is there, `expect` demands it. Every failure says what
was expected and what was found; what belongs to the old open-source dialect also gets the present-day
way to write it.
"""

from dataclasses import replace

from authz_service.polar.diagnostic import Diagnostic
from authz_service.polar.lexer import Kind, Token
from authz_service.polar.source import Span

RESERVED = frozenset({"if", "and", "or", "not", "in", "matches", "true", "false"})

# Deep enough for every policy seen, shallow enough that no recursion over a tree can overflow.
MAX_NESTING = 64

_NO_ARITHMETIC = "there is no arithmetic; store the computed number as a fact"
_FOREIGN = {
    "==": "equality is written `=`",
    ":=": "there is no assignment; `=` compares, and binds a variable that is not bound",
    ".": "attributes are facts: `owner(document, user)`, and not `document.owner = user`",
    "+": _NO_ARITHMETIC,
    "-": _NO_ARITHMETIC,
    "*": "there is no arithmetic, and there are no lists to take apart",
    "/": "comments begin with `#`, and there is no arithmetic",
    "isa": "write `matches`",
    "mod": _NO_ARITHMETIC,
    "rem": _NO_ARITHMETIC,
    "!": "negation is written `not`",
    "|": "alternatives are written `or`",
    "::": "there are no namespaces; names are letters, digits and `_`",
    "?": "names are letters, digits and `_`",
}


class SyntaxProblem(Exception):
    """What stands here cannot be read. Ends the rule or block that is being read."""

    def __init__(self, diagnostic: Diagnostic) -> None:
        super().__init__(diagnostic.message)
        self.diagnostic = diagnostic


class Tokens:
    """A cursor over the tokens of one file, and the depth of open conditions."""

    def __init__(self, tokens: list[Token]) -> None:
        self._tokens = tokens
        self._position = 0
        self._depth = 0

    def at_end(self) -> bool:
        return self.peek().kind is Kind.END

    def peek(self, ahead: int = 0) -> Token:
        return self._tokens[min(self._position + ahead, len(self._tokens) - 1)]

    def take(self) -> Token:
        token = self.peek()
        self._position = min(self._position + 1, len(self._tokens) - 1)
        return token

    def last(self) -> Span:
        return self._tokens[max(self._position - 1, 0)].span

    def at(self, *texts: str, ahead: int = 0) -> bool:
        token = self.peek(ahead)
        return token.kind in (Kind.NAME, Kind.SYMBOL) and token.text in texts

    def at_kind(self, kind: Kind, ahead: int = 0) -> bool:
        return self.peek(ahead).kind is kind

    def at_name(self, ahead: int = 0) -> bool:
        """Say whether a name comes next that is no reserved word."""
        return self.at_kind(Kind.NAME, ahead) and self.peek(ahead).text not in RESERVED

    def accept(self, *texts: str) -> Token | None:
        return self.take() if self.at(*texts) else None

    def expect(self, text: str, expected: str) -> Token:
        if self.at(text):
            return self.take()
        problem = self.unexpected(expected)
        if text == ";" and self.peek().span.line > self.last().line:
            # Where it is missing, not where that is noticed.
            end = self.last().end
            place = Span(self.last().source, end, end)
            raise SyntaxProblem(replace(problem.diagnostic, span=place))
        raise problem

    def expect_kind(self, kind: Kind, expected: str) -> Token:
        if self.at_name() if kind is Kind.NAME else self.at_kind(kind):
            return self.take()
        raise self.unexpected(expected)

    def deeper(self) -> None:
        """Open a condition inside of another one; `shallower` closes it."""
        self._depth += 1
        if self._depth > MAX_NESTING:
            message = f"conditions nest deeper than {MAX_NESTING}"
            raise SyntaxProblem(Diagnostic("P011", message, self.peek().span, "split the rule"))

    def shallower(self) -> None:
        self._depth -= 1

    def unexpected(self, expected: str, cure: str = "") -> SyntaxProblem:
        found = self.peek()
        if found.kind in (Kind.NAME, Kind.SYMBOL):
            cure = cure or _FOREIGN.get(found.text, "")
        if found.kind is Kind.NAME and found.text in RESERVED and "name" in expected:
            cure = f"`{found.text}` is a reserved word"
        message = f"expected {expected}, found {found}"
        return SyntaxProblem(Diagnostic("P010", message, found.span, cure))

    def mark(self) -> int:
        """Return the place of the next token, for `skip_from`."""
        return self._position

    def skip_from(self, start: int, *, is_block: bool) -> None:
        """Go behind the statement (or block) that begins at `start`, at least behind its first token.

        A statement ends with its `;`, and before a `}` that it did not open.
        """
        self._depth = 0
        self._position = start
        open_braces = 0
        while not self.at_end():
            if self.at("}") and open_braces == 0:
                break
            token = self.take()
            if token.kind is not Kind.SYMBOL:
                continue
            open_braces += {"{": 1, "}": -1}.get(token.text, 0)
            if open_braces == 0 and token.text == ("}" if is_block else ";"):
                break
        if self._position == start:
            self.take()
