"""Policies are made ready before they answer: checked, compiled and tested.

Rule 1: while questions are answered, this happens in another process; in a thread beside them it would take
    the interpreter's lock and half of the processor from them. The first policy is made ready here: there
    is nothing yet that could be answered.
Rule 2: a policy that is published is made ready once, though it is wanted twice: to be tested, and when it
    comes with the log.
"""

import time
from collections.abc import Callable, Hashable, Sequence
from collections.abc import Set as AbstractSet
from functools import partial

from authz_service.engine.engines import Engine, LoadedPolicy, loader
from authz_service.engine.policy_tests import run_tests
from authz_service.errors import EngineUnsupported
from authz_service.facts.policy_text import PolicyFile
from authz_service.polar.compile import check_policy
from authz_service.polar.diagnostic import Diagnostic, PolicyInvalid
from authz_service.server.garbage import uncollected
from authz_service.server.other_process import GivenUp, elsewhere


def prepared(engine: Engine) -> Callable[[Sequence[PolicyFile], GivenUp], LoadedPolicy]:
    """Return what loads policies, with all that questions like those of before would wait for.

    It raises what `loader` says, and what `elsewhere` raises.
    """
    newest: tuple[tuple[PolicyFile, ...], LoadedPolicy] | None = None

    def load(files: Sequence[PolicyFile], given_up: GivenUp) -> LoadedPolicy:
        nonlocal newest
        former = newest
        if former is None:
            with uncollected():
                loaded = _loaded(engine, files, None)
        elif former[0] == tuple(files):
            return former[1]
        else:
            asked = former[1].program.asked
            loaded = elsewhere(partial(_loaded, engine, tuple(files), asked), given_up)
        newest = tuple(files), loaded
        return loaded

    return load


def made_elsewhere(engine: Engine, files: Sequence[PolicyFile]) -> LoadedPolicy:
    """Return a policy of the past, made ready in another process.

    Raises what `elsewhere` raises, and EngineUnsupported for one that was valid only then.
    """
    try:
        return elsewhere(partial(_loaded, engine, tuple(files), None), lambda: False)
    except PolicyInvalid as error:
        message = f"the policy of then cannot be executed any more: {error.summary}"
        raise EngineUnsupported(message) from error


def _loaded(
    engine: Engine, files: Sequence[PolicyFile], asked: AbstractSet[Hashable] | None
) -> LoadedPolicy:
    loaded = loader(engine)(files)
    loaded.program.prepare(asked)
    return loaded


def failed_tests(
    steps: int, files: Sequence[PolicyFile], given_up: GivenUp
) -> Sequence[Diagnostic]:
    """Return what is wrong with each assertion that fails in the tests of a policy without errors.

    Raises what `elsewhere` raises.
    """
    return elsewhere(partial(_failed_tests, steps, tuple(files)), given_up)


def _failed_tests(steps: int, files: Sequence[PolicyFile]) -> Sequence[Diagnostic]:
    policy = check_policy(files)
    results = run_tests(policy, policy.tests, int(time.time()), steps)
    return [failure for result in results for failure in result.failures]
