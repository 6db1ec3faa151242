"""What a rule program means, by the reference engine: the facts that it derives for its entry.

The rules of a rule program are like those of a policy, about predicates of other names. So they are put into
a safe order and into strata as a policy's are, and evaluated from the bottom up; nothing of the compiler
behind its rewrites is used.
"""

from collections import defaultdict
from collections.abc import Iterable

from authz_service.engine.compiled import Kind
from authz_service.engine.compiler.rule_program import RuleProgram
from authz_service.engine.program import Budget, Question
from authz_service.engine.reference import Model
from authz_service.facts.fact import Fact
from authz_service.facts.value import INTEGER, Value
from authz_service.polar.diagnostic import Diagnostic
from authz_service.polar.goals import CURRENT_TIME, Conjunction, Rule, Variable, variables
from authz_service.polar.resolve import ResolvedRule
from authz_service.polar.safety import order_rules
from authz_service.polar.strata import stratify

STEPS = 5_000_000
INTEGERS = frozenset({INTEGER})


class NoOrder(Exception):
    """From the bottom up some rule derives its head for all values, though it is only asked about given ones."""


def strata(program: RuleProgram) -> tuple[tuple[Rule, ...], ...]:
    """Return the rules in an order in which they can be evaluated. Raises NoOrder."""
    rules = [rule for relation in program.relations.values() for rule in relation.rules]
    findings: list[Diagnostic] = []
    every = frozenset().union(*(types for rule in rules for types in rule.types.values()))
    types = [
        {v: rule.types.get(v, every) for v in variables_of(rule)} | {CURRENT_TIME: INTEGERS}
        for rule in rules
    ]
    ordered = order_rules([_resolved(rule) for rule in rules], types, findings)
    found = stratify(ordered, findings)
    if findings:
        raise NoOrder([str(finding) for finding in findings])
    return found


def variables_of(rule: Rule) -> set[Variable]:
    return (variables(rule.head) | variables(rule.body)) - {CURRENT_TIME}


def _resolved(rule: Rule) -> ResolvedRule:
    assert isinstance(rule.body, Conjunction)
    return ResolvedRule(rule.head, rule.body, rule.span, defaultdict(lambda: rule.span))


def derived(
    program: RuleProgram, facts: Iterable[Fact], values: Iterable[Value], now: int
) -> set[tuple[Value, ...]]:
    """Return the arguments for which the entry of `program` holds, among these values.

    Types are tested where a value comes from (Rule 4), so an entry says nothing of values of other types.
    """
    model = Model(facts, values, now, Budget(STEPS))
    for stratum in strata(program):
        model.close_under(stratum)
    return {fact.args for fact in model if fact.predicate == program.entry}


def asked(kind: Kind, question: Question) -> tuple[Value, ...]:
    """Return the arguments of the entry that `question` asks about."""
    actor, action, resource = question.as_fact().args
    return (actor, resource) if kind.action is not None else (actor, action, resource)
