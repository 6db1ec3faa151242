"""Upkeep: expired facts are removed from the database, and history is forgotten in its time.

Decisions do not depend on it. Every process does it; what one has done, the others find done.
"""

import asyncio
import time
from concurrent.futures import Executor
from datetime import timedelta

import structlog

from authz_service.errors import StoreUnavailable
from authz_service.store.fact_store import FactStore

UPKEEP_SECONDS = 1.0
"""So often something can be due of it."""

_COMPACT_SECONDS = 3600.0

_log = structlog.get_logger("authz.upkeep")


class Upkeep:
    """What is due of it, at each `run`, is done in `thread`."""

    def __init__(self, store: FactStore, history_kept: timedelta, thread: Executor) -> None:
        self._store = store
        self._thread = thread
        self._history_kept = history_kept
        self._compacted_at = time.monotonic()

    async def run(self) -> None:
        """Do what is due. What fails is tried again at the next run."""
        loop = asyncio.get_running_loop()
        try:
            removed = await loop.run_in_executor(self._thread, self._store.remove_expired)
            if removed:
                _log.info("removed what had expired", facts=removed)
            if time.monotonic() - self._compacted_at > _COMPACT_SECONDS:
                reached = await loop.run_in_executor(
                    self._thread, self._store.compact, self._history_kept
                )
                self._compacted_at = time.monotonic()
                _log.info("history compacted", begins_at=reached)
        except StoreUnavailable as error:
            _log.warning("upkeep put off", cause=error.message)
        # What ended here would never be done again, and nobody would notice.
        except Exception as error:  # noqa: BLE001
            _log.error("upkeep failed", exc_info=error)
