"""`authz query`: which values make conditions hold."""

import re
from collections.abc import Iterable, Sequence
from typing import Annotated

import authz
import typer

from authz_service.cli import output
from authz_service.cli.demands import At, Fresh, Fully, demand_of
from authz_service.cli.fact_text import value_json


def query(  # noqa: PLR0913 - one parameter for each argument and option
    conditions: Annotated[
        list[str],
        typer.Argument(
            metavar="CONDITION",
            help="What is to hold, as in 'has_role(User:alice, ?role, Document:?doc)'.",
        ),
    ],
    *,
    columns: Annotated[
        str | None,
        typer.Option(
            metavar="NAMES", help="The variables to print, as in role,doc; all of them without it."
        ),
    ] = None,
    context: Annotated[
        list[str] | None,
        typer.Option(
            "--context", "-c", metavar="FACT", help="A fact that holds for this query only."
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
    """Print the values for which each CONDITION holds.

    A variable is ?doc, one of a type Document:?doc, and _ is any value. Several conditions, or parts with
    `and` between them, share their variables. '?role in ["owner", "member"]' leaves a variable these values.
    Where any value will do, Document:_ stands in its column; as JSON, {"any_of_type": "Document"}.

    Exit code 0 says that there are rows, 1 that there are none; any other one means that there is no answer.

    Example: authz query 'has_role(?who, "owner", Customer:?customer)'
    """
    wanted = (
        None
        if columns is None
        else [name for name in re.split(r"[\s,]+\??", f",{columns}") if name]
    )
    demand = demand_of(fresh, at, fully=fully)
    count = 0
    with output.asking(target, store, timeout) as client:
        rows = client.query(
            *conditions, columns=wanted, context_facts=context or (), consistency=demand
        )
        if as_json:
            for row in rows:
                count += 1
                output.print_json({name: _cell_json(cell) for name, cell in row.items()})
        else:
            found = list(rows)
            count = len(found)
            _print_table(rows.origin.columns, found)
    raise typer.Exit(0 if count else output.EXIT_NO_ROWS)


def _print_table(columns: Sequence[str], rows: Iterable[authz.Row]) -> None:
    """Print the rows in the order of their text, below the names of the columns if there are any."""
    lines = sorted([_text(row[name]) for name in columns] for row in rows)
    if not columns:
        output.stdout.print("holds" if lines else "does not hold", highlight=False)
        return
    shown = [[f"?{name}" for name in columns], *lines]
    widths = [max(map(len, cells)) for cells in zip(*shown, strict=True)]
    for line in shown:
        padded = (cell.ljust(width) for cell, width in zip(line, widths, strict=True))
        output.stdout.print("  ".join(padded).rstrip(), highlight=False, markup=False)


def _text(cell: authz.Value | authz.AnyOf) -> str:
    return str(authz.FactPattern("p", cell))[len("p(") : -len(")")]


def _cell_json(cell: authz.Value | authz.AnyOf) -> object:
    if isinstance(cell, authz.AnyOf):
        return {"any_of_type": cell.type}
    return value_json(cell)
