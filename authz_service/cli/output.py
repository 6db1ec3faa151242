"""What commands print, and what becomes of their errors: results on stdout, all else on stderr."""

import errno
import json
import re
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Annotated, Any, NoReturn

import authz
import typer
from rich.console import Console

EXIT_DENY = 1
EXIT_NO_ROWS = 1
EXIT_FINDINGS = 1
EXIT_USAGE = 2
EXIT_POLICY = 3
EXIT_UNANSWERED = 4


class _Console(Console):
    """Leaves it to `main` what it means that nobody reads on; rich would end with 1, as for DENY."""

    def on_broken_pipe(self) -> NoReturn:
        raise BrokenPipeError(errno.EPIPE, "nobody reads what is printed")


stdout = _Console(soft_wrap=True)
stderr = _Console(stderr=True, soft_wrap=True)

Target = Annotated[
    str,
    typer.Option(metavar="HOST:PORT", envvar="AUTHZ_TARGET", help="Where the service listens."),
]
Store = Annotated[str, typer.Option(metavar="NAME", envvar="AUTHZ_STORE", help="The store to use.")]
Timeout = Annotated[
    float,
    typer.Option(metavar="SECONDS", min=0.001, max=86400, help="How long to wait for an answer."),
]
Json = Annotated[bool, typer.Option("--json", help="Print JSON, for scripts.")]

DEFAULT_TARGET = "127.0.0.1:50051"
DEFAULT_STORE = "default"
# gRPC takes a host without a port, and connects to port 443.
_ADDRESS = re.compile(r"(?!https?:).+:\d{1,5}|unix:.+")
_CURE_OF_SILENCE = (
    "; does it run there? `authz serve` starts one, --target or AUTHZ_TARGET names another address"
)
DEFAULT_TIMEOUT = 5.0


def print_json(value: Mapping[str, Any]) -> None:
    is_unicode = (sys.stdout.encoding or "").lower().replace("-", "") == "utf8"
    sys.stdout.write(json.dumps(value, ensure_ascii=not is_unicode) + "\n")


def fail(message: str, code: int) -> NoReturn:
    """Print `message` to stderr and leave with exit code `code`."""
    print_error(message)
    raise typer.Exit(code)


def print_error(message: str) -> None:
    stderr.print("[bold red]error:[/] ", end="")
    stderr.print(message, markup=False, highlight=False)


def print_diagnostic(finding: authz.Diagnostic) -> None:
    """Print a finding that the service reported to stderr."""
    excerpt = "\n".join(f"    {line}" for line in finding.excerpt.splitlines())
    stderr.print(f"{finding}\n{excerpt}", markup=False, highlight=False)


def diagnostic_json(finding: authz.Diagnostic) -> Mapping[str, Any]:
    return {
        "code": finding.code,
        "file": finding.file,
        "line": finding.line,
        "column": finding.column,
        "message": finding.message,
        "excerpt": finding.excerpt,
    }


@contextmanager
def asking(
    target: str, store: str, timeout: float, *, as_json: bool = False
) -> Iterator[authz.Client]:
    """Yield a client; its errors end the command with a message and an exit code that is no answer.

    With `as_json` the findings about a policy are printed to stdout as JSON.
    """
    if not _ADDRESS.fullmatch(target):
        message = f"`{target}` is no address of a service; write HOST:PORT, as in {DEFAULT_TARGET}"
        fail(message, EXIT_USAGE)
    try:
        with authz.Client(target, store=store, timeout=timeout) as client:
            yield client
    except authz.PolicyRejected as error:
        _fail_for_findings(error, as_json=as_json)
    except authz.FactsOrphaned as error:
        _fail_for_orphans(error, as_json=as_json)
    except authz.AuthzError as error:
        fail(_sentence(error), _exit_code(error))


def _exit_code(error: authz.AuthzError) -> int:
    match error:
        case authz.NotReady():
            return EXIT_UNANSWERED
        case (
            authz.InvalidRequest()
            | authz.NotFound()
            | authz.AlreadyExists()
            | authz.Compacted()
            | authz.Refused()
        ):
            return EXIT_USAGE
        case _:
            return EXIT_UNANSWERED


def _fail_for_findings(error: authz.PolicyRejected, *, as_json: bool) -> NoReturn:
    if as_json:
        found = [diagnostic_json(finding) for finding in error.diagnostics]
        print_json({"errors": found, "omitted": error.omitted})
    for finding in error.diagnostics if not as_json else ():
        print_diagnostic(finding)
    more = f", {error.omitted} of them not shown" if error.omitted else ""
    count = len(error.diagnostics) + error.omitted
    if error.reason == "POLICY_TESTS_FAILED":
        failed = f"{count} assertions of the policy's tests fail" if count > 1 else "a test fails"
        fail(f"{failed}{more}; --skip-tests publishes it all the same", EXIT_FINDINGS)
    errors = f"{count} errors" if count > 1 else "an error"
    fail(f"the policy has {errors}{more}", EXIT_POLICY)


def _fail_for_orphans(error: authz.FactsOrphaned, *, as_json: bool) -> NoReturn:
    if as_json:
        print_json({"orphaned": list(error.facts), "count": error.count})
    for fact in error.facts if not as_json else ():
        stderr.print(fact, markup=False, highlight=False)
    hidden = error.count - len(error.facts)
    facts = f"{error.count} stored facts" if error.count > 1 else "a stored fact"
    more = f", {hidden} of them not shown" if hidden else ""
    cure = f"delete them, or publish it with --force ({error.reason})"
    fail(f"{facts} would be of no use to the policy{more}; {cure}", EXIT_USAGE)


def _sentence(error: authz.AuthzError) -> str:
    if error.reason:
        return f"{error.message} ({error.reason})"
    # What gRPC says by itself has no reason: nobody answered there.
    return error.message + (_CURE_OF_SILENCE if isinstance(error, authz.Unavailable) else "")
