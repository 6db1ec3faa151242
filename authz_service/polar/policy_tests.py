"""Test blocks to checked tests: the policy can use their facts, and knows what they assert.

A test never changes what the policy means: conditions behind `iff` are typed and ordered like the bodies
of rules, but the policy's rules do not see them.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from authz_service.errors import InvalidRequest
from authz_service.facts.fact import MAX_ARGS, Fact
from authz_service.facts.value import INTEGER, STRING, Value
from authz_service.polar import syntax
from authz_service.polar.declarations import Declarations
from authz_service.polar.diagnostic import Diagnostic, Help, suggest
from authz_service.polar.goals import CURRENT_TIME, Atom, Rule, Types, Variable, atoms, types_of
from authz_service.polar.policy import CheckedAssertion, CheckedTest, Policy
from authz_service.polar.resolve import ResolvedRule, resolve
from authz_service.polar.shapes import DERIVED
from authz_service.polar.source import Span

# No author can write this name, so no rule can ask for the condition of an assertion.
_CONDITION = "iff condition"


@dataclass(frozen=True, slots=True)
class ResolvedAssertion:
    """An assertion whose names are known to exist; its condition is a rule about its variables."""

    atom: Atom
    types: Types
    condition: ResolvedRule
    negated: bool
    span: Span


def resolve_assertions(
    tests: Iterable[syntax.Test], declarations: Declarations, findings: list[Diagnostic]
) -> list[ResolvedAssertion]:
    """Return the assertions of all tests, in order; add unknown types to `findings`."""
    return [
        _resolved(assertion, declarations, findings)
        for test in tests
        for assertion in test.assertions
    ]


def _resolved(
    assertion: syntax.Assertion, declarations: Declarations, findings: list[Diagnostic]
) -> ResolvedAssertion:
    params = tuple(_named(param, index) for index, param in enumerate(assertion.params))
    span = assertion.span
    terms = tuple(syntax.Param(param.term, None) for param in params)
    atom = resolve(syntax.Rule(assertion.predicate, terms, None, span), declarations, findings).head
    by_name: dict[str, syntax.Param] = {}
    for param in params:
        if isinstance(param.term, syntax.Variable):
            known = by_name.setdefault(param.term.name, param)
            if known.type is None:
                by_name[param.term.name] = param
            elif param.type not in (None, known.type):
                message = f"`{param.term.name}` has two types"
                findings.append(Diagnostic("P506", message, param.term.span, "write one of them"))
    variables = tuple(by_name.values())[:MAX_ARGS]
    condition = syntax.Rule(_CONDITION, variables, assertion.condition, span)
    resolved = resolve(condition, declarations, findings)
    types = {CURRENT_TIME: frozenset({INTEGER})}
    types |= {
        Variable(name): _types_of(param, declarations, findings) for name, param in by_name.items()
    }
    return ResolvedAssertion(atom, types, resolved, assertion.negated, span)


def _types_of(
    param: syntax.Param, declarations: Declarations, findings: list[Diagnostic]
) -> frozenset[str]:
    """Return the types that the variable ranges over. The condition must not narrow them."""
    if param.type is not None:
        types = declarations.concrete(param.type.text)
        if types == frozenset():
            message = f"`{param.type.text}` has no types, so this says nothing"
            findings.append(Diagnostic("P506", message, param.type.span, "declare one"))
        return types or frozenset()
    assert isinstance(param.term, syntax.Variable)
    shown = Variable(param.term.name).shown
    cure = f"say of what type it is, as in `{shown}: User`"
    findings.append(Diagnostic("P506", f"`{shown}` could be any value", param.term.span, cure))
    return frozenset()


def _named(param: syntax.Param, index: int) -> syntax.Param:
    """Give `_` a name, so that the assertion and its condition mean the same variable by it."""
    if isinstance(param.term, syntax.Variable) and param.term.name == syntax.ANONYMOUS:
        return syntax.Param(syntax.Variable(f"_ p{index}", param.term.span), param.type)
    return param


def check_tests(
    items: Sequence[syntax.Item],
    assertions: Sequence[tuple[ResolvedAssertion, Rule]],
    policy: Policy,
    findings: list[Diagnostic],
) -> tuple[CheckedTest, ...]:
    """Return the tests among `items`, whose assertions are given with their ordered conditions.

    Facts that no rule can use, and assertions about what the policy does not know, go to `findings`.
    """
    fixtures = _fixtures(items, policy, findings)
    vocabulary = _Vocabulary(policy)
    remaining = iter(assertions)
    tests: dict[str, CheckedTest] = {}
    for test in (item for item in items if isinstance(item, syntax.Test)):
        name = test.name
        if name.text in tests:
            message = f'there are two tests "{name.text}"'
            findings.append(Diagnostic("P503", message, name.span, "give each a name of its own"))
        checked: list[CheckedAssertion] = []
        for _ in test.assertions:
            assertion, condition = next(remaining)
            vocabulary.check(assertion, findings)
            checked.append(_checked(assertion, condition))
        setup = tuple(_setup(test, fixtures, policy, findings))
        tests[name.text] = CheckedTest(name.text, setup, tuple(checked), name.span)
    return tuple(tests.values())


def _checked(assertion: ResolvedAssertion, condition: Rule) -> CheckedAssertion:
    return CheckedAssertion(
        assertion.atom, assertion.types, condition, assertion.negated, assertion.span
    )


def _fixtures(
    items: Sequence[syntax.Item], policy: Policy, findings: list[Diagnostic]
) -> Mapping[str, tuple[Fact, ...]]:
    fixtures: dict[str, tuple[Fact, ...]] = {}
    for fixture in (item for item in items if isinstance(item, syntax.Fixture)):
        name = fixture.name
        if name.text in fixtures:
            message = f"there are two fixtures `{name.text}`"
            findings.append(Diagnostic("P501", message, name.span, "give each a name of its own"))
        fixtures[name.text] = tuple(_usable(fixture.facts, policy, findings))
    return fixtures


def _setup(
    test: syntax.Test,
    fixtures: Mapping[str, tuple[Fact, ...]],
    policy: Policy,
    findings: list[Diagnostic],
) -> Iterable[tuple[Fact, ...]]:
    for line in test.setup:
        if isinstance(line, syntax.Call):
            yield tuple(_usable([line], policy, findings))
        elif line.text in fixtures:
            yield fixtures[line.text]
        else:
            message = f"there is no fixture `{line.text}`"
            findings.append(Diagnostic("P502", message, line.span, suggest(line.text, fixtures)))


def _usable(
    calls: Iterable[syntax.Call], policy: Policy, findings: list[Diagnostic]
) -> Iterable[Fact]:
    for call in calls:
        values = tuple(arg.value for arg in call.args if isinstance(arg, syntax.Literal))
        fact = Fact(call.predicate, values)
        if not 1 <= len(values) <= MAX_ARGS:
            message = f"`{call.predicate}` has {len(values)} arguments"
            findings.append(Diagnostic("P220", message, call.span, f"a fact has 1 to {MAX_ARGS}"))
        elif policy.shapes.accept(fact):
            yield fact
        else:
            message = "this fact could not be stored"
            findings.append(Diagnostic("P504", message, call.span, _why_unusable(policy, fact)))


def _why_unusable(policy: Policy, fact: Fact) -> Help:
    def why() -> str:
        try:
            policy.check_fact(fact)
        except InvalidRequest as error:
            return error.message
        raise AssertionError(fact)

    return why


class _Vocabulary:
    """What rules derive and facts can have, and the actors and actions of questions."""

    def __init__(self, policy: Policy) -> None:
        self._policy = policy
        self._types: dict[tuple[str, int], list[set[str]]] = {}
        for group in policy.shapes.by_predicate.values():
            for shape in group:
                self._add((shape.predicate, len(shape.args)), [arg.types for arg in shape.args])
        for rule in policy.rules:
            self._add(rule.head.key, [rule.types_of(arg) for arg in rule.head.args])

    def _add(self, key: tuple[str, int], types: Sequence[frozenset[str]]) -> None:
        known = self._types.setdefault(key, [set() for _ in types])
        for position, more in zip(known, types, strict=True):
            position.update(more)

    def check(self, assertion: ResolvedAssertion, findings: list[Diagnostic]) -> None:
        """Add an assertion to `findings` that asks for what the policy does not know: most likely a slip.

        That something known never holds is a good thing to assert.
        """
        try:
            self._check_question(assertion.atom, assertion.types)
        except InvalidRequest as error:
            findings.append(Diagnostic("P505", error.message, assertion.span))
            return
        problem = self._problem(assertion.atom, assertion.types)
        if problem is not None:
            message, cure = problem
            findings.append(Diagnostic("P505", message, assertion.span, cure))
        for atom, _ in atoms(assertion.condition.body):
            if atom.key not in self._types:
                message = f"no rule and no fact can make {atom} hold"
                findings.append(Diagnostic("P505", message, atom.span, self._help(atom.predicate)))

    def _problem(self, atom: Atom, types: Types) -> tuple[str, Help] | None:
        if atom.key not in self._types:
            return f"no rule and no fact can make {atom} hold", self._help(atom.predicate)
        for number, (arg, known) in enumerate(zip(atom.args, self._types[atom.key], strict=True)):
            wrong = types_of(arg, types)
            if wrong and wrong.isdisjoint(known):
                message = f"`{atom.predicate}` has no {_either(wrong)} as argument {number + 1}"
                return message, f"it has {_either(known)} there"
        return None

    def _check_question(self, atom: Atom, types: Types) -> None:
        """Ask of `allow` and permissions what the service asks of a question."""
        if atom.predicate not in DERIVED or len(atom.args) != 3:
            return
        actor, action, resource = atom.args
        actors = types_of(actor, types)
        if atom.predicate == "allow" and actors.isdisjoint(self._policy.actors):
            self._policy.check_actor(min(actors, default="Actor"))
        kinds = sorted(types_of(resource, types) & self._policy.types)
        if isinstance(action, Value) and action.type == STRING:
            refused = [kind for kind in kinds if not self._policy.knows(action.id, kind)]
            if kinds and refused == kinds:
                self._policy.check_action(action.id, kinds[0])

    def _help(self, predicate: str) -> Help:
        arities = sorted(arity for known, arity in self._types if known == predicate)
        if arities:
            plural = "" if arities == [1] else "s"
            return f"`{predicate}` has {' or '.join(map(str, arities))} argument{plural}"
        return suggest(predicate, {known for known, _ in self._types})


def _either(types: Iterable[str]) -> str:
    return " | ".join(f"`{name}`" for name in sorted(types)[:10])
