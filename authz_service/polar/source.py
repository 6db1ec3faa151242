"""PolicySource and Span: a policy text and a place in it."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class PolicySource:
    """A named policy text."""

    name: str
    text: str


@dataclass(frozen=True, slots=True)
class Span:
    """The characters from `start` up to `end` of a source. Columns count characters, from 1."""

    source: PolicySource
    start: int
    end: int

    @property
    def line(self) -> int:
        return self.source.text.count("\n", 0, self.start) + 1

    @property
    def column(self) -> int:
        return self.start - self.source.text.rfind("\n", 0, self.start)

    def to(self, other: "Span") -> "Span":
        """Return the span from the start of this one to the end of `other`."""
        return Span(self.source, self.start, other.end)

    def excerpt(self) -> str:
        """Return the source line and, under it, carets below the span."""
        start = self.source.text.rfind("\n", 0, self.start) + 1
        end = self.source.text.find("\n", self.start)
        line = self.source.text[start : end if end >= 0 else None]
        before = "".join("\t" if c == "\t" else " " for c in line[: self.start - start])
        width = max(1, min(self.end - self.start, len(line) - len(before)))
        return f"{line}\n{before}{'^' * width}"
