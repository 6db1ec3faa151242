"""Declarations: the types of a policy with their roles, permissions and relations.

A type that extends others has what they declare as its own; where they are accepted, so is it. What the
`global` block declares belongs to no type.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property

from authz_service.facts.fact import MAX_ARGS
from authz_service.facts.value import PRIMITIVE_TYPES
from authz_service.polar.diagnostic import Diagnostic, Help, suggest
from authz_service.polar.source import Span
from authz_service.polar.syntax import GLOBAL, Block, Declaration, Declare, Name, TypeName

ACTOR = "Actor"
RESOURCE = "Resource"
ABSTRACT_TYPES = frozenset({ACTOR, RESOURCE})
BUILT_IN_TYPES = PRIMITIVE_TYPES | ABSTRACT_TYPES

_ALIASES = {"int": "Integer", "str": "String", "bool": "Boolean", "Float": "Integer"}

# Far more than any policy needs. The cost of checking types grows with their number for every rule.
MAX_TYPES = 500
# Of all types together, counted in each type that has inherited them.
MAX_INHERITED = 10_000

_SHOWN_STEPS = 8


@dataclass(frozen=True)
class TypeDeclaration:
    """One block with what it declares and inherits. A name stands for one thing only."""

    name: str
    is_actor: bool
    roles: tuple[str, ...] = ()
    permissions: tuple[str, ...] = ()
    relations: Mapping[str, str] = field(default_factory=dict)
    ancestors: frozenset[str] = frozenset()

    @cached_property
    def predicates(self) -> Mapping[str, str]:
        """The predicate that each declared name stands for."""
        return (
            dict.fromkeys(self.roles, "has_role")
            | dict.fromkeys(self.permissions, "has_permission")
            | dict.fromkeys(self.relations, "has_relation")
        )


@dataclass(frozen=True, slots=True)
class DeclaredFacts:
    """`declare has_tag(Document, String);` with the concrete types of each argument."""

    predicate: str
    types: tuple[frozenset[str], ...]


_NO_GLOBALS = TypeDeclaration(GLOBAL, is_actor=False)


class Declarations:
    """All declared types. `Actor` stands for all actor types, `Resource` for all types."""

    def __init__(
        self,
        types: Iterable[TypeDeclaration],
        globals_: TypeDeclaration = _NO_GLOBALS,
    ) -> None:
        self.types = {declaration.name: declaration for declaration in types}
        self.globals = globals_
        self.facts: tuple[DeclaredFacts, ...] = ()
        self.type_names = BUILT_IN_TYPES.union(self.types)
        accepted: dict[str, set[str]] = {name: {name} for name in self.types}
        for declaration in self.types.values():
            for ancestor in declaration.ancestors:
                accepted[ancestor].add(declaration.name)
        self._concrete = {name: frozenset(types) for name, types in accepted.items()}
        self._concrete |= {name: frozenset({name}) for name in PRIMITIVE_TYPES}
        self._concrete[ACTOR] = frozenset(t.name for t in self.types.values() if t.is_actor)
        self._concrete[RESOURCE] = frozenset(self.types)

    def concrete(self, name: str) -> frozenset[str] | None:
        """Return the types whose values `name` accepts, or None if there is no such type."""
        return self._concrete.get(name)

    def declaring(self, predicate: str, name: str) -> frozenset[str]:
        """Return the types in which `name` is what `predicate` asks for: a role of `has_role`."""
        return self._declaring.get((predicate, name), frozenset())

    @cached_property
    def _declaring(self) -> Mapping[tuple[str, str], frozenset[str]]:
        found: dict[tuple[str, str], list[str]] = {}
        for declaration in self.types.values():
            for name, predicate in declaration.predicates.items():
                found.setdefault((predicate, name), []).append(declaration.name)
        return {key: frozenset(types) for key, types in found.items()}

    def unknown_type(self, name: TypeName) -> Diagnostic:
        cure = suggest(name.text, self.type_names)
        if name.text in _ALIASES:
            cure = f"write `{_ALIASES[name.text]}`"
        return Diagnostic("P201", f"there is no type `{name.text}`", name.span, cure)


def collect(
    blocks: Iterable[Block], declares: Iterable[Declare], findings: list[Diagnostic]
) -> Declarations:
    """Return what the blocks declare; add duplicate, unknown and contradicting names to `findings`."""
    unique = _unique(blocks, findings)
    global_block = unique.pop((GLOBAL, GLOBAL), None)
    types = {block.name.text: block for block in unique.values()}
    if len(types) > MAX_TYPES:
        message = f"the policy declares more than {MAX_TYPES} types"
        extra = list(types.values())[MAX_TYPES]
        cure = "a type is a kind of thing; ids tell things of one kind apart"
        findings.append(Diagnostic("P206", message, extra.name.span, cure))
        return Declarations([])
    inheritance = _Inheritance(types, findings)
    declarations = Declarations(
        [inheritance.declaration(name) for name in types],
        _declared_globals(global_block, findings) if global_block else _NO_GLOBALS,
    )
    for block in types.values():
        _check_relation_types(block, declarations, findings)
    declarations.facts = tuple(
        facts for declare in declares if (facts := _facts(declare, declarations, findings))
    )
    return declarations


def _unique(blocks: Iterable[Block], findings: list[Diagnostic]) -> dict[tuple[str, str], Block]:
    unique: dict[tuple[str, str], Block] = {}
    for block in blocks:
        name = block.name
        key = (GLOBAL if block.keyword == GLOBAL else "", name.text)
        if name.text in BUILT_IN_TYPES:
            message = f"`{name.text}` is a built-in type"
            findings.append(Diagnostic("P202", message, name.span, "choose another name"))
        elif key in unique:
            what = "`global`" if block.keyword == GLOBAL else f"the type `{name.text}`"
            first = unique[key].name.span
            place = (
                f"in line {first.line}" if first.source is name.span.source else f"at {first.place}"
            )
            cure = f"the first block is {place}; join the two"
            findings.append(Diagnostic("P203", f"{what} is declared twice", name.span, cure))
        else:
            unique[key] = block
    return unique


@dataclass(frozen=True, slots=True)
class _Meaning:
    """What a declared name stands for in a type: its kind and, for a relation, the related type."""

    kind: str
    related: str = ""

    def __str__(self) -> str:
        return f"a relation to `{self.related}`" if self.related else f"a {self.kind[:-1]}"


class _Inheritance:
    """The names of every type, those of the types that it extends first."""

    def __init__(self, blocks: Mapping[str, Block], findings: list[Diagnostic]) -> None:
        self._blocks = blocks
        self._findings = findings
        self._parents = {name: self._checked_parents(block) for name, block in blocks.items()}
        self._ancestors: dict[str, dict[str, None]] = {name: {} for name in blocks}
        self._own: dict[str, dict[str, _Meaning]] = {}
        self._names: dict[str, dict[str, _Meaning]] = {}
        left = MAX_INHERITED
        for name in self._parents_first():
            for parent in self._parents[name]:
                self._ancestors[name] |= self._ancestors[parent] | {parent: None}
            names = self._inherited(name) if left >= 0 else {}
            left -= len(names)
            self._own[name] = self._own_names(blocks[name], names)
            self._names[name] = names | self._own[name]
        if left < 0:
            message = f"the types inherit more than {MAX_INHERITED} names in all"
            span = next(iter(blocks.values())).name.span
            self._add("P206", message, span, "declare a name only in types that need it")

    def declaration(self, name: str) -> TypeDeclaration:
        by_kind: dict[str, list[str]] = {"roles": [], "permissions": [], "relations": []}
        for text, meaning in self._names[name].items():
            by_kind[meaning.kind].append(text)
        return TypeDeclaration(
            name=name,
            is_actor=self._blocks[name].keyword == "actor",
            roles=tuple(by_kind["roles"]),
            permissions=tuple(by_kind["permissions"]),
            relations={text: self._names[name][text].related for text in by_kind["relations"]},
            ancestors=frozenset(self._ancestors[name]),
        )

    def _checked_parents(self, block: Block) -> dict[str, Span]:
        parents: dict[str, Span] = {}
        for parent in block.parents:
            found = self._blocks.get(parent.text)
            if parent.text in BUILT_IN_TYPES:
                message = f"`{parent.text}` is built in and cannot be extended"
                self._add("P207", message, parent.span, "every type is a `Resource` as it is")
            elif found is None:
                message = f"there is no type `{parent.text}`"
                self._add("P201", message, parent.span, suggest(parent.text, self._blocks))
            elif found.keyword != block.keyword:
                message = (
                    f"the {block.keyword} `{block.name.text}` cannot extend the {found.keyword}"
                )
                cure = f"declare both as `{block.keyword}`"
                self._add("P207", f"{message} `{parent.text}`", parent.span, cure)
            else:
                parents.setdefault(parent.text, parent.span)
        return parents

    def _parents_first(self) -> Iterable[str]:
        """Yield every type behind those that it extends; a circle is broken and reported."""
        done: dict[str, None] = {}
        for root in self._blocks:
            path = {root: iter(tuple(self._parents[root]))}
            while path:
                name, parents = next(reversed(path.items()))
                parent = next((p for p in parents if p not in done), None)
                if parent is None:
                    done.setdefault(name)
                    del path[name]
                elif parent in path:
                    self._break_circle(parent, list(path))
                else:
                    path[parent] = iter(tuple(self._parents[parent]))
        return done

    def _break_circle(self, parent: str, path: Sequence[str]) -> None:
        """Take the last step of `path` as not extending `parent`, which is on it."""
        span = self._parents[path[-1]].pop(parent)
        circle = [f"`{step}`" for step in [*path[path.index(parent) :], parent]]
        if len(circle) > _SHOWN_STEPS:
            circle[3:-2] = ["..."]
        self._add(
            "P208", f"types extend each other: {' -> '.join(circle)}", span, "break the circle"
        )

    def _inherited(self, name: str) -> dict[str, _Meaning]:
        """Return the names of all types that `name` extends, of each type once."""
        if not self._parents[name]:
            return {}
        first, *others = self._parents[name]
        names = dict(self._names[first])
        merged = self._ancestors[first] | {first: None}
        for parent in others:
            lineage = self._ancestors[parent] | {parent: None}
            for text in (t for a in lineage if a not in merged for t in self._own[a]):
                meaning = self._names[parent][text]
                known = names.setdefault(text, meaning)
                if known != meaning:
                    message = f'"{text}" is {known} in one of these types and {meaning} in another'
                    cure = "types that are extended together must agree"
                    self._add("P209", message, self._parents[name][parent], cure)
            merged |= lineage
        return names

    def _own_names(self, block: Block, inherited: Mapping[str, _Meaning]) -> dict[str, _Meaning]:
        own: dict[str, _Meaning] = {}
        for declaration in _unique_declarations(block, self._findings):
            for name, meaning in _meanings(declaration):
                if name.text in own:
                    _declared_twice(name, own[name.text], self._findings)
                elif inherited.get(name.text, meaning) != meaning:
                    message = f'"{name.text}" is inherited as {inherited[name.text]}'
                    cure = "a name means one thing; choose another one"
                    self._add("P209", message, name.span, cure)
                else:
                    own[name.text] = meaning
        return own

    def _add(self, code: str, message: str, span: Span, cure: Help) -> None:
        self._findings.append(Diagnostic(code, message, span, cure))


def _unique_declarations(block: Block, findings: list[Diagnostic]) -> Iterable[Declaration]:
    by_kind: dict[str, Declaration] = {}
    for declaration in block.declarations:
        if declaration.kind in by_kind:
            message = f"`{block.name.text}` declares its {declaration.kind} twice"
            findings.append(Diagnostic("P204", message, declaration.span, "join the two lists"))
        else:
            by_kind[declaration.kind] = declaration
    return by_kind.values()


def _meanings(declaration: Declaration) -> Iterable[tuple[Name, _Meaning]]:
    if declaration.kind == "relations":
        pairs = zip(declaration.names, declaration.types, strict=True)
        return [(name, _Meaning("relations", related.text)) for name, related in pairs]
    return [(name, _Meaning(declaration.kind)) for name in declaration.names]


def _declared_twice(name: Name, first: _Meaning, findings: list[Diagnostic]) -> None:
    message = f'"{name.text}" is declared twice in this block'
    cure = f"it stands among the {first.kind} already; a name means one thing"
    findings.append(Diagnostic("P205", message, name.span, cure))


def _declared_globals(block: Block, findings: list[Diagnostic]) -> TypeDeclaration:
    names: dict[str, _Meaning] = {}
    for declaration in _unique_declarations(block, findings):
        if declaration.kind == "relations":
            message = "`global` cannot have relations"
            cure = "a relation is one of a type; write it in that type's block"
            findings.append(Diagnostic("P210", message, declaration.span, cure))
            continue
        for name, meaning in _meanings(declaration):
            if name.text in names:
                _declared_twice(name, names[name.text], findings)
            names.setdefault(name.text, meaning)
    return TypeDeclaration(
        name=GLOBAL,
        is_actor=False,
        roles=tuple(text for text, meaning in names.items() if meaning.kind == "roles"),
        permissions=tuple(text for text, meaning in names.items() if meaning.kind == "permissions"),
    )


def _check_relation_types(
    block: Block, declarations: Declarations, findings: list[Diagnostic]
) -> None:
    for declaration in block.declarations:
        findings.extend(
            declarations.unknown_type(related)
            for related in declaration.types
            if declarations.concrete(related.text) is None
        )


def _facts(
    declare: Declare, declarations: Declarations, findings: list[Diagnostic]
) -> DeclaredFacts | None:
    if declare.predicate == "allow":
        message = "`allow` facts cannot be stored"
        cure = "decisions are always derived; declare what they are derived from"
        findings.append(Diagnostic("P221", message, declare.span, cure))
        return None
    if not 1 <= len(declare.types) <= MAX_ARGS:
        message = f"`{declare.predicate}` has {len(declare.types)} arguments"
        findings.append(Diagnostic("P220", message, declare.span, f"a fact has 1 to {MAX_ARGS}"))
        return None
    types: list[frozenset[str]] = []
    for name in declare.types:
        concrete = declarations.concrete(name.text)
        if concrete is None:
            findings.append(declarations.unknown_type(name))
        else:
            types.append(concrete)
    return DeclaredFacts(declare.predicate, tuple(types))
