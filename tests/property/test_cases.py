"""Policies on which engines once differed, or easily could: every engine passes their tests."""

from pathlib import Path

import pytest
from asserted import failures, policy_files, wrong_and_unanswered

from authz_service.engine.engines import Engine
from authz_service.polar.compile import check_policy

CASES = sorted((Path(__file__).parent / "cases").glob("*.polar"))

# The VM comes to no end over these, a second for each question.
ENDLESS_IN_OSO = {
    "every_value",
    "generic_shorthand",
    "negation_by_literal",
    "negation_over_recursion",
    "recursion_left_right_mutual",
    "recursion_not_linear",
}


@pytest.mark.parametrize("path", CASES, ids=lambda path: path.stem)
def test_case(path, engine):
    if engine is Engine.OSO and path.stem in ENDLESS_IN_OSO:
        return
    files = policy_files(path)
    policy = check_policy(files)
    assert list(failures(policy)) == []
    wrong, unanswered = wrong_and_unanswered(files, engine)
    assert wrong == []
    assert engine is Engine.OSO or unanswered == []
