"""One dense policy with facts and questions; and what is told of answers to them."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from math import prod
from random import Random

import dense_policies
import dense_rules
from dense_policies import NOW, accepted

from authz_service.engine.engines import Engine, LoadedPolicy, loader
from authz_service.engine.program import Budget, Program, Question
from authz_service.engine.verification import (
    Answer,
    Asked,
    Questions,
    kinds_of_questions,
    named_values,
)
from authz_service.errors import AuthzError, EvaluationLimitReached
from authz_service.facts.fact import Fact
from authz_service.facts.value import Value, integer, string
from authz_service.polar.policy import Policy

QUESTIONS = 60
MANY_QUESTIONS = 600
MOST_FACTS = 24
MOST_STEPS = 300_000  # of the reference

Told = Iterator[tuple[str, str | None]]
"""For each question what sort it was of and how it was answered, and what is wrong if something is."""


@dataclass(frozen=True)
class Dense:
    """A dense policy, facts and some questions about them."""

    seed: int
    text: str
    reference: LoadedPolicy
    compiled: LoadedPolicy
    facts: Sequence[Fact]
    questions: Sequence[Question]

    @property
    def policy(self) -> Policy:
        return self.reference.policy

    @property
    def programs(self) -> dict[Engine, Program]:
        return {Engine.REFERENCE: self.reference.program, Engine.COMPILED: self.compiled.program}


def dense(seed: int) -> Dense | None:
    """Return what the seed stands for, of odd ones with fewer words; None if that is too much work."""
    random = Random(seed)
    words = dense_policies if seed % 2 else dense_rules
    files = accepted(words.policy_lines(random))
    if files is None:
        return None
    reference, compiled = loader(Engine.REFERENCE)(files), loader(Engine.COMPILED)(files)
    # With one entity of each type all small sets of changes can be tried.
    policy = reference.policy
    every_id = seed % 4 < 2
    drawn = {
        *usable_facts(random, policy),
        *random.sample(found := words.random_facts(random), len(found) // 4),
    }
    facts = sorted(fact for fact in drawn if every_id or not _is_second(fact))
    every = Questions(policy, facts, kinds_of_questions(policy, ("read", "write")))
    try:
        model = reference.program.model(facts, named_values(policy), NOW, Budget(MOST_STEPS))
    except EvaluationLimitReached:
        return None
    # Of all questions few are permitted.
    drawn = random.sample(every, min(MANY_QUESTIONS, len(every)))
    permitted = [question for question in drawn if question.as_fact() in model]
    questions = permitted[: QUESTIONS // 2]
    denied = [question for question in drawn if question.as_fact() not in model]
    questions += denied[: QUESTIONS - len(questions)]
    random.shuffle(questions)
    return Dense(seed, files[0].text, reference, compiled, facts, questions)


def usable_facts(random: Random, policy: Policy) -> Iterator[Fact]:
    """Yield facts that rules can use, some for each way in which they can."""
    entities = (Value(name, text) for name in policy.types for text in dense_rules.IDS)
    texts = map(string, dense_rules.TEXTS)
    numbers = map(integer, dense_rules.NUMBERS)
    every = sorted([*entities, *texts, *numbers, *named_values(policy)])
    for predicate, shapes in sorted(policy.shapes.by_predicate.items()):
        for shape in sorted(shapes, key=str):
            choices = [[value for value in every if arg.accepts(value)] for arg in shape.args]
            size = min(prod(map(len, choices)), MOST_FACTS)
            for _ in range(round(size * random.choice((0.2, 0.5, 0.9)))):
                yield Fact(predicate, tuple(map(random.choice, choices)))


def _is_second(fact: Fact) -> bool:
    return any(value.id == "b" for value in fact.args)


def told(question: Asked, answers: Sequence[Answer]) -> str | None:
    """Return what is wrong if the answers are not all the same, or the errors of not all the same kind.

    That an engine reached its limit says nothing.
    """
    kinds = {type(a) if isinstance(a, AuthzError) else a for a in answers}
    return None if len(kinds - {EvaluationLimitReached}) <= 1 else f"{question}: {answers}"
