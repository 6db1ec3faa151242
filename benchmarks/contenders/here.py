"""The engines of this project: the compiled one, and the `oso` VM fed with translated rules and facts."""

import time
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from authz_service.engine.engines import Engine, LoadedPolicy, loader
from authz_service.engine.program import Budget, Program, Question
from authz_service.facts.access import Demand
from authz_service.facts.fact import Fact
from authz_service.facts.policy_text import PolicyFile
from authz_service.facts.snapshot import FactSnapshot
from authz_service.facts.value import Value
from authz_service.facts.view import View
from contenders.contender import MOST_FOR_ROUNDS, ROUNDS, Asked, Limits, Timed, one_by_one
from workloads.workload import Store, Workload

NOW = 1_700_000_000
BUDGET = Budget(2_000_000)


class Built(NamedTuple):
    """A store that is ready for the compiled engine, and the CPU seconds that each part took."""

    program: Program
    snapshot: FactSnapshot
    policy_seconds: float
    snapshot_seconds: float
    view_seconds: float


class Here:
    """A program of this project."""

    def __init__(self, name: str, engine: Engine, limits: Limits) -> None:
        self.name = name
        self.limits = limits
        self._engine = engine

    def load(self, store: Store) -> Asked:
        program = load_policy(store.workload, self._engine).program
        rounds = ROUNDS if len(store.facts) <= MOST_FOR_ROUNDS else 1

        def ask(questions: Sequence[Question]) -> Timed:
            # Each round is about a store that nobody has asked about before.
            fresh = (FactSnapshot(store.facts) for _ in range(rounds))
            found = [asked(program, facts, store.workload)(questions) for facts in fresh]
            return min(found, key=lambda timed: timed.cpu)

        return ask


def asked(program: Program, snapshot: FactSnapshot, workload: Workload) -> Asked:
    """Return how to ask `program` about `snapshot`, with everything built that can be."""
    warm(program, snapshot, workload)
    build_view(program, snapshot)

    def ask(question: Question) -> bool:
        return program.permits(question, snapshot, NOW, BUDGET)

    return lambda questions: one_by_one(ask, questions)


def warm(program: Program, snapshot: FactSnapshot, workload: Workload) -> None:
    """Have made what is made only when an action is asked about first."""
    for action, type_ in workload.actions:
        nothing = Question(Value("User", "nobody"), action, Value(type_, "nothing"))
        program.permits(nothing, snapshot, NOW, BUDGET)


def build(workload: Workload, facts: Iterable[Fact]) -> Built:
    """Make a store ready for the compiled engine."""
    start = time.process_time()
    program = load_policy(workload, Engine.COMPILED).program
    warm(program, FactSnapshot(), workload)
    loaded = time.process_time()
    snapshot = FactSnapshot(facts)
    taken = time.process_time()
    build_view(program, snapshot)
    viewed = time.process_time()
    return Built(program, snapshot, loaded - start, taken - loaded, viewed - taken)


def load_policy(workload: Workload, engine: Engine) -> LoadedPolicy:
    return loader(engine)([PolicyFile(f"{workload.policy}.polar", workload.text("polar"))])


def build_view(program: Program, snapshot: FactSnapshot) -> View | None:
    """Build all indexes that `program` demands of `snapshot` so far, and return the view that has them.

    What walks come to is found, too, as a server does after a load, beside the questions.
    Programs that demand none build what they need when they are asked.
    """
    demand = getattr(program, "demand", None)
    if not isinstance(demand, Demand):
        return None
    view = snapshot.view(demand)
    view.complete()
    for _ in view.walking():
        pass
    return view
