"""`authz database`: what is done to a database itself, without a service."""

from pathlib import Path
from typing import Annotated

import typer

from authz_service.cli import output
from authz_service.cli.serve import settings

_SQLITE = "sqlite:///"

app = typer.Typer(help="Take care of the database itself.", no_args_is_help=True)


@app.callback()
def database() -> None:
    """Keeps `begin-life` a command of its own, though it is the only one."""


@app.command("begin-life")
def begin_life(
    *,
    database_url: Annotated[
        str | None,
        typer.Option(
            metavar="URL", help="The database; by default the one that `authz serve` uses."
        ),
    ] = None,
    as_json: output.Json = False,
) -> None:
    """Run this after a backup was put back, or a standby took over, before anything is written.

    What was written after the backup is gone, and its revisions are going to be given out again. From now on
    all consistency tokens of before are refused (REVISION_UNKNOWN), so that none is taken for another
    state, and services that run on the database load everything anew.

    Example: authz database begin-life --database-url sqlite:///authz.db
    """
    url = settings(database_url=database_url).database_url
    file = Path(url.removeprefix(_SQLITE).partition("?")[0])
    if url.startswith(_SQLITE) and not file.exists():
        output.fail(f"there is no database {file}", output.EXIT_USAGE)
    # The other commands start faster without the database and all that it needs.
    from authz_service.errors import AuthzError  # noqa: PLC0415
    from authz_service.store.fact_store import FactStore  # noqa: PLC0415

    try:
        store = FactStore.open(url)
        try:
            revision = store.head().revision
            if not revision:
                output.fail("the database is empty; give the restored one", output.EXIT_USAGE)
            life = store.begin_life()
        finally:
            store.close()
    except AuthzError as error:
        output.fail(error.message, output.EXIT_UNANSWERED)
    if as_json:
        output.print_json({"incarnation": life, "revision": revision})
    else:
        message = f"a new life begins after revision {revision}; tokens of before are refused"
        output.stdout.print(message, highlight=False)
