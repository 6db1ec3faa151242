import pytest
from authz import Entity, InvalidRequest


@pytest.mark.parametrize(
    ("text", "entity"),
    [
        ("User:alice", Entity("User", "alice")),
        ("User:a:b", Entity("User", "a:b")),
        ("User:a::b", Entity("User", "a::b")),
        ("User: ", Entity("User", " ")),
        ("User:_", Entity("User", "_")),
        ('User:"quoted"', Entity("User", '"quoted"')),
    ],
)
def test_the_first_colon_splits(text, entity):
    assert Entity.parse(text) == entity
    assert str(entity) == text


@pytest.mark.parametrize(
    "text", ["", "User", ":alice", "User:", "ns::User:alice", "User::alice", "Us er:alice", "::"]
)
def test_malformed_text_is_refused(text):
    with pytest.raises(InvalidRequest) as caught:
        Entity.parse(text)

    assert caught.value.reason == "MALFORMED_TEXT"
    assert isinstance(caught.value, ValueError)


def test_entities_are_values():
    assert len({Entity("User", "alice"), Entity.parse("User:alice")}) == 1
    with pytest.raises(AttributeError):
        Entity("User", "alice").id = "bob"
