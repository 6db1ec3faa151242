"""The clock that tells how old a copy is."""

import time

# Linux stops its monotonic clock while the machine sleeps, and what is in memory ages all the same.
_CLOCK = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)


def uptime() -> float:
    """Return seconds since some start. They never go back, and go on while the process is stopped."""
    return time.clock_gettime(_CLOCK)
