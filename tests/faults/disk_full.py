"""F9: the disk is full (a small file system of its own, in memory).

Writes fail and say why, questions are answered, nothing crashes; once there is space again, the same process writes on.
What is stored is exactly what was acknowledged. PostgreSQL may end itself when it cannot write its log; its operator,
here this test, starts it again, and the service finds it.
"""

import errno
import signal
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import authz
from postgresql import Server
from report import Number
from serving import begin, check_answers, client_of, pairs_stored, refusal
from test_command_line import Serve

_SIZE = "8m"
# An empty database has 40 MiB, and 16 MiB of log at a time.
_POSTGRESQL_SIZE = "128m"
_POSTGRESQL_SETTINGS = ("min_wal_size=32MB", "max_wal_size=32MB")
_MOST_WRITES = 5000
_RECOVERY_SECONDS = 5


def missing() -> str | None:
    """Say what this machine lacks to mount a small disk, if anything."""
    try:
        with _small_disk(_SIZE):
            return None
    except OSError as error:
        return str(error)


def full_disks(folder: Path, count: int, progress: Callable[[int], None]) -> list[Number]:
    """Fill the disk of a SQLite file so many times; AssertionError tells what went wrong."""
    with _small_disk(_SIZE) as disk:
        url = f"sqlite:///{disk}/authz.db"
        return _fill_again_and_again(folder, disk, url, count, progress, lambda: None)


def full_disks_of_postgresql(
    folder: Path, count: int, progress: Callable[[int], None]
) -> list[Number]:
    """Fill the disk of a PostgreSQL server so many times; AssertionError tells what went wrong."""
    with _small_disk(_POSTGRESQL_SIZE) as disk:
        server = Server(*_POSTGRESQL_SETTINGS, disk=disk)

        def revive() -> None:
            if server.process is None:
                server.start()

        try:
            url = server.empty_database()
            return _fill_again_and_again(folder, disk, url, count, progress, revive)
        finally:
            server.remove()


def _fill_again_and_again(
    folder: Path,
    disk: Path,
    url: str,
    count: int,
    progress: Callable[[int], None],
    revive: Callable[[], None],
) -> list[Number]:
    acknowledged: set[str] = set()
    unknown: set[str] = set()
    longest = 0.0
    server = begin(folder, "--database-url", url)
    try:
        for number in range(count):
            with client_of(server) as client:
                ballast = _fill(disk)
                unknown.add(_write_until_full(server, number, acknowledged))
                check_answers(client)
                assert server.process.poll() is None
                ballast.unlink()
                revive()
                longest = max(longest, _seconds_until_written(server, f"healed{number}"))
                acknowledged.add(f"healed{number}")
                _check_stored(client, acknowledged, unknown)
            progress(number + 1)
        assert server.end(signal.SIGKILL) == -signal.SIGKILL
        server = Serve(folder, "--database-url", url)
        with client_of(server) as client:
            _check_stored(client, acknowledged, unknown)
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


def _check_stored(client: authz.Client, acknowledged: set[str], unknown: set[str]) -> None:
    stored = pairs_stored(client)
    assert acknowledged <= stored
    assert stored <= acknowledged | unknown


def _write_until_full(server: Serve, number: int, acknowledged: set[str]) -> str:
    """Return the name of the write that failed; a broken connection leaves open what became of it."""
    for write in range(_MOST_WRITES):
        name = f"full{number}x{write}"
        said = refusal(server, name)
        if said is not None:
            assert "is full" in said or "failed" in said, said
            return name
        acknowledged.add(name)
    raise AssertionError("the disk never was full")


def _seconds_until_written(server: Serve, name: str) -> float:
    start = time.monotonic()
    while (said := refusal(server, name)) is not None:
        assert time.monotonic() - start < 4 * _RECOVERY_SECONDS, f"writes never succeed: {said}"
        time.sleep(0.02)
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
def _small_disk(size: str) -> Iterator[Path]:
    """Mount a small disk where everyone may come. Raises OSError if that is not allowed."""
    with tempfile.TemporaryDirectory(prefix="authz-disk-", dir="/tmp") as folder:
        Path(folder).chmod(0o755)
        command = ["mount", "-t", "tmpfs", "-o", f"size={size}", "authz-faults", folder]
        mounted = subprocess.run(command, capture_output=True, text=True, check=False)
        if mounted.returncode != 0:
            raise OSError(f"a small disk cannot be mounted: {mounted.stderr.strip()}")
        try:
            yield Path(folder)
        finally:
            subprocess.run(["umount", "--lazy", folder], check=True)
