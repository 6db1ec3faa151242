"""When the garbage collector must not run: while much is made that is going to stay.

A full collection stops all threads for tenths of a second, and would find nothing there.
"""

import gc
from collections.abc import Iterator
from contextlib import contextmanager


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
