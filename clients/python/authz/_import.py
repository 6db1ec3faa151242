"""The requests of an import, on the side of threads: taken by gRPC, and failing for the caller."""

from collections.abc import Callable, Iterator
from concurrent.futures import Future


class ImportRequests(Iterator[bytes]):
    """The requests of an import, which gRPC takes in a thread of its own.

    What fails there is kept for the caller, and the call is given up: its end must not look like the end
    of the facts.
    """

    def __init__(self, requests: Iterator[bytes]) -> None:
        self._requests = requests
        self.failure: Exception | None = None
        self.give_up: Future[Callable[[], object]] = Future()

    def __next__(self) -> bytes:
        try:
            return next(self._requests)
        except StopIteration:
            raise
        except Exception as error:
            self.failure = error
            # Taking requests begins before the call is known by which it is given up.
            self.give_up.result()()
            raise StopIteration from error
