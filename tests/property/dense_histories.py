"""Histories: facts come and go, expire and are merged, the policy is replaced, and questions of all sorts are
asked in between; each is answered as over a snapshot that is made anew, and as by the reference.
"""

from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from itertools import islice
from random import Random
from unittest.mock import patch

from comparison import Case
from dense_case import Dense, Told, told
from explanations import Judge
from random_queries import random_query
from random_scenes import Facts

from authz_service.engine.engines import Engine
from authz_service.engine.verification import compare, compare_lists, compare_queries, lists_of
from authz_service.facts import grouping, index, members, tables, view
from authz_service.facts.change import ChangeBatch
from authz_service.facts.expiry import Expiries
from authz_service.facts.fact import Fact
from authz_service.facts.instant import Instant
from authz_service.facts.revision import Revision
from authz_service.facts.snapshot import FactSnapshot
from authz_service.facts.work import done

EVENTS = 14
ASKED = 8
STEPS = 2_000_000

# As if there were very many facts.
_SMALL = (
    (members, "MOST_IN_TUPLE", 2),
    (members, "MOST_COPIED", 3),
    (members, "_MOST_SHARED", 1),
    (tables, "SPARE_IDS", 0),
    (index, "PART_ROWS", 2),
    (grouping, "PART_ROWS", 2),
    (grouping, "_BUCKET", 1),
)


class History:
    """A snapshot that changes all the time; `facts` and `until` are what must be in it, and how long."""

    def __init__(self, random: Random, facts: Sequence[Fact], policies: Sequence[Dense]) -> None:
        self._random = random
        self._every = list(facts)
        self.facts = set(random.sample(self._every, len(facts) // 2))
        self.until: dict[Fact, Instant] = {}
        self.snapshot = self._origin = FactSnapshot(self.facts)
        self.expiries = Expiries()
        self._policies = policies
        self.active = policies[0]
        self._revision = 0
        self.now = 2

    def step(self) -> str:
        """Let one thing happen, and return what it was."""
        events = {
            self._change: 55,
            self._merge: 8,
            self._begin_to_merge: 7,
            self._end_to_merge: 7,
            self._sweep: 7,
            self._prepare: 5,
            self._begin_to_prepare: 5,
            self._walk: 5,
            self._replace_the_policy: 7,
            self._wait: 7,
        }
        [event] = self._random.choices(list(events), list(events.values()))
        event()
        return event.__name__.strip("_")

    @property
    def instant(self) -> Instant:
        return Instant(self.now * 1_000_000)

    def counting(self) -> set[Fact]:
        """Return the facts that have not expired."""
        return {
            fact for fact in self.facts if self.until.get(fact, self.instant + 1) > self.instant
        }

    def remaining(self) -> FactSnapshot:
        """Return the snapshot as it stands, which has to have these."""
        return self.expiries.remaining(self.snapshot, self.instant)

    def _change(self) -> None:
        random = self._random
        some = min(len(self._every), random.choice((1, 1, 2, 6, 20)))
        chosen = random.sample(self._every, some)
        inserted = [f for f in chosen if f not in self.facts or random.random() < 0.2]
        deleted = frozenset(chosen).difference(inserted)
        timed = {fact: self._end() for fact in inserted if random.random() < 0.25}
        self._written(frozenset(inserted), deleted, timed)

    def _end(self) -> Instant:
        # Some of them are over when they are written.
        return Instant((self.now + self._random.randint(-1, 3)) * 1_000_000)

    def _written(
        self, inserted: frozenset[Fact], deleted: frozenset[Fact], timed: dict[Fact, Instant]
    ) -> None:
        self.facts = (self.facts - deleted) | inserted
        for fact in inserted | deleted:
            self.until.pop(fact, None)
        self.until |= timed
        self._apply(ChangeBatch(self._next(), "default", inserted, deleted, expiries=timed))

    def _next(self) -> Revision:
        self._revision += 1
        return Revision(self._revision)

    def _apply(self, batch: ChangeBatch) -> None:
        self.snapshot = self.snapshot.after(batch)
        self.expiries = self.expiries.after(batch)

    def _sweep(self) -> None:
        """Remove what has expired, as the store does some time later."""
        gone = frozenset(self.facts - self.counting())
        self.facts -= gone
        for fact in gone:
            del self.until[fact]
        self._apply(ChangeBatch(self._next(), "default", frozenset(), frozenset(), expired=gone))

    def _merge(self) -> None:
        self.snapshot = self._origin = self.snapshot.merged()

    def _begin_to_merge(self) -> None:
        self._origin = self.snapshot

    def _end_to_merge(self) -> None:
        self.snapshot = done(self.snapshot.rebasing(self._origin.merged(), self._origin))
        self._origin = self.snapshot

    def _prepare(self) -> None:
        self.snapshot = self._origin = self.snapshot.prepared(self.active.compiled.program.demand)

    def _begin_to_prepare(self) -> None:
        demand = self._random.choice(self._policies).compiled.program.demand
        for _ in islice(self.snapshot.preparing(demand), self._random.randint(0, 20)):
            pass

    def _walk(self) -> None:
        for _ in self.snapshot.walking(self.active.compiled.program.demand):
            pass

    def _replace_the_policy(self) -> None:
        self.active = self._random.choice(self._policies)

    def _wait(self) -> None:
        self.now += 1


def histories(policies: Sequence[Dense]) -> Told:
    """Yield what is told in a history over the facts of the first of the policies."""
    random = Random(policies[0].seed)
    few_starts = random.choice((0, view.FEW_STARTS))
    with ExitStack() as patches:
        if random.random() < 0.7:
            for module, name, value in _SMALL:
                patches.enter_context(patch.object(module, name, value))
        patches.enter_context(patch.object(view, "FEW_STARTS", few_starts))
        yield from _history(random, History(random, policies[0].facts, policies))


def _history(random: Random, history: History) -> Told:
    happened: list[str] = []
    facts = sorted(history.facts)
    for _ in range(EVENTS):
        happened.append(history.step())
        context = random.sample(facts, min(len(facts), random.choice((0, 0, 3))))
        found = history.remaining().with_facts(context)
        anew = FactSnapshot(sorted(history.counting().union(context)))
        is_same = set(found) == set(anew)
        yield "facts", None if is_same else f"{happened}: {set(found) ^ set(anew)}"
        for sort, wrong in _asked(random, history, found, anew):
            yield sort, wrong and f"{happened} at {history.now}: {wrong}"
    yield from _explained(random, history, found)


def _asked(random: Random, history: History, found: FactSnapshot, anew: FactSnapshot) -> Told:
    active = history.active
    questions = random.sample(active.questions, min(ASKED, len(active.questions)))
    lists = lists_of(active.policy, questions)
    query = random_query(random, active.policy, sorted(anew), sorted(anew))
    programs = active.programs
    kept = {Engine.COMPILED: programs[Engine.COMPILED]}
    for sort, compared, asked in (
        ("checks in histories", compare, questions),
        ("lists in histories", compare_lists, random.sample(lists, min(ASKED, len(lists)))),
        ("queries in histories", compare_queries, [query]),
    ):
        right = compared(programs, asked, anew, history.now, STEPS)
        for one, other in zip(right, compared(kept, asked, found, history.now, STEPS), strict=True):
            yield sort, told(one.question, [*one.answers.values(), *other.answers.values()])


def _explained(
    random: Random, history: History, found: FactSnapshot
) -> Iterator[tuple[str, str | None]]:
    """Explain over the snapshot that was changed so often."""
    active = history.active
    questions = random.sample(active.questions, min(ASKED, len(active.questions)))
    drawn = Facts(tuple(sorted(found)), tuple(questions), ())
    case = Case(active.seed, "", active.reference, drawn, [])
    judge = Judge(case, active.compiled, found, history.now)
    for question in questions:
        permitted = question.as_fact() in judge.everything
        wrong = list(judge.broken(question, permitted=permitted))
        yield "explanations in histories", "\n".join(wrong) or None
