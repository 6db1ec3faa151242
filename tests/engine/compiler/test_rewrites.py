"""Every stage before plans keeps what policies mean: the reference engine evaluates its rules.

That is each rewrite alone, after the rules are specialised for a kind of question, and all of them in order.
"""

from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from meaning import NoOrder, asked, derived, strata, variables_of
from scenes import FILES, Scene, random_scenes, written_scene
from schemas import NOW

from authz_service.engine.compiled import CompiledProgram
from authz_service.engine.compiler.rewrites import REWRITES, rewritten
from authz_service.engine.compiler.rule_program import RuleProgram

SEEDS = range(100, 112)


def stages(program: RuleProgram) -> Iterator[tuple[str, RuleProgram]]:
    """Yield the program as it is, after each rewrite alone, and after the first, the first two, ..."""
    yield "specialise", program
    for rewrite in dict.fromkeys(REWRITES):
        yield f"{rewrite.__name__} alone", rewrite(program)
    for number, rewrite in enumerate(REWRITES, start=1):
        program = rewrite(program)
        yield f"{rewrite.__name__}, number {number}", program


def has_order(program: RuleProgram) -> bool:
    try:
        strata(program)
    except NoOrder:
        return False
    return True


def differences(scene: Scene) -> Iterator[str]:
    """Yield each stage whose rules derive another answer than the policy."""
    compiled = CompiledProgram(scene.policy)
    for kind, questions in scene.by_kind.items():
        seen: set[str] = set()
        specialised = compiled.rules_for(kind)
        if not has_order(specialised):
            continue  # the reference engine has nothing to say about its rules
        for stage, program in stages(specialised):
            # Most rewrites leave most programs as they are.
            text = str(program.relations)
            if text in seen:
                continue
            seen.add(text)
            found = derived(program, scene.usable, scene.values, NOW)
            for question, expected in questions:
                if (asked(kind, question) in found) is not expected:
                    yield f"{scene.name}: after {stage}, {question.as_fact()} is not {expected}"


# Rules that hold for all values but some cannot derive these from the bottom up. `test_lists` compares this scene.
WITHOUT_ORDER = {"all_but_some"}


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_rules_of_written_scenes_have_an_order(path):
    compiled = CompiledProgram(written_scene(path).policy)
    have_order = all(has_order(compiled.rules_for(kind)) for kind in compiled.kinds())
    assert have_order is (path.stem not in WITHOUT_ORDER)


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_written_scenes(path):
    assert list(differences(written_scene(path))) == []


@pytest.mark.parametrize("seed", SEEDS)
def test_random_scenes(seed):
    assert [d for scene in list(random_scenes(seed))[:1] for d in differences(scene)] == []


@settings(deadline=None, max_examples=4, suppress_health_check=list(HealthCheck))
@given(seed=st.integers(3_000_000, 2**40))
def test_scenes_of_other_seeds(seed):
    assert [d for scene in list(random_scenes(seed))[:1] for d in differences(scene)] == []


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_every_variable_has_types(path):
    compiled = CompiledProgram(written_scene(path).policy)
    for kind in compiled.kinds():
        for stage, program in stages(compiled.rules_for(kind)):
            rules = [rule for relation in program.relations.values() for rule in relation.rules]
            untyped = [
                (stage, str(rule.head)) for rule in rules if variables_of(rule) - set(rule.types)
            ]
            assert untyped == []


def test_rewrites_run_in_their_order():
    program = CompiledProgram(written_scene(FILES[0]).policy)
    kind = next(program.kinds())
    *_, (_, last) = stages(program.rules_for(kind))
    assert rewritten(program.rules_for(kind)) == last
