"""Trimming: memory that is free goes back to the system.

The C library keeps what lies between pieces that stay; after a load that is a sixth of the process. It also
keeps, at the end of what it has, twice the largest piece that it was ever given back (mallopt(3), "dynamic
mmap threshold"); after some requests of 4 MiB that is tens of MiB, for good.
"""

import ctypes

_M_TRIM_THRESHOLD = -1
_KEPT_BYTES = 2**20


def trim() -> None:
    """Give back all memory that is free. Does nothing where the C library cannot do it."""
    give_back = getattr(ctypes.CDLL(None), "malloc_trim", None)
    if give_back is not None:
        give_back(0)


def keep_trimmed() -> None:
    """Give back memory at the end as soon as 1 MiB of it is free, for the rest of this process.

    Does nothing where the C library cannot do it.
    """
    set_option = getattr(ctypes.CDLL(None), "mallopt", None)
    if set_option is not None:
        set_option(_M_TRIM_THRESHOLD, _KEPT_BYTES)
