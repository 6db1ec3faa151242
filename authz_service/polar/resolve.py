"""Plain rules to unordered goals: every `_` becomes a variable of its own, every type is looked up.

What comes out still has its conjunctions in source order and no inferred types; `infer` and
`safety` complete it.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from typing import assert_never

from authz_service.facts.fact import MAX_ARGS
from authz_service.facts.value import INTEGER, PRIMITIVE_TYPES, Value
from authz_service.polar import syntax
from authz_service.polar.declarations import ABSTRACT_TYPES, Declarations
from authz_service.polar.diagnostic import Diagnostic
from authz_service.polar.goals import (
    CURRENT_TIME,
    Atom,
    Comparison,
    Conjunction,
    Disjunction,
    Goal,
    Membership,
    Negation,
    Term,
    TypeTest,
    Variable,
    atoms,
)
from authz_service.polar.source import Span


@dataclass(frozen=True, slots=True)
class ResolvedRule:
    """A rule whose names are known to exist. `places` says where each variable first stands."""

    head: Atom
    body: Conjunction
    span: Span
    places: dict[Variable, Span]
    is_default: bool = False

    @property
    def key(self) -> tuple[str, int]:
        return self.head.key


@dataclass(slots=True)
class _Scope:
    """What is known while one rule is resolved."""

    declarations: Declarations
    findings: list[Diagnostic]
    places: dict[Variable, Span] = field(default_factory=dict)
    anonymous: int = 0


def resolve(
    rule: syntax.Rule, declarations: Declarations, findings: list[Diagnostic]
) -> ResolvedRule:
    """Return the rule over goals; add unknown types and impossible literals to `findings`."""
    scope = _Scope(declarations, findings)
    _check_arity(rule.predicate, len(rule.params), rule.span, findings)
    terms: list[Term] = []
    goals: list[Goal] = []
    for param in rule.params:
        term = _term(param.term, scope)
        terms.append(term)
        if param.type is not None and isinstance(term, Variable):
            goals.append(_type_test(term, param.type, param.term.span, scope))
    if rule.body is not None:
        goals.append(_goal(rule.body, scope))
    head = Atom(rule.predicate, tuple(terms), rule.span)
    return ResolvedRule(head, _conjunction(goals, rule.span), rule.span, scope.places)


def _comparison(operator: str, left: Term, right: Term, span: Span) -> Goal:
    """Return the comparison; an order comparison holds only between Integers, so it tests for them."""
    comparison = Comparison(operator, left, right, span)
    if operator in ("=", "!="):
        return comparison
    operands = [term for term in (left, right) if isinstance(term, Variable)]
    tests = [TypeTest(variable, frozenset({INTEGER}), span) for variable in operands]
    return Conjunction((*tests, comparison), span)


def users_of(rules: Sequence[ResolvedRule]) -> dict[tuple[str, int], list[int]]:
    """Return for each predicate, with its arity, the rules whose bodies ask for it."""
    users: dict[tuple[str, int], list[int]] = {}
    for index, rule in enumerate(rules):
        for key in {(atom.predicate, len(atom.args)) for atom, _ in atoms(rule.body)}:
            users.setdefault(key, []).append(index)
    return users


def _conjunction(goals: Iterable[Goal], span: Span) -> Conjunction:
    """Return one conjunction without conjunctions in it, so that all goals can be put in order."""
    flat: list[Goal] = []
    for goal in goals:
        flat.extend(goal.goals if isinstance(goal, Conjunction) else (goal,))
    return Conjunction(tuple(flat), span)


def _disjunction(goals: Iterable[Goal], span: Span) -> Disjunction:
    """Return the disjunction without what never holds, which would seem to leave variables unbound."""
    return Disjunction(tuple(goal for goal in goals if not _is_false(goal)), span)


def _is_false(goal: Goal) -> bool:
    return isinstance(goal, Disjunction) and not goal.goals


def _goal(condition: syntax.Condition, scope: _Scope) -> Goal:
    span = condition.span
    match condition:
        case syntax.Call(predicate, args):
            _check_arity(predicate, len(args), span, scope.findings)
            return Atom(predicate, tuple(_term(arg, scope) for arg in args), span)
        case syntax.Compare(operator, left, right):
            return _comparison(operator, _term(left, scope), _term(right, scope), span)
        case syntax.Member(term, literals):
            values = tuple(_literal(literal, scope) for literal in literals)
            return Membership(_term(term, scope), values, span)
        case syntax.Matches(variable, type_name, exact):
            test = _type_test(_variable(variable, scope), type_name, span, scope)
            return _exactly(test, type_name, scope) if exact else test
        case syntax.Truth(holds):
            return Conjunction((), span) if holds else Disjunction((), span)
        case syntax.Not(inner):
            return Negation(_goal(inner, scope), span)
        case syntax.And(conditions):
            return _conjunction((_goal(inner, scope) for inner in conditions), span)
        case syntax.Or(conditions):
            return _disjunction((_goal(inner, scope) for inner in conditions), span)
        case syntax.On() | syntax.OnGlobal():
            message = "shorthand outside of a block"
            raise AssertionError(message)
        case _:
            assert_never(condition)


def _check_arity(predicate: str, count: int, span: Span, findings: list[Diagnostic]) -> None:
    if count > MAX_ARGS:
        message = f"`{predicate}` has {count} arguments"
        findings.append(Diagnostic("P220", message, span, f"use at most {MAX_ARGS}"))


def _term(term: syntax.Term, scope: _Scope) -> Term:
    match term:
        case syntax.Literal():
            return _literal(term, scope)
        case syntax.Variable():
            return _variable(term, scope)
        case syntax.CurrentTime():
            scope.places.setdefault(CURRENT_TIME, term.span)
            return CURRENT_TIME
        case _:
            assert_never(term)


def _variable(variable: syntax.Variable, scope: _Scope) -> Variable:
    name = variable.name
    if name == syntax.ANONYMOUS:
        # A digit behind the blank keeps it apart from every name that an author can write.
        scope.anonymous += 1
        name = f"_ {scope.anonymous}"
    found = Variable(name)
    scope.places.setdefault(found, variable.span)
    return found


def _literal(literal: syntax.Literal, scope: _Scope) -> Value:
    value = literal.value
    if value.type in ABSTRACT_TYPES:
        scope.findings.append(
            Diagnostic(
                "P222", f"`{value.type}` is abstract", literal.span, "name the entity's own type"
            )
        )
    elif value.type not in PRIMITIVE_TYPES and value.type not in scope.declarations.types:
        name = syntax.TypeName(value.type, literal.span)
        scope.findings.append(scope.declarations.unknown_type(name))
    return value


def _exactly(test: TypeTest, name: syntax.TypeName, scope: _Scope) -> TypeTest:
    if name.text in ABSTRACT_TYPES:
        message = f"no value is exactly of the abstract type `{name.text}`"
        scope.findings.append(Diagnostic("P223", message, name.span, "write `matches`"))
    return TypeTest(test.variable, test.types & {name.text}, test.span)


def _type_test(variable: Variable, name: syntax.TypeName, span: Span, scope: _Scope) -> TypeTest:
    types = scope.declarations.concrete(name.text)
    if types is None:
        finding = scope.declarations.unknown_type(name)
        if variable.name in scope.declarations.types:
            finding = replace(
                finding, help=f'an entity is written `{variable.name}{{"{name.text}"}}`'
            )
        scope.findings.append(finding)
        types = frozenset()
    return TypeTest(variable, types, span)
