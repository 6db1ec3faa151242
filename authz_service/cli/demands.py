"""The options by which a command demands a state to be answered by."""

from collections.abc import Sequence
from datetime import datetime
from typing import Annotated

import authz
import typer

from authz_service.cli import output
from authz_service.cli.fact_text import moment_of

Fresh = Annotated[
    list[str] | None,
    typer.Option(
        "--fresh",
        metavar="TOKEN",
        help="Answer by a state that has everything in it that this token covers. Repeatable.",
    ),
]
Fully = Annotated[
    bool,
    typer.Option("--fully-consistent", help="Answer by a state that has everything in it."),
]
At = Annotated[
    str | None,
    typer.Option(metavar="MOMENT", help="Answer as of a consistency token, or of a past time."),
]


def demand_of(
    fresh: Sequence[str] | None, at: str | None, *, fully: bool
) -> authz.Consistency | None:
    """Return what the options demand. More than one of them ends the command."""
    demands: list[authz.Consistency] = []
    if fresh:
        demands.append(authz.AtLeastAsFresh(*fresh))
    if fully:
        demands.append(authz.FullyConsistent())
    match moment_of(at):
        case datetime() as time:
            demands.append(authz.AsOf(time))
        case str() as token:
            demands.append(authz.Exactly(token))
        case None:
            pass
    if len(demands) > 1:
        message = "give one of --fresh, --fully-consistent and --at"
        output.fail(message, output.EXIT_USAGE)
    return demands[0] if demands else None
