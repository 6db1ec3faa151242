"""Random policies without recursion, and facts for them: for comparing engines.

A predicate of a layer uses stored predicates and those of the layers below, so that the VM comes to an
end and negation is stratified. About half of the policies are refused as unsafe; these say nothing.
"""

from random import Random

STORED = {
    "s0": ("User",),
    "s1": ("User", "Doc"),
    "s2": ("Doc", "Doc"),
    "s3": ("Doc", "Integer"),
    "s4": ("User", "String"),
    "s5": ("Doc",),
}
VARIABLES = {"User": ("u", "v"), "Doc": ("d", "e"), "Integer": ("n", "m"), "String": ("s",)}
LITERALS = {
    "User": ('User{"a"}', 'User{"b"}'),
    "Doc": ('Doc{"a"}', 'Doc{"x"}'),
    "Integer": ("1", "2"),
    "String": ('"a"', '"z"'),
}
IDS = ("a", "b", "x")


def policy(random: Random) -> str:
    """Return the text of a policy over `User` and `Doc` with the actions `read` and `write`."""
    known = dict(STORED)
    lines = ["actor User {}", 'resource Doc { permissions = ["read", "write"]; }']
    for name, types in STORED.items():  # tells the types of the stored predicates
        params = [f"x{index}: {kind}" for index, kind in enumerate(types)]
        args = ", ".join(f"x{index}" for index in range(len(types)))
        lines.append(f"known_{name}({', '.join(params)}) if {name}({args});")
    for layer in range(random.randint(1, 3)):
        name, types = f"l{layer}", random.choice([("User",), ("Doc",), ("User", "Doc"), ("Doc", "Doc")])
        lines += [_rule(random, name, types, known) for _ in range(random.randint(1, 3))]
        known[name] = types
    for action in ("read", "write"):
        for _ in range(random.randint(1, 2)):
            body = _conjunction(random, known, depth=2)
            user, doc = random.choice(["u", "u", "_"]), random.choice(["d", "d", "_"])
            lines.append(f'has_permission({user}: User, "{action}", {doc}: Doc) if {body};')
    return "\n".join(lines)


def facts(random: Random) -> list[str]:
    """Return facts of the stored predicates."""
    found = []
    for _ in range(random.randint(0, 14)):
        name = random.choice(list(STORED))
        found.append(f"{name}({', '.join(_value(random, kind) for kind in STORED[name])})")
    return found


def _rule(random: Random, name: str, types: tuple[str, ...], known: dict[str, tuple[str, ...]]) -> str:
    params = []
    for kind in types:
        choice = random.random()
        if choice < 0.1:
            params.append(random.choice(LITERALS[kind]))
        elif choice < 0.2:
            params.append(f"_: {kind}")
        else:
            params.append(f"{random.choice(VARIABLES[kind])}: {kind}")
    if random.random() < 0.15:
        return f"{name}({', '.join(params)});"
    return f"{name}({', '.join(params)}) if {_conjunction(random, known, depth=2)};"


def _conjunction(random: Random, known: dict[str, tuple[str, ...]], depth: int) -> str:
    return " and ".join(_goal(random, known, depth) for _ in range(random.randint(1, 4)))


def _goal(random: Random, known: dict[str, tuple[str, ...]], depth: int) -> str:
    choice = random.random()
    if depth and choice < 0.12:
        return f"not ({_conjunction(random, known, depth - 1)})"
    if choice < 0.2:
        return f"not {_atom(random, known)}"
    if depth and choice < 0.32:
        branches = [_conjunction(random, known, depth - 1) for _ in range(2)]
        return f"({' or '.join(f'({branch})' for branch in branches)})"
    if choice < 0.37:
        return f"{random.choice('nm')} {random.choice(['<', '<=', '>', '>=', '!=', '='])} {random.choice('nm12')}"
    if choice < 0.42:
        kind = random.choice(list(VARIABLES))
        pair = (random.choice(VARIABLES[kind]), random.choice(VARIABLES[kind] + LITERALS[kind]))
        return f"{pair[0]} {random.choice(['=', '!='])} {pair[1]}"
    if choice < 0.46:
        kind = random.choice(list(VARIABLES))
        return f"{random.choice(VARIABLES[kind])} in [{', '.join(LITERALS[kind])}]"
    if choice < 0.5:
        kind = random.choice(["User", "Doc"])
        return f"{random.choice(VARIABLES[kind])} matches {random.choice([kind, kind, 'Actor', 'Resource'])}"
    return _atom(random, known)


def _atom(random: Random, known: dict[str, tuple[str, ...]]) -> str:
    name = random.choice(list(known))
    args = []
    for kind in known[name]:
        choice = random.random()
        if choice < 0.1:
            args.append(random.choice(LITERALS[kind]))
        elif choice < 0.18:
            args.append("_")
        else:
            args.append(random.choice(VARIABLES[kind]))
    return f"{name}({', '.join(args)})"


def _value(random: Random, kind: str) -> str:
    if kind == "Integer":
        return str(random.randint(0, 3))
    if kind == "String":
        return f'"{random.choice(IDS)}"'
    return f"{kind}:{random.choice(IDS)}"
