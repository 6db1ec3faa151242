"""Declarations: the types of a policy with their roles, permissions and relations."""

from collections.abc import Iterable
from dataclasses import dataclass, field

from authz_service.facts.value import PRIMITIVE_TYPES
from authz_service.polar.diagnostic import Diagnostic, did_you_mean
from authz_service.polar.syntax import Block, Declaration, Name, TypeName

ACTOR = "Actor"
RESOURCE = "Resource"
ABSTRACT_TYPES = frozenset({ACTOR, RESOURCE})
BUILT_IN_TYPES = PRIMITIVE_TYPES | ABSTRACT_TYPES


@dataclass(frozen=True, slots=True)
class TypeDeclaration:
    """One block: the names that it declares. A name stands for one thing only."""

    name: str
    is_actor: bool
    roles: tuple[str, ...] = ()
    permissions: tuple[str, ...] = ()
    relations: dict[str, str] = field(default_factory=dict)

    def predicate_of(self, name: str) -> str | None:
        """Return the predicate that `name` stands for in this block, or None if it is not declared."""
        if name in self.roles:
            return "has_role"
        if name in self.permissions:
            return "has_permission"
        if name in self.relations:
            return "has_relation"
        return None

    @property
    def names(self) -> tuple[str, ...]:
        return (*self.roles, *self.permissions, *self.relations)


class Declarations:
    """All declared types. `Actor` stands for all actor types, `Resource` for all types."""

    def __init__(self, types: Iterable[TypeDeclaration]) -> None:
        self.types = {declaration.name: declaration for declaration in types}

    def concrete(self, name: str) -> frozenset[str] | None:
        """Return the types whose values `name` accepts, or None if there is no such type."""
        if name == ACTOR:
            return frozenset(t.name for t in self.types.values() if t.is_actor)
        if name == RESOURCE:
            return frozenset(self.types)
        if name in PRIMITIVE_TYPES or name in self.types:
            return frozenset({name})
        return None

    def unknown_type(self, name: TypeName) -> Diagnostic:
        known = did_you_mean(name.text, BUILT_IN_TYPES.union(self.types))
        return Diagnostic("P201", f"there is no type `{name.text}`", name.span, known)


def collect(blocks: Iterable[Block], findings: list[Diagnostic]) -> Declarations:
    """Return what the blocks declare; add duplicate and unknown names to `findings`."""
    unique: dict[str, Block] = {}
    for block in blocks:
        name = block.name
        if name.text in BUILT_IN_TYPES:
            findings.append(
                Diagnostic(
                    "P202", f"`{name.text}` is a built-in type", name.span, "choose another name"
                )
            )
        elif name.text in unique:
            findings.append(
                Diagnostic(
                    "P203",
                    f"the type `{name.text}` is declared twice",
                    name.span,
                    f"the first block is in line {unique[name.text].name.span.line}; join the two",
                )
            )
        else:
            unique[name.text] = block
    declarations = Declarations(_declared(block, findings) for block in unique.values())
    for block in unique.values():
        _check_relation_types(block, declarations, findings)
    return declarations


def _declared(block: Block, findings: list[Diagnostic]) -> TypeDeclaration:
    by_kind: dict[str, Declaration] = {}
    seen: dict[str, str] = {}
    for declaration in block.declarations:
        if declaration.kind in by_kind:
            findings.append(
                Diagnostic(
                    "P204",
                    f"`{block.name.text}` declares its {declaration.kind} twice",
                    declaration.span,
                    "join the two lists",
                )
            )
            continue
        by_kind[declaration.kind] = declaration
        for name in declaration.names:
            _check_name(name, declaration.kind, seen, findings)
    return TypeDeclaration(
        name=block.name.text,
        is_actor=block.keyword == "actor",
        roles=_names(by_kind.get("roles")),
        permissions=_names(by_kind.get("permissions")),
        relations=_relations(by_kind.get("relations")),
    )


def _check_name(name: Name, kind: str, seen: dict[str, str], findings: list[Diagnostic]) -> None:
    if name.text in seen:
        findings.append(
            Diagnostic(
                "P205",
                f'"{name.text}" is declared twice in this block',
                name.span,
                f"it stands among the {seen[name.text]} already; a name means one thing",
            )
        )
    seen.setdefault(name.text, kind)


def _names(declaration: Declaration | None) -> tuple[str, ...]:
    return tuple(name.text for name in declaration.names) if declaration else ()


def _relations(declaration: Declaration | None) -> dict[str, str]:
    if declaration is None:
        return {}
    pairs = zip(declaration.names, declaration.types, strict=True)
    return {name.text: related.text for name, related in pairs}


def _check_relation_types(
    block: Block, declarations: Declarations, findings: list[Diagnostic]
) -> None:
    for declaration in block.declarations:
        findings.extend(
            declarations.unknown_type(related)
            for related in declaration.types
            if declarations.concrete(related.text) is None
        )
