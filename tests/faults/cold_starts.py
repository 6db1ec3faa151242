"""F17: many processes start at once on one database, and are ready soon, with all that was there when they began."""

import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import Self

import psycopg
from away import postgresql
from examples import policy_text
from patient import NAME, Patient
from report import Number

from authz_service.facts.change import Insert, WriteRequest
from authz_service.facts.fact import Fact
from authz_service.facts.policy_text import PolicyFile
from authz_service.facts.value import Value
from authz_service.store.fact_store import FactStore

_READY_SECONDS = 15
_CONNECTIONS = 2
_PACK = 10_000


def cold_starts(
    folder: Path,
    rounds: int,
    progress: Callable[[int], None],
    processes: int = 8,
    facts: int = 200_000,
) -> list[Number]:
    """Start so many processes at once, so many times, while somebody writes."""
    longest, most = 0.0, 0
    with postgresql() as server:
        url = server.empty_database()
        with closing(FactStore.open(url)) as store:
            _fill(store, facts)
            for number in range(rounds):
                with _Watch(url, store) as watch, ThreadPoolExecutor(processes) as threads:
                    begun = time.monotonic()
                    starting = [
                        threads.submit(_start, folder, url, f"round{number}x{process}", store)
                        for process in range(processes)
                    ]
                    ready = [one.result() for one in starting]
                longest = max(longest, *(at - begun for at in ready))
                most = max(most, watch.most)
                progress(number + 1)
    return [
        Number("processes that started at once", processes),
        Number("facts stored", facts),
        Number("longest until all are ready, seconds", longest, _READY_SECONDS),
        Number("connections of a process to the database, at most", most, _CONNECTIONS),
        Number("processes ready before they had what was there at their start", 0, 0),
    ]


def _fill(store: FactStore, facts: int) -> None:
    policy = (PolicyFile("policy.polar", policy_text(NAME)),)
    store.publish("default", policy, datetime.now(UTC))
    for first in range(0, facts, _PACK):
        writes = [Insert(_suspended(f"many{first + n}")) for n in range(min(_PACK, facts - first))]
        store.write("default", WriteRequest(writes))


def _suspended(name: str) -> Fact:
    return Fact("is_suspended", (Value("Employee", name),))


def _start(folder: Path, url: str, name: str, store: FactStore) -> float:
    """Return when a process was ready that begins now."""
    inside = folder / name
    inside.mkdir()
    head = store.head().revision
    patient = Patient(inside, "healthy", database_url=f"{url}&application_name={name}")
    try:
        while not patient.is_serving:
            time.sleep(0.01)
        at = time.monotonic()
        assert patient.metric("authz_revision") >= head, "it was ready before it had caught up"
    finally:
        patient.end()
    return at


class _Watch:
    """Counts the connections of each process while it starts, and writes meanwhile."""

    def __init__(self, url: str, store: FactStore) -> None:
        self._url = url
        self._store = store
        self._ended = threading.Event()
        self._threads = [threading.Thread(target=work) for work in (self._count, self._write)]
        self.most = 0

    def __enter__(self) -> Self:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        for thread in self._threads:
            thread.join()

    def _count(self) -> None:
        query = "SELECT application_name FROM pg_stat_activity WHERE application_name LIKE 'round%'"
        with psycopg.connect(self._url, autocommit=True) as connection:
            while not self._ended.wait(0.05):
                found = Counter(connection.execute(query).fetchall())
                self.most = max([self.most, *found.values()])

    def _write(self) -> None:
        for number in self._numbers():
            self._store.write("default", WriteRequest([Insert(_suspended(f"late{number}"))]))

    def _numbers(self) -> Iterator[int]:
        number = 0
        while not self._ended.wait(0.05):
            yield number
            number += 1
