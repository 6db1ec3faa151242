"""What the codec makes of messages: the quick way, for plain texts, and the careful one come to the same."""

import pytest
from authz.v1 import authorization_service_pb2, fact_pb2, fact_service_pb2
from hypothesis import event, example, given
from hypothesis import strategies as st

from authz_service.errors import AuthzError
from authz_service.facts.change import Delete, Insert
from authz_service.facts.fact import Fact
from authz_service.facts.value import (
    INTEGER_MAX,
    INTEGER_MIN,
    Value,
    boolean,
    id_problem,
    integer,
    string,
)
from authz_service.server import codec

PLAIN = {
    "predicate": "has_role",
    "args": [
        {"entity": {"type": "User", "id": "ann"}},
        {"text": "a reader"},
        {"integer": INTEGER_MIN},
        {"integer": INTEGER_MAX},
        {"boolean": True},
    ],
}
AS_FACT = Fact(
    "has_role",
    (
        Value("User", "ann"),
        string("a reader"),
        integer(INTEGER_MIN),
        integer(INTEGER_MAX),
        boolean(True),
    ),
)


def mostly(ordinary, special):
    """Of what is special there is little, as the first place with something wrong ends the whole message."""
    return st.integers(0, 29).flatmap(lambda number: special if number == 17 else ordinary)


ordinary = st.sampled_from(["User", "ann", "a b", "~", "x" * 128])
EDGES = [
    *("", "String", "Integer", "Boolean", "string", "\x1f", "\x7f", "\x80", "\xa0", "a\0"),
    *("x" * 129, "x" * 512, "x" * 513, "é" * 64, "é" * 65, "é" * 256, "é" * 257),
]
special = st.one_of(st.sampled_from(EDGES), st.text(st.characters(codec="utf-8"), max_size=4))
texts = mostly(ordinary, special)
entities = st.builds(fact_pb2.Entity, type=texts, id=texts)
integers = st.one_of(
    st.sampled_from([0, INTEGER_MIN, INTEGER_MAX]), st.integers(INTEGER_MIN, INTEGER_MAX)
)
values = mostly(
    st.one_of(
        st.builds(fact_pb2.Value, entity=entities),
        st.builds(fact_pb2.Value, text=texts),
        st.builds(fact_pb2.Value, integer=integers),
        st.builds(fact_pb2.Value, boolean=st.booleans()),
    ),
    st.sampled_from([fact_pb2.Value(), fact_pb2.Value(entity={}), fact_pb2.Value(text="")]),
)
facts = st.builds(
    fact_pb2.Fact,
    predicate=texts,
    args=mostly(
        st.lists(values, min_size=1, max_size=5),
        st.sampled_from([[], [fact_pb2.Value(text="a")] * 6]),
    ),
)
times = mostly(
    st.sampled_from([None, {"seconds": 1}]), st.sampled_from([{"seconds": -1}, {"nanos": 10**9}])
)
stored = st.builds(fact_pb2.StoredFact, fact=facts, expires_at=times)
patterns = st.builds(
    fact_pb2.FactPattern,
    predicate=texts,
    args=st.lists(st.builds(fact_pb2.ValuePattern, value=values), max_size=2),
)
replacements = st.builds(
    fact_service_pb2.FactReplacement,
    pattern=mostly(patterns, st.none()),
    inserts=st.lists(stored, max_size=3),
)
writes = mostly(
    st.one_of(
        st.builds(fact_service_pb2.FactWrite, insert=facts, expires_at=times),
        st.builds(fact_service_pb2.FactWrite, delete=facts),
        st.builds(fact_service_pb2.FactWrite, delete_matching=patterns),
        st.builds(fact_service_pb2.FactWrite, replace=replacements),
    ),
    st.sampled_from(
        [fact_service_pb2.FactWrite(), fact_service_pb2.FactWrite(delete={}, expires_at={})]
    ),
)


def outcome(decode, message):
    """Return what `decode` makes of a message that came over the wire, or all that its error says."""
    try:
        return "accepted", decode(type(message).FromString(message.SerializeToString()))
    except AuthzError as error:
        return "refused", (type(error), error.message, error.field)


def both_ways(decode, message):
    """Check that `decode` comes to the same if no text counts as plain; say whether it accepts `message`."""
    quick = outcome(decode, message)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(codec, "is_plain", lambda *_: False)
        careful = outcome(decode, message)
    assert quick == careful
    return quick[0]


@given(st.builds(fact_service_pb2.WriteFactsRequest, writes=st.lists(writes, max_size=4)))
def test_writes(message):
    event(both_ways(codec.write_request, message))


@given(st.builds(fact_service_pb2.ImportFactsRequest, facts=st.lists(stored, max_size=4)))
def test_imports(message):
    event(both_ways(codec.inserts, message))


@given(
    st.builds(
        authorization_service_pb2.AuthorizeRequest,
        actor=mostly(entities, st.none()),
        action=texts,
        resource=mostly(entities, st.none()),
        context_facts=st.lists(facts, max_size=3),
    )
)
def test_questions(message):
    event(both_ways(codec.question, message))
    event(both_ways(codec.context_facts, message))


@pytest.mark.parametrize("text", EDGES)
def test_each_place_of_a_fact(text):
    sound = {"type": "User", "id": "ann"}
    written = [
        fact_pb2.Fact(predicate=text, args=[{"entity": sound}]),
        fact_pb2.Fact(predicate="p", args=[{"entity": {**sound, "type": text}}]),
        fact_pb2.Fact(predicate="p", args=[{"entity": {**sound, "id": text}}]),
        fact_pb2.Fact(predicate="p", args=[{"text": text}]),
    ]
    for one in written:
        both_ways(codec.write_request, fact_service_pb2.WriteFactsRequest(writes=[{"insert": one}]))


def test_a_plain_fact_is_taken_the_quick_way():
    message = fact_pb2.Fact(**PLAIN)
    found = codec.plain_fact(message)
    assert found == codec.fact(message, "") == AS_FACT
    assert [type(part) for part in (found, *found.args)] == [Fact, *[Value] * 5]
    request = fact_service_pb2.WriteFactsRequest(writes=[{"insert": PLAIN}, {"delete": PLAIN}])
    assert codec.write_request(request).writes == [Insert(AS_FACT), Delete(AS_FACT)]


@pytest.mark.parametrize(
    ("others", "inserts", "expected"),
    [
        (999, 0, "accepted"),
        (1000, 0, "refused"),
        (999, 1, "accepted"),
        (1000, 1, "refused"),
        (999, 2, "refused"),
        (0, 1000, "accepted"),
        (0, 1001, "refused"),
    ],
)
def test_so_many_facts_one_request_may_write(others, inserts, expected):
    """A replacement counts as many as it inserts, and as one if it inserts none."""
    message = fact_service_pb2.WriteFactsRequest(writes=[{"insert": PLAIN}] * others)
    pattern = {"predicate": "has_role"}
    message.writes.add(replace={"pattern": pattern, "inserts": [{"fact": PLAIN}] * inserts})
    assert outcome(codec.write_request, message)[0] == expected


@given(st.one_of(st.text(st.characters(), max_size=4), texts))
@example("\ud800")
@example("x" * 511 + "\n")
@example("x" * 511 + "é")
@example("x" * 510 + "é")
def test_what_is_wrong_with_an_id(text):
    """As the words of its contract have it, one character after the other."""
    size = sum(1 + sum(ord(c) > most for most in (0x7F, 0x7FF, 0xFFFF)) for c in text)
    is_usable = 1 <= size <= 512 and not any(
        ord(c) < 32 or 127 <= ord(c) < 160 or 0xD800 <= ord(c) < 0xE000 for c in text
    )
    assert (id_problem(text) is None) is is_usable
