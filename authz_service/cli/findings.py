"""Findings about policies and results of their tests, for people and as JSON."""

from collections.abc import Mapping, Sequence
from typing import Any

from rich.console import Console
from rich.text import Text

from authz_service.engine.policy_tests import AssertionResult, TestResult
from authz_service.polar.diagnostic import Diagnostic
from authz_service.polar.source import Span

# Enough to work on; printing tens of thousands helps nobody.
_SHOWN = 100


def print_findings(console: Console, findings: Sequence[Diagnostic]) -> None:
    """Print each finding with its place, its source line and a caret."""
    for finding in findings[:_SHOWN]:
        place, code_and_rest = str(finding).split(f": {finding.code} ", 1)
        line = Text.assemble(
            (place, "bold"),
            ": ",
            (finding.code, "yellow" if finding.is_warning else "bold red"),
            " ",
            code_and_rest,
        )
        console.print(line, highlight=False)
    if len(findings) > _SHOWN:
        console.print(f"... and {len(findings) - _SHOWN} more", highlight=False)


def print_result(console: Console, result: TestResult) -> None:
    """Print a test, and under it each of its assertions with its place."""
    console.print(Text(result.test.name, "bold" if result.passed else "bold red"))
    for assertion in result.assertions:
        span = assertion.assertion.span
        mark = ("  ok   ", "green") if assertion.passed else ("  FAIL ", "bold red")
        line = Text.assemble(mark, f"{span.place}  ", (_one_line(span), "dim"))
        console.print(line, highlight=False)
        if not assertion.passed:
            console.print(Text(f"       {assertion.problem}", "red"), highlight=False)


def finding_json(finding: Diagnostic) -> Mapping[str, Any]:
    cure = finding.help if isinstance(finding.help, str) else finding.help()
    return {
        "code": finding.code,
        "severity": "warning" if finding.is_warning else "error",
        **_place(finding.span),
        "message": finding.message,
        "help": cure,
        "excerpt": finding.span.excerpt(),
    }


def result_json(result: TestResult) -> Mapping[str, Any]:
    return {
        "name": result.test.name,
        **_place(result.test.span),
        "passed": result.passed,
        "assertions": [_assertion_json(assertion) for assertion in result.assertions],
    }


def _assertion_json(result: AssertionResult) -> Mapping[str, Any]:
    span = result.assertion.span
    return {
        **_place(span),
        "assertion": _one_line(span),
        "passed": result.passed,
        "problem": result.problem,
    }


def _place(span: Span) -> Mapping[str, Any]:
    return {"file": span.source.name, "line": span.line, "column": span.column}


def _one_line(span: Span) -> str:
    return " ".join(span.text.split())


def tested(number: int) -> str:
    """Return what there is to say about the tests of a published policy."""
    return f"{counted(number, 'test')} passed" if number else "it has no tests"


def counted(number: int, noun: str) -> str:
    """Return `1 error` or `2 errors`."""
    return f"{number} {noun}{'' if number == 1 else 's'}"
