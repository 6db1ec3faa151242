"""F23: a list that is near its limit of steps, or its deadline, is whole or an error; never short."""

import asyncio
from collections.abc import Callable
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from random import Random

from report import Number

from authz_service.engine.engines import Engine, LoadedPolicy
from authz_service.engine.program import Budget, Question
from authz_service.errors import EvaluationLimitReached
from authz_service.facts.change import Insert, WriteRequest
from authz_service.facts.fact import Fact
from authz_service.facts.policy_text import PolicyFile
from authz_service.facts.value import Value, string
from authz_service.pdp.decide import Moment, PolicyDecisionPoint
from authz_service.pdp.lists import ActorList, Lists, ResourceList
from authz_service.replica.replica import Replica
from authz_service.server.prepare import prepared
from authz_service.store.fact_store import FactStore

_POLICY = """
actor User {}
resource Folder {
  roles = ["reader"];
  permissions = ["read", "knock"];
  relations = { parent: Folder };
  "reader" if "reader" on "parent";
  "read" if "reader";
}
has_permission(user: User, "knock", folder: Folder) if not has_role(user, "reader", folder);
"""
_FOLDERS = 60
_USERS = 20
_MOST_STEPS = 500
_MOST_SECONDS = 0.004
_STEPS = 1_000_000

AnyList = ResourceList | ActorList


def lists_near_limits(folder: Path, rounds: int, progress: Callable[[int], None]) -> list[Number]:
    """Ask for so many lists with few steps or little time; AssertionError tells of a short one."""
    with closing(FactStore.open(f"sqlite:///{folder}/authz.db")) as store:
        store.publish("default", (PolicyFile("policy.polar", _POLICY),), datetime.now(UTC))
        store.write("default", WriteRequest([Insert(fact) for fact in _facts(Random(23))]))
        load = prepared(Engine.COMPILED)
        replica: Replica[LoadedPolicy] = Replica(
            store, lambda files: load(files, lambda: False), lambda one: one.program.demand
        )
        replica.load()
        pdp = PolicyDecisionPoint(replica, evaluation_steps=_STEPS)
        try:
            return asyncio.run(_NearLimits(pdp).run(rounds, progress))
        finally:
            pdp.close()
            replica.close()


def _facts(chance: Random) -> list[Fact]:
    """Folders in folders, with circles, and readers here and there."""
    folders = [Value("Folder", f"f{number}") for number in range(_FOLDERS)]
    users = [Value("User", f"u{number}") for number in range(_USERS)]
    parents = {(chance.choice(folders), chance.choice(folders)) for _ in range(_FOLDERS)}
    readers = {(chance.choice(users), chance.choice(folders)) for _ in range(_USERS)}
    return [
        *(Fact("has_relation", (one, string("parent"), other)) for one, other in parents),
        *(Fact("has_role", (user, string("reader"), folder)) for user, folder in readers),
    ]


class _NearLimits:
    def __init__(self, pdp: PolicyDecisionPoint) -> None:
        self._pdp = pdp
        self._chance = Random(7)
        self._whole = self._limited = self._late = 0

    async def run(self, rounds: int, progress: Callable[[int], None]) -> list[Number]:
        moment = self._pdp.moment("default")
        for number in range(rounds):
            await self._ask(moment, self._wanted())
            progress(number + 1)
        return [
            Number("lists asked for with few steps or little time", rounds),
            Number("of these, whole", self._whole),
            Number("of these, EVALUATION_LIMIT_REACHED", self._limited),
            Number("of these, ended by their deadline", self._late),
            Number("short lists", 0, 0),
        ]

    def _wanted(self) -> AnyList:
        action = self._chance.choice(["read", "knock"])
        if self._chance.random() < 0.5:
            user = Value("User", f"u{self._chance.randrange(_USERS + 1)}")
            return ResourceList(user, action, "Folder")
        folder = Value("Folder", f"f{self._chance.randrange(_FOLDERS + 1)}")
        return ActorList("User", action, folder)

    async def _ask(self, moment: Moment, wanted: AnyList) -> None:
        steps = self._chance.choice([self._chance.randrange(_MOST_STEPS), _STEPS])
        seconds = self._chance.choice([self._chance.random() * _MOST_SECONDS, 60])
        lists = Lists(self._pdp.long_work, list_steps=steps)
        try:
            async with asyncio.timeout(seconds):
                made = await lists.made(moment, wanted, ())
        except EvaluationLimitReached:
            self._limited += 1
            return
        except TimeoutError:
            self._late += 1
            return
        self._whole += 1
        *known, (_, is_any_except) = self._permitted(moment, wanted)
        expected = sorted(name for name, found in known if found is not is_any_except)
        is_right = made.is_any_except is is_any_except and list(made.ids) == expected
        assert is_right, f"a short list, or a wrong one: {wanted} is not {made}"

    def _permitted(self, moment: Moment, wanted: AnyList) -> list[tuple[str, bool]]:
        """Return of each value that there is, and of a stranger, whether it is permitted."""
        match wanted:
            case ResourceList(actor, action, _):
                names = [f"f{number}" for number in range(_FOLDERS)] + ["stranger"]
                asked = [Question(actor, action, Value("Folder", name)) for name in names]
            case ActorList(_, action, resource):
                names = [f"u{number}" for number in range(_USERS)] + ["stranger"]
                asked = [Question(Value("User", name), action, resource) for name in names]
        program, facts = moment.policy.loaded.program, moment.facts
        now = moment.second
        answers = [program.permits(question, facts, now, Budget(_STEPS)) for question in asked]
        return list(zip(names, answers, strict=True))
