import enum
import pickle

import pytest
from authz import ANY, AnyOf, Entity, Fact, FactPattern, InvalidRequest, parse_facts
from authz._text import NAME
from hypothesis import given
from hypothesis import strategies as st

ALICE = Entity("User", "alice")

names = st.text(min_size=1).filter(NAME.fullmatch) | st.sampled_from(
    ["has_role", "true", "_", "-3"]
)
# The characters that mean something somewhere, more often than chance would have it.
texts = st.text() | st.text(st.sampled_from('a_:,()"#;\\ \n\r\t\0\u2028\x85n0'))
entities = st.builds(Entity, names, texts.filter(bool))
integers = st.integers(-(2**63), 2**63 - 1)
values = entities | texts | integers | st.booleans()
facts = st.builds(lambda name, args: Fact(name, *args), names, st.lists(values, max_size=5))
holes = values | st.just(ANY) | st.builds(AnyOf, names)
patterns = st.builds(
    lambda name, args: FactPattern(name, *args),
    (names | st.just("")).filter(lambda name: name != "_"),
    st.lists(holes, max_size=5),
)


@given(facts)
def test_a_fact_reads_back(fact):
    assert Fact.parse(str(fact)) == fact
    assert pickle.loads(pickle.dumps(fact)) == fact


@given(st.lists(facts, max_size=4))
def test_a_file_of_facts_reads_back(facts):
    text = "\n".join(f"  {fact};  # {number}\r" for number, fact in enumerate(facts))

    assert parse_facts(text) == facts


@given(patterns)
def test_a_pattern_reads_back(pattern):
    assert FactPattern.parse(str(pattern)) == pattern


@given(facts, facts)
def test_facts_with_the_same_text_are_the_same(one, other):
    assert (str(one) == str(other)) == (one == other)
    assert one != other or hash(one) == hash(other)


@given(texts)
def test_any_other_text_is_refused_as_invalid(text):
    try:
        fact = Fact.parse(text)
    except InvalidRequest as error:
        assert error.reason == "MALFORMED_TEXT"  # noqa: PT017 - refused or read, both are fine
    else:
        assert Fact.parse(str(fact)) == fact


@pytest.mark.parametrize(
    ("text", "fact"),
    [
        (
            'has_role(User:alice, "owner", Organization:acme)',
            Fact("has_role", ALICE, "owner", Entity("Organization", "acme")),
        ),
        (' f ( User:a:b , -3 ,true,"x" ) ; ', Fact("f", Entity("User", "a:b"), -3, True, "x")),
        (r'f("\"\\\n\t\r\0\q")', Fact("f", '"\\\n\t\r\0q')),
        ('f(User:"a, b")', Fact("f", Entity("User", "a, b"))),
        ('f(User:"_")', Fact("f", Entity("User", "_"))),
        ("f(User:a#b)", Fact("f", Entity("User", "a#b"))),
        ("f()", Fact("f")),
    ],
)
def test_text_is_read(text, fact):
    assert Fact.parse(text) == fact


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("", "column 1: expected a predicate such as `has_role`, found the end"),
        ("f", "column 2: expected `(`, found the end"),
        ("f(User:alice", "column 13: expected `,` or `)`, found the end"),
        ('f("a)', 'column 3: expected a string that is closed with `"`, found `"`'),
        ("f(User:)", "column 8: expected an id that is not empty, found `)`"),
        ('f(User:"")', 'column 8: expected an id that is not empty, found `"`'),
        ("f(a::B:c)", "column 5: expected an id (there are no namespaces;"),
        ("f(alice)", "column 3: expected a value such as"),
        ("f(9223372036854775808)", "column 3: expected an integer from -9223372036854775808"),
        ("f(User:_)", "column 3: expected a value such as"),
        ("f(1, _)", "column 6: expected a value such as"),
        ("f(1) g", "column 6: expected the end, found `g`"),
        ("f(1,)", "column 5: expected a value such as"),
    ],
)
def test_a_mistake_is_named_with_its_column(text, complaint):
    with pytest.raises(InvalidRequest) as caught:
        Fact.parse(text)

    column, _, problem = complaint.partition(":")
    named = f"{column} of `{text}`" if text else column
    assert caught.value.message.startswith(f"{named}:{problem}")


def test_a_text_without_quotes_is_told_what_to_write():
    with pytest.raises(
        InvalidRequest, match=r'found `guard`; a text is written in quotes, `"guard"`$'
    ):
        Fact.parse("has_role(User:bob, guard, Doc:x)")
    with pytest.raises(InvalidRequest, match=r"^column 502: expected"):
        Fact.parse("f" * 501)  # too long to be repeated


def test_a_mistake_in_a_file_is_named_with_its_line():
    text = '# roles\n\nf(User:alice); # "comment"\nf("#") g(1)\n'

    with pytest.raises(InvalidRequest, match=r"^line 4, column 8: expected the end of the line"):
        parse_facts(text)


def test_values_of_different_kinds_are_never_equal():
    written = [Fact("f", True), Fact("f", 1), Fact("f", "1"), Fact("f", Entity("User", "1"))]

    assert len(set(written)) == 4
    assert FactPattern("f", True) != FactPattern("f", 1)
    assert Fact("f", 1) != FactPattern("f", 1)


def test_a_member_of_an_enum_is_its_value():
    class Role(enum.StrEnum):
        OWNER = "owner"

    assert Fact("has_role", ALICE, Role.OWNER) == Fact("has_role", ALICE, "owner")


@pytest.mark.parametrize("value", [None, 1.5, b"text", ANY])
def test_other_kinds_are_refused(value):
    with pytest.raises(TypeError):
        Fact("f", value)


def test_integers_beyond_64_bits_are_refused():
    with pytest.raises(InvalidRequest):
        Fact("f", 2**63)


@pytest.mark.parametrize(
    ("text", "pattern"),
    [
        ("has_role", FactPattern("has_role")),
        ("_", FactPattern()),
        (
            "has_role(User:alice, _, Organization:_);",
            FactPattern("has_role", ALICE, ANY, AnyOf("Organization")),
        ),
        ('f(User:"_", String:_)', FactPattern("f", Entity("User", "_"), AnyOf("String"))),
    ],
)
def test_patterns_are_read(text, pattern):
    assert FactPattern.parse(text) == pattern


@pytest.mark.parametrize(
    ("identifier", "text"),
    [
        ("a:b", "f(User:a:b)"),
        ("_", 'f(User:"_")'),
        (":a", 'f(User:":a")'),
        ("a, b", 'f(User:"a, b")'),
        ("a#b", 'f(User:"a#b")'),
        ('"', r'f(User:"\"")'),
        ("\n", r'f(User:"\n")'),
    ],
)
def test_ids_are_quoted_where_they_must(identifier, text):
    fact = Fact("f", Entity("User", identifier))

    assert str(fact) == text
    assert Fact.parse(text) == fact


def test_a_pattern_with_an_empty_list_is_ambiguous():
    with pytest.raises(InvalidRequest, match="write `has_role` alone"):
        FactPattern.parse("has_role()")
