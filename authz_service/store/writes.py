"""Writing facts: what each write of a request does, and what all of them do together.

A fact that has expired does not count here, though it may still be stored: no precondition finds it, inserting
it creates it, and deleting it finds nothing. But what was deleted, or was not to exist, is stored no more then:
by the clock of another machine it may count a little longer, and whoever asked was told that it is gone.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import timedelta
from typing import Final, assert_never

from authz_service.errors import (
    ExpiryPassed,
    IdempotencyKeyReused,
    PreconditionFailed,
)
from authz_service.facts.change import (
    AnyPattern,
    Delete,
    DeleteMatching,
    Insert,
    MustExist,
    MustNotExist,
    Replace,
    Write,
    WriteOutcome,
    WriteRequest,
    WriteResult,
)
from authz_service.facts.fact import Fact
from authz_service.facts.instant import Instant
from authz_service.facts.revision import ConsistencyToken, Revision
from authz_service.store.ledger import Ledger, Stored
from authz_service.store.pack import ActiveVersion, Pack
from authz_service.store.rows import (
    Effect,
    Mark,
    content_digest,
    decode_written,
    encode_written,
)

_FOR_EVER: Final = (None,)
_CREATED: Final = WriteResult(WriteOutcome.CREATED, inserted=1)
_CHANGED: Final = WriteResult(WriteOutcome.CHANGED, changed=1)
_EXISTED: Final = WriteResult(WriteOutcome.EXISTED)


@dataclass(frozen=True, slots=True)
class Written:
    """What became of each write, the token that covers them, and the policy they were checked by."""

    results: tuple[WriteResult, ...]
    token: ConsistencyToken
    policy_version: int

    @property
    def revision(self) -> Revision:
        return self.token.revision


def write_facts(
    pack: Pack,
    store_name: str,
    request: WriteRequest,
    checked_by: ActiveVersion | None,
    keys_kept: timedelta,
) -> Written:
    """Apply `request`, which was checked by that version of the policy; None if by none.

    Raises StoreNotFound, IdempotencyKeyReused, PolicyChanged, PreconditionFailed and ExpiryPassed; the last
    two name the place in the request.
    """
    store = pack.store(store_name)
    key = request.idempotency_key
    if key is not None and (kept := pack.kept(store, key)) is not None:
        return repeated(request, kept, pack.incarnation, store)
    pack.check_active(store, checked_by)
    active = pack.policy_version(store)
    draft = _Draft(pack.ledger, store, pack.instant)
    draft.check(request)
    results = tuple(draft.apply(index, write) for index, write in enumerate(request.writes))
    if effects := draft.effects():
        revision = pack.advance_facts(store, effects)
        for_ever = Stored(revision, None)
        for mark, fact, expires_at in effects:
            after = None if mark in (Mark.DELETED, Mark.EXPIRED) else for_ever
            if expires_at is not None:
                after = Stored(revision, expires_at)
            pack.ledger.put(store, fact, after, revision)
    token = pack.token(store)
    if key is not None:
        until = Instant(pack.instant + keys_kept // timedelta(microseconds=1))
        text = encode_written(token.revision, active, results)
        pack.keep(store, key, content_digest(request), text, until)
    return Written(results, token, active)


def repeated(request: WriteRequest, kept: tuple[str, str], incarnation: str, store: int) -> Written:
    """Return the result of the write that had the key of `request` before. Raises IdempotencyKeyReused."""
    content, text = kept
    if content != content_digest(request):
        message = "the idempotency key was used for a write with other content; take a new one"
        raise IdempotencyKeyReused(message, field="idempotency_key")
    revision, policy_version, results = decode_written(text)
    token = ConsistencyToken(incarnation, store, Revision(revision))
    return Written(results, token, policy_version)


class _Draft:
    """The facts of one store as one request leaves them; nothing of the ledger is changed."""

    def __init__(self, ledger: Ledger, store: int, instant: Instant) -> None:
        self._ledger = ledger
        self._store = store
        self._instant = instant
        # What each touched fact is going to be: stored with that expiry, or not.
        self._touched: dict[Fact, tuple[Instant | None] | None] = {}

    def check(self, request: WriteRequest) -> None:
        """Fetch the facts that are named, and raise PreconditionFailed for the first that does not hold."""
        self._ledger.fetch(self._store, named_facts(request.writes))
        for index, precondition in enumerate(request.preconditions):
            exists, expired = self._found(precondition.pattern)
            if not exists and isinstance(precondition, MustNotExist):
                self._touched.update(dict.fromkeys(expired))
            if exists is not isinstance(precondition, MustExist):
                said = "a fact matches that must not exist" if exists else "no fact matches"
                message = f"precondition {index} does not hold: {said}; nothing was written"
                raise PreconditionFailed(message, field=f"preconditions[{index}]")

    def apply(self, index: int, write: Write) -> WriteResult:
        match write:
            case Insert():
                return self._insert(write, f"writes[{index}]")
            case Delete():
                return self._delete([write.fact])
            case DeleteMatching():
                return self._delete(list(self._stored(write.pattern)))
            case Replace():
                return self._replace(write, f"writes[{index}].replace")
            case _:
                assert_never(write)

    def effects(self) -> list[Effect]:
        """Return what all writes did together."""
        found: list[Effect] = []
        for fact, after in self._touched.items():
            stored = self._ledger.stored(self._store, fact)
            counted = stored is not None and stored.counts(self._instant)
            if after is None:
                if stored is not None:
                    mark = Mark.DELETED if counted else Mark.EXPIRED
                    found.append((mark, fact, None))
            elif stored is None or not counted:
                found.append((Mark.INSERTED, fact, after[0]))
            elif stored.expires_at != after[0]:
                found.append((Mark.CHANGED, fact, after[0]))
        return found

    def _insert(self, insert: Insert, field: str) -> WriteResult:
        fact, expires_at = insert.fact, insert.expires_at
        if expires_at is not None and expires_at <= self._instant:
            message = "the fact would have expired before it is stored; leave it out"
            raise ExpiryPassed(message, field=f"{field}.expires_at")
        before = self._current(fact)
        self._touched[fact] = _FOR_EVER if expires_at is None else (expires_at,)
        if before is None:
            return _CREATED
        if before[0] != expires_at:
            return _CHANGED
        return _EXISTED

    def _delete(self, facts: list[Fact]) -> WriteResult:
        deleted = sum(map(self._counts, facts))
        self._touched.update(dict.fromkeys(facts))
        outcome = WriteOutcome.DELETED if deleted else WriteOutcome.MISSING
        return WriteResult(outcome, deleted=deleted)

    def _replace(self, replace: Replace, field: str) -> WriteResult:
        wanted = {insert.fact for insert in replace.inserts}
        gone = self._delete([f for f in self._stored(replace.pattern) if f not in wanted])
        done = [
            self._insert(insert, f"{field}.inserts[{number}]")
            for number, insert in enumerate(replace.inserts)
        ]
        inserted, changed = sum(one.inserted for one in done), sum(one.changed for one in done)
        return WriteResult(WriteOutcome.REPLACED, inserted, changed, gone.deleted)

    def _current(self, fact: Fact) -> tuple[Instant | None] | None:
        if fact in self._touched:
            return self._touched[fact]
        stored = self._ledger.stored(self._store, fact)
        return (stored.expires_at,) if stored and stored.counts(self._instant) else None

    def _counts(self, fact: Fact) -> bool:
        return self._current(fact) is not None

    def _found(self, pattern: AnyPattern) -> tuple[bool, list[Fact]]:
        """Return whether a fact matches now, and if none does, those that match and have expired."""
        expired: list[Fact] = []
        for fact in self._stored(pattern):
            if self._counts(fact):
                return True, []
            expired.append(fact)
        return False, expired

    def _stored(self, pattern: AnyPattern) -> Iterator[Fact]:
        """Yield the facts that match, each once, also those that have expired."""
        for fact, after in list(self._touched.items()):
            if after is not None and pattern.matches(fact):
                yield fact
        for fact, _ in self._ledger.matching(self._store, pattern):
            if fact not in self._touched:
                yield fact


def named_facts(writes: Iterable[Write]) -> Iterator[Fact]:
    """Yield the facts that are not found by a pattern."""
    for write in writes:
        match write:
            case Insert() | Delete():
                yield write.fact
            case Replace():
                yield from (insert.fact for insert in write.inserts)
            case DeleteMatching():
                pass
