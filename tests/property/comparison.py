"""One random policy with its facts and questions, put to two evaluators that know nothing of each other.

`python tests/property/comparison.py oso|clingo POLICIES [FIRST_SEED]` compares many and prints what they
were like; the tests compare some.
"""

import re
import sys
from collections import Counter
from collections.abc import Iterator
from random import Random

import random_policies
from answer_sets import allow_text, permitted
from examples import STEPS, entity, fact, load, permits, snapshot
from random_policies import NOW

from authz_service.engine.engines import Engine
from authz_service.engine.program import Budget
from authz_service.errors import EngineUnsupported, EvaluationLimitReached
from authz_service.facts.value import BOOLEAN, INTEGER, STRING, Value, string
from authz_service.polar.diagnostic import PolicyInvalid

# What a random policy may be refused for; anything else is a defect of the generator or of the checks.
REFUSALS = {"P301", "P303", "P401", "P402"}

# For clingo. The last ones of each type occur in no policy, fact or question.
VALUES = [
    Value(kind, text)
    for kind, texts in {
        "User": ["a", 'b, "c', "x", "q", "f1", "f2"],
        "Team": ["a", "b", 'b, "c', "x", "f1"],
        "Doc": ["a", 'b, "c', "x", "q", "f1", "f2"],
        "Memo": ["a", 'b, "c', "x", "q", "f1"],
        STRING: ["a", "z", "x", "low", "mid", "top", "up", "side", "read", "write", "f1", "f2"],
        INTEGER: ["0", "1", "2", "3", "77", "-9"],
        BOOLEAN: ["true", "false"],
    }.items()
    for text in texts
]
CONSTRUCTS = {
    "shorthand": r'"(low|mid|top|read|write)" if|role if',
    "on": r'" on "',
    "global": r"if global|and \(global",
    "role if role": r"role if role",
    "not": r"not [a-z]",
    "not (...)": r"not \(",
    "or": r" or ",
    "ordering": r" [<>]=? ",
    "= and !=": r"[a-z0-9] !?= ",
    "in": r" in \[",
    "matches": r"matches (Doc|Memo|Resource)",
    "matches!": r"matches!",
    "@current_unix_time": r"@current",
    "true or false as condition": r"(and|if|\() ?(true|false)[ ;)]",
    "wildcard": r"_: ",
    "fact in the policy": r"^l\d\([^;]*\);$",
    "no arguments": r"l\d\(\)",
    "object literal": r'(User|Team|Doc|Memo)\{"',
    "own allow": r"^allow",
    "longhand role": r"^has_role",
}

Asked = Iterator[tuple[bool, bool]]


def against_oso(seed: int) -> tuple[str, Counter[str]]:
    """Return the policy and the outcomes of its questions. Raises AssertionError on a difference."""
    random = Random(seed)
    text = random_policies.policy(random)
    loaded = _loaded(text)
    if loaded is None:
        return text, Counter(["refused"])
    oso = load(text, Engine.OSO)
    lines = [line for line in random_policies.facts(random) if _is_usable(loaded, line)]
    facts = snapshot(*lines)
    outcomes: Counter[str] = Counter(["compared"])
    for question in random_policies.questions():
        try:
            answer = permits(oso, facts, question, now=NOW)
        except (EngineUnsupported, EvaluationLimitReached):
            outcomes["unanswered"] += 1
            continue
        expected = permits(loaded, facts, question, now=NOW)
        assert answer == expected, f"{question}\n{text}\n" + "\n".join(lines)
        outcomes["PERMIT" if answer else "DENY"] += 1
    return text, outcomes


def against_clingo(seed: int) -> tuple[str, Counter[str]]:
    """Like `against_oso`, with recursion and negation over it."""
    random = Random(seed)
    text = random_policies.policy(random, recursive=True)
    loaded = _loaded(text)
    if loaded is None:
        return text, Counter(["refused"])
    lines = [line for line in random_policies.facts(random) if _is_usable(loaded, line)]
    _check_types(loaded, lines)
    model = permitted(loaded.policy.rules, map(fact, lines), VALUES, NOW)
    outcomes: Counter[str] = Counter(["compared"])
    for question in random_policies.questions():
        actor, action, resource = question
        expected = allow_text(entity(actor), string(action), entity(resource)) in model
        answer = permits(loaded, snapshot(*lines), question, now=NOW)
        assert answer == expected, f"{question}\n{text}\n" + "\n".join(lines)
        outcomes["PERMIT" if answer else "DENY"] += 1
    return text, outcomes


def _check_types(loaded, lines: list[str]) -> None:
    """Whatever a rule binds its variables to has one of the types that were inferred for them.

    Open positions, strata and shapes all rely on these types.
    """
    model = loaded.program.model(map(fact, lines), VALUES, NOW, Budget(STEPS))
    for rule in loaded.policy.rules:
        for start in model._every_value(rule):
            for binding in model._solutions(rule.body, start):
                wrong = {
                    v: b
                    for v, b in binding.items()
                    if v in rule.types and b.type not in rule.types[v]
                }
                assert not wrong, (rule, wrong)


def _loaded(text: str):
    try:
        return load(text)
    except PolicyInvalid as error:
        if {finding.code for finding in error.diagnostics} <= REFUSALS:
            return None
        raise


def _is_usable(loaded, line: str) -> bool:
    return loaded.policy.shapes.accept(fact(line))


def main(other: str, policies: int, first: int) -> None:
    """Compare until `policies` policies were compared; print totals and the share of each construct."""
    compare = {"oso": against_oso, "clingo": against_clingo}[other]
    totals: Counter[str] = Counter()
    constructs: Counter[str] = Counter()
    texts: set[str] = set()
    seed = first
    while totals["compared"] < policies:
        text, outcomes = compare(seed)
        seed += 1
        if text in texts:
            continue
        texts.add(text)
        totals += outcomes
        if outcomes["compared"]:
            constructs.update(
                name
                for name, pattern in CONSTRUCTS.items()
                if re.search(pattern, text, flags=re.MULTILINE)
            )
    answered = totals["PERMIT"] + totals["DENY"]
    print(f"reference and {other}: no difference; seeds {first} to {seed - 1}")
    print(f"{totals['compared']} different policies, {totals['refused']} more were refused")
    print(
        f"{answered} questions: {totals['PERMIT'] / answered:.0%} PERMIT; "
        f"{totals['unanswered']} unanswered by {other}"
    )
    for name, number in constructs.most_common():
        print(f"  {number / totals['compared']:6.1%} {name}")


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]) if len(sys.argv) > 3 else 0)
