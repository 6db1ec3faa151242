"""`authz policy`: validate, test and verify policies offline, publish and show them."""

import re
import time
from collections.abc import Sequence
from typing import Annotated

import typer
from rich.progress import track
from rich.syntax import Syntax

from authz_service.cli import output
from authz_service.cli.findings import (
    counted,
    print_findings,
    print_result,
    result_json,
    tested,
)
from authz_service.cli.offline import Paths, checked, print_findings_json, read_files
from authz_service.cli.verify import verify
from authz_service.engine.compiled import CompiledProgram, Kind
from authz_service.engine.policy_tests import STEPS, TestResult, run_tests
from authz_service.errors import EngineUnsupported
from authz_service.facts.policy_text import PolicyFile
from authz_service.polar.compile import check_policy
from authz_service.polar.policy import CheckedTest, Policy

# A large policy takes seconds, and gives way to questions meanwhile.
_PUBLISH_TIMEOUT = 60.0

app = typer.Typer(help="Validate, test, verify, publish and show policies.", no_args_is_help=True)


@app.command()
def validate(paths: Paths, *, as_json: output.Json = False) -> None:
    """Check a policy without a service.

    All files together are one policy.

    Exit code 0: nothing to say. 1: warnings only. 2: files that cannot be read. 3: it does not compile.

    Example: authz policy validate policies/security_company
    """
    files = read_files(paths)
    policy = checked(files, as_json=as_json)
    warnings = policy.warnings
    if as_json:
        print_findings_json([], warnings)
    else:
        print_findings(output.stdout, warnings)
        summary = f"{_contents(files, policy)}: " if not warnings else ""
        found = counted(len(warnings), "warning") if warnings else "ok"
        output.stdout.print(
            f"{summary}{found}", style="yellow" if warnings else "green", highlight=False
        )
    raise typer.Exit(output.EXIT_FINDINGS if warnings else 0)


@app.command("test")
def run_policy_tests(
    paths: Paths,
    *,
    run: Annotated[
        str, typer.Option(metavar="PATTERN", help="Run only tests whose name matches this regex.")
    ] = "",
    as_json: output.Json = False,
) -> None:
    """Run the tests in a policy's files without a service.

    Exit code 0: all passed. 1: a test failed, or there is none to run. 3: the policy does not compile.

    Example: authz policy test policies/security_company --run suspended
    """
    wanted = _pattern(run)
    policy = checked(read_files(paths), as_json=as_json)
    tests = [test for test in policy.tests if wanted.search(test.name)]
    if not tests:
        message = f"no test matches `{run}`" if policy.tests else "the policy has no tests"
        if as_json:
            _print_results_json([])
        output.fail(message, output.EXIT_FINDINGS)
    if not as_json:
        print_findings(output.stderr, policy.warnings)
    results = _run(policy, tests, is_shown=not as_json)
    failed = sum(not result.passed for result in results)
    if as_json:
        _print_results_json(results)
    else:
        for result in results:
            print_result(output.stdout, result)
        assertions = sum(len(result.assertions) for result in results)
        summary = f"{counted(len(results), 'test')}, {counted(assertions, 'assertion')}: "
        summary += f"{failed} failed" if failed else "all passed"
        output.stdout.print(summary, style="bold red" if failed else "green", highlight=False)
    raise typer.Exit(output.EXIT_FINDINGS if failed else 0)


app.command()(verify)


@app.command()
def publish(  # noqa: PLR0913 - one parameter for each argument and option
    paths: Paths,
    *,
    skip_tests: Annotated[
        bool, typer.Option("--skip-tests", help="Publish it even if its own tests fail.")
    ] = False,
    force: Annotated[
        bool,
        typer.Option(
            "--force",
            help="Publish it even if it cannot use stored facts; they stay, and do not count.",
        ),
    ] = False,
    target: output.Target = output.DEFAULT_TARGET,
    store: output.Store = output.DEFAULT_STORE,
    timeout: output.Timeout = _PUBLISH_TIMEOUT,
    as_json: output.Json = False,
) -> None:
    """Check a policy, run its tests, and make it the active one. It replaces the policy before.

    Exit code 3 means that the policy has errors, 1 that its tests fail, 2 that it cannot use stored facts
    which the active policy can; the old policy stays active.

    Example: authz policy publish policies/security_company
    """
    files = {file.name: file.text for file in read_files(paths)}
    with output.asking(target, store, timeout, as_json=as_json) as client:
        published = client.publish_policy(files, skip_tests=skip_tests, force=force)
    if as_json:
        output.print_json(
            {
                "policy_version": published.version,
                "consistency_token": published.consistency_token,
                "warnings": [output.diagnostic_json(w) for w in published.warnings],
                "tests": published.tests,
            }
        )
        return
    for warning in published.warnings:
        output.print_diagnostic(warning)
    tests = "" if skip_tests else f", {tested(published.tests)}"
    output.stdout.print(f"policy version {published.version} is active{tests}", highlight=False)


@app.command()
def show(
    *,
    version: Annotated[
        int,
        typer.Option(
            "--version", metavar="N", min=0, help="The version to show; 0 is the active one."
        ),
    ] = 0,
    compiled: Annotated[
        str | None,
        typer.Option(
            metavar="PATTERN",
            help="Show the Python code that answers the kinds of questions that match this regex, such as "
            "'\"read\", Document'; '' is all of them.",
        ),
    ] = None,
    target: output.Target = output.DEFAULT_TARGET,
    store: output.Store = output.DEFAULT_STORE,
    timeout: output.Timeout = output.DEFAULT_TIMEOUT,
    as_json: output.Json = False,
) -> None:
    """Print a policy as published, or the code it was compiled to.

    Example: authz policy show --compiled '"view", SecuritySystem'
    """
    pattern = None if compiled is None else _pattern(compiled)
    with output.asking(target, store, timeout) as client:
        policy = client.get_policy(version)
    if pattern is not None:
        _show_compiled(
            [PolicyFile(*file) for file in policy.files.items()], pattern, as_json=as_json
        )
    elif as_json:
        output.print_json(
            {
                "policy_version": policy.version,
                "published_at": policy.published_at.isoformat(),
                "files": dict(policy.files),
            }
        )
    else:
        for name, text in policy.files.items():
            output.stdout.print(f"# {name}, version {policy.version}", style="dim", markup=False)
            output.stdout.print(text, end="", markup=False, highlight=False)


def _source(program: CompiledProgram, kind: Kind) -> str:
    try:
        return program.source(kind).text
    except EngineUnsupported as error:
        return f"# {kind}: the reference engine answers, as {error.message}\n"


def _show_compiled(files: Sequence[PolicyFile], pattern: re.Pattern[str], *, as_json: bool) -> None:
    program = CompiledProgram(check_policy(files))
    kinds = (kind for kind in program.kinds() if pattern.search(str(kind)))
    sources = {str(kind): _source(program, kind) for kind in kinds}
    if not sources:
        output.fail(f"no kind of question matches `{pattern.pattern}`", output.EXIT_USAGE)
    if as_json:
        output.print_json(sources)
        return
    shown = "\n\n".join(sources.values())
    if output.stdout.is_terminal:
        output.stdout.print(Syntax(shown, "python", background_color="default"))
    else:
        output.stdout.print(shown, end="", markup=False, highlight=False, soft_wrap=True)


def _pattern(text: str) -> re.Pattern[str]:
    try:
        return re.compile(text)
    except re.error as error:
        output.fail(f"`{text}` is not a regular expression: {error}", output.EXIT_USAGE)


def _run(policy: Policy, tests: list[CheckedTest], *, is_shown: bool) -> list[TestResult]:
    is_hidden = not is_shown or not output.stderr.is_terminal
    running = track(tests, "testing", console=output.stderr, disable=is_hidden, transient=True)
    return list(run_tests(policy, running, int(time.time()), STEPS))


def _own_rules(files: Sequence[PolicyFile], policy: Policy) -> int:
    """Count the rules that stand in the files; a policy without `allow` has some that do not."""
    names = {file.name for file in files}
    return sum(rule.span.source.name in names for rule in policy.rules)


def _print_results_json(results: Sequence[TestResult]) -> None:
    passed = sum(result.passed for result in results)
    output.print_json(
        {
            "success": 0 < passed == len(results),
            "passed": passed,
            "failed": len(results) - passed,
            "tests": [result_json(result) for result in results],
        }
    )


def _contents(files: Sequence[PolicyFile], policy: Policy) -> str:
    return ", ".join(
        [
            counted(len(files), "file"),
            counted(len(policy.types), "type"),
            counted(_own_rules(files, policy), "rule"),
            counted(len(policy.tests), "test"),
        ]
    )
