"""Diagnostic: one finding about a policy; PolicyInvalid: all errors of a policy, raised at once."""

import difflib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from authz_service.errors import AuthzError
from authz_service.polar.source import Span


@dataclass(frozen=True, slots=True)
class Diagnostic:
    """A finding: a stable code, the place, what is wrong and, in `help`, what to do about it."""

    code: str
    message: str
    span: Span
    help: str = ""

    @property
    def sentence(self) -> str:
        """The message and the cure in one line."""
        return f"{self.message}; {self.help}" if self.help else self.message

    def __str__(self) -> str:
        """Return `file:line:column: code message` with the source line and a caret under it."""
        place = f"{self.span.source.name}:{self.span.line}:{self.span.column}"
        excerpt = "\n".join(f"    {line}" for line in self.span.excerpt().splitlines())
        return f"{place}: {self.code} {self.sentence}\n{excerpt}"


# In the message; `diagnostics` has all.
_SHOWN = 50


class PolicyInvalid(AuthzError):
    """The policy text is wrong. `diagnostics` holds every error, in source order."""

    reason = "POLICY_INVALID"

    def __init__(self, diagnostics: Sequence[Diagnostic]) -> None:
        count = f"{len(diagnostics)} errors" if len(diagnostics) > 1 else "an error"
        shown = "\n".join(map(str, diagnostics[:_SHOWN]))
        more = f"\n... and {len(diagnostics) - _SHOWN} more" if len(diagnostics) > _SHOWN else ""
        super().__init__(f"the policy has {count}\n{shown}{more}")
        self.diagnostics = tuple(diagnostics)


def did_you_mean(wrong: str, known: Iterable[str]) -> str:
    """Return "did you mean `x`?" for the closest known name, or the list of them if none is close."""
    names = sorted(set(known))
    close = difflib.get_close_matches(wrong, names, n=1, cutoff=0.6)
    if not close:
        close = [name for name in names if name.lower() == wrong.lower()]
    if close:
        return f"did you mean `{close[0]}`?"
    if not names:
        return ""
    listed = ", ".join(f"`{name}`" for name in names[:10])
    return f"known are {listed}{' and others' if len(names) > 10 else ''}"
