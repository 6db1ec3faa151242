"""What writes, publications and reads of policies return."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import Enum


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
    """The version that is now active."""

    version: int
    consistency_token: str


@dataclass(frozen=True, slots=True)
class Policy:
    """A policy version as it was published: its texts by file name."""

    files: Mapping[str, str]
    version: int
    published_at: datetime
    consistency_token: str
