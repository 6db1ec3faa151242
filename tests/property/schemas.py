"""Random vocabularies: the types, roles, permissions, relations and stored predicates of one policy.

A signature gives the kind of each argument: a type, `String`, `Integer`, `Boolean`, or a literal as the
policy writes it, which is then the only value. `Role:Doc` is a String that is mostly a role of Doc.
"""

from dataclasses import dataclass, field
from random import Random

Signature = tuple[str, ...]

# Everything that separates something somewhere, and ids that look like other values.
IDS = (
    "a", "b", "c", "d", 'b, "c', "x:y", "User:a", "a)", "f(x, y)", "back\\slash", '\\"', "it's", "é",
    "日本", "two words", " ", "_", "*", "true", "1", "-9", "a|b", "#", "{a}", "💥", "A", "e\u0301",
)  # fmt: skip
ROLES = ("low", "mid", "top", 'x, "y"', "é:1")
PERMISSIONS = ("read", "write", "share all", 'p)("')
GLOBAL_ROLES = ("staff", "boss")
GLOBAL_PERMISSIONS = ("admit",)
PRIMITIVES = ("String", "Integer", "Boolean")
INTEGERS = (0, 1, 2, 3, -3, 77, 2**31, 2**53 + 1, -(2**63) + 1, 2**63 - 1)
NOW = 2  # among the Integers of policies and facts
ARITIES = (1, 1, 2, 2, 2, 2, 3, 3, 4, 5)


@dataclass(frozen=True)
class Predicate:
    """A predicate that rules can ask for. `open` are the positions at which it may hold for every value."""

    name: str
    kinds: Signature
    open: frozenset[int] = frozenset()


@dataclass
class Schema:
    """What the blocks of a policy declare, inherited names included, and what is stored besides."""

    ids: tuple[str, ...]
    actors: list[str]
    resources: list[str]
    parents: dict[str, tuple[str, ...]]
    roles: dict[str, tuple[str, ...]] = field(default_factory=dict)
    permissions: dict[str, tuple[str, ...]] = field(default_factory=dict)
    relations: dict[str, dict[str, str]] = field(default_factory=dict)
    stored: list[Predicate] = field(default_factory=list)
    open_roles: bool = False
    """Whether rules may give a role to every actor or on every resource."""

    @property
    def types(self) -> list[str]:
        return self.actors + self.resources

    def accepted(self, kind: str) -> list[str]:
        """Return the types whose values may stand where `kind` is wanted, itself included."""
        if kind == "Actor":
            return ["Actor", *self.actors]
        if kind == "Resource":
            return ["Resource", "Actor", *self.types]
        below = [t for t in self.types if t != kind and kind in self._above(t)]
        return [kind, *below]

    def inherited(self, kind: str, of: dict[str, dict[str, str]]) -> dict[str, str]:
        """Return what `kind` and the types that it extends have in `of`."""
        found: dict[str, str] = {}
        for name in [*reversed(self._above(kind)), kind]:
            found.update(of.get(name, {}))
        return found

    def roles_of(self, kind: str) -> tuple[str, ...]:
        return self._merged(kind, self.roles)

    def permissions_of(self, kind: str) -> tuple[str, ...]:
        return self._merged(kind, self.permissions)

    def relations_of(self, kind: str) -> dict[str, str]:
        return self.inherited(kind, self.relations)

    def literals(self, kind: str) -> list[str]:
        """Return some literals of `kind` as a policy writes them."""
        if kind.startswith('"'):
            return [kind]
        if kind.startswith("Role:"):
            return [quoted(role) for role in self.roles_of(kind.removeprefix("Role:"))]
        if kind == "Integer":
            return [str(number) for number in (0, 1, 1, 2, 2, 3, *INTEGERS)]
        if kind == "Boolean":
            return ["true", "false"]
        if kind == "String":
            return [quoted(text) for text in (*self.ids, ROLES[0])]
        concrete = [t for t in self.accepted(kind) if t in self.types]
        return [f"{name}{{{quoted(text)}}}" for name in concrete for text in self.ids[:2]]

    def _merged(self, kind: str, of: dict[str, tuple[str, ...]]) -> tuple[str, ...]:
        names = [name for t in [*self._above(kind), kind] for name in of.get(t, ())]
        return tuple(dict.fromkeys(names))

    def _above(self, kind: str) -> list[str]:
        above = list(self.parents.get(kind, ()))
        for parent in self.parents.get(kind, ()):
            above += self._above(parent)
        return above


def quoted(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


def random_schema(random: Random) -> Schema:
    """Return a vocabulary of two to seven types. There always are User and Doc."""
    actors = ["User"]
    resources = ["Doc"]
    parents: dict[str, tuple[str, ...]] = {}
    if random.random() < 0.5:
        actors.append("Team")
    if random.random() < 0.25:
        actors.append("Bot")
        parents["Bot"] = ("User",)
    if random.random() < 0.45:
        resources.append("Folder")
    if random.random() < 0.35:
        resources.append("Memo")
        has_two = "Folder" in resources and random.random() < 0.3
        parents["Memo"] = ("Doc", "Folder") if has_two else ("Doc",)
    if random.random() < 0.12:
        resources.append("Büro")
    schema = Schema(_ids(random), actors, resources, parents)
    for name in schema.types:
        _declare(random, schema, name)
    schema.stored = _stored(random, schema)
    schema.open_roles = random.random() < 0.25
    return schema


def _ids(random: Random) -> tuple[str, ...]:
    plain = random.random() < 0.3
    return tuple(random.sample(IDS[:4] if plain else IDS, random.randint(3, 4)))


def _declare(random: Random, schema: Schema, name: str) -> None:
    """Give the type `name` roles, permissions and relations of its own."""
    inherits = name in schema.parents
    is_resource = name in schema.resources
    if random.random() < (0.3 if inherits else 0.85 if is_resource else 0.3):
        inherited = schema.roles_of(name)
        own = [role for role in ROLES if role not in inherited]
        number = min(len(own), random.randint(1, 3))
        schema.roles[name] = tuple(sorted(random.sample(own, number)))
    # A name may be declared once only, whether here or above.
    if is_resource and not inherits:
        schema.permissions[name] = tuple(random.sample(PERMISSIONS, random.randint(1, 2)))
    elif random.random() < 0.2 and not inherits:
        schema.permissions[name] = ("act as",)
    schema.relations[name] = {
        relation: kind
        for relation, kind in _relations(name, schema).items()
        if random.random() < 0.55
    }


def _relations(name: str, schema: Schema) -> dict[str, str]:
    targets = {
        "User": {"manager": "User"},
        "Team": {"part_of": "Team", "lead": "User"},
        "Bot": {},
        "Doc": {"up": "Doc", "side": "Doc", "folder": "Folder", "owner": "User", "author": "User", "any": "Actor"},
        "Folder": {"parent": "Folder", "home": "Doc", "keeper": "User", "team": "Team"},
        "Memo": {"about": "Resource", "reply_to": "Memo"},
        "Büro": {"chief": "User", "folder": "Folder"},
    }[name]  # fmt: skip
    known = {*schema.types, "Actor", "Resource"}
    return {relation: kind for relation, kind in targets.items() if kind in known}


def _stored(random: Random, schema: Schema) -> list[Predicate]:
    """Return predicates of 1 to 5 arguments, some of one name, two about pairs of one type."""
    kinds = ["User", "User", "Doc", "Doc", *schema.types, *PRIMITIVES, "Integer", "Actor"]
    kinds.append("Resource")
    found = [Predicate("s0", ("User", "Doc")), Predicate("s1", ("User", "User"))]
    found.append(Predicate("s2", ("Doc", "Doc")))
    found.append(Predicate("s3", (random.choice(("User", "Doc")),)))
    found.append(Predicate("s4", ("Doc", "Integer")))
    for number in range(5, random.randint(6, 8)):
        arity = random.choice(ARITIES)
        found.append(Predicate(f"s{number}", tuple(random.choices(kinds, k=arity))))
    other = random.choice(found)
    arity = random.choice([n for n in range(1, 6) if n != len(other.kinds)])
    found.append(Predicate(other.name, tuple(random.choices(kinds, k=arity))))
    return found
