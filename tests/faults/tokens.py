"""F4: questions demand what the process has not applied yet. They wait for it, or are told that it is not there."""

import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import authz
from away import percentile
from patient import admitted
from report import Number

from authz_service.facts.change import Delete, Insert, WriteRequest
from authz_service.facts.fact import Fact
from authz_service.facts.value import Value
from authz_service.store.fact_store import FactStore

POLL_SECONDS = 0.02
_DEADLINE = 0.5
_WAITERS = 5
_BANNED = Fact("is_suspended", (Value("Employee", "alice"),))


def tokens_ahead(
    folder: Path, rounds: int, progress: Callable[[int], None], ailment: str = "healthy"
) -> list[Number]:
    """Write so many times behind the back of the process, and demand each write at once."""
    waits: list[float] = []
    store = FactStore.open(f"sqlite:///{folder}/authz.db")
    try:
        with admitted(folder, ailment) as patient:
            for number in range(rounds):
                write = Delete if number % 2 else Insert
                demand = _demand(store, write)
                start = time.monotonic()
                is_permitted = patient.permits(demand)
                waits.append(time.monotonic() - start)
                assert is_permitted is (write is Delete), "an answer is older than its token"
                progress(number + 1)
        late = _deadlines(folder, store, max(1, rounds // 200))
    finally:
        store.close()
    return [
        Number("questions with a token of a moment before", rounds),
        Number("answers older than their token", 0, 0),
        Number("longest wait, seconds", max(waits)),
        Number("p99 of the wait, seconds", percentile(waits, 0.99), 3 * POLL_SECONDS),
        Number("errors in place of an answer, seconds beyond the deadline", late, 0.05),
    ]


def _demand(store: FactStore, write: type) -> authz.AtLeastAsFresh:
    return authz.AtLeastAsFresh(str(store.write("default", WriteRequest([write(_BANNED)])).token))


def _deadlines(folder: Path, store: FactStore, rounds: int) -> float:
    """Have the process hear nothing of a write, and return how late who demands it is told so."""
    latest = float("-inf")
    with admitted(folder, "silent_database") as patient, ThreadPoolExecutor(_WAITERS) as threads:
        for _ in range(rounds):
            patient.fall_ill()
            # The look that is under way ends by itself.
            time.sleep(0.1)
            demand = _demand(store, Insert)

            def wait(demand: authz.AtLeastAsFresh = demand) -> float:
                start = time.monotonic()
                reason = patient.refusal(demand, _DEADLINE)
                took = time.monotonic() - start
                assert reason in ("REPLICA_BEHIND", "STORE_UNAVAILABLE"), reason or "it answered"
                return took - _DEADLINE

            asked = [threads.submit(wait) for _ in range(_WAITERS)]
            latest = max(latest, *(one.result() for one in asked))
            patient.recover()
            assert not patient.permits(demand), "an answer is older than its token"
            _demand(store, Delete)
    return latest
