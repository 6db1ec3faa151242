"""A compiler of lists with one mistake in it makes a wrong list in some scene; see `test_broken_variants`."""

# ruff: noqa: ARG005 - a variant takes what the function takes that it stands for

from collections.abc import Callable
from functools import cache

import pytest
from list_laws import expected, listings, wrong_lists
from scenes import FILES, written_scene

from authz_service.engine import compiled
from authz_service.engine.compiled import CompiledProgram
from authz_service.engine.compiler import differences, function_writer, limits, lists, plan
from authz_service.polar.goals import Atom, Comparison, Membership, Negation

Patch = Callable[[object, str, object], None]

SCENES = [path for path in FILES if path.stem in ("all_but_some", "answers_of_answers")]

VARIANTS: dict[str, Callable[[Patch], None]] = {}


def variant(function: Callable[[Patch], None]) -> Callable[[Patch], None]:
    VARIANTS[function.__name__] = function
    return function


@cache
def right(path):
    """Return a scene with its lists; called before anything is replaced."""
    scene = written_scene(path)
    asked = listings(scene.policy, scene.questions)
    return scene, asked, expected(scene.policy, [*asked.values()], scene.facts)


def is_wrong(path) -> bool:
    scene, asked, wanted = right(path)
    program = CompiledProgram(scene.policy)
    return next(wrong_lists(program, asked, scene.facts, wanted), None) is not None


# plan


@variant
def answers_of_answers_depend_on_nothing(patch):
    found = plan._grows
    patch(plan, "_grows", lambda planned, pattern, moving: found(planned, pattern, ()))


# lists


@variant
def answers_lead_to_others_once(patch):
    def write(self):
        found(self)
        lines = self._function._lines
        lines[:] = [line for line in lines if "todo.append(" not in line]

    found = lists._List._write_growing
    patch(lists._List, "_write_growing", write)


@variant
def walks_of_lists_stay_where_they_are(patch):
    patch(
        lists._List, "_go_on", lambda self, planned: lambda function, scope: function.line("pass")
    )


@variant
def what_comes_after_a_list_for_many_needs_nothing(patch):
    def is_for_many(self, planned, number):
        step = planned.steps[number]
        start = None if step.calls is None else self._module.starts.get(step.calls)
        return start is not None and isinstance(step.goal, Atom)

    patch(lists._List, "_is_for_many", is_for_many)


@variant
def rules_end_with_the_list_for_many(patch):
    def write_behind(self, call, gathered):
        self._function.line(f"found |= {call.replace(lists._STARTS, gathered.starts)}")

    patch(lists._List, "_write_behind", write_behind)


@variant
def every_last_call_gives_the_answers(patch):
    patch(lists, "_gives_answers", lambda planned, pattern: planned.steps[-1].calls is not None)


# function_writer


@variant
def loops_go_on_with_one_value(patch):
    patch(function_writer, "_needs", lambda path: set())


# limits


@variant
def all_is_limited(patch):
    patch(limits.Limits, "unlimited", lambda self, pattern: frozenset())


# differences


@variant
def denials_never_differ(patch):
    patch_differs(patch, Negation)


@variant
def what_is_compared_never_differs(patch):
    patch_differs(patch, Comparison)


@variant
def listed_literals_never_differ(patch):
    def differs(self, goal, value):
        match goal:
            case Negation(Membership()):
                return None
        return found(self, goal, value)

    found = differences._Differences._differs
    patch(differences._Differences, "_differs", differs)


@variant
def conditions_never_differ(patch):
    patch_differs(patch, Atom)


def patch_differs(patch, kind):
    found = differences._Differences._differs
    patch(
        differences._Differences,
        "_differs",
        lambda self, goal, value: None if isinstance(goal, kind) else found(self, goal, value),
    )


@variant
def no_variable_is_the_stranger(patch):
    patch(differences._Differences, "_unlimited", lambda self, rule, same, others: iter([()]))


@variant
def certain_is_what_one_condition_says(patch):
    patch(differences, "goals_of", lambda rule: found(rule)[:1])
    found = differences.goals_of


# compiled


@variant
def what_differs_is_not_checked(patch):
    def unlike(stranger, modules, position, given, passed_on):
        check, differing, _ = (module.answer for module in modules)
        before, behind = given[:position], given[position:]
        is_any_except = check(*passed_on, {}, *before, stranger, *behind)
        return differing(*passed_on, {}, stranger, *given), is_any_except

    patch(compiled, "_unlike", unlike)


@variant
def strangers_are_permitted_nothing(patch):
    def unlike(stranger, modules, position, given, passed_on):
        listed, _ = found(stranger, modules, position, given, passed_on)
        return listed, False

    found = compiled._unlike
    patch(compiled, "_unlike", unlike)


@variant
def what_is_certain_is_all(patch):
    def unlike(stranger, modules, position, given, passed_on):
        listed, is_any_except = found(stranger, modules, position, given, passed_on)
        if is_any_except:
            return listed, is_any_except
        return modules[2].answer(*passed_on, {}, *given), is_any_except

    found = compiled._unlike
    patch(compiled, "_unlike", unlike)


@pytest.mark.parametrize("path", SCENES, ids=lambda path: path.stem)
def test_the_compiler_as_it_is_passes(path):
    assert not is_wrong(path)


@pytest.mark.parametrize("name", VARIANTS)
def test_variant_is_caught(name, monkeypatch):
    for path in SCENES:
        right(path)
    VARIANTS[name](monkeypatch.setattr)
    assert any(map(is_wrong, SCENES))
