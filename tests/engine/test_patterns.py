"""The example policies' own tests: they hold, by every engine, and no rule can be missing unnoticed."""

from functools import cache

import pytest
from asserted import failures, policy_files, questions, wrong_and_unanswered
from examples import POLICIES

from authz_service.engine.engines import Engine
from authz_service.facts.policy_text import PolicyFile
from authz_service.polar.compile import check_policy
from authz_service.polar.diagnostic import PolicyInvalid
from authz_service.polar.parser import parse
from authz_service.polar.policy import Policy
from authz_service.polar.source import PolicySource
from authz_service.polar.syntax import Block, Rule

FOLDERS = sorted(path.parent.name for path in POLICIES.glob("*/tests.polar"))

# The tests of these have circles in their data, over which the search of `oso` does not end.
WITH_CIRCLES = {"github", "groups", "hierarchies"}


def files(folder: str) -> list[PolicyFile]:
    return policy_files(POLICIES / folder / "policy.polar", POLICIES / folder / "tests.polar")


def rules(folder: str) -> list[tuple[int, int, int]]:
    """Return the line, start and end of each rule, shorthand or not, of the folder's policy."""
    policy, _ = files(folder)
    items = parse(PolicySource(policy.name, policy.text), [])
    blocks = [item for item in items if isinstance(item, Block)]
    spans = [item.span for item in items if isinstance(item, Rule)]
    spans += [shorthand.span for block in blocks for shorthand in block.shorthands]
    return [(span.line, span.start, span.end) for span in spans]


RULES = [
    pytest.param(folder, start, end, id=f"{folder}:{line}")
    for folder in FOLDERS
    for line, start, end in rules(folder)
]


@cache
def checked(folder: str) -> Policy:
    return check_policy(files(folder))


def test_all_folders_have_tests():
    assert sorted(path.parent.name for path in POLICIES.glob("*/policy.polar")) == FOLDERS


@pytest.mark.parametrize("folder", FOLDERS)
def test_no_warnings(folder):
    assert [str(warning) for warning in checked(folder).warnings] == []


@pytest.mark.parametrize("folder", FOLDERS)
def test_the_tests_of_the_policy_pass(folder):
    assert list(failures(checked(folder))) == []


@pytest.mark.parametrize("folder", FOLDERS)
def test_there_are_questions_of_both_outcomes(folder):
    outcomes = [permitted for _, _, permitted in questions(checked(folder))]
    assert min(outcomes.count(True), outcomes.count(False)) >= 4


@pytest.mark.parametrize("folder", FOLDERS)
def test_every_engine_answers_as_asserted(folder, engine):
    wrong, unanswered = wrong_and_unanswered(files(folder), engine)
    assert wrong == []
    assert bool(unanswered) == (engine is Engine.OSO and folder in WITH_CIRCLES), unanswered


@pytest.mark.parametrize(("folder", "start", "end"), RULES)
def test_no_rule_can_be_missing_unnoticed(folder, start, end):
    policy, tests = files(folder)
    without = PolicyFile(policy.name, policy.text[:start] + policy.text[end:])
    try:
        is_noticed = any(failures(check_policy([without, tests])))
    except PolicyInvalid:
        is_noticed = True
    assert is_noticed, policy.text[start:end]
