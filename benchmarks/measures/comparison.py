"""The cost of a decision, for all engines, over the same stores and questions.

Every engine must answer as the first one does; a difference ends the run.
"""

import gc
import math
import statistics
from collections import defaultdict
from collections.abc import Iterable, Sequence
from random import Random
from typing import NamedTuple

from authz_service.engine.program import Question
from authz_service.errors import EvaluationLimitReached
from contenders.contender import Contender, Timed
from contenders.installed import AGAIN_NAME, CEDAR_NAME, COMPILED_NAME, OBJECTS_NAME, VM_NAME
from measures.targets import Target
from workloads.workload import Size, Store, Workload, store

OSO_AT_MOST = 0.02
CEDAR_AT_MOST = 0.1


class Disagreement(Exception):
    """Two engines answer one question differently."""


class Cell(NamedTuple):
    """What was found for stores of one workload and size. Costs are microseconds of CPU.

    A machine can be twice as fast from one second to the next. So engines are compared store by store, where
    they are asked one right after the other, and what counts is the median of these ratios.
    """

    workload: str
    size: Size
    facts: float
    permitted: float
    each: dict[str, list[float]]
    """The costs of each engine, for each of the stores."""
    latencies: Sequence[int]

    @property
    def costs(self) -> dict[str, float]:
        return {name: statistics.median(costs) for name, costs in self.each.items()}

    @property
    def to_oso(self) -> float | None:
        """Return the ratio to the faster one of two ways to use it."""
        ratios = [self._to(name) for name in (VM_NAME, OBJECTS_NAME) if name in self.each]
        return max(ratios) if ratios else None

    @property
    def to_cedar(self) -> float | None:
        return self._to(CEDAR_NAME) if CEDAR_NAME in self.each else None

    @property
    def to_cedar_again(self) -> float | None:
        """Return the ratio to Cedar asked what it was asked before."""
        return self._to(AGAIN_NAME) if AGAIN_NAME in self.each else None

    def _to(self, name: str) -> float:
        pairs = zip(self.each[COMPILED_NAME], self.each[name], strict=True)
        return statistics.median(own / other for own, other in pairs)


class Sample(NamedTuple):
    """A store and the questions about it."""

    store: Store
    questions: Sequence[Question]


def print_heading(contenders: Sequence[Contender]) -> None:
    names = "".join(f"{contender.name:>13}" for contender in contenders)
    print(f"{'':22}{'':>8}{'':>11}{'':>8}{'mean CPU of a decision, µs':>{len(names)}}", end="")
    print(f"{'compiled, µs':>20}{'compiled /':>20}")
    print(f"{'workload':22}{'N':>8}{'facts':>11}{'PERMIT':>8}{names}", end="")
    print(f"{'p50':>10}{'p99':>10}{'oso':>10}{'cedar':>10}")


def samples(workload: Workload, size: Size, stores: int, questions: int) -> Iterable[Sample]:
    for seed in range(stores):
        sample = store(workload, size, seed)
        yield Sample(sample, sample.questions(Random(seed), questions))


def compare(contenders: Sequence[Contender], found: Iterable[Sample], times: int = 1) -> Cell:
    """Ask all of `contenders`, each `times` as many questions as its limits say."""
    costs: dict[str, list[float]] = defaultdict(list)
    latencies: list[int] = []
    facts: list[int] = []
    decisions: list[bool] = []
    for sample in found:
        answered = _ask_all(contenders, sample, times)
        for name, timed in answered:
            costs[name].append(math.nan if timed is None else timed.cpu * 1e6)
            if timed is not None and timed.again is not None:
                costs[AGAIN_NAME].append(timed.again * 1e6)
        own = answered[0][1]
        assert own is not None
        latencies.extend(own.latencies)
        facts.append(len(sample.store.facts))
        decisions.extend(own.decisions)
    return Cell(
        sample.store.workload.name,
        sample.store.size,
        statistics.mean(facts),
        statistics.mean(decisions),
        {name: found for name, found in costs.items() if not any(map(math.isnan, found))},
        latencies,
    )


def _ask_all(
    contenders: Sequence[Contender], sample: Sample, times: int
) -> Sequence[tuple[str, Timed | None]]:
    """Return what each contender answered, None for one that gave up."""
    answers: list[tuple[str, Timed | None]] = []
    for contender in contenders:
        if len(sample.store.facts) > contender.limits.most_facts:
            continue
        questions = sample.questions[: contender.limits.questions * times]
        try:
            timed = contender.load(sample.store)(questions)
        except EvaluationLimitReached:
            # One question that it gives up says more than the mean of those that it answers.
            answers.append((contender.name, None))
            continue
        if answers:
            first = answers[0][1]
            assert first is not None
            _require_same((answers[0][0], first), (contender.name, timed), sample)
        answers.append((contender.name, timed))
        gc.collect()
    return answers


def _require_same(one: tuple[str, Timed], other: tuple[str, Timed], sample: Sample) -> None:
    pairs = zip(sample.questions, one[1].decisions, other[1].decisions, strict=False)
    for question, first, second in pairs:
        if first != second:
            message = (
                f"{sample.store.workload.name}, {sample.store.size.entities} entities: "
                f"{one[0]} says {first} and {other[0]} {second} to {question.as_fact()}"
            )
            raise Disagreement(message)


def print_cell(cell: Cell, contenders: Sequence[Contender]) -> None:
    costs = "".join(f"{_cost(cell.costs.get(c.name)):>13}" for c in contenders)
    print(f"{cell.workload:22}{cell.size.entities:>8}{cell.facts:>11,.0f}", end="")
    print(f"{cell.permitted:>8.1%}{costs}", end="")
    print(f"{percentile(cell.latencies, 50):>10.2f}", end="")
    print(f"{percentile(cell.latencies, 99):>10.2f}", end="")
    print(f"{_ratio(cell.to_oso):>10}{_ratio(cell.to_cedar):>10}", end="")
    if cell.to_cedar_again is not None:
        print(
            f"  (cedar asked again: {cell.costs[AGAIN_NAME]:.2f}, {cell.to_cedar_again:.4f})",
            end="",
        )
    print(flush=True)


def percentile(latencies: Sequence[int], percent: float) -> float:
    """Return the latency in microseconds that `percent` of all do not exceed; a thousandth of it counts."""
    rank = -(len(latencies) * round(percent * 1000) // -100_000)
    return sorted(latencies)[rank - 1] / 1000


def _cost(cost: float | None) -> str:
    return "-" if cost is None else f"{cost:,.2f}"


def _ratio(ratio: float | None) -> str:
    return "-" if ratio is None else f"{ratio:.4f}"


def print_left_out(contenders: Sequence[Contender], most_facts: int) -> None:
    for contender in contenders:
        if contender.limits.most_facts < most_facts:
            limits = contender.limits
            print(f"- {contender.name} beyond {limits.most_facts:,} facts: {limits.reason}")


def large_targets(cell: Cell) -> list[Target]:
    """Return the ratios of one large store, to each peer that answers there."""
    ratios = (("oso", OSO_AT_MOST, cell.to_oso), ("cedar", CEDAR_AT_MOST, cell.to_cedar))
    return [
        Target(f"compiled / {peer}: {cell.workload}, {cell.facts:,.0f} facts", ratio, limit)
        for peer, limit, ratio in ratios
        if ratio is not None
    ]


def targets(cells: Sequence[Cell]) -> list[Target]:
    """Return the ratios of each workload, the worst and the mean over its sizes."""
    found = []
    for label, limit, ratios in (
        ("oso, the faster one", OSO_AT_MOST, [(cell.workload, cell.to_oso) for cell in cells]),
        ("cedar", CEDAR_AT_MOST, [(cell.workload, cell.to_cedar) for cell in cells]),
    ):
        by_workload: dict[str, list[float]] = {}
        for workload, ratio in ratios:
            if ratio is not None:
                by_workload.setdefault(workload, []).append(ratio)
        by_workload["all"] = [ratio for _, ratio in ratios if ratio is not None]
        for workload, values in by_workload.items():
            if not values:
                continue
            mean = statistics.geometric_mean(values)
            found.append(Target(f"compiled / {label}: {workload}, mean", mean, limit))
            found.append(Target(f"compiled / {label}: {workload}, worst", max(values), limit))
    return found
