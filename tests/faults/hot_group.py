"""F22: one group has a million members. Writes to it and questions about it are like those about any other."""

import asyncio
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path
from random import Random
from statistics import median

from away import percentile
from report import Number
from sqlalchemy import update

from authz_service.engine.engines import Engine
from authz_service.engine.program import Question
from authz_service.facts.change import Delete, Insert, WriteRequest
from authz_service.facts.fact import Fact
from authz_service.facts.policy_text import PolicyFile
from authz_service.facts.value import Value, string
from authz_service.pdp.decide import PolicyDecisionPoint
from authz_service.replica.replica import Replica
from authz_service.server.app import prepare_process
from authz_service.server.garbage import uncollected
from authz_service.server.prepare import prepared
from authz_service.store import dialect, tables
from authz_service.store.fact_store import FactStore
from authz_service.store.rows import fact_columns

_POLICY = """
actor User {}
resource Group { roles = ["member"]; }
resource Document {
  roles = ["reader"];
  permissions = ["read"];
  relations = { group: Group };
  "read" if "reader";
  "reader" if "member" on "group";
}
"""
_GROUPS = 1001
_MEMBERS = 10
_HOT = "group0"
_EACH = 50
"""So many questions about each of the two groups are asked after a write."""

_PACK = 10_000
_STEPS = 1_000_000


def hot_group(
    folder: Path, rounds: int, progress: Callable[[int], None], members: int = 1_000_000
) -> list[Number]:
    """Write to the one group so many times, and ask about it and about others in turns."""
    interval = sys.getswitchinterval()
    prepare_process()
    url = f"sqlite:///{folder}/authz.db"
    try:
        with closing(FactStore.open(url)) as store:
            _fill(store, url, members)
            load = prepared(Engine.COMPILED)
            replica = Replica(
                store, lambda files: load(files, lambda: False), lambda one: one.program.demand
            )
            with uncollected():
                replica.load()
            pdp = PolicyDecisionPoint(replica, evaluation_steps=_STEPS)
            try:
                return asyncio.run(_Hot(store, replica, pdp, members).run(rounds, progress))
            finally:
                pdp.close()
                replica.close()
    finally:
        sys.setswitchinterval(interval)


class _Hot:
    def __init__(
        self, store: FactStore, replica: Replica, pdp: PolicyDecisionPoint, members: int
    ) -> None:
        self._store = store
        self._replica = replica
        self._pdp = pdp
        self._members = members
        self._chance = Random(7)

    async def run(self, rounds: int, progress: Callable[[int], None]) -> list[Number]:
        applied, about_it, about_others = [], [], []
        self._replica.catch_up()
        for number in range(rounds):
            applied.append(await self._write(f"new{number // 2}", is_new=number % 2 == 0))
            for _ in range(_EACH):
                other = self._chance.randrange(1, _GROUPS)
                # The first question after a write takes longer, whatever it is about.
                for group in self._chance.sample([0, other], 2):
                    seconds = about_others if group else about_it
                    seconds.append(await self._ask(group))
            progress(number + 1)
        return [
            Number("members of the group", self._members),
            Number("writes to it", rounds),
            Number("a write is applied in, median, ms", 1000 * median(applied)),
            Number("a write is applied in, the longest, ms", 1000 * max(applied), 10),
            Number("a question about it, median, us", 1e6 * median(about_it)),
            Number("a question about it, p99, us", 1e6 * percentile(about_it, 0.99)),
            Number("a question about another, p99, us", 1e6 * percentile(about_others, 0.99)),
            Number(
                "p99 of a question about it, beside one about another",
                percentile(about_it, 0.99) / percentile(about_others, 0.99),
                2,
            ),
        ]

    async def _write(self, name: str, *, is_new: bool) -> float:
        """Let somebody into the group or out of it again; return how long that took to apply."""
        fact = _member(name, _HOT)
        self._store.write("default", WriteRequest([Insert(fact) if is_new else Delete(fact)]))
        start = time.perf_counter()
        self._replica.catch_up()
        took = time.perf_counter() - start
        assert await self._permits(name, 0) is is_new, "the write does not show"
        return took

    async def _ask(self, group: int) -> float:
        """Ask about a member and about somebody else, in turns; return how long an answer took."""
        members = self._members if group == 0 else _MEMBERS
        number = self._chance.randrange(2 * members)
        start = time.perf_counter()
        is_permitted = await self._permits(f"g{group}u{number}", group)
        took = time.perf_counter() - start
        assert is_permitted is (number < members), "the answer is wrong"
        return took

    async def _permits(self, user: str, group: int) -> bool:
        question = Question(Value("User", user), "read", Value("Document", f"document{group}"))
        return (await self._pdp.decide(self._pdp.moment("default"), question, ())).permitted


def _member(user: str, group: str) -> Fact:
    return Fact("has_role", (Value("User", user), string("member"), Value("Group", group)))


def _facts(members: int) -> Iterator[Fact]:
    for group in range(_GROUPS):
        name = f"group{group}"
        document = Value("Document", f"document{group}")
        yield Fact("has_relation", (document, string("group"), Value("Group", name)))
        for number in range(members if group == 0 else _MEMBERS):
            yield _member(f"g{group}u{number}", name)


def _fill(store: FactStore, url: str, members: int) -> None:
    """Make the database, as imports would have left it behind."""
    store.publish("default", (PolicyFile("policy.polar", _POLICY),), datetime.now(UTC))
    engine = dialect.open_engine(url)
    some = _facts(members)
    with engine.connect() as opened, opened.execution_options(writing=True) as connection:
        while pack := list(islice(some, _PACK)):
            rows = [(0, *fact_columns(fact), 1, None) for fact in pack]
            dialect.insert_rows(connection, tables.facts, rows)
        connection.execute(update(tables.head).values(revision=tables.head.c.revision))
        connection.commit()
    engine.dispose()
