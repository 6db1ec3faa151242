"""`authz serve` and `authz config`: run the service, and say how it is configured."""

import asyncio
import json
from typing import Annotated, Any

import typer
from pydantic import ValidationError
from rich.box import SIMPLE
from rich.table import Table

from authz_service.cli import output
from authz_service.engine.engines import Engine
from authz_service.errors import AuthzError
from authz_service.polar.diagnostic import PolicyInvalid
from authz_service.server.app import ListenFailed
from authz_service.server.app import serve as run_server
from authz_service.server.log import log_to_stderr
from authz_service.settings import Settings


def serve(
    *,
    listen: Annotated[str | None, typer.Option(help="Address and port of the gRPC server.")] = None,
    metrics_listen: Annotated[
        str | None, typer.Option(help="Address and port of the Prometheus metrics.")
    ] = None,
    database_url: Annotated[
        str | None, typer.Option(help="Where facts and policies are kept.")
    ] = None,
    engine: Annotated[Engine | None, typer.Option(help="Which engine decides.")] = None,
) -> None:
    """Run the service until SIGTERM or Ctrl-C.

    What is not given here comes from the environment (AUTHZ_LISTEN and so on) or `authz.toml`;
    `authz config` shows all settings and where they stand.
    """
    settings = _settings(
        listen=listen, metrics_listen=metrics_listen, database_url=database_url, engine=engine
    )
    log_to_stderr(settings.log_level)
    try:
        asyncio.run(run_server(settings))
    except PolicyInvalid as error:
        output.fail(f"the stored policy does not compile; {error.message}", output.EXIT_POLICY)
    except AuthzError as error:
        output.fail(error.message, output.EXIT_UNANSWERED)
    except ListenFailed as error:
        output.fail(str(error), output.EXIT_UNANSWERED)


def config(*, as_json: output.Json = False) -> None:
    """Print the settings that `authz serve` would use, without passwords."""
    values = _settings().redacted()
    if as_json:
        output.print_json(values)
        return
    table = Table(box=SIMPLE)
    for column in ("setting", "value", "environment variable", "meaning"):
        table.add_column(column, no_wrap=column != "meaning")
    for name, field in Settings.model_fields.items():
        shown = json.dumps(values[name]).strip('"')
        table.add_row(name, shown, f"AUTHZ_{name.upper()}", field.description)
    output.stdout.print(table)


def _settings(**given: Any) -> Settings:  # noqa: ANN401 - pydantic checks the values
    try:
        return Settings(**{name: value for name, value in given.items() if value is not None})
    except (ValidationError, ValueError) as error:
        output.fail(_explained(error), output.EXIT_USAGE)


def _explained(error: ValueError) -> str:
    """Say which settings are wrong, without their values: one of them might be a secret."""
    if not isinstance(error, ValidationError):
        return f"authz.toml cannot be read: {error}"
    problems = (f"{'.'.join(map(str, e['loc']))}: {e['msg']}" for e in error.errors())
    return "wrong settings: " + "; ".join(problems)
