"""The tree of a policy as written. Two trees are equal if they say the same, wherever it stands.

`printer` writes a tree as text; `parser` reads it back as an equal tree.
"""

from dataclasses import dataclass, field

from authz_service.facts.value import Value
from authz_service.polar.source import Span

ANONYMOUS = "_"
GLOBAL = "global"


@dataclass(frozen=True, slots=True)
class Variable:
    """`actor`. The name `_` stands for a new variable at each place."""

    name: str
    span: Span = field(compare=False)


@dataclass(frozen=True, slots=True)
class Literal:
    """`"owner"`, `3`, `true` or `User{"alice"}`."""

    value: Value
    span: Span = field(compare=False)


@dataclass(frozen=True, slots=True)
class CurrentTime:
    """`@current_unix_time`: the time of the question in seconds since 1970, an Integer."""

    span: Span = field(compare=False)


Term = Variable | Literal | CurrentTime


@dataclass(frozen=True, slots=True)
class Call:
    """`has_role(actor, "owner", repo)`: holds if such a fact is stored or derived."""

    predicate: str
    args: tuple[Term, ...]
    span: Span = field(compare=False)


@dataclass(frozen=True, slots=True)
class Compare:
    """`left operator right` with one of `= != < <= > >=`."""

    operator: str
    left: Term
    right: Term
    span: Span = field(compare=False)


@dataclass(frozen=True, slots=True)
class Member:
    """`term in [a, b]`: the term equals one of the literals."""

    term: Term
    literals: tuple[Literal, ...]
    span: Span = field(compare=False)


@dataclass(frozen=True, slots=True)
class Matches:
    """`variable matches Type`; `matches!` if `exact`: not a type that extends it."""

    variable: Variable
    type: "TypeName"
    exact: bool
    span: Span = field(compare=False)


@dataclass(frozen=True, slots=True)
class Truth:
    """`true` or `false` as a condition."""

    holds: bool
    span: Span = field(compare=False)


@dataclass(frozen=True, slots=True)
class Not:
    """`not condition`."""

    condition: "Condition"
    span: Span = field(compare=False)


@dataclass(frozen=True, slots=True)
class And:
    """All of two or more conditions."""

    conditions: tuple["Condition", ...]
    span: Span = field(compare=False)


@dataclass(frozen=True, slots=True)
class Or:
    """At least one of two or more conditions."""

    conditions: tuple["Condition", ...]
    span: Span = field(compare=False)


@dataclass(frozen=True, slots=True)
class On:
    """In shorthand only: `"owner" on "parent"`, or a local `"owner"` when `relation` is None."""

    name: "Name | NameVariable"
    relation: "Name | None"
    span: Span = field(compare=False)


@dataclass(frozen=True, slots=True)
class OnGlobal:
    """In shorthand only: `global "staff"`."""

    name: "Name | NameVariable"
    span: Span = field(compare=False)


Condition = Call | Compare | Member | Matches | Truth | Not | And | Or | On | OnGlobal


@dataclass(frozen=True, slots=True)
class Name:
    """A quoted name of a role, permission, relation or test, or an unquoted key."""

    text: str
    span: Span = field(compare=False)


@dataclass(frozen=True, slots=True)
class NameVariable:
    """In shorthand only: `role` or `permission` unquoted, standing for any name of that kind."""

    kind: str
    span: Span = field(compare=False)


@dataclass(frozen=True, slots=True)
class TypeName:
    """The name of a type where one is used."""

    text: str
    span: Span = field(compare=False)


@dataclass(frozen=True, slots=True)
class Param:
    """One parameter of a rule head: `actor: User`, `actor` or a literal."""

    term: Term
    type: TypeName | None


@dataclass(frozen=True, slots=True)
class Rule:
    """`predicate(params) if body;`. A rule without body is a fact, perhaps about every value."""

    predicate: str
    params: tuple[Param, ...]
    body: Condition | None
    span: Span = field(compare=False)


@dataclass(frozen=True, slots=True)
class Declaration:
    """`roles = [...]`, `permissions = [...]` or `relations = {...}`; only relations have types."""

    kind: str
    names: tuple[Name, ...]
    types: tuple[TypeName, ...]
    span: Span = field(compare=False)


@dataclass(frozen=True, slots=True)
class Shorthand:
    """`"view" if "owner" on "parent";` in a block."""

    head: Name | NameVariable
    body: Condition
    span: Span = field(compare=False)


@dataclass(frozen=True, slots=True)
class Block:
    """`actor User { ... }`, `resource File extends Node { ... }` or `global { ... }`.

    `keyword` is `actor`, `resource` or `global`; a global block is named by its keyword.
    """

    keyword: str
    name: TypeName
    parents: tuple[TypeName, ...]
    declarations: tuple[Declaration, ...]
    shorthands: tuple[Shorthand, ...]
    span: Span = field(compare=False)


@dataclass(frozen=True, slots=True)
class Declare:
    """`declare has_tag(Document, String);`: such facts may be stored, whether a rule asks or not."""

    predicate: str
    types: tuple[TypeName, ...]
    span: Span = field(compare=False)


@dataclass(frozen=True, slots=True)
class Fixture:
    """`test fixture acme { ... }`: facts that tests can share. Their arguments are literals."""

    name: Name
    facts: tuple[Call, ...]
    span: Span = field(compare=False)


@dataclass(frozen=True, slots=True)
class Assertion:
    """`assert allow(...);`, with `iff` and a condition, or `assert_not allow(...);` if `negated`."""

    negated: bool
    predicate: str
    params: tuple[Param, ...]
    condition: Condition | None
    span: Span = field(compare=False)


@dataclass(frozen=True, slots=True)
class Test:
    """`test "..." { setup { ... } assert ...; }`. Names in `setup` stand for `fixture NAME;`."""

    name: Name
    setup: tuple[Call | Name, ...]
    assertions: tuple[Assertion, ...]
    span: Span = field(compare=False)


Item = Rule | Block | Declare | Fixture | Test
