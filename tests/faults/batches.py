"""F11: one fact of a batch is wrong. The error names its place, and nothing of the batch is written."""

import random
import signal
from collections.abc import Callable
from pathlib import Path

import authz
from report import Number
from serving import QUESTIONS, begin, client_of

_MOST_FACTS = 40
_EACH_AS_GOOD = 10

# A predicate that nobody knows, too many arguments, a type that is wrong, one that is unknown, and no such role.
WRONG = (
    "is_suspendd(Employee:{})",
    "is_suspended(Employee:{}, Employee:other)",
    "is_suspended(Location:{})",
    "is_suspended(Robot:{})",
    'has_role(Employee:{}, "emperor", Customer:acme)',
)


def partial_batches(folder: Path, count: int, progress: Callable[[int], None]) -> list[Number]:
    """Write so many batches, each with one wrong fact; AssertionError tells what went wrong."""
    chance = random.Random(20260101)
    server = begin(folder)
    good = 0
    try:
        with client_of(server) as client:
            for number in range(count):
                size = chance.randint(1, _MOST_FACTS)
                batch = [f"is_suspended(Employee:b{number}x{place})" for place in range(size)]
                before = _position(client)
                _check_refused(client, batch, chance)
                assert _position(client) == before, "a refused batch took a revision"
                if number % _EACH_AS_GOOD == 0:
                    # Without the wrong one it is accepted: nothing else was wrong with it.
                    client.write_facts(insert=batch)
                    client.write_facts(delete=batch)
                    assert _position(client) != before
                    good += 1
                    progress(number + 1)
            changed = [
                fact for fact in client.read_facts("is_suspended") if "Employee:b" in str(fact)
            ]
            changed = [fact for fact in changed if fact.args[0].id[1:2].isdigit()]
            assert changed == [], "a part of a batch is stored"
    finally:
        server.end(signal.SIGTERM)
    return [
        Number("batches with one wrong fact, each refused with its place", count),
        Number("of these, accepted without the wrong one", good),
        Number("rows changed by batches that were refused", 0, 0),
    ]


def _check_refused(client: authz.Client, batch: list[str], chance: random.Random) -> None:
    place = chance.randint(0, len(batch))
    wrong = chance.choice(WRONG).format("ann")
    field = None
    try:
        client.write_facts(insert=[*batch[:place], wrong, *batch[place:]])
    except authz.InvalidRequest as error:
        field = error.field
    assert field is not None, f"a batch with {wrong} was accepted"
    assert field.startswith(f"writes[{place}]"), f"{field} for place {place}"


def _position(client: authz.Client) -> str:
    return client.authorize(*QUESTIONS[0]).consistency_token
