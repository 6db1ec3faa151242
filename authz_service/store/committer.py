"""Committer: the one thread of a process that writes, and packs what waits into one transaction.

Rule 1: jobs are committed in the order of `submit`; each has its own result or error.
Rule 2: a job that raises an AuthzError has done nothing, and its neighbours do not notice.
Rule 3: a job hears of its success after the commit. If the database fails, all jobs of the pack hear of that.
Rule 4: a job whose caller gave up before it was taken is left out; one that was taken is carried through.
While one pack is being written to the disk the next one fills up, so one flush serves many writes.
"""

import queue
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import Any, TypeVar

from sqlalchemy import Connection

from authz_service.errors import AuthzError, StoreUnavailable
from authz_service.facts.fact import Fact
from authz_service.store.database import Database
from authz_service.store.pack import Pack

T = TypeVar("T")
Job = Callable[[Pack], T]

# Of one pack: its jobs wait for each other, and other processes for the lock. A job may be larger by itself.
_MOST_JOBS = 256
_MOST_FACTS = 5000


@dataclass(slots=True)
class _Pending:
    """A job, and who waits for it."""

    job: Job[Any]
    named: tuple[str, Sequence[Fact]]
    future: Future[Any] = field(default_factory=Future)


class Committer:
    """Runs jobs in transactions of `database`, until it is closed."""

    def __init__(self, database: Database, begin: Callable[[Connection], Pack]) -> None:
        self._database = database
        self._begin = begin
        self._waiting: queue.SimpleQueue[_Pending | None] = queue.SimpleQueue()
        self._lock = threading.Lock()
        self._is_closed = False
        self._thread = threading.Thread(target=self._run, name="commit", daemon=True)
        self._thread.start()

    def submit(self, job: Job[T], named: tuple[str, Sequence[Fact]] = ("", ())) -> "Future[T]":
        """Have `job` committed; the future has what it returned, or its AuthzError or StoreUnavailable.

        The facts that the job is about can be named, with their store: those of a pack are read together.
        """
        pending = _Pending(job, named)
        with self._lock:
            if self._is_closed:
                raise RuntimeError("the store is closed")
            self._waiting.put(pending)
        return pending.future

    def close(self) -> None:
        """Commit what was submitted, and end."""
        with self._lock:
            if not self._is_closed:
                self._is_closed = True
                self._waiting.put(None)
        self._thread.join()

    def _run(self) -> None:
        while True:
            taken = self._take()
            pack = [one for one in taken if one and one.future.set_running_or_notify_cancel()]
            if pack:
                self._commit(pack)
            if taken[-1] is None:
                return

    def _take(self) -> list[_Pending | None]:
        """Wait for a job, and return it with those that wait behind it; None at the end of all."""
        taken: list[_Pending | None] = []
        facts = 0
        while True:
            one = self._waiting.get()
            taken.append(one)
            facts += len(one.named[1]) if one else 0
            is_full = len(taken) >= _MOST_JOBS or facts >= _MOST_FACTS
            if one is None or is_full or self._waiting.empty():
                return taken

    def _commit(self, pack: Sequence[_Pending]) -> None:
        is_committing = False
        try:
            with self._database.writing() as connection:
                begun = self._begin(connection)
                begun.foresee(pending.named for pending in pack if pending.named[1])
                outcomes = [_attempt(pending.job, begun) for pending in pack]
                begun.flush()
                is_committing = True
        # A thread that ended here would leave every later write waiting for ever.
        except BaseException as error:  # noqa: BLE001
            if len(pack) == 1 or is_committing or isinstance(error, StoreUnavailable):
                for pending in pack:
                    pending.future.set_exception(error)
            else:
                # A defect, that one of them runs into: the others do not have it.
                for pending in pack:
                    self._commit([pending])
            return
        for pending, outcome in zip(pack, outcomes, strict=True):
            if isinstance(outcome, AuthzError):
                pending.future.set_exception(outcome)
            else:
                pending.future.set_result(outcome)


def _attempt(job: Job[T], pack: Pack) -> T | AuthzError:
    try:
        return job(pack)
    except AuthzError as error:
        return error
