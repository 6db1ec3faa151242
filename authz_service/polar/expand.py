"""Shorthand rules of blocks to plain rules.

In a block `R`, with `actor` and `resource` as the variables of the head:

    "read" if "viewer";               has_permission(actor: Actor, "read", resource: R)
                                        if has_role(actor, "viewer", resource);
    "admin" if "owner" on "parent";   has_role(actor: Actor, "admin", resource: R)
                                        if has_relation(resource, "parent", related)
                                        and related matches T and has_role(actor, "owner", related);
    role if role on "parent";         has_role(actor: Actor, role: String, resource: R) if ...
    "edit" if "creator";              a relation: ... if has_relation(resource, "creator", actor);
    "read" if global "staff";         ... if has_role(actor, "staff");
    "read" if is_public(resource);    the call as it stands

In the `global` block there is no resource: has_permission(actor: Actor, "invite") if has_role(actor, "staff").
The predicate of a name (`has_role`, `has_permission`, `has_relation`) follows from its declaration in
the block that it belongs to. `and`, `or` and parentheses stay; each `on` gets a variable of its own, with
a name that the rule does not use.
"""

from collections.abc import Collection, Iterable, Iterator
from itertools import count

from authz_service.facts.value import STRING, string
from authz_service.polar.declarations import ACTOR, Declarations, TypeDeclaration
from authz_service.polar.diagnostic import Diagnostic, Help, suggest
from authz_service.polar.source import Span
from authz_service.polar.syntax import (
    GLOBAL,
    And,
    Block,
    Call,
    Condition,
    Literal,
    Matches,
    Name,
    NameVariable,
    On,
    OnGlobal,
    Or,
    Param,
    Rule,
    Shorthand,
    Term,
    TypeName,
    Variable,
)

_PREDICATES = {"role": "has_role", "permission": "has_permission"}
_RESOURCE = "resource"


def expand(block: Block, declarations: Declarations, findings: list[Diagnostic]) -> Iterator[Rule]:
    """Yield the plain rule of each shorthand rule; add undeclared names to `findings`."""
    is_global = block.keyword == GLOBAL
    owner = declarations.globals if is_global else declarations.types.get(block.name.text)
    if owner is None:
        return
    for shorthand in block.shorthands:
        expansion = _Expansion(shorthand, owner, declarations, is_global=is_global)
        rule = expansion.rule()
        findings.extend(expansion.findings)
        if rule is not None:
            yield rule


class _Expansion:
    """One shorthand rule on its way to a plain rule: numbers the related variables, keeps findings."""

    def __init__(
        self,
        shorthand: Shorthand,
        owner: TypeDeclaration,
        declarations: Declarations,
        *,
        is_global: bool,
    ) -> None:
        self._shorthand = shorthand
        self._owner = owner
        self._declarations = declarations
        self._is_global = is_global
        used = set(_variable_names(shorthand.body))
        self._names = (name for n in count(1) if (name := f"related{n}") not in used)
        self.findings: list[Diagnostic] = []
        self._is_broken = False

    def rule(self) -> Rule | None:
        span = self._shorthand.head.span
        head = self._head(span)
        body = self._condition(self._shorthand.body)
        if head is None or self.findings or self._is_broken:
            return None
        predicate, params = head
        return Rule(predicate, params, body, self._shorthand.span)

    def _head(self, span: Span) -> tuple[str, tuple[Param, ...]] | None:
        head = self._shorthand.head
        actor = Param(Variable("actor", span), TypeName(ACTOR, span))
        resource: tuple[Param, ...] = ()
        if not self._is_global:
            resource = (Param(Variable(_RESOURCE, span), TypeName(self._owner.name, span)),)
        if isinstance(head, NameVariable):
            name = Param(Variable(head.kind, span), TypeName(STRING, span))
            return _PREDICATES[head.kind], (actor, name, *resource)
        predicate = self._predicate(head, self._owner)
        if predicate is None:
            return None
        name = Param(Literal(string(head.text), span), None)
        if predicate == "has_relation":
            related = TypeName(self._owner.relations[head.text], span)
            return predicate, (*resource, name, Param(Variable("actor", span), related))
        return predicate, (actor, name, *resource)

    def _condition(self, condition: Condition) -> Condition:
        match condition:
            case And():
                return _all_of(map(self._condition, condition.conditions), condition.span)
            case Or():
                return Or(tuple(map(self._condition, condition.conditions)), condition.span)
            case On(relation=None) if not self._is_global:
                resource = Variable(_RESOURCE, condition.span)
                return self._implier(condition.name, condition.span, self._owner, resource)
            case On(relation=None):
                return self._implier(condition.name, condition.span, self._owner, None)
            case On(relation=Name() as relation):
                return self._on(condition, relation)
            case OnGlobal(name, span):
                return self._implier(name, span, self._declarations.globals, None)
            case Call() if self._is_global:
                self._refuse_resource(condition)
                return condition
            case _:
                return condition

    def _on(self, on: On, relation: Name) -> Condition:
        if self._is_global:
            self._add(
                "P214", "`global` has no relations", relation.span, "write the rule in a block"
            )
            return on
        related_name = self._owner.relations.get(relation.text)
        if related_name is None:
            self._undeclared(relation, "relation", self._owner, self._owner.relations)
            return on
        if self._declarations.concrete(related_name) is None:
            self._is_broken = True  # the type is reported where the relation is declared
            return on
        related_type = self._declarations.types.get(related_name)
        if related_type is None:
            message = (
                f'the relation "{relation.text}" leads to `{related_name}`, '
                "which has no block of its own"
            )
            self._add("P212", message, relation.span, "`on` needs a declared type")
            return on
        span = relation.span
        related = Variable(next(self._names), span)
        relates = (Variable(_RESOURCE, span), Literal(string(relation.text), span), related)
        conditions = (
            Call("has_relation", relates, span),
            Matches(related, TypeName(related_name, span), exact=False, span=span),
            self._implier(on.name, on.span, related_type, related),
        )
        return _all_of(conditions, on.span)

    def _implier(
        self,
        short: Name | NameVariable,
        whole: Span,
        owner: TypeDeclaration,
        resource: Variable | None,
    ) -> Condition:
        """Return the condition that `actor` has what `short` names in `owner`, on `resource` if given."""
        span = short.span
        actor = Variable("actor", span)
        if isinstance(short, NameVariable):
            return self._any_name(short, actor, resource, whole)
        predicate = self._predicate(short, owner)
        name = Literal(string(short.text), span)
        if predicate == "has_relation" and resource is not None:
            return Call(predicate, (resource, name, actor), whole)
        args: tuple[Term, ...] = (actor, name) if resource is None else (actor, name, resource)
        return Call(predicate or "", args, whole)

    def _any_name(
        self, name: NameVariable, actor: Variable, resource: Variable | None, span: Span
    ) -> Condition:
        head = self._shorthand.head
        if isinstance(head, NameVariable) and head.kind != name.kind:
            message = f"`{head.kind} if {name.kind}` mixes two kinds of names"
            self._add("P213", message, name.span, f"use `{head.kind} if {head.kind} on ...`")
        variable = Variable(name.kind, name.span)
        args: tuple[Term, ...] = (
            (actor, variable) if resource is None else (actor, variable, resource)
        )
        call = Call(_PREDICATES[name.kind], args, span)
        is_string = Matches(variable, TypeName(STRING, name.span), exact=False, span=span)
        return And((call, is_string), span)

    def _refuse_resource(self, call: Call) -> None:
        for arg in call.args:
            if isinstance(arg, Variable) and arg.name == _RESOURCE:
                cure = "write the rule in the block of a type"
                self._add("P214", "`global` has no `resource`", arg.span, cure)

    def _predicate(self, name: Name, owner: TypeDeclaration) -> str | None:
        predicate = owner.predicates.get(name.text)
        if predicate is None:
            kind = "role or permission" if owner.name == GLOBAL else "role, permission or relation"
            self._undeclared(name, kind, owner, owner.predicates)
        return predicate

    def _undeclared(
        self, name: Name, kind: str, owner: TypeDeclaration, known: Collection[str]
    ) -> None:
        cure = suggest(name.text, known, f"declare it in the block of `{owner.name}`")
        if name.text in owner.predicates:
            cure = f"it is declared there as something else; `on` needs a {kind}"
        self._add("P211", f'`{owner.name}` has no {kind} "{name.text}"', name.span, cure)

    def _add(self, code: str, message: str, span: Span, cure: Help) -> None:
        self.findings.append(Diagnostic(code, message, span, cure))


def _all_of(conditions: Iterable[Condition], span: Span) -> And:
    """Return one conjunction without conjunctions in it, as the parser would."""
    flat: list[Condition] = []
    for condition in conditions:
        flat.extend(condition.conditions if isinstance(condition, And) else (condition,))
    return And(tuple(flat), span)


def _variable_names(condition: Condition) -> Iterator[str]:
    match condition:
        case And(conditions) | Or(conditions):
            for inner in conditions:
                yield from _variable_names(inner)
        case Call(_, args):
            yield from (arg.name for arg in args if isinstance(arg, Variable))
        case _:
            return
