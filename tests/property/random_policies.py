"""Random policies, and facts for them: for comparing engines.

A predicate of a layer uses stored predicates and those of the layers below, so that the VM comes to an
end and negation is stratified; unless recursion is wanted. Variables are mostly bound before they are used, in source order; the
policies that turn out unsafe all the same are refused, and say nothing.
"""

from collections.abc import Iterator
from itertools import count
from random import Random

Signature = tuple[str, ...]

STORED: dict[str, Signature] = {
    "s0": ("User",),
    "s1": ("User", "Doc"),
    "s2": ("Doc", "Doc"),
    "s3": ("Doc", "Integer"),
    "s4": ("User", "String"),
    "s5": ("Doc",),
}
LITERALS = {
    "User": ('User{"a"}', 'User{"b"}'),
    "Doc": ('Doc{"a"}', 'Doc{"x"}'),
    "Integer": ("1", "2"),
    "String": ('"a"', '"z"'),
}
IDS = ("a", "b", "x")


def policy(random: Random, *, recursive: bool = False) -> str:
    """Return the text of a policy over `User` and `Doc` with the actions `read` and `write`.

    If `recursive`, rules may also use the predicate that they derive, under `not` as well.
    """
    known = dict(STORED)
    lines = ["actor User {}", 'resource Doc { permissions = ["read", "write"]; }']
    for name, types in STORED.items():  # tells the types of the stored predicates
        params = [f"x{index}: {kind}" for index, kind in enumerate(types)]
        args = ", ".join(f"x{index}" for index in range(len(types)))
        lines.append(f"known_{name}({', '.join(params)}) if {name}({args});")
    for layer in range(random.randint(1, 4)):
        name = f"l{layer}"
        types = random.choice(
            [("User",), ("Doc",), ("User", "Doc"), ("Doc", "Doc"), ("Doc", "Integer")]
        )
        usable = {**known, name: types} if recursive and random.random() < 0.6 else known
        lines += [_rule(random, name, types, usable) for _ in range(random.randint(1, 3))]
        known[name] = types
    for action in ("read", "write"):
        for _ in range(random.randint(1, 2)):
            rule = _rule(random, "has_permission", ("User", "Doc"), known, allow_fact=False)
            head, comma, rest = rule.partition(", ")
            lines.append(f'{head}, "{action}"{comma}{rest}')
    return "\n".join(lines)


def facts(random: Random) -> list[str]:
    """Return facts of the stored predicates."""
    found = []
    for _ in range(random.randint(0, 40)):
        name = random.choice(list(STORED))
        found.append(f"{name}({', '.join(_value(random, kind) for kind in STORED[name])})")
    return found


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
        known = self.variables.get(kind)
        return random.choice(known) if known else random.choice(LITERALS[kind])


def _rule(
    random: Random,
    name: str,
    types: Signature,
    known: dict[str, Signature],
    *,
    allow_fact: bool = True,
) -> str:
    scope = _Scope(count(), {})
    params = []
    for kind in types:
        choice = random.random()
        if choice < 0.08:
            params.append(random.choice(LITERALS[kind]))
        elif choice < 0.16 and kind != "Integer":
            params.append(f"_: {kind}")
        elif choice < 0.22 and scope.variables.get(kind):
            params.append(random.choice(scope.variables[kind]))
        else:
            params.append(f"{scope.new(kind)}: {kind}")
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
    kind = random.choice(list(LITERALS))
    if choice < 0.56:
        return f"{scope.some(random, kind)} {random.choice(['=', '!='])} {scope.some(random, kind)}"
    if choice < 0.6:
        return f"{scope.some(random, kind)} in [{', '.join(LITERALS[kind])}]"
    if choice < 0.64 and scope.variables.get("Doc"):
        return f"{random.choice(scope.variables['Doc'])} matches Resource"
    return _atom(random, known, scope)


def _atom(random: Random, known: dict[str, Signature], scope: _Scope) -> str:
    name = random.choice(list(known))
    args = []
    for kind in known[name]:
        choice = random.random()
        if choice < 0.1:
            args.append(random.choice(LITERALS[kind]))
        elif choice < 0.2:
            args.append("_")
        elif choice < 0.4:
            args.append(scope.new(kind))
        else:
            args.append(scope.some(random, kind))
    return f"{name}({', '.join(args)})"


def _value(random: Random, kind: str) -> str:
    if kind == "Integer":
        return str(random.randint(0, 3))
    if kind == "String":
        return f'"{random.choice(IDS)}"'
    return f"{kind}:{random.choice(IDS)}"
