"""Emit: a plan as the text of a Python module, as somebody would write it who had time.

A condition becomes an `if` or a `for` inside of those before it, and the last line of a rule says what its
answer is for: `return True`, one more value of a list, a value to walk on to, an answer for a table. Names
and comments come from the policy; see `names` for what they can contain.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from authz_service.engine.compiler.function_writer import Path, Writer, answered
from authz_service.engine.compiler.functions import (
    PASSED_ON,
    Behind,
    Function,
    Module,
    Scope,
    tuple_of,
)
from authz_service.engine.compiler.lists import is_list, starts_of_lists, write_list
from authz_service.engine.compiler.names import comment, identifier
from authz_service.engine.compiler.plan import Plan, Procedure, Strategy
from authz_service.engine.compiler.rule_program import head_of
from authz_service.engine.compiler.steps import Pattern, PlannedRule, Step
from authz_service.engine.compiler.walks import starts_of, write_walk
from authz_service.facts.access import Demand
from authz_service.polar.goals import Atom, Variable, variables


@dataclass(frozen=True, slots=True)
class Source:
    """The text of a module, the name of the function in it that answers, and what it uses of a view."""

    text: str
    entry: str
    uses: frozenset[str]
    counts: bool
    """Whether it counts steps: takes them from what it is given as `steps`."""
    keeps: bool
    """Whether it keeps something during a question, in what it is given as `run`."""
    behind: tuple[Behind, ...]
    """What finds where walks come to, whatever the question."""


def emit(plan: Plan, demand: Demand, title: str) -> Source:
    """Return the module for `plan`; the access paths and constants that it uses are added to `demand`."""
    module = Module(demand)
    module.functions = {pattern: module.names.new(_wish(pattern)) for pattern in plan.procedures}
    module.starts = {**starts_of(plan), **starts_of_lists(plan)}
    tables = _Tables(module, plan)
    for procedure in plan.procedures.values():
        if is_list(procedure):
            write_list(module, procedure, in_check=plan.entry.is_check)
            continue
        match procedure.strategy:
            case Strategy.STRAIGHT:
                _emit_straight(module, procedure)
            case Strategy.WALK:
                write_walk(module, procedure)
            case Strategy.TABLED:
                _Tabled(module, procedure, tables).write()
    text = "\n".join([comment(title), *module.lines]) + "\n"
    entry = module.functions[plan.entry]
    behind = tuple(module.behind.values())
    return Source(text, entry, frozenset(module.uses), module.counts, module.keeps, behind)


def _emit_straight(module: Module, procedure: Procedure) -> None:
    function = Function(module, procedure)
    name = module.functions[procedure.pattern]
    with function.definition(name, [*PASSED_ON, *function.args]):
        function.line(comment(procedure.pattern.relation))
        function.begin_answers()
        Writer(function).write(
            [
                Path(planned, planned.steps, function.scope_of(planned), answered(planned))
                for planned in procedure.rules
            ]
        )
        function.end_answers()


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
        with function.definition(self._name, [*PASSED_ON, *function.args]):
            function.line(comment(self._procedure.pattern.relation))
            args = tuple_of(function.args)
            self._module.counts = self._module.keeps = True
            function.line(
                f"return tables_of(facts, steps, now, run, {group!r}).{ask}({start}, {args})"
            )

    def _write_start(self) -> None:
        function = Function(self._module, self._procedure)
        start = self._tables.starts[self._procedure.pattern]
        with function.definition(start, ["tables", "table", *PASSED_ON, "saved", "answer"]):
            if function.args:
                function.line(f"{tuple_of(function.args)} = saved")
            paths = [self._path(p, 0, function.scope_of(p)) for p in self._procedure.rules]
            Writer(function).write(paths)

    def _write_rest(
        self, name: str, planned: PlannedRule, index: int, saved: Sequence[Variable]
    ) -> None:
        """Write what goes on with each answer of step `index`."""
        function = Function(self._module, self._procedure)
        with function.definition(name, ["tables", "table", *PASSED_ON, "saved", "answer"]):
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
            writer.expressions.term(arg, scope)
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
