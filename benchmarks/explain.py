"""What the proof of a PERMIT costs beside the decision, inside the engine, with many facts.

Both answer the same distinct questions about random stores of two workloads, half of them about two that a
fact ties directly. Indexes and rules are prepared, as they are after a first question of each kind.

    python benchmarks/explain.py [--quick]
"""

import argparse
import time
from collections.abc import Callable, Sequence
from random import Random

from authz_service.engine.engines import Engine, LoadedPolicy
from authz_service.engine.explain.explainer import Explainer
from authz_service.engine.explain.lookups import Steps
from authz_service.engine.program import Question
from authz_service.facts.snapshot import FactSnapshot
from contenders.here import BUDGET, NOW, load_policy
from workloads import gdrive, github
from workloads.workload import Workload, scaled, store

AT_MOST_TIMES = 50
QUESTIONS = 400


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="50,000 facts instead of a million")
    facts = 50_000 if parser.parse_args().quick else 1_000_000
    print(f"{'workload':16}{'facts':>11}{'permits':>9}{'check µs':>10}{'proof µs':>10}", end="")
    print(f"{'times':>7}{'steps':>7}  at most {AT_MOST_TIMES} times")
    for workload in (github.WORKLOAD, gdrive.FIXED):
        print_workload(workload, facts)


def print_workload(workload: Workload, number: int) -> None:
    sample = store(workload, scaled(workload, number), seed=0)
    loaded = load_policy(workload, Engine.COMPILED)
    snapshot = FactSnapshot(sample.facts)
    asked = sample.questions(Random(0), QUESTIONS * 4, 0.5)
    permitted = [q for q in asked if loaded.program.permits(q, snapshot, NOW, BUDGET)][:QUESTIONS]
    explainer = Explainer(loaded)
    snapshot.findable()
    steps = 0
    for question in permitted:
        steps += len(next(explainer.proofs(question, snapshot, NOW, Steps(BUDGET))).steps)
    check = cost(permitted, checking(loaded, snapshot), rounds=20)
    proof_cost = cost(permitted, proving(explainer, snapshot), rounds=3)
    times = proof_cost / check
    print(f"{workload.name:16}{len(sample.facts):>11,}{len(permitted):>9}{check:>10.2f}", end="")
    print(f"{proof_cost:>10.1f}{times:>7.1f}{steps / len(permitted):>7.1f}", end="")
    print(f"  {'reached' if times <= AT_MOST_TIMES else 'MISSED'}", flush=True)


def checking(loaded: LoadedPolicy, facts: FactSnapshot) -> Callable[[Question], object]:
    return lambda question: loaded.program.permits(question, facts, NOW, BUDGET)


def proving(explainer: Explainer, facts: FactSnapshot) -> Callable[[Question], object]:
    """Return what the service asks for, also where it is to name the rules of a PERMIT: the first proof."""
    return lambda question: next(explainer.proofs(question, facts, NOW, Steps(BUDGET)))


def cost(questions: Sequence[Question], ask: Callable[[Question], object], *, rounds: int) -> float:
    """Return the CPU of one answer in microseconds, of the best round."""
    best = float("inf")
    for _ in range(rounds):
        start = time.process_time()
        for question in questions:
            ask(question)
        best = min(best, time.process_time() - start)
    return best / len(questions) * 1e6


if __name__ == "__main__":
    main()
