"""Policies are made ready before they answer: checked, compiled and, by the replica, indexed.

Rule 1: this happens in a thread beside the one that answers, and gives way to it between small parts of
    the work: both need the interpreter's lock. (A lower priority for the thread was tried, and helps nobody.)
Rule 2: the garbage collector does not run meanwhile, and does not look at what was loaded later on either. A
    full collection stops all threads for tenths of a second, and would find nothing here.
Rule 3: a policy that is published is loaded once, though it is wanted twice: to be tested, and when it comes
    with the log.
"""

import gc
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from authz_service.engine.engines import LoadedPolicy, Loader
from authz_service.facts.policy_text import PolicyFile

_PAUSE_SECONDS = 0.001


def prepared(load: Loader) -> Loader:
    """Return `load`, followed by all that questions like those of before would wait for."""
    newest: tuple[tuple[PolicyFile, ...], LoadedPolicy] | None = None

    def load_prepared(files: Sequence[PolicyFile]) -> LoadedPolicy:
        nonlocal newest
        former = newest
        if former is not None and former[0] == tuple(files):
            return former[1]
        with uncollected():
            loaded = load(files)
            for _ in loaded.program.prepare(former[1].program if former else None):
                time.sleep(_PAUSE_SECONDS)
        newest = tuple(files), loaded
        return loaded

    return load_prepared


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
