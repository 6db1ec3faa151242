"""Tokens to tree. Each `_parse_*` docstring is its grammar rule in EBNF; the start rule is `file`.

    file = { block | rule } ;

A syntax error is recorded and parsing goes on behind the next `;` or `}`, so that one run reports
the errors of all rules. Only this module decides what the grammar is; what names mean is `check`'s.
"""

from collections.abc import Callable

from authz_service.facts.value import PRIMITIVE_TYPES, STRING, Value
from authz_service.polar.diagnostic import Diagnostic
from authz_service.polar.lexer import Kind, Token, tokenize
from authz_service.polar.source import PolicySource, Span
from authz_service.polar.syntax import (
    And,
    Block,
    Call,
    Compare,
    Condition,
    Declaration,
    Item,
    Literal,
    Matches,
    Member,
    Name,
    NameVariable,
    Not,
    On,
    Or,
    Param,
    Rule,
    Shorthand,
    Term,
    TypeName,
    Variable,
)

# Deep enough for every policy seen, shallow enough that no recursion over a tree can overflow.
MAX_NESTING = 64

COMPARISONS = ("=", "!=", "<", "<=", ">", ">=")
RESERVED = frozenset({"if", "and", "or", "not", "in", "matches", "true", "false"})
_DECLARATIONS = frozenset({"roles", "permissions", "relations"})


def parse(source: PolicySource, findings: list[Diagnostic]) -> tuple[Item, ...]:
    """Return the items of `source` that could be read; add every lexical and syntax error to `findings`."""
    tokens = _Tokens(tokenize(source, findings))
    items: list[Item] = []
    while not tokens.at_end():
        try:
            items.append(_parse_item(tokens, findings))
        except _SyntaxProblem as problem:
            findings.append(problem.diagnostic)
            tokens.skip_statement()
    return tuple(items)


class _SyntaxProblem(Exception):
    def __init__(self, diagnostic: Diagnostic) -> None:
        self.diagnostic = diagnostic


class _Tokens:
    """A cursor over tokens: `peek`, `accept`, `expect`, and the depth of open conditions."""

    def __init__(self, tokens: list[Token]) -> None:
        self._tokens = tokens
        self._position = 0
        self.depth = 0

    def at_end(self) -> bool:
        return self.peek().kind is Kind.END

    def peek(self, ahead: int = 0) -> Token:
        return self._tokens[min(self._position + ahead, len(self._tokens) - 1)]

    def take(self) -> Token:
        token = self.peek()
        self._position = min(self._position + 1, len(self._tokens) - 1)
        return token

    def last(self) -> Span:
        return self._tokens[max(self._position - 1, 0)].span

    def at(self, *texts: str, ahead: int = 0) -> bool:
        token = self.peek(ahead)
        return token.kind in (Kind.NAME, Kind.SYMBOL) and token.text in texts

    def accept(self, *texts: str) -> Token | None:
        return self.take() if self.at(*texts) else None

    def expect(self, text: str, expected: str) -> Token:
        if self.at(text):
            return self.take()
        raise self.unexpected(expected)

    def expect_kind(self, kind: Kind, expected: str) -> Token:
        token = self.peek()
        if token.kind is kind and not (kind is Kind.NAME and token.text in RESERVED):
            return self.take()
        raise self.unexpected(expected)

    def unexpected(self, expected: str, help_text: str = "") -> _SyntaxProblem:
        found = self.peek()
        return _SyntaxProblem(
            Diagnostic("P010", f"expected {expected}, found {found}", found.span, help_text)
        )

    def skip_statement(self) -> None:
        """Go behind the next `;` or `}`."""
        self.depth = 0
        while not self.at_end():
            if self.at("}"):
                self.take()
                return
            if self.take().text == ";":
                return

    def skip_in_block(self) -> None:
        """Go behind the next `;`, or before the `}` that ends the block."""
        self.depth = 0
        while not self.at_end() and not self.at("}"):
            if self.take().text == ";":
                return


def _parse_item(tokens: _Tokens, findings: list[Diagnostic]) -> Item:
    """Block | rule"""
    if tokens.at("actor", "resource") and not tokens.at("(", ahead=1):
        return _parse_block(tokens, findings)
    return _parse_rule(tokens)


def _parse_block(tokens: _Tokens, findings: list[Diagnostic]) -> Block:
    """Block = ( "actor" | "resource" ) NAME "{" { declaration | shorthand } "}" [ ";" ] ;"""
    keyword = tokens.take()
    name = _parse_type_name(tokens)
    tokens.expect("{", "`{` after the block's name")
    declarations: list[Declaration] = []
    shorthands: list[Shorthand] = []
    while not tokens.at("}"):
        if tokens.at_end():
            raise tokens.unexpected(f"`}}` at the end of the block `{name.text}`")
        try:
            if tokens.peek().kind is Kind.NAME and tokens.at("=", ahead=1):
                declarations.append(_parse_declaration(tokens))
            else:
                shorthands.append(_parse_shorthand(tokens))
        except _SyntaxProblem as problem:
            findings.append(problem.diagnostic)
            tokens.skip_in_block()
    tokens.take()
    span = keyword.span.to(tokens.last())
    tokens.accept(";")
    return Block(keyword.text, name, tuple(declarations), tuple(shorthands), span)


def _parse_declaration(tokens: _Tokens) -> Declaration:
    """Declaration = ( "roles" | "permissions" ) "=" strings ";" | "relations" "=" relations ";" ;"""
    if not tokens.at(*_DECLARATIONS):
        raise tokens.unexpected("`roles`, `permissions` or `relations`")
    kind = tokens.take()
    tokens.expect("=", "`=`")
    if kind.text == "relations":
        names, types = _parse_relations(tokens)
    else:
        names, types = _parse_strings(tokens), ()
    end = tokens.expect(";", f"`;` after the {kind.text}")
    return Declaration(kind.text, names, types, kind.span.to(end.span))


def _parse_strings(tokens: _Tokens) -> tuple[Name, ...]:
    """Strings = "[" [ STRING { "," STRING } [ "," ] ] "]" ;"""
    tokens.expect("[", '`[`, as in `["reader", "writer"]`')
    names: list[Name] = []
    while not tokens.accept("]"):
        names.append(_parse_name(tokens))
        if not tokens.at("]"):
            tokens.expect(",", "`,` or `]`")
    return tuple(names)


def _parse_relations(tokens: _Tokens) -> tuple[tuple[Name, ...], tuple[TypeName, ...]]:
    """Relations = "{" [ NAME ":" NAME { "," NAME ":" NAME } [ "," ] ] "}" ;"""
    tokens.expect("{", "`{`, as in `{ parent: Organization }`")
    names: list[Name] = []
    types: list[TypeName] = []
    while not tokens.accept("}"):
        key = tokens.expect_kind(Kind.NAME, "a relation's name")
        names.append(Name(key.text, key.span))
        tokens.expect(":", "`:` and the relation's type")
        types.append(_parse_type_name(tokens))
        if not tokens.at("}"):
            tokens.expect(",", "`,` or `}`")
    return tuple(names), tuple(types)


def _parse_shorthand(tokens: _Tokens) -> Shorthand:
    """Shorthand = ( STRING | "role" | "permission" ) "if" condition ";" ;"""
    start = tokens.peek().span
    head = _parse_name_or_variable(tokens, 'a declaration, or a rule such as `"view" if "owner";`')
    tokens.expect("if", '`if`, as in `"view" if "owner";`')
    body = _parse_condition(tokens, _parse_shorthand_atom)
    end = tokens.expect(";", "`;` after the rule")
    return Shorthand(head, body, start.to(end.span))


def _parse_shorthand_atom(tokens: _Tokens) -> Condition:
    """Shorthand atom = call | ( STRING | "role" | "permission" ) [ "on" ( STRING | "resource" ) ] ;"""
    start = tokens.peek().span
    if tokens.at("not"):
        raise tokens.unexpected(
            "a role, permission, relation or call", "write a rule with `not` outside of the block"
        )
    if tokens.peek().kind is Kind.NAME and tokens.at("(", ahead=1):
        return _parse_call(tokens)
    name = _parse_name_or_variable(tokens, "a role, permission, relation or call")
    relation = None
    if tokens.accept("on") and not tokens.accept("resource"):
        relation = _parse_name(tokens)
    return On(name, relation, start.to(tokens.last()))


def _parse_name_or_variable(tokens: _Tokens, expected: str) -> Name | NameVariable:
    """STRING | "role" | "permission" """
    variable = tokens.accept("role", "permission")
    if variable:
        return NameVariable(variable.text, variable.span)
    token = tokens.expect_kind(Kind.STRING, expected)
    return Name(token.text, token.span)


def _parse_rule(tokens: _Tokens) -> Rule:
    """Rule = NAME "(" [ param { "," param } ] ")" [ "if" condition ] ";" ;"""
    name = tokens.expect_kind(Kind.NAME, "a rule or a block")
    tokens.expect("(", "`(` after the rule's name")
    params: list[Param] = []
    while not tokens.accept(")"):
        if params:
            tokens.expect(",", "`,` or `)`")
        params.append(_parse_param(tokens))
    if tokens.accept("if"):
        body = _parse_condition(tokens, _parse_atom)
        end = tokens.expect(";", "`and`, `or` or `;` after the condition")
    else:
        body = None
        end = tokens.expect(";", "`;` or `if` after the rule head")
    return Rule(name.text, tuple(params), body, name.span.to(end.span))


def _parse_param(tokens: _Tokens) -> Param:
    """Param = NAME [ ":" NAME ] | literal ;"""
    term = _parse_term(tokens)
    if isinstance(term, Variable) and tokens.accept(":"):
        return Param(term, _parse_type_name(tokens))
    return Param(term, None)


def _parse_condition(tokens: _Tokens, atom: Callable[[_Tokens], Condition]) -> Condition:
    """Condition = conjunction { "or" conjunction } ;"""
    tokens.depth += 1
    if tokens.depth > MAX_NESTING:
        raise _too_deep(tokens)
    start = tokens.peek().span
    alternatives = [_parse_conjunction(tokens, atom)]
    while tokens.accept("or"):
        alternatives.append(_parse_conjunction(tokens, atom))
    tokens.depth -= 1
    if len(alternatives) == 1:
        return alternatives[0]
    return Or(_flat(Or, alternatives), start.to(tokens.last()))


def _parse_conjunction(tokens: _Tokens, atom: Callable[[_Tokens], Condition]) -> Condition:
    """Conjunction = factor { "and" factor } ;"""
    start = tokens.peek().span
    conditions = [_parse_factor(tokens, atom)]
    while tokens.accept("and"):
        conditions.append(_parse_factor(tokens, atom))
    if len(conditions) == 1:
        return conditions[0]
    return And(_flat(And, conditions), start.to(tokens.last()))


def _parse_factor(tokens: _Tokens, atom: Callable[[_Tokens], Condition]) -> Condition:
    """Factor = "(" condition ")" | atom ;"""
    if not tokens.accept("("):
        return atom(tokens)
    inner = _parse_condition(tokens, atom)
    tokens.expect(")", "`)`")
    return inner


def _parse_atom(tokens: _Tokens) -> Condition:
    """Atom = "not" factor | call | term comparison term | term "in" literals | NAME "matches" NAME ;"""
    start = tokens.peek().span
    if tokens.accept("not"):
        tokens.depth += 1
        if tokens.depth > MAX_NESTING:
            raise _too_deep(tokens)
        inner = _parse_factor(tokens, _parse_atom)
        tokens.depth -= 1
        return Not(inner, start.to(tokens.last()))
    if tokens.peek().kind is Kind.NAME and tokens.at("(", ahead=1):
        return _parse_call(tokens)
    left = _parse_term(tokens)
    if tokens.at(*COMPARISONS):
        operator = tokens.take().text
        right = _parse_term(tokens)
        return Compare(operator, left, right, start.to(tokens.last()))
    if tokens.accept("in"):
        return Member(left, _parse_literals(tokens), start.to(tokens.last()))
    if isinstance(left, Variable) and tokens.accept("matches"):
        return Matches(left, _parse_type_name(tokens), start.to(tokens.last()))
    help_text = "equality is written `=`" if tokens.at("==") else ""
    raise tokens.unexpected("`=`, `!=`, `<`, `in`, `matches` or a call", help_text)


def _parse_call(tokens: _Tokens) -> Call:
    """Call = NAME "(" [ term { "," term } ] ")" ;"""
    name = tokens.expect_kind(Kind.NAME, "a condition")
    tokens.expect("(", "`(`")
    args: list[Term] = []
    while not tokens.accept(")"):
        if args:
            tokens.expect(",", "`,` or `)`")
        args.append(_parse_term(tokens))
    return Call(name.text, tuple(args), name.span.to(tokens.last()))


def _parse_literals(tokens: _Tokens) -> tuple[Literal, ...]:
    """Literals = "[" literal { "," literal } [ "," ] "]" ;"""
    tokens.expect("[", '`[`, as in `["read", "write"]`')
    literals: list[Literal] = []
    while not (literals and tokens.accept("]")):
        term = _parse_term(tokens)
        if isinstance(term, Variable):
            raise _SyntaxProblem(
                Diagnostic(
                    "P012", "a list holds literals only", term.span, "compare with `=` instead"
                )
            )
        literals.append(term)
        if not tokens.at("]"):
            tokens.expect(",", "`,` or `]`")
    return tuple(literals)


def _parse_term(tokens: _Tokens) -> Term:
    """Term = NAME | literal ; literal = STRING | INTEGER | "true" | "false" | NAME "{" primitive "}" ;"""
    token = tokens.peek()
    if token.kind is Kind.NAME and tokens.at("{", ahead=1):
        return _parse_object(tokens)
    if token.kind is Kind.NAME and token.text not in RESERVED | {"true", "false"}:
        tokens.take()
        return Variable(token.text, token.span)
    value = _primitive(token)
    if value is None:
        raise tokens.unexpected("a variable or a literal")
    tokens.take()
    return Literal(value, token.span)


def _parse_object(tokens: _Tokens) -> Literal:
    """Object = NAME "{" ( STRING | INTEGER | "true" | "false" ) "}" ;"""
    type_name = _parse_type_name(tokens)
    tokens.expect("{", "`{`")
    inner = _primitive(tokens.peek())
    if inner is None:
        raise tokens.unexpected('an id, as in `User{"alice"}`')
    tokens.take()
    end = tokens.expect("}", "`}` after the id")
    is_entity = inner.type == STRING and type_name.text not in PRIMITIVE_TYPES
    if not is_entity and type_name.text != inner.type:
        raise _SyntaxProblem(
            Diagnostic("P013", f"`{type_name.text}` cannot hold this", type_name.span.to(end.span))
        )
    return Literal(Value(type_name.text, inner.id), type_name.span.to(end.span))


def _primitive(token: Token) -> Value | None:
    """STRING | INTEGER | "true" | "false" """
    if token.kind is Kind.STRING:
        return Value(STRING, token.text)
    if token.kind is Kind.INTEGER:
        return Value("Integer", token.text)
    if token.kind is Kind.NAME and token.text in ("true", "false"):
        return Value("Boolean", token.text)
    return None


def _parse_name(tokens: _Tokens) -> Name:
    """STRING"""
    token = tokens.expect_kind(Kind.STRING, "a quoted name")
    return Name(token.text, token.span)


def _parse_type_name(tokens: _Tokens) -> TypeName:
    """NAME"""
    token = tokens.expect_kind(Kind.NAME, "a type's name")
    return TypeName(token.text, token.span)


def _flat(kind: type[And] | type[Or], conditions: list[Condition]) -> tuple[Condition, ...]:
    """Return the conditions with nested ones of the same kind merged: `a and (b and c)` is one And."""
    return tuple(
        inner
        for condition in conditions
        for inner in (condition.conditions if isinstance(condition, kind) else (condition,))
    )


def _too_deep(tokens: _Tokens) -> _SyntaxProblem:
    span = tokens.peek().span
    return _SyntaxProblem(
        Diagnostic("P011", f"conditions nest deeper than {MAX_NESTING}", span, "split the rule")
    )
