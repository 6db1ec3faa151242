"""Standbys: copies of the database that others than the primary keep, and what may be read of them.

Rule 1: a standby is read only at a state that has all that the head of the primary showed, in the same life of
    the database. That is looked at in the transaction that reads.
Rule 2: what a standby has beyond that is not believed: another one may have become the primary without it.
Rule 3: a standby that cannot be used is no error. Whoever asks is told so, and reads at the primary.
Where the head is, is never asked of a standby.
"""

import threading
import time
from collections.abc import Callable, Sequence
from typing import Final, TypeVar

import structlog
from sqlalchemy import Connection
from sqlalchemy.exc import DBAPIError

from authz_service.errors import StoreUnavailable
from authz_service.facts.revision import Revision
from authz_service.store import dialect
from authz_service.store.database import Database
from authz_service.store.head import Head, read_head

T = TypeVar("T")

_REST_SECONDS: Final = 10.0
"""So long a standby is left alone that has failed."""

_LAG_SECONDS: Final = 1.0
_LOOK_SECONDS: Final = 0.05

_log = structlog.get_logger("authz.store")


class _Standby:
    """One of them, and whether it is worth asking."""

    def __init__(self, database_url: str) -> None:
        self.database = Database(dialect.open_engine(database_url, is_standby=True))
        self._lock = threading.Lock()
        self._is_asked = False
        self._rests_until = 0.0
        self._told = ""

    @property
    def place(self) -> str:
        return dialect.place(self.database.engine)

    def take(self) -> bool:
        """Say whether it may be asked now; if so, `give_back` must follow.

        One that has not answered yet, which may be never, is not asked by anybody else.
        """
        with self._lock:
            may_be_asked = not self._is_asked and time.monotonic() >= self._rests_until
            self._is_asked = self._is_asked or may_be_asked
        return may_be_asked

    def give_back(self, problem: str = "") -> None:
        """Be done with it; tell of a problem, but not twice of the same."""
        if problem:
            self._rests_until = time.monotonic() + _REST_SECONDS
        if problem and problem != self._told:
            _log.warning("standby not used", standby=self.place, cause=problem)
        elif self._told and not problem:
            _log.info("standby used again", standby=self.place)
        self._told = problem
        self._is_asked = False


class Standbys:
    """The standbys of one primary, each as good as any other. None is opened before it is needed."""

    def __init__(self, database_urls: Sequence[str]) -> None:
        self._all = [_Standby(url) for url in database_urls]

    def __bool__(self) -> bool:
        return bool(self._all)

    def close(self) -> None:
        for standby in self._all:
            standby.database.close()

    def read(
        self, shown: Head, work: Callable[[Connection, Head], T], *, wait: bool = False
    ) -> T | None:
        """Return what `work` reads of a standby that has what the primary has shown; None if none has.

        `work` is given the head of the standby, which may be beyond. With `wait`, one that lags behind gets a
        moment. Raises what `work` raises, except for problems of the standby.
        """
        patient_until = time.monotonic() + (_LAG_SECONDS if wait else 0)
        while True:
            lags = False
            for standby in self._all:
                if standby.take():
                    found, reached = self._read(standby, shown, work)
                    if found is not None:
                        return found
                    lags = lags or not reached
            if not lags or time.monotonic() >= patient_until:
                return None
            time.sleep(_LOOK_SECONDS)

    def _read(
        self, standby: _Standby, shown: Head, work: Callable[[Connection, Head], T]
    ) -> tuple[T | None, bool]:
        """Return what `work` reads, and False if the standby is not that far yet."""
        problem = ""
        try:
            with standby.database.reading() as connection:
                head = read_head(connection)
                if not has_reached(head, shown.incarnation, shown.revision):
                    return None, False
                return work(connection, head), True
        except StoreUnavailable as error:
            problem = error.message
        # It may not even have the tables yet.
        except DBAPIError as error:
            problem = f"it cannot be read: {type(error.orig).__name__}"
        finally:
            standby.give_back(problem)
        return None, True


def has_reached(head: Head, incarnation: str, revision: Revision) -> bool:
    """Say whether a standby, of which this is the head, has all up to `revision` of that life."""
    return head.incarnation == incarnation and head.revision >= revision
