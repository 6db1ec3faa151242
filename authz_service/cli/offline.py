"""Policies from files, for the commands that need no service: read, checked, and findings printed."""

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer

from authz_service.cli import output
from authz_service.cli.findings import finding_json, print_findings
from authz_service.facts.policy_text import PolicyFile
from authz_service.pap.policy_files import PolicyFilesUnreadable, read_policy_files
from authz_service.polar.compile import check_policy
from authz_service.polar.diagnostic import Diagnostic, PolicyInvalid
from authz_service.polar.policy import Policy

Paths = Annotated[
    list[Path],
    typer.Argument(
        metavar="PATH",
        help="Files, or folders whose .polar files make the policy; - is standard input.",
        show_default=False,
    ),
]


def read_files(paths: Sequence[Path]) -> tuple[PolicyFile, ...]:
    """Return the policy's files; ends the command if they cannot be read."""
    try:
        return read_policy_files(paths)
    except PolicyFilesUnreadable as error:
        output.fail(str(error), output.EXIT_USAGE)


def checked(files: Sequence[PolicyFile], *, as_json: bool) -> Policy:
    """Return the checked policy; one with errors ends the command with all of them."""
    try:
        return check_policy(files)
    except PolicyInvalid as error:
        if as_json:
            print_findings_json(error.diagnostics, error.warnings)
        else:
            print_findings(output.stdout, [*error.diagnostics, *error.warnings])
        output.fail(error.summary, output.EXIT_POLICY)


def print_findings_json(errors: Sequence[Diagnostic], warnings: Sequence[Diagnostic]) -> None:
    output.print_json(
        {
            "errors": [finding_json(finding) for finding in errors],
            "warnings": [finding_json(finding) for finding in warnings],
        }
    )
