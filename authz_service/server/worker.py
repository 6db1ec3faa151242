"""A worker: a process that serves, beside others on the same port, at the orders of a supervisor.

Rule 1: it listens when it has loaded everything, not before: a shared port does not look at health.
Rule 2: it ends with its supervisor, however that ends. If it serves, it lets running requests end before.
Rule 3: an error that a person can act on is an answer; a defect ends the process.
"""

import asyncio
import os
import signal
import socket
from contextlib import suppress

from authz_service.errors import AuthzError, StoreUnavailable
from authz_service.server.app import (
    ListenFailed,
    Server,
    StoredPolicyInvalid,
    end_when_hung,
    prepare_process,
)
from authz_service.server.channel import Beat, Channel, Collect, Listen, Load, Order, Publish
from authz_service.server.log import log_to_stderr
from authz_service.settings import Settings


def work(descriptor: int) -> None:
    """Serve at the orders that come through the socket `descriptor`, until a signal or its end."""
    prepare_process()
    asyncio.run(_work(socket.socket(fileno=descriptor)))


async def _work(end: socket.socket) -> None:
    worker = _Worker(await Channel.over(end))
    async with asyncio.TaskGroup() as tasks:
        obeying = tasks.create_task(worker.obey(tasks))
        await worker.ended.wait()
        await worker.stop()
        obeying.cancel()


class _Worker:
    """One server, and the channel that its orders come through."""

    def __init__(self, channel: Channel) -> None:
        self.ended = asyncio.Event()
        self._channel = channel
        self._server: Server | None = None
        self._settings: Settings | None = None
        self._is_serving = False
        self._watching: asyncio.Task[None] | None = None

    async def obey(self, tasks: asyncio.TaskGroup) -> None:
        """Do what is ordered, several things at a time, until there is no supervisor any more."""
        async for number, order in self._channel.messages():
            tasks.create_task(self._answer(number, order))
        if not self._is_serving:
            # Nothing was accepted, so there is nothing to wait for, and a load may take long.
            os._exit(0)
        self.ended.set()

    async def stop(self) -> None:
        if self._watching is not None:
            self._watching.cancel()
        if self._server is not None:
            await self._server.stop()

    async def _answer(self, number: int, order: Order[object]) -> None:
        try:
            outcome = await self._do(order)
        except (AuthzError, StoredPolicyInvalid, ListenFailed) as error:
            outcome = error
        self._channel.send(number, outcome)

    async def _do(self, order: Order[object]) -> object:
        if isinstance(order, Load):
            log_to_stderr(order.settings.log_level, worker=order.number)
            self._settings = order.settings
            self._server = Server(order.settings, is_worker=True)
            await self._server.load()
            return None
        assert self._server is not None, "the first order is to load"
        assert self._settings is not None
        match order:
            case Publish(files):
                return await self._server.publish(files)
            case Collect():
                return list(self._server.collector.collect())
            case Listen():
                await self._listen(self._server, self._settings)
            case _:
                assert isinstance(order, Beat), order
        return None

    async def _listen(self, server: Server, settings: Settings) -> None:
        # A database that fails just now is what the replica copes with from here on.
        with suppress(StoreUnavailable):
            await server.catch_up()
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self.ended.set)
        self._is_serving = True
        await server.start()
        self._watching = asyncio.create_task(end_when_hung(server, settings))
