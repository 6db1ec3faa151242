"""Plans whose entry has arguments that nobody gave: they find exactly the values for which it holds."""

import pytest
from meaning import asked
from scenes import FILES, SEEDS, Scene, all_scenes
from schemas import NOW

from authz_service.engine.compiled import CompiledProgram, Kind, compiled
from authz_service.engine.compiler.emit import emit
from authz_service.engine.compiler.order import open_positions
from authz_service.engine.compiler.plan import plan
from authz_service.engine.compiler.rewrites import rewritten
from authz_service.engine.program import Budget
from authz_service.facts.value import Value

STEPS = 500_000


def listed(
    scene: Scene, program: CompiledProgram, kind: Kind, bound: tuple[bool, ...], given: list[Value]
) -> set[tuple[Value, ...]] | None:
    """Return the arguments with which the entry holds if some are `given`; None if it may be for all values."""
    rules = rewritten(program.rules_for(kind))
    if any(not bound[position] for position in open_positions(rules)[rules.entry]):
        return None
    source = emit(plan(rules, bound), program.demand, str(kind))
    view = scene.facts.view(program.demand)
    steps = iter(Budget(STEPS).each)
    ids = view.ids.child()
    answer = compiled(source, "a list").executed()[source.entry]
    found = answer(view, steps, NOW, {}, *map(ids.add, given))
    free = bound.count(False)
    rows = ((row,) if free == 1 else row for row in found)
    return {_filled(bound, given, [ids.value(number) for number in row]) for row in rows}


def _filled(bound: tuple[bool, ...], given: list[Value], found: list[Value]) -> tuple[Value, ...]:
    values, others = iter(given), iter(found)
    return tuple(next(values) if is_bound else next(others) for is_bound in bound)


def wrong_lists(scene: Scene, free: int) -> list[str]:
    """Return the questions whose answers are not as the list says in which argument `free` is left out."""
    program = CompiledProgram(scene.policy)
    wrong = []
    for kind, questions in scene.by_kind.items():
        lists: dict[tuple[Value, ...], set[tuple[Value, ...]] | None] = {}
        for question, expected in questions:
            args = asked(kind, question)
            bound = tuple(index != free % len(args) for index in range(len(args)))
            given = [arg for arg, is_bound in zip(args, bound, strict=True) if is_bound]
            if tuple(given) not in lists:
                lists[tuple(given)] = listed(scene, program, kind, bound, given)
            found = lists[tuple(given)]
            if found is not None and (args in found) is not expected:
                wrong.append(f"{scene.name}: {question.as_fact()} is not {expected}")
    return wrong


@pytest.mark.parametrize("free", [0, -1], ids=["actors", "resources"])
@pytest.mark.parametrize("number", range(len(FILES) + len(SEEDS)))
def test_lists_hold_what_checks_permit(free, number):
    for scene in all_scenes()[number : number + 1]:
        assert wrong_lists(scene, free) == []
