"""`authz explain`: why a question is permitted, or what it would take."""

from typing import Annotated

import authz
import typer
from rich.text import Text

from authz_service.cli import output
from authz_service.cli.demands import At, Fresh, Fully, demand_of

_COLOURS = {
    authz.Outcome.HOLDS: "green",
    authz.Outcome.FAILS: "red",
    authz.Outcome.OPEN: "yellow",
}


def explain(  # noqa: PLR0913 - one parameter for each argument and option
    actor: Annotated[
        str, typer.Argument(metavar="ACTOR", help="Who wants to act, as in User:alice.")
    ],
    action: Annotated[str, typer.Argument(metavar="ACTION", help="What the actor wants to do.")],
    resource: Annotated[
        str, typer.Argument(metavar="RESOURCE", help="What to act on, as in Document:plan.")
    ],
    *,
    context: Annotated[
        list[str] | None,
        typer.Option(
            "--context", "-c", metavar="FACT", help="A fact that holds for this question only."
        ),
    ] = None,
    proofs: Annotated[
        int, typer.Option(metavar="N", min=1, max=20, help="How many proofs to show of a PERMIT.")
    ] = 1,
    changes: Annotated[
        int,
        typer.Option(metavar="N", min=1, max=50, help="How many ways to show to change a DENY."),
    ] = 3,
    fresh: Fresh = None,
    fully: Fully = False,
    at: At = None,
    target: output.Target = output.DEFAULT_TARGET,
    store: output.Store = output.DEFAULT_STORE,
    timeout: output.Timeout = 30.0,
    as_json: output.Json = False,
) -> None:
    """Tell why a question is permitted, or what that would take.

    Of a PERMIT the proof: the rules with their places, and the facts with where they came from. Of a DENY how
    near each rule came, and the smallest changes of facts that would permit it.

    Exit code 0 is PERMIT, 1 is DENY; any other one means that there is no answer.

    Example: authz explain Employee:bob disarm SecuritySystem:s1
    """
    consistency = demand_of(fresh, at, fully=fully)
    with output.asking(target, store, timeout) as client:
        explanation = client.explain(
            actor,
            action,
            resource,
            context_facts=context or (),
            consistency=consistency,
            proofs=proofs,
            change_sets=changes,
        )
    if as_json:
        output.print_json(explanation.to_json())
    else:
        for line in explanation.lines():
            output.stdout.print(_coloured(line))
    raise typer.Exit(0 if explanation.permitted else output.EXIT_DENY)


def _coloured(line: authz.Line) -> Text:
    text = Text(line.branches, style="dim")
    colour = _COLOURS[line.outcome] if line.outcome else ""
    if line.outcome:
        text.append(f"{authz.MARKS[line.outcome]} ", style=f"bold {colour}")
    text.append(line.text, style=colour)
    if line.source:
        text.append(f"  [{line.source}]", style="cyan")
    return text
