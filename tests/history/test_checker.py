"""The checker accepts what a right service could have said, and finds each rule broken, once and by its name."""

import random
from collections.abc import Callable

import pytest
from checker import Logged, Read, Write, violations
from model import Change, Model, Question

USERS = [f"u{number}" for number in range(4)]
DOCUMENTS = [f"d{number}" for number in range(4)]
GROUPS = ["g0", "g1"]

History = tuple[list[Write], list[Read], list[Logged]]


def some_changes(chance: random.Random) -> list[Change]:
    holds = chance.random() < 0.6
    match chance.randrange(4):
        case 0:
            return [Change("reader", chance.choice(USERS), chance.choice(DOCUMENTS), holds)]
        case 1:
            return [Change("member", chance.choice(USERS), chance.choice(GROUPS), holds)]
        case 2:
            return [Change("owner", chance.choice(DOCUMENTS), chance.choice(GROUPS), holds)]
        case _:
            return [Change("policy", chance.choice(("owners", "readers")), "", True)]


def right_history(seed: int) -> History:
    """Return what clients of a right service could have seen: writes that overlap, answers from any allowed revision."""
    chance = random.Random(seed)
    writes: list[Write] = []
    log: list[Logged] = []
    models = [Model()]
    commits = [0]
    for number in range(1, 61):
        # Committed at a time of its own, in the order of revisions; called before and told after.
        commit = 100 * number
        commits.append(commit)
        log.append(Logged(number, f"w{number}", some_changes(chance)))
        told = None if chance.random() < 0.1 else number
        called = commit - chance.randrange(1, 250)
        writes.append(Write(f"w{number}", called, commit + chance.randrange(1, 250), told))
        if chance.random() < 0.1:
            writes.append(Write(f"refused{number}", commit, commit + 50, None, is_refused=True))
        if chance.random() < 0.1:
            writes.append(Write(f"unknown{number}", commit, commit + 50, None))
        model = Model()
        for logged in log:
            model.apply(logged.changes)
        models.append(model)
    reads = []
    for number in range(300):
        revision = chance.randrange(61)
        returned = commits[revision] + chance.randrange(1, 400)
        called = returned - chance.randrange(1, 200)
        question = Question(chance.choice(USERS), chance.choice(DOCUMENTS))
        read = Read(
            f"c{number % 3}",
            called,
            returned,
            question,
            models[revision].permits(question),
            revision,
        )
        newest = max((w.revision or 0 for w in writes if w.returned < called), default=0)
        match chance.randrange(4):
            case 0:
                read = read._replace(at_least=chance.randint(0, revision))
            case 1 if newest <= revision:
                read = read._replace(is_full=True)
            case 2:
                read = read._replace(exactly=revision)
        reads.append(read)
    return writes, reads, log


@pytest.mark.parametrize("seed", range(20))
def test_what_is_right_is_accepted(seed: int) -> None:
    assert list(violations(*right_history(seed))) == []


def lose(writes: list[Write], _: list[Read], log: list[Logged]) -> None:
    acknowledged = next(write for write in writes if write.revision is not None)
    del log[acknowledged.revision - 1]


def lose_the_number(writes: list[Write], _: list[Read], __: list[Logged]) -> None:
    place = next(place for place, write in enumerate(writes) if write.revision == 40)
    writes[place] = writes[place]._replace(revision=61)


def do_twice(_: list[Write], __: list[Read], log: list[Logged]) -> None:
    log.append(Logged(61, log[10].name, []))


def do_unasked(_: list[Write], __: list[Read], log: list[Logged]) -> None:
    log.append(Logged(61, "", [Change("reader", "u0", "d0", True)]))


def do_though_refused(writes: list[Write], _: list[Read], log: list[Logged]) -> None:
    writes.append(Write("no", 6000, 6100, None, is_refused=True))
    log.append(Logged(61, "no", []))


def turn_around(writes: list[Write], _: list[Read], log: list[Logged]) -> None:
    writes += [Write("first", 9000, 9100, 62), Write("second", 9200, 9300, 61)]
    log += [Logged(61, "second", []), Logged(62, "first", [])]


def answer_from_the_future(_: list[Write], reads: list[Read], __: list[Logged]) -> None:
    place = next(place for place, read in enumerate(reads) if read.revision > 50)
    reads[place] = reads[place]._replace(called=10, returned=20, is_full=False)


def answer_behind_the_token(_: list[Write], reads: list[Read], __: list[Logged]) -> None:
    reads[7] = reads[7]._replace(at_least=reads[7].revision + 1)


def answer_stale(writes: list[Write], reads: list[Read], _: list[Logged]) -> None:
    newest = max(write.returned for write in writes)
    place = next(place for place, read in enumerate(reads) if read.revision < 30)
    reads[place] = reads[place]._replace(called=newest + 1, returned=newest + 2, is_full=True)


def answer_elsewhere(_: list[Write], reads: list[Read], __: list[Logged]) -> None:
    reads[7] = reads[7]._replace(exactly=reads[7].revision + 1)


def answer_wrongly(_: list[Write], reads: list[Read], __: list[Logged]) -> None:
    reads[7] = reads[7]._replace(permitted=not reads[7].permitted)


BROKEN: dict[Callable[[list[Write], list[Read], list[Logged]], None], str] = {
    lose: "lost",
    lose_the_number: "lost",
    do_twice: "twice",
    do_unasked: "unasked",
    do_though_refused: "refused",
    turn_around: "order",
    answer_from_the_future: "future",
    answer_behind_the_token: "behind",
    answer_stale: "stale",
    answer_elsewhere: "elsewhere",
    answer_wrongly: "wrong",
}


@pytest.mark.parametrize("broken", BROKEN, ids=lambda broken: broken.__name__)
@pytest.mark.parametrize("seed", range(3))
def test_what_is_broken_is_found(broken: Callable[..., None], seed: int) -> None:
    history = right_history(seed)
    broken(*history)
    assert BROKEN[broken] in {violation.rule for violation in violations(*history)}
