"""Upkeep: whatever fails, it is tried again."""

import asyncio
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest

from authz_service.errors import StoreUnavailable
from authz_service.server.upkeep import Upkeep


class Failing:
    """A store whose upkeep fails as it is told to."""

    def __init__(self, error: Exception) -> None:
        self.error = error
        self.tries = 0

    def remove_expired(self) -> int:
        self.tries += 1
        raise self.error


@pytest.mark.parametrize("error", [StoreUnavailable("away"), ValueError("a defect")])
def test_upkeep_goes_on(error):
    store = Failing(error)
    with ThreadPoolExecutor(1) as thread:
        upkeep = Upkeep(store, timedelta(days=30), thread)
        for _ in range(2):
            asyncio.run(upkeep.run())
    assert store.tries == 2
