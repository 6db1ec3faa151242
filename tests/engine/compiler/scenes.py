"""Policies, facts and questions on which a compiler could err, and what the reference engine says to them.

First the ones that somebody thought of, each in a file that begins with the reason and whose facts stand in
comments that begin with `#+`; then random ones, with fixed seeds.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import chain, islice, product
from pathlib import Path

from comparison import Case, random_cases
from examples import fact, load
from schemas import NOW

from authz_service.engine.compiled import Kind
from authz_service.engine.engines import LoadedPolicy
from authz_service.engine.program import Budget, Question
from authz_service.engine.verification import named_values
from authz_service.facts.fact import Fact
from authz_service.facts.snapshot import FactSnapshot
from authz_service.facts.value import PRIMITIVE_TYPES, Value
from authz_service.polar.policy import Policy

FILES = sorted((Path(__file__).parent / "scenes").glob("*.polar"))
SEEDS = range(12)
STEPS = 2_000_000
STRANGERS = ("nobody", "no one else")
ANY_ACTIONS = ("read", "write", "nothing")


@dataclass(frozen=True)
class Scene:
    """A policy, facts and questions with the right answers."""

    name: str
    policy: Policy
    facts: FactSnapshot
    questions: Sequence[Question]
    expected: Sequence[bool]

    @property
    def by_kind(self) -> dict[Kind, list[tuple[Question, bool]]]:
        """The questions with their answers, by kind."""
        found: dict[Kind, list[tuple[Question, bool]]] = {}
        for question, answer in zip(self.questions, self.expected, strict=True):
            found.setdefault(kind_of(self.policy, question), []).append((question, answer))
        return found

    @property
    def usable(self) -> list[Fact]:
        """The facts that rules can use."""
        return [fact for fact in self.facts if self.policy.shapes.accept(fact)]

    @property
    def values(self) -> set[Value]:
        """What occurs in questions, facts and rules."""
        about = chain(self.facts, (question.as_fact() for question in self.questions))
        return set(named_values(self.policy)).union(*(fact.args for fact in about))


def kind_of(policy: Policy, question: Question) -> Kind:
    actor, action, resource = question
    is_named = policy.actions[resource.type] is not None
    return Kind(actor.type, action if is_named else None, resource.type)


@cache
def all_scenes() -> tuple[Scene, ...]:
    """Return all scenes, those that somebody wrote first."""
    drawn = (scene for seed in SEEDS for scene in islice(random_scenes(seed), 1))
    return (*map(written_scene, FILES), *drawn)


@cache
def written_scene(path: Path) -> Scene:
    text = path.read_text(encoding="utf-8")
    facts = [fact(line[2:].strip()) for line in text.splitlines() if line.startswith("#+")]
    return scene(path.stem, text, facts)


def scene(name: str, text: str, facts: Sequence[Fact]) -> Scene:
    """Return the scene with all questions about the entities of the facts, and about strangers."""
    loaded = load(text)
    questions = list(_questions(loaded.policy, facts))
    return Scene(
        name, loaded.policy, FactSnapshot(facts), questions, _answers(loaded, facts, questions)
    )


def random_scenes(seed: int) -> Iterator[Scene]:
    """Yield the scenes that the generators of random policies make of `seed`; none if it is refused."""
    for number, case in enumerate(random_cases(seed)):
        if isinstance(case, Case):
            drawn = case.drawn
            yield Scene(
                f"seed {seed}, facts {number}",
                case.reference.policy,
                FactSnapshot(drawn.facts),
                drawn.questions,
                case.expected,
            )


def _questions(policy: Policy, facts: Sequence[Fact]) -> Iterator[Question]:
    values = {value for fact in facts for value in fact.args} | named_values(policy)
    ids: dict[str, list[str]] = {name: [*STRANGERS] for name in policy.types}
    for value in sorted(values):
        if value.type not in PRIMITIVE_TYPES:
            ids.setdefault(value.type, []).append(value.id)
    for resource, actions in sorted(policy.actions.items()):
        for action in ANY_ACTIONS if actions is None else sorted(actions):
            for actor in sorted(policy.actors & policy.types):
                for one, other in product(ids[actor], ids[resource]):
                    yield Question(Value(actor, one), action, Value(resource, other))


def _answers(
    loaded: LoadedPolicy, facts: Sequence[Fact], questions: Sequence[Question]
) -> list[bool]:
    asked = [question.as_fact() for question in questions]
    values = {value for fact in asked for value in fact.args}
    model = loaded.program.model(facts, values, NOW, Budget(STEPS))
    return [fact in model for fact in asked]
