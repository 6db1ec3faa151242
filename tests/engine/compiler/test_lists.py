"""Lists hold exactly what checks permit, in all scenes; the reference makes them of checks."""

from random import Random

import pytest
from comparison import Case, random_cases
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from list_laws import broken_lists, expected, listings, wrong_lists
from scenes import FILES, Scene, random_scenes, written_scene

from authz_service.engine.compiled import CompiledProgram

SEEDS = range(200, 206)


def wrong(scene: Scene) -> list[str]:
    asked = listings(scene.policy, scene.questions)
    right = expected(scene.policy, [*asked.values()], scene.facts)
    return [*wrong_lists(CompiledProgram(scene.policy), asked, scene.facts, right)]


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_lists_of_written_scenes(path):
    assert wrong(written_scene(path)) == []


@pytest.mark.parametrize("seed", SEEDS)
def test_lists_of_random_scenes(seed):
    assert [found for scene in [*random_scenes(seed)][:1] for found in wrong(scene)] == []


@settings(deadline=None, max_examples=4, suppress_health_check=list(HealthCheck))
@given(seed=st.integers(4_000_000, 2**40))
def test_lists_of_other_seeds_over_facts_that_came_in_other_ways(seed):
    case = random_cases(seed)[0]
    if isinstance(case, Case):
        assert [*broken_lists(Random(seed), case.reference.policy, case.drawn)] == []
