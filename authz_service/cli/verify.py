"""`authz policy verify`: ask several engines the same about an author's own policy."""

import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Annotated, NamedTuple, TypeVar

import authz
import typer
from rich.progress import track

from authz_service.cli import output
from authz_service.cli.agreement import Report, print_report, report_json
from authz_service.cli.fact_text import facts_in
from authz_service.cli.offline import Paths, checked, read_files
from authz_service.engine.engines import Engine, loader
from authz_service.engine.program import Budget, Program, Query, Question
from authz_service.engine.queries.samples import Samples, query_text
from authz_service.engine.reference import ReferenceProgram
from authz_service.engine.scenes import Scene
from authz_service.engine.verification import (
    Comparison,
    ListQuestion,
    Questions,
    compare,
    compare_lists,
    compare_queries,
    lists_of,
)
from authz_service.errors import AuthzError, EngineUnsupported, EvaluationLimitReached
from authz_service.facts.fact import Fact
from authz_service.facts.policy_text import PolicyFile
from authz_service.facts.snapshot import FactSnapshot
from authz_service.facts.value import PRIMITIVE_TYPES, Value, boolean, integer, string
from authz_service.polar.policy import Policy

T = TypeVar("T")

# Work that the reference may do for the questions about one set of facts, another engine for one question.
STEPS = 20_000_000

_IDS = ("ann", "bob", "eve", 'x, "y"')
_IMAGINED = 8  # sets of facts, each of so many pieces
_PIECES = 12
_SCATTERED = 0.5


_TRIES = 3  # for each query that is to be another one than those before


@dataclass(frozen=True, slots=True)
class _Facts:
    """Facts that questions are asked about, and where they come from."""

    name: str
    facts: tuple[Fact, ...]


def verify(  # noqa: PLR0913 - one parameter for each argument and option
    paths: Paths,
    *,
    facts: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="Facts to ask about, one in a line, as `authz facts write --file` reads them. "
            "Without it facts are made up that the policy's rules can use.",
        ),
    ] = None,
    questions: Annotated[
        int,
        typer.Option(metavar="N", min=1, max=1_000_000, help="How many questions to ask at most."),
    ] = 2000,
    lists: Annotated[
        int,
        typer.Option(metavar="N", min=0, max=1_000_000, help="How many lists to ask for at most."),
    ] = 300,
    queries: Annotated[
        int,
        typer.Option(metavar="N", min=0, max=1_000_000, help="How many queries to ask at most."),
    ] = 200,
    seed: Annotated[
        int,
        typer.Option(
            metavar="N", help="Another number makes up other facts and picks other questions."
        ),
    ] = 0,
    as_json: output.Json = False,
) -> None:
    """Ask every engine the same, and report where they differ.

    The service decides with a compiled form of your policy. This asks it, the slow reference that says
    what policies mean, and the `oso` library where it can, about the facts of your tests and those of
    --facts (or made up ones). All combinations of the actors, actions and resources at hand are asked, or
    as many of them as --questions allows; then lists about some of these, and queries about what holds,
    of the service's form and the reference. A difference is a defect of the service: please report it.

    Exit code 0: they agree. 1: they differ, or there was nothing to compare. 2: files that cannot be read,
    or facts that the policy cannot use. 3: the policy does not compile.

    Example: authz policy verify policies/security_company --facts policies/security_company/facts.txt
    """
    files = read_files(paths)
    policy = checked(files, as_json=as_json)
    now = int(time.time())
    random = Random(seed)  # noqa: S311 - picks questions, no secrets
    sets = _sets_of_facts(policy, facts, random, now)
    report = Report(seed)
    programs = _programs(files, report)
    shares = (number // len(sets) or min(number, 1) for number in (questions, lists, queries))
    most = _Most(*shares)
    picked = [_picked(policy, one, random, most, now) for one in sets]
    compared = (
        (one.facts.name, comparison)
        for one in picked
        for comparison in _compared(programs, one, now)
    )
    for name, comparison in _shown(compared, sum(map(len, picked)), is_shown=not as_json):
        report.add(name, comparison)
    if as_json:
        output.print_json(report_json(report))
    else:
        print_report(output.stdout, report)
    if not report.compared:
        output.fail("there was nothing to compare", output.EXIT_FINDINGS)
    raise typer.Exit(output.EXIT_FINDINGS if report.differences else 0)


def _sets_of_facts(policy: Policy, file: Path | None, random: Random, now: int) -> list[_Facts]:
    """Return the facts of the file and of each test; without a file, some that are made up.

    No two sets are equal.
    """
    tests = [_Facts(f'test "{test.name}"', test.facts) for test in policy.tests]
    if file is not None:
        found = [_Facts(str(file), _from_file(policy, file)), *tests]
    else:
        found = [*tests, *(_imagined(policy, random, now, n) for n in range(1, _IMAGINED + 1))]
    return list({frozenset(one.facts): one for one in reversed(found)}.values())[::-1]


def _from_file(policy: Policy, file: Path) -> tuple[Fact, ...]:
    """Return the facts of the file; ends the command if they cannot be read, or used."""
    try:
        facts = tuple(_fact(stored.fact) for stored in facts_in(file))
    except authz.InvalidRequest as error:
        output.fail(error.message, output.EXIT_USAGE)
    try:
        for fact in facts:
            policy.check_fact(fact)
    except AuthzError as error:
        output.fail(f"{file}: {error.message}", output.EXIT_USAGE)
    return facts


def _fact(fact: authz.Fact) -> Fact:
    return Fact(fact.predicate, tuple(map(_value, fact.args)))


def _value(arg: authz.Value) -> Value:
    match arg:
        case authz.Entity():
            return Value(arg.type, arg.id)
        case bool():
            return boolean(arg)
        case int():
            return integer(arg)
        case str():
            return string(arg)


def _imagined(policy: Policy, random: Random, now: int, number: int) -> _Facts:
    # In every second set relations lead to smaller ids only, as `oso` comes to no end in circles.
    scene = Scene(policy, random, _IDS, now, keep=_is_downhill if number % 2 else lambda _: True)
    for _ in range(_PIECES):
        scene.aim()
        if random.random() < _SCATTERED:
            scene.scatter()
    scene.link([*_IDS[: random.randint(1, len(_IDS))], _IDS[0]])
    return _Facts(f"made-up facts {number}", tuple(scene.facts))


def _is_downhill(fact: Fact) -> bool:
    first, last = fact.args[0], fact.args[-1]
    return first.type in PRIMITIVE_TYPES or last.type in PRIMITIVE_TYPES or first.id > last.id


class _Most(NamedTuple):
    """How much to ask about one set of facts."""

    questions: int
    lists: int
    queries: int


@dataclass(frozen=True, slots=True)
class _Picked:
    """What is asked about one set of facts."""

    facts: _Facts
    questions: Sequence[Question]
    lists: Sequence[ListQuestion]
    queries: Sequence[Query]

    def __len__(self) -> int:
        return len(self.questions) + len(self.lists) + len(self.queries)


def _picked(policy: Policy, facts: _Facts, random: Random, most: _Most, now: int) -> _Picked:
    questions = _some(Questions(policy, facts.facts), random, most.questions)
    # Each is about three lists, most of which others are about, too.
    lists = _some(lists_of(policy, _some(questions, random, most.lists)), random, most.lists)
    return _Picked(
        facts, questions, lists, _queries(policy, facts.facts, random, most.queries, now)
    )


def _some(every: Sequence[T], random: Random, most: int) -> Sequence[T]:
    return random.sample(every, most) if most < len(every) else every[:]


def _queries(
    policy: Policy, facts: Sequence[Fact], random: Random, most: int, now: int
) -> Sequence[Query]:
    """Return different queries about what holds, at most so many; about heads of rules if that takes long."""
    try:
        model = ReferenceProgram(policy).model(facts, (), now, Budget(STEPS))
    except EvaluationLimitReached:
        holding: Sequence[Fact] = ()
    else:
        holding = sorted(model)
    samples = Samples(policy, random, holding)
    found: dict[str, Query] = {}
    for _ in range(most * _TRIES if samples else 0):
        if len(found) < most:
            query = samples.query()
            found.setdefault(query_text(query), query)
    return list(found.values())


def _compared(
    programs: Mapping[Engine, Program], picked: _Picked, now: int
) -> Iterator[Comparison]:
    facts = FactSnapshot(picked.facts.facts)
    yield from compare(programs, picked.questions, facts, now, STEPS)
    yield from compare_lists(programs, picked.lists, facts, now, STEPS)
    yield from compare_queries(programs, picked.queries, facts, now, STEPS)


def _programs(files: Sequence[PolicyFile], report: Report) -> Mapping[Engine, Program]:
    """Return what each engine makes of the policy; `report` hears of those that cannot."""
    programs: dict[Engine, Program] = {}
    for engine in Engine:
        try:
            programs[engine] = loader(engine)(files).program
        except EngineUnsupported as error:
            report.refused(engine, error)
    return programs


def _shown(compared: Iterable[T], total: int, *, is_shown: bool) -> Iterable[T]:
    """Yield what was compared, with a progress bar on a terminal."""
    is_hidden = not is_shown or not output.stderr.is_terminal
    return track(
        compared,
        "verifying",
        total=total,
        console=output.stderr,
        disable=is_hidden,
        transient=True,
    )
