"""How many bytes of memory a fact costs: the growth of a fresh process that builds one store."""

import gc
import multiprocessing
import resource
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from random import Random
from typing import NamedTuple

from authz_service.engine.engines import Engine
from authz_service.facts.fact import Fact
from authz_service.facts.snapshot import FactSnapshot
from authz_service.facts.value import Value
from contenders.here import build_view, load_policy, warm
from workloads import gdrive, github, tinytodo
from workloads.workload import Workload, scaled

WORKLOADS = {w.name: w for w in (gdrive.FIXED, github.WORKLOAD, tinytodo.WORKLOAD)}


class Cost(NamedTuple):
    """How many bytes the facts alone cost, and with the indexes of the policy."""

    facts: int
    snapshot: int
    with_view: int


def print_memory(sizes: Sequence[int]) -> None:
    print("\n## Memory: bytes of a fresh process for each fact\n")
    print(f"{'workload':22}{'facts':>11}{'snapshot':>10}{'with view':>11}")
    for size in sizes:
        for name in WORKLOADS:
            fresh = multiprocessing.get_context("spawn")
            with ProcessPoolExecutor(max_workers=1, mp_context=fresh) as process:
                cost = process.submit(measure, name, size).result()
            print(f"{name:22}{cost.facts:>11,}{cost.snapshot / cost.facts:>10.0f}", end="")
            print(f"{cost.with_view / cost.facts:>11.0f}", flush=True)


def measure(name: str, facts: int) -> Cost:
    workload = WORKLOADS[name]
    program = load_policy(workload, Engine.COMPILED).program
    warm(program, FactSnapshot(), workload)
    before = resident()
    snapshot = FactSnapshot(_fresh(workload, facts))
    taken = resident()
    build_view(program, snapshot)
    return Cost(len(snapshot), taken - before, resident() - before)


def _fresh(workload: Workload, facts: int) -> Iterator[Fact]:
    """Yield facts that share nothing, as those that come out of a database."""
    for fact in workload.facts(Random(5), scaled(workload, facts)):
        yield Fact(fact.predicate, tuple(Value(arg.type, _copied(arg.id)) for arg in fact.args))


def _copied(text: str) -> str:
    return text[:1] + text[1:]


def resident() -> int:
    """Return the bytes of memory that this process has."""
    gc.collect()
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * resource.getpagesize()
