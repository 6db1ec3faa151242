"""Policies with tests of their own: run by the reference engine, and asked again of every engine.

An assertion about `allow` with three literals is a question with a known answer, so engines that run no
tests can be asked it as well.
"""

from collections.abc import Iterator, Sequence
from pathlib import Path

from examples import NOW, STEPS

from authz_service.engine.engines import Engine, loader
from authz_service.engine.policy_tests import run_tests
from authz_service.engine.program import Budget, Question
from authz_service.errors import EngineUnsupported, EvaluationLimitReached
from authz_service.facts.policy_text import PolicyFile
from authz_service.facts.snapshot import FactSnapshot
from authz_service.facts.value import Value
from authz_service.polar.goals import Conjunction
from authz_service.polar.policy import CheckedAssertion, CheckedTest, Policy


def policy_files(*paths: Path) -> list[PolicyFile]:
    return [PolicyFile(path.name, path.read_text(encoding="utf-8")) for path in paths]


def failures(policy: Policy) -> Iterator[str]:
    """Yield a finding for each assertion that does not hold, test by test."""
    for result in run_tests(policy, policy.tests, NOW, STEPS):
        yield from map(str, result.failures)


def questions(policy: Policy) -> list[tuple[CheckedTest, Question, bool]]:
    """Return each question that the policy's tests assert an answer of, with its test."""
    return [
        (test, question, not assertion.negated)
        for test in policy.tests
        for assertion in test.assertions
        if (question := _question(assertion)) is not None
    ]


def _question(assertion: CheckedAssertion) -> Question | None:
    match assertion.atom.args, assertion.condition.body:
        case (Value() as actor, Value() as action, Value() as resource), Conjunction(()):
            if assertion.atom.predicate == "allow":
                return Question(actor, action.id, resource)
    return None


def wrong_and_unanswered(
    files: Sequence[PolicyFile], engine: Engine
) -> tuple[list[str], list[str]]:
    """Ask `engine` all questions; return those it answers wrongly, and those it cannot answer."""
    policy, program = loader(engine)(files)
    facts = {test.name: FactSnapshot(test.facts) for test in policy.tests}
    wrong: list[str] = []
    unanswered: list[str] = []
    for test, question, expected in questions(policy):
        policy.check_question(*question)
        shown = f"{test.name}: {question.as_fact()}"
        try:
            permitted = program.permits(question, facts[test.name], NOW, Budget(STEPS))
        except (EvaluationLimitReached, EngineUnsupported):
            unanswered.append(shown)
        else:
            if permitted is not expected:
                wrong.append(shown)
    return wrong, unanswered
