"""Runner: a thread that can be left behind."""

import queue
import threading
from collections.abc import Callable
from concurrent.futures import Future
from typing import Any, TypeVar

T = TypeVar("T")


class Runner:
    """One thread, which never keeps the process from ending."""

    def __init__(self, name: str) -> None:
        self._waiting: queue.SimpleQueue[tuple[Callable[[], Any], Future[Any]] | None] = (
            queue.SimpleQueue()
        )
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)
        self._thread.start()

    @property
    def is_alive(self) -> bool:
        return self._thread.is_alive()

    def run(self, work: Callable[[], T]) -> "Future[T]":
        """Have `work` done after all that was given before."""
        done: Future[T] = Future()
        self._waiting.put((work, done))
        return done

    def leave(self) -> None:
        """Let the thread end by itself, when it is done with what it was given."""
        self._waiting.put(None)

    def _run(self) -> None:
        while (given := self._waiting.get()) is not None:
            work, done = given
            if done.set_running_or_notify_cancel():
                try:
                    result = work()
                # Whoever waits for it hears of it, whatever it is.
                except BaseException as error:  # noqa: BLE001
                    done.set_exception(error)
                else:
                    done.set_result(result)
                    del result
            # What was done must not be kept alive by the thread that waits for more.
            del given, work, done
