"""Policies said differently: in another order, and with other names. Neither may change an answer."""

from collections.abc import Callable
from dataclasses import fields, is_dataclass, replace
from random import Random
from typing import Any
from zlib import crc32

from authz_service.engine.program import Question
from authz_service.facts.fact import Fact
from authz_service.facts.policy_text import PolicyFile
from authz_service.facts.value import PRIMITIVE_TYPES, STRING, Value
from authz_service.polar.parser import parse
from authz_service.polar.printer import print_items
from authz_service.polar.source import PolicySource, Span
from authz_service.polar.syntax import (
    And,
    Block,
    Call,
    Declaration,
    Declare,
    Item,
    Literal,
    Member,
    Name,
    Or,
    Rule,
    TypeName,
    Variable,
)

FIXED_PREDICATES = {"allow", "has_role", "has_relation", "has_permission"}
FIXED_TYPES = {*PRIMITIVE_TYPES, "Actor", "Resource", "global"}
FIXED_VARIABLES = {"_", "actor", "resource", "role", "permission"}  # as shorthand rules have them


def items_of(text: str) -> tuple[Item, ...]:
    return parse(PolicySource("policy.polar", text), [])


def shuffled(text: str, random: Random) -> list[PolicyFile]:
    """Return the policy with rules, conditions, names and literals in another order, in two files."""
    items = [_rebuilt(item, lambda node: _reordered(node, random)) for item in items_of(text)]
    random.shuffle(items)
    half = random.randint(0, len(items))
    return [
        PolicyFile("b.polar", print_items(items[:half])),
        PolicyFile("a.polar", print_items(items[half:])),
    ]


class Renaming:
    """Other names for everything that has a name; different ones for different ones."""

    def __init__(self, salt: int) -> None:
        self._salt = salt

    def policy(self, text: str) -> list[PolicyFile]:
        items = [_rebuilt(item, self._node) for item in items_of(text)]
        return [PolicyFile("policy.polar", print_items(items))]

    def fact(self, fact: Fact) -> Fact:
        return Fact(self._predicate(fact.predicate), tuple(map(self._value, fact.args)))

    def question(self, question: Question) -> Question:
        actor, action, resource = question
        return Question(self._value(actor), self._text(action), self._value(resource))

    def _node(self, node: Any) -> Any:
        match node:
            case Variable(name) if name not in FIXED_VARIABLES:
                return replace(node, name=self._text(name))
            case Call() | Rule() | Declare():
                return replace(node, predicate=self._predicate(node.predicate))
            case TypeName(text):
                return replace(node, text=self._type(text))
            case Name(text):
                return replace(node, text=self._text(text))
            case Literal(value):
                return replace(node, value=self._value(value))
        return node

    def _value(self, value: Value) -> Value:
        if value.type in PRIMITIVE_TYPES and value.type != STRING:
            return value
        return Value(self._type(value.type), self._text(value.id))

    def _predicate(self, name: str) -> str:
        return name if name in FIXED_PREDICATES else self._text(name)

    def _type(self, name: str) -> str:
        return name if name in FIXED_TYPES else self._text(name)

    def _text(self, text: str) -> str:
        """Put a number before `text`, by which all names get another order."""
        return f"n{crc32(f'{self._salt} {text}'.encode()) % 9973}_{text}"


def _reordered(node: Any, random: Random) -> Any:
    match node:
        case And(conditions) | Or(conditions):
            return replace(node, conditions=_mixed(conditions, random))
        case Member(_, literals):
            return replace(node, literals=_mixed(literals, random))
        case Block():
            declarations = _mixed(node.declarations, random)
            return replace(
                node, declarations=declarations, shorthands=_mixed(node.shorthands, random)
            )
        case Declaration(_, names, ()):
            return replace(node, names=_mixed(names, random))
    return node


def _mixed(parts: tuple[Any, ...], random: Random) -> tuple[Any, ...]:
    return tuple(random.sample(parts, len(parts)))


def _rebuilt(node: Any, change: Callable[[Any], Any]) -> Any:
    """Return `node` with `change` made to each of its parts, and to itself."""
    if isinstance(node, tuple) and not isinstance(node, Value):
        return tuple(_rebuilt(part, change) for part in node)
    if not is_dataclass(node) or isinstance(node, Span):
        return node
    parts = {f.name: _rebuilt(getattr(node, f.name), change) for f in fields(node)}
    return change(replace(node, **parts))
