"""Emit: a plan as the text of a Python module, as somebody would write it who had time.

A condition becomes an `if` or a `for` inside of those before it, and the last line of a rule says what its
answer is for: `return True`, one more value of a list, a value to walk on to, an answer for a table. Names
and comments come from the policy; see `names` for what they can contain.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from authz_service.engine.compiler.function_writer import (
    Finish,
    Function,
    Module,
    Path,
    Scope,
    Writer,
    is_look_up,
    tuple_of,
)
from authz_service.engine.compiler.names import comment, identifier
from authz_service.engine.compiler.plan import Plan, Procedure, Strategy
from authz_service.engine.compiler.rule_program import head_of
from authz_service.engine.compiler.steps import Pattern, PlannedRule, Step
from authz_service.facts.access import Demand
from authz_service.polar.goals import Atom, Variable, variables


@dataclass(frozen=True, slots=True)
class Source:
    """The text of a module, the name of the function in it that answers, and what it uses of a view."""

    text: str
    entry: str
    uses: frozenset[str]


def emit(plan: Plan, demand: Demand, title: str) -> Source:
    """Return the module for `plan`; the access paths and constants that it uses are added to `demand`."""
    module = Module(demand)
    module.functions = {pattern: module.names.new(_wish(pattern)) for pattern in plan.procedures}
    tables = _Tables(module, plan)
    for procedure in plan.procedures.values():
        match procedure.strategy:
            case Strategy.STRAIGHT:
                _emit_straight(module, procedure)
            case Strategy.WALK:
                _Walk(module, procedure).write()
            case Strategy.TABLED:
                _Tabled(module, procedure, tables).write()
    text = "\n".join([comment(title), *module.lines]) + "\n"
    return Source(text, module.functions[plan.entry], frozenset(module.uses))


def _emit_straight(module: Module, procedure: Procedure) -> None:
    function = Function(module, procedure)
    name = module.functions[procedure.pattern]
    with function.definition(name, ["facts", "run", *function.args]):
        function.line(comment(procedure.pattern.relation))
        _begin_answers(function)
        Writer(function).write(
            [
                Path(planned, planned.steps, function.scope_of(planned), _answered(planned))
                for planned in procedure.rules
            ]
        )
        _end_answers(function)


def _begin_answers(function: Function) -> None:
    if not function.procedure.pattern.is_check:
        function.line("found = set()")


def _end_answers(function: Function) -> None:
    function.line("return False" if function.procedure.pattern.is_check else "return found")


def _answered(planned: PlannedRule) -> Finish:
    def finish(function: Function, scope: Scope) -> None:
        if function.procedure.pattern.is_check:
            function.line("return True")
        else:
            function.line(f"found.add({function.outputs(planned, scope)})")

    return finish


class _Walk:
    """A loop over the values of the arguments that change on the way; the others are fixed."""

    def __init__(self, module: Module, procedure: Procedure) -> None:
        self._function = function = Function(module, procedure)
        self._procedure = procedure
        self._name = module.functions[procedure.pattern]
        self._further = procedure.further
        self._here = [p for p in procedure.rules if p not in self._further]
        self._moving = procedure.moving
        fixed = [
            name
            for index, name in enumerate(function.params)
            if name in function.args and index not in self._moving
        ]
        self._key = ", ".join([repr(self._name), *fixed])
        self._writer = Writer(function, frozenset(fixed))
        # Answers of a list depend on where it began, so only a failed walk says anything to the next.
        self._shares = procedure.is_repeated and procedure.pattern.is_check
        ways = procedure.ways
        self._keeps = ways is not None
        if ways is not None:
            self._reach = module.facts(module.demand.reach(f"reached_{self._name}", *ways))

    def write(self) -> None:
        function = self._function
        here = _state([function.params[index] for index in self._moving])
        with function.definition(self._name, ["facts", "run", *function.args]):
            function.line(comment(self._procedure.pattern.relation))
            _begin_answers(function)
            function.hoist_here()
            if not self._keeps:
                self._begin(here)
            else:
                self._begin_with_known(here)
            with function.block(f"for {here} in todo:"):
                function.line("run.tick()")
                arrived = [self._path(p, p.steps, self._arrived(p)) for p in self._here]
                further = [self._path(p, p.steps[:-1], self._go_on(p)) for p in self._further]
                if not self._keeps:
                    self._writer.write([*arrived, *further])
                else:
                    self._writer.write(arrived)
                    with function.block("if known is None:"):
                        self._writer.write(further)
            if self._keeps:
                with function.block("if is_whole:"):
                    function.line(f"{self._reach}.keep(start, frozenset(tried))")
            _end_answers(function)

    def _begin(self, here: str) -> None:
        """Begin with one value, or none if an earlier walk of the question came by."""
        function = self._function
        if self._shares:
            function.line(f"tried = tried_of(run, {self._key})")
            with function.block(f"if {here} in tried:"):
                function.line("return False")
            function.line(f"tried.add({here})")
        else:
            function.line(f"tried = {{{here}}}")
        function.line(f"todo = [{here}]")

    def _begin_with_known(self, here: str) -> None:
        """Begin with all that an earlier question found behind the value, if one has looked everywhere."""
        function = self._function
        function.line(f"start = {here}")
        function.line(f"known = {self._reach}.get(start)")
        self._look_among_known()
        function.line("todo = [start] if known is None else known")
        if self._shares:
            function.line(f"tried = tried_of(run, {self._key})")
            function.line("is_whole = known is None and not tried")
            with function.block("if tried:"):
                function.line("spend(run, todo)")
                function.line("todo = [value for value in todo if value not in tried]")
            function.line("tried.update(todo)")
        else:
            function.line("is_whole = known is None")
            function.line("tried = {start}")

    def _look_among_known(self) -> None:
        """Where each rule looks for what the walk came to once at most, look for any of what is known."""
        function = self._function
        paths = [self._path_among_known(planned) for planned in self._here]
        found = [path for path in paths if path is not None]
        if len(found) < len(paths):
            return
        with function.block("if known is not None:"):
            self._writer.write(found)
            function.line("return False")

    def _path_among_known(self, planned: PlannedRule) -> Path | None:
        """Return the rule for all values at once that the walk came to, or None if it asks more of each."""
        here = head_of(planned.rule)[self._moving[0]]
        others = [step for step in planned.steps if here not in variables(step.goal)]
        looks = [step for step in planned.steps if here in variables(step.goal)]
        if not looks:
            return self._path(planned, planned.steps, _answered(planned))
        goal = looks[0].goal
        if len(looks) > 1 or not is_look_up(looks[0]) or not isinstance(goal, Atom):
            return None
        if goal.args.count(here) > 1:
            return None

        def look(function: Function, scope: Scope) -> None:
            members = self._writer.members_of(goal, here, scope)
            with function.block(f"if meet(run, {members}, known):"):
                function.line("return True")

        return self._path(planned, others, look)

    def _path(self, planned: PlannedRule, steps: Sequence[Step], finish: Finish) -> Path:
        return Path(planned, steps, self._function.scope_of(planned), finish)

    def _arrived(self, planned: PlannedRule) -> Finish:
        finish = _answered(planned)

        def arrive(function: Function, scope: Scope) -> None:
            if self._shares:
                function.line(f"forget(run, {self._key})")
            finish(function, scope)

        return arrive

    def _go_on(self, planned: PlannedRule) -> Finish:
        def go_on(function: Function, scope: Scope) -> None:
            args = [_last(planned).args[index] for index in self._moving]
            next_state = _state([self._writer.term(arg, scope) for arg in args])
            with function.block(f"if {next_state} not in tried:"):
                function.line(f"tried.add({next_state})")
                function.line(f"todo.append({next_state})")

        return go_on


def _last(planned: PlannedRule) -> Atom:
    goal = planned.steps[-1].goal
    assert isinstance(goal, Atom)
    return goal


class _Tables:
    """Which procedures have tables, and the functions that fill these."""

    def __init__(self, module: Module, plan: Plan) -> None:
        self._groups = {p.pattern: p.group for p in plan.procedures.values()}
        self._tabled = [
            p.pattern for p in plan.procedures.values() if p.strategy is Strategy.TABLED
        ]
        self._functions = module.functions
        self.starts = {
            pattern: module.names.new(f"{module.functions[pattern]}_start")
            for pattern in self._tabled
        }

    def are_shared(self, procedure: Procedure, step: Step) -> bool:
        """Say whether the step calls a procedure whose tables are filled together with this one's."""
        return step.calls is not None and self._groups[step.calls] == procedure.group

    def name(self, procedure: Procedure) -> str:
        """Return the name of the tables that the procedure's are among."""
        own = (pattern for pattern in self._tabled if self._groups[pattern] == procedure.group)
        return self._functions[next(own)]


class _Tabled:
    """A function that asks the table, one that begins to fill it, and one for each place that waits."""

    def __init__(self, module: Module, procedure: Procedure, tables: _Tables) -> None:
        self._module = module
        self._procedure = procedure
        self._tables = tables
        self._is_check = procedure.pattern.is_check
        self._name = module.functions[procedure.pattern]
        self._waiting: list[tuple[str, PlannedRule, int, list[Variable]]] = []

    def write(self) -> None:
        self._write_ask()
        self._write_start()
        while self._waiting:
            self._write_rest(*self._waiting.pop(0))

    def _write_ask(self) -> None:
        function = Function(self._module, self._procedure)
        group = self._tables.name(self._procedure)
        ask = "holds" if self._is_check else "answers"
        start = self._tables.starts[self._procedure.pattern]
        with function.definition(self._name, ["facts", "run", *function.args]):
            function.line(comment(self._procedure.pattern.relation))
            args = tuple_of(function.args)
            function.line(f"return tables_of(run, {group!r}, facts).{ask}({start}, {args})")

    def _write_start(self) -> None:
        function = Function(self._module, self._procedure)
        start = self._tables.starts[self._procedure.pattern]
        with function.definition(start, ["tables", "table", "facts", "run", "saved", "answer"]):
            if function.args:
                function.line(f"{tuple_of(function.args)} = saved")
            paths = [self._path(p, 0, function.scope_of(p)) for p in self._procedure.rules]
            Writer(function).write(paths)

    def _write_rest(
        self, name: str, planned: PlannedRule, index: int, saved: Sequence[Variable]
    ) -> None:
        """Write what goes on with each answer of step `index`."""
        function = Function(self._module, self._procedure)
        with function.definition(name, ["tables", "table", "facts", "run", "saved", "answer"]):
            scope = {variable: function.name_for(variable, planned) for variable in saved}
            if saved:
                function.line(f"{tuple_of(list(scope.values()))} = saved")
            path = self._path(planned, index + 1, scope)
            writer = Writer(function)
            writer.unpack(planned.steps[index], path)
            writer.write([path])

    def _path(self, planned: PlannedRule, index: int, scope: Scope) -> Path:
        """Return the way from step `index` to the next that waits for a table of the same group."""
        steps = planned.steps
        end = next(
            (
                number
                for number in range(index, len(steps))
                if self._tables.are_shared(self._procedure, steps[number])
            ),
            len(steps),
        )

        def finish(function: Function, scope: Scope) -> None:
            if end < len(steps):
                self._wait(function, planned, end, scope)
            elif self._is_check:
                function.line("return tables.add(table, ())")
            else:
                function.line(f"tables.add(table, {function.outputs(planned, scope)})")

        return Path(planned, steps[index:end], scope, finish)

    def _wait(self, function: Function, planned: PlannedRule, index: int, scope: Scope) -> None:
        step = planned.steps[index]
        assert isinstance(step.goal, Atom)
        assert step.calls is not None
        later: set[Variable] = set(head_of(planned.rule)).union(
            *(variables(other.goal) for other in planned.steps[index + 1 :])
        )
        saved = [variable for variable in scope if variable in later]
        name = self._module.names.new(f"{self._name}_then", function.names)
        self._waiting.append((name, planned, index, saved))
        writer = Writer(function)
        args = [
            writer.term(arg, scope)
            for arg, is_bound in zip(step.goal.args, step.calls.bound, strict=True)
            if is_bound
        ]
        start = self._tables.starts[step.calls]
        values = tuple_of([scope[variable] for variable in saved])
        function.line(
            f"tables.call({start}, {tuple_of(args)}, {name}, table, {values}, "
            f"is_check={step.calls.is_check})"
        )


def _wish(pattern: Pattern) -> str:
    """Return a name like `has_role_owner_document`: what is asked, and for lists what is free."""
    free = "" if pattern.is_check else "_list"
    return identifier(pattern.relation).lower() + free


def _state(names: Sequence[str]) -> str:
    return names[0] if len(names) == 1 else f"({', '.join(names)})"
