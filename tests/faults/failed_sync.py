"""F10: the disk fails while a write is synced (`fsync` returns EIO, injected by `strace`).

That write is not acknowledged, and no other is until the process has started anew, also when the disk works again:
nobody knows what is on it. Questions are answered all the time. After the start everything acknowledged is there, and
what was not is whole or absent.
"""

import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import authz
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
    """Let syncs fail so many times; AssertionError tells what went wrong."""
    server = begin(folder)
    acknowledged: set[str] = set()
    landed = 0
    try:
        for number in range(count):
            with client_of(server) as client:
                client.write_facts(insert=pair(f"before{number}"))
                acknowledged.add(f"before{number}")
                with _failing_syncs(server.process.pid):
                    _check_refused(client, f"during{number}")
                    check_answers(client)
                _check_refused(client, f"after{number}", "start this process anew")
                check_answers(client)
            assert server.end(signal.SIGKILL) == -signal.SIGKILL
            server = Serve(folder)
            with client_of(server) as client:
                stored = pairs_stored(client)
                assert acknowledged <= stored
                assert stored.isdisjoint({f"after{number}"})
                landed += f"during{number}" in stored
                check_answers(client)
            progress(number + 1)
    finally:
        if server.process.poll() is None:
            server.end(signal.SIGTERM)
    return [
        Number("syncs that failed", count),
        Number("writes acknowledged though their sync failed", 0, 0),
        Number("acknowledged writes that are lost", 0, 0),
        Number("writes of which the sync failed, found whole after the start", landed),
    ]


def _check_refused(client: authz.Client, name: str, message: str = "disk failed") -> None:
    said = refusal(client, name)
    assert said is not None, f"the write `{name}` was acknowledged"
    assert message in said, said


@contextmanager
def _failing_syncs(process: int) -> Iterator[None]:
    """Let every sync of a running process fail. Raises OSError if it cannot be traced."""
    syncs = "fsync,fdatasync"
    options = ["-f", "-qq", "-e", f"trace={syncs}", "-e", f"inject={syncs}:error=EIO"]
    strace = subprocess.Popen(
        ["strace", *options, "-o", "/dev/null", "-p", str(process)], stderr=subprocess.PIPE
    )
    try:
        give_up = time.monotonic() + _GIVE_UP_SECONDS
        while not _is_traced(process):
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
