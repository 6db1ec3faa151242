"""Walks: procedures that use themselves last only, as loops over the values that change on the way.

What a walk comes to from a value depends, for most, on nothing but facts about the values on the way. Then it
is found first and kept with the view, for other questions too, and the rules are asked about all of it at
once. Other walks look for an answer at each value that they come to.

A question can call a walk many times, with other values to begin with. What was tried in vain is shared by
those calls, so that all of them together cost what there is, once.
"""

from collections.abc import Sequence

from authz_service.engine.compiler.expressions import is_look_up
from authz_service.engine.compiler.function_writer import Finish, Path, Writer, answered
from authz_service.engine.compiler.functions import PASSED_ON, Behind, Function, Module, Scope
from authz_service.engine.compiler.names import comment
from authz_service.engine.compiler.plan import Plan, Procedure, Strategy, Ways
from authz_service.engine.compiler.rule_program import head_of
from authz_service.engine.compiler.steps import Pattern, PlannedRule, Step
from authz_service.polar.goals import Atom, variables


def starts_of(plan: Plan) -> dict[Pattern, int]:
    """Return the walks that take several values to begin with, and the position of that argument."""
    return {
        procedure.pattern: procedure.moving[0]
        for procedure in plan.procedures.values()
        if procedure.strategy is Strategy.WALK
        and procedure.ways is not None
        and procedure.pattern != plan.entry
        and not _begins_with_the_question(procedure)
    }


def _begins_with_the_question(procedure: Procedure) -> bool:
    """Say whether a walk begins with an argument of the question, and looks at what it came to as a whole.

    So it needs what is behind that one value only, however often it is called.
    """
    [moving] = procedure.moving
    return moving in procedure.given and all(
        _looks_once(planned, moving)
        for planned in procedure.rules
        if planned not in procedure.further
    )


def _looks_once(planned: PlannedRule, moving: int) -> bool:
    """Say whether the rule has at most one look-up of the moving value, which all values can share."""
    here = head_of(planned.rule)[moving]
    looks = [step for step in planned.steps if here in variables(step.goal)]
    if not looks:
        return True
    goal = looks[0].goal
    return (
        len(looks) == 1
        and is_look_up(looks[0])
        and isinstance(goal, Atom)
        and goal.args.count(here) == 1
    )


def write_walk(module: Module, procedure: Procedure) -> None:
    """Write the function for a procedure whose strategy is WALK."""
    ways = procedure.ways
    walk = _Walk(module, procedure)
    if ways is None:
        walk.write()
    else:
        _Reaching(walk, ways).write()


class _Walk:
    """A loop over values still to try. What changes on the way is `moving`, the other arguments are fixed."""

    def __init__(self, module: Module, procedure: Procedure) -> None:
        self.module = module
        self.function = function = Function(module, procedure)
        self.procedure = procedure
        self.name = module.functions[procedure.pattern]
        self.moving = procedure.moving
        self.further = procedure.further
        self.arriving = [rule for rule in procedure.rules if rule not in self.further]
        self.here = _state([function.params[index] for index in self.moving])
        fixed = [
            name
            for index, name in enumerate(function.params)
            if name in function.args and index not in self.moving
        ]
        self.writer = Writer(function, frozenset(fixed))
        # Answers of a list depend on where it began, so only a failed walk says anything to the next.
        self.shares = procedure.is_repeated and procedure.pattern.is_check
        self.key = ", ".join([repr(self.name), *fixed])

    def write(self) -> None:
        function = self.function
        with function.definition(self.name, [*PASSED_ON, *function.args]):
            function.line(comment(self.procedure.pattern.relation))
            function.begin_answers()
            function.hoist_here()
            self._begin()
            with function.block(f"for {self.here} in todo:"):
                function.count()
                arrived = [self.path(p, p.steps, self._arrived(p)) for p in self.arriving]
                more = [self.path(p, p.steps[:-1], self._go_on(p)) for p in self.further]
                self.writer.write([*arrived, *more])
            function.end_answers()
            if len(self.moving) == 1 and self.procedure.pattern.is_check:
                self.end_at_once()

    def path(self, planned: PlannedRule, steps: Sequence[Step], finish: Finish) -> Path:
        return Path(planned, steps, self.function.scope_of(planned), finish)

    def _begin(self) -> None:
        """Begin with one value, or none if an earlier walk of the question came by."""
        function = self.function
        if self.shares:
            self.module.keeps = True
            function.line(f"tried = tried_of(run, {self.key})")
            with function.block(f"if {self.here} in tried:"):
                function.line("return False")
            function.line(f"tried.add({self.here})")
        else:
            function.line(f"tried = {{{self.here}}}")
        function.line(f"todo = [{self.here}]")

    def _arrived(self, planned: PlannedRule) -> Finish:
        finish = answered(planned)

        def arrive(function: Function, scope: Scope) -> None:
            if self.shares:
                function.line(f"forget(run, {self.key})")
            finish(function, scope)

        return arrive

    def _go_on(self, planned: PlannedRule) -> Finish:
        def go_on(function: Function, scope: Scope) -> None:
            args = [_last(planned).args[index] for index in self.moving]
            there = _state([self.writer.expressions.term(arg, scope) for arg in args])
            with function.block(f"if {there} not in tried:"):
                function.line(f"tried.add({there})")
                function.line(f"todo.append({there})")

        return go_on

    def end_at_once(self) -> None:
        """Do not walk if all rules need facts of which only the moving value is unknown, and there are none."""
        needed = list(dict.fromkeys(map(self._needed, self.arriving)))
        names = [name for name in needed if name is not None]
        if len(names) == len(needed):
            any_of = names[0] if len(names) == 1 else f"({' or '.join(names)})"
            self.function.after_hoisted(f"if not {any_of}:", "    return False")

    def _needed(self, planned: PlannedRule) -> str | None:
        """Return the name of a collection that must not be empty for the rule to hold, if there is one."""
        scope = self.function.scope_of(planned)
        here = head_of(planned.rule)[self.moving[0]]
        for step in planned.steps:
            if isinstance(step.goal, Atom) and step.calls is None:
                found = self.writer.expressions.looked_up(step, here, scope)
                if found is not None:
                    return found
        return None


class _Reaching:
    """A walk that first finds what is behind a value. One value changes on the way; the answer is yes or no."""

    def __init__(self, walk: _Walk, ways: Ways) -> None:
        self._walk = walk
        self._function = walk.function
        [self._moving] = walk.moving
        self._is_given = _begins_with_the_question(walk.procedure)
        module = walk.function.module
        self._reach = module.demand.reach(f"reached_{walk.name}", *ways)
        self._reached = module.facts(self._reach)
        self._behind = self._written_behind(module)

    def write(self) -> None:
        walk, function = self._walk, self._function
        starts, args = f"({walk.here},)", function.args
        if walk.procedure.pattern in walk.module.starts:
            starts, args = "starts", ["starts" if arg == walk.here else arg for arg in args]
        with function.definition(walk.name, [*PASSED_ON, *args]):
            function.line(comment(walk.procedure.pattern.relation))
            function.hoist_here()
            if self._is_given:
                self._ask_given()
            else:
                with function.block(f"for start in {starts}:"):
                    function.count()
                    self._ask_start()
            function.line("return False")
            walk.end_at_once()

    def _ask_given(self) -> None:
        """Ask the rules about all that is behind the question's value."""
        walk, function = self._walk, self._function
        walk.module.keeps = True
        function.line(f"known = {self._reached}.get({walk.here})")
        with function.block("if known is None:"):
            function.line(f"known = {self._behind}(facts, steps, {walk.here}, run)")
        self._ask_among()

    def _ask_start(self) -> None:
        """Ask the rules about what is behind one of several values."""
        walk, function = self._walk, self._function
        look_once = all(_looks_once(planned, self._moving) for planned in walk.arriving)
        if not look_once:
            self._ask_each()
            return
        function.line(f"known = {self._reached}.get(start)")
        if walk.shares:
            walk.module.keeps = True
            function.line("is_new = known is None")
            with function.block("if is_new:"):
                function.line(f"tried = tried_of(run, {walk.key})")
                function.line(f"known = {self._behind}(facts, steps, start, tried)")
            self._ask_among()
            with function.block("if is_new:"):
                function.line("tried.update(known)")
        else:
            with function.block("if known is None:"):
                function.line(f"known = {self._behind}(facts, steps, start, ())")
            self._ask_among()

    def _ask_among(self) -> None:
        """Each rule looks once at most for what the walk came to: look for any of it."""
        self._walk.writer.write([self._path_among(planned) for planned in self._walk.arriving])

    def _ask_each(self) -> None:
        """Look at each value that the walk came to, but those that an earlier one has tried in vain."""
        walk, function = self._walk, self._function
        tried = "()"
        if walk.shares:
            walk.module.keeps = True
            tried = "tried"
            function.line(f"tried = tried_of(run, {walk.key})")
        function.line(f"known = {self._reached}.get(start)")
        with function.block("if known is None:"):
            function.line(f"known = {self._behind}(facts, steps, start, {tried})")
        if walk.shares:
            function.line("spend(steps, known)")
        with function.block(f"for {walk.here} in {'known - tried' if walk.shares else 'known'}:"):
            function.count()
            walk.writer.write([walk.path(p, p.steps, answered(p)) for p in walk.arriving])
        if walk.shares:
            function.line("tried.update(known)")

    def _path_among(self, planned: PlannedRule) -> Path:
        """Return the rule for all values at once that the walk came to."""
        walk = self._walk
        here = head_of(planned.rule)[self._moving]
        others = [step for step in planned.steps if here not in variables(step.goal)]
        looks = [step for step in planned.steps if here in variables(step.goal)]
        if not looks:
            return walk.path(planned, planned.steps, answered(planned))
        [step] = looks

        def look(function: Function, scope: Scope) -> None:
            members = walk.writer.expressions.members_of(step, here, scope)
            if members not in function.hoisted.values():
                function.line(f"members = {members}")
                members = "members"
            # Few values are compared without the cost of a call.
            few = f"not known.isdisjoint({members})"
            test = f"{few} if len({members}) <= FEW else meet(steps, {members}, known)"
            with function.block(f"if {test}:"):
                function.line("return True")

        return walk.path(planned, others, look)

    def _written_behind(self, module: Module) -> str:
        """Return the name of the function that finds what is behind a value, which other walks may share."""
        key = self._reach, self._is_given
        found = module.behind.get(key)
        if found is None:
            name = module.names.new(f"behind_{self._walk.name}")
            types = self._walk.procedure.relation.params[self._moving]
            found = module.behind[key] = Behind(name, self._reach, types)
            self._write_behind(module, name)
        return found.function

    def _write_behind(self, module: Module, name: str) -> None:
        procedure = self._walk.procedure
        function = Function(module, procedure)
        writer = Writer(function)
        here = function.params[self._moving]
        passed = ["start", "run"] if self._is_given else ["start", "tried"]
        with function.definition(name, ["facts", "steps", *passed]):
            if self._is_given:
                self._look_in_run(function)
            else:
                function.line(
                    comment("all that a walk comes to, or if that is much what is not in `tried`")
                )
                function.line("is_whole = True")
            function.count()
            function.line("known = {start}")
            function.line("todo = [start]")
            with function.block(f"for {here} in todo:"):
                writer.write(
                    [
                        Path(
                            planned,
                            planned.steps[:-1],
                            {head_of(planned.rule)[self._moving]: here},
                            self._further(planned, writer),
                        )
                        for planned in procedure.further
                    ]
                )
            if self._is_given:
                function.line(f"run[start, {self._reach!r}] = known")
                function.line(f"{self._reached}.keep(start, known)")
            else:
                with function.block("if is_whole:"):
                    function.line(f"{self._reached}.keep(start, known)")
            function.line("return known")

    def _look_in_run(self, function: Function) -> None:
        """Return what the question has found before, should that be too much for a view to keep."""
        function.line(comment("all that a walk comes to"))
        # Keys of `tried_of` begin with a name, so an id in front tells these apart.
        function.line(f"known = run.get((start, {self._reach!r}))")
        with function.block("if known is not None:"):
            function.line("return known")

    def _further(self, planned: PlannedRule, writer: Writer) -> Finish:
        def go_on(function: Function, scope: Scope) -> None:
            there = writer.expressions.term(_last(planned).args[self._moving], scope)
            with function.block(f"if {there} not in known:"):
                if self._is_given:
                    function.line(f"known.add({there})")
                    function.line(f"todo.append({there})")
                    return
                with function.block(f"if {there} in tried and len(known) > FEW:"):
                    function.line("is_whole = False")
                with function.block("else:"):
                    function.line(f"known.add({there})")
                    function.line(f"todo.append({there})")

        return go_on


def _last(planned: PlannedRule) -> Atom:
    goal = planned.steps[-1].goal
    assert isinstance(goal, Atom)
    return goal


def _state(names: Sequence[str]) -> str:
    return names[0] if len(names) == 1 else f"({', '.join(names)})"
