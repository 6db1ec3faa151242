"""Short ways to write in tests: the revision, and what became of it; nobody checked what is written."""

from collections.abc import Sequence
from datetime import datetime

from authz_service.facts.change import Write, WriteOutcome, WriteRequest
from authz_service.facts.policy_text import PolicyFile, PolicyVersion
from authz_service.facts.revision import Revision
from authz_service.store.fact_store import FactStore


def write(
    store: FactStore, name: str, writes: Sequence[Write]
) -> tuple[Revision, tuple[WriteOutcome, ...]]:
    written = store.write(name, WriteRequest(writes))
    return written.revision, tuple(result.outcome for result in written.results)


def publish(
    store: FactStore, name: str, files: tuple[PolicyFile, ...], published_at: datetime
) -> tuple[Revision, PolicyVersion]:
    published = store.publish(name, files, published_at)
    return published.revision, published.version
