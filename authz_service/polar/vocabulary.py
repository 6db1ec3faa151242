"""Names of roles, permissions and relations in longhand rules and tests, held against the declarations.

Shorthand cannot name what is not declared; longhand can, because such facts may come from anywhere. A
relation written the wrong way round is an error, another undeclared name a warning.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import cache, partial

from authz_service.facts.value import STRING, Value
from authz_service.polar.declarations import RESOURCE, Declarations, TypeDeclaration
from authz_service.polar.diagnostic import Diagnostic, Help, did_you_mean
from authz_service.polar.goals import Atom, Types, types_of

# In a message; a type may stand for hundreds.
_SHOWN = 10
_KINDS = {"has_role": "role", "has_permission": "permission", "has_relation": "relation"}


def check_relations(
    atoms: Iterable[tuple[Atom, Types]], declarations: Declarations, findings: list[Diagnostic]
) -> None:
    """Add every `has_relation` to `findings` that only makes sense with its entities swapped."""
    every = declarations.concrete(RESOURCE) or frozenset()
    for atom, types in atoms:
        name = _literal_name(atom)
        if atom.predicate != "has_relation" or len(atom.args) != 3 or name is None:
            continue
        # A variable that is left without types, as it is by a swap, could be of any.
        first = types_of(atom.args[0], types) or every
        last = types_of(atom.args[2], types) or every
        if not _leads(first, name, last, declarations) and _leads(last, name, first, declarations):
            if first is not every and not declarations.declaring("has_relation", name).isdisjoint(
                first
            ):
                continue
            owners = last & declarations.declaring("has_relation", name)
            message = f'the relation "{name}" belongs to {_shown(owners)}, which stands last here'
            cure = "the order is has_relation(owner, name, related); swap the two"
            findings.append(Diagnostic("P304", message, atom.span, cure))


def undeclared_names(
    atoms: Iterable[tuple[Atom, Types]], declarations: Declarations
) -> Iterator[Diagnostic]:
    """Yield a warning for each name that its type does not declare, though it declares others."""
    telling = cache(partial(_telling, declarations=declarations))
    for atom, types in atoms:
        name, kind = _literal_name(atom), _KINDS.get(atom.predicate)
        if kind is None or name is None:
            continue
        names = _owner_names(atom, types)
        owners = telling(names, kind)
        if owners and not _is_declared(atom.predicate, name, names, declarations):
            message = f'{_shown(owner.name for owner in owners)} declares no {kind} "{name}"'
            yield Diagnostic("P604", message, atom.span, _suggested(name, kind, owners))
        elif owners and kind == "relation":
            yield from _wrong_related(atom, types, name, declarations)


def _owner_names(atom: Atom, types: Types) -> frozenset[str] | None:
    """Return the types that should declare the atom's name; None stands for `global`."""
    if atom.predicate != "has_relation" and len(atom.args) == 2:
        return None
    if len(atom.args) != 3:
        return frozenset()
    return types_of(atom.args[0 if atom.predicate == "has_relation" else 2], types)


def _telling(
    names: frozenset[str] | None, kind: str, declarations: Declarations
) -> Sequence[TypeDeclaration]:
    """Return what is declared under `names`, if each of them declares something of the kind."""
    owners = [declarations.types.get(name) for name in sorted(names or ())]
    found = [declarations.globals] if names is None else [o for o in owners if o is not None]
    is_complete = len(found) == len(owners) or names is None
    return found if is_complete and all(_names(owner, kind) for owner in found) else []


def _is_declared(
    predicate: str, name: str, owners: frozenset[str] | None, declarations: Declarations
) -> bool:
    if owners is None:
        return declarations.globals.predicates.get(name) == predicate
    return not declarations.declaring(predicate, name).isdisjoint(owners)


def _suggested(name: str, kind: str, owners: Sequence[TypeDeclaration]) -> Help:
    return lambda: did_you_mean(name, {text for owner in owners for text in _names(owner, kind)})


def _wrong_related(
    atom: Atom, types: Types, name: str, declarations: Declarations
) -> Iterator[Diagnostic]:
    first, last = types_of(atom.args[0], types), types_of(atom.args[2], types)
    if not _leads(first, name, last, declarations):
        owners = first & declarations.declaring("has_relation", name)
        related = {declarations.types[owner].relations[name] for owner in owners}
        message = f'the relation "{name}" leads to {_shown(related)}, not to {_shown(last)}'
        yield Diagnostic(
            "P604", message, atom.span, "such a fact cannot follow from the declaration"
        )


def _leads(
    owners: frozenset[str], name: str, related: frozenset[str], declarations: Declarations
) -> bool:
    """Say whether a declared relation `name` leads from some of `owners` to some of `related`."""
    declaring = owners & declarations.declaring("has_relation", name)
    leads_to = (declarations.types[owner].relations[name] for owner in declaring)
    return any(
        not (declarations.concrete(target) or frozenset()).isdisjoint(related)
        for target in leads_to
    )


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
    names = sorted(types)
    shown = " | ".join(f"`{name}`" for name in names[:_SHOWN])
    return shown if len(names) <= _SHOWN else f"{shown} | {len(names) - _SHOWN} others"
