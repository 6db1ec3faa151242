"""What is printed reads back as the same tree, and is printed the same way again."""

import pytest
import syntax_trees
from examples import POLICIES
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from authz_service.polar.parser import parse
from authz_service.polar.printer import print_items
from authz_service.polar.source import PolicySource


def parsed(text):
    findings = []
    items = parse(PolicySource("p", text), findings)
    assert not findings, "\n".join(map(str, findings))
    return items


@settings(deadline=None, max_examples=600, suppress_health_check=list(HealthCheck))
@given(st.lists(syntax_trees.items, max_size=3).map(tuple))
def test_parsing_what_was_printed_gives_the_same_tree(items):
    assert parsed(print_items(items)) == items


@pytest.mark.parametrize(
    "path", sorted(POLICIES.rglob("*.polar")), ids=lambda path: str(path.relative_to(POLICIES))
)
def test_policies_survive(path):
    items = parsed(path.read_text(encoding="utf-8"))
    text = print_items(items)
    assert parsed(text) == items
    assert print_items(parsed(text)) == text


FORMS = {
    'f(x:User,_:Doc,"a",-3,true)if not(g(x)or x=1)and x matches!User or x in["a",2,];': (
        'f(x: User, _: Doc, "a", -3, true) if\n'
        '  not (g(x) or x = 1) and x matches! User or\n  x in ["a", 2];\n'
    ),
    'global{roles=["a"];"b"if global"a"and(role on"p"or"c"on resource);}': (
        'global {\n  roles = ["a"];\n  "b" if global "a" and (role on "p" or "c");\n}\n'
    ),
    "resource A extends B,C{relations={x:Y,};}; declare f(A,String);": (
        "resource A extends B, C {\n  relations = { x: Y };\n}\n\ndeclare f(A, String);\n"
    ),
    'test "t"{setup{fixture f;g(User{"a\\"b"});}assert h(x:String)iff x="1";assert_not h(2);}': (
        'test "t" {\n  setup {\n    fixture f;\n    g(User{"a\\"b"});\n  }\n'
        '  assert h(x: String) iff x = "1";\n  assert_not h(2);\n}\n'
    ),
    "f(x) if not not g(x) and @current_unix_time > 3 and false;": (
        "f(x) if\n  not not g(x) and\n  @current_unix_time > 3 and\n  false;\n"
    ),
}


@pytest.mark.parametrize("text", FORMS, ids=range(len(FORMS)))
def test_form(text):
    assert print_items(parsed(text)) == FORMS[text]
