"""F6: a service with many facts is killed while it writes; it answers again soon, by all that was acknowledged."""

import itertools
import signal
import threading
import time
from collections.abc import Callable
from pathlib import Path

from report import Number
from serving import begin, check_answers, client_of, pairs_stored, refusal
from test_command_line import Serve

_READY_SECONDS = 5
_WRITING_SECONDS = 0.3


def restarts(
    folder: Path, count: int, progress: Callable[[int], None], facts: int = 200_000
) -> list[Number]:
    """Kill and start the service so many times; AssertionError tells what went wrong."""
    server = begin(folder)
    acknowledged: set[str] = set()
    longest = 0.0
    try:
        with client_of(server) as client:
            client.import_facts(f"is_suspended(Employee:many{n})" for n in range(facts))
        for number in range(count):
            writing = threading.Thread(target=_write, args=(server, number, acknowledged))
            writing.start()
            time.sleep(_WRITING_SECONDS)
            assert server.end(signal.SIGKILL) == -signal.SIGKILL
            writing.join()
            start = time.monotonic()
            server = Serve(folder)
            with client_of(server) as client:
                check_answers(client)
                longest = max(longest, time.monotonic() - start)
                assert acknowledged <= pairs_stored(client)
            progress(number + 1)
    finally:
        if server.process.poll() is None:
            server.end(signal.SIGTERM)
    return [
        Number("processes killed while they wrote", count),
        Number("facts stored", facts),
        Number("acknowledged writes that are lost", 0, 0),
        Number("longest time until questions are answered again, seconds", longest, _READY_SECONDS),
    ]


def _write(server: Serve, number: int, acknowledged: set[str]) -> None:
    """Write until the service is gone."""
    for write in itertools.count():
        name = f"round{number}x{write}"
        if refusal(server, name) is not None:
            return
        acknowledged.add(name)
