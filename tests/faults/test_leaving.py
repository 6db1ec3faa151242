"""A process that does not follow the log any more leaves service by itself; one that was stopped does not.

Real processes, in which something goes wrong on demand.
"""

import contextlib
import json
import queue
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import authz
import grpc
import pytest
from examples import fact_lines, policy_text
from grpc_health.v1 import health_pb2, health_pb2_grpc

from authz_service.server.watchdog import EXIT_HUNG

AILING = Path(__file__).parent / "ailing.py"
SERVING = health_pb2.HealthCheckResponse.SERVING
QUESTION = ("Employee:alice", "disarm", "SecuritySystem:s1")


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
        self.port = int(self.logged("serving")["grpc_port"])
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


@pytest.fixture
def admit(tmp_path: Path) -> Iterator:
    patients: list[Patient] = []

    def begin(ailment: str, **settings: object) -> Patient:
        patients.append(Patient(tmp_path, ailment, **settings))
        client = patients[-1].client
        client.publish_policy({"policy.polar": policy_text("security_company")}, timeout=20)
        client.write_facts(insert=fact_lines("security_company"))
        return patients[-1]

    yield begin
    for patient in patients:
        patient.end()


@pytest.mark.parametrize("ailment", ["dead_follower", "hung_applier", "spinning_applier"])
def test_a_process_that_does_not_follow_leaves(admit, ailment):
    patient = admit(ailment)
    assert patient.is_serving
    patient.fall_ill()
    start = time.monotonic()
    patient.logged("leaving service")
    assert 4 < time.monotonic() - start < 8
    assert patient.process.wait(10) == EXIT_HUNG
    assert time.monotonic() - start < 12
    assert not patient.is_listening


def test_health_and_listener_go_before_the_process(admit):
    """While a request that takes long still runs, nobody else is sent here."""
    patient = admit("hung_applier", shutdown_seconds=4)
    watch = patient.client.watch_facts(timeout=1)
    next(watch)
    writing = threading.Thread(target=_write_in_vain, args=[patient])
    patient.fall_ill()
    time.sleep(0.1)
    writing.start()  # this waits for the follower, and so for ever
    patient.logged("leaving service")
    end = time.monotonic() + 2
    while patient.is_listening and time.monotonic() < end:
        time.sleep(0.02)
    assert not patient.is_listening
    assert not patient.is_serving
    assert patient.process.poll() is None
    assert patient.process.wait(15) == EXIT_HUNG
    writing.join()


def _write_in_vain(patient: Patient) -> None:
    with contextlib.suppress(authz.AuthzError):
        patient.client.write_facts(insert=["is_suspended(Employee:bob)"], timeout=20)


@pytest.mark.parametrize("ailment", ["starved_loop", "full_pipe"])
def test_a_process_whose_loop_does_not_turn_ends(admit, ailment):
    """Nobody could close its listener, and no request would be answered."""
    patient = admit(ailment)
    patient.fall_ill()
    start = time.monotonic()
    assert patient.process.wait(20) == EXIT_HUNG
    assert 4 < time.monotonic() - start < 9
    assert not patient.is_listening


@pytest.mark.parametrize("ailment", ["dead_follower", "hung_applier", "starved_loop"])
def test_without_the_watchdog_it_would_stay(admit, ailment):
    """The tests above can fail."""
    patient = admit(f"unwatched_{ailment}")
    patient.fall_ill()
    time.sleep(9)
    assert patient.process.poll() is None
    assert patient.is_listening
    if ailment != "starved_loop":
        # What makes it dangerous: it answers, from a copy that nothing moves on.
        assert patient.is_serving
        assert patient.client.authorize(*QUESTION, timeout=5)


def test_a_silent_database_is_no_reason_to_leave(admit):
    """It is judged by the age: default questions go on."""
    patient = admit("silent_database")
    patient.fall_ill()
    time.sleep(8)
    assert patient.is_serving
    assert patient.client.authorize(*QUESTION)
    patient.recover()
    assert patient.client.authorize(*QUESTION)
    assert patient.process.poll() is None


def test_a_process_that_was_stopped_goes_on(admit):
    """Stopped for longer than a hung follower is given; it has one look for all of that time."""
    patient = admit("healthy")
    patient.process.send_signal(signal.SIGSTOP)
    time.sleep(12)
    patient.process.send_signal(signal.SIGCONT)
    assert patient.client.authorize(*QUESTION)
    time.sleep(6)
    assert patient.process.poll() is None
    assert patient.is_serving
