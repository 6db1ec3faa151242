"""Dense policies: few predicates, each about values of several types, that rules ask for and deny through one another.

Random policies are broad. What goes wrong only where a rule that denies is denied in turn, or where values of
types that a rule does not mean stand in the same facts, is too seldom among them.

Lines that the analysis refuses are left out until it accepts the others. Over some random facts each policy is
asked every question and every list, of the compiled engine and the reference.
"""

import argparse
from collections.abc import Iterator, Sequence
from random import Random

from authz_service.engine.engines import Engine, loader
from authz_service.engine.verification import (
    Comparison,
    Questions,
    compare,
    compare_lists,
    kinds_of_questions,
    lists_of,
)
from authz_service.facts.fact import Fact
from authz_service.facts.policy_text import PolicyFile
from authz_service.facts.snapshot import FactSnapshot
from authz_service.facts.value import Value
from authz_service.polar.compile import check_policy
from authz_service.polar.diagnostic import PolicyInvalid

NOW = 2
STEPS = 200_000
IDS = ("a", "b")
TYPES = ("User", "Team", "Doc", "Folder")
KINDS = (*TYPES, *TYPES, "Actor", "Resource")
STORED = {"p": 1, "q": 2, "r": 2}
DERIVED = {"k": 1, "l": 2, "m": 1}
LITERALS = tuple(f'{name}{{"a"}}' for name in TYPES)


def policy_lines(random: Random) -> list[str]:
    """Return the lines of a policy, each a statement of its own; not all of them may be accepted."""
    lines = [
        "actor User {}",
        random.choice(("actor Team {}", "actor Team extends User {}")),
        'resource Doc { permissions = ["read"]; }',
        'resource Folder { permissions = ["read"]; }',
    ]
    for name, arity in STORED.items():
        kinds = [random.choices(KINDS, k=arity) for _ in range(random.randint(1, 2))]
        lines += [f"declare {name}({', '.join(one)});" for one in kinds]
    known = dict(STORED)
    for name, arity in DERIVED.items():
        lines += [_rule(random, name, arity, known) for _ in range(random.choice((1, 1, 2)))]
        known[name] = arity
    for _ in range(random.choice((1, 2))):
        actor, resource = random.choice(("User", "Actor")), random.choice(("Doc", "Resource"))
        head = f'has_permission(u: {actor}, "read", d: {resource})'
        lines.append(f"{head} if {_body(random, ['u', 'd'], known)};")
    return lines


def _rule(random: Random, name: str, arity: int, known: dict[str, int]) -> str:
    names = [f"h{number}" for number in range(arity)]
    choice = random.random()
    params = [f"{one}: {random.choice(KINDS)}" for one in names]
    if choice < 0.15:
        return f"{name}({', '.join([random.choice(LITERALS), *params[1:]])});"
    if choice < 0.22 and arity == 2:
        return f"{name}({params[0]}, {names[0]});"
    return f"{name}({', '.join(params)}) if {_body(random, names, known)};"


def _body(random: Random, names: Sequence[str], known: dict[str, int]) -> str:
    names = [*names, *names, "x"]
    return " and ".join(_goal(random, names, known) for _ in range(random.choice((1, 1, 2, 3))))


def _goal(random: Random, names: Sequence[str], known: dict[str, int]) -> str:
    choice = random.random()
    name = random.choice(names)
    if choice < 0.1:
        test = f"{name} {random.choice(('=', '!='))} {random.choice([*names, *LITERALS])}"
    elif choice < 0.2:
        test = f"{name} in [{', '.join(random.sample(LITERALS, 2))}]"
    elif choice < 0.25:
        test = f"{name} matches {random.choice(TYPES)}"
    elif choice < 0.32:
        test = f"({_goal(random, names, known)} or {_goal(random, names, known)})"
    else:
        predicate = random.choice(list(known))
        args = [random.choice(names) for _ in range(known[predicate])]
        if random.random() < 0.15:
            args[-1] = random.choice(("_", *LITERALS))
        test = f"{predicate}({', '.join(args)})"
    return random.choice(("", "", "not ", "not ", "not not ")) + test


def random_facts(random: Random) -> list[Fact]:
    """Return facts about all types, those that no rule can use too."""
    values = [Value(name, text) for name in TYPES for text in IDS]
    every = [Fact("p", (value,)) for value in values]
    every += [Fact(name, (one, other)) for name in "qr" for one in values for other in values]
    share = random.choice((0.15, 0.4))
    return [fact for fact in every if random.random() < share]


def accepted(lines: Sequence[str]) -> list[PolicyFile] | None:
    """Return the policy of those lines that can stand together; None if something is wrong with no line."""
    left = list(lines)
    while True:
        file = PolicyFile("policy.polar", "\n".join(left) + "\n")
        try:
            check_policy([file])
        except PolicyInvalid as error:
            refused = {one.span.line for one in error.diagnostics}
            kept = [line for number, line in enumerate(left, 1) if number not in refused]
            if len(kept) == len(left):
                return None
            left = kept
        else:
            return [file]


def comparisons(seed: int) -> Iterator[Comparison]:
    """Yield what the engines say to everything that can be asked; nothing of a policy that is refused."""
    random = Random(seed)
    files = accepted(policy_lines(random))
    if files is None:
        return
    reference = loader(Engine.REFERENCE)(files)
    programs = {
        Engine.REFERENCE: reference.program,
        Engine.COMPILED: loader(Engine.COMPILED)(files).program,
    }
    policy = reference.policy
    facts = random_facts(random)
    kinds = kinds_of_questions(policy, ("read",))
    questions = list(Questions(policy, facts, kinds))
    snapshot = FactSnapshot(facts)
    yield from compare(programs, questions, snapshot, NOW, STEPS)
    yield from compare_lists(programs, lists_of(policy, questions), snapshot, NOW, STEPS)


def main() -> int:
    """Compare so many policies, and return 1 if answers differ."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--policies", type=int, default=5000)
    parser.add_argument("--first", type=int, default=0, help="the first seed")
    arguments = parser.parse_args()
    asked = differences = policies = 0
    for seed in range(arguments.first, arguments.first + arguments.policies):
        before = asked
        for one in comparisons(seed):
            asked += 1
            if one.differs:
                differences += 1
                print(f"seed {seed}: {one.question}: {one.answers}")
        policies += asked > before
    print(f"dense policies: {policies:,}, {asked:,} questions and lists, {differences} differences")
    return min(differences, 1)


if __name__ == "__main__":
    raise SystemExit(main())
