"""Rules that depend on themselves, in each way that there is, over pairs of one type."""

from random import Random

from schemas import Predicate, Schema

LEFT = "{r}(x: {t}, z: {t}) if {r}(x, y) and {e}(y, z);"
RIGHT = "{r}(x: {t}, z: {t}) if {e}(x, y) and {r}(y, z);"
BOTH = "{r}(x: {t}, z: {t}) if {r}(x, y) and {r}(y, z);"
BASE = "{r}(x: {t}, y: {t}) if {e}(x, y);"
INVERSE = "{r}(x: {t}, y: {t}) if {r}(y, x);"
TURNED = "{r}(y: {t}, x: {t}) if {e}(x, y);"
SAME = "{r}(x: {t}, x);"
WAYS = {
    "left": [BASE, LEFT],
    "right": [BASE, RIGHT],
    "both": [BASE, BOTH],
    "inverse": [BASE, INVERSE, RIGHT],
    "both ways": [BASE, TURNED, RIGHT],
    "reflexive": [SAME, RIGHT],
    "mutual": [
        "{r}(x: {t}, z: {t}) if {e}(x, y) and {r}o(y, z);",
        "{r}o(x: {t}, y: {t}) if {e}(x, y);",
        "{r}o(x: {t}, z: {t}) if {e}(x, y) and {r}(y, z);",
    ],
    "around a negation": [
        "{r}(x: {t}, y: {t}) if {e}(x, y) and not {r}b(x, y);",
        "{r}(x: {t}, z: {t}) if {r}(x, y) and {e}(y, z) and not {r}b(x, z);",
        "{r}b(x: {t}, y: {t}) if {e}(y, x);",
        "{r}b(x: {t}, z: {t}) if {r}b(x, y) and {r}b(y, z);",
    ],
}


def recursive_rules(random: Random, schema: Schema) -> tuple[list[str], list[Predicate]]:
    """Return rules over one or two pairs of stored predicates, and what they derive."""
    lines: list[str] = []
    derived: list[Predicate] = []
    for number in range(random.choice((0, 1, 1, 2))):
        edge = random.choice(_edges(schema))
        kind = edge.kinds[0]
        names = {"r": f"r{number}", "t": kind, "e": edge.name}
        way = random.choice(list(WAYS))
        rules = [line.format(**names) for line in WAYS[way]]
        random.shuffle(rules)
        lines += rules
        reached = Predicate(
            f"r{number}", (kind, kind), frozenset((0, 1)) if way == "reflexive" else frozenset()
        )
        derived.append(reached)
        more, others = _uses(random, reached, number)
        lines += more
        derived += others
    return lines, derived


def _edges(schema: Schema) -> list[Predicate]:
    return [
        p
        for p in schema.stored
        if len(p.kinds) == 2 and p.kinds[0] == p.kinds[1] and p.kinds[0] in schema.types
    ]


def _uses(random: Random, reached: Predicate, number: int) -> tuple[list[str], list[Predicate]]:
    """Return rules that ask for what is reached, under `not` as well and with a free argument."""
    kind = reached.kinds[0]
    lines: list[str] = []
    derived: list[Predicate] = []
    is_open = bool(reached.open)
    if random.random() < 0.5:
        stored = f"s{'0' if kind == 'Doc' else '1'}"
        lines.append(
            f"n{number}(u: User, x: {kind}) if {stored}(u, x) and not {reached.name}(x, x);"
        )
        derived.append(Predicate(f"n{number}", ("User", kind)))
    if random.random() < 0.5 and not is_open:
        stored = f"s{'0' if kind == 'Doc' else '1'}"
        lines.append(f"o{number}(u: User, x: {kind}) if {stored}(u, y) and {reached.name}(y, x);")
        derived.append(Predicate(f"o{number}", ("User", kind)))
    if random.random() < 0.4 and kind == "Doc" and not is_open:
        lines.append(
            f"a{number}(u: User, x: Doc) if s0(u, x) and "
            f"not ({reached.name}(x, y) and y != x and not s0(u, y));"
        )
        derived.append(Predicate(f"a{number}", ("User", "Doc")))
    if random.random() < 0.3 and not is_open:
        lines += [
            f"v{number}(x: Doc, n: Integer) if s4(x, n);",
            f"v{number}(x: Doc, n: Integer) if s2(x, y) and v{number}(y, n) and n < 3;",
        ]
        derived.append(Predicate(f"v{number}", ("Doc", "Integer")))
    return lines, derived
