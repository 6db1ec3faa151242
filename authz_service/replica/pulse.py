"""Pulse: the signs of life of whoever moves a replica on, in a thread that nobody can look into.

Rule 1: a thread that waits for the database is not hung, however long it takes: `outside` says that it does,
    and how old the copy becomes meanwhile is another matter. Anything else beats within five seconds.
Rule 2: a call to the database can be given up. Its thread learns of that before it can change anything, so
    another one may take over at once.
"""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TypeVar

T = TypeVar("T")

QUIET_SECONDS = 5.0
"""Who gives no sign of life for so long is hung."""

_LOADING_SECONDS = 900.0
"""Making a whole copy of the stores takes its time, in steps that cannot be looked into."""


class GivenUp(Exception):
    """This call to the database was given up, and whatever it brings does not matter any more."""


class Call:
    """One call to the database; what counts is which one it is, and how many parts of its answer have come."""

    __slots__ = ("parts",)

    def __init__(self) -> None:
        self.parts = 0


class Pulse:
    """Beats in one thread at a time; may be looked at from any."""

    def __init__(self) -> None:
        self.beats = 0
        self._lock = threading.Lock()
        self._call: Call | None = None
        self._loading: object = None

    def beat(self) -> None:
        self.beats += 1

    @property
    def call(self) -> Call | None:
        """The call to the database that is waited for."""
        return self._call

    @property
    def patience(self) -> float:
        """How many seconds without a beat are in order now. To be read before `beats`."""
        if self._call is not None:
            return float("inf")
        return QUIET_SECONDS if self._loading is None else _LOADING_SECONDS

    def outside(self, ask: Callable[[], T]) -> T:
        """Return what `ask` returns, which waits for the database. Raises GivenUp if that was given up."""
        return self.outside_in_parts(lambda _: ask())

    def outside_in_parts(self, ask: Callable[[Callable[[], None]], T]) -> T:
        """Do what `outside` does, for an answer that comes in parts: `ask` calls what it is given after each.

        That raises GivenUp, too, so that nobody reads on for nothing.
        """
        call = Call()

        def has_come() -> None:
            call.parts += 1
            if self._call is not call:
                raise GivenUp

        with self._lock:
            self._call = call
        try:
            answer = ask(has_come)
        finally:
            with self._lock:
                is_given_up = self._call is not call
                if not is_given_up:
                    self._end_call()
            if is_given_up:
                # Also in place of an error, that would mean something to whoever goes on.
                raise GivenUp
        return answer

    def give_up(self, call: Call) -> bool:
        """Give up `call`; say whether that was in time, else it has just returned."""
        with self._lock:
            was_in_time = self._call is call
            if was_in_time:
                self._end_call()
        return was_in_time

    def _end_call(self) -> None:
        # INVARIANT: who sees that nobody waits for the database any more, sees the sign of life of its end.
        self.beat()
        self._call = None

    @contextmanager
    def loading(self) -> Iterator[None]:
        """Do what takes long without a beat."""
        loading = self._loading = object()
        try:
            yield
        finally:
            self.beat()
            # A thread whose call was given up comes here while another one is loading.
            if self._loading is loading:
                self._loading = None
