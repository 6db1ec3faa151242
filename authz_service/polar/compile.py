"""Policy files to a checked policy: runs the stages and raises all findings at once."""

from collections.abc import Sequence
from dataclasses import replace

from authz_service.facts.policy_text import MAX_POLICY_BYTES, PolicyFile
from authz_service.polar.advice import advise
from authz_service.polar.declarations import Declarations, collect
from authz_service.polar.diagnostic import Diagnostic, PolicyInvalid, in_source_order
from authz_service.polar.expand import expand
from authz_service.polar.goals import Atom, Types, atoms
from authz_service.polar.infer import infer
from authz_service.polar.parser import parse
from authz_service.polar.policy import Policy
from authz_service.polar.policy_tests import check_tests, resolve_assertions
from authz_service.polar.resolve import ResolvedRule, resolve
from authz_service.polar.safety import order_rules
from authz_service.polar.shapes import actions_of, actors_of, shapes_of
from authz_service.polar.source import PolicySource, Span
from authz_service.polar.strata import stratify
from authz_service.polar.syntax import Block, Declare, Item, Test
from authz_service.polar.syntax import Rule as RuleSyntax
from authz_service.polar.vocabulary import check_relations

_DEFAULT_ALLOW = PolicySource(
    "(built-in)",
    "allow(actor, action, resource) if has_permission(actor, action, resource);\n"
    "allow(actor, action) if has_permission(actor, action);\n",
)


def check_policy(files: Sequence[PolicyFile]) -> Policy:
    """Return the checked policy that `files` make together, in any order.

    A policy without an `allow` rule gets the default ones: permitted is what `has_permission` grants.
    Raises PolicyInvalid with every error found. Later stages run only on what earlier ones accept,
    so that one mistake is not reported twice.
    """
    sources = [PolicySource(file.name, file.text) for file in files]
    checks = _Checks(sources)
    findings = checks.findings
    _check_size(sources, findings)
    checks.passed()
    items = [item for source in sources for item in parse(source, findings)]
    checks.passed()
    declarations = _declared(items, findings)
    if any(finding.code == "P203" for finding in findings):
        checks.passed()  # all that the other block declares would be reported as undeclared
    rules = [
        resolve(rule, declarations, findings) for rule in plain_rules(items, declarations, findings)
    ]
    tests = [item for item in items if isinstance(item, Test)]
    assertions = resolve_assertions(tests, declarations, findings)
    checks.passed()
    own = len(rules)
    rules += _default_allow(rules)
    types = _types(rules, declarations, findings)
    conditions = [assertion.condition for assertion in assertions]
    condition_types = _types_behind_iff(rules, conditions, declarations, findings)
    checks.passed()
    ordered = order_rules([*rules, *conditions], [*types, *condition_types], findings)
    checks.passed()
    ordered, ordered_conditions = ordered[: len(rules)], ordered[len(rules) :]
    strata = stratify(ordered, findings)
    checks.passed()
    policy = Policy(
        strata=strata,
        types=frozenset(declarations.types),
        actors=actors_of(ordered),
        actions=actions_of(ordered, declarations),
        shapes=shapes_of(ordered, declarations),
    )
    checked = check_tests(
        items, list(zip(assertions, ordered_conditions, strict=True)), policy, findings
    )
    policy = replace(policy, tests=checked)
    warnings = in_source_order(advise(items, ordered, own, declarations, policy), sources)
    # What is wrong with a test often has its cause in a rule that is valid and not meant so.
    checks.passed(warnings)
    return replace(policy, warnings=tuple(warnings))


def plain_rules(
    items: Sequence[Item], declarations: Declarations, findings: list[Diagnostic]
) -> list[RuleSyntax]:
    """Return the longhand rules of `items`, and behind them what the shorthand rules stand for."""
    rules = [item for item in items if isinstance(item, RuleSyntax)]
    for block in (item for item in items if isinstance(item, Block)):
        rules.extend(expand(block, declarations, findings))
    return rules


class _Checks:
    """The findings of the stages so far."""

    def __init__(self, sources: Sequence[PolicySource]) -> None:
        self.findings: list[Diagnostic] = []
        self._sources = sources

    def passed(self, warnings: Sequence[Diagnostic] = ()) -> None:
        """Raise PolicyInvalid if any stage so far has found an error."""
        if self.findings:
            raise PolicyInvalid(in_source_order(self.findings, self._sources), warnings)


def _check_size(sources: Sequence[PolicySource], findings: list[Diagnostic]) -> None:
    # Lone surrogates cannot come from a file or over the wire; the lexer refuses them.
    size = sum(len(source.text.encode("utf-8", "surrogatepass")) for source in sources)
    if size > MAX_POLICY_BYTES:
        message = f"the policy has {size} bytes"
        cure = f"at most {MAX_POLICY_BYTES} are allowed"
        largest = max(sources, key=lambda source: len(source.text))
        findings.append(Diagnostic("P006", message, Span(largest, 0, 0), cure))


def _declared(items: Sequence[Item], findings: list[Diagnostic]) -> Declarations:
    blocks = [item for item in items if isinstance(item, Block)]
    declares = [item for item in items if isinstance(item, Declare)]
    return collect(blocks, declares, findings)


def _types(
    rules: Sequence[ResolvedRule], declarations: Declarations, findings: list[Diagnostic]
) -> list[Types]:
    """Return the types of the variables of each rule.

    Where a relation is the wrong way round, that is the finding, and not what it does to the types.
    """
    contradictions: list[Diagnostic] = []
    swapped: list[Diagnostic] = []
    types = infer(rules, declarations, contradictions)
    for rule, rule_types in zip(rules, types, strict=True):
        before = len(swapped)
        check_relations(_atoms(rule, rule_types), declarations, swapped)
        if len(swapped) > before:
            contradictions = [f for f in contradictions if not rule.span.holds(f.span)]
    findings += [*swapped, *contradictions]
    return types


def _types_behind_iff(
    rules: Sequence[ResolvedRule],
    conditions: Sequence[ResolvedRule],
    declarations: Declarations,
    findings: list[Diagnostic],
) -> list[Types]:
    """Return the types of the variables of conditions in tests, which the rules tell as they tell others.

    The other way round conditions tell the rules nothing, so the rules are typed without them before.
    """
    if not conditions:
        return []
    found: list[Diagnostic] = []
    types = infer([*rules, *conditions], declarations, found)
    findings += [f for f in found if any(c.span.holds(f.span) for c in conditions)]
    return types[len(rules) :]


def _atoms(rule: ResolvedRule, types: Types) -> list[tuple[Atom, Types]]:
    return [(rule.head, types), *((atom, types) for atom, _ in atoms(rule.body))]


def _default_allow(rules: Sequence[ResolvedRule]) -> list[ResolvedRule]:
    """Return the rules that stand for `allow` where the policy has none of its own."""
    if any(rule.head.predicate == "allow" for rule in rules):
        return []
    nothing = Declarations([])
    found = [item for item in parse(_DEFAULT_ALLOW, []) if isinstance(item, RuleSyntax)]
    return [replace(resolve(rule, nothing, []), is_default=True) for rule in found]
