"""What is asked of the stored facts (Write, Precondition), what it did, and what one revision did."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import Enum
from typing import NamedTuple

from authz_service.facts.fact import Fact, FactPattern
from authz_service.facts.instant import START, Instant
from authz_service.facts.policy_text import PolicyVersion
from authz_service.facts.revision import Revision
from authz_service.facts.value import Value


@dataclass(frozen=True, slots=True)
class About:
    """Matches every fact that has `value` among its arguments, wherever it stands."""

    value: Value

    def matches(self, fact: Fact) -> bool:
        return self.value in fact.args


AnyPattern = FactPattern | About


class Insert(NamedTuple):
    """Store a fact, which stops counting at `expires_at`. A stored fact takes over another expiry."""

    fact: Fact
    expires_at: Instant | None = None


@dataclass(frozen=True, slots=True)
class Delete:
    """Remove a fact."""

    fact: Fact


@dataclass(frozen=True, slots=True)
class DeleteMatching:
    """Remove all facts that match."""

    pattern: AnyPattern


@dataclass(frozen=True, slots=True)
class Replace:
    """Make `inserts` all the facts that match. Each of them must match."""

    pattern: AnyPattern
    inserts: tuple[Insert, ...]


Write = Insert | Delete | DeleteMatching | Replace


@dataclass(frozen=True, slots=True)
class MustExist:
    """Some stored fact matches."""

    pattern: AnyPattern


@dataclass(frozen=True, slots=True)
class MustNotExist:
    """No stored fact matches."""

    pattern: AnyPattern


Precondition = MustExist | MustNotExist


@dataclass(frozen=True, slots=True)
class WriteRequest:
    """Writes that happen in order and all or none, if the preconditions hold before the first of them.

    A second request with the `idempotency_key` of one that succeeded changes nothing and gets its result.
    """

    writes: Sequence[Write]
    preconditions: Sequence[Precondition] = ()
    idempotency_key: str | None = None


class WriteOutcome(Enum):
    """What a write did."""

    CREATED = "created"
    EXISTED = "existed"
    CHANGED = "changed"
    """The fact existed, and expires at another time from now on."""
    DELETED = "deleted"
    MISSING = "missing"
    REPLACED = "replaced"


@dataclass(frozen=True, slots=True)
class WriteResult:
    """What a write did, and to how many facts."""

    outcome: WriteOutcome
    inserted: int = 0
    changed: int = 0
    deleted: int = 0


class StoredFact(NamedTuple):
    """A fact, and when it stops counting."""

    fact: Fact
    expires_at: Instant | None = None


class StoreEvent(Enum):
    """What became of the store itself."""

    CREATED = "created"
    DELETED = "deleted"


@dataclass(frozen=True, slots=True)
class ChangeBatch:
    """Everything that one revision did to one store.

    `inserted`, `deleted` and `expired` are disjoint. The expired ones had stopped counting before, at an
    instant that an earlier batch told; now they are removed. `expiries` has the expiry of inserted facts, and
    of facts that stay and have another one now; None for no expiry any more.
    """

    revision: Revision
    store: str
    inserted: frozenset[Fact] = frozenset()
    deleted: frozenset[Fact] = frozenset()
    policy: PolicyVersion | None = None
    expired: frozenset[Fact] = frozenset()
    expiries: Mapping[Fact, Instant | None] = field(default_factory=dict)
    event: StoreEvent | None = None
    store_number: int = 0
    committed_at: Instant = START

    @property
    def is_of_facts(self) -> bool:
        """Whether it did nothing but to facts."""
        return self.policy is None and self.event is None

    @property
    def size(self) -> int:
        """How many facts it says something about."""
        return len(self.inserted) + len(self.deleted) + len(self.expired) + len(self.expiries)


def joined(batches: Sequence[ChangeBatch]) -> ChangeBatch:
    """Return what these batches did together, which follow each other, are of facts, and of one store.

    A fact that came and went in between is told as deleted, though it was not there before.
    """
    if len(batches) == 1:
        return batches[0]
    became: dict[Fact, str] = {}
    expiries: dict[Fact, Instant | None] = {}
    for batch in batches:
        for mark in ("inserted", "deleted", "expired"):
            facts: frozenset[Fact] = getattr(batch, mark)
            became.update(dict.fromkeys(facts, mark))
            for fact in expiries.keys() & facts:
                del expiries[fact]
        expiries.update(batch.expiries)
    marked: dict[str, set[Fact]] = {"inserted": set(), "deleted": set(), "expired": set()}
    for fact, mark in became.items():
        marked[mark].add(fact)
    return replace(
        batches[-1],
        inserted=frozenset(marked["inserted"]),
        deleted=frozenset(marked["deleted"]),
        expired=frozenset(marked["expired"]),
        expiries=expiries,
    )


def in_runs(batches: Iterable[ChangeBatch], at_most: int) -> Iterator[Sequence[ChangeBatch]]:
    """Yield the batches in runs that can be `joined`, of at most so many facts where one alone has not more."""
    run: list[ChangeBatch] = []
    size = 0
    for batch in batches:
        if run and (size + batch.size > at_most or not _goes_on(run[-1], batch)):
            yield run
            run, size = [], 0
        run.append(batch)
        size += batch.size
    if run:
        yield run


def _goes_on(before: ChangeBatch, batch: ChangeBatch) -> bool:
    return (
        batch.revision == before.revision + 1
        and batch.store == before.store
        and batch.is_of_facts
        and before.is_of_facts
    )
