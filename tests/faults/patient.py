"""A real process with an ailment, and what can be seen of it from outside."""

import contextlib
import json
import queue
import re
import socket
import subprocess
import sys
import threading
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import authz
import grpc
from authz._consistency import consistency_message
from authz._status import error_of_call
from authz._wire import entity_message
from authz.v1 import authorization_service_pb2 as pb
from authz.v1.authorization_service_pb2_grpc import AuthorizationServiceStub
from examples import fact_lines, policy_text
from grpc_health.v1 import health_pb2, health_pb2_grpc

AILING = Path(__file__).parent / "ailing.py"
SERVING = health_pb2.HealthCheckResponse.SERVING
NAME = "security_company"
QUESTION = ("Employee:alice", "disarm", "SecuritySystem:s1")
DENIED = ("Employee:bob", "disarm", "SecuritySystem:s1")


class Patient:
    """`authz serve` with an ailment, healthy until `fall_ill`."""

    def __init__(self, folder: Path, ailment: str, **settings: object) -> None:
        self._file = folder / "ill"
        values = {
            "database_url": f"sqlite:///{folder / 'authz.db'}",
            "listen": "127.0.0.1:0",
            "metrics_listen": "127.0.0.1:0",
            "shutdown_seconds": 1,
            **settings,
        }
        self.process = subprocess.Popen(
            [sys.executable, AILING, ailment, self._file, "serve"],
            stderr=subprocess.PIPE,
            env={f"AUTHZ_{name.upper()}": str(value) for name, value in values.items()},
            cwd=folder,
        )
        self._lines: queue.SimpleQueue[dict[str, object]] = queue.SimpleQueue()
        self._reader = threading.Thread(target=self._read)
        self._reader.start()
        started = self.logged("serving", 90)
        self.port, self.metrics_port = int(started["grpc_port"]), int(started["metrics_port"])
        self.client = authz.Client(f"127.0.0.1:{self.port}", timeout=10)
        self.channel = grpc.insecure_channel(f"127.0.0.1:{self.port}")

    def _read(self) -> None:
        for line in self.process.stderr:
            with contextlib.suppress(ValueError):
                self._lines.put(json.loads(line))

    def logged(self, event: str, seconds: float = 20) -> dict[str, object]:
        """Wait for a line of the log."""
        end = time.monotonic() + seconds
        while True:
            line = self._lines.get(timeout=max(0, end - time.monotonic()))
            if line["event"] == event:
                return line

    def fall_ill(self) -> None:
        self._file.touch()

    def recover(self) -> None:
        self._file.unlink()

    @property
    def is_serving(self) -> bool:
        stub = health_pb2_grpc.HealthStub(self.channel)
        try:
            return stub.Check(health_pb2.HealthCheckRequest(), timeout=2).status == SERVING
        except grpc.RpcError:
            return False

    @property
    def is_listening(self) -> bool:
        with socket.socket() as probe:
            probe.settimeout(1)
            return probe.connect_ex(("127.0.0.1", self.port)) == 0

    def end(self) -> None:
        self.client.close()
        self.channel.close()
        self.process.kill()
        self.process.wait()
        self._reader.join()
        self.process.stderr.close()

    def learn(self) -> None:
        """Have the policy and the facts of the example stored; what comes back as tokens is forgotten."""
        self.client.publish_policy({"policy.polar": policy_text(NAME)}, timeout=20)
        self.client.write_facts(insert=fact_lines(NAME))
        self.client.forget_tokens()

    def metrics(self) -> str:
        with urllib.request.urlopen(f"http://127.0.0.1:{self.metrics_port}/metrics") as answer:
            return answer.read().decode()

    def metric(self, name: str) -> float:
        return float(re.search(rf"^{name} (.*)$", self.metrics(), re.MULTILINE)[1])

    @property
    def decisions(self) -> float:
        """So many questions were decided since the start."""
        found = re.findall(
            r'^authz_decisions_total{.*outcome="(?:permit|deny)".*} (.*)$',
            self.metrics(),
            re.MULTILINE,
        )
        return sum(map(float, found))

    def ask(
        self,
        demand: authz.Consistency | None = None,
        timeout: float = 10,
        question: tuple[str, str, str] = QUESTION,
    ) -> pb.AuthorizeResponse:
        """Ask once: the client would try again while the service is unavailable."""
        actor, action, resource = question
        request = pb.AuthorizeRequest(
            actor=entity_message(authz.Entity.parse(actor)),
            action=action,
            resource=entity_message(authz.Entity.parse(resource)),
            consistency=None if demand is None else consistency_message(demand),
        )
        return AuthorizationServiceStub(self.channel).Authorize(request, timeout=timeout)

    def permits(self, demand: authz.Consistency | None = None, timeout: float = 10) -> bool:
        decision = self.ask(demand, timeout).decision
        assert decision in (pb.DECISION_PERMIT, pb.DECISION_DENY)
        return decision == pb.DECISION_PERMIT

    def ask_or_fail(
        self, demand: authz.Consistency | None = None
    ) -> pb.AuthorizeResponse | authz.AuthzError:
        try:
            return self.ask(demand, 20)
        except grpc.RpcError as failure:
            return error_of_call(failure, "", 20)

    def refusal(self, demand: authz.Consistency | None = None, timeout: float = 10) -> str:
        """Return why a question is refused as UNAVAILABLE; empty if it is answered."""
        try:
            self.ask(demand, timeout)
        except grpc.RpcError as failure:
            error = error_of_call(failure, "", timeout)
            assert isinstance(error, authz.Unavailable), error
            return error.reason
        return ""


@contextmanager
def admitted(folder: Path, ailment: str = "healthy", **settings: object) -> Iterator[Patient]:
    """Yield a patient that has learned the example, and end it however it is then."""
    patient = Patient(folder, ailment, **settings)
    try:
        patient.learn()
        yield patient
    finally:
        patient.end()
