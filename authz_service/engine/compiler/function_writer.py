"""Writing functions: the lines of one, and rules as conditions and loops inside of each other.

Rules that begin with the same loop share it. Conditions between two loops stand in one `if`.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import chain

from authz_service.engine.compiler.names import Names, identifier, origin
from authz_service.engine.compiler.plan import Procedure
from authz_service.engine.compiler.rule_program import head_of
from authz_service.engine.compiler.steps import Pattern, PlannedRule, Step
from authz_service.facts.access import AccessPath, Demand
from authz_service.facts.value import INTEGER, Value
from authz_service.polar.goals import (
    CURRENT_TIME,
    Atom,
    Comparison,
    Goal,
    Membership,
    Negation,
    Term,
    TypeTest,
    Variable,
    variables,
)

_PYTHON = {"=": "==", "!=": "!=", "<": "<", "<=": "<=", ">": ">", ">=": ">="}
_DENIED = {"=": "!=", "!=": "==", "<": ">=", "<=": ">", ">": "<=", ">=": "<"}

PASSED_ON = ("facts", "tick", "now", "run")
"""The first parameters of all functions: a view, the counter of steps, the time, and what a question keeps."""

Scope = dict[Variable, str]
"""The expressions that variables stand for."""

Finish = Callable[["Function", Scope], None]
"""Writes what is inside of all conditions of a rule."""


class Module:
    """The text so far, and the names of its functions."""

    def __init__(self, demand: Demand) -> None:
        self.demand = demand
        self.lines: list[str] = []
        self.names = Names()
        self.functions: dict[Pattern, str] = {}
        self.uses: set[str] = set()
        self.counts = False
        self.keeps = False
        self.starts: dict[Pattern, int] = {}
        """The functions that take several values for the argument at this position, one of which must do."""
        self.behind: dict[str, str] = {}
        """The functions that find what walks reach, by the name under which a view keeps that."""

    def facts(self, name: str) -> str:
        """Return the expression for what a view shows under `name`."""
        self.uses.add(name)
        return f"facts.{name}"


class Function:
    """The lines of one function."""

    def __init__(self, module: Module, procedure: Procedure) -> None:
        self.module = module
        self.procedure = procedure
        self.names = Names(module.names)
        self._lines: list[str] = []
        self._depth = 0
        self.hoisted: dict[str, str] = {}
        self._hoist_at: int | None = None
        self.params = self._named_params()
        bound = zip(self.params, procedure.pattern.bound, strict=True)
        self.args = [name for name, is_bound in bound if is_bound]

    def line(self, text: str) -> None:
        self._lines.append("    " * self._depth + text)

    @contextmanager
    def block(self, text: str) -> Iterator[None]:
        self.line(text)
        self._depth += 1
        yield
        self._depth -= 1

    @contextmanager
    def definition(self, name: str, args: Iterable[str]) -> Iterator[None]:
        """Write the function into the module when its body is written."""
        self._lines += ["", ""]
        with self.block(f"def {name}({', '.join(args)}):"):
            yield
        self.module.lines += self._lines

    def hoist_here(self) -> None:
        """Let what `hoist` takes out of a loop stand before the line that is written next."""
        self._hoist_at = len(self._lines)

    def hoist(self, expression: str, wish: str) -> str:
        """Return the name of a value that is looked up once, before the loop."""
        if expression not in self.hoisted:
            assert self._hoist_at is not None
            name = self.hoisted[expression] = self.names.new(wish)
            self._lines.insert(self._hoist_at, f"    {name} = {expression}")
            self._hoist_at += 1
        return self.hoisted[expression]

    def after_hoisted(self, *lines: str) -> None:
        """Write lines behind what was looked up before the loop."""
        assert self._hoist_at is not None
        self._lines[self._hoist_at : self._hoist_at] = ["    " + line for line in lines]

    def count(self) -> None:
        """Write that a step is taken."""
        self.module.counts = True
        self.line("tick()")

    def begin_answers(self) -> None:
        if not self.procedure.pattern.is_check:
            self.line("found = set()")

    def end_answers(self) -> None:
        self.line("return False" if self.procedure.pattern.is_check else "return found")

    def scope_of(self, planned: PlannedRule) -> Scope:
        """Return the names of the bound parameters under those that the rule gives them."""
        bound = zip(head_of(planned.rule), self.params, self.procedure.pattern.bound, strict=True)
        return {variable: name for variable, name, is_bound in bound if is_bound}

    def name_for(self, variable: Variable, planned: PlannedRule) -> str:
        types = planned.rule.types.get(variable, frozenset())
        return self.names.new(_wish_for(variable, types))

    def outputs(self, planned: PlannedRule, scope: Scope) -> str:
        """Return the expression of an answer."""
        bound = zip(head_of(planned.rule), self.procedure.pattern.bound, strict=True)
        return _answer([scope[variable] for variable, is_bound in bound if not is_bound])

    def _named_params(self) -> list[str]:
        relation = self.procedure.relation
        first = next(iter(relation.rules), None)
        numbers = range(1, len(relation.params) + 1)
        heads = head_of(first) if first else tuple(Variable(f"value {n}") for n in numbers)
        return [
            self.names.new(_wish_for(variable, types))
            for variable, types in zip(heads, relation.params, strict=True)
        ]


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
    """Writes rules into a function. Rules that begin with the same loop share it."""

    def __init__(self, function: Function, fixed: frozenset[str] = frozenset()) -> None:
        self._function = function
        self._fixed = fixed
        self._demand = function.module.demand
        self._facts = function.module.facts

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

    def members_of(self, atom: Atom, variable: Variable, scope: Scope) -> str:
        """Return the expression for the values that `variable` has in facts, given all else of `atom`."""
        known = [index for index, arg in enumerate(atom.args) if arg != variable]
        return self._lookup(atom, known, scope)

    def looked_up(self, atom: Atom, moving: Variable, scope: Scope) -> str | None:
        """Return the name of what was looked up once for a whole walk and holds a value if `atom` does.

        None if the walk looks up `atom` at each value that it comes to.
        """
        known = [
            index
            for index, arg in enumerate(atom.args)
            if not isinstance(arg, Variable) or (arg in scope and arg != moving)
        ]
        path = _path(atom, known)
        if len(path.members) != 1 or not path.key or not self._demand.has(path):
            return None
        return self._function.hoisted.get(self._expression(atom, path, scope))

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
                    path.scope[new] = self.term(known, path.scope)
                case _:
                    path.pending.append(self._condition(step, path.scope))
        return None

    def _source(self, step: Step, path: Path) -> str | None:
        """Return the expression of what the step loops over, or None if it is a condition."""
        if not step.binds:
            return None
        match step.goal:
            case Membership(_, values):
                return self._facts(self._demand.literals(values))
            case Atom() if not _is_existence(step, path.planned):
                return self._collection(step.goal, step, path.scope)
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
            self._loop(paths)

    def _loop(self, paths: Sequence[Path]) -> None:
        first = paths[0]
        step = first.steps[0]
        source = self._source(step, first)
        assert source is not None
        if len(paths) == 1 and self._begins_walk(first):
            call = first.planned.steps[-1]
            assert isinstance(call.goal, Atom)
            first.pending = [self._call(call.goal, call, first.scope, source)]
            first.steps = ()
            self.write(paths)
            return
        first.pending = []
        targets = self._targets(step, first)
        for other in paths[1:]:
            _name(_fresh(other.steps[0]), targets, other)
        for path in paths:
            path.steps = path.steps[1:]
        with self._function.block(f"for {', '.join(targets)} in {source}:"):
            self._function.count()
            self.write(paths)

    def _begins_walk(self, path: Path) -> bool:
        """Say whether the loop only gives the values that a walk is to begin with, for one answer."""
        loop, *others = path.steps
        call = path.planned.steps[-1]
        start = self._function.module.starts.get(call.calls) if call.calls else None
        if start is None or others != [call] or not isinstance(call.goal, Atom):
            return False
        [*also, variable] = _fresh(loop)
        return (
            not also
            and call.goal.args[start] == variable
            and call.goal.args.count(variable) == 1
            and variable not in head_of(path.planned.rule)
        )

    def term(self, term: Term, scope: Mapping[Variable, str]) -> str:
        if term == CURRENT_TIME:
            return "(INTEGER_ZERO + now)"
        if isinstance(term, Variable):
            return scope[term]
        return self._facts(self._demand.literal(term))

    def _targets(self, step: Step, path: Path) -> list[str]:
        """Name what the step binds, in order. Values that must be equal become a condition."""
        fresh = _fresh(step)
        targets = [self._function.name_for(variable, path.planned) for variable in fresh]
        _name(fresh, targets, path)
        return targets

    def _condition(self, step: Step, scope: Scope) -> str:
        """Return the expression that says whether the step holds."""
        match step.goal:
            case Negation(Atom() as atom):
                return self._atom(atom, step, scope, denied=True)
            case Negation(inner):
                return self._test(inner, scope, denied=True)
            case Atom():
                return self._atom(step.goal, step, scope, denied=False)
            case _:
                return self._test(step.goal, scope, denied=False)

    def _test(self, goal: Goal, scope: Scope, *, denied: bool) -> str:
        match goal:
            case Comparison(operator, left, right):
                sign = (_DENIED if denied else _PYTHON)[operator]
                return f"{self.term(left, scope)} {sign} {self.term(right, scope)}"
            case Membership(term, values):
                found = self._facts(self._demand.literals(values))
                return f"{self.term(term, scope)} {_in(denied)} {found}"
            case TypeTest(variable, types):
                return self._type_test(self.term(variable, scope), types, denied=denied)
            case _:
                raise AssertionError(goal)

    def _type_test(self, value: str, types: frozenset[str], *, denied: bool) -> str:
        tests = []
        if INTEGER in types:
            tests.append(f"{value} >= INTEGERS")
        if types - {INTEGER}:
            name = self._demand.types(types - {INTEGER})
            tests.append(f"{value} >> TYPE_SHIFT in {self._facts(name)}")
        joined = tests[0] if len(tests) == 1 else f"({' or '.join(tests)})"
        return f"not ({joined})" if denied else joined

    def _atom(self, atom: Atom, step: Step, scope: Scope, *, denied: bool) -> str:
        """Return the expression that says whether there is such a fact, or an answer of such a call."""
        free = _fresh(step)
        if not free and step.calls is None:
            return self._membership(atom, scope, denied=denied)
        found = self._collection(atom, step, scope)
        if len(set(free)) < len(free):
            self._function.module.counts = True
            found = _any_alike(free, found)
        return f"not {found}" if denied else found

    def _collection(self, atom: Atom, step: Step, scope: Scope) -> str:
        """Return the expression for the values of what is not known, or for yes or no if all is."""
        if step.calls is not None:
            return self._call(atom, step, scope)
        known = [
            index
            for index, arg in enumerate(atom.args)
            if not isinstance(arg, Variable) or arg in step.known
        ]
        return self._lookup(atom, known, scope)

    def _call(self, atom: Atom, step: Step, scope: Scope, starts: str | None = None) -> str:
        """Return the call. `starts` are the values to begin a walk with, if that is not only one."""
        assert step.calls is not None
        start = self._function.module.starts.get(step.calls)
        args = []
        for index, (arg, is_bound) in enumerate(zip(atom.args, step.calls.bound, strict=True)):
            if index == start:
                args.append(starts or f"({self.term(arg, scope)},)")
            elif is_bound:
                args.append(self.term(arg, scope))
        name = self._function.module.functions[step.calls]
        return f"{name}({', '.join([*PASSED_ON, *args])})"

    def _membership(self, atom: Atom, scope: Scope, *, denied: bool) -> str:
        """Return the expression that says whether a fact is stored of which all is known."""
        positions = [index for index, arg in enumerate(atom.args) if isinstance(arg, Variable)]
        if not positions:
            found = self._lookup(atom, range(len(atom.args)), scope)
            return f"not {found}" if denied else found
        # On a walk best what can be looked up once for all values; else a path that is there for another
        # reason will do; else the first argument is looked for.
        choices = [[i for i in range(len(atom.args)) if i != member] for member in positions]
        lasting = (c for c in choices if self._fixed and self._is_fixed(atom, c, scope))
        there = (c for c in choices if self._demand.has(_path(atom, c)))
        known = next(chain(lasting, there, choices))
        [member] = set(range(len(atom.args))) - set(known)
        found = self._lookup(atom, known, scope)
        return f"{self.term(atom.args[member], scope)} {_in(denied)} {found}"

    def _is_fixed(self, atom: Atom, key: Iterable[int], scope: Scope) -> bool:
        """Say whether these arguments are the same in all rounds of a walk."""
        values = (self.term(atom.args[index], scope) for index in key)
        return all(value in self._fixed or value.startswith("facts.") for value in values)

    def _lookup(self, atom: Atom, known: Iterable[int], scope: Scope) -> str:
        """Return the expression for what stands at the other positions of `atom`."""
        path = _path(atom, known)
        expression = self._expression(atom, path, scope)
        if path.key and self._fixed and self._is_fixed(atom, path.key, scope):
            return self._function.hoist(expression, self._demand.name(path).partition("_by_")[0])
        return expression

    def _expression(self, atom: Atom, path: AccessPath, scope: Scope) -> str:
        found = self._facts(self._demand.name(path))
        if not path.key:
            return found
        values = [self.term(atom.args[index], scope) for index in path.key]
        key = values[0] if len(values) == 1 else tuple_of(values)
        return f"{found}({key}, ())"


def is_look_up(step: Step) -> bool:
    """Say whether the step says that a fact is stored of which all is known."""
    return isinstance(step.goal, Atom) and step.calls is None and not _fresh(step)


def _fresh(step: Step) -> list[Variable]:
    """Return the variables that the step gives values to, as often as they stand there."""
    goal = step.goal.goal if isinstance(step.goal, Negation) else step.goal
    match goal:
        case Atom(_, args):
            return [arg for arg in args if isinstance(arg, Variable) and arg not in step.known]
        case Membership(Variable() as term) if term not in step.known:
            return [term]
        case _:
            return []


def _name(variables: Sequence[Variable], targets: Sequence[str], path: Path) -> None:
    """Give the variables their names. Values that must be equal become a condition."""
    named: set[Variable] = set()
    for variable, target in zip(variables, targets, strict=True):
        if variable in named:
            path.pending.append(f"{target} == {path.scope[variable]}")
        else:
            named.add(variable)
            path.scope[variable] = target


def _shape(step: Step) -> tuple[int, ...]:
    """Return which of the values that the step gives must be equal."""
    fresh = _fresh(step)
    return tuple(map(fresh.index, fresh))


def _is_existence(step: Step, planned: PlannedRule) -> bool:
    """Say whether nobody needs the values that the step would bind."""
    used: set[Variable] = set(head_of(planned.rule)).union(
        *(variables(other.goal) for other in planned.steps if other is not step)
    )
    return used.isdisjoint(_fresh(step))


def _path(atom: Atom, known: Iterable[int]) -> AccessPath:
    literals: list[tuple[int, Value]] = []
    key: list[int] = []
    for index in known:
        arg = atom.args[index]
        if isinstance(arg, Value):
            literals.append((index, arg))
        else:
            key.append(index)
    return AccessPath(atom.predicate, len(atom.args), tuple(literals), tuple(key))


def _wish_for(variable: Variable, types: frozenset[str]) -> str:
    """Return a name for the variable: the author's, or after its type where no author named it."""
    name = variable.name.partition("#")[0]
    if variable.is_anonymous or name.startswith(("value ", "related")):
        name = next(iter(types)).lower() if len(types) == 1 else name.strip("_ 0123456789") or "any"
    return identifier(name)


def tuple_of(names: Sequence[str]) -> str:
    return f"({', '.join(names)}{',' if len(names) == 1 else ''})"


def _answer(names: Sequence[str]) -> str:
    return names[0] if len(names) == 1 else tuple_of(names)


def _any_alike(free: Sequence[Variable], found: str) -> str:
    """Return the expression that says whether `found` has values that are equal where the variables are."""
    pairs = [
        (free.index(variable), index)
        for index, variable in enumerate(free)
        if free.index(variable) != index
    ]
    return f"has_alike(tick, {found}, {tuple(pairs)!r})"


def _in(denied: bool) -> str:  # noqa: FBT001 - of which of two words
    return "not in" if denied else "in"
