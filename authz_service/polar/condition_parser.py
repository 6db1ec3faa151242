"""The grammar of conditions and terms, in rules and in shorthand; see `parser`.

`not` binds tighter than `and`, `and` tighter than `or`. Nested conditions of the same kind are one.
"""

from collections.abc import Callable

from authz_service.facts.value import PRIMITIVE_TYPES, STRING, Value
from authz_service.polar.diagnostic import Diagnostic
from authz_service.polar.lexer import Kind, Token
from authz_service.polar.syntax import (
    GLOBAL,
    And,
    Call,
    Compare,
    Condition,
    CurrentTime,
    Literal,
    Matches,
    Member,
    Name,
    NameVariable,
    Not,
    On,
    OnGlobal,
    Or,
    Term,
    Truth,
    TypeName,
    Variable,
)
from authz_service.polar.tokens import RESERVED, SyntaxProblem, Tokens

CURRENT_TIME = "@current_unix_time"
COMPARISONS = ("=", "!=", "<", "<=", ">", ">=")

_FOREIGN_TERMS = {
    "[": 'lists stand only behind `in`, as in `action in ["read", "write"]`',
    "{": 'there are no dictionaries; attributes are facts, and an entity is `User{"alice"}`',
}
_FOREIGN_CALLS = {
    "forall": "write `not (condition and not consequence)`",
    "print": "conditions have no side effects; `test` blocks show what holds",
    "debug": "conditions have no side effects; `test` blocks show what holds",
}


def parse_condition(tokens: Tokens) -> Condition:
    """Condition of a rule or an assertion."""
    return _parse_alternatives(tokens, _parse_atom)


def parse_shorthand_condition(tokens: Tokens) -> Condition:
    """Condition of a shorthand rule."""
    return _parse_alternatives(tokens, _parse_shorthand_atom)


def parse_term(tokens: Tokens) -> Term:
    """Term = NAME | literal | "@current_unix_time" ;"""
    token = tokens.peek()
    if tokens.at(CURRENT_TIME):
        tokens.take()
        return CurrentTime(token.span)
    if token.kind is Kind.SYMBOL and token.text.startswith("@"):
        cure = f"the only constant is `{CURRENT_TIME}`"
        raise tokens.unexpected("a variable or a literal", cure)
    if tokens.at("new") and tokens.at_name(ahead=1):
        cure = 'an entity is written `User{"alice"}`'
        raise SyntaxProblem(Diagnostic("P014", "there is no `new`", token.span, cure))
    if _is_variable(tokens):
        tokens.take()
        return Variable(token.text, token.span)
    literal = _parse_literal(tokens)
    if literal is None:
        raise tokens.unexpected("a variable or a literal", _FOREIGN_TERMS.get(token.text, ""))
    return literal


def parse_only_literal(tokens: Tokens, owner: str, cure: str) -> Literal:
    """Literal, and no variable."""
    literal = _parse_literal(tokens)
    if literal is not None:
        return literal
    if _is_variable(tokens) or tokens.at(CURRENT_TIME):
        message = f"{owner} holds literals only"
        raise SyntaxProblem(Diagnostic("P012", message, tokens.peek().span, cure))
    raise tokens.unexpected("a literal")


def _parse_literal(tokens: Tokens) -> Literal | None:
    """Literal = STRING | INTEGER | "true" | "false" | NAME "{" primitive "}" ;"""
    token = tokens.peek()
    if token.kind is Kind.NAME and tokens.at("{", ahead=1):
        return _parse_object(tokens)
    value = _primitive(token)
    if value is None:
        return None
    tokens.take()
    return Literal(value, token.span)


def parse_type_name(tokens: Tokens) -> TypeName:
    """NAME"""
    token = tokens.expect_kind(Kind.NAME, "a type's name")
    return TypeName(token.text, token.span)


def parse_bare_type_name(tokens: Tokens) -> TypeName:
    """NAME, and no fields behind it."""
    name = parse_type_name(tokens)
    if tokens.at("{"):
        message = "a variable is limited by its type only"
        cure = "attributes are facts: ask for them in a condition of their own"
        raise SyntaxProblem(Diagnostic("P014", message, tokens.peek().span, cure))
    return name


def parse_short_name(tokens: Tokens, expected: str) -> Name | NameVariable:
    """STRING | "role" | "permission" """
    variable = tokens.accept("role", "permission")
    if variable:
        return NameVariable(variable.text, variable.span)
    if tokens.at_kind(Kind.NAME):
        name = tokens.peek().text
        cure = f'a name is written `"{name}"`, a condition with its arguments, `{name}(resource)`'
        raise tokens.unexpected(expected, "" if name in RESERVED else cure)
    token = tokens.expect_kind(Kind.STRING, expected)
    return Name(token.text, token.span)


def _parse_alternatives(tokens: Tokens, atom: Callable[[Tokens], Condition]) -> Condition:
    """Condition = conjunction { "or" conjunction } ;"""
    tokens.deeper()
    start = tokens.peek().span
    alternatives = [_parse_conjunction(tokens, atom)]
    while tokens.accept("or"):
        alternatives.append(_parse_conjunction(tokens, atom))
    tokens.shallower()
    if len(alternatives) == 1:
        return alternatives[0]
    return Or(_flat(Or, alternatives), start.to(tokens.last()))


def _parse_conjunction(tokens: Tokens, atom: Callable[[Tokens], Condition]) -> Condition:
    """Conjunction = factor { "and" factor } ;"""
    start = tokens.peek().span
    conditions = [_parse_factor(tokens, atom)]
    while tokens.accept("and"):
        conditions.append(_parse_factor(tokens, atom))
    if len(conditions) == 1:
        return conditions[0]
    return And(_flat(And, conditions), start.to(tokens.last()))


def _parse_factor(tokens: Tokens, atom: Callable[[Tokens], Condition]) -> Condition:
    """Factor = "(" condition ")" | atom ;"""
    if not tokens.accept("("):
        return atom(tokens)
    inner = _parse_alternatives(tokens, atom)
    tokens.expect(")", "`)`")
    return inner


def _parse_atom(tokens: Tokens) -> Condition:
    """Atom = "not" factor | "true" | "false" | call | term comparison term | term "in" literals
    | NAME ( "matches" | "matches!" ) NAME ;
    """
    start = tokens.peek().span
    if tokens.accept("not"):
        tokens.deeper()
        inner = _parse_factor(tokens, _parse_atom)
        tokens.shallower()
        return Not(inner, start.to(tokens.last()))
    if tokens.at_kind(Kind.NAME) and tokens.at("(", ahead=1):
        return _parse_call(tokens)
    _refuse_cut(tokens)
    left = parse_term(tokens)
    if tokens.at(*COMPARISONS):
        operator = tokens.take().text
        right = parse_term(tokens)
        if tokens.at(*COMPARISONS):
            raise tokens.unexpected(
                "`and`, `or` or `;`", "comparisons do not chain; join two with `and`"
            )
        return Compare(operator, left, right, start.to(tokens.last()))
    if tokens.accept("in"):
        return Member(left, _parse_literals(tokens), start.to(tokens.last()))
    if isinstance(left, Variable) and tokens.accept("matches"):
        exact = tokens.accept("!") is not None
        return Matches(left, parse_bare_type_name(tokens), exact, start.to(tokens.last()))
    if isinstance(left, Literal) and start.text in ("true", "false"):
        return Truth(start.text == "true", start)
    if tokens.at("not") and tokens.at("in", ahead=1):
        raise tokens.unexpected("a comparison", "write `not x in [...]`")
    cure = ""
    if isinstance(left, Variable) and tokens.at("and", "or", ";", ")"):
        cure = f"a variable alone is no condition; write `{left.name} = true`, or call a rule"
    raise tokens.unexpected("`=`, `!=`, `<`, `in`, `matches` or a call", cure)


def _refuse_cut(tokens: Tokens) -> None:
    if tokens.at("cut") and tokens.at("and", "or", ";", ")", ahead=1):
        message = "there is no `cut`"
        cure = "rules have no order; say with `not` what each one excludes"
        raise SyntaxProblem(Diagnostic("P014", message, tokens.peek().span, cure))


def _parse_shorthand_atom(tokens: Tokens) -> Condition:
    """Shorthand atom = call | "global" name | name [ "on" ( STRING | "resource" ) ] ;
    name = STRING | "role" | "permission" ;
    """
    start = tokens.peek().span
    expected = "a role, permission, relation or call"
    if tokens.at("not"):
        raise tokens.unexpected(expected, "write a rule with `not` outside of the block")
    if tokens.at_kind(Kind.NAME) and tokens.at("(", ahead=1):
        return _parse_call(tokens)
    if tokens.accept(GLOBAL):
        name = parse_short_name(tokens, "a global role or permission")
        return OnGlobal(name, start.to(tokens.last()))
    if tokens.at_kind(Kind.NAME) and tokens.at(*COMPARISONS, "in", "matches", ahead=1):
        raise tokens.unexpected(expected, "write a rule with comparisons outside of the block")
    name = parse_short_name(tokens, expected)
    relation = None
    if tokens.accept("on") and not tokens.accept("resource"):
        token = tokens.expect_kind(Kind.STRING, "a relation in quotes")
        relation = Name(token.text, token.span)
        if tokens.at("on"):
            cure = "`on` goes one step; give what is between a role of its own"
            raise tokens.unexpected("`and`, `or` or `;`", cure)
    return On(name, relation, start.to(tokens.last()))


def _parse_call(tokens: Tokens) -> Call:
    """Call = NAME "(" [ term { "," term } ] ")" ;"""
    refuse_foreign_call(tokens)
    name = tokens.expect_kind(Kind.NAME, "a condition")
    tokens.expect("(", "`(`")
    args: list[Term] = []
    while not tokens.accept(")"):
        if args and tokens.at("("):
            cure = 'an entity is written `User{"alice"}`, and conditions do not nest'
            raise tokens.unexpected("`,` or `)`", cure)
        if args:
            tokens.expect(",", "`,` or `)`")
        args.append(parse_term(tokens))
    return Call(name.text, tuple(args), name.span.to(tokens.last()))


def refuse_foreign_call(tokens: Tokens) -> None:
    """Raise SyntaxProblem if the next word is a condition of the old dialect that is no predicate here."""
    name = tokens.peek()
    if name.kind is Kind.NAME and name.text in _FOREIGN_CALLS:
        message = f"there is no `{name.text}`"
        raise SyntaxProblem(Diagnostic("P014", message, name.span, _FOREIGN_CALLS[name.text]))


def _parse_literals(tokens: Tokens) -> tuple[Literal, ...]:
    """Literals = "[" literal { "," literal } [ "," ] "]" ;"""
    tokens.expect("[", '`[`, as in `["read", "write"]`')
    literals: list[Literal] = []
    while not (literals and tokens.accept("]")):
        literals.append(parse_only_literal(tokens, "a list", "compare with `=` instead"))
        if not tokens.at("]"):
            tokens.expect(",", "`,` or `]`")
    return tuple(literals)


def _parse_object(tokens: Tokens) -> Literal:
    """Object = NAME "{" ( STRING | INTEGER | "true" | "false" ) "}" ;"""
    type_name = parse_type_name(tokens)
    tokens.expect("{", "`{`")
    inner = _primitive(tokens.peek())
    if inner is None:
        raise tokens.unexpected(
            'an id, as in `User{"alice"}`', "attributes are facts: ask for them behind `if`"
        )
    tokens.take()
    end = tokens.expect("}", "`}` after the id")
    span = type_name.span.to(end.span)
    is_entity = inner.type == STRING and type_name.text not in PRIMITIVE_TYPES
    if not is_entity and type_name.text != inner.type:
        cure = (
            "write the value as it is, such as `3` or `true`"
            if type_name.text in PRIMITIVE_TYPES
            else f'ids are strings: `{type_name.text}{{"{inner.id}"}}`'
        )
        message = f"`{type_name.text}` cannot hold this"
        raise SyntaxProblem(Diagnostic("P013", message, span, cure))
    return Literal(Value(type_name.text, inner.id), span)


def _is_variable(tokens: Tokens) -> bool:
    token = tokens.peek()
    return token.kind is Kind.NAME and token.text not in RESERVED and not tokens.at("{", ahead=1)


def _primitive(token: Token) -> Value | None:
    """STRING | INTEGER | "true" | "false" """
    if token.kind is Kind.STRING:
        return Value(STRING, token.text)
    if token.kind is Kind.INTEGER:
        return Value("Integer", token.text)
    if token.kind is Kind.NAME and token.text in ("true", "false"):
        return Value("Boolean", token.text)
    return None


def _flat(kind: type[And] | type[Or], conditions: list[Condition]) -> tuple[Condition, ...]:
    """Return the conditions with nested ones of the same kind merged: `a and (b and c)` is one And."""
    return tuple(
        inner
        for condition in conditions
        for inner in (condition.conditions if isinstance(condition, kind) else (condition,))
    )
