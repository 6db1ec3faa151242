"""`authz facts import`, `export` and `watch`: any number of facts, one line at a time."""

import io
import re
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any, BinaryIO

import authz
import typer
from rich.progress import Progress

from authz_service.cli import output
from authz_service.cli.fact_text import FactLines, fact_json, fact_line, moment_of
from authz_service.cli.findings import counted

# A request of an import, and a fact in it.
_PLACE = re.compile(r"requests\[(\d+)\](?:\.facts\[(\d+)\])?")
_PACK = 1000

Pattern = Annotated[
    str | None,
    typer.Argument(
        metavar="PATTERN", help="Which facts, as in 'has_role(User:alice, _, Org:_)' or has_role."
    ),
]
At = Annotated[
    str | None,
    typer.Option(
        "--at", metavar="MOMENT", help="As it was then: a consistency token, or a time with a zone."
    ),
]


def import_facts(
    file: Annotated[
        Path,
        typer.Argument(metavar="FILE", help="One fact in a line, as export writes; - is stdin."),
    ],
    *,
    target: output.Target = output.DEFAULT_TARGET,
    store: output.Store = output.DEFAULT_STORE,
    as_json: output.Json = False,
) -> None:
    """Store any number of facts, in packs of 1000.

    If it breaks off, the first packs are stored; run it again, what is there already counts as existing.
    It takes as long as it takes: there is no time-out.

    Example: authz facts export | authz facts import - --store copy
    """
    with output.asking(target, store, output.DEFAULT_TIMEOUT) as client, _lines(file) as lines:
        facts = FactLines(lines, str(file))
        try:
            result = client.import_facts(facts)
        except authz.AuthzError as error:
            error.message = _broken_off(error, facts)
            raise
    counts = {name: getattr(result, name) for name in ("created", "existed", "changed")}
    if as_json:
        output.print_json({**counts, "consistency_token": result.consistency_token})
        return
    shown = ", ".join(f"{number} {name}" for name, number in counts.items() if number)
    total = counted(sum(counts.values()), "fact")
    output.stdout.print(f"{total}: {shown or 'nothing to do'}", highlight=False)


def export(
    pattern: Pattern = None,
    *,
    at: At = None,
    target: output.Target = output.DEFAULT_TARGET,
    store: output.Store = output.DEFAULT_STORE,
    as_json: output.Json = False,
) -> None:
    """Print all facts of one state, one in a line.

    `authz facts import` reads what it prints. Standard error says how many facts there were, and the token from
    which `authz facts watch --from` tells what happened since.

    Example: authz facts export > facts.txt
    """
    if isinstance(sys.stdout, io.TextIOWrapper):
        # As an import reads it, whatever a terminal here would show.
        sys.stdout.reconfigure(encoding="utf-8", errors="strict")
    count = 0
    with output.asking(target, store, output.DEFAULT_TIMEOUT) as client:
        exported = client.export_facts(pattern, at=moment_of(at))
        for stored in exported:
            count += 1
            _print_fact(stored, as_json=as_json)
    output.stderr.print(
        f"{counted(count, 'fact')} at {exported.consistency_token}", highlight=False, markup=False
    )


def watch(
    *,
    start: Annotated[
        str | None,
        typer.Option("--from", metavar="TOKEN", help="Begin behind this token, not now."),
    ] = None,
    limit: Annotated[
        int | None,
        typer.Option(metavar="N", min=1, help="End after so many changes; without it, never."),
    ] = None,
    target: output.Target = output.DEFAULT_TARGET,
    store: output.Store = output.DEFAULT_STORE,
    timeout: Annotated[
        float,
        typer.Option(
            metavar="SECONDS",
            min=0.001,
            max=86400,
            help="How long to wait for a service that is away.",
        ),
    ] = 60.0,
    as_json: output.Json = False,
) -> None:
    """Print what happens to facts, as it happens, until Ctrl-C.

    `+` inserted, `-` deleted, `x` expired before and removed now, `~` stays and expires at another time. The
    token behind the time is what --from takes. With --json each line is a change, or a token alone.

    Example: authz facts watch --json --limit 1
    """
    if start == "":
        output.fail("--from is empty; leave it out to begin now", output.EXIT_USAGE)
    changes = 0
    with output.asking(target, store, timeout) as client:
        for change in client.watch_facts(start or ""):
            if as_json:
                output.print_json(_change_json(change))
            elif not change.is_checkpoint:
                _print_change(change)
            sys.stdout.flush()
            changes += not change.is_checkpoint
            if changes == limit:
                return


@contextmanager
def _lines(file: Path) -> Iterator[Iterable[bytes]]:
    """Yield the lines of a file, with a progress bar on a terminal; what cannot be read ends the command."""
    try:
        if str(file) == "-":
            yield sys.stdin.buffer
            return
        with file.open("rb") as opened, _progress() as progress:
            task = progress.add_task("importing", total=file.stat().st_size or None)
            yield _counted_lines(opened, lambda size: progress.advance(task, size))
    except OSError as error:
        output.fail(f"cannot read {file}: {error.strerror}", output.EXIT_USAGE)


def _broken_off(error: authz.AuthzError, facts: FactLines) -> str:
    """Return the message with the line that it is about, and what is stored now."""
    found = _PLACE.match(error.field)
    if found is None:
        # Packs are sent while the next ones are read.
        most = facts.count() // _PACK * _PACK
        stored = f"at most the first {most} facts are stored" if most else "nothing is stored"
        return f"{error.message}; {stored}"
    before = int(found[1]) * _PACK
    stored = f"the first {before} facts are stored" if before else "nothing is stored"
    place = f"{facts.place(before + int(found[2]))}: " if found[2] else ""
    return f"{place}{error.message}; {stored}"


def _progress() -> Progress:
    is_hidden = not output.stderr.is_terminal
    return Progress(console=output.stderr, disable=is_hidden, transient=True)


def _counted_lines(opened: BinaryIO, advance: Any) -> Iterator[bytes]:  # noqa: ANN401
    for line in opened:
        advance(len(line))
        yield line


def _print_fact(stored: authz.StoredFact, *, as_json: bool) -> None:
    if as_json:
        output.print_json(fact_json(stored))
    else:
        # Not through rich: there may be a million of them.
        sys.stdout.write(fact_line(stored) + "\n")


def _print_change(change: authz.FactChange) -> None:
    at = change.committed_at.isoformat() if change.committed_at else ""
    lines = [f"# {at} {change.consistency_token}"]
    lines += [f"+ {fact_line(one)}" for one in change.inserted]
    lines += [f"~ {fact_line(one)}" for one in change.changed]
    lines += [f"- {one}" for one in change.deleted]
    lines += [f"x {one}" for one in change.expired]
    if change.policy_version:
        lines.append(f"policy version {change.policy_version}")
    if change.store_event:
        lines.append(f"store {change.store_event.value}")
    sys.stdout.write("\n".join(lines) + "\n")


def _change_json(change: authz.FactChange) -> dict[str, Any]:
    shown: dict[str, Any] = {"consistency_token": change.consistency_token}
    if change.committed_at:
        shown["committed_at"] = change.committed_at.isoformat()
    for name in ("inserted", "changed", "deleted", "expired"):
        if facts := getattr(change, name):
            shown[name] = [fact_json(one) for one in facts]
    if change.policy_version:
        shown["policy_version"] = change.policy_version
    if change.store_event:
        shown["store_event"] = change.store_event.value
    return shown
