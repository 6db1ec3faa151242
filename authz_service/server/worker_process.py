"""WorkerProcess: a worker as its supervisor sees it, from its start to its end.

Rule 1: it is started anew. It is no copy of this process (a fork), in which threads run.
Rule 2: it is in a process group of its own: Ctrl-C is for the supervisor, which tells its workers.
"""

import asyncio
import signal
import socket
from asyncio.subprocess import DEVNULL, Process
from contextlib import ExitStack
from typing import TypeVar

from authz_service.server.channel import Channel, Order, Orders
from authz_service.server.other_process import command
from authz_service.server.worker import work

T = TypeVar("T")


class WorkerProcess:
    """A process; `close` when it is no longer wanted."""

    def __init__(self, process: Process, orders: Orders) -> None:
        self._process = process
        self._orders = orders
        self.id = process.pid

    @classmethod
    async def started(cls) -> "WorkerProcess":
        """Start a process. Raises OSError."""
        here, there = socket.socketpair()
        with there, ExitStack() as on_failure:
            on_failure.callback(here.close)
            process = await asyncio.create_subprocess_exec(
                *command(work, there.fileno()),
                pass_fds=[there.fileno()],
                process_group=0,
                stdin=DEVNULL,
                stdout=DEVNULL,
            )
            on_failure.pop_all()
        return cls(process, Orders(await Channel.over(here)))

    async def ask(self, order: Order[T]) -> T:
        """Return what it answers. Raises the error that it answers with, and WorkerGone."""
        return await self._orders.ask(order)

    async def ended(self) -> str:
        """Wait for its end, and say how it came about."""
        status = await self._process.wait()
        return f"signal {signal.Signals(-status).name}" if status < 0 else f"exit status {status}"

    def terminate(self) -> None:
        """Ask it to end, in its own time if it serves."""
        if self._process.returncode is None:
            self._process.terminate()

    async def close(self) -> None:
        """End it at once, if it has not ended."""
        if self._process.returncode is None:
            self._process.kill()
        await self._process.wait()
        await self._orders.close()
