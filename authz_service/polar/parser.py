"""Tokens to tree. Each `_parse_*` docstring is its grammar rule in EBNF; the start rule is `file`.

    file = { block | declare | fixture | test | rule } ;

A syntax error is recorded and parsing goes on behind the next `;` or `}`, so that one run reports
the errors of all rules. Only this module and `condition_parser` decide what the grammar is; what names
mean is decided behind them.
"""

from collections.abc import Callable
from difflib import get_close_matches
from typing import TypeVar

from authz_service.polar.condition_parser import (
    parse_bare_type_name,
    parse_condition,
    parse_only_literal,
    parse_short_name,
    parse_shorthand_condition,
    parse_term,
    parse_type_name,
    refuse_foreign_call,
)
from authz_service.polar.diagnostic import Diagnostic
from authz_service.polar.lexer import Kind, Token, tokenize
from authz_service.polar.source import PolicySource
from authz_service.polar.syntax import (
    GLOBAL,
    Assertion,
    Block,
    Call,
    Declaration,
    Declare,
    Fixture,
    Item,
    Name,
    Param,
    Rule,
    Shorthand,
    Test,
    TypeName,
    Variable,
)
from authz_service.polar.tokens import SyntaxProblem, Tokens

_BLOCKS = ("actor", "resource", GLOBAL, "test")
_DECLARATIONS = frozenset({"roles", "permissions", "relations"})
_VALUE_OF_A_FACT = 'write an entity as `User{"alice"}`, and a text in quotes'

T = TypeVar("T")


def parse(source: PolicySource, findings: list[Diagnostic]) -> tuple[Item, ...]:
    """Return the items of `source` that could be read; add every lexical and syntax error to `findings`."""
    tokens = Tokens(tokenize(source, findings))
    items: list[Item] = []
    while not tokens.at_end():
        start = tokens.mark()
        is_block = tokens.at(*_BLOCKS) and not tokens.at("(", ahead=1)
        try:
            items.append(_parse_item(tokens, findings))
        except SyntaxProblem as problem:
            findings.append(problem.diagnostic)
            tokens.skip_from(start, is_block=is_block)
    return tuple(items)


def _parse_item(tokens: Tokens, findings: list[Diagnostic]) -> Item:
    """Block | declare | fixture | test | rule"""
    if tokens.at("(", ahead=1):
        return _parse_rule(tokens)
    if tokens.at("actor", "resource", GLOBAL):
        return _parse_block(tokens, findings)
    if tokens.at("declare"):
        return _parse_declare(tokens)
    if tokens.at("test") and tokens.at("fixture", ahead=1):
        return _parse_fixture(tokens, findings)
    if tokens.at("test"):
        return _parse_test(tokens, findings)
    _refuse_foreign_item(tokens)
    return _parse_rule(tokens)


def _refuse_foreign_item(tokens: Tokens) -> None:
    token = tokens.peek()
    if tokens.at("type") and tokens.at_kind(Kind.NAME, ahead=1):
        message, cure = "there are no rule types", "shapes are inferred; `declare` adds one"
    elif tokens.at("?="):
        message, cure = "there are no inline queries", "write a `test` block"
    elif tokens.peek().text.startswith("@") and token.kind is Kind.SYMBOL:
        message, cure = f"there is no flag `{token.text}`", "remove it"
    else:
        return
    raise SyntaxProblem(Diagnostic("P014", message, token.span, cure))


def _parse_block(tokens: Tokens, findings: list[Diagnostic]) -> Block:
    """Block = head "{" { declaration | shorthand } "}" [ ";" ] ;
    head = ( "actor" | "resource" ) NAME [ "extends" NAME { "," NAME } ] | "global" ;
    """
    keyword = tokens.take()
    parents: list[TypeName] = []
    if keyword.text == GLOBAL:
        name = TypeName(GLOBAL, keyword.span)
    else:
        name = parse_type_name(tokens)
        if tokens.accept("extends"):
            parents.append(parse_type_name(tokens))
            while tokens.accept(","):
                parents.append(parse_type_name(tokens))
    declarations: list[Declaration] = []
    shorthands: list[Shorthand] = []

    def parse_one() -> None:
        if tokens.at_kind(Kind.NAME) and tokens.at("=", ahead=1):
            declarations.append(_parse_declaration(tokens))
        else:
            shorthands.append(_parse_shorthand(tokens))

    shown = name.text if keyword.text == GLOBAL else f"{keyword.text} {name.text}"
    if not tokens.at("{") and not tokens.at_kind(Kind.NAME):
        raise tokens.unexpected(f"`{{` after `{shown}`", "names are letters, digits and `_`")
    _parse_braced(tokens, findings, shown, parse_one)
    span = keyword.span.to(tokens.last())
    tokens.accept(";")
    return Block(keyword.text, name, tuple(parents), tuple(declarations), tuple(shorthands), span)


def _parse_braced(
    tokens: Tokens, findings: list[Diagnostic], owner: str, parse_one: Callable[[], None]
) -> None:
    """ "{" { ... } "}" : an error inside ends with the next `;`, not with the block."""
    tokens.expect("{", f"`{{` after `{owner}`")
    while not tokens.at("}"):
        if tokens.at_end():
            raise tokens.unexpected(f"`}}` at the end of `{owner}`")
        start = tokens.mark()
        try:
            parse_one()
        except SyntaxProblem as problem:
            findings.append(problem.diagnostic)
            tokens.skip_from(start, is_block=False)
    tokens.take()


def _parse_declaration(tokens: Tokens) -> Declaration:
    """Declaration = ( "roles" | "permissions" ) "=" strings ";" | "relations" "=" relations ";" ;"""
    if not tokens.at(*_DECLARATIONS):
        raise tokens.unexpected("`roles`, `permissions` or `relations`")
    kind = tokens.take()
    tokens.expect("=", "`=`")
    if kind.text == "relations":
        names, types = _parse_relations(tokens)
    else:
        names, types = _parse_names(tokens), ()
    end = tokens.expect(";", f"`;` after the {kind.text}")
    return Declaration(kind.text, names, types, kind.span.to(end.span))


def _parse_names(tokens: Tokens) -> tuple[Name, ...]:
    """Strings = "[" [ STRING { "," STRING } [ "," ] ] "]" ;"""
    tokens.expect("[", '`[`, as in `["reader", "writer"]`')
    return _parse_list(tokens, "]", lambda: _parse_name(tokens))


def _parse_relations(tokens: Tokens) -> tuple[tuple[Name, ...], tuple[TypeName, ...]]:
    """Relations = "{" [ NAME ":" NAME { "," NAME ":" NAME } [ "," ] ] "}" ;"""
    tokens.expect("{", "`{`, as in `{ parent: Organization }`")

    def parse_one() -> tuple[Name, TypeName]:
        key = tokens.expect_kind(Kind.NAME, "a relation's name")
        tokens.expect(":", "`:` and the relation's type")
        return Name(key.text, key.span), parse_type_name(tokens)

    pairs = _parse_list(tokens, "}", parse_one)
    return tuple(name for name, _ in pairs), tuple(kind for _, kind in pairs)


def _parse_list(tokens: Tokens, end: str, parse_one: Callable[[], T]) -> tuple[T, ...]:
    """[ one { "," one } [ "," ] ] end"""
    found: list[T] = []
    while not tokens.accept(end):
        found.append(parse_one())
        if not tokens.at(end):
            tokens.expect(",", f"`,` or `{end}`")
    return tuple(found)


def _parse_shorthand(tokens: Tokens) -> Shorthand:
    """Shorthand = ( STRING | "role" | "permission" ) "if" condition ";" ;"""
    start = tokens.peek().span
    head = parse_short_name(tokens, 'a declaration, or a rule such as `"view" if "owner";`')
    tokens.expect("if", '`if`, as in `"view" if "owner";`')
    body = parse_shorthand_condition(tokens)
    if tokens.at_kind(Kind.NAME) and tokens.at_kind(Kind.STRING, ahead=1):
        raise tokens.unexpected(
            "`and`, `or` or `;`", 'a relation follows `on`: `"owner" on "parent"`'
        )
    end = _parse_end_of_condition(tokens, "`and`, `or` or `;` after the condition")
    return Shorthand(head, body, start.to(end.span))


def _parse_end_of_condition(tokens: Tokens, expected: str) -> Token:
    """ ";" """
    if tokens.at(","):
        raise tokens.unexpected(expected, "conditions are joined with `and`")
    return tokens.expect(";", expected)


def _parse_declare(tokens: Tokens) -> Declare:
    """Declare = "declare" NAME "(" NAME { "," NAME } ")" ";" ;"""
    start = tokens.take()
    name = tokens.expect_kind(Kind.NAME, "a predicate, as in `declare has_tag(Document, String);`")
    tokens.expect("(", "`(` after the predicate")
    types = _parse_args(tokens, lambda: parse_type_name(tokens))
    end = tokens.expect(";", "`;` after the declaration")
    return Declare(name.text, types, start.span.to(end.span))


def _parse_rule(tokens: Tokens) -> Rule:
    """Rule = NAME "(" [ param { "," param } ] ")" [ "if" condition ] ";" ;"""
    refuse_foreign_call(tokens)
    name = tokens.expect_kind(Kind.NAME, "a rule, a block or a test")
    if tokens.at("{") or (tokens.at_kind(Kind.NAME) and tokens.at("{", ahead=1)):
        cure = "a type is declared as `actor User {}` or `resource Document {}`"
        raise tokens.unexpected("`(` after the rule's name", cure)
    tokens.expect("(", "`(` after the rule's name")
    params = _parse_args(tokens, lambda: _parse_param(tokens))
    if tokens.accept("if"):
        body = parse_condition(tokens)
        end = _parse_end_of_condition(tokens, "`and`, `or` or `;` after the condition")
    else:
        body = None
        end = tokens.expect(";", "`;` or `if` after the rule head")
    return Rule(name.text, params, body, name.span.to(end.span))


def _parse_param(tokens: Tokens) -> Param:
    """Param = NAME [ ":" NAME ] | literal | "@current_unix_time" ;"""
    term = parse_term(tokens)
    if isinstance(term, Variable) and tokens.accept(":"):
        return Param(term, parse_bare_type_name(tokens))
    return Param(term, None)


def _parse_args(tokens: Tokens, parse_one: Callable[[], T]) -> tuple[T, ...]:
    """[ one { "," one } ] ")" """
    found: list[T] = []
    while not tokens.accept(")"):
        if found and tokens.at("("):
            raise tokens.unexpected("`,` or `)`", 'an entity is written `User{"alice"}`')
        if found:
            tokens.expect(",", "`,` or `)`")
        found.append(parse_one())
    return tuple(found)


def _parse_fixture(tokens: Tokens, findings: list[Diagnostic]) -> Fixture:
    """Fixture = "test" "fixture" NAME "{" { fact } "}" [ ";" ] ;"""
    start = tokens.take()
    tokens.take()
    key = tokens.expect_kind(Kind.NAME, "the fixture's name")
    name = Name(key.text, key.span)
    facts: list[Call] = []
    _parse_braced(
        tokens, findings, f"fixture {name.text}", lambda: facts.append(_parse_fact(tokens))
    )
    span = start.span.to(tokens.last())
    tokens.accept(";")
    return Fixture(name, tuple(facts), span)


def _parse_fact(tokens: Tokens) -> Call:
    """Fact = NAME "(" [ literal { "," literal } ] ")" ";" ;"""
    name = tokens.expect_kind(Kind.NAME, 'a fact, as in `has_role(User{"a"}, "owner", Team{"t"});`')
    tokens.expect("(", "`(` after the fact's predicate")
    args = _parse_args(tokens, lambda: parse_only_literal(tokens, "a fact", _VALUE_OF_A_FACT))
    span = name.span.to(tokens.last())
    tokens.expect(";", "`;` after the fact")
    return Call(name.text, args, span)


def _parse_test(tokens: Tokens, findings: list[Diagnostic]) -> Test:
    """Test = "test" STRING "{" [ "setup" "{" { fact | "fixture" NAME ";" } "}" ] { assertion } "}" ;"""
    start = tokens.take()
    name = _parse_name(tokens, "the test's name in quotes, or `fixture`")
    setup: list[Call | Name] = []
    seen_setup: list[Token] = []
    assertions: list[Assertion] = []

    def parse_one() -> None:
        if tokens.at("setup") and tokens.at("{", ahead=1):
            if seen_setup or assertions:
                cure = "join the setups, and put them before the assertions"
                raise tokens.unexpected("`assert` or `assert_not`", cure)
            seen_setup.append(tokens.take())
            _parse_braced(
                tokens, findings, "setup", lambda: setup.append(_parse_setup_line(tokens))
            )
        else:
            assertions.append(_parse_assertion(tokens))

    _parse_braced(tokens, findings, f'test "{name.text}"', parse_one)
    span = start.span.to(tokens.last())
    tokens.accept(";")
    return Test(name, tuple(setup), tuple(assertions), span)


def _parse_setup_line(tokens: Tokens) -> Call | Name:
    """Fact | "fixture" NAME ";" """
    if not tokens.at("fixture") or tokens.at("(", ahead=1):
        return _parse_fact(tokens)
    tokens.take()
    key = tokens.expect_kind(Kind.NAME, "the fixture's name")
    tokens.expect(";", "`;` after the fixture")
    return Name(key.text, key.span)


def _parse_assertion(tokens: Tokens) -> Assertion:
    """Assertion = ( "assert" | "assert_not" ) NAME "(" [ param { "," param } ] ")" [ "iff" condition ] ";" ;"""
    start = tokens.accept("assert", "assert_not")
    if start is None:
        close = get_close_matches(tokens.peek().text, ("setup", "assert", "assert_not"), n=1)
        cure = f"did you mean `{close[0]}`?" if close else ""
        raise tokens.unexpected("`setup`, `assert` or `assert_not`", cure)
    negated = start.text == "assert_not"
    cure = "write `assert_not`" if tokens.at("not") else ""
    if tokens.at("not"):
        raise tokens.unexpected("a condition, as in `assert allow(...)`", cure)
    name = tokens.expect_kind(Kind.NAME, "a condition, as in `assert allow(...)`")
    tokens.expect("(", "`(` after the condition's name")
    params = _parse_args(tokens, lambda: _parse_param(tokens))
    condition = None
    if not negated and tokens.accept("iff"):
        condition = parse_condition(tokens)
    elif negated and tokens.at("iff"):
        raise tokens.unexpected("`;`", "`iff` says when it holds and when not; use `assert`")
    end = _parse_end_of_condition(tokens, "`;`" if negated else "`iff` or `;` after the assertion")
    return Assertion(negated, name.text, params, condition, start.span.to(end.span))


def _parse_name(tokens: Tokens, expected: str = "a quoted name") -> Name:
    """STRING"""
    token = tokens.expect_kind(Kind.STRING, expected)
    return Name(token.text, token.span)
