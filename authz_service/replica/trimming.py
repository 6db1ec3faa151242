"""Trimming: what loading took for a while goes back to the system.

The C library keeps what lies between pieces that stay; after a load that is a sixth of the process.
"""

import ctypes


def trim() -> None:
    """Give back all memory that is free. Does nothing where the C library cannot do it."""
    give_back = getattr(ctypes.CDLL(None), "malloc_trim", None)
    if give_back is not None:
        give_back(0)
