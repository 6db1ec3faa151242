"""What a supervisor and a worker say to each other, over a pair of sockets that nobody else has.

Rule 1: the supervisor gives orders, the worker answers. Several may be open, and answers come in any order.
Rule 2: the end of a process is the end of its channel: who waits for an answer of it learns that it is gone.
Rule 3: both are the same program, so what they say is pickled.
"""

import asyncio
import pickle
import socket
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from itertools import count
from typing import Any, Generic, TypeVar

from prometheus_client.core import Metric

from authz_service.facts.policy_text import PolicyFile
from authz_service.pap.administration import PolicyPublished
from authz_service.settings import Settings

T = TypeVar("T")
T_co = TypeVar("T_co", covariant=True)

_LENGTH_BYTES = 8


class Order(Generic[T_co]):
    """Something that a worker is to do, and to answer with T_co or an error."""


@dataclass(frozen=True)
class Load(Order[None]):
    """Load the store. The first order that a worker gets."""

    number: int
    settings: Settings


@dataclass(frozen=True)
class Publish(Order[PolicyPublished]):
    """Make `files` the active policy."""

    files: Sequence[PolicyFile]


@dataclass(frozen=True)
class Listen(Order[None]):
    """Catch up, then open the listener on the shared port."""


@dataclass(frozen=True)
class Collect(Order[Sequence[Metric]]):
    """Say what was counted."""


@dataclass(frozen=True)
class Beat(Order[None]):
    """Answer, to show that the event loop turns."""


class WorkerGone(Exception):
    """The worker ended before it answered."""


class Channel:
    """One end of the pair: whole messages, both ways."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer

    @classmethod
    async def over(cls, end: socket.socket) -> "Channel":
        return cls(*await asyncio.open_unix_connection(sock=end))

    def send(self, number: int, message: object) -> None:
        """Send an order, or the answer to the order of that number. A process that is gone hears nothing."""
        pickled = pickle.dumps((number, message))
        self._writer.write(len(pickled).to_bytes(_LENGTH_BYTES) + pickled)

    async def messages(self) -> AsyncIterator[tuple[int, Any]]:
        """Yield what the other process says, until it has ended."""
        try:
            while True:
                length = int.from_bytes(await self._reader.readexactly(_LENGTH_BYTES))
                yield pickle.loads(await self._reader.readexactly(length))  # noqa: S301 - our own
        except (asyncio.IncompleteReadError, ConnectionError):
            return

    def close(self) -> None:
        self._writer.close()


class Orders:
    """The supervisor's side of a channel."""

    def __init__(self, channel: Channel) -> None:
        self._channel = channel
        self._numbers = count()
        self._open: dict[int, asyncio.Future[Any]] = {}
        self._is_over = False
        self._reading = asyncio.create_task(self._read())

    async def ask(self, order: Order[T]) -> T:
        """Return what the worker answers. Raises the error that it answers with, and WorkerGone."""
        if self._is_over:
            raise WorkerGone
        number = next(self._numbers)
        answer: asyncio.Future[T] = asyncio.get_running_loop().create_future()
        self._open[number] = answer
        self._channel.send(number, order)
        try:
            return await answer
        finally:
            del self._open[number]

    async def close(self) -> None:
        self._channel.close()
        self._reading.cancel()
        await asyncio.wait([self._reading])

    async def _read(self) -> None:
        try:
            async for number, outcome in self._channel.messages():
                answer = self._open.get(number)
                # Nobody waits any more for what came late.
                if answer is None or answer.done():
                    continue
                if isinstance(outcome, Exception):
                    answer.set_exception(outcome)
                else:
                    answer.set_result(outcome)
        finally:
            self._is_over = True
            for answer in self._open.values():
                if not answer.done():
                    answer.set_exception(WorkerGone())
