"""Writing rules into functions, as conditions and loops inside of each other.

Rules that begin with the same loop share it. Conditions between two loops stand in one `if`.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

from authz_service.engine.compiler.expressions import Expressions
from authz_service.engine.compiler.functions import Function, Scope, tuple_of
from authz_service.engine.compiler.names import origin
from authz_service.engine.compiler.rule_program import head_of, variables_in_order
from authz_service.engine.compiler.steps import PlannedRule, Step
from authz_service.polar.goals import Atom, Comparison, Membership, Variable, variables

Finish = Callable[[Function, Scope], None]
"""Writes what is inside of all conditions of a rule."""


def answered(planned: PlannedRule) -> Finish:
    """Return what writes that the rule holds."""

    def finish(function: Function, scope: Scope) -> None:
        if function.procedure.pattern.is_check:
            function.line("return True")
        else:
            function.line(f"found.add({function.outputs(planned, scope)})")

    return finish


@dataclass
class Path:
    """A rule on its way into the code: the steps that are left, the names so far, and what is at the end.

    `pending` are the conditions since the last loop.
    """

    planned: PlannedRule
    steps: Sequence[Step]
    scope: Scope
    finish: Finish
    pending: list[str] = field(default_factory=list)
    is_named: bool = False


class Writer:
    """Writes rules into a function. Rules that begin with the same loop share it.

    `looped` are the names of what changes around the rules; if they are given, no loop is run twice for the
    same values of what it and all that is inside of it needs.
    """

    def __init__(
        self,
        function: Function,
        fixed: frozenset[str] = frozenset(),
        looped: set[str] | None = None,
    ) -> None:
        self._function = function
        self.expressions = Expressions(function, fixed)
        self.looped = looped

    def write(self, paths: Sequence[Path]) -> None:
        """Write the steps of all `paths`, and inside of each what its `finish` writes."""
        loops: dict[object, list[Path]] = {}
        for path in paths:
            source = self._advance(path)
            # What stands behind conditions of its own cannot share.
            key = id(path) if source is None or path.pending else (source, *_shape(path.steps[0]))
            loops.setdefault(key, []).append(path)
        for together in loops.values():
            self._write_together(together)

    @contextmanager
    def conditions(self, conditions: Sequence[str]) -> Iterator[None]:
        """Write what is inside under the conditions, if there are any."""
        if conditions:
            with self._function.block(f"if {' and '.join(conditions)}:"):
                yield
        else:
            yield

    def unpack(self, step: Step, path: Path) -> None:
        """Write how the values of an answer get their names."""
        targets = self._targets(step, path)
        if targets:
            self._function.line(f"{', '.join(targets)} = answer")

    def _advance(self, path: Path) -> str | None:
        """Turn steps into conditions up to the next loop; return what that is over, or None at the end."""
        while path.steps:
            step = path.steps[0]
            source = self._source(step, path)
            if source is not None:
                return source
            path.steps = path.steps[1:]
            match step.goal:
                case Comparison("=", left, right) if not variables(step.goal) <= step.known:
                    new, known = (left, right) if left not in step.known else (right, left)
                    if not isinstance(new, Variable):
                        new, known = known, new
                    assert isinstance(new, Variable)
                    path.scope[new] = self.expressions.term(known, path.scope)
                case _:
                    path.pending.append(self.expressions.condition(step, path.scope))
        return None

    def _source(self, step: Step, path: Path) -> str | None:
        """Return the expression of what the step loops over, or None if it is a condition."""
        if not step.binds:
            return None
        match step.goal:
            case Membership(_, values):
                return self.expressions.literals(values)
            case Atom() if not _is_existence(step, path.planned):
                return self.expressions.collection(step.goal, step, path.scope)
            case _:
                return None

    def _write_together(self, paths: Sequence[Path]) -> None:
        first = paths[0]
        if len(paths) == 1 and not first.is_named:
            first.is_named = True
            self._function.line(origin(first.planned.rule.span))
        with self.conditions(first.pending):
            if not first.steps:
                first.finish(self._function, first.scope)
                return
            with self._once(paths):
                self._loop(paths)

    @contextmanager
    def _once(self, paths: Sequence[Path]) -> Iterator[None]:
        """Write what is inside for each combination of values once, if others may give it again."""
        around = {name for path in paths for name in path.scope.values()} & (self.looped or set())
        needed = {path.scope[v] for path in paths for v in _needs(path) if v in path.scope} & around
        if needed == around:
            yield
            return
        names = sorted(needed)
        state = names[0] if len(names) == 1 else tuple_of(names)
        seen = self._function.hoist_set("seen")
        with self._function.block(f"if {state} not in {seen}:"):
            self._function.line(f"{seen}.add({state})")
            yield

    def _loop(self, paths: Sequence[Path]) -> None:
        first = paths[0]
        step = first.steps[0]
        source = self._source(step, first)
        assert source is not None
        if len(paths) == 1 and self._begins_walk(first):
            call = first.planned.steps[-1]
            assert isinstance(call.goal, Atom)
            first.pending = [self.expressions.call(call.goal, call, first.scope, source)]
            first.steps = ()
            self.write(paths)
            return
        first.pending = []
        targets = self._targets(step, first)
        for other in paths[1:]:
            _name(other.steps[0].fresh, targets, other)
        for path in paths:
            path.steps = path.steps[1:]
        with self._function.block(f"for {', '.join(targets)} in {source}:"):
            self._function.count()
            self.write(paths)

    def _begins_walk(self, path: Path) -> bool:
        """Say whether the loop only gives the values that a walk is to begin with, for one answer."""
        loop, *others = path.steps
        call = path.planned.steps[-1]
        is_check = call.calls is not None and call.calls.is_check
        start = self._function.module.starts.get(call.calls) if call.calls and is_check else None
        if start is None or others != [call] or not isinstance(call.goal, Atom):
            return False
        [*also, variable] = loop.fresh
        used = [arg for step in path.planned.steps for arg in variables_in_order(step.goal)]
        return (
            not also
            and call.goal.args[start] == variable
            # Once in the loop, and once in the call; a step that is written elsewhere may use it, too.
            and used.count(variable) == 2
            and variable not in head_of(path.planned.rule)
        )

    def _targets(self, step: Step, path: Path) -> list[str]:
        """Name what the step binds, in order. Values that must be equal become a condition."""
        fresh = step.fresh
        targets = [self._function.name_for(variable, path.planned) for variable in fresh]
        if self.looped is not None:
            self.looped.update(targets)
        _name(fresh, targets, path)
        return targets


def _name(variables: Sequence[Variable], targets: Sequence[str], path: Path) -> None:
    """Give the variables their names. Values that must be equal become a condition."""
    named: set[Variable] = set()
    for variable, target in zip(variables, targets, strict=True):
        if variable in named:
            path.pending.append(f"{target} == {path.scope[variable]}")
        else:
            named.add(variable)
            path.scope[variable] = target


def _needs(path: Path) -> set[Variable]:
    """Return the variables that are needed from here on."""
    goals = [step.goal for step in (*path.steps, path.planned.steps[-1])]
    return set(head_of(path.planned.rule)).union(*map(variables, goals))


def _shape(step: Step) -> tuple[int, ...]:
    """Return which of the values that the step gives must be equal."""
    fresh = step.fresh
    return tuple(map(fresh.index, fresh))


def _is_existence(step: Step, planned: PlannedRule) -> bool:
    """Say whether nobody needs the values that the step would bind."""
    used: set[Variable] = set(head_of(planned.rule)).union(
        *(variables(other.goal) for other in planned.steps if other is not step)
    )
    return used.isdisjoint(step.fresh)
