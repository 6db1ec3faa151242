"""Random blocks: declarations, and shorthand rules of every form."""

from collections.abc import Callable, Iterator
from random import Random

from schemas import GLOBAL_PERMISSIONS, GLOBAL_ROLES, Schema, quoted

Atoms = list[Callable[[], str]]


def blocks(random: Random, schema: Schema, *, recursive: bool) -> Iterator[str]:
    """Yield the blocks of `schema`. Unless `recursive`, names only follow from those declared behind them."""
    yield _global(random)
    for name in schema.types:
        keyword = "actor" if name in schema.actors else "resource"
        parents = schema.parents.get(name)
        extends = f" extends {', '.join(parents)}" if parents else ""
        lines = [*_declared(schema, name), *_rules(random, schema, name, recursive=recursive)]
        yield f"{keyword} {name}{extends} {{{''.join(f'{chr(10)}  {line}' for line in lines)}\n}}"


def _global(random: Random) -> str:
    rules = ['"admit" if "boss";', '"staff" if "boss";', '"boss" if s9(actor, "b");']
    roles = ", ".join(map(quoted, GLOBAL_ROLES))
    permissions = ", ".join(map(quoted, GLOBAL_PERMISSIONS))
    chosen = "".join(f" {rule}" for rule in random.sample(rules, random.randint(1, 3)))
    return f"global {{ roles = [{roles}]; permissions = [{permissions}];{chosen} }}"


def _declared(schema: Schema, name: str) -> Iterator[str]:
    for kind, names in (("roles", schema.roles), ("permissions", schema.permissions)):
        if names.get(name):
            yield f"{kind} = [{', '.join(map(quoted, names[name]))}];"
    if relations := schema.relations.get(name):
        yield f"relations = {{ {', '.join(f'{key}: {kind}' for key, kind in relations.items())} }};"


def _rules(random: Random, schema: Schema, name: str, *, recursive: bool) -> Iterator[str]:
    block = _Block(random, schema, name, recursive=recursive)
    for index, role in enumerate(block.roles):
        if random.random() < 0.5:
            yield f"{quoted(role)} if {block.condition(block.roles, index)};"
    for index, permission in enumerate(block.permissions):
        for _ in range(random.choice((0, 1, 1, 2))):
            yield f"{quoted(permission)} if {block.condition(block.permissions, index, is_permission=True)};"
    yield from block.generic()


class _Block:
    """What shorthand rules of one type can speak about."""

    def __init__(self, random: Random, schema: Schema, name: str, *, recursive: bool) -> None:
        self._random = random
        self._schema = schema
        self._name = name
        self._recursive = recursive
        self.roles = schema.roles_of(name)
        self.permissions = schema.permissions_of(name)
        self._relations = schema.relations_of(name)

    def condition(self, names: tuple[str, ...], index: int, *, is_permission: bool = False) -> str:
        """Return what `names[index]` follows from."""
        behind = names if self._recursive else names[index + 1 :]
        atoms = [lambda: quoted(self._random.choice(behind))] if behind else []
        atoms += self._atoms(is_permission=is_permission)
        choice = self._random.random()
        one, two, three = (self._random.choice(atoms)() for _ in range(3))
        if choice < 0.6:
            return one
        if choice < 0.72:
            return f"{one} and {two}"
        return f"{one} or {two}" if choice < 0.85 else f"{one} and ({two} or {three})"

    def generic(self) -> Iterator[str]:
        """Yield the rules about any role or permission."""
        random = self._random
        for relation, kind in self._related():
            if self.roles and self._schema.roles_of(kind) and random.random() < 0.4:
                yield f"role if role on {quoted(relation)};"
            if self.permissions and self._schema.permissions_of(kind) and random.random() < 0.15:
                yield f"permission if permission on {quoted(relation)};"
        if self.roles and self._schema.open_roles and random.random() < 0.6:
            yield "role if s9(actor, role);"
        if self.permissions and random.random() < 0.15:
            yield f"permission if global {quoted(random.choice((*GLOBAL_ROLES, *GLOBAL_PERMISSIONS)))};"
        people = [key for key, kind in self._relations.items() if kind == "User"]
        own = [key for key in people if key in self._schema.relations[self._name]]
        if own and len(people) > 1 and random.random() < 0.3:
            first = people.index(own[0])
            behind = people[first + 1 :]
            if behind:
                yield f"{quoted(own[0])} if {quoted(random.choice(behind))};"

    def _related(self) -> list[tuple[str, str]]:
        """Return the relations that `on` can follow."""
        return [pair for pair in self._relations.items() if pair[1] in self._schema.types]

    def _atoms(self, *, is_permission: bool) -> Atoms:
        random = self._random
        atoms: Atoms = [self._pair]
        if is_permission or self._schema.open_roles:
            atoms = [
                lambda: f"global {quoted(random.choice((*GLOBAL_ROLES, *GLOBAL_PERMISSIONS)))}",
                self._call,
            ]
        people = [
            key for key, kind in self._relations.items() if kind in ("Actor", *self._schema.actors)
        ]
        if people:
            atoms.append(
                lambda: quoted(random.choice(people)) + random.choice(("", "", " on resource"))
            )
        if self.roles and is_permission:
            atoms += [lambda: quoted(random.choice(self.roles))] * 3
            atoms.append(lambda: "role")
        for relation, kind in self._related():
            atoms += self._along(relation, kind, is_permission=is_permission)
        return atoms

    def _along(self, relation: str, kind: str, *, is_permission: bool) -> Atoms:
        random = self._random
        roles = self._schema.roles_of(kind)
        permissions = self._schema.permissions_of(kind)
        people = [k for k, t in self._schema.relations_of(kind).items() if t in ("Actor", "User")]
        atoms: Atoms = []
        if roles:
            atoms.append(lambda: f"{quoted(random.choice(roles))} on {quoted(relation)}")
            if is_permission:
                atoms.append(lambda: f"role on {quoted(relation)}")
        if permissions and is_permission:
            atoms.append(lambda: f"{quoted(random.choice(permissions))} on {quoted(relation)}")
        if people:
            atoms.append(lambda: f"{quoted(random.choice(people))} on {quoted(relation)}")
        return atoms

    def _pair(self) -> str:
        """Return a condition about both variables of the block."""
        is_doc = "Doc" in (self._name, *self._schema.parents.get(self._name, ()))
        return (
            "s0(actor, resource)"
            if is_doc
            else "s1(actor, resource)"
            if self._name in ("User", "Bot")
            else 'has_role(actor, "low", resource) and s9(actor, "low")'
        )

    def _call(self) -> str:
        """Return a call about the block's own variables."""
        is_resource = self._name in self._schema.resources
        usable = []
        for predicate in self._schema.stored:
            if len(predicate.kinds) > 3:
                continue
            args = []
            for kind in predicate.kinds:
                if kind in ("User", "Actor"):
                    args.append("actor")
                elif self._name in self._schema.accepted(kind) and is_resource:
                    args.append("resource")
                elif kind in ("String", "Integer", "Boolean"):
                    args.append(self._random.choice(self._schema.literals(kind)[:3]))
                else:
                    break
            else:
                usable.append(f"{predicate.name}({', '.join(args)})")
        return self._random.choice(usable or ['s9(actor, "b")'])
