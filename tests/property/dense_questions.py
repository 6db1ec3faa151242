"""Questions of all sorts about dense policies: checks and lists, queries, explanations, and histories of facts.

`python tests/property/dense_questions.py` asks about many policies, prints what differs and what was asked,
and fails if anything differs; the tests ask about some.
"""

import argparse
from collections import Counter
from collections.abc import Callable
from itertools import islice
from random import Random

from comparison import Case, Difference, compare_clingo
from dense_case import Dense, Told, dense, told
from dense_histories import histories
from dense_policies import NOW
from explanations import MANY, SEARCH, Judge
from laws import broken_laws
from query_laws import is_said
from random_queries import random_query
from random_scenes import Facts

from authz_service.engine.engines import Engine
from authz_service.engine.program import Budget
from authz_service.engine.verification import (
    Comparison,
    compare,
    compare_lists,
    compare_queries,
    lists_of,
)
from authz_service.errors import AuthzError
from authz_service.facts.snapshot import FactSnapshot
from authz_service.facts.value import Value

STEPS = 2_000_000
LISTED = 20
QUERIES = 12
EXPLAINED = 16
CHANGED = 3


def decisions(case: Dense) -> Told:
    snapshot = FactSnapshot(case.facts)
    lists = lists_of(case.policy, case.questions[:LISTED])
    found = [
        *compare(case.programs, case.questions, snapshot, NOW, STEPS),
        *compare_lists(case.programs, lists, snapshot, NOW, STEPS),
    ]
    for one in found:
        sort = "PERMIT" if True in one.said else "DENY" if False in one.said else "list"
        yield _sort(one, sort), _wrong(one)


def queries(case: Dense) -> Told:
    random = Random(case.seed)
    half = random.randint(0, len(case.facts))
    snapshot = FactSnapshot(case.facts[:half]).with_facts(case.facts[half:])
    policy = case.policy
    strange = [Value(kind, "stranger") for kind in policy.types]
    model = sorted(case.reference.program.model(case.facts, strange, NOW, Budget(STEPS)))
    holding = [fact for fact in model if "stranger" not in {arg.id for arg in fact.args}]
    asked = [random_query(random, policy, case.facts, holding) for _ in range(QUERIES)]
    for query in asked:
        [one] = compare_queries(case.programs, [query], snapshot, NOW, STEPS)
        sort = "query with rows" if any(one.said) else "query without rows"
        yield _sort(one, sort), _wrong(one)
        rows = one.answers[Engine.COMPILED]
        if isinstance(rows, frozenset):
            is_right = is_said(case.reference, query, rows, snapshot, NOW, STEPS)
            yield "rows and what holds", None if is_right else f"{one.question}: {rows}"


def laws(case: Dense) -> Told:
    """Compare with an answer set solver, and with the same policy and facts written or stored otherwise."""
    random = Random(case.seed)
    left = random.sample(case.facts, len(case.facts) * 4 // 5)
    others = tuple(fact for fact in case.facts if fact not in set(left))
    drawn = Facts(tuple(left), tuple(case.questions[:LISTED]), others)
    values = {value for question in drawn.questions for value in question.as_fact().args}
    model = case.reference.program.model(left, values, NOW, Budget(STEPS))
    expected = [question.as_fact() in model for question in drawn.questions]
    one = Case(case.seed, case.text, case.reference, drawn, expected)
    for law in broken_laws(random, Engine.COMPILED, case.text, drawn, expected):
        yield "law", law
    yield "laws", None
    try:
        compare_clingo(one)
    except Difference as difference:
        yield "answer sets", str(difference)
    yield "answer sets", None


def _sort(one: Comparison, sort: str) -> str:
    errors = {type(a).__name__ for a in one.answers.values() if isinstance(a, AuthzError)}
    return f"{sort.split(maxsplit=1)[0]}: {', '.join(sorted(errors))}" if errors else sort


def _wrong(one: Comparison) -> str | None:
    return told(one.question, [*one.answers.values()])


def explanations(case: Dense) -> Told:
    random = Random(case.seed)
    drawn = Facts(tuple(case.facts), tuple(case.questions), ())
    judge = Judge(Case(case.seed, case.text, case.reference, drawn, []), case.compiled)
    pairs = [(question, question.as_fact() in judge.everything) for question in case.questions]
    # Most are denied; half of those that are explained are permitted if there are so many.
    permitted = [q for q, is_permitted in pairs if is_permitted][: EXPLAINED // 2]
    denied = [q for q, is_permitted in pairs if not is_permitted][: EXPLAINED - len(permitted)]
    for question in permitted:
        yield "proofs", "\n".join(judge.broken(question, permitted=True)) or None
    for question in denied:
        yield "misses", "\n".join(judge.broken(question, permitted=False)) or None
    for question in denied[:CHANGED]:
        most = random.choice((MANY, MANY, 1, 3))
        search = random.choice((SEARCH, SEARCH, 300, 2000))
        wrong = islice(judge.broken_changes(question, most, search), 3)
        yield "changes", "\n".join(wrong) or None


def changing(case: Dense) -> Told:
    """Facts change, and so does the policy, which has the same words."""
    other = dense(case.seed + 2)
    yield from histories([case] if other is None else [case, other])


SORTS: dict[str, Callable[[Dense], Told]] = {
    "decisions": decisions,
    "queries": queries,
    "explanations": explanations,
    "laws": laws,
    "histories": changing,
}


def main() -> int:
    """Ask about so many policies, and return 1 if something is wrong."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--policies", type=int, default=2000)
    parser.add_argument("--first", type=int, default=0, help="the first seed")
    parser.add_argument("--sorts", nargs="*", default=list(SORTS), choices=list(SORTS))
    arguments = parser.parse_args()
    counts: Counter[str] = Counter()
    wrong = 0
    for seed in range(arguments.first, arguments.first + arguments.policies):
        case = dense(seed)
        if case is None:
            counts["policies left out"] += 1
            continue
        counts["policies"] += 1
        for sort in arguments.sorts:
            for what, difference in SORTS[sort](case):
                counts[what] += 1
                if difference is not None:
                    wrong += 1
                    print(f"seed {seed}: {what}: {difference}", flush=True)
    print(f"dense policies: {dict(counts)}, {wrong} differences")
    return min(wrong, 1)


if __name__ == "__main__":
    raise SystemExit(main())
