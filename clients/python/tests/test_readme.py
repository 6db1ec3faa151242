"""The examples run as printed, but for the address."""

import re
import textwrap
from pathlib import Path

import authz
import pytest
from scripted_service import oblige, serving

README = Path(__file__).parents[1] / "README.md"
EXAMPLES = re.findall(r"```python\n(.*?)```", README.read_text(), re.DOTALL)


def run(example):
    with serving(oblige) as service:
        here = example.replace("127.0.0.1:50051", service.target)
        here = here.replace("Client()", f'Client("{service.target}")')
        exec(compile(here, str(README), "exec"), {"POLICY": "actor User {}"})
    assert service.requests


@pytest.mark.parametrize("example", EXAMPLES)
def test_the_readme_runs(example):
    run(example)


def test_the_example_of_the_package_runs():
    indented = [line for line in authz.__doc__.splitlines() if line.startswith("    ")]

    run(textwrap.dedent("\n".join(indented)))


def test_the_readme_lists_every_error():
    table = set(re.findall(r"^\| `(\w+)`", README.read_text(), re.MULTILINE))
    errors = {
        name
        for name in authz.__all__
        if isinstance(getattr(authz, name), type) and issubclass(getattr(authz, name), Exception)
    }

    assert table == errors - {"AuthzError"}
