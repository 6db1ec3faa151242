"""Pauses of what goes on beside the requests, each of which ends when the server stops."""

import asyncio


async def has_stopped(stopped: asyncio.Event, seconds: float) -> bool:
    """Wait until `stopped` is set, but not longer than so many seconds; say whether it is."""
    try:
        async with asyncio.timeout(seconds):
            return await stopped.wait()
    except TimeoutError:
        return False
