"""`authz serve` and `authz config`: run the service, and say how it is configured."""

import json
from pathlib import Path
from typing import Annotated, Any

import typer
from pydantic import ValidationError

from authz_service.cli import output
from authz_service.engine.engines import Engine
from authz_service.pap.policy_files import STANDARD_INPUT
from authz_service.polar.diagnostic import did_you_mean
from authz_service.settings import Settings


def serve(  # noqa: PLR0913 - each is an option
    *,
    listen: Annotated[
        str | None, typer.Option(metavar="HOST:PORT", help="Where to serve gRPC.")
    ] = None,
    metrics_listen: Annotated[
        str | None, typer.Option(metavar="HOST:PORT", help="Where to serve metrics for Prometheus.")
    ] = None,
    database_url: Annotated[
        str | None,
        typer.Option(
            metavar="URL", help="Where facts and policies are kept, as in sqlite:///authz.db."
        ),
    ] = None,
    read_database_url: Annotated[
        list[str] | None,
        typer.Option(
            metavar="URL",
            help="A standby of the PostgreSQL database to read copies from. Repeatable.",
        ),
    ] = None,
    workers: Annotated[
        int | None, typer.Option(metavar="N", help="Processes that serve, all on the one port.")
    ] = None,
    policy: Annotated[
        list[Path] | None,
        typer.Option(
            metavar="PATH",
            help="A file or folder whose policy is published at the start. Repeatable.",
        ),
    ] = None,
    watch: Annotated[
        bool | None,
        typer.Option("--watch", help="Publish the policy again whenever its files change."),
    ] = None,
    engine: Annotated[Engine | None, typer.Option(help="Which engine decides.")] = None,
) -> None:
    """Run the service until SIGTERM or Ctrl-C.

    With --policy and --watch, for working on a policy: a file with errors, or with tests that fail,
    leaves the last good policy active.

    What is not given here comes from the environment (AUTHZ_LISTEN and so on) or `authz.toml`;
    `authz config` prints these and all other settings.

    Exit code 0: stopped by a signal. 1: tests of --policy fail. 2: wrong usage or settings. 3: a policy does
    not compile. 4: the database or an address cannot be used. 70: it cannot follow the database: restart it.

    Example: authz serve --policy policies/security_company --watch
    """
    chosen = settings(
        listen=listen,
        metrics_listen=metrics_listen,
        database_url=database_url,
        read_database_urls=read_database_url or None,
        workers=workers,
        policy=policy or None,
        watch=watch,
        engine=engine,
    )
    if chosen.watch and not chosen.policy:
        output.fail("there is nothing to watch; give the policy with --policy", output.EXIT_USAGE)
    if chosen.watch and STANDARD_INPUT in chosen.policy:
        output.fail("standard input cannot be watched; give a file or a folder", output.EXIT_USAGE)
    # The other commands start faster without the server and all that it needs.
    from authz_service.cli.run_server import run_server  # noqa: PLC0415

    run_server(chosen)


def config(*, as_json: output.Json = False) -> None:
    """Print all settings of `authz serve`, without passwords.

    Example: authz config --json
    """
    values = settings().redacted()
    if as_json:
        output.print_json(values)
        return
    for name, field in Settings.model_fields.items():
        shown = json.dumps(values[name]).strip('"')
        output.stdout.print(f"{name} = {shown}", style="bold", highlight=False, markup=False)
        meaning = f"    AUTHZ_{name.upper()}: {field.description}"
        output.stdout.print(meaning, highlight=False, markup=False)


def settings(**given: Any) -> Settings:  # noqa: ANN401 - pydantic checks the values
    """Return the settings, with what is given; ends the command if they are wrong."""
    try:
        chosen = Settings(**{name: value for name, value in given.items() if value is not None})
    except (ValidationError, ValueError) as error:
        output.fail(_explained(error), output.EXIT_USAGE)
    if misspelled := chosen.misspelled():
        output.fail(
            "; ".join(
                f"the variable {variable} of the environment sets nothing; did you mean {known}?"
                for variable, known in misspelled.items()
            ),
            output.EXIT_USAGE,
        )
    return chosen


def _explained(error: ValueError) -> str:
    """Say which settings are wrong, without their values: one of them might be a secret."""
    if not isinstance(error, ValidationError):
        return f"authz.toml cannot be read: {error}"
    return "; ".join(
        _problem(one["type"], str(one["loc"][0]), one["msg"]) for one in error.errors()
    )


def _problem(kind: str, name: str, message: str) -> str:
    if kind == "extra_forbidden":
        known = did_you_mean(name, Settings.model_fields)
        return f"authz.toml: there is no setting `{name}`; {known}"
    problem = message.removeprefix("Value error, ").replace("Input should be", "it should be")
    return f"the setting `{name}` (AUTHZ_{name.upper()}) is wrong: {problem}"
