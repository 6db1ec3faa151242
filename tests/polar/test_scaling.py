"""Twice the text takes at most 2.5 times the work, for every family of `benchmarks/check_policy.py`.

Work is counted in calls, not in time, so that the test says the same on every machine.
"""

import importlib.util
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

BENCHMARK = Path(__file__).parents[2] / "benchmarks" / "check_policy.py"


def load(path):
    spec = importlib.util.spec_from_file_location(path.stem + "_benchmark", path)
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


benchmark = load(BENCHMARK)


@contextmanager
def counted_calls() -> Iterator[list[int]]:
    """Yield a list whose one number becomes that of the calls of functions, built-in ones included."""
    calls = [0]

    def count(_frame, event, _arg):
        calls[0] += event in ("call", "c_call")

    before = sys.getprofile()
    sys.setprofile(count)
    try:
        yield calls
    finally:
        sys.setprofile(before)


def work(text):
    with counted_calls() as calls:
        benchmark.outcome(text)
    return calls[0]


@pytest.mark.parametrize("family", benchmark.FAMILIES, ids=lambda family: family.name)
def test_twice_the_text_is_about_twice_the_work(family):
    n = max(2, family.n // 10)
    small, large = (family.text(size) for size in (n, 2 * n))
    assert len(large) > 1.5 * len(small)
    assert work(large) <= benchmark.LIMIT * work(small)
