"""What writes, publications and reads of policies return."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import Enum
from typing import Protocol

from authz._fact import Fact, StoredFact
from authz.errors import Diagnostic


class WithToken(Protocol):
    """What names a state."""

    @property
    def consistency_token(self) -> str: ...


def token_of(result: WithToken) -> str:
    return result.consistency_token


class WriteOutcome(Enum):
    """What a write did."""

    CREATED = "created"
    """The fact was not stored before, and is now."""
    EXISTED = "existed"
    """The fact was stored already."""
    CHANGED = "changed"
    """The fact was stored already, and expires at another time now."""
    DELETED = "deleted"
    """The fact was stored before, or facts matched, and are no longer there."""
    MISSING = "missing"
    """The fact to delete was not stored, or no fact matched."""
    REPLACED = "replaced"
    """The facts that match are those that were given."""


@dataclass(frozen=True, slots=True)
class WriteCounts:
    """To how many facts a write did something."""

    inserted: int = 0
    changed: int = 0
    deleted: int = 0


@dataclass(frozen=True, slots=True)
class WriteResult:
    """What became of the writes.

    `outcomes` has one entry for each write: first those of `delete`, then those of `delete_matching`, of
    `replace` and of `insert`; `counts` says to how many facts each of them did something.
    `consistency_token` names the state that contains the writes.
    """

    outcomes: tuple[WriteOutcome, ...]
    consistency_token: str
    policy_version: int
    counts: tuple[WriteCounts, ...] = ()


@dataclass(frozen=True, slots=True)
class EntityDeleted:
    """How many facts were about the entity, and the state in which they are gone."""

    deleted: int
    consistency_token: str


@dataclass(frozen=True, slots=True)
class ImportResult:
    """How many facts of the import were new, there already, or there with another expiry."""

    created: int
    existed: int
    changed: int
    consistency_token: str


class StoreEvent(Enum):
    """What became of a store itself."""

    CREATED = "created"
    DELETED = "deleted"


@dataclass(frozen=True, slots=True)
class FactChange:
    """What one revision did to a store; or a checkpoint: nothing else happened up to here.

    Pass `consistency_token` to `watch_facts` to go on behind it. `changed` facts stay, and expire at another
    time now. `expired` ones did not count before; now they are removed from the database.
    """

    consistency_token: str
    committed_at: datetime | None = None
    inserted: tuple[StoredFact, ...] = ()
    changed: tuple[StoredFact, ...] = ()
    deleted: tuple[Fact, ...] = ()
    expired: tuple[Fact, ...] = ()
    policy_version: int = 0
    store_event: StoreEvent | None = None

    @property
    def is_checkpoint(self) -> bool:
        return self.committed_at is None


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
