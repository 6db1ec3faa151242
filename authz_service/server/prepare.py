"""Policies are made ready before they answer: checked, compiled and, by the replica, indexed.

Rule 1: this happens in a thread beside the one that answers, which gives way to it: the system prefers
    other threads, and between small parts of the work it lets go of the interpreter's lock.
Rule 2: the garbage collector does not run meanwhile, and does not look at what was loaded later on either. A
    full collection stops all threads for tenths of a second, and would find nothing here.
Rule 3: a policy that is published is loaded once, though it is wanted twice: to be tested, and when it comes
    with the log.
"""

import gc
import os
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

from authz_service.engine.engines import LoadedPolicy, Loader
from authz_service.engine.program import Program
from authz_service.facts.policy_text import PolicyFile

_PAUSE_SECONDS = 0.001
_NICENESS = 10


def prepared(load: Loader) -> Loader:
    """Return `load`, followed by all that questions like those of before would wait for."""
    newest: tuple[tuple[PolicyFile, ...], LoadedPolicy] | None = None

    def load_prepared(files: Sequence[PolicyFile]) -> LoadedPolicy:
        nonlocal newest
        former = newest
        if former is not None and former[0] == tuple(files):
            return former[1]
        with ThreadPoolExecutor(1, "prepare", _give_way) as thread:
            loaded = thread.submit(_prepare, load, files, former[1].program if former else None)
        newest = tuple(files), loaded.result()
        return newest[1]

    return load_prepared


def _prepare(load: Loader, files: Sequence[PolicyFile], former: Program | None) -> LoadedPolicy:
    with uncollected():
        loaded = load(files)
        for _ in loaded.program.prepare(former):
            time.sleep(_PAUSE_SECONDS)
    return loaded


def _give_way() -> None:
    """Let the system prefer other threads to this one, for as long as it lives."""
    # On Linux a thread has a priority of its own; elsewhere it would be that of the whole process.
    if sys.platform == "linux":
        os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), _NICENESS)


@contextmanager
def uncollected() -> Iterator[None]:
    """Keep the garbage collector away from what is made inside, then and later."""
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()
        if was_enabled:
            gc.enable()
