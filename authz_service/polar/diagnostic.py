"""Diagnostic: one finding about a policy; PolicyInvalid: all errors of a policy, raised at once.

Codes are stable: P0 lexical and grammar, P2 names, P3 types, P4 safety, P5 tests, P6 warnings. A policy
with warnings compiles; one with any other finding does not.
"""

import difflib
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass

from authz_service.errors import AuthzError
from authz_service.polar.source import PolicySource, Span

Help = str | Callable[[], str]
"""What to do about a finding; a function where that costs something, called only when it is shown."""


def suggest(wrong: str, known: Collection[str], otherwise: str = "") -> Help:
    """Return the help for a name that is not known."""
    return lambda: did_you_mean(wrong, known) or otherwise


@dataclass(frozen=True, slots=True)
class Diagnostic:
    """A finding: a stable code, the place, what is wrong and, in `help`, what to do about it."""

    code: str
    message: str
    span: Span
    help: Help = ""

    @property
    def is_warning(self) -> bool:
        return self.code.startswith("P6")

    @property
    def cure(self) -> str:
        """What to do about it; empty if there is nothing to say."""
        return self.help if isinstance(self.help, str) else self.help()

    @property
    def sentence(self) -> str:
        """The message and the cure in one line."""
        cure = self.cure
        return f"{self.message}; {cure}" if cure else self.message

    def __reduce__(self) -> tuple[type["Diagnostic"], tuple[object, ...]]:
        return Diagnostic, (self.code, self.message, self.span, self.cure)

    def __str__(self) -> str:
        """Return `file:line:column: code message` with the source line and a caret under it."""
        excerpt = "\n".join(f"    {line}" for line in self.span.excerpt().split("\n"))
        return f"{self.span.place}: {self.code} {self.sentence}\n{excerpt}"


# In the message; `diagnostics` has all.
_SHOWN = 50


class PolicyInvalid(AuthzError):
    """The policy text is wrong. `diagnostics` holds every error, in source order.

    If the rules are valid and only the tests are wrong, `warnings` holds what was found about the rules.
    """

    reason = "POLICY_INVALID"

    def __init__(
        self, diagnostics: Sequence[Diagnostic], warnings: Sequence[Diagnostic] = ()
    ) -> None:
        shown = "\n".join(map(str, diagnostics[:_SHOWN]))
        more = f"\n... and {len(diagnostics) - _SHOWN} more" if len(diagnostics) > _SHOWN else ""
        self.diagnostics = tuple(diagnostics)
        self.warnings = tuple(warnings)
        super().__init__(f"{self.summary}\n{shown}{more}")

    def __reduce__(self) -> tuple[type["PolicyInvalid"], tuple[object, ...]]:
        return type(self), (self.diagnostics, self.warnings)

    @property
    def summary(self) -> str:
        """How many findings there are, in a few words."""
        count = len(self.diagnostics)
        return f"the policy has {f'{count} errors' if count > 1 else 'an error'}"


class PolicyTestsFailed(PolicyInvalid):
    """The policy compiles, but tests in its files fail. `diagnostics` has each failed assertion."""

    reason = "POLICY_TESTS_FAILED"

    @property
    def summary(self) -> str:
        count = len(self.diagnostics)
        return f"{f'{count} assertions fail' if count > 1 else 'an assertion fails'}"


def in_source_order(
    findings: Iterable[Diagnostic], sources: Sequence[PolicySource]
) -> list[Diagnostic]:
    """Return the findings by file, in the order of `sources`, and by place in the file."""
    order = {source.name: index for index, source in enumerate(sources)}
    return sorted(findings, key=lambda f: (order[f.span.source.name], f.span.start, f.code))


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
