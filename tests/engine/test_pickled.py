"""A program that was made in another process is the same as one that is made here."""

import pickle
from pathlib import Path

import pytest
from asserted import policy_files, questions
from examples import NOW, STEPS, load, policy_text

from authz_service.engine.compiled import CompiledProgram
from authz_service.engine.engines import Engine, LoadedPolicy, loader
from authz_service.engine.program import Budget
from authz_service.facts.snapshot import FactSnapshot
from authz_service.polar.policy import Policy

ROOT = Path(__file__).parents[2]
FILES = sorted(
    path
    for folder in ("policies", "tests", "benchmarks")
    for path in (ROOT / folder).rglob("*.polar")
    if path.name != "tests.polar"
)


def pickled(loaded: LoadedPolicy) -> LoadedPolicy:
    return pickle.loads(pickle.dumps(loaded, 3))


def described(policy: Policy) -> list[object]:
    """Return all that a policy says, as what can be compared."""
    return [
        policy.strata,
        policy.types,
        policy.actors,
        {name: None if known is None else set(known) for name, known in policy.actions.items()},
        policy.shapes.by_predicate,
        policy.tests,
        [(finding.code, finding.sentence, finding.span) for finding in policy.warnings],
    ]


def written(program: CompiledProgram) -> list[object]:
    """Return the code for all kinds of questions, and what it demands of facts."""
    sources = {kind: program.source(kind) for kind in program.kinds()}
    demand = program.demand
    demanded = [demand.paths, demand.constants, demand.reaches, demand.named, demand.type_names]
    return [sources, demanded, program.asked, program.uncompiled]


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_a_compiled_policy(path):
    here = loader(Engine.COMPILED)(policy_files(path))
    here.program.prepare(None)
    there = pickled(here)
    assert described(there.policy) == described(here.policy)
    assert there.program.asked
    assert written(there.program) == written(here.program)


def answers(loaded: LoadedPolicy) -> list[bool]:
    return [
        loaded.program.permits(question, FactSnapshot(test.facts), NOW, Budget(STEPS))
        for test, question, _ in questions(loaded.policy)
    ]


def test_every_engine_answers_alike(engine):
    folder = ROOT / "policies" / "security_company"
    here = loader(engine)(policy_files(folder / "policy.polar", folder / "tests.polar"))
    expected = answers(here)
    assert set(expected) == {True, False}
    # By now `here` keeps what it has made for the facts that it was asked about, such as a VM.
    assert answers(pickled(here)) == expected


def test_kinds_that_are_asked_later_are_compiled_later():
    there = pickled(load(policy_text("github"), Engine.COMPILED))
    assert not there.program.asked
    kind = next(there.program.kinds())
    there.program.prepare({kind})
    assert there.program.asked == {kind}


def test_tracebacks_show_the_code():
    here = load(policy_text("github"), Engine.COMPILED)
    here.program.prepare(None)
    module = pickled(here).program._modules[next(here.program.kinds())]
    namespace = module.executed()
    text = namespace["__loader__"].get_source(namespace["__name__"])
    assert text == module.source.text
