"""The store against a model: for every revision a dict of facts with their expiry, and a policy.

Writes of all kinds, retries, publishing, time that passes, sweeping, compaction and reopening, in any order.
"""

import tempfile
from collections.abc import Callable, Iterator
from copy import deepcopy
from dataclasses import dataclass, field
from datetime import timedelta

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)
from postgresql import Server
from world import NOON, World, exactly, policy, role, roles, user

from authz_service.errors import (
    AuthzError,
    Compacted,
    IdempotencyKeyReused,
    PolicyChanged,
    PreconditionFailed,
)
from authz_service.facts import expiry
from authz_service.facts.change import (
    About,
    AnyPattern,
    Delete,
    DeleteMatching,
    Insert,
    MustExist,
    MustNotExist,
    Replace,
    Write,
    WriteRequest,
)
from authz_service.facts.fact import Fact, FactPattern
from authz_service.facts.instant import START, Instant
from authz_service.replica.replica import Replica, ReplicaFault
from authz_service.store import fact_store, pack
from authz_service.store.pack import ActiveVersion
from authz_service.store.writes import Written

MINUTE = timedelta(minutes=1)
KEPT = timedelta(minutes=5)

facts = st.builds(
    role, st.sampled_from("abB"), st.sampled_from(("x", "x ")), st.sampled_from(("o", "o%"))
)
patterns: st.SearchStrategy[AnyPattern] = st.one_of(
    st.builds(
        roles,
        st.sampled_from((None, "a", "B")),
        st.sampled_from((None, "x")),
        st.sampled_from((None, "o", "o%")),
    ),
    facts.map(exactly),
    st.sampled_from("aB").map(user).map(About),
    st.just(FactPattern()),
)
minutes = st.none() | st.integers(1, 4)
# Expiries are told in minutes from now; the machine makes instants of them.
inserts = st.tuples(facts, minutes)
writes = st.one_of(
    inserts,
    inserts,
    facts.map(Delete),
    patterns.map(DeleteMatching),
    st.tuples(patterns, st.lists(inserts, max_size=3)),
)
preconditions = st.one_of(patterns.map(MustExist), patterns.map(MustNotExist))

Stored = dict[Fact, Instant | None]


@dataclass
class Expected:
    """The store at one revision."""

    facts: Stored = field(default_factory=dict)
    version: int = 0
    text: str = ""
    committed_at: Instant = START


class StoreModel(RuleBasedStateMachine):
    """`history[n]` is what must be there at revision n; `self.facts` what is stored now."""

    def __init__(self, new_url: Callable[[], str]) -> None:
        super().__init__()
        self.world = World(new_url())
        self.store = self.world.open(keys_kept=KEPT)
        self.replica = Replica(self.store, tuple)
        self.replica.load()
        self.history = [Expected()]
        self.begins_at = 0
        self.keys: dict[str, tuple[WriteRequest, Written, Instant]] = {}

    @property
    def now(self) -> Instant:
        return self.world.instant()

    def counting(self) -> Stored:
        return counting(self.history[-1].facts, self.now)

    def request(
        self, drawn: list[object], conditions: list[object], key: str | None
    ) -> WriteRequest:
        return WriteRequest(tuple(map(self.written, drawn)), tuple(conditions), key)

    def written(self, drawn: object) -> Write:
        match drawn:
            case (Fact(), _):
                return self.insert(drawn)
            case (pattern, new):
                return Replace(
                    pattern, tuple(self.insert(one) for one in new if pattern.matches(one[0]))
                )
            case _:
                return drawn

    def insert(self, drawn: tuple[Fact, int | None]) -> Insert:
        fact, later = drawn
        return Insert(fact, None if later is None else self.world.instant(later * MINUTE))

    @rule(
        drawn=st.lists(writes, max_size=4),
        conditions=st.lists(preconditions, max_size=1),
        key=st.sampled_from((None, None, "k", "l")),
        stale=st.sampled_from((False, False, False, True)),
    )
    def write(
        self, drawn: list[object], conditions: list[object], key: str | None, *, stale: bool
    ) -> None:
        request = self.request(drawn, conditions, key)
        checked_by = ActiveVersion(self.store.incarnation, 0, self.history[-1].version + stale)
        expected = self.expected(request, stale=stale)
        if isinstance(expected, type):
            with pytest.raises(expected):
                self.store.write("default", request, checked_by)
            return
        written = self.store.write("default", request, checked_by)
        earlier = self.keys.get(key) if key else None
        if earlier and earlier[2] > self.now:
            assert written == earlier[1]
            return
        after, results = applied(self.counting(), request)
        assert [
            (r.outcome.value, r.inserted, r.changed, r.deleted) for r in written.results
        ] == results
        stored = self.history[-1].facts
        still = {f: at for f, at in expired(stored, self.now).items() if not deletes(request, f)}
        if {**still, **after} != stored:
            self.commit(facts={**still, **after})
        assert written.revision == len(self.history) - 1
        if key:
            self.keys[key] = request, written, self.world.instant(KEPT)

    def expected(self, request: WriteRequest, *, stale: bool) -> type[AuthzError] | None:
        earlier = self.keys.get(request.idempotency_key or "")
        if earlier and earlier[2] > self.now:
            return None if earlier[0] == request else IdempotencyKeyReused
        if stale:
            return PolicyChanged
        for condition in request.preconditions:
            exists = any(map(condition.pattern.matches, self.counting()))
            if exists is not isinstance(condition, MustExist):
                return PreconditionFailed
        return None

    def commit(self, **changed: object) -> None:
        after = deepcopy(self.history[-1])
        after.committed_at = self.now
        for name, value in changed.items():
            setattr(after, name, value)
        self.history.append(after)

    @precondition(lambda self: self.keys)
    @rule(data=st.data())
    def retry(self, data: st.DataObject) -> None:
        request, written, until = self.keys[data.draw(st.sampled_from(sorted(self.keys)))]
        if until > self.now:
            assert (
                self.store.write("default", request, ActiveVersion(self.store.incarnation, 0, 99))
                == written
            )

    @rule(text=st.sampled_from("pq"))
    def publish(self, text: str) -> None:
        if text != self.history[-1].text:
            self.commit(version=self.history[-1].version + 1, text=text)
        published = self.store.publish("default", policy(text), NOON)
        assert published.revision == len(self.history) - 1
        assert published.version.version == self.history[-1].version

    @rule(later=st.integers(1, 3))
    def time_passes(self, later: int) -> None:
        self.world.passes(later * MINUTE)

    @rule()
    def sweep(self) -> None:
        gone = expired(self.history[-1].facts, self.now)
        assert self.store.remove_expired() == len(gone)
        if gone:
            self.commit(facts=self.counting())

    @rule(kept=st.integers(0, 6))
    def compact(self, kept: int) -> None:
        before = self.world.instant(-kept * MINUTE)
        old = [n for n, one in enumerate(self.history) if n > 0 and one.committed_at < before]
        self.begins_at = max([self.begins_at, *old])
        assert self.store.compact(kept * MINUTE) == self.begins_at

    @rule()
    def reopen(self) -> None:
        self.store.close()
        self.store = self.world.open(keys_kept=KEPT)
        self.replica.close()
        self.replica = Replica(self.store, tuple)
        self.replica.load()

    @rule(data=st.data())
    def read_the_past(self, data: st.DataObject) -> None:
        revision = data.draw(st.integers(0, len(self.history) - 1))
        if revision < self.begins_at:
            with pytest.raises(Compacted):
                self.store.read("default", revision=revision)
            return
        pattern = data.draw(patterns)
        instant = self.history[revision].committed_at
        page = self.store.read("default", pattern, revision=revision)
        expected = counting(self.history[revision].facts, instant)
        assert {one.fact: one.expires_at for one in page.facts} == {
            fact: at for fact, at in expected.items() if pattern.matches(fact)
        }
        version = self.store.policy_at("default", revision)
        assert (version.version if version else 0) == self.history[revision].version

    @rule()
    def catch_up(self) -> None:
        try:
            self.replica.catch_up()
        except ReplicaFault:
            assert self.replica.revision < self.begins_at
            self.replica.load()
        state = self.replica.state("default")
        assert state.revision == len(self.history) - 1 == self.replica.revision
        for later in range(5):
            instant = self.world.instant(later * MINUTE)
            assert set(state.facts_at(instant)) == set(counting(self.history[-1].facts, instant))
        assert (state.policy.version.version if state.policy else 0) == self.history[-1].version

    @invariant()
    def what_is_stored_is_what_was_written(self) -> None:
        head = self.store.head()
        assert (head.revision, head.compacted_to) == (len(self.history) - 1, self.begins_at)
        stored = {one.fact: one.expires_at for one in self.store.export("default")}
        assert stored == self.counting()

    def teardown(self) -> None:
        self.replica.close()
        self.world.__exit__()


def counting(stored: Stored, instant: Instant) -> Stored:
    return {fact: at for fact, at in stored.items() if at is None or at > instant}


def expired(stored: Stored, instant: Instant) -> Stored:
    return {fact: at for fact, at in stored.items() if at is not None and at <= instant}


def applied(
    before: Stored, request: WriteRequest
) -> tuple[Stored, list[tuple[str, int, int, int]]]:
    after, results = dict(before), []
    for write in request.writes:
        match write:
            case Insert(fact, at):
                results.append(inserted(after, fact, at))
            case Delete(fact):
                found = after.pop(fact, ()) != ()
                results.append(("deleted" if found else "missing", 0, 0, int(found)))
            case DeleteMatching(pattern):
                gone = [fact for fact in after if pattern.matches(fact)]
                for fact in gone:
                    del after[fact]
                results.append(("deleted" if gone else "missing", 0, 0, len(gone)))
            case Replace(pattern, new):
                wanted = {one.fact for one in new}
                gone = [fact for fact in after if pattern.matches(fact) and fact not in wanted]
                for fact in gone:
                    del after[fact]
                done = [inserted(after, one.fact, one.expires_at) for one in new]
                results.append(
                    ("replaced", sum(d[1] for d in done), sum(d[2] for d in done), len(gone))
                )
    return after, results


def deletes(request: WriteRequest, fact: Fact) -> bool:
    """Say whether a write of the request deletes the fact if it is there, or it is not to be there."""
    return any(
        one.pattern.matches(fact)
        if isinstance(one, DeleteMatching | Replace | MustNotExist)
        else one == Delete(fact)
        for one in (*request.writes, *request.preconditions)
        if not isinstance(one, MustExist)
    )


def inserted(after: Stored, fact: Fact, at: Instant | None) -> tuple[str, int, int, int]:
    before = after.get(fact, ())
    after[fact] = at
    if before == ():
        return "created", 1, 0, 0
    return ("existed", 0, 0, 0) if before == at else ("changed", 0, 1, 0)


@pytest.fixture(params=["sqlite", "postgresql"])
def new_url(request: pytest.FixtureRequest) -> Iterator[Callable[[], str]]:
    """Return what makes another new database each time."""
    if request.param == "postgresql":
        server: Server = request.getfixturevalue("postgresql")
        yield server.empty_database
        return
    with tempfile.TemporaryDirectory() as folder:
        numbers = iter(range(1_000_000))
        yield lambda: f"sqlite:///{folder}/{next(numbers)}.db"


@pytest.fixture(autouse=True)
def _small_bases(monkeypatch: pytest.MonkeyPatch) -> None:
    """Sort expiries anew after a few changes, and read in small pages."""
    monkeypatch.setattr(expiry, "_FEW_CHANGES", 1)
    monkeypatch.setattr(fact_store, "_PAGE", 2)
    monkeypatch.setattr(fact_store, "_BATCH", 2)
    monkeypatch.setattr(pack, "_PART", 2)


def test_model(new_url: Callable[[], str]) -> None:
    run_state_machine_as_test(
        lambda: StoreModel(new_url),
        settings=settings(max_examples=20, stateful_step_count=30, deadline=None),
    )
