"""The example policies, and short ways to write policies, facts and questions in tests."""

from pathlib import Path

import authz

from authz_service.engine.engines import Engine, LoadedPolicy, loader
from authz_service.engine.program import Budget, Question
from authz_service.facts.fact import Fact
from authz_service.facts.policy_text import PolicyFile
from authz_service.facts.snapshot import FactSnapshot
from authz_service.facts.value import Value, boolean, integer, string

POLICIES = Path(__file__).parent.parent / "policies"
NAMES = sorted(path.parent.name for path in POLICIES.glob("*/cases.txt"))
STEPS = 5_000_000


def policy_text(name: str) -> str:
    return (POLICIES / name / "policy.polar").read_text(encoding="utf-8")


def fact_lines(name: str) -> list[authz.Fact]:
    return authz.parse_facts((POLICIES / name / "facts.txt").read_text(encoding="utf-8"))


def cases(name: str) -> list[tuple[bool, str, str, str]]:
    """Return (permitted, actor, action, resource) for each case of an example policy."""
    found = []
    for line in (POLICIES / name / "cases.txt").read_text(encoding="utf-8").splitlines():
        words = line.partition("#")[0].split()
        if words:
            found.append((words[0] == "PERMIT", *words[1:]))
    return found


def load(text: str, engine: Engine = Engine.REFERENCE) -> LoadedPolicy:
    return loader(engine)([PolicyFile("policy.polar", text)])


def entity(text: str) -> Value:
    parsed = authz.Entity.parse(text)
    return Value(parsed.type, parsed.id)


def fact(text: str | authz.Fact) -> Fact:
    parsed = authz.Fact.parse(text) if isinstance(text, str) else text
    return Fact(parsed.predicate, tuple(map(_value, parsed.args)))


def _value(arg: object) -> Value:
    match arg:
        case authz.Entity():
            return Value(arg.type, arg.id)
        case bool():
            return boolean(arg)
        case int():
            return integer(arg)
        case _:
            return string(str(arg))


def snapshot(*facts: str | authz.Fact) -> FactSnapshot:
    return FactSnapshot(map(fact, facts))


NOW = 1_800_000_000


def permits(
    loaded: LoadedPolicy,
    facts: FactSnapshot,
    question: str | tuple[str, str, str],
    steps: int = STEPS,
    now: int = NOW,
) -> bool:
    """Ask `ACTOR ACTION RESOURCE` at the time `now`."""
    actor, action, resource = question.split() if isinstance(question, str) else question
    asked = Question(entity(actor), action, entity(resource))
    loaded.policy.check_question(*asked)
    return loaded.program.permits(asked, facts, now, Budget(steps))
