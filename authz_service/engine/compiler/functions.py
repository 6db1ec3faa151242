"""Functions of a generated module: their names, their parameters, and their lines so far."""

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import NamedTuple

from authz_service.engine.compiler.names import Names, identifier
from authz_service.engine.compiler.plan import Procedure
from authz_service.engine.compiler.rule_program import head_of
from authz_service.engine.compiler.steps import Pattern, PlannedRule
from authz_service.facts.access import Demand
from authz_service.polar.goals import Variable

PASSED_ON = ("facts", "steps", "now", "run")
"""The first parameters of all functions: a view, the counter of steps, the time, and what a question keeps."""

Scope = dict[Variable, str]
"""The expressions that variables stand for."""


class Behind(NamedTuple):
    """A function that finds all that walks come to from a value: of a view, with steps, and a dict for itself.

    The view keeps what it finds under the name `reach`. Walks begin with values of `types`.
    """

    function: str
    reach: str
    types: frozenset[str]


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
        self.behind: dict[tuple[str, bool], Behind] = {}
        """What finds what walks reach, by the name under which a view keeps that, and whether the question
        gives where they begin."""

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

    def hoist_set(self, wish: str) -> str:
        """Return the name of a set that is made before the loop, empty."""
        assert self._hoist_at is not None
        name = self.names.new(wish)
        self._lines.insert(self._hoist_at, f"    {name} = set()")
        self._hoist_at += 1
        return name

    def after_hoisted(self, *lines: str) -> None:
        """Write lines behind what was looked up before the loop."""
        assert self._hoist_at is not None
        self._lines[self._hoist_at : self._hoist_at] = ["    " + line for line in lines]

    def count(self) -> None:
        """Write that a step is taken."""
        self.module.counts = True
        self.line("next(steps)")

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
