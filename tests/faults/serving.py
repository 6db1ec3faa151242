"""A real `authz serve` process with a policy, and what clients do with it while something fails."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import authz
import grpc
from authz.v1.fact_service_pb2 import WriteFactsRequest
from authz.v1.fact_service_pb2_grpc import FactServiceStub
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


def halves(name: str) -> list[str]:
    """Return the employees whom a write of this name suspends; one without the other would be half of it."""
    return [f"{name}-{half}" for half in "ab"]


def pair(name: str) -> list[str]:
    """Return the two facts of a write of this name."""
    return [f"is_suspended(Employee:{employee})" for employee in halves(name)]


def refusal(server: Serve, name: str) -> str | None:
    """Try to write a pair, once, as no client does; return why the service could not, None if it did."""
    facts = [
        {"predicate": "is_suspended", "args": [{"entity": {"type": "Employee", "id": employee}}]}
        for employee in halves(name)
    ]
    request = WriteFactsRequest(writes=[{"insert": fact} for fact in facts])
    with grpc.insecure_channel(server.target) as channel:
        call = FactServiceStub(channel).WriteFacts.future(request, timeout=_SECONDS)
        if call.code() is grpc.StatusCode.OK:
            return None
        assert call.code() is grpc.StatusCode.UNAVAILABLE, call
        return call.details()


def pairs_stored(client: authz.Client) -> set[str]:
    """Return the names of the writes that are stored, having seen that they are whole."""
    found = [fact.args[0].id.rsplit("-", 1) for fact in client.read_facts("is_suspended")]
    stored: dict[str, set[str]] = {}
    for name, *half in found:
        if half:
            stored.setdefault(name, set()).update(half)
    assert all(both == {"a", "b"} for both in stored.values()), "half of a write is stored"
    return set(stored)


def check_answers(client: authz.Client) -> None:
    answers = client.authorize_batch(QUESTIONS)
    assert [answer.permitted for answer in answers] == EXPECTED
