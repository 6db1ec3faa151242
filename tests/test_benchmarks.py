"""The benchmarks of engines and of queries run, and what it feeds them means the same to all that are installed."""

import subprocess
import sys
from pathlib import Path
from random import Random

import pytest

from authz_service.engine.engines import Engine
from authz_service.facts.value import STRING
from contenders.here import load_policy
from contenders.installed import contenders
from measures.comparison import Sample, compare
from workloads import gdrive, github, tinytodo
from workloads.workload import planted, scaled, small, store

BENCHMARKS = Path(__file__).parent.parent / "benchmarks"
WORKLOADS = (gdrive.AS_PUBLISHED, gdrive.FIXED, github.WORKLOAD, tinytodo.WORKLOAD)


@pytest.mark.parametrize("workload", WORKLOADS, ids=lambda workload: workload.name)
def test_all_engines_agree(workload):
    everyone, _ = contenders()
    dense = small(5)._replace(probability=0.2)
    sample = store(workload, dense, seed=1)
    # As published, facts name users that are not the store's, about whom Cedar has no entity.
    tied = 0 if workload is gdrive.AS_PUBLISHED else 0.5
    questions = sample.questions(Random(1), 60, tied)
    cell = compare(everyone, [Sample(sample, questions)])
    assert 0 < cell.permitted < 1
    assert len(cell.costs) == len(everyone)


@pytest.mark.parametrize("workload", WORKLOADS, ids=lambda workload: workload.name)
def test_a_policy_has_no_findings_and_uses_every_fact(workload):
    policy = load_policy(workload, Engine.REFERENCE).policy
    assert policy.warnings == ()
    facts = store(workload, small(20), seed=2).facts
    assert all(map(policy.shapes.accept, facts))


# Of 40 random stores each, so the mean of what they hold is near the published one.
@pytest.mark.parametrize(
    ("workload", "published"),
    [(gdrive.FIXED, 1079), (github.WORKLOAD, 861), (tinytodo.WORKLOAD, 340)],
    ids=lambda value: getattr(value, "name", None),
)
def test_stores_are_as_large_as_the_published_ones(workload, published):
    sizes = [len(store(workload, small(50), seed).facts) for seed in range(40)]
    assert sum(sizes) / 40 == pytest.approx(published, rel=0.03)


@pytest.mark.parametrize("workload", WORKLOADS, ids=lambda workload: workload.name)
def test_a_large_store_has_about_the_wanted_facts(workload):
    facts = store(workload, scaled(workload, 20_000), seed=3).facts
    assert len(facts) == pytest.approx(20_000, rel=0.03)
    assert len(set(facts)) == len(facts)


def test_what_is_planted_shares_no_entity():
    inner, outer = (store(github.WORKLOAD, small(10), seed) for seed in (4, 5))
    facts = planted(inner, outer).facts
    own = {arg for fact in facts[: len(inner.facts)] for arg in fact.args if arg.type != STRING}
    others = {arg for fact in outer.facts for arg in fact.args}
    assert facts[len(inner.facts) :] == outer.facts
    assert not own & others


@pytest.mark.parametrize("name", ["engine.py", "queries.py"])
def test_the_benchmark_runs(name):
    command = [sys.executable, BENCHMARKS / name, "--smoke"]
    run = subprocess.run(command, capture_output=True, text=True, timeout=120)
    assert run.returncode == 0, run.stderr
    assert "## Targets" in run.stdout
