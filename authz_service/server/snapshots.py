"""Writing the snapshot file beside the requests: again and again, and once more when the server stops.

It is written also when nothing has changed, as it says until when that is known; but not if the database could
not be reached since. That may take a hundredth of the time at most.
"""

import asyncio
import time
from pathlib import Path

import structlog

from authz_service.replica.replica import NEVER_FRESH, P, Replica

_SECONDS = 60.0
_TIMES_ITS_COST = 100

_log = structlog.get_logger("authz.replica")


async def keep_snapshot_file(replica: Replica[P], path: Path, stopped: asyncio.Event) -> None:
    """Write the file now and every minute or less often, until `stopped` is set, and then for the last time."""
    written = NEVER_FRESH
    while True:
        is_last = stopped.is_set()
        start = time.monotonic()
        if replica.applied.fresh_as_of != written:
            written = await _write(replica, path, written)
        if is_last:
            return
        seconds = max(_SECONDS, _TIMES_ITS_COST * (time.monotonic() - start))
        try:
            async with asyncio.timeout(seconds):
                await stopped.wait()
        except TimeoutError:
            continue


async def _write(replica: Replica[P], path: Path, written: float) -> float:
    """Write the file, and return of what time it is now."""
    fresh_as_of = replica.applied.fresh_as_of
    try:
        await asyncio.to_thread(replica.save_file, path)
    except OSError as error:
        _log.error("snapshot file not written", path=str(path), cause=str(error))
        return written
    return fresh_as_of
