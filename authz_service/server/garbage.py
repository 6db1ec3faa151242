"""When the garbage collector must not run: while much is made that is going to stay, and all the time.

A full collection stops all threads for tenths of a second, and would find nothing there. Of what is new each
object takes microseconds, as it is in no cache any more, so little is looked at in one go. There are circles in
it: gRPC leaves one behind with each call.
"""

import gc
from collections.abc import Iterator
from contextlib import contextmanager

_NEW_OBJECTS = 1000
"""So many more objects than were freed are made before the collector looks at them: 3 milliseconds."""

_TIMES = 1000
"""So often it does that before it looks again at those that stayed, which are mostly facts written since."""


def collect_a_little() -> None:
    """Have the garbage collector stop the threads of this process for a short time only, from now on."""
    gc.set_threshold(_NEW_OBJECTS, _TIMES)


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
