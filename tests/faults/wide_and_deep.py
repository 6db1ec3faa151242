"""F20: circles, chains and groups of any size. Each question, list and explanation is right, or a limit that says so."""

import resource
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from report import Number

from authz_service.engine.engines import Engine, LoadedPolicy, loader
from authz_service.engine.explain.explainer import Explainer
from authz_service.engine.explain.lookups import Steps
from authz_service.engine.program import Budget, Listed, Listing, Question
from authz_service.errors import EvaluationLimitReached
from authz_service.facts.fact import Fact
from authz_service.facts.policy_text import PolicyFile
from authz_service.facts.snapshot import FactSnapshot
from authz_service.facts.value import Value, string

_POLICY = """
actor User {}
resource Group { roles = ["member"]; }
resource Folder {
  roles = ["reader"];
  permissions = ["read", "knock"];
  relations = { parent: Folder, group: Group };
  "reader" if "reader" on "parent";
  "reader" if "member" on "group";
  "read" if "reader";
}
has_permission(user: User, "knock", folder: Folder) if not has_role(user, "reader", folder);
"""
_NOW = 1_700_000_000
_STEPS = 20_000_000
_FEW_STEPS = 100
_SEARCH_STEPS = 100_000
_MIB = 2**20

# The places where others counted in 16 bits, and a million.
GROUPS = (65_535, 65_536, 65_537, 1_000_000)
CHAIN = 100_000
CIRCLE = 10_000


def _user(name: object) -> Value:
    return Value("User", f"u{name}")


def _folder(number: object) -> Value:
    return Value("Folder", f"f{number}")


def _reads(user: Value, folder: Value) -> Fact:
    return Fact("has_role", (user, string("reader"), folder))


def _parents(pairs: Iterator[tuple[int, int]]) -> Iterator[Fact]:
    for inner, outer in pairs:
        yield Fact("has_relation", (_folder(inner), string("parent"), _folder(outer)))


@dataclass(frozen=True)
class _World:
    """Facts, and of whom it is known whether they may read what."""

    name: str
    facts: FactSnapshot
    may: tuple[Value, Value]
    may_not: tuple[Value, Value]
    read_by: tuple[Value, int]
    """A reader, and of how many folders."""
    readers_of: tuple[Value, int]
    """A folder, and how many readers it has."""


def circle(size: int) -> _World:
    facts = [*_parents((n, (n + 1) % size) for n in range(size)), _reads(_user("in"), _folder(0))]
    return _World(
        f"a circle of {size:,}",
        FactSnapshot(facts),
        (_user("in"), _folder(size // 2)),
        (_user("out"), _folder(size // 2)),
        (_user("in"), size),
        (_folder(1), 1),
    )


def chain(size: int) -> _World:
    facts = [*_parents((n, n + 1) for n in range(size)), _reads(_user("in"), _folder(size))]
    return _World(
        f"a chain of {size:,}",
        FactSnapshot(facts),
        (_user("in"), _folder(0)),
        (_user("out"), _folder(0)),
        (_user("in"), size + 1),
        (_folder(0), 1),
    )


def group(size: int) -> _World:
    everybody = Value("Group", "everybody")
    facts = [
        Fact("has_relation", (_folder(0), string("group"), everybody)),
        *(Fact("has_role", (_user(n), string("member"), everybody)) for n in range(size)),
    ]
    return _World(
        f"a group of {size:,}",
        FactSnapshot(facts),
        (_user(size - 1), _folder(0)),
        (_user(size), _folder(0)),
        (_user(0), 1),
        (_folder(0), size),
    )


@dataclass
class _Counted:
    """What came of all worlds."""

    questions: int = 0
    listed: int = 0
    explained: int = 0
    limits: int = 0
    longest: dict[str, float] = field(default_factory=dict)


def wide_and_deep(
    _: Path,
    rounds: int,
    progress: Callable[[int], None],
    worlds: tuple[Callable[[], _World], ...] = (
        lambda: circle(CIRCLE),
        lambda: chain(CHAIN),
        *((lambda size=size: group(size)) for size in GROUPS),
    ),
) -> list[Number]:
    """Ask everything about all worlds, so many times; AssertionError tells what went wrong."""
    counted = _Counted()
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    for number in range(rounds):
        loaded = loader(Engine.COMPILED)([PolicyFile("policy.polar", _POLICY)])
        for made in worlds:
            _Asked(made(), loaded, counted).everything()
        progress(number + 1)
    growth = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) * 1024 / _MIB
    return [
        Number("questions, all answered rightly", counted.questions),
        Number("values in lists, all of them and no others", counted.listed),
        Number("questions explained, or refused as too large to be", counted.explained),
        Number("limits that were reached, each an error and no answer", counted.limits),
        *(
            Number(f"longest question, {name}, seconds", seconds, 1)
            for name, seconds in counted.longest.items()
        ),
        Number("growth of memory with a million facts and their lists, MiB", growth, 2048),
    ]


class _Asked:
    """One world, and everything that is asked about it."""

    def __init__(self, world: _World, loaded: LoadedPolicy, counted: _Counted) -> None:
        self._world = world
        self._loaded = loaded
        self._counted = counted

    def everything(self) -> None:
        # Indexes are built when a kind of question is first asked.
        self._permits("read", *self._world.may)
        self._permits("knock", *self._world.may)
        self._decisions()
        self._lists()
        self._limits()
        self._explanations()

    def _permits(self, action: str, actor: Value, folder: Value, steps: int = _STEPS) -> bool:
        question = Question(actor, action, folder)
        return self._loaded.program.permits(question, self._world.facts, _NOW, Budget(steps))

    def _decisions(self) -> None:
        world = self._world
        for action, pair, expected in (
            ("read", world.may, True),
            ("read", world.may_not, False),
            ("knock", world.may, False),
            ("knock", world.may_not, True),
        ):
            start = time.perf_counter()
            found = self._permits(action, *pair)
            seconds = time.perf_counter() - start
            assert found is expected, f"{world.name}: {action} {pair} is not {found}"
            longest = self._counted.longest
            longest[world.name] = max(seconds, longest.get(world.name, 0))
            self._counted.questions += 1

    def _lists(self) -> None:
        program, world = self._loaded.program, self._world
        reader, folders = world.read_by
        folder, readers = world.readers_of
        for found, size, member in (
            (self._resources("read", reader), folders, None),
            (self._actors("read", folder), readers, None),
        ):
            assert not found.is_any_except
            assert len(found.values) == len(set(found.values)) == size, (world.name, member)
            self._counted.listed += size
        # Whoever cannot read may knock, also who is not known.
        knocking = self._actors("knock", folder)
        assert knocking.is_any_except
        assert len(knocking.values) == readers, world.name
        assert set(knocking.values) == set(self._actors("read", folder).values)
        actions = program.listed(
            Listing.of_actions(reader, folder, self._loaded.policy.actions["Folder"]),
            world.facts,
            _NOW,
            Budget(_STEPS),
        )
        assert actions.values == (string("read"),), world.name

    def _resources(self, action: str, actor: Value, steps: int = _STEPS) -> Listed:
        program = self._loaded.program
        return program.listed(
            Listing.of_resources(actor, action, "Folder"), self._world.facts, _NOW, Budget(steps)
        )

    def _actors(self, action: str, folder: Value, steps: int = _STEPS) -> Listed:
        program = self._loaded.program
        return program.listed(
            Listing.of_actors("User", action, folder), self._world.facts, _NOW, Budget(steps)
        )

    def _limits(self) -> None:
        """With few steps there is the same answer or an error, also where the rule has a `not`."""
        world = self._world
        fresh = _Asked(_fresh(world), self._loaded, self._counted)
        folder, readers = world.readers_of
        for ask, expected in (
            (lambda: fresh._permits("read", *world.may_not, _FEW_STEPS), False),
            (lambda: fresh._permits("knock", *world.may, _FEW_STEPS), False),
            (lambda: len(fresh._resources("read", world.read_by[0], _FEW_STEPS).values), None),
            (lambda: len(fresh._actors("read", folder, _FEW_STEPS).values), readers),
        ):
            try:
                found = ask()
            except EvaluationLimitReached:
                self._counted.limits += 1
                continue
            assert found == (world.read_by[1] if expected is None else expected), world.name

    def _explanations(self) -> None:
        world, explainer = self._world, Explainer(self._loaded)
        may, may_not = (Question(a, "read", f) for a, f in (world.may, world.may_not))
        try:
            proof = explainer.proof(may, world.facts, _NOW, Steps(Budget(_STEPS)))
            assert proof.steps
        except EvaluationLimitReached:
            self._counted.limits += 1
        try:
            explainer.misses(may_not, world.facts, _NOW, Steps(Budget(_STEPS)))
        except EvaluationLimitReached:
            self._counted.limits += 1
        search = Steps(Budget(_SEARCH_STEPS))
        near = explainer.changes(may_not, world.facts, _NOW, 1, search, Budget(_STEPS))
        for changes in near.sets:
            assert changes, "a denied question is permitted by no change"
        self._counted.explained += 2


def _fresh(world: _World) -> _World:
    """Return the same world, of which nothing is known yet from questions before."""
    return _World(
        world.name,
        FactSnapshot(world.facts),
        world.may,
        world.may_not,
        world.read_by,
        world.readers_of,
    )
