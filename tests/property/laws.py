"""Laws about the answers of one engine: how facts came, and how a policy is written, changes nothing."""

from collections.abc import Iterator, Sequence
from random import Random

from random_scenes import Facts
from rewriting import Renaming, shuffled
from schemas import NOW

from authz_service.engine.engines import Engine, LoadedPolicy, loader
from authz_service.engine.program import Budget, Question
from authz_service.engine.reference import ReferenceProgram
from authz_service.facts.change import ChangeBatch
from authz_service.facts.fact import Fact
from authz_service.facts.policy_text import PolicyFile
from authz_service.facts.revision import Revision
from authz_service.facts.snapshot import FactSnapshot

STEPS = 5_000_000


def answers(
    loaded: LoadedPolicy, facts: FactSnapshot, questions: Sequence[Question]
) -> list[bool | str]:
    """Return the answers to all questions, or errors; of the reference, at the price of one."""
    if isinstance(loaded.program, ReferenceProgram):
        asked = [question.as_fact() for question in questions]
        values = {value for fact in asked for value in fact.args}
        model = loaded.program.model(facts, values, NOW, Budget(STEPS))
        return [fact in model for fact in asked]
    return [_answer(loaded, facts, question) for question in questions]


def _answer(loaded: LoadedPolicy, facts: FactSnapshot, question: Question) -> bool | str:
    try:
        return loaded.program.permits(question, facts, NOW, Budget(STEPS))
    except Exception as error:  # noqa: BLE001 - whatever it is, it is no answer
        return str(error)


def snapshots(random: Random, drawn: Facts) -> Iterator[tuple[str, FactSnapshot]]:
    """Yield snapshots of the same facts that came about in different ways, and say how."""
    facts = list(drawn.facts)
    random.shuffle(facts)
    half = random.randint(0, len(facts))
    stored, rest = facts[:half], facts[half:]
    yield "context", FactSnapshot(stored).with_facts(rest)
    yield "all context", FactSnapshot().with_facts(facts)
    # What is sent may be stored already.
    yield "context again", FactSnapshot(facts).with_facts(rest)
    *_, changed = _changed(random, stored, rest, drawn.others)
    yield "delta", changed
    quarter = random.randint(0, len(rest))
    *_, changed = _changed(random, stored, rest[:quarter], drawn.others)
    yield "delta and context", changed.with_facts(rest[quarter:])


def _changed(
    random: Random, stored: list[Fact], rest: list[Fact], others: Sequence[Fact]
) -> Iterator[FactSnapshot]:
    """Yield what becomes of `stored`, change by change, until it is `stored` and `rest`."""
    wrong = random.sample(others, random.randint(0, len(others)))
    snapshot = FactSnapshot([*stored, *wrong])
    yield snapshot
    undone = random.sample(stored, random.randint(0, len(stored)))
    changes = [
        (frozenset(rest), frozenset(wrong)),
        (frozenset(others), frozenset(undone)),
        (frozenset(undone), frozenset(others)),
    ]
    for number, (inserted, deleted) in enumerate(changes, start=1):
        snapshot = snapshot.after(ChangeBatch(Revision(number), "default", inserted, deleted))
        yield snapshot


def broken_laws(
    random: Random, engine: Engine, text: str, drawn: Facts, expected: Sequence[bool]
) -> Iterator[str]:
    """Yield the laws that `engine` breaks; `expected` are the right answers to the questions."""
    questions = drawn.questions
    loaded = loader(engine)([PolicyFile("policy.polar", text)])
    for name, snapshot in snapshots(random, drawn):
        if answers(loaded, snapshot, questions) != expected:
            yield name
    facts = FactSnapshot(drawn.facts)
    if answers(loader(engine)(shuffled(text, random)), facts, questions) != expected:
        yield "order"
    renaming = Renaming(random.randrange(1000))
    renamed = loader(engine)(renaming.policy(text))
    asked = [renaming.question(question) for question in questions]
    if answers(renamed, FactSnapshot(map(renaming.fact, drawn.facts)), asked) != expected:
        yield "renaming"
