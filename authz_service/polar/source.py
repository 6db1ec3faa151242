"""PolicySource and Span: a policy text and a place in it."""

from bisect import bisect_right
from dataclasses import dataclass
from functools import cached_property

_EXCERPT_BEFORE = 400
_EXCERPT_AFTER = 400


@dataclass(frozen=True)
class PolicySource:
    """A named policy text."""

    name: str
    text: str

    @property
    def is_built_in(self) -> bool:
        """Whether no author wrote it: names of files have no parenthesis at the start."""
        return self.name.startswith("(")

    @cached_property
    def line_starts(self) -> list[int]:
        """Where each line begins. Found once, so that many findings cost no more than the text."""
        starts = [0]
        position = self.text.find("\n")
        while position >= 0:
            starts.append(position + 1)
            position = self.text.find("\n", position + 1)
        return starts


@dataclass(frozen=True, slots=True)
class Span:
    """The characters from `start` up to `end` of a source. Columns count characters, from 1."""

    source: PolicySource
    start: int
    end: int

    @property
    def line(self) -> int:
        return bisect_right(self.source.line_starts, self.start)

    @property
    def column(self) -> int:
        return self.start - self.source.line_starts[self.line - 1] + 1

    @property
    def place(self) -> str:
        """`file:line:column`."""
        return f"{self.source.name}:{self.line}:{self.column}"

    @property
    def text(self) -> str:
        return self.source.text[self.start : self.end]

    def holds(self, other: "Span") -> bool:
        """Say whether `other` lies in this span."""
        return self.source is other.source and self.start <= other.start and other.end <= self.end

    def to(self, other: "Span") -> "Span":
        """Return the span from the start of this one to the end of `other`."""
        return Span(self.source, self.start, other.end)

    def excerpt(self) -> str:
        """Return the source line and, under it, carets below the span."""
        start = self.source.line_starts[self.line - 1]
        end = self.source.text.find("\n", self.start)
        # A window: a policy of one long line must not be copied into each of its findings.
        start = max(start, self.start - _EXCERPT_BEFORE)
        end = min(end if end >= 0 else len(self.source.text), self.start + _EXCERPT_AFTER)
        line = self.source.text[start:end].rstrip("\r")
        before = "".join("\t" if c == "\t" else " " for c in line[: self.start - start])
        width = max(1, min(self.end - self.start, len(line) - len(before)))
        return f"{line}\n{before}{'^' * width}"
