"""Random policies, facts and questions, put to evaluators that know nothing of each other.

`python tests/property/comparison.py` compares until enough was compared, and prints what it was like. It
fails if answers differ, or if too little was compared, or too much of the same kind; the tests compare some.
"""

import argparse
import sys
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field
from functools import lru_cache
from hashlib import blake2b
from random import Random
from time import monotonic
from unittest.mock import patch

import random_policies
from answer_sets import allow_text, permitted
from distribution import EVERY_CONSTRUCT, constructs
from laws import broken_laws
from list_laws import broken_lists
from random_scenes import Facts, random_facts, random_kinds
from schemas import NOW
from shrinking import shrunk

from authz_service.engine.engines import Engine, LoadedPolicy, loader
from authz_service.engine.program import Budget, Program, Question
from authz_service.engine.verification import STRANGER, named_values
from authz_service.errors import AuthzError, EngineUnsupported, EvaluationLimitReached
from authz_service.facts import view
from authz_service.facts.fact import Fact
from authz_service.facts.policy_text import PolicyFile
from authz_service.facts.snapshot import FactSnapshot
from authz_service.facts.value import STRING, Value, boolean, integer, string
from authz_service.polar.diagnostic import PolicyInvalid

# What a random policy may be refused for; anything else is a defect of the generator or of the checks.
REFUSALS = {"P301", "P303", "P401", "P402"}
COMPILED = getattr(Engine, "COMPILED", Engine.REFERENCE)

# The reference gives up after so many steps, and so does a case: it is one of a few that are too large.
STEPS = 150_000
ENOUGH_STEPS = 5_000_000

# Of every so many seeds one is also put to ...
OSO = 10
CLINGO = 20
SINGLE_QUESTIONS = 20
LAWS = 8
LISTS = 8

FACT_SETS = 3  # for each policy
CHUNK = 50
DIFFERENCES = 5  # enough to look at
FLOOR = 0.01


class Difference(AssertionError):
    """Two answers to one question. The message has all that is needed to see it again."""


@dataclass(frozen=True)
class Case:
    """A policy, facts, questions, and the answers of the reference engine."""

    seed: int
    text: str
    reference: LoadedPolicy
    drawn: Facts
    expected: list[bool]


Answer = bool | str
"""A decision, or the error that came instead."""

Decider = Callable[[Question, Sequence[Fact]], Answer]


@dataclass(frozen=True)
class Outcome:
    """What became of one seed. `key` stands for policy and facts; without a case it is empty."""

    counts: Counter[str]
    policy: bytes = b""
    key: bytes = b""
    constructs: frozenset[str] = frozenset()
    difference: str = ""


@dataclass
class Totals:
    """What was compared: each pair of policy and facts once, however often it was drawn."""

    counts: Counter[str] = field(default_factory=Counter)
    constructs: Counter[str] = field(default_factory=Counter)
    policies: set[bytes] = field(default_factory=set)
    sets: set[bytes] = field(default_factory=set)
    differences: list[str] = field(default_factory=list)

    def add(self, outcome: Outcome) -> None:
        if outcome.difference:
            self.differences.append(outcome.difference)
        elif outcome.key in self.sets:
            self.counts["drawn again"] += 1
        else:
            self.counts += outcome.counts
            self.constructs.update(outcome.constructs)
            if outcome.key:
                self.policies.add(outcome.policy)
                self.sets.add(outcome.key)


def is_downhill(seed: int) -> bool:
    """Say whether the policy of `seed` comes to an end in the VM of `oso`."""
    return seed % OSO == 0


def random_cases(seed: int, steps: int = STEPS) -> list[Case | str]:
    """Return the cases of `seed`, all of one policy, or why they are none: `refused` or `too large`."""
    random = Random(seed)
    text = random_policies.policy(random, recursive=not is_downhill(seed))
    try:
        reference = _loaded(text, Engine.REFERENCE)
    except PolicyInvalid as error:
        if {finding.code for finding in error.diagnostics} <= REFUSALS:
            return ["refused"]
        raise
    kinds = random_kinds(random, reference.policy)
    cases: list[Case | str] = []
    for _ in range(FACT_SETS):
        drawn = random_facts(random, reference.policy, kinds, downhill=is_downhill(seed))
        try:
            expected = _modelled(reference, drawn, steps)
        except EvaluationLimitReached:
            cases.append("too large")
        else:
            cases.append(Case(seed, text, reference, drawn, expected))
    return cases


def _loaded(text: str, engine: Engine) -> LoadedPolicy:
    return loader(engine)([PolicyFile("policy.polar", text)])


def _modelled(reference: LoadedPolicy, drawn: Facts, steps: int) -> list[bool]:
    """Return the answers to all questions at the price of one."""
    asked = [question.as_fact() for question in drawn.questions]
    values = {value for fact in asked for value in fact.args}
    model = reference.program.model(drawn.facts, values, NOW, Budget(steps))
    return [fact in model for fact in asked]


def compare_case(case: Case, decide: Decider | None, engine: Engine, *, more: bool) -> Counter[str]:
    """Compare `engine` with the reference; if `more`, for some seeds others too. Raises Difference."""
    counts: Counter[str] = Counter()
    if decide is not None:
        counts["compared"] += compare_engine(case, decide, engine)
        questions = case.drawn.questions
        counts["not compiled"] += sum(not _is_compiled(q, decide.program) for q in questions)
    if not more:
        return counts
    if case.seed % OSO == 0:
        counts += compare_oso(case)
    if case.seed % CLINGO == 1:
        counts["clingo"] += compare_clingo(case)
    if case.seed % SINGLE_QUESTIONS == 2:
        counts["single questions"] += compare_single_questions(case)
    if case.seed % LAWS == 3:
        counts["laws"] += check_laws(case, engine)
    if case.seed % LISTS == 5:
        counts["lists"] += check_lists(case)
    return counts


def compare_engine(case: Case, decide: Decider, engine: Engine) -> int:
    """Ask `engine` everything; return how much that was. An error is a difference, too."""
    for question, expected in zip(case.drawn.questions, case.expected, strict=True):
        answer = decide(question, case.drawn.facts)
        if answer != expected:
            raise _difference(case, question, engine, answer)
    return len(case.expected)


def _decider(text: str, engine: Engine) -> Decider:
    """Return what answers questions about facts; it says why if it cannot."""
    loaded = _loaded(text, engine)
    snapshots = lru_cache(maxsize=1)(FactSnapshot)
    # What large stores have to find out during a question is known before in small ones, unless ...
    few_starts = view.FEW_STARTS if len(text) % 2 else 0

    def decide(question: Question, facts: Sequence[Fact]) -> bool | str:
        try:
            with patch.object(view, "FEW_STARTS", few_starts):
                return loaded.program.permits(
                    question, snapshots(tuple(facts)), NOW, Budget(ENOUGH_STEPS)
                )
        except Exception as error:  # noqa: BLE001 - whatever it is, it is no answer
            return f"{type(error).__name__}: {error}"

    decide.program = loaded.program
    return decide


def _is_compiled(question: Question, program: Program) -> bool:
    """Say whether the compiled engine answers by itself what it is asked."""
    actor, action, resource = question
    left_out = getattr(program, "uncompiled", ())
    return all((actor.type, name, resource.type) not in left_out for name in (action, None))


def compare_single_questions(case: Case) -> int:
    """Ask the reference question by question, as the service would."""
    facts = FactSnapshot(case.drawn.facts)
    sample = Random(case.seed).sample(range(len(case.expected)), min(5, len(case.expected)))
    for index in sample:
        question = case.drawn.questions[index]
        answer = case.reference.program.permits(question, facts, NOW, Budget(ENOUGH_STEPS))
        if answer != case.expected[index]:
            raise _difference(case, question, "the reference, asked this only,", answer)
    return len(sample)


def compare_oso(case: Case) -> Counter[str]:
    """Ask `oso` until it gives up: what it cannot answer costs a second."""
    facts = FactSnapshot(case.drawn.facts)
    counts: Counter[str] = Counter()
    try:
        program = _loaded(case.text, Engine.OSO).program
        for question, expected in zip(case.drawn.questions, case.expected, strict=True):
            answer = program.permits(question, facts, NOW, Budget(ENOUGH_STEPS))
            if answer != expected:
                raise _difference(case, question, Engine.OSO, answer)
            counts["oso"] += 1
    except (EngineUnsupported, EvaluationLimitReached):
        counts["not answered by oso"] += 1
    return counts


def compare_clingo(case: Case) -> int:
    """Ask an answer set solver, with values that occur nowhere."""
    policy = case.reference.policy
    check_types(case)
    values = {value for question in case.drawn.questions for value in question.as_fact().args}
    values |= {Value(name, STRANGER) for name in (*policy.types, STRING)} | {integer(-12345)}
    values |= named_values(policy) | {integer(NOW), boolean(False), boolean(True)}
    model = permitted(policy.rules, case.drawn.facts, values, NOW)
    for question, expected in zip(case.drawn.questions, case.expected, strict=True):
        actor, action, resource = question
        answer = allow_text(actor, string(action), resource) in model
        if answer != expected:
            raise _difference(case, question, "clingo", answer)
    return len(case.expected)


def check_types(case: Case) -> None:
    """Whatever a rule binds its variables to has one of the types that were inferred for them.

    Open positions, strata and shapes all rely on these types.
    """
    program = case.reference.program
    model = program.model(
        case.drawn.facts, named_values(case.reference.policy), NOW, Budget(ENOUGH_STEPS)
    )
    for rule in case.reference.policy.rules:
        for start in model._every_value(rule):
            for binding in model._solutions(rule.body, start):
                wrong = [
                    v for v in binding if v in rule.types and binding[v].type not in rule.types[v]
                ]
                assert not wrong, (case.seed, rule, wrong)


def check_laws(case: Case, engine: Engine) -> int:
    """Return how many laws hold; all do."""
    random = Random(case.seed)
    for law in broken_laws(random, engine, case.text, case.drawn, case.expected):
        message = f"seed {case.seed}: {engine.value} breaks the law of {law}"
        raise Difference(f"{message}\n{_shown(case.text, case.drawn.facts)}")
    return 7


def check_lists(case: Case) -> int:
    """Return over how many snapshots the lists of some questions were right; over all that there are."""
    random = Random(case.seed)
    for wrong in broken_lists(random, case.reference.policy, case.drawn):
        message = f"seed {case.seed}: the list {wrong}"
        raise Difference(f"{message}\n{_shown(case.text, case.drawn.facts)}")
    return 6


def _difference(case: Case, question: Question, who: Engine | str, answer: Answer) -> Difference:
    text, facts = case.text, list(case.drawn.facts)
    if isinstance(who, Engine):
        text, facts = shrunk(text, facts, lambda t, f: _differs(t, f, question, who, answer))
    name = who.value if isinstance(who, Engine) else who
    message = f"seed {case.seed}: {name} says {answer} to {question.as_fact()}, the reference not"
    return Difference(f"{message}\n{_shown(text, facts)}")


def _differs(
    text: str, facts: Sequence[Fact], question: Question, engine: Engine, answer: Answer
) -> bool:
    """Say whether `engine` still gives the wrong answer, or one for the same kind of reason."""
    try:
        _loaded(text, engine).policy.check_question(*question)
        found = _decider(text, engine)(question, facts)
        if isinstance(answer, str) or isinstance(found, str):
            return str(found).split(":")[0] == str(answer).split(":")[0]
        return found == answer != _decider(text, Engine.REFERENCE)(question, facts)
    except (PolicyInvalid, AuthzError):
        return False


def _shown(text: str, facts: Sequence[Fact]) -> str:
    return "\n".join([text, "# facts", *map(str, facts)])


def compare_seeds(seeds: Sequence[int], engine: Engine) -> list[Outcome]:
    return [outcome for seed in seeds for outcome in compare_seed(seed, engine)]


def compare_seed(seed: int, engine: Engine) -> list[Outcome]:
    try:
        cases = random_cases(seed)
        decide = None
        if engine is not Engine.REFERENCE and isinstance(cases[0], Case):
            decide = _decider(cases[0].text, engine)
        return [
            _outcome(case, decide, engine, more=number == 0) for number, case in enumerate(cases)
        ]
    except Difference as difference:
        return [Outcome(Counter(), difference=str(difference))]
    except Exception as error:
        message = f"seed {seed} of random policies"
        raise RuntimeError(message) from error


def _outcome(case: Case | str, decide: Decider | None, engine: Engine, *, more: bool) -> Outcome:
    if isinstance(case, str):
        return Outcome(Counter([case]))
    counts = compare_case(case, decide, engine, more=more)
    facts, questions = case.drawn.facts, case.drawn.questions
    # No two questions of a case are alike; that no two cases are, the keys tell.
    assert len(set(questions)) == len(questions)
    counts["questions"] = len(questions)
    counts["PERMIT"] = sum(case.expected)
    return Outcome(
        counts,
        _digest(case.text),
        _digest(case.text, *sorted(map(str, facts))),
        frozenset(constructs(case.text, case.reference.policy, facts, questions)),
    )


def _digest(*parts: str) -> bytes:
    digest = blake2b(digest_size=12)
    for part in parts:
        text = part.encode()
        digest.update(len(text).to_bytes(4) + text)
    return digest.digest()


def outcomes(first: int, engine: Engine, processes: int) -> Iterator[tuple[int, list[Outcome]]]:
    """Yield what becomes of the seeds from `first` on, in chunks, and the seed behind; without end."""
    with ProcessPoolExecutor(processes) as pool:
        while True:
            starts = range(first, first + CHUNK * processes, CHUNK)
            chunks = [range(start, start + CHUNK) for start in starts]
            for found in pool.map(compare_seeds, chunks, [engine] * processes):
                first += CHUNK
                yield first, found


def compare_until(
    comparisons: int, sets: int, first: int, engine: Engine, processes: int
) -> tuple[Totals, int]:
    """Compare seeds from `first` on until enough was compared, or answers differ; return the next seed."""
    totals = Totals()
    started = monotonic()
    for seed, found in outcomes(first, engine, processes):
        for outcome in found:
            totals.add(outcome)
            if outcome.difference:
                print(outcome.difference, flush=True)
        done = totals.counts["questions"]
        is_enough = done >= comparisons and len(totals.sets) >= sets
        if is_enough or len(totals.differences) >= DIFFERENCES:
            return totals, seed
        print(f"{done} questions, {done / (monotonic() - started):.0f} a second", file=sys.stderr)
    raise AssertionError


def problems(totals: Totals, comparisons: int, sets: int) -> Iterator[str]:
    """Yield what is wrong: that there are differences, or what there was too little of."""
    if totals.differences:
        yield f"{len(totals.differences)} differences"
        return
    permits = totals.counts["PERMIT"] / totals.counts["questions"]
    if not 0.3 <= permits <= 0.7:
        yield f"{permits:.0%} PERMIT is not between 30 and 70 %"
    if totals.counts["questions"] < comparisons or len(totals.sets) < sets:
        yield "too little was compared"
    for name in [*EVERY_CONSTRUCT, *totals.constructs]:
        if totals.constructs[name] < FLOOR * len(totals.sets):
            yield f"too little of: {name}"


def print_totals(totals: Totals, engine: Engine, first: int, end: int) -> None:
    counts = totals.counts
    sets = len(totals.sets)
    print(f"seeds {first} to {end - 1}, {engine.value} and others")
    print(
        f"{counts['questions']} different questions, {counts['PERMIT'] / counts['questions']:.1%} PERMIT"
    )
    print(f"{sets} different policies with facts, {len(totals.policies)} different policies")
    print(f"{len(totals.differences)} differences")
    for name in ("compared", "not compiled", "oso", "clingo", "single questions", "laws", "lists"):
        print(f"  {counts[name]:8} {NAMES[name]}")
    for name in ("refused", "too large", "drawn again", "not answered by oso"):
        print(f"  {counts[name]:8} cases {name}")
    for name, number in totals.constructs.most_common():
        print(f"  {number / sets:6.1%} {name}")


NAMES = {
    "compared": "answers equal to the reference's",
    "not compiled": "of these by the reference itself: questions that cannot be compiled",
    "oso": "answers of oso equal to the reference's",
    "clingo": "answers of clingo equal to the reference's",
    "single questions": "questions that the reference was also asked one by one",
    "laws": "laws that hold (stored = context = delta, order, renaming)",
    "lists": "snapshots over which lists were what checks permit",
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--comparisons", type=int, default=500_000)
    parser.add_argument("--sets", type=int, default=20_000)
    parser.add_argument("--first", type=int, default=0, help="the first seed")
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--engine", type=Engine, default=COMPILED)
    asked = parser.parse_args()
    totals, end = compare_until(
        asked.comparisons, asked.sets, asked.first, asked.engine, asked.processes
    )
    wrong = list(problems(totals, asked.comparisons, asked.sets))
    print_totals(totals, asked.engine, asked.first, end)
    for problem in wrong:
        print(problem)
    sys.exit(1 if wrong else 0)


if __name__ == "__main__":
    main()
