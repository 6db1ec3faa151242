"""A real `authz serve --workers` with clients of all its workers, and what can be seen of it from outside."""

import time
import urllib.request
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

import authz
from authz.v1 import authorization_service_pb2 as pb
from authz.v1.authorization_service_pb2_grpc import AuthorizationServiceStub
from prometheus_client.parser import text_string_to_metric_families
from prometheus_client.samples import Sample
from test_command_line import Serve

WORKERS = 2
# Each client has a connection of its own; that all are with one worker happens once in 30,000 times.
CLIENTS = 16
AUTHORIZE = pb.AuthorizeRequest(
    actor={"type": "Employee", "id": "alice"},
    action="disarm",
    resource={"type": "SecuritySystem", "id": "s1"},
)
QUESTION = ("Employee:alice", "disarm", "SecuritySystem:s1")


class Group(Serve):
    """Two workers, and a client for each of many connections."""

    def __init__(self, folder: Path, *options: str) -> None:
        super().__init__(folder, "--workers", str(WORKERS), *options)
        self.folder = folder
        self._open = ExitStack()

    def clients(self, number: int = CLIENTS) -> list[authz.Client]:
        made = [authz.Client(self.target, timeout=20) for _ in range(number)]
        return [self._open.enter_context(client) for client in made]

    def end(self, number: int) -> int:
        self._open.close()
        return super().end(number)

    def samples(self) -> list[Sample]:
        url = f"http://127.0.0.1:{self.started['metrics_port']}/metrics"
        with urllib.request.urlopen(url, timeout=10) as response:
            families = text_string_to_metric_families(response.read().decode())
            return [sample for family in families for sample in family.samples]

    def decisions(self) -> float:
        found = self.samples()
        return sum(each.value for each in found if each.name == "authz_decisions_total")

    def restarts(self) -> float:
        return sum(self.of_workers("authz_worker_restarts_total"))

    def of_workers(self, name: str) -> list[float]:
        found = [each for each in self.samples() if each.name == name]
        return [each.value for each in sorted(found, key=lambda each: each.labels["worker"])]

    def processes(self) -> set[int]:
        """Return the workers, by their process ids."""
        return {process for process in running() if parent(process) == self.process.pid}


def running() -> set[int]:
    """Return all processes that have not ended."""
    numbers = {int(path.name) for path in Path("/proc").iterdir() if path.name.isdigit()}
    return {number for number in numbers if parent(number) is not None}


def parent(process: int) -> int | None:
    """Return the parent of a process, None for one that has ended."""
    try:
        state, parent, *_ = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return None
    return None if state == "Z" else int(parent)


def worker_of(client: authz.Client) -> str:
    """Return what tells the workers apart: the part of decision ids that a process has for itself."""
    answer = AuthorizationServiceStub(client._channel).Authorize(AUTHORIZE, timeout=20)
    return answer.decision_id.partition("-")[0]


def wait_until(is_so: Callable[[], bool], seconds: float = 30) -> None:
    give_up = time.monotonic() + seconds
    while not is_so():
        assert time.monotonic() < give_up
        time.sleep(0.1)
