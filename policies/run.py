"""Start the service on one of these policies, load its facts, ask its cases, and keep serving.

Usage: python policies/run.py policies/security_company [--once]

The database is kept in `.demo/`, so a second run finds the policy and the facts of the first one. With
`--once` the service stops after the table; the exit code is 1 if any answer differs from what is expected.
"""

import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import authz
import typer
from rich.box import SIMPLE
from rich.console import Console
from rich.table import Table

START_SECONDS = 20.0

console = Console()
if not console.is_terminal:
    console.width = 120  # a file has no width that rich could find out


@dataclass(frozen=True, slots=True)
class Case:
    """A question, the expected answer and the reason for it."""

    expected: str
    actor: str
    action: str
    resource: str
    why: str


def read_cases(text: str) -> list[Case]:
    """Return the cases of a `cases.txt`: a line each, `EXPECTED ACTOR ACTION RESOURCE # why`."""
    cases = []
    for line in text.splitlines():
        words, _, why = line.partition("#")
        if words.strip():
            expected, actor, action, resource = words.split()
            cases.append(Case(expected, actor, action, resource, why.strip()))
    return cases


def main(
    policy: Annotated[
        Path, typer.Argument(help="A folder with policy.polar, facts.txt, cases.txt.")
    ],
    *,
    once: Annotated[bool, typer.Option("--once", help="Stop the service after the table.")] = False,
    port: Annotated[int, typer.Option(help="The port to serve on.")] = 50051,
) -> None:
    """Start the service on POLICY, ask its cases, print them, and keep serving."""
    for file in (policy / name for name in ("policy.polar", "facts.txt", "cases.txt")):
        if not file.is_file():
            console.print(f"there is no {file}; run a policy with cases, as security_company is")
            raise typer.Exit(2)
    cases = read_cases((policy / "cases.txt").read_text(encoding="utf-8"))
    target = f"127.0.0.1:{port}"
    folder = Path(".demo")
    folder.mkdir(exist_ok=True)
    database = f"sqlite:///{folder / policy.name}.db"
    command = [sys.executable, "-m", "authz_service", "serve", "--listen", target]
    with subprocess.Popen([*command, "--database-url", database]) as service:
        try:
            differing = _ask(policy, cases, target, service)
            if not once:
                console.print(f"\nServing on {target}. Ask something yourself in another terminal:")
                first = cases[0]
                console.print(
                    f"  .venv/bin/authz check {first.actor} {first.action} {first.resource}"
                )
                console.print("Ctrl-C stops the service.")
                if service.wait():
                    console.print("[red]the service ended by itself[/]")
                    raise typer.Exit(1)
        except KeyboardInterrupt:
            differing = 0
        finally:
            service.terminate()
    raise typer.Exit(1 if differing else 0)


def _ask(
    policy: Path, cases: Sequence[Case], target: str, service: "subprocess.Popen[bytes]"
) -> int:
    """Load the policy and the facts, ask and print the cases; return how many answers differ."""
    with authz.Client(target, timeout=10) as client:
        _wait_until_serving(client, service)
        client.publish_policy(
            {"policy.polar": (policy / "policy.polar").read_text(encoding="utf-8")}
        )
        facts = list(authz.parse_facts((policy / "facts.txt").read_text(encoding="utf-8")))
        client.write_facts(insert=facts)
        table = Table(box=SIMPLE)
        for column in ("actor", "action", "resource", "answer", "expected", "why"):
            table.add_column(column, no_wrap=column != "why")
        differing = 0
        for case in cases:
            decision = client.authorize(case.actor, case.action, case.resource)
            answer = "PERMIT" if decision.permitted else "DENY"
            differing += answer != case.expected
            colour = "green" if decision.permitted else "red"
            expected = case.expected if answer == case.expected else f"[bold]{case.expected} ![/]"
            shown = f"[{colour}]{answer}[/]"
            table.add_row(case.actor, case.action, case.resource, shown, expected, case.why)
    console.print(table)
    console.print(f"{len(cases)} questions, {differing} answers other than expected")
    return differing


def _wait_until_serving(client: authz.Client, service: "subprocess.Popen[bytes]") -> None:
    end = time.monotonic() + START_SECONDS
    while service.poll() is None and time.monotonic() < end:
        try:
            client.get_policy(timeout=0.5)
        except authz.NotReady:
            return  # it answers: there is no policy yet
        except (authz.Unavailable, authz.DeadlineExceeded):
            continue
        return
    console.print("[red]the service did not start; its message stands above[/]")
    raise typer.Exit(1)


if __name__ == "__main__":
    typer.run(main)
