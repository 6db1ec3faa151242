"""What is done to many facts at a time is what is done to each of them."""

import json
from itertools import chain
from random import Random

import pytest

from authz_service.facts.fact import Fact
from authz_service.facts.value import Value
from authz_service.store.rows import (
    BETWEEN_FACTS,
    Effect,
    Mark,
    columns_of,
    columns_of_facts,
    decode_effects,
    decode_facts,
    encode_effects,
    fact_columns,
    pieces_of,
)

PLAIN = "ab\u00e9\u2028\x7f\U0001f600,:]['%s"
AWKWARD = PLAIN + '"\\\n\x01'


def effects(random: Random, alphabet: str) -> list[Effect]:
    def value() -> Value:
        text = "".join(random.choices(alphabet, k=random.choice([0, 1, 5, 600])))
        return Value(random.choice(["User", "String", "a::b"]), text)

    def fact() -> Fact:
        arity = random.choice([1, 2, 2, 2, 5])
        return Fact(random.choice(["p", 'q"%s']), tuple(value() for _ in range(arity)))

    return [
        (random.choice(list(Mark)), fact(), random.choice([None, None, 0, 2**62]))
        for _ in range(random.randrange(6))
    ]


@pytest.mark.parametrize("seed", range(200))
def test_many_at_a_time(seed: int) -> None:
    some = effects(Random(seed), PLAIN if seed % 2 else AWKWARD)
    rows = [[mark, fact.predicate, list(chain(*fact.args)), until] for mark, fact, until in some]
    body = encode_effects(some)
    assert body == json.dumps(rows, ensure_ascii=False, separators=(",", ":"))
    assert list(decode_effects(body)) == some

    facts = [fact for _, fact, _ in some]
    columns = list(columns_of_facts(facts))
    assert columns == [fact_columns(fact) for fact in facts]
    for predicate in {fact.predicate for fact in facts}:
        texts = [args or key for name, key, args in columns if name == predicate]
        wanted = [fact for fact in facts if fact.predicate == predicate]
        assert decode_facts(predicate, texts) == wanted
    assert decode_facts("p", []) == []


@pytest.mark.parametrize("count", [1, 2, 900])
@pytest.mark.parametrize("longest", [1, 40, 20_000])
def test_pieces_are_all_facts_in_their_order(count: int, longest: int) -> None:
    random = Random(count * longest)
    rows = [
        [f"User\x1f{'é' * random.randrange(longest)}{number}", f"Team\x1f{number % 7}"]
        for number in range(count)
    ]

    pieces = list(pieces_of(BETWEEN_FACTS.join(map("\x1e".join, rows))))

    found = [columns for piece in pieces for _, columns in columns_of(piece)]
    assert [list(row) for columns in found for row in zip(*columns, strict=True)] == rows
    assert all(len(piece) < 2**14 + longest + 100 for piece in pieces)


@pytest.mark.parametrize(
    "value",
    [
        Value("User", "a\x1eUser\x1fb"),
        Value("User\x1fx", "y"),
        Value("User", "\x1d"),
        Value("User", "\0"),
    ],
)
def test_marks_in_one_of_many(value: Value) -> None:
    fine = Fact("p", (Value("User", "ann"),))
    with pytest.raises(ValueError, match="control character"):
        list(columns_of_facts([fine, Fact("p", (value,)), fine]))
