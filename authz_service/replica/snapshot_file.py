"""The snapshot file: what a replica saved, to start from without reading it from SQL.

At its place is always a whole file, or none: it is written under another name, brought to the disk, and takes
the place of the one before in one step.
"""

import fcntl
import os
from collections.abc import Callable
from pathlib import Path

from authz_service.replica.saved import HEAD_BYTES, Encoded, Saved, decoded


def write(path: Path, saved: Saved, rest: Callable[[], object] = lambda: None) -> None:
    """Make `saved` the content of the file, unless another process does this at this moment. Raises OSError.

    `rest` is that of `Encoded`.
    """
    with open(f"{path}.lock", "ab") as lock:  # noqa: PTH123 - a name beside `path`, not below it
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return
        _write(path, Encoded(saved, rest))


def _write(path: Path, encoded: Encoded) -> None:
    # Nobody else may read what the facts say, as with any copy of the database.
    beside = path.with_name(f"{path.name}.new")
    beside.unlink(missing_ok=True)
    descriptor = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    try:
        with os.fdopen(descriptor, "wb", buffering=0) as file:
            _write_all(file.write, bytes(HEAD_BYTES))
            for piece in encoded:
                _write_all(file.write, piece)
            file.seek(0)
            _write_all(file.write, encoded.head)
            os.fsync(file.fileno())
        beside.replace(path)
    except BaseException:
        beside.unlink(missing_ok=True)
        raise
    folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def _write_all(write_some: Callable[[memoryview], int | None], data: bytes) -> None:
    view = memoryview(data)
    while view:
        view = view[write_some(view) or 0 :]


def read(path: Path) -> Saved:
    """Return what the file holds. Raises SnapshotRefused, and OSError if it cannot be read."""
    return decoded(memoryview(path.read_bytes()))
