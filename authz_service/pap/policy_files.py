"""Policy files on disk: which files make a policy, and what their names are in messages.

Nothing is left out silently: a policy of which a part is missing may permit more than the whole.
"""

import os
import stat
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path

from authz_service.facts.policy_text import PolicyFile

STANDARD_INPUT = Path("-")
_ENDING = ".polar"


class PolicyFilesUnreadable(Exception):
    """Some of the files cannot be read, or there are none; the message says which and why."""


def read_policy_files(paths: Iterable[Path]) -> tuple[PolicyFile, ...]:
    """Return the files at `paths`, each named by its path. A folder stands for all .polar files below it.

    Links are followed, names that begin with a dot are passed over, and a file that is reached twice
    counts once. `-` is standard input. Raises PolicyFilesUnreadable.
    """
    files: dict[str, PolicyFile] = {}
    try:
        for path in paths:
            for file in _files_at(path):
                real = "-" if file == STANDARD_INPUT else os.path.realpath(file)
                if real not in files:
                    files[real] = PolicyFile(str(file), _text(file))
    except OSError as error:
        shown = error.filename or "standard input"
        raise PolicyFilesUnreadable(f"cannot read {shown}: {error.strerror}") from error
    return tuple(files.values())


def _files_at(path: Path) -> list[Path]:
    if path == STANDARD_INPUT or not stat.S_ISDIR(path.stat().st_mode):
        return [path]
    found = sorted(_files_below(path, set()))
    if not found:
        raise PolicyFilesUnreadable(f"there is no {_ENDING} file in {path}")
    for file in found:
        if not stat.S_ISREG(file.stat().st_mode):
            raise PolicyFilesUnreadable(f"cannot read {file}: it is not a file")
    return found


def _files_below(folder: Path, seen: set[str]) -> Iterator[Path]:
    """Yield what is named like a policy file in `folder` and below it, each folder once."""
    real = os.path.realpath(folder)
    if real in seen:
        return
    seen.add(real)
    for entry in folder.iterdir():
        if entry.name.startswith("."):
            continue
        if entry.is_dir():
            yield from _files_below(entry, seen)
        elif entry.suffix == _ENDING:
            yield entry


def _text(file: Path) -> str:
    data = sys.stdin.buffer.read() if file == STANDARD_INPUT else file.read_bytes()
    try:
        # A byte order mark is no part of the text.
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        message = f"cannot read {file}: byte {error.start + 1} is not UTF-8"
        raise PolicyFilesUnreadable(message) from error
