"""F10: the disk fails while a write is synced (`fsync` returns EIO, injected by `strace`).

That write is not acknowledged. With SQLite no other is until the process has started anew, also when the disk works
again: nobody knows what is on it. PostgreSQL sees to that itself: it ends, and begins from its log. Questions are
answered all the time. Afterwards everything acknowledged is there, and what was not is whole or absent.
"""

import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from postgresql import Server
from report import Number
from serving import begin, check_answers, client_of, pair, pairs_stored, refusal
from test_command_line import Serve

_GIVE_UP_SECONDS = 20


def missing() -> str | None:
    """Say what this machine lacks to inject errors, if anything."""
    if shutil.which("strace") is None:
        return "strace is not installed"
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as process:
        try:
            with _failing_syncs(process.pid):
                return None
        except OSError as error:
            return str(error)
        finally:
            process.communicate(b"\n")


def failed_syncs(folder: Path, count: int, progress: Callable[[int], None]) -> list[Number]:
    """Let syncs of SQLite fail so many times; AssertionError tells what went wrong."""
    server = begin(folder)
    acknowledged: set[str] = set()
    landed = 0
    try:
        for number in range(count):
            with client_of(server) as client:
                client.write_facts(insert=pair(f"before{number}"))
                acknowledged.add(f"before{number}")
                with _failing_syncs(server.process.pid):
                    _check_refused(server, f"during{number}", "the disk failed")
                    check_answers(client)
                _check_refused(server, f"after{number}", "start this process anew")
                check_answers(client)
            assert server.end(signal.SIGKILL) == -signal.SIGKILL
            server = Serve(folder)
            with client_of(server) as client:
                stored = pairs_stored(client)
                assert acknowledged <= stored
                assert f"after{number}" not in stored
                landed += f"during{number}" in stored
                check_answers(client)
            progress(number + 1)
    finally:
        if server.process.poll() is None:
            server.end(signal.SIGTERM)
    return _numbers(count, landed)


def failed_syncs_of_postgresql(
    folder: Path, count: int, progress: Callable[[int], None]
) -> list[Number]:
    """Let syncs of a PostgreSQL server fail so many times; AssertionError tells what went wrong."""
    database = Server("fsync=on")
    server = begin(folder, "--database-url", database.empty_database())
    acknowledged: set[str] = set()
    landed = 0
    try:
        with client_of(server) as client:
            for number in range(count):
                client.write_facts(insert=pair(f"before{number}"))
                acknowledged.add(f"before{number}")
                assert database.process is not None
                with _failing_syncs(database.process, *_children(database.process)):
                    _check_refused(server, f"during{number}", "")
                    check_answers(client)
                if database.process is None:
                    database.start()
                # The client tries again until the database is there.
                client.write_facts(insert=pair(f"after{number}"))
                acknowledged.add(f"after{number}")
                stored = pairs_stored(client)
                assert acknowledged <= stored
                landed += f"during{number}" in stored
                check_answers(client)
                progress(number + 1)
    finally:
        server.end(signal.SIGTERM)
        database.remove()
    return _numbers(count, landed)


def _numbers(count: int, landed: int) -> list[Number]:
    return [
        Number("syncs that failed", count),
        Number("writes acknowledged though their sync failed", 0, 0),
        Number("acknowledged writes that are lost", 0, 0),
        Number("writes of which the sync failed, found whole after the start", landed),
    ]


def _check_refused(server: Serve, name: str, message: str) -> None:
    said = refusal(server, name)
    assert said is not None, f"the write `{name}` was acknowledged"
    assert message in said, said


def _children(process: int) -> list[int]:
    return list(map(int, Path(f"/proc/{process}/task/{process}/children").read_text().split()))


@contextmanager
def _failing_syncs(*processes: int) -> Iterator[None]:
    """Let every sync of running processes fail. Raises OSError if they cannot be traced."""
    syncs = "fsync,fdatasync"
    options = ["-f", "-qq", "-e", f"trace={syncs}", "-e", f"inject={syncs}:error=EIO"]
    traced = [option for process in processes for option in ("-p", str(process))]
    strace = subprocess.Popen(
        ["strace", *options, "-o", "/dev/null", *traced], stderr=subprocess.PIPE
    )
    try:
        give_up = time.monotonic() + _GIVE_UP_SECONDS
        while not all(map(_is_traced, processes)):
            if strace.poll() is not None or time.monotonic() > give_up:
                raise OSError(f"strace cannot trace: {strace.stderr.read().decode().strip()}")
            time.sleep(0.01)
        yield
    finally:
        with suppress(ProcessLookupError):
            strace.send_signal(signal.SIGINT)
        strace.communicate()


def _is_traced(process: int) -> bool:
    threads = Path(f"/proc/{process}/task").iterdir()
    return all("TracerPid:\t0\n" not in (thread / "status").read_text() for thread in threads)
