"""Copies of the replica are written beside the requests: the snapshot file of a process, and checkpoints.

The file is written again and again, and once more when the server stops; also when nothing has changed, as it
says until when that is known, but not if the database could not be reached since. A checkpoint is for all
processes of a database, and one of them writes it when enough has changed. Either may take a small share of the
time only.
"""

import asyncio
import time
from collections.abc import Callable
from concurrent.futures import Executor
from pathlib import Path
from random import random

import structlog

from authz_service.errors import StoreUnavailable
from authz_service.replica.replica import NEVER_FRESH, P, Replica
from authz_service.server.pause import has_stopped

_REST_SECONDS = 0.005
"""So long whatever is written rests after each part of about a millisecond."""

_SECONDS = 60.0
_TIMES_ITS_TIME = 15

_FIRST_LOOK_SECONDS = 60.0
_LOOK_SECONDS = 20.0
_TIMES_ITS_TIME_HERE = 3
"""As a checkpoint is of no use if too much was written since."""

_log = structlog.get_logger("authz.replica")


async def keep_snapshot_file(replica: Replica[P], path: Path, stopped: asyncio.Event) -> None:
    """Write the file now and every minute or less often, until `stopped` is set, and then for the last time."""
    written = NEVER_FRESH
    while True:
        is_last = stopped.is_set()
        start = time.monotonic()
        if replica.applied.fresh_as_of != written:
            written = await _write(replica, path, written, _resting(stopped))
        if is_last:
            return
        await has_stopped(stopped, max(_SECONDS, _TIMES_ITS_TIME * (time.monotonic() - start)))


async def _write(
    replica: Replica[P], path: Path, written: float, rest: Callable[[], object]
) -> float:
    """Write the file, and return of what time it is now."""
    fresh_as_of = replica.applied.fresh_as_of
    try:
        await asyncio.to_thread(replica.save_file, path, rest)
    except OSError as error:
        _log.error("snapshot file not written", path=str(path), cause=str(error))
        return written
    return fresh_as_of


async def keep_checkpoint(
    replica: Replica[P],
    looking: Executor,
    stopped: asyncio.Event,
    chance: Callable[[], float] = random,
) -> None:
    """Write a checkpoint whenever there should be another one, until `stopped` is set.

    Whether there should be is found out in `looking`. `chance` returns a number from 0 to 1, another one in
    each process, so that not all look at one moment.
    """
    pause = _FIRST_LOOK_SECONDS
    while not await has_stopped(stopped, pause * (0.5 + chance() / 2)):
        start = time.monotonic()
        try:
            loop = asyncio.get_running_loop()
            write = await loop.run_in_executor(looking, replica.due_checkpoint)
            if write is not None:
                await asyncio.to_thread(write, _resting(stopped))
        except StoreUnavailable as error:
            _log.warning("checkpoint put off", cause=error.message)
        # What ended here would never be done again, and nobody would notice.
        except Exception as error:  # noqa: BLE001
            _log.error("checkpoint failed", exc_info=error)
        pause = max(_LOOK_SECONDS, _TIMES_ITS_TIME_HERE * (time.monotonic() - start))


def _resting(stopped: asyncio.Event) -> Callable[[], bool]:
    """Return what rests for a moment, and says whether to go on; at once if `stopped` is set, and then not."""

    def rest() -> bool:
        if stopped.is_set():
            return False
        time.sleep(_REST_SECONDS)
        return not stopped.is_set()

    return rest
