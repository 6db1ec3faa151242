"""Tree to canonical text. Parsing what is written here gives an equal tree back.

print_items(parse("f(x:User)if g(x)and(h(x)or not k(x));"))
f(x: User) if
  g(x) and
  (h(x) or not k(x));
"""

from collections.abc import Iterable
from typing import assert_never

from authz_service.facts.value import PRIMITIVE_TYPES, STRING, Value
from authz_service.polar.condition_parser import CURRENT_TIME
from authz_service.polar.syntax import (
    GLOBAL,
    And,
    Assertion,
    Block,
    Call,
    Compare,
    Condition,
    CurrentTime,
    Declaration,
    Declare,
    Fixture,
    Item,
    Literal,
    Matches,
    Member,
    Name,
    NameVariable,
    Not,
    On,
    OnGlobal,
    Or,
    Param,
    Rule,
    Shorthand,
    Term,
    Test,
    Truth,
    Variable,
)

_ESCAPES = str.maketrans(
    {'"': '\\"', "\\": "\\\\", "\n": "\\n", "\t": "\\t", "\r": "\\r", "\0": "\\0"}
)


def print_items(items: Iterable[Item]) -> str:
    """Return the policy text of `items`, each one followed by an empty line."""
    return "\n".join(f"{_item(item)}\n" for item in items)


def print_condition(condition: Condition) -> str:
    """Return `condition` on one line."""
    return _condition(condition, " ")


def _item(item: Item) -> str:
    match item:
        case Rule():
            return _rule(item)
        case Block():
            return _block(item)
        case Declare():
            return f"declare {item.predicate}({', '.join(t.text for t in item.types)});"
        case Fixture():
            return _braced(f"test fixture {item.name.text}", map(_fact, item.facts))
        case Test():
            return _test(item)
        case _:
            assert_never(item)


def _braced(head: str, lines: Iterable[str]) -> str:
    inner = "".join(f"  {line}\n" for text in lines for line in text.split("\n"))
    return f"{head} {{\n{inner}}}" if inner else f"{head} {{}}"


def _rule(rule: Rule) -> str:
    head = f"{rule.predicate}({', '.join(map(_param, rule.params))})"
    if rule.body is None:
        return f"{head};"
    return f"{head} if\n  {_condition(rule.body, chr(10) + '  ')};"


def _param(param: Param) -> str:
    return _term(param.term) + (f": {param.type.text}" if param.type else "")


def _block(block: Block) -> str:
    head = GLOBAL if block.keyword == GLOBAL else f"{block.keyword} {block.name.text}"
    if block.parents:
        head += f" extends {', '.join(parent.text for parent in block.parents)}"
    return _braced(
        head, [*map(_declaration, block.declarations), *map(_shorthand, block.shorthands)]
    )


def _declaration(declaration: Declaration) -> str:
    if declaration.kind == "relations":
        pairs = zip(declaration.names, declaration.types, strict=True)
        fields = ", ".join(f"{name.text}: {kind.text}" for name, kind in pairs)
        return f"relations = {{ {fields} }};" if fields else "relations = {};"
    return f"{declaration.kind} = [{', '.join(map(_short_name, declaration.names))}];"


def _shorthand(shorthand: Shorthand) -> str:
    return f"{_short_name(shorthand.head)} if {_condition(shorthand.body, ' ')};"


def _test(test: Test) -> str:
    setup = (
        f"fixture {line.text};" if isinstance(line, Name) else _fact(line) for line in test.setup
    )
    lines = [_braced("setup", setup)] if test.setup else []
    lines += map(_assertion, test.assertions)
    return _braced(f"test {_string(test.name.text)}", lines)


def _assertion(assertion: Assertion) -> str:
    word = "assert_not" if assertion.negated else "assert"
    text = f"{word} {assertion.predicate}({', '.join(map(_param, assertion.params))})"
    if assertion.condition is not None:
        text += f" iff {_condition(assertion.condition, ' ')}"
    return f"{text};"


def _fact(fact: Call) -> str:
    return f"{_call(fact)};"


def _call(call: Call) -> str:
    return f"{call.predicate}({', '.join(map(_term, call.args))})"


def _condition(  # noqa: C901 - one branch for each kind of condition
    condition: Condition, gap: str
) -> str:
    """Return the condition; between its outermost parts stands `gap`, a blank or a new line."""
    match condition:
        case And(conditions):
            return f" and{gap}".join(_inside(inner, And) for inner in conditions)
        case Or(conditions):
            return f" or{gap}".join(_inside(inner, Or) for inner in conditions)
        case Not(inner):
            return f"not {_inside(inner, Not)}"
        case Call():
            return _call(condition)
        case Compare(operator, left, right):
            return f"{_term(left)} {operator} {_term(right)}"
        case Member(term, literals):
            return f"{_term(term)} in [{', '.join(map(_term, literals))}]"
        case Matches(variable, type_name, exact):
            return f"{variable.name} matches{'!' if exact else ''} {type_name.text}"
        case Truth(holds):
            return "true" if holds else "false"
        case On(name, relation):
            return _short_name(name) + (f" on {_string(relation.text)}" if relation else "")
        case OnGlobal(name):
            return f"global {_short_name(name)}"
        case _:
            assert_never(condition)


def _inside(condition: Condition, around: type[And] | type[Or] | type[Not]) -> str:
    """Return the condition as a part of another one, in parentheses where it binds less tightly."""
    text = _condition(condition, " ")
    is_looser = isinstance(condition, Or) or (around is Not and isinstance(condition, And))
    return f"({text})" if is_looser and around is not Or else text


def _term(term: Term) -> str:
    match term:
        case Variable(name):
            return name
        case CurrentTime():
            return CURRENT_TIME
        case Literal(value):
            return value_text(value)
        case _:
            assert_never(term)


def value_text(value: Value) -> str:
    """Return the literal that stands for `value`."""
    if value.type == STRING:
        return _string(value.id)
    if value.type in PRIMITIVE_TYPES:
        return value.id
    return f"{value.type}{{{_string(value.id)}}}"


def _short_name(name: Name | NameVariable) -> str:
    return name.kind if isinstance(name, NameVariable) else _string(name.text)


def _string(text: str) -> str:
    return f'"{text.translate(_ESCAPES)}"'
