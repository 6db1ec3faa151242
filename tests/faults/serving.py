"""A real `authz serve` process with a policy, and what clients do with it while something fails."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import authz
from examples import cases, fact_lines, policy_text
from test_command_line import Serve

NAME = "security_company"
QUESTIONS = [case[1:] for case in cases(NAME)]
EXPECTED = [case[0] for case in cases(NAME)]

_SECONDS = 20


@contextmanager
def client_of(server: Serve) -> Iterator[authz.Client]:
    with authz.Client(server.target, timeout=_SECONDS) as client:
        yield client


def begin(folder: Path, *options: str) -> Serve:
    """Start a service on a new database, with the policy and the facts of the example."""
    server = Serve(folder, *options)
    with client_of(server) as client:
        client.publish_policy({"policy.polar": policy_text(NAME)})
        client.write_facts(insert=fact_lines(NAME))
    return server


def pair(name: str) -> list[str]:
    """Return the two facts of a write of this name; one without the other would be half of it."""
    return [f"is_suspended(Employee:{name}-{half})" for half in "ab"]


def refusal(client: authz.Client, name: str) -> str | None:
    """Write a pair; return why the service could not, None if it did."""
    try:
        client.write_facts(insert=pair(name))
    except authz.Unavailable as error:
        return error.message
    return None


def pairs_stored(client: authz.Client) -> set[str]:
    """Return the names of the writes that are stored, having seen that they are whole."""
    found = [fact.args[0].id.rsplit("-", 1) for fact in client.read_facts("is_suspended")]
    halves: dict[str, set[str]] = {}
    for name, *half in found:
        if half:
            halves.setdefault(name, set()).update(half)
    assert all(both == {"a", "b"} for both in halves.values()), "half of a write is stored"
    return set(halves)


def check_answers(client: authz.Client) -> None:
    answers = client.authorize_batch(QUESTIONS)
    assert [answer.permitted for answer in answers] == EXPECTED
