"""Write and ChangeBatch: what was asked of the facts, and what one revision did to a store."""

from dataclasses import dataclass
from enum import Enum
from typing import NamedTuple

from authz_service.facts.fact import Fact
from authz_service.facts.policy_text import PolicyVersion
from authz_service.facts.revision import Revision


class Operation(Enum):
    """What a write does."""

    INSERT = "insert"
    DELETE = "delete"


class Write(NamedTuple):
    """One requested change of the stored facts."""

    operation: Operation
    fact: Fact


class WriteOutcome(Enum):
    """What a write did."""

    CREATED = "created"
    EXISTED = "existed"
    DELETED = "deleted"
    MISSING = "missing"


@dataclass(frozen=True, slots=True)
class ChangeBatch:
    """Everything that one revision did to one store. `inserted` and `deleted` are disjoint."""

    revision: Revision
    store: str
    inserted: frozenset[Fact] = frozenset()
    deleted: frozenset[Fact] = frozenset()
    policy: PolicyVersion | None = None
