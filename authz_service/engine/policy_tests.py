"""Runs the tests of a policy with the reference engine.

An assertion about variables speaks about every value of their types, of which there is no end. Those that
occur in the policy and the test, and a few that do not, are enough: rules only compare values, so all
others behave like one of these. Integers can also be less and greater, so their neighbours are tried.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import product

from authz_service.engine.program import Budget
from authz_service.engine.reference import Binding, Model, ReferenceProgram, constants
from authz_service.errors import EvaluationLimitReached
from authz_service.facts.value import (
    BOOLEAN,
    INTEGER,
    INTEGER_MAX,
    INTEGER_MIN,
    Value,
    boolean,
    integer,
)
from authz_service.polar.diagnostic import Diagnostic
from authz_service.polar.goals import Variable
from authz_service.polar.policy import CheckedAssertion, CheckedTest, Policy

STEPS = 2_000_000
"""Work that one test may cost before its assertions are said to fail, if nobody says otherwise."""

_SHOWN = 3


@dataclass(frozen=True, slots=True)
class AssertionResult:
    """Whether an assertion holds; `problem` says what is otherwise, and is empty if it does."""

    assertion: CheckedAssertion
    problem: str

    @property
    def passed(self) -> bool:
        return not self.problem


@dataclass(frozen=True, slots=True)
class TestResult:
    """A test and what became of its assertions, in their order."""

    test: CheckedTest
    assertions: tuple[AssertionResult, ...]

    @property
    def passed(self) -> bool:
        return all(result.passed for result in self.assertions)

    @property
    def failures(self) -> Iterator[Diagnostic]:
        """One finding for each assertion that failed."""
        for result in self.assertions:
            if not result.passed:
                message = f'in test "{self.test.name}": {result.problem}'
                yield Diagnostic("P510", message, result.assertion.span)


def run_tests(
    policy: Policy, tests: Iterable[CheckedTest], now: int, steps: int
) -> Iterator[TestResult]:
    """Yield the result of each of `tests`, at the time `now` in seconds since 1970.

    An assertion fails, too, if it needs more than `steps` steps together with those before it.
    """
    program = ReferenceProgram(policy)
    known = frozenset().union(*(constants(rule) for rule in policy.rules))
    for test in tests:
        yield _run(program, test, known | {integer(now)}, now, steps)


def _run(
    program: ReferenceProgram, test: CheckedTest, known: frozenset[Value], now: int, steps: int
) -> TestResult:
    budget = Budget(steps)
    facts = test.facts
    named = known.union(*(fact.args for fact in facts), *(_values_of(a) for a in test.assertions))
    domain = _Domain(named, test.assertions)
    try:
        model = program.model(facts, domain.values, now, budget)
    except EvaluationLimitReached as error:
        return TestResult(test, tuple(_unknown(a, error) for a in test.assertions))
    return TestResult(test, tuple(_judge(a, model, domain) for a in test.assertions))


def _unknown(assertion: CheckedAssertion, error: EvaluationLimitReached) -> AssertionResult:
    return AssertionResult(assertion, f"cannot be evaluated: {error.message}")


def _judge(assertion: CheckedAssertion, model: Model, domain: "_Domain") -> AssertionResult:
    missing: list[str] = []
    surplus: list[str] = []
    try:
        for binding in domain.bindings(assertion):
            model.spend()
            expected = not assertion.negated and model.satisfies(assertion.condition.body, binding)
            if model.holds(assertion.atom, binding) != expected:
                (missing if expected else surplus).append(domain.shown(binding))
    except EvaluationLimitReached as error:
        return _unknown(assertion, error)
    problems = [f"does not hold{_listed(missing)}"] if missing else []
    problems += [f"holds{_listed(surplus)}"] if surplus else []
    return AssertionResult(assertion, "; ".join(problems))


def _listed(bindings: Sequence[str]) -> str:
    shown = list(dict.fromkeys(bindings))
    if shown == [""]:
        return ""
    more = f" and {len(shown) - _SHOWN} more" if len(shown) > _SHOWN else ""
    return f" for {' and for '.join(shown[:_SHOWN])}{more}"


def _values_of(assertion: CheckedAssertion) -> set[Value]:
    return constants(assertion.atom) | constants(assertion.condition)


class _Domain:
    """The values that variables of assertions take: those that are named somewhere, and others."""

    def __init__(self, named: frozenset[Value], assertions: Sequence[CheckedAssertion]) -> None:
        variables = [_variables(assertion) for assertion in assertions]
        # As many as could have to differ from each other.
        count = max(map(len, variables), default=0)
        self._by_type: dict[str, list[Value]] = {}
        self._others: set[Value] = set()
        for assertion, names in zip(assertions, variables, strict=True):
            for variable in names:
                for kind in sorted(assertion.types[variable]):
                    if kind not in self._by_type:
                        self._by_type[kind] = self._with_others(kind, named, count)
        self.values = named.union(*self._by_type.values())

    def bindings(self, assertion: CheckedAssertion) -> Iterator[Binding]:
        """Yield every way to give the assertion's variables values of their types."""
        names = _variables(assertion)
        types = assertion.types
        choices = [
            [v for kind in sorted(types[name]) for v in self._by_type[kind]] for name in names
        ]
        for values in product(*choices):
            yield dict(zip(names, values, strict=True))

    def shown(self, binding: Binding) -> str:
        return ", ".join(
            f"{variable.shown} = {f'any other {value.type}' if value in self._others else value}"
            for variable, value in binding.items()
        )

    def _with_others(self, kind: str, named: frozenset[Value], count: int) -> list[Value]:
        known = sorted(value for value in named if value.type == kind)
        if kind == BOOLEAN:
            return [boolean(False), boolean(True)]
        if kind == INTEGER:
            return _neighbours([int(value.id) for value in known] or [0], count)
        others = [Value(kind, f"any other {kind} {number}") for number in range(len(known) + count)]
        others = [value for value in others if value not in named][:count]
        self._others.update(others)
        return [*known, *others]


def _neighbours(numbers: Iterable[int], count: int) -> list[Value]:
    """Return the Integers that are at most `count` away from one of `numbers`."""
    near = {number + step for number in numbers for step in range(-count, count + 1)}
    return [integer(number) for number in sorted(near) if INTEGER_MIN <= number <= INTEGER_MAX]


def _variables(assertion: CheckedAssertion) -> list[Variable]:
    return [arg for arg in assertion.condition.head.args if isinstance(arg, Variable)]
