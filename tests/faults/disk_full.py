"""F9: the disk is full (a small file system of its own, in memory).

Writes fail and say why, questions are answered, nothing crashes; once there is space again, the same process writes on.
What is stored is exactly what was acknowledged.
"""

import errno
import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import authz
from report import Number
from serving import begin, check_answers, client_of, pairs_stored, refusal
from test_command_line import Serve

_SIZE = "8m"
_MOST_WRITES = 5000
_RECOVERY_SECONDS = 5


def missing(folder: Path) -> str | None:
    """Say what this machine lacks to mount a small disk, if anything."""
    try:
        with _small_disk(folder):
            return None
    except OSError as error:
        return str(error)


def full_disks(folder: Path, count: int, progress: Callable[[int], None]) -> list[Number]:
    """Fill the disk so many times; AssertionError tells what went wrong."""
    acknowledged: set[str] = set()
    longest = 0.0
    with _small_disk(folder / "disk") as disk:
        options = ("--database-url", f"sqlite:///{disk}/authz.db")
        server = begin(folder, *options)
        try:
            for number in range(count):
                with client_of(server) as client:
                    ballast = _fill(disk)
                    _write_until_full(client, number, acknowledged)
                    check_answers(client)
                    assert server.process.poll() is None
                    ballast.unlink()
                    longest = max(longest, _seconds_until_written(client, f"healed{number}"))
                    acknowledged.add(f"healed{number}")
                    assert pairs_stored(client) == acknowledged
                progress(number + 1)
            assert server.end(signal.SIGKILL) == -signal.SIGKILL
            server = Serve(folder, *options)
            with client_of(server) as client:
                assert pairs_stored(client) == acknowledged
                check_answers(client)
        finally:
            if server.process.poll() is None:
                server.end(signal.SIGTERM)
    return [
        Number("times that the disk was full", count),
        Number("crashes, and answers that failed meanwhile", 0, 0),
        Number("writes that are stored other than they were acknowledged", 0, 0),
        Number("longest time until writes succeed again, seconds", longest, _RECOVERY_SECONDS),
    ]


def _write_until_full(client: authz.Client, number: int, acknowledged: set[str]) -> None:
    for write in range(_MOST_WRITES):
        name = f"full{number}x{write}"
        said = refusal(client, name)
        if said is not None:
            assert "is full" in said, said
            return
        acknowledged.add(name)
    raise AssertionError("the disk never was full")


def _seconds_until_written(client: authz.Client, name: str) -> float:
    start = time.monotonic()
    while refusal(client, name) is not None:
        assert time.monotonic() - start < 4 * _RECOVERY_SECONDS, "writes never succeed again"
    return time.monotonic() - start


def _fill(disk: Path) -> Path:
    """Take all the space that is left, and return the file that has it."""
    ballast = disk / "ballast"
    block = bytes(4096)
    with ballast.open("wb", buffering=0) as file:
        try:
            while True:
                file.write(block)
        except OSError as error:
            if error.errno != errno.ENOSPC:
                raise
    return ballast


@contextmanager
def _small_disk(folder: Path) -> Iterator[Path]:
    """Mount a small disk at `folder`. Raises OSError if that is not allowed."""
    folder.mkdir(exist_ok=True)
    command = ["mount", "-t", "tmpfs", "-o", f"size={_SIZE}", "authz-faults", str(folder)]
    mounted = subprocess.run(command, capture_output=True, text=True, check=False)
    if mounted.returncode != 0:
        raise OSError(f"a small disk cannot be mounted: {mounted.stderr.strip()}")
    try:
        yield folder
    finally:
        subprocess.run(["umount", "--lazy", os.fspath(folder)], check=True)
