"""What a larger store changes: index probes, the cost of a decision, and the cost of getting ready.

A small store is planted into a large one under names of its own, so that its questions find the same
surroundings in both: they must cost the same number of index probes.
"""

from collections.abc import Collection, Iterator, Sequence
from random import Random
from typing import NamedTuple

from authz_service.engine.program import Question
from authz_service.facts.grouping import Key
from authz_service.facts.members import Member, Members
from authz_service.facts.view import Get
from contenders.here import BUDGET, NOW, Built, asked, build, build_view
from measures.comparison import percentile
from measures.targets import Target
from workloads.workload import LARGEST, Store, Workload, planted, renamed, scaled, small, store

AT_MOST_TIMES = 6
TIED = 0.5


class Grown(NamedTuple):
    """A large store beside the small one that is planted in it, both built."""

    workload: Workload
    small: Store
    large: Store
    built: Built


def grown(workload: Workload, facts: int) -> Grown:
    inner = store(workload, small(LARGEST), seed=1)
    outer = planted(inner, store(workload, scaled(workload, facts), seed=2))
    return Grown(workload, inner, outer, build(workload, outer.facts))


def print_building(pairs: Sequence[Grown]) -> None:
    print("\n## Getting ready: seconds of CPU for the policy, the snapshot and its indexes\n")
    print(f"{'workload':22}{'facts':>11}{'policy':>10}{'snapshot':>10}{'view':>10}")
    for pair in pairs:
        built = pair.built
        print(f"{pair.workload.name:22}{len(pair.large.facts):>11,}", end="")
        print(f"{built.policy_seconds:>10.3f}{built.snapshot_seconds:>10.3f}", end="")
        print(f"{built.view_seconds:>10.3f}")


def print_growth(pairs: Sequence[Grown], questions: int) -> list[Target]:
    """Compare small and large stores, and return the targets about it."""
    # First, while neither store was asked anything: engines may keep what they found out about groups.
    probes = _probes(pairs)
    print("\n## Growth: distinct random questions, half of them about two that a fact ties\n")
    print(f"{'workload':22}{'facts':>11}{'questions':>11}{'PERMIT':>8}{'µs CPU':>10}{'p99':>10}")
    found = []
    for pair in pairs:
        costs = [_cost(pair, few_facts, questions) for few_facts in (True, False)]
        name = f"CPU at {_short(pair)} facts / at 1,000: {pair.workload.name}"
        found.append(Target(name, costs[1] / costs[0], AT_MOST_TIMES))
    return found + probes


def _short(pair: Grown) -> str:
    return f"{round(len(pair.large.facts), -3):,}"


def _cost(pair: Grown, few_facts: bool, number: int) -> float:  # noqa: FBT001 - which of two
    """Return the CPU of a decision in microseconds, and print it."""
    workload = pair.workload
    # Few questions fit into a small store, hence several of them.
    stores = [store(workload, scaled(workload, 1000), seed) for seed in range(10)]
    runs = []
    for sample in stores if few_facts else [pair.large]:
        questions = sample.questions(Random(3), number // 10 if few_facts else number, TIED)
        built = build(workload, sample.facts) if few_facts else pair.built
        runs.append(asked(built.program, built.snapshot, workload)(questions))
    count = sum(len(run.decisions) for run in runs)
    cost = sum(run.cpu * len(run.decisions) for run in runs) / count * 1e6
    permitted = sum(sum(run.decisions) for run in runs) / count
    latencies = [each for run in runs for each in run.latencies]
    facts = 1000 if few_facts else len(pair.large.facts)
    print(f"{workload.name:22}{facts:>11,}{count:>11,}{permitted:>8.1%}{cost:>10.2f}", end="")
    print(f"{percentile(latencies, 99):>10.2f}")
    return cost


def _probes(pairs: Sequence[Grown]) -> list[Target]:
    print("\n## Index probes of the same questions, in a small store and planted in a large one\n")
    print(f"{'workload':22}{'questions':>11}{'mean small':>12}{'mean large':>12}{'most':>7}")
    found = []
    for pair in pairs:
        few = build(pair.workload, pair.small.facts)
        questions = pair.small.questions(Random(4), 500, TIED)
        renamed_ = [_renamed(question) for question in questions]
        inner, outer = _counted(few, questions), _counted(pair.built, renamed_)
        if inner is None or outer is None:
            continue
        differing = sum(one != other for one, other in zip(inner, outer, strict=True))
        name = f"questions with more or fewer probes: {pair.workload.name}"
        found.append(Target(name, differing, 0))
        means = [sum(counts) / len(counts) for counts in (inner, outer)]
        print(f"{pair.workload.name:22}{len(questions):>11,}", end="")
        print(f"{means[0]:>12.2f}{means[1]:>12.2f}{max(outer):>7}")
    return found


def _renamed(question: Question) -> Question:
    return question._replace(actor=renamed(question.actor), resource=renamed(question.resource))


def _counted(built: Built, questions: Sequence[Question]) -> list[int] | None:
    """Return the number of index probes for each question, or None for a program without indexes."""
    view = build_view(built.program, built.snapshot)
    if view is None:
        return None
    probes = _Probes()
    plain = {name: getattr(view, name) for name in view.built()}
    for name, path in plain.items():
        setattr(view, name, probes.counting(path) if callable(path) else _Counted(path, probes))
    counts = []
    for question in questions:
        before = probes.made
        built.program.permits(question, built.snapshot, NOW, BUDGET)
        counts.append(probes.made - before)
    for name, path in plain.items():
        setattr(view, name, path)
    if not any(counts):
        message = "no probe was counted: the program does not read the view that was wrapped"
        raise RuntimeError(message)
    return counts


class _Probes:
    """How many probes were made."""

    def __init__(self) -> None:
        self.made = 0

    def counting(self, get: Get) -> Get:
        def probe(key: Key, default: Members, /) -> Members:
            self.made += 1
            return get(key, default)

        return probe


class _Counted(Collection[Member]):
    """A path without a key; each look at it counts as a probe."""

    def __init__(self, members: Members, probes: _Probes) -> None:
        self._members = members
        self._probes = probes

    def __contains__(self, member: object) -> bool:
        self._probes.made += 1
        return member in self._members

    def __iter__(self) -> Iterator[Member]:
        self._probes.made += 1
        return iter(self._members)

    def __len__(self) -> int:
        self._probes.made += 1
        return len(self._members)
