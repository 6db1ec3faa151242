"""Random policies, directed by types: for comparing engines.

A rule of a layer uses stored predicates, roles and the layers below, so that negation is stratified. Unless
recursion is wanted, nothing depends on itself but roles along relations, so that the VM of `oso` comes to
an end over facts that go downhill. What a rule binds is bound before it is used, in source order; the few
policies that turn out unsafe all the same are refused, and say nothing.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from functools import partial
from itertools import count
from random import Random

from recursion import recursive_rules
from schemas import (
    GLOBAL_ROLES,
    Predicate,
    Schema,
    Signature,
    quoted,
    random_schema,
)
from shorthand import blocks

DERIVED = [
    ("User",),
    ("Doc",),
    ("User", "Doc"),
    ("Doc", "Integer"),
    ("Doc", "Doc"),
    ("User", "User"),
    ("Doc", "Integer"),
    ("User", "String", "Doc"),
    (),
]

# A permission may depend on `not` another one.
BLOCKED = [
    'has_permission(u: User, "blocked", d: Doc) if s1(u, v) and s0(v, d);',
    'has_permission(u: User, "read", d: Doc) if s0(u, d) and not has_permission(u, "blocked", d);',
]


def policy(random: Random, *, recursive: bool = False) -> str:
    """Return the text of a policy. If `recursive`, rules may also use what they derive."""
    schema = random_schema(random)
    # In some policies types must be inferred; these are refused more often.
    untyped = 0.0 if random.random() < 0.9 else 0.1
    lines = [*blocks(random, schema, recursive=recursive), *_declarations(random, schema, untyped)]
    writer = _Writer(random, schema, untyped)
    known = [*schema.stored, *_relations(schema)]
    roles = _roles(schema)
    if recursive:
        rules, derived = recursive_rules(random, schema)
        lines += rules
        known += derived
    for layer in range(random.randint(1, 3)):
        rules, predicate = _layer(writer, f"l{layer}", [*known, *roles], recursive=recursive)
        lines += rules
        known.append(predicate)
    lines += _permissions(writer, [*known, *roles])
    if recursive and random.random() < 0.1:
        lines += BLOCKED
    if random.random() < 0.4:
        lines += _role_rule(writer, [*known, *roles] if recursive else known)
    lines += _allow(writer, known, recursive=recursive)
    return "\n".join(lines) + "\n"


def _declarations(random: Random, schema: Schema, untyped: float) -> Iterator[str]:
    """Tell the types of most stored predicates; those of the others follow from the rules, or do not."""
    yield "declare s9(User, String);"
    for predicate in schema.stored:
        if random.random() >= untyped:
            yield f"declare {predicate.name}({', '.join(predicate.kinds)});"
    if random.random() < 0.04:
        yield "declare has_permission(User, String, Doc);"


def _relations(schema: Schema) -> list[Predicate]:
    return [
        Predicate("has_relation", (owner, quoted(name), related))
        for owner in schema.types
        for name, related in schema.relations.get(owner, {}).items()
    ]


def _roles(schema: Schema) -> list[Predicate]:
    is_open = frozenset((0, 2)) if schema.open_roles else frozenset()
    local = [
        Predicate("has_role", ("User", f"Role:{name}", name), is_open)
        for name in schema.types
        if schema.roles_of(name)
    ]
    return [*local, Predicate("has_role", ("User", quoted(GLOBAL_ROLES[0])))]


def _layer(
    writer: "_Writer", name: str, known: list[Predicate], *, recursive: bool
) -> tuple[list[str], Predicate]:
    """Return rules for a new predicate, and what they make of it."""
    random = writer.random
    kinds = random.choice(DERIVED)
    if random.random() < 0.1:
        kinds = tuple(
            random.choices(["User", "Doc", "String", "Integer", "Boolean"], k=random.randint(3, 5))
        )
    predicate = Predicate(name, kinds)
    lines = []
    for _ in range(random.randint(1, 3)):
        usable = (
            [*known, predicate, predicate]
            if recursive and lines and random.random() < 0.7
            else known
        )
        line, is_open = writer.rule(name, kinds, usable)
        lines.append(line)
        predicate = replace(predicate, open=predicate.open | is_open)
    return lines, predicate


def _permissions(writer: "_Writer", known: list[Predicate]) -> Iterator[str]:
    random, schema = writer.random, writer.schema
    for kind in schema.types:
        for action in schema.permissions_of(kind):
            for _ in range(random.choice((0, 1, 1))):
                actor = random.choice(["User", "User", "Actor", *schema.actors])
                kinds = (actor, quoted(action), kind)
                yield writer.rule("has_permission", kinds, known, allow_fact=0.04)[0]
    if random.random() < 0.2:
        yield writer.rule("has_permission", ("User", "String", "Doc"), known, allow_fact=0.0)[0]


def _role_rule(writer: "_Writer", known: list[Predicate]) -> Iterator[str]:
    schema, random = writer.schema, writer.random
    kind = random.choice([name for name in schema.types if schema.roles_of(name)] or ["Doc"])
    role = random.choice([*map(quoted, schema.roles_of(kind)), "String"])
    actor = random.choice(["User", "Actor", *schema.actors])
    line, is_open = writer.rule("has_role", (actor, role, kind), known)
    if schema.open_roles or not is_open:
        yield line


def _allow(writer: "_Writer", known: list[Predicate], *, recursive: bool) -> Iterator[str]:
    """Own `allow` rules in a third of the policies; the built-in ones hold in the others."""
    random = writer.random
    if random.random() < 0.65:
        return
    scope = Scope(writer.schema, {"u": "User", "d": "Resource"}, count())
    condition = writer.goal([p for p in known if not p.open], scope, 1)
    yield f"allow(u: User, a: String, d: Resource) if has_permission(u, a, d) and {condition};"
    if random.random() < 0.4:
        yield (
            "allow(actor, action, resource) if has_permission(actor, action, resource) and s3(actor);"
            if (writer.schema.stored[3].kinds == ("User",))
            else 'allow(u: User, "read", d: Doc) if s0(u, d) and s3(d);'
        )
    if recursive and random.random() < 0.4:
        yield "allow(u: User, a: String, d: Resource) if s1(u, v) and allow(v, a, d);"


@dataclass
class Scope:
    """The variables that can be used where the text stands, with their types; names are new in the rule."""

    schema: Schema
    types: dict[str, str]
    names: Iterator[int]
    bound: set[str] = field(default_factory=set)
    """Those that a condition limits to finitely many values."""
    head: frozenset[str] = frozenset()

    def inner(self) -> "Scope":
        return Scope(self.schema, dict(self.types), self.names, set(self.bound), self.head)

    def new(self, kind: str) -> str:
        name = f"{kind[0].lower()}{next(self.names)}"
        self.types[name] = kind
        return name

    def known(self, kind: str) -> list[str]:
        """Return the variables whose values may stand where `kind` is wanted."""
        accepted = self.schema.accepted(kind)
        return [name for name, own in self.types.items() if own in accepted]


class _Writer:
    """Writes rules in the words of one schema."""

    def __init__(self, random: Random, schema: Schema, untyped: float) -> None:
        self.random = random
        self.schema = schema
        self._untyped = untyped
        self._own = ""

    def rule(
        self, name: str, kinds: Signature, known: list[Predicate], *, allow_fact: float = 0.1
    ) -> tuple[str, frozenset[int]]:
        """Return a rule and the positions of its head at which it may hold for every value."""
        self._own = name
        scope = Scope(self.schema, {}, count())
        params = [self._param(kind, scope) for kind in kinds]
        head = f"{name}({', '.join(params)})"
        scope.head = frozenset(scope.types)
        if "Integer" not in kinds and self.random.random() < allow_fact:
            return f"{head};", frozenset(range(len(kinds)))
        body = self._conjunction(known, scope, depth=2)
        unbound = (
            position
            for position, param in enumerate(params)
            if not param.startswith('"') and param.split(":")[0] not in scope.bound
        )
        return f"{head} if {body};", frozenset(unbound)

    def _param(self, kind: str, scope: Scope) -> str:
        random = self.random
        choice = random.random()
        if kind.startswith('"'):
            return kind
        if choice < 0.05:
            return random.choice(self.schema.literals(kind))
        if choice < 0.15 and kind == "Integer":
            return "@current_unix_time"
        if choice < 0.11 and kind != "Integer":
            return f"_: {kind}"
        known = [name for name, own in scope.types.items() if own == kind]
        if choice < 0.16 and known:
            return random.choice(known)
        variable = scope.new(kind)
        return variable if random.random() < self._untyped else f"{variable}: {kind}"

    def _conjunction(self, known: list[Predicate], scope: Scope, depth: int) -> str:
        random = self.random
        goals = [self.atom(known, scope) for _ in range(random.choice((1, 1, 2)))]
        goals += [self.goal(known, scope, depth) for _ in range(random.choice((0, 0, 1, 1, 2)))]
        random.shuffle(goals)
        return " and ".join(goals)

    def goal(self, known: list[Predicate], scope: Scope, depth: int) -> str:
        random = self.random
        choice = random.random()
        if choice < 0.24:
            return self._negation([p for p in known if p.name != self._own], scope, depth, choice)
        if depth and choice < 0.42:
            return self._either(known, scope, depth)
        if choice < 0.75:
            return self._test(scope) or self.atom(known, scope)
        if choice < 0.78:
            return "true"
        if choice < 0.79:
            return "false"
        return self.atom(known, scope)

    def _negation(self, known: list[Predicate], scope: Scope, depth: int, choice: float) -> str:
        if depth and choice < 0.12:
            return f"not ({self._conjunction(known, scope.inner(), depth - 1)})"
        nots = "not not" if choice > 0.22 else "not"
        return f"{nots} {self.atom(known, scope.inner(), is_inner=True)}"

    def _either(self, known: list[Predicate], scope: Scope, depth: int) -> str:
        inner = [scope.inner() for _ in range(2)]
        branches = [f"({self._conjunction(known, branch, depth - 1)})" for branch in inner]
        scope.bound |= inner[0].bound & inner[1].bound
        return f"({' or '.join(branches)})"

    def _test(self, scope: Scope) -> str | None:
        """Return a condition on a known variable that is no call; None if there is none."""
        random = self.random
        if not scope.types:
            return None
        name = random.choice(list(scope.types))
        kind = scope.types[name]
        integers = scope.known("Integer")
        if integers and random.random() < 0.5:
            name, kind = random.choice(integers), "Integer"
        literals = self.schema.literals(kind)
        others = [*scope.known(kind), *literals[:3]]
        options = [partial("{} {} {}".format, name, random.choice(["=", "!=", "!="]))]
        if kind == "Integer":
            others = [*others, "@current_unix_time", *("1", "2")]
            options = [
                partial("{} {} {}".format, name, random.choice(["<", "<=", ">", ">=", "!=", "="]))
            ]
        elif kind not in ("String", "Boolean"):
            options.append(lambda _: f"{name} {self._type_test(kind)}")
        options.append(
            lambda _: f"{name} in [{', '.join(dict.fromkeys(random.choices(literals, k=2)))}]"
        )
        return random.choice(options)(random.choice(others))

    def _type_test(self, kind: str) -> str:
        word = self.random.choice(["matches", "matches", "matches!"])
        accepted = self.schema.accepted(kind)
        if word == "matches" and self.random.random() < 0.3:
            return "matches Resource"
        return f"{word} {self.random.choice([t for t in accepted if t in self.schema.types])}"

    def atom(self, known: list[Predicate], scope: Scope, *, is_inner: bool = False) -> str:
        """Return a call, preferably one about variables that are known already."""
        random = self.random
        wanted = set(scope.types.values())
        choices = random.choices(known, k=3)
        predicate = max(choices, key=lambda p: len(wanted & set(p.kinds)))
        args = [
            self._arg(kind, scope, is_open=position in predicate.open, is_inner=is_inner)
            for position, kind in enumerate(predicate.kinds)
        ]
        return f"{predicate.name}({', '.join(args)})"

    def _arg(self, kind: str, scope: Scope, *, is_open: bool, is_inner: bool) -> str:
        random = self.random
        choice = random.random()
        if kind.startswith('"'):
            return kind
        is_role = kind.startswith("Role:")
        literals = self.schema.literals(kind)
        if literals and choice < (0.7 if is_role else 0.06):
            return random.choice(literals)
        kind = "String" if is_role else kind
        if is_open:
            known = [name for name in scope.known(kind) if name in scope.bound | scope.head]
            return random.choice(known or literals)
        if choice < 0.14:
            return "_"
        known = scope.known(kind)
        if kind == "Integer" and choice < 0.25:
            return "@current_unix_time"
        if known and (choice < 0.85 or is_inner):
            name = random.choice(known)
            scope.bound.add(name)
            return name
        name = scope.new(kind)
        scope.bound.add(name)
        return name
