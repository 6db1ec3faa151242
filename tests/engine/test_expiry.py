"""A fact that has expired does not count at that instant, in any engine, whatever was asked and kept before.

Stores are changed and asked at random instants, also earlier ones: what was reached by walks, the facts without
those that have expired, and indexes are kept from one question to the next. The answer must be that of the reference
engine about nothing but the facts that count.
"""

import random
from dataclasses import dataclass, field

import pytest
from examples import entity, fact, load

from authz_service.engine.engines import Engine, LoadedPolicy
from authz_service.engine.program import Budget, Question
from authz_service.facts.change import ChangeBatch
from authz_service.facts.expiry import Expiries
from authz_service.facts.fact import Fact
from authz_service.facts.instant import Instant
from authz_service.facts.revision import Revision
from authz_service.facts.snapshot import FactSnapshot
from authz_service.facts.work import done

POLICY = """
actor User {}
resource Group {
  roles = ["member"];
  relations = { within: Group };
  "member" if "member" on "within";
}
resource Folder {
  roles = ["reader"];
  permissions = ["read"];
  relations = { parent: Folder, shared_with: Group };
  "reader" if "reader" on "parent";
  "reader" if "member" on "shared_with";
  "read" if "reader";
}
allow(user: User, action: String, folder: Folder) if
  has_permission(user, action, folder) and
  not is_banned(user);
"""
USERS = [f"User:{name}" for name in "ab"]
GROUPS = [f"Group:{number}" for number in range(4)]
FOLDERS = [f"Folder:{number}" for number in range(6)]
FACTS = [
    *(fact(f"is_banned({user})") for user in USERS),
    *(fact(f'has_role({user}, "reader", {folder})') for user in USERS for folder in FOLDERS[:2]),
    *(fact(f'has_role({user}, "member", {group})') for user in USERS for group in GROUPS[:2]),
    *(fact(f'has_relation({a}, "parent", {b})') for a in FOLDERS for b in FOLDERS if a != b),
    *(fact(f'has_relation({a}, "within", {b})') for a in GROUPS for b in GROUPS if a != b),
    *(fact(f'has_relation({a}, "shared_with", {b})') for a in FOLDERS[::2] for b in GROUPS),
]
# The VM comes to no end where data is a circle.
WITHOUT_CIRCLES = [
    each for each in FACTS if each.predicate != "has_relation" or each.args[0].id < each.args[2].id
]
QUESTIONS = [Question(entity(user), "read", entity(folder)) for user in USERS for folder in FOLDERS]


@dataclass
class Kept:
    """What a replica holds of a store, beside what is in it by the letter."""

    policy: LoadedPolicy
    facts: FactSnapshot = field(default_factory=FactSnapshot)
    expiries: Expiries = field(default_factory=Expiries)
    stored: dict[Fact, Instant | None] = field(default_factory=dict)
    revision: int = 0

    def write(self, wanted: dict[Fact, Instant | None], gone: set[Fact], swept: set[Fact]) -> None:
        self.revision += 1
        before = dict(self.stored)
        self.stored |= wanted
        for each in gone | swept:
            del self.stored[each]
        inserted = frozenset(wanted.keys() - before.keys())
        changed = {each for each in wanted if each in before and before[each] != wanted[each]}
        expiries = {each: wanted[each] for each in changed}
        expiries |= {each: wanted[each] for each in inserted if wanted[each] is not None}
        batch = ChangeBatch(
            Revision(self.revision),
            "default",
            inserted,
            frozenset(gone),
            expired=frozenset(swept),
            expiries=expiries,
        )
        self.facts = self.facts.after(batch)
        self.expiries = self.expiries.after(batch)

    def merge(self) -> None:
        self.facts = done(self.facts.rebasing(self.facts.merged(), self.facts))
        if self.revision % 2:
            self.expiries = Expiries(
                {each: at for each, at in self.stored.items() if at is not None}
            )

    def counting(self, instant: Instant) -> list[Fact]:
        return [each for each, at in self.stored.items() if at is None or at > instant]

    def answers(self, instant: Instant) -> list[bool]:
        facts = self.expiries.remaining(self.facts, instant)
        return [
            self.policy.program.permits(question, facts, 0, Budget(100_000))
            for question in QUESTIONS
        ]


@pytest.mark.parametrize(("engine", "rounds"), [("compiled", 8), ("reference", 1), ("oso", 2)])
def test_what_has_expired_does_not_count(engine: str, rounds: int) -> None:
    facts = WITHOUT_CIRCLES if engine == "oso" else FACTS
    reference = load(POLICY)
    answers: set[bool] = set()
    differing = 0
    for seed in range(rounds):
        choose = random.Random(seed)
        kept = Kept(load(POLICY, Engine(engine)))
        kept.facts = kept.facts.prepared(kept.policy.program.demand)
        for now in range(1, 9):
            swept = {
                each
                for each, at in kept.stored.items()
                if at is not None and at <= now and choose.random() < 0.5
            }
            others = [each for each in kept.stored if each not in swept]
            gone = set(choose.sample(others, min(2, len(others))))
            free = [each for each in facts if each not in gone | swept]
            wanted = {
                each: choose.choice([None, *(Instant(now + later) for later in range(1, 9))])
                for each in choose.sample(free, 5)
            }
            kept.write(wanted, gone, swept)
            if choose.random() < 0.3:
                kept.merge()
            for _ in range(3):
                instant = Instant(now + choose.randrange(10))
                fresh = FactSnapshot(kept.counting(instant))
                expected = [
                    reference.program.permits(question, fresh, 0, Budget(100_000))
                    for question in QUESTIONS
                ]
                assert kept.answers(instant) == expected, (seed, now, instant)
                answers.update(expected)
                differing += expected != [
                    kept.policy.program.permits(question, kept.facts, 0, Budget(100_000))
                    for question in QUESTIONS
                ]
    # The cases are worth asking: both answers come, and expiry often makes the difference.
    assert answers == {True, False}
    assert differing > rounds


@pytest.mark.parametrize("engine", list(Engine))
def test_the_instant_of_expiry_itself(engine: Engine) -> None:
    """Up to the microsecond before, a walk goes over the fact; from the instant on it does not."""
    kept = Kept(load(POLICY, engine))
    kept.facts = kept.facts.prepared(kept.policy.program.demand)
    chain = [f'has_relation(Folder:{n}, "parent", Folder:{n + 1})' for n in range(5)]
    kept.write({fact('has_role(User:a, "reader", Folder:5)'): None}, set(), set())
    for number, link in enumerate(chain):
        kept.write({fact(link): Instant(1000 * (number + 1))}, set(), set())
    for number in range(5):
        at = 1000 * (number + 1)
        for instant in (at - 1, at, at - 1, at + 1):
            permitted = kept.answers(Instant(instant))[: len(FOLDERS)]
            first = number + (instant >= at)
            assert permitted == [folder >= first for folder in range(len(FOLDERS))]
