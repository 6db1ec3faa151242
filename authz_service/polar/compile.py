"""Policy files to a checked policy: runs the stages and raises all findings at once."""

from collections.abc import Sequence

from authz_service.facts.policy_text import PolicyFile
from authz_service.polar.declarations import collect
from authz_service.polar.diagnostic import Diagnostic, PolicyInvalid
from authz_service.polar.expand import expand
from authz_service.polar.infer import infer
from authz_service.polar.parser import parse
from authz_service.polar.policy import Policy
from authz_service.polar.resolve import ResolvedRule, resolve
from authz_service.polar.safety import order_rules
from authz_service.polar.shapes import actions_of, actors_of, shapes_of
from authz_service.polar.source import PolicySource
from authz_service.polar.strata import stratify
from authz_service.polar.syntax import Block, Rule

_DEFAULT_ALLOW = PolicySource(
    "(built-in)",
    "allow(actor, action, resource) if has_permission(actor, action, resource);\n",
)


def check_policy(files: Sequence[PolicyFile]) -> Policy:
    """Return the checked policy that `files` make together, in any order.

    A policy without an `allow` rule gets the default one: permitted is what `has_permission` grants.
    Raises PolicyInvalid with every error found. Later stages run only on what earlier ones accept,
    so that one mistake is not reported twice.
    """
    findings: list[Diagnostic] = []
    sources = [PolicySource(file.name, file.text) for file in files]
    items = [item for source in sources for item in parse(source, findings)]
    _raise(findings, sources)
    blocks = [item for item in items if isinstance(item, Block)]
    declarations = collect(blocks, findings)
    rules = [item for item in items if isinstance(item, Rule)]
    for block in blocks:
        rules.extend(expand(block, declarations, findings))
    resolved = [resolve(rule, declarations, findings) for rule in rules]
    _raise(findings, sources)
    if not any(rule.head.predicate == "allow" for rule in resolved):
        resolved.append(_default_allow())
    types = infer(resolved, declarations, findings)
    _raise(findings, sources)
    ordered = order_rules(resolved, types, findings)
    _raise(findings, sources)
    strata = stratify(ordered, findings)
    _raise(findings, sources)
    return Policy(
        strata=strata,
        types=frozenset(declarations.types),
        actors=actors_of(ordered),
        actions=actions_of(ordered, declarations),
        shapes=shapes_of(ordered, declarations),
    )


def _default_allow() -> ResolvedRule:
    [rule] = parse(_DEFAULT_ALLOW, [])
    assert isinstance(rule, Rule)
    nothing = collect([], [])
    resolved = resolve(rule, nothing, [])
    return ResolvedRule(
        resolved.head, resolved.body, resolved.span, resolved.places, is_default=True
    )


def _raise(findings: list[Diagnostic], sources: Sequence[PolicySource]) -> None:
    if findings:
        order = {source.name: index for index, source in enumerate(sources)}
        findings.sort(key=lambda f: (order[f.span.source.name], f.span.start, f.code))
        raise PolicyInvalid(findings)
