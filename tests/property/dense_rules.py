"""Dense policies with all that rules can say: recursion beside negation, types that extend others, Integers,
time, "for all", roles and actions that facts decide, relations, own `allow` rules, facts with up to five arguments.

As in `dense_policies`, few predicates are about values of many types, and lines that are refused are left out.
An argument is of one of three sorts: an entity, an Integer or a String.
"""

from collections.abc import Mapping
from itertools import count
from random import Random

from authz_service.facts.fact import Fact
from authz_service.facts.value import Value, integer, string

ENTITY, NUMBER, TEXT = "E", "N", "T"
IDS = ("a", "b")
ACTIONS = ("read", "write")
ROLES = ("low", "top")
TEXTS = (*ACTIONS, *ROLES)
NUMBERS = (0, 1, 2, 3)
DEPTH = 2

Sorts = Mapping[str, str]
"""For each predicate a letter for each argument."""

STORED: Sorts = {
    "p": "E",
    "q": "EE",
    "r": "EE",
    "n": "EN",
    "f": "ETE",
    "t": "EEE",
    "v": "ENEE",
    "w": "ETENE",
}
DERIVED: Sorts = {"k": "E", "l": "EE", "m": "E", "c": "EN", "d": "EEE"}

Scope = dict[str, list[str]]
"""The variables of each sort."""


def policy_lines(random: Random) -> list[str]:
    """Return the lines of a policy, each a statement of its own; not all of them may be accepted."""
    return _Writer(random).lines()


class _Writer:
    def __init__(self, random: Random) -> None:
        self._random = random
        self._types: list[str] = []
        self._known: dict[str, str] = {}
        self._own = ""
        self._fresh = count()

    def lines(self) -> list[str]:
        random = self._random
        lines = self._blocks()
        stored = ["n", *random.sample(list(STORED), 2)]
        for name in stored:
            for _ in range(random.choice((1, 1, 2))):
                kinds = ", ".join(map(self._kind, STORED[name]))
                lines.append(f"declare {name}({kinds});")
            self._known[name] = STORED[name]
        for name in random.sample(list(DERIVED), 2):
            rules = [self._rule(name, DERIVED[name]) for _ in range(random.choice((1, 2, 2, 3)))]
            lines += rules
            self._known[name] = DERIVED[name]
        self._own = "has_permission"
        lines += [self._permission() for _ in range(random.choice((2, 3)))]
        if random.random() < 0.3:
            self._own = "has_role"
            head = f"has_role(u: {self._actor()}, s: String, x: {self._resource()})"
            lines.append(f"{head} if {self._body(['u', 'x'], [], ['s'])};")
        if random.random() < 0.35:
            self._own = "allow"
            head = f"allow(u: {self._actor()}, s: String, x: {self._resource()})"
            more = self._body(["u", "x"], [], ["s"])
            lines.append(f"{head} if has_permission(u, s, x) and {more};")
        return lines

    def _blocks(self) -> list[str]:
        random = self._random
        extends = random.choice(("", "", " extends User"))
        lines = ["actor User {}", f"actor Team{extends} {{}}"]
        up = random.choice(("Doc", "Doc", "Folder"))
        relations = f"up: {up}, by: {random.choice(('User', 'Actor'))}"
        rules = random.sample(
            (
                '"read" if "low";',
                '"low" if "top";',
                'role if role on "up";',
                '"low" if "top" on "up";',
                '"write" if "by" and p(resource);',
                '"top" if "by";',
                'permission if permission on "up";',
                '"read" if "write";',
            ),
            random.randint(0, 3),
        )
        doc = (
            'roles = ["low", "top"]; permissions = ["read", "write"];'
            f" relations = {{ {relations} }}; {' '.join(rules)}"
        )
        lines.append(f"resource Doc {{ {doc} }}")
        lines.append('resource Folder { roles = ["low", "top"]; permissions = ["read", "write"]; }')
        self._types = ["User", "Team", "Doc", "Folder"]
        if random.random() < 0.4:
            lines.append(f"resource Memo extends {random.choice(('Doc', 'Folder'))} {{}}")
            self._types.append("Memo")
        # The fewer types and predicates, the more often rules meet.
        self._types = ["User", "Doc", random.choice(self._types)]
        usual = {"has_role": "ETE", "has_relation": "ETE"}
        self._known |= dict(random.sample(list(usual.items()), random.randint(0, 2)))
        return lines

    def _kind(self, sort: str) -> str:
        if sort == ENTITY:
            return self._random.choice((*self._types, *self._types, "Actor"))
        return "Integer" if sort == NUMBER else "String"

    def _actor(self) -> str:
        return self._random.choice(("User", "User", "Actor"))

    def _resource(self) -> str:
        return self._random.choice(("Doc", "Doc", "Resource"))

    def _permission(self) -> str:
        random = self._random
        head = f"u: {self._actor()}", f"x: {self._resource()}"
        if random.random() < 0.4:
            args, texts = f"{head[0]}, s: String, {head[1]}", ["s"]
        else:
            args, texts = f'{head[0]}, "{random.choice(ACTIONS)}", {head[1]}', []
        body = self._bound({"u": ENTITY, "x": ENTITY}, self._body(["u", "x"], [], texts))
        return f"has_permission({args}) if {body};"

    def _rule(self, name: str, sorts: str) -> str:
        random = self._random
        self._own = name
        names = [f"h{number}" for number in range(len(sorts))]
        params = [f"{one}: {self._kind(sort)}" for one, sort in zip(names, sorts, strict=True)]
        entities = [one for one, sort in zip(names, sorts, strict=True) if sort == ENTITY]
        numbers = [one for one, sort in zip(names, sorts, strict=True) if sort == NUMBER]
        choice = random.random()
        if choice < 0.08 and not numbers:
            return f"{name}({', '.join([self._literal(ENTITY), *params[1:]])});"
        if choice < 0.16 and sorts.startswith("EE"):
            params[1] = names[0]
            entities.remove(names[1])
            if len(params) == 2 and random.random() < 0.5:
                return f"{name}({', '.join(params)});"
        elif choice < 0.24 and numbers:
            params[-1] = random.choice(("@current_unix_time", "1"))
            numbers = []
        bound = {**dict.fromkeys(entities, ENTITY), **dict.fromkeys(numbers, NUMBER)}
        body = self._bound(bound, self._body(entities, numbers, []))
        return f"{name}({', '.join(params)}) if {body};"

    def _bound(self, variables: Mapping[str, str], body: str) -> str:
        """Return the body with conditions on facts before it; without any a rule holds for all values."""
        random = self._random
        found = []
        for variable, sort in variables.items():
            if sort == NUMBER or random.random() < 0.75:
                known = [one for one in STORED if one in self._known and sort in STORED[one]]
                name = random.choice(known)
                args = [
                    random.choice((*variables, "_")) if each == sort == ENTITY else "_"
                    for each in STORED[name]
                ]
                args[random.choice([n for n, each in enumerate(STORED[name]) if each == sort])] = (
                    variable
                )
                args = [
                    one if one == "_" or variables[one] == each else "_"
                    for one, each in zip(args, STORED[name], strict=True)
                ]
                found.append(f"{name}({', '.join(args)})")
        random.shuffle(found)
        return " and ".join([*found, body])

    def _body(self, entities: list[str], numbers: list[str], texts: list[str]) -> str:
        self._fresh = count()
        scope = {ENTITY: [*entities], NUMBER: [*numbers], TEXT: [*texts]}
        return self._conjunction(scope, DEPTH)

    def _conjunction(self, scope: Scope, depth: int) -> str:
        """Return conditions of which those before bind variables of those behind; `scope` has them then."""
        random = self._random
        is_inner = depth < DEPTH
        goals = (
            [self._atom(scope, binds=0.5)] if random.random() < (0.6 if is_inner else 0.3) else []
        )
        goals += [self._goal(scope, depth) for _ in range(random.choice((1, 1, 2)))]
        if random.random() < 0.3:
            random.shuffle(goals)
        return " and ".join(goals)

    def _goal(self, scope: Scope, depth: int) -> str:
        random = self._random
        choice = random.random()
        if choice < 0.25:
            return random.choice(("", "", "not ", "not not ")) + self._test(scope)
        inner = {sort: [*names] for sort, names in scope.items()}
        if choice < 0.35 and depth:
            other = {sort: [*names] for sort, names in scope.items()}
            either = f"({self._conjunction(inner, depth - 1)} or {self._goal(other, depth - 1)})"
            return random.choice(("", "", "not ")) + either
        if choice < 0.47 and depth:
            return f"not ({self._conjunction(inner, depth - 1)})"
        if choice < 0.57 and (measured := self._measured(inner)):
            return random.choice(("", "not ", "not ")) + measured
        if choice < 0.63:  # for all
            return f"not ({self._atom(inner, binds=0.6)} and not {self._atom(inner, binds=0.1)})"
        if choice < 0.8:
            return random.choice(("not ", "not ", "not not ")) + self._atom(inner, binds=0.2)
        return self._atom(scope, binds=0.3)

    def _measured(self, scope: Scope) -> str | None:
        """Return a condition on a number that facts or rules give to what is known, or None if none do."""
        random = self._random
        names = [name for name, sorts in self._known.items() if NUMBER in sorts]
        if not names:
            return None
        name = random.choice(names)
        number = f"n{next(self._fresh)}"
        scope = {**scope, NUMBER: [number]}
        args = [
            number if sort == NUMBER else self._arg(sort, scope, 0.1) for sort in self._known[name]
        ]
        denied = random.choice(("", "not "))
        operator = random.choice(("<", "<=", ">", ">="))
        limit = random.choice(("1", "2", "@current_unix_time"))
        return f"({name}({', '.join(args)}) and {denied}{number} {operator} {limit})"

    def _atom(self, scope: Scope, binds: float) -> str:
        """Return a call, each of whose arguments is as often a variable that is new as `binds` says."""
        random = self._random
        own = [self._own] * 3 if self._own in DERIVED and random.random() < 0.5 else []
        derived = [one for one in self._known if one in DERIVED]
        usable = [*self._known, *derived, *derived, *own]
        if self._own in ("has_permission", "allow"):
            usable.append("has_permission")
        name = random.choice(usable)
        sorts = self._known.get(name) or DERIVED.get(name) or "ETE"
        args = [self._arg(sort, scope, binds) for sort in sorts]
        if name == "has_role" and random.random() < 0.6:
            args[1] = f'"{random.choice(ROLES)}"'
        elif name == "has_permission" and random.random() < 0.6:
            args[1] = f'"{random.choice(ACTIONS)}"'
        elif name == "has_relation":
            args[1] = f'"{random.choice(("up", "up", "by"))}"'
        return f"{name}({', '.join(args)})"

    def _arg(self, sort: str, scope: Scope, binds: float) -> str:
        random = self._random
        choice = random.random()
        if choice < 0.08:
            return random.choice(("_", "_", self._literal(sort)))
        if choice < 0.08 + binds or not scope[sort]:
            scope[sort].append(f"{sort.lower()}{next(self._fresh)}")
            return scope[sort][-1]
        return random.choice(scope[sort])

    def _test(self, scope: Scope) -> str:
        random = self._random
        sorts = [sort for sort in (ENTITY, ENTITY, NUMBER, NUMBER, TEXT) if scope[sort]]
        if not sorts:
            return "true"
        sort = random.choice(sorts)
        name = random.choice(scope[sort])
        choice = random.random()
        if choice < 0.4 and sort == ENTITY:
            word = random.choice(("matches", "matches", "matches", "matches!"))
            return f"{name} {word} {random.choice((*self._types, 'Actor'))}"
        if choice < 0.55:
            literals = dict.fromkeys(self._literal(sort, is_fixed=True) for _ in range(2))
            return f"{name} in [{', '.join(literals)}]"
        operators = ("<", "<=", ">", ">=", "=", "!=") if sort == NUMBER else ("=", "!=")
        other = random.choice((*scope[sort], self._literal(sort)))
        return f"{name} {random.choice(operators)} {other}"

    def _literal(self, sort: str, *, is_fixed: bool = False) -> str:
        random = self._random
        if sort == ENTITY:
            return f'{random.choice(self._types)}{{"{random.choice(IDS)}"}}'
        if sort == NUMBER:
            numbers = [*map(str, NUMBERS), *([] if is_fixed else ["@current_unix_time"])]
            return random.choice(numbers)
        return f'"{random.choice(TEXTS)}"'


def random_facts(random: Random) -> list[Fact]:
    """Return facts about all types, those that no rule can use too."""
    entities = [
        Value(name, text) for name in ("User", "Team", "Doc", "Folder", "Memo") for text in IDS
    ]
    values = {
        ENTITY: entities,
        NUMBER: list(map(integer, NUMBERS)),
        TEXT: list(map(string, TEXTS)),
    }
    share = random.choice((0.1, 0.3))
    facts = {Fact("p", (value,)) for value in entities if random.random() < share}
    for name, sorts in STORED.items():
        size = len(entities) ** sorts.count(ENTITY)
        for _ in range(min(int(size * share), 25)):
            facts.add(Fact(name, tuple(random.choice(values[sort]) for sort in sorts)))
    for _ in range(random.choice((3, 8))):
        role = string(random.choice(ROLES))
        facts.add(Fact("has_role", (random.choice(entities), role, random.choice(entities))))
        name = string(random.choice(("up", "by")))
        facts.add(Fact("has_relation", (random.choice(entities), name, random.choice(entities))))
    return sorted(facts)
