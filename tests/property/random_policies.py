"""Random policies, and facts and questions for them: for comparing engines.

A predicate of a layer uses stored predicates, roles and those of the layers below, so that the VM comes to
an end and negation is stratified; unless recursion is wanted. Variables are mostly bound before they are
used, in source order; the policies that turn out unsafe all the same are refused, and say nothing.
"""

from collections.abc import Iterator
from functools import partial
from itertools import count, product
from random import Random

Signature = tuple[str, ...]

STORED: dict[str, Signature] = {
    "s0": ("User",),
    "s1": ("User", "Doc"),
    "s2": ("Doc", "Doc"),
    "s3": ("Doc", "Integer"),
    "s4": ("User", "String"),
    "s5": ("Doc",),
    "s6": ("Team", "User"),
    "s7": ("Doc", "Boolean"),
    "s8": ("Doc", "User", "Integer"),
}
ROLES: dict[str, Signature] = {
    "has_role": ("User", "Role", "Doc"),
    "has_relation": ("Doc", "Relation", "Doc"),
}
NOW = 2  # among the Integers of the facts

LITERALS = {
    "User": ('User{"a"}', 'User{"b, \\"c"}'),
    "Team": ('Team{"a"}', 'Team{"b"}'),
    "Doc": ('Doc{"a"}', 'Memo{"a"}', 'Doc{"x"}'),
    "Integer": ("1", "2"),
    "Boolean": ("true", "false"),
    "String": ('"a"', '"z"'),
    "Role": ('"low"', '"mid"', '"top"'),
    "Relation": ('"up"', '"side"'),
}
IDS = ("a", 'b, \\"c', "x")
TYPES = {"User": ("User",), "Team": ("Team",), "Doc": ("Doc", "Memo")}
ACTIONS = ("read", "write")

# Each line may stand in the block of Doc. Roles only follow from higher ones, so that nothing is circular
# but what goes up, and facts about "up" go downhill.
SHORTHAND = (
    '"low" if "mid";',
    '"mid" if "top";',
    'role if role on "up";',
    '"low" if "low" on "up";',
    '"mid" if "owner";',
    '"low" if "mid" on "side" and s5(resource);',
    '"low" if "top" or "owner" on "up";',
    '"top" if global "boss";',
    "role if s9(actor, role);",
)
PERMISSIONS = (
    '"{}" if "low";',
    '"{}" if "mid" and (global "staff" or s5(resource));',
    '"{}" if "owner";',
    '"{}" if role;',
    '"{}" if global "admit";',
)


def policy(random: Random, *, recursive: bool = False) -> str:
    """Return the text of a policy over users, teams, documents and memos, with the actions ACTIONS.

    If `recursive`, rules may also use the predicate that they derive, under `not` as well.
    """
    known = dict(STORED)
    # In some policies types must be inferred; these are mostly refused.
    is_typed = random.random() < 0.8
    lines = [*_blocks(random), *_declarations(random, 1.0 if is_typed else 0.75)]
    rule = partial(_rule, random, untyped=0.0 if is_typed else 0.06)
    for layer in range(random.randint(1, 4)):
        name = f"l{layer}"
        types = random.choice(
            [("User",), ("Doc",), ("User", "Doc"), ("Doc", "Doc"), ("Doc", "Integer"), ()]
        )
        usable = {**known, **ROLES}
        if recursive and random.random() < 0.6:
            usable[name] = types
        lines += [rule(name, types, usable) for _ in range(random.randint(1, 3))]
        known[name] = types
    usable = {**known, **ROLES}
    for action in ACTIONS:
        types = ("User", f'"{action}"', "Doc")
        for _ in range(random.randint(1, 2)):
            lines.append(rule("has_permission", types, usable, allow_fact=False))
    if random.random() < 0.3:
        types = ("User", random.choice(LITERALS["Role"]), "Doc")
        lines.append(rule("has_role", types, usable if recursive else known))
    if random.random() < 0.3:
        condition = _goal(random, known, _Scope(count(), {"User": ["u"], "Doc": ["d"]}), 2)
        lines.append(
            f"allow(u: User, a: String, d: Doc) if has_permission(u, a, d) and {condition};"
        )
    return "\n".join(lines)


def _blocks(random: Random) -> list[str]:
    """The blocks, with some shorthand rules; their roles and permissions are always declared."""
    inside = random.sample(SHORTHAND, random.randint(0, 5))
    for action in ACTIONS:
        inside += [line.format(action) for line in random.sample(PERMISSIONS, random.randint(0, 2))]
    return [
        'global { roles = ["staff", "boss"]; permissions = ["admit"]; "admit" if "boss"; }',
        "actor User {}",
        "actor Team {}",
        'resource Doc { roles = ["low", "mid", "top"]; permissions = ["read", "write"];',
        "  relations = { up: Doc, side: Doc, owner: User };",
        *(f"  {line}" for line in inside),
        "}",
        "resource Memo extends Doc {}",
    ]


def _declarations(random: Random, declared: float) -> Iterator[str]:
    """Tell the types of most stored predicates; those of the others follow from the rules, or do not."""
    yield "declare s9(User, String);"
    for name, types in STORED.items():
        if random.random() < declared:
            yield f"declare {name}({', '.join(types)});"


def facts(random: Random) -> list[str]:
    """Return facts of the stored predicates. Documents are up from others with a smaller id only."""
    found = []
    for _ in range(random.randint(0, 80)):
        name = random.choice([*STORED, "has_role", "has_relation", "global", "s9"])
        if name == "global":
            found.append(
                f'has_role({_value(random, "User")}, "{random.choice(["staff", "boss"])}")'
            )
        elif name == "s9":
            found.append(f"s9({_value(random, 'User')}, {random.choice(LITERALS['Role'])})")
        elif name == "has_relation":
            found.append(_relation(random))
        else:
            types = {**STORED, **ROLES}[name]
            found.append(f"{name}({', '.join(_value(random, kind) for kind in types)})")
    return found


def _relation(random: Random) -> str:
    kind = random.choice(["up", "side", "owner"])
    if kind == "owner":
        return f'has_relation({_value(random, "Doc")}, "owner", {_value(random, "User")})'
    low, high = sorted(random.sample(IDS, 2))
    types = random.choice(TYPES["Doc"]), random.choice(TYPES["Doc"])
    return f'has_relation({types[0]}:"{high}", "{kind}", {types[1]}:"{low}")'


def questions() -> Iterator[tuple[str, str, str]]:
    """Every question about the ids of facts and one that occurs nowhere: actor, action, resource."""
    actors = [f"User:{i}" for i in ("a", 'b, "c', "q")]
    resources = ["Doc:a", "Doc:x", "Memo:a", "Memo:q"]
    return product(actors, ACTIONS, resources)


class _Scope:
    """The variables that can be used where the text stands, by type; new names are new in the rule."""

    def __init__(self, names: Iterator[int], variables: dict[str, list[str]]) -> None:
        self.names = names
        self.variables = variables

    def inner(self) -> "_Scope":
        return _Scope(self.names, {kind: list(names) for kind, names in self.variables.items()})

    def new(self, kind: str) -> str:
        name = f"{kind[0].lower()}{next(self.names)}"
        self.variables.setdefault(kind, []).append(name)
        return name

    def some(self, random: Random, kind: str) -> str:
        if kind == "Integer" and random.random() < 0.2:
            return "@current_unix_time"
        known = self.variables.get(kind)
        return random.choice(known) if known else random.choice(LITERALS[kind])


def _rule(
    random: Random,
    name: str,
    types: Signature,  # or the very literal that stands there
    known: dict[str, Signature],
    *,
    allow_fact: bool = True,
    untyped: float,
) -> str:
    scope = _Scope(count(), {})
    params = []
    for kind in types:
        choice = random.random()
        if kind.startswith('"'):
            params.append(kind)
        elif choice < 0.08:
            params.append(random.choice(LITERALS[kind]))
        elif choice < 0.16 and kind != "Integer":
            params.append(f"_: {kind}")
        elif choice < 0.22 and scope.variables.get(kind):
            params.append(random.choice(scope.variables[kind]))
        else:
            variable = scope.new(kind)
            params.append(variable if random.random() < untyped else f"{variable}: {kind}")
    if allow_fact and "Integer" not in types and random.random() < 0.1:
        return f"{name}({', '.join(params)});"
    return f"{name}({', '.join(params)}) if {_conjunction(random, known, scope, depth=2)};"


def _conjunction(random: Random, known: dict[str, Signature], scope: _Scope, depth: int) -> str:
    goals = [_atom(random, known, scope)]
    goals += [_goal(random, known, scope, depth) for _ in range(random.randint(0, 3))]
    random.shuffle(goals)
    return " and ".join(goals)


def _goal(random: Random, known: dict[str, Signature], scope: _Scope, depth: int) -> str:
    choice = random.random()
    if depth and choice < 0.15:
        return f"not ({_conjunction(random, known, scope.inner(), depth - 1)})"
    if choice < 0.25:
        return f"not {_atom(random, known, scope.inner())}"
    if depth and choice < 0.4:
        branches = (_conjunction(random, known, scope.inner(), depth - 1) for _ in range(2))
        return f"({' or '.join(f'({branch})' for branch in branches)})"
    if choice < 0.48:
        pair = scope.some(random, "Integer"), scope.some(random, "Integer")
        return f"{pair[0]} {random.choice(['<', '<=', '>', '>=', '!=', '='])} {pair[1]}"
    kind = random.choice([kind for kind in LITERALS if kind not in ("Role", "Relation")])
    if choice < 0.56:
        return f"{scope.some(random, kind)} {random.choice(['=', '!='])} {scope.some(random, kind)}"
    if choice < 0.6:
        return f"{scope.some(random, kind)} in [{', '.join(LITERALS[kind])}]"
    if choice < 0.66 and scope.variables.get("Doc"):
        test = random.choice(["matches Resource", "matches Memo", "matches! Doc", "matches Doc"])
        return f"{random.choice(scope.variables['Doc'])} {test}"
    if choice < 0.68:
        return random.choice(["true", "false"])
    return _atom(random, known, scope)


def _atom(random: Random, known: dict[str, Signature], scope: _Scope) -> str:
    name = random.choice(list(known))
    args = []
    for kind in known[name]:
        choice = random.random()
        if kind == "Relation" or (kind == "Role" and choice < 0.7) or choice < 0.1:
            args.append(random.choice(LITERALS[kind]))
        elif choice < 0.2:
            args.append("_")
        elif choice < 0.4:
            args.append(scope.new("String" if kind == "Role" else kind))
        else:
            args.append(scope.some(random, "String" if kind == "Role" else kind))
    return f"{name}({', '.join(args)})"


def _value(random: Random, kind: str) -> str:
    if kind == "Integer":
        return str(random.randint(0, 3))
    if kind in ("Boolean", "Role", "Relation"):
        return random.choice(LITERALS[kind])
    if kind == "String":
        return f'"{random.choice(IDS)}"'
    return f'{random.choice(TYPES[kind])}:"{random.choice(IDS)}"'
