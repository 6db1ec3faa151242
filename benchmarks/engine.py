"""What a decision costs: the compiled engine beside the `oso` library, Cedar and casbin.

All of them answer the same distinct questions, each asked once, about random stores of three workloads
(see `workloads`); a different answer ends the run. Then the compiled engine alone is measured with many
facts: index probes, memory, getting ready, writes. At the end stands what was to be reached.

    python benchmarks/engine.py [--quick | --smoke]
"""

import argparse
import os
import platform
import time
from random import Random
from typing import NamedTuple

from contenders.contender import Contender
from contenders.installed import contenders
from measures import comparison, growth, memory, writes
from measures.comparison import Cell
from measures.targets import Target, print_targets
from workloads import gdrive, github, tinytodo
from workloads.workload import scaled, small, store

PAPER = (gdrive.AS_PUBLISHED, gdrive.FIXED, github.WORKLOAD, tinytodo.WORKLOAD)
SCALED = (gdrive.FIXED, github.WORKLOAD, tinytodo.WORKLOAD)


class Effort(NamedTuple):
    """How much is measured."""

    entities: tuple[int, ...]
    stores: int
    facts: tuple[int, ...]
    """The sizes of large stores; the last one is also the one that growth and writes are measured at."""
    questions: int
    times: int
    """How many times as many questions are asked of a large store as of a small one."""
    writes: int
    memory: bool


FULL = Effort((5, 10, 15, 20, 30, 40, 50), 7, (100_000, 1_000_000), 20_000, 20, 60, memory=True)
QUICK = Effort((5, 50), 2, (20_000,), 2_000, 4, 30, memory=True)
SMOKE = Effort((5,), 1, (), 0, 0, 0, memory=False)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    sizes = parser.add_mutually_exclusive_group()
    sizes.add_argument("--quick", action="store_true", help="fewer and smaller stores: a minute")
    sizes.add_argument("--smoke", action="store_true", help="only see that it runs: seconds")
    arguments = parser.parse_args()
    effort = QUICK if arguments.quick else SMOKE if arguments.smoke else FULL
    start = time.monotonic()
    everyone, missing = contenders()
    print(f"Python {platform.python_version()}, {os.cpu_count()} CPUs", end="")
    print(f"; not installed: {', '.join(missing)}" if missing else "")
    targets = print_paper(everyone, effort)
    if effort.facts:
        targets += print_large(everyone, effort)
    if effort.memory:
        memory.print_memory(effort.facts)
    print_targets(targets)
    print(f"{time.monotonic() - start:.0f} s")


def print_paper(everyone: list[Contender], effort: Effort) -> list[Target]:
    """Compare all engines on stores of the paper's sizes."""
    print("\n## The paper's sizes, every pair tied with probability 0.05\n")
    comparison.print_heading(everyone)
    cells: list[Cell] = []
    for workload in PAPER:
        for entities in effort.entities:
            found = comparison.samples(workload, small(entities), effort.stores, 500)
            cells.append(comparison.compare(everyone, found))
            comparison.print_cell(cells[-1], everyone)
    return comparison.targets(cells)


def print_large(everyone: list[Contender], effort: Effort) -> list[Target]:
    """Compare all engines on large stores, and measure what only the compiled one is asked."""
    print("\n## Large stores, as many ties for each entity as at N = 50; every other question is")
    print("## about a user and a resource that some fact ties\n")
    comparison.print_heading(everyone)
    targets: list[Target] = []
    for facts in effort.facts:
        for workload in SCALED:
            sample = store(workload, scaled(workload, facts), seed=0)
            questions = sample.questions(Random(0), effort.questions, growth.TIED)
            found = [comparison.Sample(sample, questions)]
            cell = comparison.compare(everyone, found, effort.times)
            comparison.print_cell(cell, everyone)
            targets += comparison.large_targets(cell)
    comparison.print_left_out(everyone, effort.facts[-1])
    pairs = [growth.grown(workload, effort.facts[-1]) for workload in SCALED]
    growth.print_building(pairs)
    targets += growth.print_growth(pairs, effort.questions)
    return targets + writes.print_writes(pairs, effort.facts[-1], effort.writes)


if __name__ == "__main__":
    main()
