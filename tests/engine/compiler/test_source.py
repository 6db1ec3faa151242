"""The text that is generated for some small policies, word for word.

Each file in `sources` holds a policy, a line of dashes, and the modules for all kinds of questions about it; in
`list_sources`, the modules for lists of resources and of actors.
Code is to be read in tracebacks, so these are also what to look at when it is to become better to read.
"""

from pathlib import Path

import pytest
from examples import load

from authz_service.engine.compiled import CompiledProgram

FILES = sorted((Path(__file__).parent / "sources").glob("*.txt"))
LIST_FILES = sorted((Path(__file__).parent / "list_sources").glob("*.txt"))
DASHES = "-" * 20


def generated(policy: str) -> str:
    program = CompiledProgram(load(policy).policy)
    return "\n\n".join(program.source(kind).text for kind in program.kinds())


def generated_lists(policy: str) -> str:
    program = CompiledProgram(load(policy).policy)
    kinds = [kind for kind in program.kinds() if kind.actor_type == "User"]
    lists = (one for kind in kinds for one in program.list_kinds(kind))
    return "\n\n".join(program.source(one).text for one in lists)


@pytest.mark.parametrize("path", LIST_FILES, ids=lambda path: path.stem)
def test_generated_text_of_lists(path):
    policy, _, expected = path.read_text(encoding="utf-8").partition(f"{DASHES}\n")
    assert generated_lists(policy) == expected


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_generated_text(path):
    policy, _, expected = path.read_text(encoding="utf-8").partition(f"{DASHES}\n")
    assert generated(policy) == expected


def test_the_same_policy_gives_the_same_text():
    policies = [path.read_text(encoding="utf-8").partition(DASHES)[0] for path in FILES]
    assert [generated(policy) for policy in policies] == [generated(policy) for policy in policies]
