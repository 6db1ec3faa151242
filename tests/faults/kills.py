"""F6: processes are killed in the middle of writes.

What was acknowledged is there, at the revision that was told. What was begun is there whole or not at all; once
it was asked for again with the same idempotency key, it has happened once. Revisions are dense, and the facts are what
the log says. Two processes write at a time, so one may die while the other waits for its lock. With PostgreSQL, now
and then it is a process of the database that dies.
"""

import json
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Self

import psycopg
from report import Number
from world import facts_now
from writers import MARKER, request

import authz_service
from authz_service.errors import StoreUnavailable
from authz_service.facts.change import ChangeBatch, Insert
from authz_service.facts.fact import Fact
from authz_service.facts.revision import Revision
from authz_service.store.fact_store import FactStore

_WRITERS = Path(__file__).with_name("writers.py")
_AT_A_TIME = 2
_DATABASE_DIES = 0.1
_MOST_LINES = 80
_GIVE_UP_SECONDS = 30

Heard = list[list]


class Nursery:
    """Begins one writing process after the other, and kills it."""

    def __init__(self) -> None:
        self._process = subprocess.Popen(
            [sys.executable, _WRITERS],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, "PYTHONPATH": str(Path(authz_service.__file__).parents[1])},
        )
        self._child = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._process.communicate()

    def begin(self, url: str, process: str, broken: str | None) -> None:
        self._process.stdin.write(f"{json.dumps([url, process, broken])}\n")
        self._process.stdin.flush()
        _, self._child = self._read()

    def hear(self, lines: int) -> Heard:
        """Return the next lines that the process says, fewer if it has ended."""
        heard: Heard = []
        while len(heard) < lines and heard[-1:] != [["ended"]]:
            heard.append(self._read())
        return heard

    def kill(self) -> None:
        # It may have ended by itself, when its database died.
        with suppress(ProcessLookupError):
            os.kill(self._child, signal.SIGKILL)

    def _read(self) -> list:
        return json.loads(self._process.stdout.readline())


class Told:
    """What processes have said that they wrote, and what the log has of it."""

    def __init__(self) -> None:
        self.acknowledged: dict[str, Revision] = {}
        self.unknown: set[str] = set()
        self.landed: dict[str, Revision] = {}
        self._revision = Revision(0)
        self._facts: set[Fact] = set()

    def note(self, heard: Heard) -> None:
        for word, *rest in heard:
            if word == "begun":
                self.unknown.update(rest)
            elif word == "acknowledged":
                name, revision = rest
                self.unknown.remove(name)
                self.acknowledged[name] = revision

    def check(self, store: FactStore) -> None:
        """See that the log is dense, each write in it whole and once, and the facts what it says."""
        while batches := store.changes_after(self._revision):
            for batch in batches:
                self._check(batch)
        assert store.head().revision == self._revision
        assert facts_now(store) == self._facts
        for name, revision in self.acknowledged.items():
            assert self.landed.get(name) == revision, f"{name} was acknowledged at {revision}"

    def retry(self, store: FactStore) -> int:
        """Ask again for what nobody knows of, and for the last that was acknowledged; return how many had landed."""
        known = 0
        for name in [*sorted(self.unknown), *list(self.acknowledged)[-1:]]:
            before = store.head().revision
            revision = store.write("default", request(name)).revision
            assert revision == self.landed.get(name, before + 1)
            known += name in self.landed and name in self.unknown
            self.acknowledged[name] = revision
        self.unknown.clear()
        self.check(store)
        return known

    def _check(self, batch: ChangeBatch) -> None:
        assert batch.revision == self._revision + 1
        [name] = [fact.args[0].id for fact in batch.inserted if fact.predicate == MARKER]
        assert name in self.unknown | self.acknowledged.keys()
        assert name not in self.landed, f"{name} happened twice"
        # The last write of a fact counts.
        after = {write.fact: isinstance(write, Insert) for write in request(name).writes}
        present = {fact for fact, is_there in after.items() if is_there}
        assert batch.inserted == present - self._facts
        assert batch.deleted == (after.keys() - present) & self._facts
        self._facts -= batch.deleted
        self._facts |= batch.inserted
        self._revision = batch.revision
        self.landed[name] = batch.revision


def kills(
    url: str, count: int, progress: Callable[[int], None], broken: str | None = None
) -> list[Number]:
    """Kill so many processes that write to a new database at `url`; AssertionError tells what went wrong."""
    chance = random.Random(20260101)
    told = Told()
    killed = unknown = landed = 0
    FactStore.open(url).close()
    with ExitStack() as nurseries:
        writing = [nurseries.enter_context(Nursery()) for _ in range(_AT_A_TIME)]
        while killed < count:
            for number, nursery in enumerate(writing):
                nursery.begin(url, f"{killed}-{number}", broken)
            killed += _kill_all(url, writing, chance, told)
            unknown += len(told.unknown)
            store = _open(url)
            told.check(store)
            landed += told.retry(store)
            store.close()
            progress(killed)
    check_from_the_beginning(url, told)
    return [
        Number("processes killed in the middle of writes", killed),
        Number("writes in the end, each whole and once", len(told.landed)),
        Number("writes whose outcome nobody knew", unknown),
        Number("of these, found in the log when asked again", landed),
        Number("acknowledged writes that are lost", 0, 0),
    ]


def _kill_all(url: str, writing: list[Nursery], chance: random.Random, told: Told) -> int:
    """Kill each after it has said some lines, or a process of the database, which ends them all."""
    database_dies = url.startswith("postgresql") and chance.random() < _DATABASE_DIES
    for nursery in writing:
        heard = nursery.hear(chance.randrange(_MOST_LINES))
        time.sleep(chance.random() / 100)
        if database_dies:
            kill_a_process_of_the_database(url)
            database_dies = False
        elif heard[-1:] != [["ended"]]:
            nursery.kill()
        if heard[-1:] != [["ended"]]:
            heard += nursery.hear(sys.maxsize)
        told.note(heard)
    return len(writing)


def kill_a_process_of_the_database(url: str) -> None:
    with psycopg.connect(url, autocommit=True) as connection:
        process = connection.execute(
            "SELECT pid FROM pg_stat_activity "
            "WHERE backend_type = 'client backend' AND pid <> pg_backend_pid() LIMIT 1"
        ).fetchone()
        if process is not None:
            os.kill(process[0], signal.SIGKILL)


def _open(url: str) -> FactStore:
    """Open the database; one of which a process was killed needs a moment."""
    give_up = time.monotonic() + _GIVE_UP_SECONDS
    while True:
        try:
            return FactStore.open(url)
        except StoreUnavailable:
            if time.monotonic() > give_up:
                raise
            time.sleep(0.05)


def check_from_the_beginning(url: str, told: Told) -> None:
    """What was checked piece by piece is still the whole log."""
    again = Told()
    again.acknowledged = told.acknowledged
    store = _open(url)
    again.check(store)
    store.close()
    assert again.landed == told.landed
