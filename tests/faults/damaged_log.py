"""F12 and F13: the log arrives damaged, or with something in it that this version does not know. Nothing is skipped."""

import asyncio
import random
import sqlite3
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import authz
from ailing import UNKNOWN_KIND
from patient import Patient, admitted
from report import Number
from structlog.testing import capture_logs

from authz_service.facts.change import ChangeBatch, Delete, Insert, WriteRequest
from authz_service.facts.fact import Fact
from authz_service.facts.revision import Revision
from authz_service.facts.value import Value
from authz_service.replica.follower import Follower
from authz_service.replica.replica import Replica
from authz_service.store.fact_store import FactStore
from authz_service.store.head import Head

_EACH = 100
"""One in so many batches is damaged."""

_USERS = 500
_BANNED = Fact("is_suspended", (Value("Employee", "alice"),))


class Damaged:
    """A store whose log arrives with one damage each time that `damage_next` is said."""

    def __init__(self, store: FactStore, chance: random.Random) -> None:
        self._store = store
        self._chance = chance
        self._is_next = False
        self.injected = {"repeated": 0, "swapped": 0, "missing": 0}
        self.delivered = 0
        self.head = store.head
        self.load = store.load

    def damage_next(self) -> None:
        self._is_next = True

    def changes_after(self, revision: Revision, *, shown: Head) -> Sequence[ChangeBatch]:
        batches = list(self._store.changes_after(revision, shown=shown))
        self.delivered += len(batches)
        if self._is_next and len(batches) > 1:
            self._is_next = False
            how = self._chance.choice(list(self.injected))
            self.injected[how] += 1
            # The last one is not damaged: where the log ends early it is simply read again.
            place = self._chance.randrange(len(batches) - 1)
            match how:
                case "repeated":
                    batches.insert(place, batches[place])
                case "swapped":
                    batches[place : place + 2] = reversed(batches[place : place + 2])
                case "missing":
                    del batches[place]
        return batches


def damaged_logs(
    folder: Path,
    rounds: int,
    progress: Callable[[int], None],
    replica_of: Callable[[Damaged], Replica] = lambda store: Replica(store, tuple),
) -> list[Number]:
    """F12: so many times a hundred batches arrive, and one of them damaged."""
    chance = random.Random(20260201)
    store = FactStore.open(f"sqlite:///{folder}/authz.db")
    damaged = Damaged(store, chance)
    replica = replica_of(damaged)
    alarms = 0
    try:
        replica.load()
        expected: set[Fact] = set()
        with asyncio.Runner() as runner:
            follower = Follower(replica)
            for number in range(rounds):
                _write(store, chance, expected)
                damaged.damage_next()
                with capture_logs() as lines:
                    runner.run(follower.catch_up())
                alarms += sum(line["event"] == "loading anew" for line in lines)
                assert set(replica.state("default").facts) == expected, "it went astray"
                progress(number + 1)
            follower.close()
        truth = Replica(store, tuple)
        truth.load()
        is_true = set(truth.state("default").facts) == expected
        truth.close()
        assert is_true, "what is stored is not what was written"
        assert replica.revision == rounds * _EACH
    finally:
        replica.close()
        store.close()
    injected = sum(damaged.injected.values())
    counts = [Number(f"of these, {how}", count) for how, count in damaged.injected.items()]
    return [
        Number("batches that arrived", damaged.delivered),
        Number("damages", injected),
        *counts,
        Number("damages without an alarm, or alarms without one", abs(alarms - injected), 0),
        Number("times that the copy was not what had been written", 0, 0),
    ]


def _write(store: FactStore, chance: random.Random, expected: set[Fact]) -> None:
    """Write a hundred batches, each one that changes something."""
    waiting = []
    for _ in range(_EACH):
        fact = Fact("tag", (Value("User", f"u{chance.randrange(_USERS)}"),))
        write = Delete(fact) if fact in expected else Insert(fact)
        expected ^= {fact}
        waiting.append(store.submit("default", WriteRequest([write])))
    for one in waiting:
        one.result()


def unknown_events(
    folder: Path, rounds: int, progress: Callable[[int], None], first: str = "healthy"
) -> list[Number]:
    """F13: so many times the log has an event that this version does not know, and writes go on behind it."""
    for number in range(rounds):
        inside = folder / str(number)
        inside.mkdir()
        _unknown_event(inside, first)
        progress(number + 1)
    return [
        Number("events that are not known", rounds),
        Number("answers by what is behind one of them", 0, 0),
        Number("processes that ended, or did not start, for one of them", 0, 0),
        Number("processes of a version that knows it, which do not go on", 0, 0),
    ]


def _unknown_event(folder: Path, first: str) -> None:
    snapshot = folder / "authz.snapshot"
    settings = {"snapshot_file": snapshot, "max_staleness_seconds": 4}
    store = FactStore.open(f"sqlite:///{folder}/authz.db")
    try:
        with admitted(folder, first, **settings) as patient:
            known = store.head().revision
            _wait(lambda: patient.metric("authz_revision") == known)
            _poison(folder)
            behind = store.write("default", WriteRequest([Insert(_BANNED)])).token
            poisoned_at = time.monotonic()
            demand = authz.AtLeastAsFresh(str(behind))
            _check_stopped(patient, known, demand)
            line = patient.logged("not following")
            assert line["stopped_at"] == known + 1, line
            # One that starts from the file is no better off, and starts. That may take longer than the bound.
            longer = {**settings, "max_staleness_seconds": 60}
            with _again(folder, "healthy", **longer) as other:
                _check_stopped(other, known, demand)
            while patient.refusal() == "":
                assert time.monotonic() - poisoned_at < 9, "it goes on beyond the bound"
                time.sleep(0.02)
            assert patient.refusal() == "REPLICA_STALE"
            _wait(lambda: not patient.is_serving)
            assert patient.process.poll() is None
        with _again(folder, "knows_every_event", **settings) as fixed:
            assert not fixed.permits(demand), "it does not have what is behind the event"
            assert fixed.metric("authz_replica_stopped_at_revision") == 0
            assert fixed.is_serving
    finally:
        store.close()


@contextmanager
def _again(folder: Path, ailment: str, **settings: object) -> Iterator[Patient]:
    """Yield a process on the database of another one; it learns nothing."""
    patient = Patient(folder, ailment, **settings)
    try:
        yield patient
    finally:
        patient.end()


def _check_stopped(patient: Patient, known: int, demand: authz.Consistency) -> None:
    """Check that it stays before the event, says so, and answers questions that demand nothing."""
    _wait(lambda: patient.metric("authz_replica_stopped_at_revision") == known + 1)
    assert patient.metric("authz_revision") == known, "it went on behind the event"
    assert patient.permits(), "an answer is by what is behind the event"
    assert patient.is_serving
    assert patient.refusal(demand) == "REPLICA_BEHIND"


def _poison(folder: Path) -> None:
    """Write an event into the log that no version knows."""
    with sqlite3.connect(folder / "authz.db") as connection:
        connection.execute("UPDATE head SET revision = revision + 1")
        connection.execute(
            "INSERT INTO changes (revision, part, store, committed_at, kind, body) "
            "SELECT revision, 0, 0, committed_at, ?, '{}' FROM head",
            [UNKNOWN_KIND],
        )
    connection.close()


def _wait(holds: Callable[[], bool]) -> None:
    start = time.monotonic()
    while not holds():
        assert time.monotonic() - start < 5, "it does not stop before the event"
        time.sleep(0.02)
