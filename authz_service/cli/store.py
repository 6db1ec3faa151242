"""`authz store`: make, list and delete stores."""

import sys
from typing import Annotated

import typer

from authz_service.cli import output

app = typer.Typer(
    help="Make, list and delete stores, each with its policy and facts.",
    no_args_is_help=True,
)

Name = Annotated[str, typer.Argument(metavar="NAME", help="The name of the store.")]


@app.command()
def create(
    name: Name,
    *,
    target: output.Target = output.DEFAULT_TARGET,
    timeout: output.Timeout = output.DEFAULT_TIMEOUT,
    as_json: output.Json = False,
) -> None:
    """Make an empty store. It needs a policy of its own: `authz policy publish --store NAME`.

    Example: authz store create acme
    """
    with output.asking(target, output.DEFAULT_STORE, timeout) as client:
        token = client.create_store(name)
    _print_done(name, "created", token, as_json=as_json)


@app.command("list")
def list_stores(
    *,
    target: output.Target = output.DEFAULT_TARGET,
    timeout: output.Timeout = output.DEFAULT_TIMEOUT,
    as_json: output.Json = False,
) -> None:
    """Print the names of all stores, one in a line.

    Example: authz store list
    """
    with output.asking(target, output.DEFAULT_STORE, timeout) as client:
        names = client.list_stores()
    if as_json:
        output.print_json({"stores": names})
        return
    for name in names:
        output.stdout.print(name, markup=False, highlight=False)


@app.command()
def delete(
    name: Name,
    *,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask whether it is meant.")] = False,
    target: output.Target = output.DEFAULT_TARGET,
    timeout: output.Timeout = output.DEFAULT_TIMEOUT,
    as_json: output.Json = False,
) -> None:
    """Delete a store with its policies and all its facts, for good.

    Example: authz store delete acme --yes
    """
    if not yes:
        if not sys.stdin.isatty():
            output.fail("nobody can be asked here; --yes deletes the store", output.EXIT_USAGE)
        typer.confirm(f"Delete the store {name} with all that is in it?", abort=True, err=True)
    with output.asking(target, output.DEFAULT_STORE, timeout) as client:
        token = client.delete_store(name)
    _print_done(name, "deleted", token, as_json=as_json)


def _print_done(name: str, done: str, token: str, *, as_json: bool) -> None:
    if as_json:
        output.print_json({"store": name, "outcome": done, "consistency_token": token})
    else:
        output.stdout.print(f"store {name} {done}", markup=False, highlight=False)
