"""When the garbage collector must not run: while much is made that is going to stay, and all the time.

A full collection stops all threads for tenths of a second, and would find nothing there. Small ones stop them
for a millisecond, as the dicts of the last writes, with thousands of entries, are among what is new.
"""

import gc
from collections.abc import Iterator
from contextlib import contextmanager

_NEW_OBJECTS = 10_000
"""So many more objects than were freed are made before the collector looks at them."""


def collect_seldom() -> None:
    """Have the garbage collector run once where it would run more than ten times, from now on."""
    gc.set_threshold(_NEW_OBJECTS)


@contextmanager
def uncollected() -> Iterator[None]:
    """Keep the garbage collector away from what is made inside, then and later.

    Garbage in circles that anybody makes meanwhile is kept for good, so the inside should be short.
    """
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()
        if was_enabled:
            gc.enable()
