"""A short run of the fuzzer, always the same one; `fuzz_parser` says how to run it for longer."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

RUNS = 2000
FUZZER = Path(__file__).parent / "fuzz_parser.py"


def test_any_text_is_a_policy_or_invalid(tmp_path):
    pytest.importorskip("atheris")
    options = [f"-runs={RUNS}", "-seed=1", "-max_len=2000", "-timeout=20", "-print_final_stats=1"]
    done = subprocess.run(
        [sys.executable, FUZZER, *options, f"-artifact_prefix={tmp_path}/"],
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    runs = re.search(r"stat::number_of_executed_units:\s*(\d+)", done.stderr)
    assert runs is not None, done.stderr
    assert int(runs[1]) >= RUNS
