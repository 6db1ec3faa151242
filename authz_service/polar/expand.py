"""Shorthand rules of blocks to plain rules.

In a block `R`, with `actor` and `resource` as the variables of the head:

    "read" if "viewer";               has_permission(actor: Actor, "read", resource: R)
                                        if has_role(actor, "viewer", resource);
    "admin" if "owner" on "parent";   has_role(actor: Actor, "admin", resource: R)
                                        if has_relation(resource, "parent", related)
                                        and related matches T and has_role(actor, "owner", related);
    role if role on "parent";         has_role(actor: Actor, role: String, resource: R) if ...
    "edit" if "creator";              a relation: ... if has_relation(resource, "creator", actor);
    "read" if is_public(resource);    the call as it stands

The predicate of a name (`has_role`, `has_permission`, `has_relation`) follows from its declaration in
the block that it belongs to. `and`, `or` and parentheses stay; each `on` gets a variable of its own.
"""

from collections.abc import Iterator

from authz_service.facts.value import STRING, string
from authz_service.polar.declarations import ACTOR, Declarations, TypeDeclaration
from authz_service.polar.diagnostic import Diagnostic, did_you_mean
from authz_service.polar.source import Span
from authz_service.polar.syntax import (
    And,
    Block,
    Call,
    Condition,
    Literal,
    Matches,
    Name,
    NameVariable,
    On,
    Or,
    Param,
    Rule,
    Shorthand,
    Term,
    TypeName,
    Variable,
)

_PREDICATES = {"role": "has_role", "permission": "has_permission"}


def expand(block: Block, declarations: Declarations, findings: list[Diagnostic]) -> Iterator[Rule]:
    """Yield the plain rule of each shorthand rule; add undeclared names to `findings`."""
    owner = declarations.types.get(block.name.text)
    if owner is None:
        return
    for shorthand in block.shorthands:
        expansion = _Expansion(shorthand, owner, declarations)
        rule = expansion.rule()
        findings.extend(expansion.findings)
        if rule is not None:
            yield rule


class _Expansion:
    """One shorthand rule on its way to a plain rule: numbers the related variables, keeps findings."""

    def __init__(
        self, shorthand: Shorthand, owner: TypeDeclaration, declarations: Declarations
    ) -> None:
        self._shorthand = shorthand
        self._owner = owner
        self._declarations = declarations
        self._related = 0
        self.findings: list[Diagnostic] = []

    def rule(self) -> Rule | None:
        span = self._shorthand.head.span
        head = self._head(span)
        body = self._condition(self._shorthand.body)
        if head is None or self.findings:
            return None
        predicate, params = head
        return Rule(predicate, params, body, self._shorthand.span)

    def _head(self, span: Span) -> tuple[str, tuple[Param, ...]] | None:
        head = self._shorthand.head
        actor = Param(Variable("actor", span), TypeName(ACTOR, span))
        resource = Param(Variable("resource", span), TypeName(self._owner.name, span))
        if isinstance(head, NameVariable):
            name = Param(Variable(head.kind, span), TypeName(STRING, span))
            return _PREDICATES[head.kind], (actor, name, resource)
        predicate = self._predicate(head, self._owner)
        if predicate is None:
            return None
        name = Param(Literal(string(head.text), span), None)
        if predicate == "has_relation":
            related = TypeName(self._owner.relations[head.text], span)
            return predicate, (resource, name, Param(Variable("actor", span), related))
        return predicate, (actor, name, resource)

    def _condition(self, condition: Condition) -> Condition:
        match condition:
            case And():
                return And(tuple(map(self._condition, condition.conditions)), condition.span)
            case Or():
                return Or(tuple(map(self._condition, condition.conditions)), condition.span)
            case On(relation=None):
                return self._implier(condition, self._owner, Variable("resource", condition.span))
            case On(relation=Name() as relation):
                return self._on(condition, relation)
            case _:
                return condition

    def _on(self, on: On, relation: Name) -> Condition:
        related_name = self._owner.relations.get(relation.text)
        if related_name is None:
            self._undeclared(relation, "relation", self._owner, tuple(self._owner.relations))
            return on
        related_type = self._declarations.types.get(related_name)
        if related_type is None:
            self.findings.append(
                Diagnostic(
                    "P212",
                    f'the relation "{relation.text}" leads to `{related_name}`, '
                    "which has no block of its own",
                    relation.span,
                    "`on` needs a declared type",
                )
            )
            return on
        self._related += 1
        related = Variable(f"related{self._related}", relation.span)
        return And(
            (
                Call(
                    "has_relation",
                    (
                        Variable("resource", relation.span),
                        Literal(string(relation.text), relation.span),
                        related,
                    ),
                    relation.span,
                ),
                Matches(related, TypeName(related_name, relation.span), relation.span),
                self._implier(on, related_type, related),
            ),
            on.span,
        )

    def _implier(self, on: On, owner: TypeDeclaration, resource: Variable) -> Condition:
        span = on.name.span
        actor = Variable("actor", span)
        if isinstance(on.name, NameVariable):
            return self._any_name(on.name, actor, resource, on.span)
        predicate = self._predicate(on.name, owner)
        name = Literal(string(on.name.text), span)
        args: tuple[Term, ...] = (actor, name, resource)
        if predicate == "has_relation":
            args = (resource, name, actor)
        return Call(predicate or "", args, on.span)

    def _any_name(
        self, name: NameVariable, actor: Variable, resource: Variable, span: Span
    ) -> Condition:
        head = self._shorthand.head
        if isinstance(head, NameVariable) and head.kind != name.kind:
            self.findings.append(
                Diagnostic(
                    "P213",
                    f"`{head.kind} if {name.kind}` mixes two kinds of names",
                    name.span,
                    f"use `{head.kind} if {head.kind} on ...`",
                )
            )
        variable = Variable(name.kind, name.span)
        call = Call(_PREDICATES[name.kind], (actor, variable, resource), span)
        return And((call, Matches(variable, TypeName(STRING, name.span), span)), span)

    def _predicate(self, name: Name, owner: TypeDeclaration) -> str | None:
        predicate = owner.predicate_of(name.text)
        if predicate is None:
            self._undeclared(name, "role, permission or relation", owner, owner.names)
        return predicate

    def _undeclared(
        self, name: Name, kind: str, owner: TypeDeclaration, known: tuple[str, ...]
    ) -> None:
        hint = did_you_mean(name.text, known) or f"declare it in the block of `{owner.name}`"
        self.findings.append(
            Diagnostic("P211", f'`{owner.name}` has no {kind} "{name.text}"', name.span, hint)
        )
