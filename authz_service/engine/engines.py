"""The engines by name, and what they make of a published policy."""

from collections.abc import Callable, Sequence
from enum import Enum
from typing import NamedTuple, assert_never

from authz_service.engine.compiled import CompiledProgram
from authz_service.engine.oso_vm import OsoProgram
from authz_service.engine.program import Program
from authz_service.engine.reference import ReferenceProgram
from authz_service.facts.policy_text import PolicyFile
from authz_service.polar.compile import check_policy
from authz_service.polar.policy import Policy


class Engine(Enum):
    """Which engine decides."""

    COMPILED = "compiled"
    REFERENCE = "reference"
    OSO = "oso"


class LoadedPolicy(NamedTuple):
    """A checked policy and the program that decides by it."""

    policy: Policy
    program: Program


Loader = Callable[[Sequence[PolicyFile]], LoadedPolicy]


def loader(engine: Engine) -> Loader:
    """Return the function that makes a policy executable by `engine`.

    The function raises PolicyInvalid for a policy with errors, and EngineUnsupported for one that
    this engine cannot express.
    """

    def load(files: Sequence[PolicyFile]) -> LoadedPolicy:
        policy = check_policy(files)
        match engine:
            case Engine.COMPILED:
                return LoadedPolicy(policy, CompiledProgram(policy))
            case Engine.REFERENCE:
                return LoadedPolicy(policy, ReferenceProgram(policy))
            case Engine.OSO:
                return LoadedPolicy(policy, OsoProgram(policy))
            case _:
                assert_never(engine)

    return load
