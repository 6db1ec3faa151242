"""Work on policies in another process, where it takes neither the interpreter's lock nor a busy core.

Rule 1: each piece of work has a process of its own, with a lower priority, which ends with its result. It
    keeps nothing, so one that dies is an error for whoever wants the result, and for nobody else.
Rule 2: the process is started anew. It is no copy of this one (a fork), in which threads of gRPC run.
Rule 3: it ends when this process does, however that comes about: it notices that the connection is closed.
Rule 4: the result is taken over slowly, a little at a time, as that does need the lock.
"""

import gc
import os
import pickle
import subprocess
import sys
import time
from collections.abc import Callable
from multiprocessing.connection import Connection, Pipe
from threading import Thread
from typing import TypeVar

from authz_service.errors import AuthzError, DeadlinePassed, PreparationFailed
from authz_service.server.garbage import uncollected

T = TypeVar("T")

GivenUp = Callable[[], bool]
"""Says whether nobody waits for the result any longer."""

_LOWER_PRIORITY = 5
_LOOK_SECONDS = 0.1

# A slice takes less than a millisecond, so that four fifths of the time the lock is free.
_SLICE_BYTES = 8192
_PAUSE_SECONDS = 0.004

# The newest one without frames, which are 64 KiB long and taken over in one go.
_PICKLE_PROTOCOL = 3

# The code is found where it was found here, and not in the folder that the server was started in.
_START = (
    "import sys; from importlib import import_module; "
    "module, function, descriptor, *sys.path[:] = sys.argv[1:]; "
    "getattr(import_module(module), function)(int(descriptor))"
)


def elsewhere(work: Callable[[], T], given_up: GivenUp) -> T:
    """Return what `work` returns, or raise the AuthzError that it raises, in another process.

    Both `work` and its result are pickled. Raises PreparationFailed if the process dies, and
    DeadlinePassed soon after `given_up` says so.
    """
    here, there = Pipe()
    with here:
        with there:
            process = _started(there)
        with process:
            try:
                here.send_bytes(pickle.dumps(work))
                result = _received(here, given_up)
            except (EOFError, ConnectionError):
                raise _failure(process.wait()) from None
            finally:
                process.kill()
    with uncollected():
        outcome: T | AuthzError = pickle.Unpickler(_Slowly(result)).load()  # noqa: S301 - our own
    if isinstance(outcome, AuthzError):
        raise outcome
    return outcome


def command(function: Callable[[int], None], descriptor: int) -> list[str]:
    """Return the command of a new process of this program that calls `function` with `descriptor`."""
    start = (function.__module__, function.__name__, str(descriptor))
    return [sys.executable, "-P", "-c", _START, *start, *sys.path]


def _started(there: Connection) -> subprocess.Popen[bytes]:
    """Start a process that works for the other end of `there`; a signal to this one's group is not for it."""
    descriptor = there.fileno()
    return subprocess.Popen(  # noqa: S603 - this program
        command(work, descriptor),
        pass_fds=[descriptor],
        process_group=0,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
    )


def _received(here: Connection, given_up: GivenUp) -> bytes:
    while not here.poll(_LOOK_SECONDS):
        if given_up():
            raise DeadlinePassed("nobody waits for this policy any longer")
    return here.recv_bytes()


def _failure(status: int) -> Exception:
    """Return the error that a process stands for that ended with `status` and without a result."""
    if status > 0:
        return RuntimeError("a defect; what it was, the other process has written to stderr")
    return PreparationFailed(
        f"the process that made the policy ready was ended by signal {-status}, perhaps for want of "
        "memory; try again"
    )


def work(descriptor: int) -> None:
    """Do the work of `elsewhere`, in the other process."""
    os.nice(_LOWER_PRIORITY)
    gc.disable()  # the process ends before a collection would pay
    there = Connection(descriptor)
    asked: Callable[[], object] = pickle.loads(there.recv_bytes())  # noqa: S301 - our own
    Thread(target=_end_with, args=[there], daemon=True).start()
    try:
        outcome = asked()
    except AuthzError as error:
        outcome = error
    there.send_bytes(pickle.dumps(outcome, _PICKLE_PROTOCOL))


def _end_with(there: Connection) -> None:
    """End this process, in the middle of its work, when nobody is at the other end any more."""
    try:
        there.recv_bytes()
    except (EOFError, OSError):
        os._exit(0)


class _Slowly:
    """A pickle as a file that is read in small slices, with a pause before each but the first."""

    def __init__(self, pickled: bytes) -> None:
        self._pickled = memoryview(pickled)
        self._position = 0

    def peek(self, size: int) -> bytes:
        """Return what comes next. This is what the unpickler asks for when it has nothing left to do."""
        if self._position:
            time.sleep(_PAUSE_SECONDS)
        end = self._position + min(size, _SLICE_BYTES)
        return bytes(self._pickled[self._position : end])

    def read(self, size: int) -> bytes:
        start = self._position
        self._position = min(start + size, len(self._pickled))
        return bytes(self._pickled[start : self._position])

    def readline(self) -> bytes:
        rest = bytes(self._pickled[self._position :])
        return self.read(rest.find(b"\n") + 1 or len(rest))
