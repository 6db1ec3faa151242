"""Lists: procedures that find values.

A list costs what it visits, and visits nothing twice. A loop inside of others goes on with each value once.
In plans whose entry is a list, what is to be listed for many values is listed for all of them at once: they
are gathered first, and the rule goes on with what was listed. Then come the answers that other answers lead to,
until there is no new one. A check that needs a list may stop at any value, and keeps what it has listed for
each one.
"""

from collections.abc import Sequence
from typing import NamedTuple

from authz_service.engine.compiler.function_writer import Finish, Path, Writer, answered
from authz_service.engine.compiler.functions import PASSED_ON, Function, Module, Scope, tuple_of
from authz_service.engine.compiler.names import comment
from authz_service.engine.compiler.plan import Plan, Procedure, Strategy, own_calls
from authz_service.engine.compiler.rule_program import head_of
from authz_service.engine.compiler.steps import Pattern, PlannedRule, Step
from authz_service.polar.goals import CURRENT_TIME, Atom, Term, variables


def is_list(procedure: Procedure) -> bool:
    """Say whether `write_list` writes the procedure."""
    return not procedure.pattern.is_check and procedure.strategy is not Strategy.TABLED


def starts_of_lists(plan: Plan) -> dict[Pattern, int]:
    """Return the lists that take several values for one of their arguments, and its position; none for a check.

    Their answers are those for any of these values.
    """
    if plan.entry.is_check:
        return {}
    lists = (procedure for procedure in plan.procedures.values() if is_list(procedure))
    starts = ((one.pattern, _start(one)) for one in lists if one.pattern != plan.entry)
    return {pattern: start for pattern, start in starts if start is not None}


def _start(procedure: Procedure) -> int | None:
    bound = {index for index, is_bound in enumerate(procedure.pattern.bound) if is_bound}
    changing = set(procedure.moving) or bound - procedure.given
    if len(changing) != 1:
        return None
    [start] = changing
    # Answers of answers are found when it is not known any more for which of the values they are.
    depends = any(
        head_of(planned.rule)[start] in variables(step.goal)
        for planned in procedure.growing
        for step in planned.steps
        if step.calls != procedure.pattern
    )
    return None if depends else start


def write_list(module: Module, procedure: Procedure, *, in_check: bool) -> None:
    """Write the function for a procedure that `is_list`."""
    is_kept = in_check and procedure.is_repeated and procedure.strategy is Strategy.WALK
    _List(module, procedure, is_kept=is_kept).write()


class _Gathered(NamedTuple):
    """The name of a set of values to list for, and the rules that need that, with the number of their step."""

    starts: str
    rules: list[tuple[PlannedRule, int]]


_STARTS = "{starts}"


class _List:
    """A loop over values to list for, if these can be several, and one over answers, if they lead to more."""

    def __init__(self, module: Module, procedure: Procedure, *, is_kept: bool) -> None:
        self._module = module
        self._procedure = procedure
        self._is_kept = is_kept
        self._function = function = Function(module, procedure)
        self._start = module.starts.get(procedure.pattern)
        changing = procedure.moving if self._start is None else (self._start,)
        self._here = [function.params[index] for index in changing]
        fixed = frozenset(function.args) - set(self._here) if changing else frozenset[str]()
        self._looped = set(self._here)
        self._writer = Writer(function, fixed, self._looped)
        self._gathered: dict[str, _Gathered] = {}

    def write(self) -> None:
        function, procedure = self._function, self._procedure
        args = function.args
        if self._start is not None:
            args = ["starts" if arg in self._here else arg for arg in args]
        name = self._module.functions[procedure.pattern]
        with function.definition(name, [*PASSED_ON, *args]):
            function.line(comment(procedure.pattern.relation))
            if self._is_kept:
                self._look_in_run(name)
            function.line("found = set()")
            function.hoist_here()
            self._write_rules()
            while self._gathered:
                call = next(iter(self._gathered))
                self._write_behind(call, self._gathered.pop(call))
            if procedure.growing:
                self._write_growing()
            if self._is_kept:
                function.line("run[key] = found")
            function.line("return found")

    def _look_in_run(self, name: str) -> None:
        """Return what the question has listed before."""
        function = self._function
        self._module.keeps = True
        function.line(f"key = {tuple_of([repr(name), *function.args])}")
        function.line("found = run.get(key)")
        with function.block("if found is not None:"):
            function.line("spend(steps, found)")
            function.line("return found")

    def _write_rules(self) -> None:
        function, procedure = self._function, self._procedure
        own = (*procedure.further, *procedure.growing)
        paths = [self._path(planned) for planned in procedure.rules if planned not in own]
        paths += [
            Path(p, p.steps[:-1], function.scope_of(p), self._go_on(p)) for p in procedure.further
        ]
        if not self._here:
            self._writer.write(paths)
            return
        here = _state(self._here)
        values = f"({here},)" if self._start is None else "starts"
        if procedure.moving:
            function.line(f"tried = set({values})")
            function.line("todo = list(tried)")
            values = "todo"
        with function.block(f"for {here} in {values}:"):
            function.count()
            self._writer.write(paths)

    def _path(self, planned: PlannedRule, number: int = 0, known: Scope | None = None) -> Path:
        """Return the way from a step to the end of the rule, or to a list that is needed for many values."""
        scope = self._function.scope_of(planned) | (known or {})
        steps = planned.steps
        for later in range(number, len(steps)):
            if self._is_for_many(planned, later):
                return Path(planned, steps[number:later], scope, self._gather(planned, later))
        if number < len(steps) and _gives_answers(planned, self._procedure.pattern):
            return Path(planned, steps[number:-1], scope, self._unite(steps[-1]))
        return Path(planned, steps[number:], scope, answered(planned))

    def _is_for_many(self, planned: PlannedRule, number: int) -> bool:
        """Say whether the step lists for changing values, which nothing that comes after it needs."""
        step = planned.steps[number]
        start = None if step.calls is None else self._module.starts.get(step.calls)
        if start is None or step.calls is None or not isinstance(step.goal, Atom):
            return False
        scope = self._function.scope_of(planned)
        fixed = {CURRENT_TIME, *(v for v, name in scope.items() if name not in self._here)}
        args = zip(step.goal.args, step.calls.bound, strict=True)
        changing = [i for i, (arg, is_bound) in enumerate(args) if is_bound and arg not in fixed]
        behind = (variables(other.goal) for other in planned.steps[number + 1 :])
        needed = set(_free(head_of(planned.rule), self._procedure.pattern)).union(*behind)
        is_distinct = len(set(step.fresh)) == step.calls.bound.count(False)
        return changing == [start] and is_distinct and step.known & needed <= fixed

    def _gather(self, planned: PlannedRule, number: int) -> Finish:
        """Return what writes that one more value is to be listed for."""
        step = planned.steps[number]
        assert isinstance(step.goal, Atom)
        assert step.calls is not None
        atom, start = step.goal, self._module.starts[step.calls]

        def gather(function: Function, scope: Scope) -> None:
            value = self._writer.expressions.term(atom.args[start], scope)
            call = self._writer.expressions.call(atom, step, scope, _STARTS)
            if call not in self._gathered:
                self._gathered[call] = _Gathered(function.hoist_set(f"{value}_starts"), [])
            gathered = self._gathered[call]
            gathered.rules.append((planned, number))
            function.line(f"{gathered.starts}.add({value})")

        return gather

    def _write_behind(self, call: str, gathered: "_Gathered") -> None:
        """Write how rules go on with what is listed for the values that were gathered."""
        function, pattern = self._function, self._procedure.pattern
        listed = call.replace(_STARTS, gathered.starts)
        if all(
            number == len(planned.steps) - 1 and _gives_answers(planned, pattern)
            for planned, number in gathered.rules
        ):
            function.line(f"found |= {listed}")
            return
        planned, number = gathered.rules[0]
        names = [function.name_for(v, planned) for v in planned.steps[number].fresh]
        self._looped.update(names)
        # Where nothing is listed, one of the values must do.
        with function.block(f"for {', '.join(names)} in {listed}:" if names else f"if {listed}:"):
            if names:
                function.count()
            self._writer.write(
                [
                    self._path(p, n + 1, dict(zip(p.steps[n].fresh, names, strict=True)))
                    for p, n in gathered.rules
                ]
            )

    def _unite(self, step: Step) -> Finish:
        """Return what writes that all answers of a call are answers."""
        atom = step.goal
        assert isinstance(atom, Atom)

        def unite(function: Function, scope: Scope) -> None:
            function.line(f"found |= {self._writer.expressions.call(atom, step, scope)}")

        return unite

    def _go_on(self, planned: PlannedRule) -> Finish:
        last = planned.steps[-1].goal
        assert isinstance(last, Atom)

        def go_on(function: Function, scope: Scope) -> None:
            args = [last.args[index] for index in self._procedure.moving]
            there = _state([self._writer.expressions.term(arg, scope) for arg in args])
            with function.block(f"if {there} not in tried:"):
                function.line(f"tried.add({there})")
                function.line(f"todo.append({there})")

        return go_on

    def _write_growing(self) -> None:
        """Write a loop over all answers so far and those that it adds itself."""
        function, growing = self._function, self._procedure.growing
        calls = [own_calls(planned, self._procedure.pattern)[0] for planned in growing]
        names = [function.name_for(variable, growing[0]) for variable in calls[0].fresh]
        self._looped.update(names)
        function.line("todo = list(found)")
        with function.block(f"for {', '.join(names)} in todo:"):
            function.count()
            self._writer.write(
                [
                    self._growing_path(planned, call, names)
                    for planned, call in zip(growing, calls, strict=True)
                ]
            )

    def _growing_path(self, planned: PlannedRule, call: Step, names: Sequence[str]) -> Path:
        scope = {**self._function.scope_of(planned), **dict(zip(call.fresh, names, strict=True))}

        def add(function: Function, scope: Scope) -> None:
            answer = function.outputs(planned, scope)
            with function.block(f"if {answer} not in found:"):
                function.line(f"found.add({answer})")
                function.line(f"todo.append({answer})")

        return Path(planned, [step for step in planned.steps if step is not call], scope, add)


def _gives_answers(planned: PlannedRule, pattern: Pattern) -> bool:
    """Say whether the answers of the rule are those of its last condition, a call."""
    step = planned.steps[-1]
    if step.calls is None or not isinstance(step.goal, Atom):
        return False
    own = _free(head_of(planned.rule), pattern)
    return own == _free(step.goal.args, step.calls) and step.known.isdisjoint(own)


def _free(args: Sequence[Term], pattern: Pattern) -> list[Term]:
    return [arg for arg, is_bound in zip(args, pattern.bound, strict=True) if not is_bound]


def _state(names: Sequence[str]) -> str:
    return names[0] if len(names) == 1 else tuple_of(names)
