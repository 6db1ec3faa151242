"""F7 and F8: a process that no longer follows the log leaves service; one that was stopped for a while does not."""

import signal
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import authz
import grpc
from patient import Patient, admitted
from report import Number

from authz_service.facts.change import Insert, WriteRequest
from authz_service.facts.fact import Fact
from authz_service.facts.value import Value
from authz_service.server.watchdog import EXIT_HUNG
from authz_service.store.fact_store import FactStore

_AILMENTS = ("dead_follower", "hung_applier")
_QUIET_SECONDS = 5.0
_TICK_SECONDS = 0.25
_BANNED = Fact("is_suspended", (Value("Employee", "alice"),))


def hung_appliers(folder: Path, rounds: int, progress: Callable[[int], None]) -> list[Number]:
    """F7: so many processes stop to apply what is committed, in one way and in another."""
    longest = 0.0
    for number in range(rounds):
        with admitted(folder, _AILMENTS[number % len(_AILMENTS)]) as patient:
            patient.fall_ill()
            longest = max(longest, _until_out_of_service(patient))
            assert patient.process.wait(20) == EXIT_HUNG
            patient.recover()
        progress(number + 1)
    return [
        Number("processes whose applier was dead or hung", rounds),
        # It is seen at a tick, and by then the last sign of life may be older by another one.
        Number(
            "longest until health and listener are gone, seconds",
            longest,
            _QUIET_SECONDS + 2 * _TICK_SECONDS,
        ),
    ]


def _until_out_of_service(patient: Patient) -> float:
    start = time.monotonic()
    while patient.is_serving or patient.is_listening:
        assert time.monotonic() - start < 15, "it answers from a frozen copy"
        time.sleep(0.01)
    return time.monotonic() - start


def stopped_processes(
    folder: Path,
    seconds: int,
    progress: Callable[[int], None],
    ailment: str = "healthy",
    max_staleness: float = 5,
) -> list[Number]:
    """F8: a process is stopped for so many seconds, and asked before and after it goes on."""
    store = FactStore.open(f"sqlite:///{folder}/authz.db")
    try:
        with admitted(folder, ailment, max_staleness_seconds=max_staleness) as patient:
            assert patient.permits()
            decided = patient.decisions
            patient.process.send_signal(signal.SIGSTOP)
            end = time.monotonic() + seconds
            expired = _ask_in_vain(patient, seconds / 2)
            token = str(store.write("default", WriteRequest([Insert(_BANNED)])).token)
            written_at = time.monotonic()
            time.sleep(max(0.0, end - time.monotonic()))
            # What is as old as that must show in every answer, whatever is demanded.
            is_old = time.monotonic() - written_at > max_staleness
            answered, refused = _first_answers(patient, token, max_staleness, is_old=is_old)
            evaluated = patient.decisions - decided - answered
            assert not patient.permits(authz.AtLeastAsFresh(token))
            # A watchdog that took this for a hang would end it at its next ticks.
            time.sleep(4 * _TICK_SECONDS)
            assert patient.process.poll() is None, "it was taken for hung"
            assert patient.is_serving, "it was taken for hung"
    finally:
        store.close()
    progress(seconds)
    return [
        Number("seconds for which it was stopped", seconds),
        Number("first questions that were answered", answered),
        Number("first questions that were refused as too old", refused),
        Number("first answers older than demanded, or than the bound", 0, 0),
        Number("questions whose deadline had passed", expired),
        Number("of these, evaluated", evaluated, 0),
    ]


def _ask_in_vain(patient: Patient, seconds: float) -> int:
    """Ask while nobody listens, with deadlines that pass before anybody does; return how often."""
    count = 20

    def ask() -> None:
        code = None
        try:
            patient.ask(timeout=seconds)
        except grpc.RpcError as error:
            code = error.code()
        assert code is grpc.StatusCode.DEADLINE_EXCEEDED, code

    with ThreadPoolExecutor(count) as threads:
        for one in [threads.submit(ask) for _ in range(count)]:
            one.result()
    return count


def _first_answers(
    patient: Patient, token: str, max_staleness: float, *, is_old: bool
) -> tuple[int, int]:
    """Let it go on while questions wait for it; return how many it answers and refuses."""
    demands = [authz.AtLeastAsFresh(token), authz.FullyConsistent(), None] * 5
    answered = 0
    with ThreadPoolExecutor(len(demands)) as threads:
        asked = [threads.submit(patient.ask_or_fail, demand) for demand in demands]
        time.sleep(0.5)
        patient.process.send_signal(signal.SIGCONT)
        for demand, one in zip(demands, asked, strict=True):
            answer = one.result()
            if isinstance(answer, authz.Unavailable):
                assert (demand, answer.reason) == (None, "REPLICA_STALE")
                continue
            assert not isinstance(answer, authz.AuthzError), answer
            answered += 1
            age = answer.age.ToTimedelta().total_seconds()
            assert age <= max_staleness, f"an answer is {age} s old"
            needs_it = is_old or demand is not None
            assert not needs_it or answer.decision == 2, "an answer is older than its demand"
    return answered, len(demands) - answered
