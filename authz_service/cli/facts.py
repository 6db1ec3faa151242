"""`authz facts`: write and read facts."""

import sys
from pathlib import Path
from typing import Annotated

import authz
import typer
from rich.progress import track

from authz_service.cli import output
from authz_service.cli.findings import counted

app = typer.Typer(help="Write and read facts.", no_args_is_help=True)

# The service takes at most 1000 writes in one request.
_CHUNK = 1000


@app.command()
def write(  # noqa: PLR0913 - one parameter for each argument and option
    facts: Annotated[
        list[str] | None,
        typer.Argument(help="""Facts to store, as in 'has_role(User:alice, "owner", Org:acme)'."""),
    ] = None,
    *,
    file: Annotated[
        Path | None,
        typer.Option(help="Read the facts from a file, one in a line; - is standard input."),
    ] = None,
    delete: Annotated[bool, typer.Option("--delete", help="Delete the facts instead.")] = False,
    target: output.Target = output.DEFAULT_TARGET,
    store: output.Store = output.DEFAULT_STORE,
    timeout: output.Timeout = output.DEFAULT_TIMEOUT,
    as_json: output.Json = False,
) -> None:
    """Store facts, given as arguments or in a file. Up to 1000 are written all or none.

    Example: authz facts write --file policies/security_company/facts.txt
    """
    counts = dict.fromkeys(("created", "existed", "deleted", "missing"), 0)
    token = ""
    with output.asking(target, store, timeout) as client:
        wanted = [authz.Fact.parse(text) for text in facts or ()] + _from_file(file)
        if not wanted:
            output.fail(
                "there are no facts; give some as arguments or with --file", output.EXIT_USAGE
            )
        chunks = [wanted[i : i + _CHUNK] for i in range(0, len(wanted), _CHUNK)]
        is_shown = len(chunks) > 1 and not as_json
        for chunk in track(chunks, "writing", console=output.stderr, disable=not is_shown):
            inserts, deletes = ([], chunk) if delete else (chunk, [])
            result = client.write_facts(insert=inserts, delete=deletes)
            token = result.consistency_token
            for outcome in result.outcomes:
                counts[outcome.value] += 1
    if as_json:
        output.print_json({**counts, "consistency_token": token})
    else:
        shown = ", ".join(f"{number} {outcome}" for outcome, number in counts.items() if number)
        output.stdout.print(f"{counted(len(wanted), 'fact')}: {shown}", highlight=False)


@app.command()
def read(
    pattern: Annotated[
        str | None,
        typer.Argument(help="Which facts, as in 'has_role(User:alice, _, Org:_)' or has_role."),
    ] = None,
    *,
    limit: Annotated[int, typer.Option(min=1, help="How many facts to print at most.")] = 1000,
    target: output.Target = output.DEFAULT_TARGET,
    store: output.Store = output.DEFAULT_STORE,
    timeout: output.Timeout = output.DEFAULT_TIMEOUT,
    as_json: output.Json = False,
) -> None:
    """Print stored facts, one in a line, in the form that `authz facts write --file` reads.

    Says on standard error if there are more than --limit.
    """
    with output.asking(target, store, timeout) as client:
        wanted = authz.FactPattern.parse(pattern) if pattern else None
        for number, fact in enumerate(client.read_facts(wanted)):
            if number == limit:
                output.stderr.print(f"there are more than {limit} facts; raise --limit")
                break
            if as_json:
                args = [_json_value(arg) for arg in fact.args]
                output.print_json({"predicate": fact.predicate, "args": args})
            else:
                output.stdout.print(str(fact), markup=False, highlight=False)


def _from_file(file: Path | None) -> list[authz.Fact]:
    if file is None:
        return []
    try:
        text = sys.stdin.read() if str(file) == "-" else file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        output.fail(f"cannot read {file}: {error}", output.EXIT_USAGE)
    return list(authz.parse_facts(text))


def _json_value(value: object) -> object:
    if isinstance(value, authz.Entity):
        return {"type": value.type, "id": value.id}
    return value
