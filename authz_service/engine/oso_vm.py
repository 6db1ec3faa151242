"""The `oso` engine: the open-source Polar VM as a second opinion on what it can express.

The VM never sees text of a user: it is fed a translation of the checked rules, in which every name is a
number and every id hexadecimal (its parser aborts the whole process on some non-ASCII text). A value is a
dictionary that carries its id and its type as a tag, a fact is a rule without a body, and goals keep the
safe order of `polar.safety`, on which the VM's negation depends.

The VM searches depth first without a table of what it has seen, so over cyclic data it may not come to an
end. Its time limit, and its limit of 10,000 goals, are errors here.
"""

import os
from collections.abc import Hashable, Iterable, Sequence
from collections.abc import Set as AbstractSet
from itertools import chain
from typing import TYPE_CHECKING, assert_never

from authz_service.engine.program import Budget, Listed, Listing, Query, Question, Row
from authz_service.engine.reference import constants
from authz_service.errors import EngineUnsupported, EvaluationLimitReached
from authz_service.facts.fact import Fact
from authz_service.facts.snapshot import FactSnapshot
from authz_service.facts.value import INTEGER, INTEGER_MIN, PRIMITIVE_TYPES, Value, integer
from authz_service.polar.goals import (
    CURRENT_TIME,
    Atom,
    Comparison,
    Conjunction,
    Disjunction,
    Goal,
    Membership,
    Negation,
    Rule,
    Term,
    TypeTest,
    Variable,
    atoms,
    variables,
)
from authz_service.polar.policy import Policy

if TYPE_CHECKING:
    from oso import Oso

TIME_LIMIT_MS = 1000

NOW = "NOW"
"""The constant that `@current_unix_time` becomes."""

_Key = tuple[str, int]


class OsoProgram:
    """A policy in the VM's terms. Keeps the VM that was loaded for the newest facts."""

    demand = None

    def __init__(self, policy: Policy) -> None:
        _require_oso()
        self._policy = policy
        self._translation = _Translation(policy)
        self._rules = self._translation.rules(policy.rules)
        self._is_timed = any(CURRENT_TIME in rule.types for rule in policy.rules)
        self._loaded: tuple[FactSnapshot, int, Oso] | None = None

    def is_ready(self, question: Question, facts: FactSnapshot) -> bool:
        """See `Program.is_ready`. A step of this engine can be long, so it never is."""
        del question, facts
        return False

    @property
    def asked(self) -> AbstractSet[Hashable]:
        """See `Program.asked`. All kinds are the same to this engine."""
        return frozenset()

    def prepare(self, asked: AbstractSet[Hashable] | None) -> None:
        """See `Program.prepare`. There is nothing to do."""

    def __getstate__(self) -> dict[str, object]:
        """Leave out the VM, which cannot be pickled and is made again for the next facts."""
        return {**self.__dict__, "_loaded": None}

    def permits(self, question: Question, facts: FactSnapshot, now: int, budget: Budget) -> bool:
        """See `Program.permits`. The VM counts time and goals instead of the budget's steps."""
        from polar.exceptions import PolarRuntimeError  # noqa: PLC0415 - oso may be absent

        if not budget.steps:
            raise budget.reached()
        asked = question.as_fact()
        name, *args = self._translation.query(asked)
        vm = self._vm(facts, now)
        try:
            answers = vm.query_rule(name, *args)  # type: ignore[no-untyped-call]
            return next(answers, None) is not None
        except PolarRuntimeError as error:
            if any(
                limit in str(error)
                for limit in ("Query timeout", "Goal stack overflow", "Too many choices")
            ):
                message = (
                    "the `oso` engine did not come to an end, as it does not over cyclic or very deep "
                    "data; use `--engine reference`"
                )
                raise EvaluationLimitReached(message) from error
            message = "the `oso` engine cannot evaluate this policy; use `--engine reference`"
            raise EngineUnsupported(message) from error

    def listed(self, asked: Listing, facts: FactSnapshot, now: int, budget: Budget) -> Listed:
        """See `Program.listed`. Costs a check for each value that occurs."""
        usable = (fact.args for fact in facts if self._policy.shapes.accept(fact))
        named = map(constants, self._policy.rules)
        return asked.by_checks(
            chain.from_iterable((*named, *usable)),
            lambda question: self.permits(question, facts, now, budget),
        )

    def query(self, query: Query, facts: FactSnapshot, now: int, budget: Budget) -> set[Row]:
        """See `Program.query`. This engine answers questions only."""
        del query, facts, now, budget
        message = "the `oso` engine answers no queries; use `--engine compiled`"
        raise EngineUnsupported(message)

    def _vm(self, facts: FactSnapshot, now: int) -> "Oso":
        """Return a VM with `facts`. Its time is fixed, as threads may share it."""
        from oso import Oso  # noqa: PLC0415 - oso may be absent

        now = now if self._is_timed else 0
        if self._loaded is not None and self._loaded[0] is facts and self._loaded[1] == now:
            return self._loaded[2]
        usable = (fact for fact in facts if self._policy.shapes.accept(fact))
        vm = Oso()
        time = dict(self._translation.fields(integer(now)))
        vm.register_constant(time, NOW)  # type: ignore[no-untyped-call]
        vm.load_str(self._rules + self._translation.facts(usable))
        self._loaded = facts, now, vm
        return vm


class _Translation:
    """Numbers for the names of one policy, and its rules and facts in these terms."""

    def __init__(self, policy: Policy) -> None:
        types = sorted(policy.types | PRIMITIVE_TYPES)
        self._tags = {name: f"t{number}" for number, name in enumerate(types)}
        keys: set[_Key] = {("allow", 3)}
        for rule in policy.rules:
            keys.add((rule.head.predicate, len(rule.head.args)))
            keys.update((atom.predicate, len(atom.args)) for atom, _ in atoms(rule.body))
        for shapes in policy.shapes.by_predicate.values():
            keys.update((shape.predicate, len(shape.args)) for shape in shapes)
        self._names = {key: f"p{number}" for number, key in enumerate(sorted(keys))}

    def rules(self, rules: Iterable[Rule]) -> str:
        """Return the rules; each predicate also gets one that never holds, so that none is undefined."""
        never = [
            f"{name}({', '.join('_' for _ in range(arity))}) if false;"
            for (_, arity), name in self._names.items()
        ]
        return "\n".join([*never, *map(self._rule, rules)]) + "\n"

    def facts(self, facts: Iterable[Fact]) -> str:
        return "".join(f"{self._call(fact.predicate, fact.args, {})};\n" for fact in facts)

    def query(self, asked: Fact) -> tuple[str, *tuple[dict[str, object], ...]]:
        args = (dict(self.fields(value)) for value in asked.args)
        return (self._names[asked.predicate, len(asked.args)], *args)

    def _rule(self, rule: Rule) -> str:
        everything = sorted(variables(rule.head) | variables(rule.body), key=lambda v: v.name)
        names = {variable: f"_v{number}" for number, variable in enumerate(everything)}
        names[CURRENT_TIME] = NOW
        head = self._call(rule.head.predicate, rule.head.args, names)
        return f"{head} if {self._goal(rule.body, names)};"

    def _goal(self, goal: Goal, names: dict[Variable, str]) -> str:
        match goal:
            case Atom(predicate, args):
                return self._call(predicate, args, names)
            case Conjunction(goals):
                return self._joined(" and ", goals, names, empty="true")
            case Disjunction(goals):
                return self._joined(" or ", goals, names, empty="false")
            case Negation(inner):
                return f"not ({self._goal(inner, names)})"
            case TypeTest(variable, types):
                tests = (
                    f"{names[variable]} matches {{{self._tags[name]}: true}}"
                    for name in sorted(types)
                )
                return f"({' or '.join(tests) or 'false'})"
            case Membership(term, values):
                left = self._term(term, names)
                return f"({' or '.join(f'{left} = {self._value(value)}' for value in values)})"
            case Comparison(operator, left, right):
                return self._comparison(operator, left, right, names)
            case _:
                assert_never(goal)

    def _joined(
        self, word: str, goals: Sequence[Goal], names: dict[Variable, str], *, empty: str
    ) -> str:
        return f"({word.join(self._goal(goal, names) for goal in goals) or empty})"

    def _comparison(
        self, operator: str, left: Term, right: Term, names: dict[Variable, str]
    ) -> str:
        first, second = self._term(left, names), self._term(right, names)
        match operator:
            case "=":
                return f"{first} = {second}"
            case "!=":
                return f"not ({first} = {second})"
            case _:
                return f"{self._number(left, names)} {operator} {self._number(right, names)}"

    def _number(self, term: Term, names: dict[Variable, str]) -> str:
        return f"{names[term]}.id" if isinstance(term, Variable) else term.id

    def _call(self, predicate: str, args: Sequence[Term], names: dict[Variable, str]) -> str:
        terms = ", ".join(self._term(arg, names) for arg in args)
        return f"{self._names[predicate, len(args)]}({terms})"

    def _term(self, term: Term, names: dict[Variable, str]) -> str:
        return names[term] if isinstance(term, Variable) else self._value(term)

    def _value(self, value: Value) -> str:
        fields = (f"{key}: {_literal(field)}" for key, field in self.fields(value))
        return f"{{{', '.join(fields)}}}"

    def fields(self, value: Value) -> Iterable[tuple[str, object]]:
        """Return the dictionary that stands for `value`: equal for equal values only."""
        if value.type != INTEGER:
            yield "id", value.id.encode().hex()
        elif int(value.id) == INTEGER_MIN:
            message = f"the `oso` engine cannot express {value.id}; use `--engine reference`"
            raise EngineUnsupported(message)
        else:
            yield "id", int(value.id)
        # A question may name a type by which no rule tells anything apart.
        yield self._tags.get(value.type, "t"), True


def _literal(field: object) -> str:
    if field is True:
        return "true"
    return f'"{field}"' if isinstance(field, str) else str(field)


def _require_oso() -> None:
    try:
        import oso  # noqa: F401, PLC0415 - has no wheels for Python 3.13 and newer
    except ImportError:
        message = "the package `oso` is not installed (it needs Python 3.12 or older)"
        raise EngineUnsupported(message) from None
    # The VM reads both from the environment, for each query; there is no other way to set them.
    os.environ["POLAR_TIMEOUT_MS"] = str(TIME_LIMIT_MS)  # noqa: TID251
    os.environ["POLAR_IGNORE_NO_ALLOW_WARNING"] = "1"  # noqa: TID251
