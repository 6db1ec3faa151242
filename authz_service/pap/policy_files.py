"""Policy files on disk: which files make a policy, and what their names are in messages."""

import sys
from collections.abc import Iterable
from pathlib import Path

from authz_service.facts.policy_text import PolicyFile

STANDARD_INPUT = Path("-")


class PolicyFilesUnreadable(Exception):
    """Some of the files cannot be read, or there are none; the message says which and why."""


def read_policy_files(paths: Iterable[Path]) -> tuple[PolicyFile, ...]:
    """Return the files at `paths`, each named by its path. A folder stands for all .polar files in it.

    `-` is standard input. A file that is named twice counts once. Raises PolicyFilesUnreadable.
    """
    files: dict[str, PolicyFile] = {}
    for path in paths:
        for file in _files_at(path):
            files[str(file)] = PolicyFile(str(file), _text(file))
    return tuple(files.values())


def _files_at(path: Path) -> list[Path]:
    if not path.is_dir():
        return [path]
    found = sorted(file for file in path.glob("**/*.polar") if file.is_file())
    if not found:
        raise PolicyFilesUnreadable(f"there is no .polar file in {path}")
    return found


def _text(file: Path) -> str:
    try:
        return sys.stdin.read() if file == STANDARD_INPUT else file.read_text(encoding="utf-8")
    except OSError as error:
        raise PolicyFilesUnreadable(f"cannot read {file}: {error.strerror}") from error
    except UnicodeDecodeError as error:
        message = f"cannot read {file}: byte {error.start + 1} is not UTF-8"
        raise PolicyFilesUnreadable(message) from error
