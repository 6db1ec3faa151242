"""F5: a standby that lags, is far behind, or has what the primary has lost; and a primary that goes back in time.

A service reads copies and the log from a real standby whose replay is paused and resumed. Whatever it is asked with
a token, or fully consistently, it answers by what was written. Then the primary is put back to an earlier time,
by a recovery or by a bare copy, while the service runs and the standby still has what was lost.
"""

import time
from collections.abc import Callable
from pathlib import Path

import authz
from examples import fact_lines, policy_text
from patient import Patient
from postgresql import Server, Standby
from report import Number

from authz_service.errors import StoreUnavailable
from authz_service.facts.change import Delete, Insert, WriteRequest
from authz_service.facts.fact import Fact
from authz_service.facts.value import Value
from authz_service.replica.replica import Replica
from authz_service.store.fact_store import FactStore

SUSPENDED = Fact("is_suspended", (Value("Employee", "alice"),))
_SECONDS = 30


def standbys(folder: Path, count: int, progress: Callable[[int], None]) -> list[Number]:
    """Pause and resume the replay so many times, and put the primary back twice; AssertionError tells what is wrong."""
    primary = Server()
    service: Patient | None = None
    standby: Standby | None = None
    try:
        FactStore.open(primary.url("postgres")).close()
        standby = Standby(primary)
        urls = {
            "database_url": primary.url("postgres"),
            "read_database_urls": standby.url("postgres"),
        }
        service = Patient(folder, "healthy", **urls)
        service.client.publish_policy({"policy.polar": policy_text("security_company")}, timeout=20)
        service.client.write_facts(insert=fact_lines("security_company"))
        told = _Told(service, primary, standby)
        for number in range(count):
            told.round(number)
            progress(number + 1)
        restored = [told.put_back(recovers=recovers) for recovers in (True, False)]
    finally:
        if service is not None:
            service.end()
        if standby is not None:
            standby.remove()
        primary.remove()
    return [
        Number("pauses of the replay", count),
        Number("questions with a token or fully consistent", told.asked),
        Number("stale answers", told.stale, 0),
        Number("copies made meanwhile", told.copies),
        Number("copies passed off as newer than they are", told.old_copies, 0),
        Number("tokens of the life before, after the primary was put back", told.old_tokens),
        Number("old tokens that were not refused as REVISION_UNKNOWN", told.accepted, 0),
        Number("longest time until all is answered by what is there, s", max(restored), _SECONDS),
    ]


class _Told:
    """What was written, and what the service said."""

    def __init__(self, service: Patient, primary: Server, standby: Standby) -> None:
        self._service, self._primary, self._standby = service, primary, standby
        self._tokens: list[authz.Consistency] = []
        self._is_suspended = False
        self.asked = self.stale = self.copies = self.old_copies = 0
        self.old_tokens = self.accepted = 0

    def round(self, number: int) -> None:
        """Write and ask while the standby replays nothing, and while it replays all."""
        self._standby.pause()
        for _ in range(3):
            self._ask(self._write())
        if number % 5 == 0:
            self._copy()
        self._standby.resume()
        for _ in range(3):
            self._ask(self._write())
        if number % 5 == 0:
            self._copy()

    def _write(self) -> authz.AtLeastAsFresh:
        """Suspend Alice or not, behind the back of the service."""
        store = FactStore.open(self._primary.url("postgres"))
        try:
            write = Delete(SUSPENDED) if self._is_suspended else Insert(SUSPENDED)
            token = store.write("default", WriteRequest([write])).token
        finally:
            store.close()
        self._is_suspended = not self._is_suspended
        self._tokens.append(authz.AtLeastAsFresh(str(token)))
        return self._tokens[-1]

    def _ask(self, token: authz.AtLeastAsFresh) -> None:
        for demand in (token, authz.FullyConsistent()):
            self.asked += 1
            self.stale += self._service.permits(demand) is self._is_suspended

    def _copy(self) -> None:
        """Load as a process does that starts."""
        url, standby = self._primary.url("postgres"), self._standby.url("postgres")
        store = FactStore.open(url, read_database_urls=[standby])
        try:
            revision = store.head().revision
            replica: Replica[object] = Replica(store, tuple)
            replica.load()
            self.copies += 1
            self.old_copies += replica.revision < revision
            self.old_copies += (
                SUSPENDED in set(replica.state("default").facts)
            ) is not self._is_suspended
            replica.close()
        finally:
            store.close()

    def put_back(self, *, recovers: bool) -> float:
        """Have the primary lose what was written last, write other things, and see what became of the tokens."""
        was_suspended = self._is_suspended
        self._primary.back_up()
        # So many that what is written afterwards does not get to their revisions.
        for _ in range(5):
            self._ask(self._write())
        old, self._tokens = self._tokens, []
        self._primary.put_back(recovers=recovers)
        self._is_suspended = was_suspended
        start = time.monotonic()
        if not recovers:
            store = self._opened()
            store.begin_life()
            store.close()
        self._opened().close()
        token = self._write()
        while isinstance(answer := self._service.ask_or_fail(token), authz.AuthzError):
            assert time.monotonic() - start < _SECONDS, answer
            time.sleep(0.05)
        took = time.monotonic() - start
        self._ask(token)
        for _ in range(6):
            self._ask(self._write())
        for demand in old:
            self.old_tokens += 1
            refused = self._service.ask_or_fail(demand)
            self.accepted += getattr(refused, "reason", "") != "REVISION_UNKNOWN"
        self._copy()
        return took

    def _opened(self) -> FactStore:
        """Open the primary as soon as it is one again."""
        end = time.monotonic() + _SECONDS
        while True:
            try:
                return FactStore.open(self._primary.url("postgres"))
            except StoreUnavailable:
                assert time.monotonic() < end
                time.sleep(0.05)
