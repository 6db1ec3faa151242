"""The command `authz` and its subcommands."""

import errno
import io
import os
import sys
from pathlib import Path
from typing import Annotated, NoReturn

import typer

from authz_service import __version__
from authz_service.cli import (
    check,
    database,
    explain,
    facts,
    lists,
    output,
    policy,
    query,
    serve,
    store,
)

_STDOUT = 1

app = typer.Typer(
    help="Authorization as a service: Polar policies over facts, PERMIT or DENY.",
    epilog="Exit codes: 0 done or PERMIT, 1 DENY, no rows, warnings or failed tests, 2 wrong usage or refused "
    "request, 3 the policy does not compile, 4 the service could not answer.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    # Without its frames a help text keeps its paragraphs, and an example can be copied.
    rich_markup_mode=None,
    context_settings={"max_content_width": 120},
)
app.command()(serve.serve)
app.command()(serve.config)
app.command()(check.check)
app.add_typer(lists.app, name="list")
app.command()(query.query)
app.command()(explain.explain)
app.add_typer(policy.app, name="policy")
app.add_typer(facts.app, name="facts")
app.add_typer(store.app, name="store")
app.add_typer(database.app, name="database")


def _print_version(wanted: bool) -> None:  # noqa: FBT001 - typer's callback signature
    if wanted:
        output.stdout.print(__version__, highlight=False)
        raise typer.Exit


@app.callback()
def root(
    *,
    version: Annotated[
        bool,
        typer.Option(
            "--version", callback=_print_version, is_eager=True, help="Print the version."
        ),
    ] = False,
) -> None:
    """Nothing of its own; the options here are eager."""
    del version


def main() -> None:
    # None if who started the command has closed it, and wants the exit code alone.
    sys.stdout = sys.stdout or Path(os.devnull).open("w", encoding="utf-8")  # noqa: SIM115 - to the end
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            # A character that the terminal cannot show is no reason to fail.
            stream.reconfigure(errors="backslashreplace")
    written_to = sys.stdout
    try:
        try:
            app()
        finally:
            written_to.flush()
    except SystemExit:
        # Replaced by what ends with 1 when nobody reads on. That is no DENY.
        if sys.stdout is not written_to:
            sys.exit(output.EXIT_UNANSWERED)
        raise
    except OSError as error:
        if error.filename is not None:  # not of what was printed
            raise
        _end_unwritten(error)


def _end_unwritten(error: OSError) -> NoReturn:
    """End the command, whose answer did not get out: with a message, or silently if nobody reads on."""
    # What is still in the buffer would fail again at the end of the process, with a code of its own.
    os.dup2(os.open(os.devnull, os.O_WRONLY), _STDOUT)
    if error.errno != errno.EPIPE:
        output.print_error(f"the output cannot be written: {error.strerror}")
    sys.exit(output.EXIT_UNANSWERED)
