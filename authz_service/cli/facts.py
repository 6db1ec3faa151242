"""`authz facts`: write, read, import, export and follow facts."""

from datetime import datetime
from pathlib import Path
from typing import Annotated

import authz
import typer
from rich.progress import track

from authz_service.cli import fact_streams, output
from authz_service.cli.fact_streams import At, Pattern
from authz_service.cli.fact_text import fact_json, fact_line, facts_in, moment_of, time_of
from authz_service.cli.findings import counted

app = typer.Typer(help="Write, read, import, export and follow facts.", no_args_is_help=True)

# The service takes at most 1000 writes in one request.
_CHUNK = 1000


@app.command()
def write(  # noqa: PLR0913 - one parameter for each argument and option
    facts: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="FACT",
            help="""Facts to store, as in 'has_role(User:alice, "owner", Org:acme)'.""",
        ),
    ] = None,
    *,
    file: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE", help="Read facts from a file, as export writes; - is standard input."
        ),
    ] = None,
    delete: Annotated[bool, typer.Option("--delete", help="Delete the facts instead.")] = False,
    expires: Annotated[
        str | None,
        typer.Option(metavar="TIME", help="The facts count until then: 15m, 8h, 30d, or a time."),
    ] = None,
    delete_matching: Annotated[
        list[str] | None,
        typer.Option(metavar="PATTERN", help="First delete all facts that match. Repeatable."),
    ] = None,
    replace: Annotated[
        str | None,
        typer.Option(metavar="PATTERN", help="Make the facts all those that match, delete others."),
    ] = None,
    if_exists: Annotated[
        list[str] | None,
        typer.Option(metavar="PATTERN", help="Write only if some fact matches. Repeatable."),
    ] = None,
    if_not_exists: Annotated[
        list[str] | None,
        typer.Option(metavar="PATTERN", help="Write only if no fact matches. Repeatable."),
    ] = None,
    key: Annotated[
        str | None,
        typer.Option(
            metavar="KEY", help="The same command with the same key, again, has no second effect."
        ),
    ] = None,
    target: output.Target = output.DEFAULT_TARGET,
    store: output.Store = output.DEFAULT_STORE,
    timeout: output.Timeout = output.DEFAULT_TIMEOUT,
    as_json: output.Json = False,
) -> None:
    """Store facts, given as arguments or in a file. Up to 1000 are written all or none.

    Exit code 2 with PRECONDITION_FAILED means that a condition does not hold and nothing was written.

    Example: authz facts write 'has_role(User:ann, "on_call", Org:acme)' --expires 8h

    Example: authz facts write --replace 'has_role(User:ann, _, Org:a)' 'has_role(User:ann, "owner", Org:a)'
    """
    at = None if expires is None else time_of(expires)
    if key == "":
        output.fail("--key is empty; leave it out to write without a key", output.EXIT_USAGE)
    with output.asking(target, store, timeout) as client:
        wanted = [authz.StoredFact(fact, at) for fact in facts or ()]
        wanted += [_expiring(stored, at) for stored in (facts_in(file) if file else ())]
        _refuse_nonsense(wanted, delete_matching, replace, delete=delete, expires=expires)
        has_conditions = bool(delete_matching or replace or if_exists or if_not_exists or key)
        if has_conditions and len(wanted) > _CHUNK:
            message = f"at most {_CHUNK} facts can be written with conditions, patterns or a key"
            output.fail(message, output.EXIT_USAGE)
        chunks = [wanted[i : i + _CHUNK] for i in range(0, len(wanted), _CHUNK)] or [[]]
        is_hidden = len(chunks) == 1 or as_json or not output.stderr.is_terminal
        results = [
            client.write_facts(
                insert=[] if delete or replace else chunk,
                delete=[stored.fact for stored in chunk] if delete else [],
                delete_matching=delete_matching or (),
                replace={replace: chunk} if replace else {},
                if_exists=if_exists or (),
                if_not_exists=if_not_exists or (),
                idempotency_key=key,
            )
            for chunk in track(chunks, "writing", console=output.stderr, disable=is_hidden)
        ]
    _print_results(results, len(wanted), by_pattern=delete_matching or replace, as_json=as_json)


@app.command("delete-entity")
def delete_entity(
    entity: Annotated[
        str, typer.Argument(metavar="ENTITY", help="What to forget, as in User:alice.")
    ],
    *,
    target: output.Target = output.DEFAULT_TARGET,
    store: output.Store = output.DEFAULT_STORE,
    timeout: output.Timeout = output.DEFAULT_TIMEOUT,
    as_json: output.Json = False,
) -> None:
    """Delete all facts about an entity, wherever it stands in them.

    Example: authz facts delete-entity User:alice
    """
    with output.asking(target, store, timeout) as client:
        gone = client.delete_entity(entity)
    if as_json:
        output.print_json({"deleted": gone.deleted, "consistency_token": gone.consistency_token})
    else:
        output.stdout.print(f"{counted(gone.deleted, 'fact')} deleted", highlight=False)


@app.command()
def read(  # noqa: PLR0913 - one parameter for each argument and option
    pattern: Pattern = None,
    *,
    at: At = None,
    limit: Annotated[
        int, typer.Option(metavar="N", min=1, help="How many facts to print at most.")
    ] = 1000,
    target: output.Target = output.DEFAULT_TARGET,
    store: output.Store = output.DEFAULT_STORE,
    timeout: output.Timeout = output.DEFAULT_TIMEOUT,
    as_json: output.Json = False,
) -> None:
    """Print stored facts, one in a line.

    `authz facts write --file` and `authz facts import` read what it prints. It says on standard error if there
    are more than --limit, or none.

    Example: authz facts read 'has_role(User:alice, _, Org:_)' --at 2026-01-31T12:00:00Z
    """
    with output.asking(target, store, timeout) as client:
        wanted = authz.FactPattern.parse(pattern) if pattern else None
        number = -1
        for number, stored in enumerate(client.read_stored_facts(wanted, at=moment_of(at))):
            if number == limit:
                output.stderr.print(f"there are more than {limit} facts; raise --limit")
                break
            if as_json:
                output.print_json(fact_json(stored))
            else:
                output.stdout.print(fact_line(stored), markup=False, highlight=False)
        if number < 0:
            output.stderr.print("no facts")


app.command("import")(fact_streams.import_facts)
app.command()(fact_streams.export)
app.command()(fact_streams.watch)


def _refuse_nonsense(
    wanted: list[authz.StoredFact],
    delete_matching: list[str] | None,
    replace: str | None,
    *,
    delete: bool,
    expires: str | None,
) -> None:
    if not wanted and not delete_matching and not replace:
        output.fail("there are no facts; give some as arguments or with --file", output.EXIT_USAGE)
    if delete and (replace or expires):
        output.fail("--delete goes with neither --replace nor --expires", output.EXIT_USAGE)


def _print_results(
    results: list[authz.WriteResult], facts: int, *, by_pattern: object, as_json: bool
) -> None:
    counts = dict.fromkeys((outcome.value for outcome in authz.WriteOutcome), 0)
    effects = dict.fromkeys(("inserted", "changed", "deleted"), 0)
    for result in results:
        for outcome, did in zip(result.outcomes, result.counts, strict=True):
            counts[outcome.value] += 1
            for name in effects:
                effects[name] += getattr(did, name)
    token = results[-1].consistency_token
    if as_json:
        output.print_json({**counts, "facts": effects, "consistency_token": token})
        return
    shown = effects if by_pattern else counts
    said = ", ".join(f"{number} {name}" for name, number in shown.items() if number)
    output.stdout.print(f"{counted(facts, 'fact')}: {said or 'nothing changed'}", highlight=False)


def _expiring(stored: authz.StoredFact, at: datetime | None) -> authz.StoredFact:
    if at is None:
        return stored
    if stored.expires_at is not None:
        message = f"{stored.fact} has an expiry in the file already; leave --expires out"
        output.fail(message, output.EXIT_USAGE)
    return authz.StoredFact(stored.fact, at)
