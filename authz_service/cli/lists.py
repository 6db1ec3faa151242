"""`authz list`: on what, who, and what: all that check would permit."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Annotated, Any

import authz
import typer

from authz_service.cli import output
from authz_service.cli.demands import At, Fresh, Fully, demand_of

app = typer.Typer(
    help="List what `authz check` would permit: on what, who, what.",
    no_args_is_help=True,
)

Actor = Annotated[str, typer.Argument(metavar="ACTOR", help="Who wants to act, as in User:alice.")]
Action = Annotated[str, typer.Argument(metavar="ACTION", help="What the actor wants to do.")]
Resource = Annotated[
    str, typer.Argument(metavar="RESOURCE", help="What to act on, as in Document:plan.")
]
Context = Annotated[
    list[str] | None,
    typer.Option("--context", "-c", metavar="FACT", help="A fact that holds for this list only."),
]
PageSize = Annotated[
    int | None,
    typer.Option(min=1, metavar="N", help="Print so many at most, and how to get the others."),
]
PageToken = Annotated[
    str | None,
    typer.Option(metavar="TOKEN", help="Go on behind a page: of the same state, and at its time."),
]


@app.command()
def resources(  # noqa: PLR0913 - one parameter for each argument and option
    actor: Actor,
    action: Action,
    resource_type: Annotated[
        str, typer.Argument(metavar="TYPE", help="The type of the resources, as in Document.")
    ],
    *,
    context: Context = None,
    fresh: Fresh = None,
    fully: Fully = False,
    at: At = None,
    page_size: PageSize = None,
    page_token: PageToken = None,
    target: output.Target = output.DEFAULT_TARGET,
    store: output.Store = output.DEFAULT_STORE,
    timeout: output.Timeout = output.DEFAULT_TIMEOUT,
    as_json: output.Json = False,
) -> None:
    """Print the resources on which ACTOR may perform ACTION.

    They are all those of TYPE, one in a line. If it is permitted on any, whether known or not, the first line
    says so, and the others are the exceptions, with a - before each. Exit code 0 is a whole list, also an empty
    one. A list is never cut short: what goes wrong is an error.

    Example: authz list resources Employee:alice disarm SecuritySystem

    Example: authz list resources Employee:alice view SecuritySystem --page-size 20
    """
    demand = demand_of(fresh, at, fully=fully)
    _check_token(page_token, demand)
    with output.asking(target, store, timeout) as client:
        page = client.list_resources_page(
            actor,
            action,
            resource_type,
            page_size=page_size or 0,
            page_token=page_token or "",
            context_facts=context or (),
            consistency=demand,
        )
    _print(page, resource_type, "resources", as_json=as_json)


@app.command()
def actors(  # noqa: PLR0913 - one parameter for each argument and option
    actor_type: Annotated[
        str, typer.Argument(metavar="TYPE", help="The type of the actors, as in User.")
    ],
    action: Action,
    resource: Resource,
    *,
    context: Context = None,
    fresh: Fresh = None,
    fully: Fully = False,
    at: At = None,
    page_size: PageSize = None,
    page_token: PageToken = None,
    target: output.Target = output.DEFAULT_TARGET,
    store: output.Store = output.DEFAULT_STORE,
    timeout: output.Timeout = output.DEFAULT_TIMEOUT,
    as_json: output.Json = False,
) -> None:
    """Print the actors that may perform ACTION on RESOURCE.

    They are all those of TYPE, one in a line. If any may, whether known or not, the first line says so, and the
    others are the exceptions, with a - before each. Exit code 0 is a whole list, also an empty one.

    Example: authz list actors Employee disarm SecuritySystem:s1
    """
    demand = demand_of(fresh, at, fully=fully)
    _check_token(page_token, demand)
    with output.asking(target, store, timeout) as client:
        page = client.list_actors_page(
            actor_type,
            action,
            resource,
            page_size=page_size or 0,
            page_token=page_token or "",
            context_facts=context or (),
            consistency=demand,
        )
    _print(page, actor_type, "actors", as_json=as_json)


@app.command()
def actions(  # noqa: PLR0913 - one parameter for each argument and option
    actor: Actor,
    resource: Resource,
    *,
    context: Context = None,
    fresh: Fresh = None,
    fully: Fully = False,
    at: At = None,
    target: output.Target = output.DEFAULT_TARGET,
    store: output.Store = output.DEFAULT_STORE,
    timeout: output.Timeout = output.DEFAULT_TIMEOUT,
    as_json: output.Json = False,
) -> None:
    """Print the actions that ACTOR may perform on RESOURCE.

    One in a line; exit code 0 is a whole list, also an empty one.

    Example: authz list actions Employee:alice SecuritySystem:s1
    """
    demand = demand_of(fresh, at, fully=fully)
    with output.asking(target, store, timeout) as client:
        found = client.list_actions(
            actor, resource, context_facts=context or (), consistency=demand
        )
    listed = found.exceptions if found.is_any_except else found.actions
    if as_json:
        output.print_json(_json(found.origin, listed, "actions"))
    else:
        _print_lines(found.origin, listed, "action")


def _check_token(page_token: str | None, demand: authz.Consistency | None) -> None:
    """End the command if the token names no page, or if it names a state and `demand` another."""
    if page_token == "":
        output.fail("--page-token is empty; leave it out for the first page", output.EXIT_USAGE)
    if page_token is not None and demand is not None:
        message = "--page-token names the state; leave --fresh, --fully-consistent and --at out"
        output.fail(message, output.EXIT_USAGE)


def _print(page: authz.EntityPage, type_name: str, name: str, *, as_json: bool) -> None:
    listed = list(map(str, page.exceptions if page.origin.is_any_except else page.entities))
    token = page.next_page_token
    if as_json:
        output.print_json({**_json(page.origin, listed, name), "next_page_token": token})
        return
    _print_lines(page.origin, listed, type_name)
    if token is not None:
        output.stderr.print(f"there are more: --page-token {token}", markup=False, highlight=False)


def _json(origin: authz.ListOrigin, listed: Sequence[str], name: str) -> Mapping[str, Any]:
    """Return a list as JSON. Exceptions have a name of their own; then there are no results."""
    return {
        "form": "any_except" if origin.is_any_except else "only",
        (f"excepted_{name}" if origin.is_any_except else name): list(listed),
        "size": origin.size,
        "policy_version": origin.policy_version,
        "evaluated_at": origin.evaluated_at.isoformat(),
        "consistency_token": origin.consistency_token,
    }


def _print_lines(origin: authz.ListOrigin, listed: Iterable[str], what: str) -> None:
    if origin.is_any_except:
        output.stdout.print(f"any {what}" + (", except" if origin.size else ""), highlight=False)
    elif not origin.size:
        output.stderr.print(f"no {what}", highlight=False)
    before = "- " if origin.is_any_except else ""
    for one in listed:
        output.stdout.print(f"{before}{one}", markup=False, highlight=False)
