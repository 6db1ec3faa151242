"""Random facts and questions for a checked policy, along what its rules ask for.

Among the facts are near misses, circles, diamonds and long paths; among the questions strangers.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from random import Random

from schemas import IDS, NOW

from authz_service.engine.program import Question
from authz_service.engine.scenes import Scene
from authz_service.engine.verification import Kind, Questions, kinds_of_questions
from authz_service.facts.fact import Fact
from authz_service.facts.value import PRIMITIVE_TYPES
from authz_service.polar.policy import Policy

QUESTIONS = 27
KINDS = 5
PATH = tuple(f"n{number}" for number in range(9))


@dataclass(frozen=True)
class Facts:
    """Facts, questions about them, and facts that are like them but not among them."""

    facts: tuple[Fact, ...]
    questions: tuple[Question, ...]
    others: tuple[Fact, ...]


def random_kinds(random: Random, policy: Policy) -> list[Kind]:
    """Return a few kinds of questions: an engine that compiles works on each of them."""
    kinds = kinds_of_questions(policy, ("read", *IDS[:2]))
    return random.sample(kinds, min(len(kinds), KINDS))


def random_facts(
    random: Random, policy: Policy, kinds: Sequence[Kind], *, downhill: bool = False
) -> Facts:
    """Return facts and questions for `policy`. If `downhill`, relations between resources form no circles."""
    ids = random.sample(IDS, random.randint(2, 4))
    keep = is_downhill if downhill else lambda _: True
    scene = Scene(policy, random, ids, NOW, keep=keep, kinds=kinds)
    for _ in range(random.choice((2, 8, 12, 16))):
        scene.aim()
    for _ in range(random.choice((0, 3, 9))):
        scene.scatter()
    if random.random() < 0.03:
        scene.facts.clear()
    _shape(random, scene, ids)
    facts = tuple(scene.facts)
    questions = _questions(random, scene, Questions(policy, facts, kinds))
    for _ in range(6):
        scene.scatter()
    return Facts(facts, questions, tuple(fact for fact in scene.facts if fact not in facts))


def is_downhill(fact: Fact) -> bool:
    """Say whether a relation leads from an id to a smaller one, so that there are no circles."""
    first, last = fact.args[0], fact.args[-1]
    return fact.predicate != "has_relation" or last.type in PRIMITIVE_TYPES or first.id > last.id


def _shape(random: Random, scene: Scene, ids: list[str]) -> None:
    choice = random.random()
    if choice < 0.12:
        scene.link([*ids, ids[0]])
    elif choice < 0.2:
        state = random.getstate()
        scene.link([ids[0], ids[1], PATH[0]])
        random.setstate(state)  # in the same relation
        scene.link([ids[0], PATH[1], PATH[0]])
    elif choice < 0.26:
        scene.link([ids[0], *PATH, ids[-1]])


def _questions(random: Random, scene: Scene, every: Questions) -> tuple[Question, ...]:
    drawn = random.sample(every, min(len(every), QUESTIONS))
    return tuple(dict.fromkeys([*scene.aimed, *drawn]))[:QUESTIONS]
