"""A process that does not follow the log any more leaves service by itself; one that was stopped does not.

Real processes, in which something goes wrong on demand.
"""

import contextlib
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import authz
import pytest
from patient import QUESTION, Patient

from authz_service.server.watchdog import EXIT_HUNG


@pytest.fixture
def admit(tmp_path: Path) -> Iterator:
    patients: list[Patient] = []

    def begin(ailment: str, **settings: object) -> Patient:
        room = tmp_path / ailment
        room.mkdir()
        patient = Patient(room, ailment, **settings)
        patients.append(patient)
        patient.learn()
        return patient

    yield begin
    for patient in patients:
        patient.end()


def at_once(check: Callable[[str], None], ailments: Sequence[str]) -> None:
    """Check all of them at the same time: what takes long is waiting."""
    with ThreadPoolExecutor(len(ailments)) as threads:
        list(threads.map(check, ailments))


def test_a_process_that_does_not_follow_leaves(admit):
    def check(ailment: str) -> None:
        patient = admit(ailment)
        assert patient.is_serving
        patient.fall_ill()
        start = time.monotonic()
        patient.logged("leaving service")
        assert 4 < time.monotonic() - start < 8
        assert patient.process.wait(10) == EXIT_HUNG
        assert time.monotonic() - start < 12
        assert not patient.is_listening

    at_once(check, ["dead_follower", "hung_applier", "spinning_applier"])


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


def test_a_process_whose_loop_does_not_turn_ends(admit):
    """Nobody could close its listener, and no request would be answered."""

    def check(ailment: str) -> None:
        patient = admit(ailment)
        patient.fall_ill()
        start = time.monotonic()
        assert patient.process.wait(20) == EXIT_HUNG
        assert 4 < time.monotonic() - start < 9
        assert not patient.is_listening

    at_once(check, ["starved_loop", "full_pipe"])


def test_a_log_that_nobody_reads_keeps_no_process_from_leaving(admit):
    patient = admit("full_pipe_and_hung_applier", shutdown_seconds=1)
    patient.fall_ill()
    assert patient.process.wait(20) == EXIT_HUNG
    assert not patient.is_listening


def test_without_the_watchdog_it_would_stay(admit):
    """The tests above can fail."""

    def check(ailment: str) -> None:
        patient = admit(f"unwatched_{ailment}")
        patient.fall_ill()
        time.sleep(9)
        assert patient.process.poll() is None
        assert patient.is_listening
        if ailment != "starved_loop":
            # What makes it dangerous: it answers, from a copy that nothing moves on.
            assert patient.is_serving
            assert patient.client.authorize(*QUESTION, timeout=5)

    at_once(check, ["dead_follower", "hung_applier", "starved_loop"])


def test_a_silent_database_is_no_reason_to_leave(admit):
    """It is judged by the age: default questions go on."""
    patient = admit("silent_database")
    patient.fall_ill()
    time.sleep(7)
    assert patient.is_serving
    assert patient.client.authorize(*QUESTION)
    patient.recover()
    assert patient.client.authorize(*QUESTION)
    assert patient.process.poll() is None
