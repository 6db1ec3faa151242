"""Names of roles, permissions and relations in longhand rules and tests, held against the declarations.

Shorthand cannot name what is not declared; longhand can, because such facts may come from anywhere. A
relation written the wrong way round is an error, another undeclared name a warning.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence

from authz_service.facts.value import STRING, Value
from authz_service.polar.declarations import Declarations, TypeDeclaration
from authz_service.polar.diagnostic import Diagnostic, Help, did_you_mean
from authz_service.polar.goals import Atom, Types, types_of

_KINDS = {"has_role": "role", "has_permission": "permission", "has_relation": "relation"}


def check_relations(
    atoms: Iterable[tuple[Atom, Types]], declarations: Declarations, findings: list[Diagnostic]
) -> None:
    """Add every `has_relation` to `findings` that only makes sense with its entities swapped."""
    for atom, types in atoms:
        name = _literal_name(atom)
        if atom.predicate != "has_relation" or len(atom.args) != 3 or name is None:
            continue
        first = types_of(atom.args[0], types)
        last = types_of(atom.args[2], types)
        if not _leads(first, name, last, declarations) and _leads(last, name, first, declarations):
            if any(name in d.relations for d in _declared(first, declarations)):
                continue
            message = f'the relation "{name}" belongs to {_shown(last)}, which stands last here'
            cure = "the order is has_relation(owner, name, related); swap the two"
            findings.append(Diagnostic("P304", message, atom.span, cure))


def undeclared_names(
    atoms: Iterable[tuple[Atom, Types]], declarations: Declarations
) -> Iterator[Diagnostic]:
    """Yield a warning for each name that its type does not declare, though it declares others."""
    for atom, types in atoms:
        name = _literal_name(atom)
        kind = _KINDS.get(atom.predicate)
        if kind is None or name is None:
            continue
        owners = _owners(atom, types, declarations)
        if not owners or not all(_names(owner, kind) for owner in owners):
            continue
        if not any(owner.predicates.get(name) == atom.predicate for owner in owners):
            shown = _shown(owner.name for owner in owners)
            cure = _suggested(name, owners, kind)
            yield Diagnostic("P604", f'{shown} declares no {kind} "{name}"', atom.span, cure)
        elif kind == "relation":
            yield from _wrong_related(atom, types, name, declarations)


def _suggested(name: str, owners: Sequence[TypeDeclaration], kind: str) -> Help:
    return lambda: did_you_mean(name, {text for owner in owners for text in _names(owner, kind)})


def _wrong_related(
    atom: Atom, types: Types, name: str, declarations: Declarations
) -> Iterator[Diagnostic]:
    first, last = types_of(atom.args[0], types), types_of(atom.args[2], types)
    if not _leads(first, name, last, declarations):
        related = {d.relations[name] for d in _declared(first, declarations) if name in d.relations}
        message = f'the relation "{name}" leads to {_shown(related)}, not to {_shown(last)}'
        yield Diagnostic(
            "P604", message, atom.span, "such a fact cannot follow from the declaration"
        )


def _leads(
    owners: Iterable[str], name: str, related: frozenset[str], declarations: Declarations
) -> bool:
    """Say whether a declared relation `name` leads from some of `owners` to some of `related`."""
    return any(
        not (declarations.concrete(declaration.relations[name]) or frozenset()).isdisjoint(related)
        for declaration in _declared(owners, declarations)
        if name in declaration.relations
    )


def _owners(atom: Atom, types: Types, declarations: Declarations) -> list[TypeDeclaration]:
    if atom.predicate != "has_relation" and len(atom.args) == 2:
        return [declarations.globals]
    if len(atom.args) != 3:
        return []
    owner = atom.args[0] if atom.predicate == "has_relation" else atom.args[2]
    names = types_of(owner, types)
    found = _declared(names, declarations)
    return found if len(found) == len(names) else []


def _declared(names: Iterable[str], declarations: Declarations) -> list[TypeDeclaration]:
    return [declarations.types[name] for name in sorted(names) if name in declarations.types]


def _names(owner: TypeDeclaration, kind: str) -> tuple[str, ...] | Mapping[str, str]:
    if kind == "role":
        return owner.roles
    return owner.permissions if kind == "permission" else owner.relations


def _literal_name(atom: Atom) -> str | None:
    if len(atom.args) not in (2, 3):
        return None
    name = atom.args[1]
    return name.id if isinstance(name, Value) and name.type == STRING else None


def _shown(types: Iterable[str]) -> str:
    return " | ".join(f"`{name}`" for name in sorted(types))
