"""What writes, publications and reads of policies return."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import Enum

from authz.errors import Diagnostic


class WriteOutcome(Enum):
    """What a write did."""

    CREATED = "created"
    """The fact was not stored before, and is now."""
    EXISTED = "existed"
    """The fact was stored already."""
    DELETED = "deleted"
    """The fact was stored before, and is no longer."""
    MISSING = "missing"
    """The fact to delete was not stored."""


@dataclass(frozen=True, slots=True)
class WriteResult:
    """What became of the writes.

    `outcomes` has one entry for each write: first those of `delete`, then those of `insert`.
    `consistency_token` names the state that contains the writes.
    """

    outcomes: tuple[WriteOutcome, ...]
    consistency_token: str
    policy_version: int


@dataclass(frozen=True, slots=True)
class PublishedPolicy:
    """The version that is now active.

    `warnings` are about what is valid and most likely not meant; `omitted` more of them were cut.
    `tests` of the policy's files passed, unless they were skipped.
    """

    version: int
    consistency_token: str
    warnings: tuple[Diagnostic, ...] = ()
    omitted: int = 0
    tests: int = 0


@dataclass(frozen=True, slots=True)
class Policy:
    """A policy version as it was published: its texts by file name."""

    files: Mapping[str, str]
    version: int
    published_at: datetime
    consistency_token: str
