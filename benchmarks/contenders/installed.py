"""Which contenders take part: the engines of this project and those peers that are installed."""

import sys
from collections.abc import Callable

from authz_service.engine.engines import Engine
from contenders.contender import Contender, Limits
from contenders.here import Here
from contenders.oso_objects import OsoObjects

# Named in the tables and in the targets.
COMPILED_NAME = "compiled"
VM_NAME = "oso VM"
OBJECTS_NAME = OsoObjects.name
CEDAR_NAME = "cedar"
AGAIN_NAME = "cedar asked again"


def contenders() -> tuple[list[Contender], list[str]]:
    """Return the contenders, the compiled engine first, and the names of those that are not installed."""
    # The faster ones first: what is compared should be measured soon after each other.
    everyone: dict[str, Callable[[], Contender]] = {
        CEDAR_NAME: _cedar,
        VM_NAME: _vm,
        OBJECTS_NAME: _objects,
        "casbin": _casbin,
    }
    found: list[Contender] = [Here(COMPILED_NAME, Engine.COMPILED, Limits(questions=500))]
    missing = []
    for name, make in everyone.items():
        try:
            found.append(make())
        except ImportError:
            missing.append(name)
    return found, missing


def _vm() -> Contender:
    _need_oso()
    reason = "facts are rules of the VM: at 100,000 they take 5 s and up to 700 MB"
    return Here(VM_NAME, Engine.OSO, Limits(40, 200_000, reason))


def _objects() -> Contender:
    _need_oso()
    return OsoObjects(Limits(questions=40))


def _need_oso() -> None:
    if sys.version_info >= (3, 13):
        raise ImportError


def _cedar() -> Contender:
    from contenders.cedar import Cedar  # noqa: PLC0415 - may be absent

    return Cedar(Limits(questions=500))


def _casbin() -> Contender:
    from contenders.casbin_rows import Casbin  # noqa: PLC0415 - may be absent

    reason = "every question looks at every row: 5 to 10 ms at 1,000 facts"
    return Casbin(Limits(40, 2_000, reason))
