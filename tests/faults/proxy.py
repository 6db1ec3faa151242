"""A connection to a database that can go dead: a TCP port in front of a PostgreSQL server's socket."""

import contextlib
import socket
import threading
import time
from collections.abc import Callable
from pathlib import Path


class Proxy:
    """Passes bytes on, unless it is told to swallow them, in threads of its own until `close`."""

    def __init__(self, folder: Path) -> None:
        self.delay = 0.0
        """So many seconds every answer of the database takes longer."""
        self._path = str(folder / ".s.PGSQL.5432")
        self._passing = threading.Event()
        self._passing.set()
        self._sockets: list[socket.socket] = []
        self._threads: list[threading.Thread] = []
        self._listener = socket.create_server(("127.0.0.1", 0))
        port = self._listener.getsockname()[1]
        self.url = f"postgresql://authz@127.0.0.1:{port}/postgres"
        self._begin(self._accept)

    def swallow(self) -> None:
        """Answer nobody any more, and close nothing: what is sent is taken."""
        self._passing.clear()

    def heal(self) -> None:
        """Pass on what was held up."""
        self._passing.set()

    def close(self) -> None:
        self.heal()
        for one in (self._listener, *self._sockets):
            # Who reads from it wakes up.
            with contextlib.suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)
        for thread in self._threads:
            thread.join()
        for one in (self._listener, *self._sockets):
            one.close()

    def _begin(self, work, *arguments: object) -> None:
        thread = threading.Thread(target=work, args=arguments)
        self._threads.append(thread)
        thread.start()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                here, _ = self._listener.accept()
                there = socket.socket(socket.AF_UNIX)
                self._sockets += [here, there]
                try:
                    there.connect(self._path)
                except OSError:
                    here.close()
                    continue
                self._begin(self._pass, here, there, lambda: 0.0)
                self._begin(self._pass, there, here, lambda: self.delay)

    def _pass(
        self, source: socket.socket, target: socket.socket, delay: Callable[[], float]
    ) -> None:
        with contextlib.suppress(OSError):
            while data := source.recv(65536):
                self._passing.wait()
                time.sleep(delay())
                target.sendall(data)
        for one in (source, target):
            with contextlib.suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)
