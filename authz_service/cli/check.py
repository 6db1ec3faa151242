"""`authz check`: ask one question."""

from typing import Annotated

import typer

from authz_service.cli import output
from authz_service.cli.demands import At, Fresh, Fully, demand_of


def check(  # noqa: PLR0913 - one parameter for each argument and option
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
    fresh: Fresh = None,
    fully: Fully = False,
    at: At = None,
    target: output.Target = output.DEFAULT_TARGET,
    store: output.Store = output.DEFAULT_STORE,
    timeout: output.Timeout = output.DEFAULT_TIMEOUT,
    as_json: output.Json = False,
) -> None:
    """Ask whether ACTOR may perform ACTION on RESOURCE.

    Exit code 0 is PERMIT, 1 is DENY; any other one means that there is no answer.

    Example: authz check Employee:alice disarm SecuritySystem:s1
    """
    demand = demand_of(fresh, at, fully=fully)
    with output.asking(target, store, timeout) as client:
        decision = client.authorize(
            actor, action, resource, context_facts=context or (), consistency=demand
        )
    answer = "PERMIT" if decision.permitted else "DENY"
    if as_json:
        output.print_json(
            {
                "decision": answer,
                "decision_id": decision.id,
                "policy_version": decision.policy_version,
                "evaluated_at": decision.evaluated_at.isoformat(),
                "consistency_token": decision.consistency_token,
            }
        )
    else:
        colour = "green" if decision.permitted else "red"
        output.stdout.print(f"[bold {colour}]{answer}[/]")
    raise typer.Exit(0 if decision.permitted else output.EXIT_DENY)
