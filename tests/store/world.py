"""What promises are tried on: a database, stores opened on it, a clock that is set by hand, and short ways to write."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from threading import Event
from typing import Self

from sqlalchemy import Connection, event, text

from authz_service.facts.change import Delete, Insert, Write, WriteRequest
from authz_service.facts.fact import AnyValue, Fact, FactPattern
from authz_service.facts.instant import Instant, instant_of
from authz_service.facts.policy_text import PolicyFile
from authz_service.facts.revision import Revision
from authz_service.facts.value import Value, string
from authz_service.store.fact_store import FactStore
from authz_service.store.writes import Written

START = Revision(0)
NOON = datetime(2026, 1, 2, 12, 0, 0, 123456, tzinfo=UTC)
SECOND = timedelta(seconds=1)


class World:
    """One database. What was opened on it is closed in the end."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.now = NOON
        self._opened: list[FactStore] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        for store in self._opened:
            store.close()

    def open(self, **settings: object) -> FactStore:
        """Open the database as another process would, with connections and a committer of its own."""
        store = FactStore.open(self.url, clock=lambda: self.now, **settings)
        self._opened.append(store)
        return store

    def passes(self, time: timedelta) -> None:
        self.now += time

    def instant(self, later: timedelta = timedelta()) -> Instant:
        return instant_of(self.now + later)


def user(name: str) -> Value:
    return Value("User", name)


def org(name: str) -> Value:
    return Value("Org", name)


def role(who: str, what: str = "owner", where: str = "acme") -> Fact:
    return Fact("has_role", (user(who), string(what), org(where)))


def roles(who: str | None = None, what: str | None = None, where: str | None = None) -> FactPattern:
    """Return the pattern of roles with holes for what is not given."""
    return FactPattern(
        "has_role",
        (
            user(who) if who else AnyValue("User"),
            string(what) if what else AnyValue(),
            org(where) if where else AnyValue("Org"),
        ),
    )


def exactly(fact: Fact) -> FactPattern:
    return FactPattern(fact.predicate, fact.args)


def insert(*facts: Fact, until: Instant | None = None) -> list[Insert]:
    return [Insert(fact, until) for fact in facts]


def delete(*facts: Fact) -> list[Delete]:
    return [Delete(fact) for fact in facts]


def write(store: FactStore, *writes: Write, name: str = "default", **request: object) -> Written:
    return store.write(name, WriteRequest(writes, **request))


def outcomes(written: Written) -> list[str]:
    return [result.outcome.value for result in written.results]


def policy(text_: str) -> tuple[PolicyFile, ...]:
    return (PolicyFile("main.polar", text_),)


def facts_now(store: FactStore, name: str = "default", **moment: object) -> set[Fact]:
    found = [one.fact for one in store.export(name, **moment)]
    assert len(found) == len(set(found))
    return set(found)


def replayed(store: FactStore, name: str = "default", start: Sequence[Fact] = ()) -> set[Fact]:
    """Return what the log says is stored, having looked at every step of it."""
    facts = set(start)
    after = store.head().compacted_to
    while batches := store.changes_after(after, limit=100):
        for batch in batches:
            assert batch.revision == after + 1
            after = batch.revision
            if batch.store == name:
                assert facts >= batch.deleted | batch.expired
                facts = (facts - batch.deleted - batch.expired) | batch.inserted
                assert facts >= batch.expiries.keys()
    assert after == store.head().revision
    return facts


def execute(store: FactStore, *statements: str) -> None:
    """Do what no method of the store does, behind its back."""
    with (
        store._engine.connect() as opened,
        opened.execution_options(writing=True) as connection,
        connection.begin(),
    ):
        for statement in statements:
            connection.execute(text(statement))


def hold_up(store: FactStore) -> Event:
    """Keep the committer from its work until the event is set: what is submitted meanwhile makes one pack."""
    started, released = Event(), Event()
    store._committer.submit(lambda _: started.set() or released.wait(10))
    assert started.wait(10)
    return released


class Held:
    """A store whose next write begins, and then waits for `release`.

    With PostgreSQL the transaction is open by then and has its number; SQLite has one such transaction at a
    time, so it is about to take its turn.
    """

    def __init__(self, store: FactStore) -> None:
        self._begun, self._released = Event(), Event()
        if store._engine.dialect.name == "postgresql":
            event.listen(store._engine, "begin", self._number)
        else:
            writing = store._database.writing
            store._database.writing = lambda: self._wait() or writing()

    def begun(self) -> None:
        assert self._begun.wait(10)

    def release(self) -> None:
        self._released.set()

    def _number(self, connection: Connection) -> None:
        if connection.get_execution_options().get("writing"):
            connection.exec_driver_sql("SELECT pg_current_xact_id()")
            self._wait()

    def _wait(self) -> None:
        self._begun.set()
        assert self._released.wait(10)
