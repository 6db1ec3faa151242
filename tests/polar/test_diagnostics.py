"""Wrong policies, each with the exact message that its author sees."""

import re
from itertools import chain
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from authz_service import polar
from authz_service.facts.policy_text import PolicyFile
from authz_service.polar.compile import check_policy
from authz_service.polar.declarations import MAX_TYPES
from authz_service.polar.diagnostic import PolicyInvalid

POLAR = Path(polar.__file__).parent
BLOCKS = """actor User {}
resource Doc { roles = ["viewer"]; permissions = ["read"]; relations = { parent: Doc, author: User }; }
"""

USED = """actor User {}
resource Doc { roles = ["viewer"]; permissions = ["read"]; relations = { parent: Doc, author: User };
  "read" if "viewer" or "author"; role if role on "parent"; }
"""

WRONG = {
    "f(x) if g('a');": "p:1:11: P001 unexpected 'a'; write strings as \"text\"",
    'f("a': 'p:1:3: P002 this string has no end; close it with `"` on the same line',
    "f(1.5);": "p:1:3: P003 `1.5` is not an integer; numbers are whole: `42`, `-7`",
    "f(9223372036854775808);": "p:1:3: P004 this integer does not fit into 64 bits; "
    "use -9223372036854775808 to 9223372036854775807",
    'f("");': "p:1:3: P005 this string is empty; no fact or request can equal it",
    "f(1) g(2);": "p:1:6: P010 expected `;` or `if` after the rule head, found `g`",
    "f(x) if x == 1;": "p:1:11: P010 expected `=`, `!=`, `<`, `in`, `matches` or a call, found `==`; "
    "equality is written `=`",
    "f(1) if ;": "p:1:9: P010 expected a variable or a literal, found `;`",
    "p(x) if (x matches String or y = x) and q(_);": "p:1:3: P301 nothing tells the type of `x`; "
    "say what it is, as in `x matches User`",
    "actor {}": "p:1:7: P010 expected a type's name, found `{`",
    "actor User {": "p:1:13: P010 expected `}` at the end of `actor User`, found the end of the file",
    "f(1) if " + "(" * 70 + "g(1)" + ")" * 70 + ";": "p:1:73: P011 conditions nest deeper than 64; "
    "split the rule",
    "f(x) if x in [y];": "p:1:15: P012 a list holds literals only; compare with `=` instead",
    'f(Integer{"3"});': "p:1:3: P013 `Integer` cannot hold this; write the value as it is, "
    "such as `3` or `true`",
    "resource Doc { relations = { up: Dok }; }": "p:1:34: P201 there is no type `Dok`; did you mean `Doc`?",
    "f(_: Usr);\nactor User {}": "p:1:6: P201 there is no type `Usr`; did you mean `User`?",
    "actor String {}": "p:1:7: P202 `String` is a built-in type; choose another name",
    "actor User {}\nactor User {}": "p:2:7: P203 the type `User` is declared twice; "
    "the first block is in line 1; join the two",
    'actor User { roles = ["a"]; roles = ["b"]; }': "p:1:29: P204 `User` declares its roles twice; "
    "join the two lists",
    'actor User { roles = ["a"]; permissions = ["a"]; }': 'p:1:44: P205 "a" is declared twice in this '
    "block; it stands among the roles already; a name means one thing",
    'resource R { roles = ["viewer"]; permissions = ["read"]; "read" if "viewr"; }': "p:1:68: P211 `R` has "
    'no role, permission or relation "viewr"; did you mean "viewer"?'.replace(
        '"viewer"?', "`viewer`?"
    ),
    'resource R { permissions = ["read"]; "read" if not "x"; }': "p:1:48: P010 expected a role, "
    "permission, relation or call, found `not`; write a rule with `not` outside of the block",
    "f(1, 2, 3, 4, 5, 6);": "p:1:1: P220 `f` has 6 arguments; use at most 5",
    'f(Actor{"a"});': "p:1:3: P222 `Actor` is abstract; name the entity's own type",
    "f(x) if g(x);": "p:1:3: P301 nothing tells the type of `x`; say what it is, as in `x matches User`",
    "f(x: String) if x < 3 and g(x);": "p:1:3: P303 no value of `x` can meet all conditions on its type; "
    "its declaration wants String; `x < 3` wants Integer",
    "f(x: String) if x < y and g(x) and h(y) and y matches Integer;": "p:1:3: P303 no value of `x` can meet "
    "all conditions on its type; its declaration wants String; `x < y` wants Integer",
    'f(x) if g(x) and x < "a";': "p:1:18: P302 `<` compares Integers, not String",
    BLOCKS
    + "f(u: User) if d matches Doc and not g(u, d);": "p:3:15: P401 nothing limits `d` to finitely "
    "many values; use it in a condition on a stored fact, such as `has_relation(...)`",
    BLOCKS
    + "f(u: User) if g(u) and not h(u, d) and not k(d) and d != u and d matches User;": "p:3:33: "
    "P401 nothing limits `d` to finitely many values; use it in a condition on a stored fact, such as "
    "`has_relation(...)`",
    BLOCKS
    + "p(_: Doc, d: Doc) if q(d);\nf(u: User) if g(u) and p(d, d);": "p:4:26: P401 nothing limits `d` to "
    "finitely many values; use it in a condition on a stored fact, such as `has_relation(...)`",
    "actor User {}\nwin(x: User) if y matches User and move(x, y) and not win(y);": "p:2:1: P402 this rule "
    "depends on its own negation: win -> not win; break the circle, for example with a name of its own "
    "for what is denied",
}

# These have all their messages here, in source order.
MORE = {
    'f(x: Doc) if x.owner = "a";': [
        "p:1:15: P010 expected `=`, `!=`, `<`, `in`, `matches` or a call, found `.`; attributes are facts: `owner(document, user)`, and not `document.owner = user`"
    ],
    "f(x: User) if g(x) and x.id == 1;": [
        "p:1:25: P010 expected `=`, `!=`, `<`, `in`, `matches` or a call, found `.`; attributes are facts: `owner(document, user)`, and not `document.owner = user`"
    ],
    "f(x: Integer) if g(x) and x + 1 = 2;": [
        "p:1:29: P010 expected `=`, `!=`, `<`, `in`, `matches` or a call, found `+`; there is no arithmetic; store the computed number as a fact"
    ],
    "f(x: User{active: true}) if g(x);": [
        "p:1:10: P014 a variable is limited by its type only; attributes are facts: ask for them in a condition of their own"
    ],
    "f(x: User) if x in y;": ['p:1:20: P010 expected `[`, as in `["read", "write"]`, found `y`'],
    'f(x: String) if x = ["a", "b"];': [
        'p:1:21: P010 expected a variable or a literal, found `[`; lists stand only behind `in`, as in `action in ["read", "write"]`'
    ],
    "f(x: String) if x = {a: 1};": [
        'p:1:21: P010 expected a variable or a literal, found `{`; there are no dictionaries; attributes are facts, and an entity is `User{"alice"}`'
    ],
    "f(x: User) if cut and g(x);": [
        "p:1:15: P014 there is no `cut`; rules have no order; say with `not` what each one excludes"
    ],
    "f(x: User) if forall(g(y), h(x, y));": [
        "p:1:15: P014 there is no `forall`; write `not (condition and not consequence)`"
    ],
    'f(x: User) if x = new User("a");': [
        'p:1:19: P014 there is no `new`; an entity is written `User{"alice"}`'
    ],
    "f(x: Integer) if y := 3 and g(x, y);": [
        "p:1:20: P010 expected `=`, `!=`, `<`, `in`, `matches` or a call, found `:=`; there is no assignment; `=` compares, and binds a variable that is not bound"
    ],
    'f(x: User) if print("a") and g(x);': [
        "p:1:15: P014 there is no `print`; conditions have no side effects; `test` blocks show what holds"
    ],
    "f(x: Integer) if g(x) and x mod 2 = 0;": [
        "p:1:29: P010 expected `=`, `!=`, `<`, `in`, `matches` or a call, found `mod`; there is no arithmetic; store the computed number as a fact"
    ],
    "type f(x: User);": [
        "p:1:1: P014 there are no rule types; shapes are inferred; `declare` adds one"
    ],
    "?= f(1);": ["p:1:1: P014 there are no inline queries; write a `test` block"],
    "@internal f(x: User) if g(x);": ["p:1:1: P014 there is no flag `@internal`; remove it"],
    "f(x: ns::User) if g(x);": [
        "p:1:8: P010 expected `,` or `)`, found `::`; there are no namespaces; names are letters, digits and `_`"
    ],
    "ok?(x: User) if g(x);": [
        "p:1:3: P010 expected `(` after the rule's name, found `?`; names are letters, digits and `_`"
    ],
    "f(x: User) if g(x) & h(x);": ["p:1:20: P001 unexpected `&`; write `and`"],
    "f(x: User) if g(x) | h(x);": [
        "p:1:20: P010 expected `and`, `or` or `;` after the condition, found `|`; alternatives are written `or`"
    ],
    "f(x: User) if !g(x);": [
        "p:1:15: P010 expected a variable or a literal, found `!`; negation is written `not`"
    ],
    'f(x: String) if x not in ["a"];': [
        "p:1:19: P010 expected a comparison, found `not`; write `not x in [...]`"
    ],
    "f(t: Integer) if t < @now;": [
        "p:1:22: P010 expected a variable or a literal, found `@now`; the only constant is `@current_unix_time`"
    ],
    "f(x: User) if g(*rest);": [
        "p:1:17: P010 expected a variable or a literal, found `*`; there is no arithmetic, and there are no lists to take apart"
    ],
    "f(x: User) if x isa User;": [
        "p:1:17: P010 expected `=`, `!=`, `<`, `in`, `matches` or a call, found `isa`; write `matches`"
    ],
    BLOCKS + 'has_permission(u: User, "read", d: Doc) if has_relation(u, "author", d);': [
        'p:3:44: P304 the relation "author" belongs to `Doc`, which stands last here; the order is has_relation(owner, name, related); swap the two'
    ],
    '"read" if "viewer";': ['p:1:1: P010 expected a rule, a block or a test, found `"read"`'],
    'resource Doc { permission = ["a"]; }': [
        "p:1:16: P010 expected `roles`, `permissions` or `relations`, found `permission`"
    ],
    "resource Doc { roles = {a: B}; }": [
        'p:1:24: P010 expected `[`, as in `["reader", "writer"]`, found `{`'
    ],
    'resource Doc { relations = ["a"]; }': [
        "p:1:28: P010 expected `{`, as in `{ parent: Organization }`, found `[`"
    ],
    'resource Doc { roles = ["a" "b"]; }': ['p:1:29: P010 expected `,` or `]`, found `"b"`'],
    'resource Doc { "a" if x = 1; }': [
        "p:1:23: P010 expected a role, permission, relation or call, found `x`; write a rule with comparisons outside of the block"
    ],
    'resource Doc { "a" if "b" on c; }': ["p:1:30: P010 expected a relation in quotes, found `c`"],
    'global { roles = ["a"]; relations = { a: User }; }': [
        "p:1:25: P210 `global` cannot have relations; a relation is one of a type; write it in that type's block"
    ],
    'actor User {} global { "a" if "b" on "c"; }': [
        'p:1:24: P211 `global` has no role or permission "a"; declare it in the block of `global`',
        "p:1:38: P214 `global` has no relations; write the rule in a block",
    ],
    'actor User {} global { permissions = ["a"]; "a" if f(resource); }': [
        "p:1:54: P214 `global` has no `resource`; write the rule in the block of a type"
    ],
    'resource Doc { "a" if global; }': [
        "p:1:29: P010 expected a global role or permission, found `;`"
    ],
    "declare f;": ["p:1:10: P010 expected `(` after the predicate, found `;`"],
    "declare f(Usr);": [
        "p:1:11: P201 there is no type `Usr`; known are `Actor`, `Boolean`, `Integer`, `Resource`, `String`"
    ],
    "declare allow(String, String);": [
        "p:1:1: P221 `allow` facts cannot be stored; decisions are always derived; declare what they are derived from"
    ],
    "declare f();": ["p:1:1: P220 `f` has 0 arguments; a fact has 1 to 5"],
    'test "a" { setup { f(x); } }': [
        'p:1:22: P012 a fact holds literals only; write an entity as `User{"alice"}`, and a text in quotes'
    ],
    'test "a" { setup { f(User:ann); } }': [
        'p:1:22: P012 a fact holds literals only; write an entity as `User{"alice"}`, and a text in quotes'
    ],
    'resource R { roles = ["a"]; permissions = ["read"]; "read" if a; }': [
        'p:1:63: P010 expected a role, permission, relation or call, found `a`; a name is written `"a"`, '
        "a condition with its arguments, `a(resource)`"
    ],
    "actor U {} g(user: U) if f(user) and not h(usr);": [
        "p:1:44: P301 nothing tells the type of `usr`; did you mean `user`? Otherwise say what it is, as in "
        "`usr matches User`"
    ],
    'test "a" { assert not f(1); }': [
        "p:1:19: P010 expected a condition, as in `assert allow(...)`, found `not`; write `assert_not`"
    ],
    'test "a" { assert_not f(1) iff x = 1; }': [
        "p:1:28: P010 expected `;`, found `iff`; `iff` says when it holds and when not; use `assert`"
    ],
    'test "a" { f(1); }': ["p:1:12: P010 expected `setup`, `assert` or `assert_not`, found `f`"],
    "test a { }": ["p:1:6: P010 expected the test's name in quotes, or `fixture`, found `a`"],
    "test fixture { }": ["p:1:14: P010 expected the fixture's name, found `{`"],
    'test "a" { assert f(1); setup { f(1); } }': [
        "p:1:25: P010 expected `assert` or `assert_not`, found `setup`; join the setups, and put them before the assertions"
    ],
    'test "a" { setup { fixture b; } assert f(1); }\ntest fixture c {}\nf(1);': [
        "p:1:28: P502 there is no fixture `b`; known are `c`"
    ],
    "test fixture a {} test fixture a {}": [
        "p:1:32: P501 there are two fixtures `a`; give each a name of its own"
    ],
    'f(1);\ntest "a" { assert f(1); }\ntest "a" { assert f(1); }': [
        'p:3:6: P503 there are two tests "a"; give each a name of its own'
    ],
    BLOCKS + 'test "a" { assert_not allow(User{"a"}, "raed", Doc{"d"}); }': [
        "p:3:12: P505 the policy permits nothing to the type `User`; no type is permitted anything"
    ],
    BLOCKS + 'test "a" { assert_not has_rol(User{"a"}, "x", Doc{"d"}); }': [
        'p:3:12: P505 no rule and no fact can make has_rol(User:a, "x", Doc:d) hold; did you mean `has_role`?'
    ],
    BLOCKS + 'test "a" { assert allow(Doc{"a"}, "read", Doc{"d"}); }': [
        "p:3:12: P505 the policy permits nothing to the type `Doc`; no type is permitted anything"
    ],
    BLOCKS + 'test "a" { assert_not allow(User{"a"}, "read", Docs{"d"}); }': [
        "p:3:48: P201 there is no type `Docs`; did you mean `Doc`?"
    ],
    BLOCKS + 'test "a" { assert allow(u, "read", Doc{"d"}); }': [
        "p:3:25: P506 `u` could be any value; say of what type it is, as in `u: User`"
    ],
    BLOCKS + 'test "a" { assert_not f(User{"a"}, 1); }\nf(u: User, x: String) if g(u, x);': [
        "p:3:12: P505 `f` has no `Integer` as argument 2; it has `String` there"
    ],
    BLOCKS
    + 'test "a" { setup { has_permission(User{"a"}, "read", Doc{"d"}); } assert allow(User{"a"}, "read", Doc{"d"}); }': [
        "p:3:20: P504 this fact could not be stored; `has_permission` is derived by rules and cannot be stored; store the role or relation that grants it, or `declare has_permission(...)` in the policy",
        "p:3:67: P505 the policy permits nothing to the type `User`; no type is permitted anything",
    ],
    "resource A extends B {}": ["p:1:20: P201 there is no type `B`; known are `A`"],
    "resource A extends A {}": [
        "p:1:20: P208 types extend each other: `A` -> `A`; break the circle"
    ],
    "resource A extends B {} resource B extends C {} resource C extends A {}": [
        "p:1:68: P208 types extend each other: `A` -> `B` -> `C` -> `A`; break the circle"
    ],
    "actor A {} resource B extends A {}": [
        "p:1:31: P207 the resource `B` cannot extend the actor `A`; declare both as `resource`"
    ],
    "resource A extends Resource {}": [
        "p:1:20: P207 `Resource` is built in and cannot be extended; every type is a `Resource` as it is"
    ],
    'resource A { roles = ["x"]; } resource B extends A { permissions = ["x"]; }': [
        'p:1:69: P209 "x" is inherited as a role; a name means one thing; choose another one'
    ],
    'resource A { roles = ["x"]; } resource B { permissions = ["x"]; } resource C extends A, B {}': [
        'p:1:89: P209 "x" is a role in one of these types and a permission in another; types that are extended together must agree'
    ],
    "global {} global {}": [
        "p:1:11: P203 `global` is declared twice; the first block is in line 1; join the two"
    ],
    'resource R { relations = { up: String }; permissions = ["a"]; "a" if "b" on "up"; }': [
        'p:1:77: P212 the relation "up" leads to `String`, which has no block of its own; `on` needs a declared type'
    ],
    'resource R { roles = ["a"]; permissions = ["b"]; role if permission; }': [
        "p:1:58: P213 `role if permission` mixes two kinds of names; use `role if role on ...`"
    ],
    'resource R { permissions = ["b"]; "b" if global "x"; }': [
        'p:1:49: P211 `global` has no role or permission "x"; declare it in the block of `global`'
    ],
    "f(x: User) if x matches! Actor; actor User {}": [
        "p:1:26: P223 no value is exactly of the abstract type `Actor`; write `matches`"
    ],
    'resource R { roles = ["a", "a"]; }': [
        'p:1:28: P205 "a" is declared twice in this block; it stands among the roles already; a name means one thing'
    ],
    'resource R { relations = { up: R }; roles = ["a"]; "a" if "a" on "upp"; }': [
        'p:1:66: P211 `R` has no relation "upp"; did you mean `up`?'
    ],
    "f(_) if g(1);": [
        "p:1:3: P301 nothing tells the type of `_`; give it a name, and say what it is, as in `x matches User`"
    ],
    "f(x: String) if x = 3 and g(x);": [
        "p:1:3: P303 no value of `x` can meet all conditions on its type; its declaration wants String; `x = 3` wants Integer"
    ],
    BLOCKS + "f(_: User);\ng(d: Doc) if f(u) and h(d);": [
        "p:4:16: P401 nothing limits `u` to finitely many values; use it in a condition on a stored fact, such as `has_relation(...)`"
    ],
    BLOCKS
    + "p(u: User) if not q(u) and s(u);\nq(u: User) if r(u);\nr(u: User) if not p(u) and s(u);": [
        "p:3:1: P402 this rule depends on its own negation: p -> not q -> r -> p; break the circle, for example with a name of its own for what is denied"
    ],
    BLOCKS
    + 'has_permission(u: User, "read", d: Doc) if not has_permission(u, "read", d) and s(u, d);': [
        'p:3:1: P402 this rule depends on its own negation: has_permission("read") -> not has_permission("read"); break the circle, for example with a name of its own for what is denied'
    ],
    BLOCKS + "e(_: User);\nf(u: User) if g(u) and not f(u) and e(u);": [
        "p:4:1: P402 this rule depends on its own negation: f -> not f; break the circle, for example with a name of its own for what is denied"
    ],
    "f(x: User) if g(x) and x matches User{name: 1};": [
        "p:1:38: P014 a variable is limited by its type only; attributes are facts: ask for them in a condition of their own"
    ],
    "f(x: Boolean) if g(x) and x;": [
        "p:1:28: P010 expected `=`, `!=`, `<`, `in`, `matches` or a call, found `;`; a variable alone is no condition; write `x = true`, or call a rule"
    ],
    "f(x: Integer) if 1 < x < 3 and g(x);": [
        "p:1:24: P010 expected `and`, `or` or `;`, found `<`; comparisons do not chain; join two with `and`"
    ],
    "resource R { relations = { in: R }; }": [
        "p:1:28: P010 expected a relation's name, found `in`; `in` is a reserved word"
    ],
    "resource my-doc {}": [
        "p:1:12: P010 expected `{` after `resource my`, found `-`; names are letters, digits and `_`"
    ],
    "Doc {}": [
        "p:1:5: P010 expected `(` after the rule's name, found `{`; a type is declared as `actor User {}` or `resource Document {}`"
    ],
    "thing Doc {}": [
        "p:1:7: P010 expected `(` after the rule's name, found `Doc`; a type is declared as `actor User {}` or `resource Document {}`"
    ],
    'resource R { relations = { up: R }; roles = ["a"]; "a" if "a" onn "up"; }': [
        'p:1:63: P010 expected `and`, `or` or `;`, found `onn`; a relation follows `on`: `"owner" on "parent"`'
    ],
    'resource R { roles = ["a", "b"]; "a" if "a" on "b"; }': [
        'p:1:48: P211 `R` has no relation "b"; it is declared there as something else; `on` needs a relation'
    ],
    "f(x: int) if g(x);": ["p:1:6: P201 there is no type `int`; write `Integer`"],
    'f("a").g;': [
        "p:1:7: P010 expected `;` or `if` after the rule head, found `.`; attributes are facts: `owner(document, user)`, and not `document.owner = user`"
    ],
    "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa(1);": [
        "p:1:1: P007 this name has 129 bytes of UTF-8; at most 128 are allowed"
    ],
    'resource R { relations = { up: Rr }; roles = ["a"]; "a" if "a" on "up"; }': [
        "p:1:32: P201 there is no type `Rr`; did you mean `R`?"
    ],
    "actor User {}\nf(u: User, x: User) if g(u, x) or h(u);\nk(u: User) if f(u, x) and x matches User;": [
        "p:3:20: P401 nothing limits `x` to finitely many values; use it in a condition on a stored fact, such as `has_relation(...)`"
    ],
    'actor User {}\nresource Doc { roles = ["r"]; permissions = ["read"]; "read" if role; role if is_admin(actor); }': [
        "p:2:65: P401 nothing limits `role` to finitely many values; use it in a condition on a stored fact, such as `has_relation(...)`"
    ],
    'f(1);\ntest "a" { assert_not f(1, 2); }': [
        "p:2:12: P505 no rule and no fact can make f(1, 2) hold; `f` has 1 argument"
    ],
    "print(x: String) if g(x);": [
        "p:1:1: P014 there is no `print`; conditions have no side effects; `test` blocks show what holds"
    ],
    BLOCKS
    + 'has_permission(u: User, "read", d: Doc) if has_role(u, "viewer", d);\ntest "a" { assert_not allow(User{"a"}, "raed", d: Resource); assert_not allow(User{"a"}, 3, Doc{"d"}); assert_not allow(User{"a"}, "read", "d"); }': [
        'p:4:12: P505 the policy knows no action "raed" for `Doc`; did you mean `read`?',
        "p:4:62: P505 `allow` has no `Integer` as argument 2; it has `String` there",
        "p:4:104: P505 `allow` has no `String` as argument 3; it has `Doc` there",
    ],
    BLOCKS
    + 'is_ok(u: User, d: Doc) if g(u, d);\ntest "a" { assert_not is_ok(Doc{"a"}, User{"b"}); assert is_ok(u: User, _: Doc) iff is_o(u); }': [
        "p:4:12: P505 `is_ok` has no `Doc` as argument 1; it has `User` there",
        "p:4:85: P505 no rule and no fact can make is_o(u) hold; did you mean `is_ok`?",
    ],
    'resource D {}\nf(d: D) if g(d);\ntest "a" { assert f(d: Actor); assert f(d: D, d: Resource); assert f(x); }': [
        "p:3:24: P506 `Actor` has no types, so this says nothing; declare one",
        "p:3:47: P506 `d` has two types; write one of them",
        "p:3:70: P506 `x` could be any value; say of what type it is, as in `x: User`",
    ],
    "f(x: String) if g(x) && h(x);": ["p:1:22: P001 unexpected `&&`; write `and`"],
    "f(x: String) if g(x)\n\nh(1);": [
        "p:1:21: P010 expected `and`, `or` or `;` after the condition, found `h`"
    ],
    "// no\nf(1);": [
        "p:1:1: P010 expected a rule, a block or a test, found `/`; comments begin with `#`, and there is no arithmetic"
    ],
    'test "a" { asert f(1); }': [
        "p:1:12: P010 expected `setup`, `assert` or `assert_not`, found `asert`; did you mean `assert`?"
    ],
    "f(1, g(2));": [
        'p:1:7: P010 expected `,` or `)`, found `(`; an entity is written `User{"alice"}`'
    ],
    'test "a" { setup {} setup {} assert f(1); }': [
        "p:1:21: P010 expected `assert` or `assert_not`, found `setup`; join the setups, and put them before the assertions"
    ],
    BLOCKS
    + 'has_permission(u: User, "read", d: Doc) if has_relation(d, "parent", e) and has_relation(e, "author", v) and has_relation(f, "parent", v) and g(u, f);': [
        'p:3:103: P303 no value of `v` can meet all conditions on its type; `has_relation(e, "author", v)` wants User; `has_relation(f, "parent", v)` wants Doc'
    ],
    'f("a\\\nb");': [
        'p:1:3: P002 this string has no end; close it with `"` on the same line',
        "p:2:1: P010 expected `,` or `)`, found `b`",
        'p:2:2: P002 this string has no end; close it with `"` on the same line',
    ],
    "f(-9223372036854775809);": [
        "p:1:3: P004 this integer does not fit into 64 bits; use -9223372036854775808 to 9223372036854775807"
    ],
    'f("' + "x" * 513 + '");': [
        "p:1:3: P005 this string has 513 bytes of UTF-8; at most 512 are allowed; no fact or request can equal it"
    ],
    "f(1": ["p:1:4: P010 expected `,` or `)`, found the end of the file"],
    "f(x: User) if (g(x);": ["p:1:20: P010 expected `)`, found `;`"],
    "f(x: User if g(x);": ["p:1:11: P010 expected `,` or `)`, found `if`"],
    "f(x) of g(x);": ["p:1:6: P010 expected `;` or `if` after the rule head, found `of`"],
    'actor User {}\nresource Doc { roles = ["viewer", "boss"]; permissions = ["read"]; relations = { parent: Doc, author: User }; }\nhas_permission(u: User, "read", d: Doc) if has_role(u, "viewer", d);\ntest "a" { setup { has_role(User{"a"}, "viewr", Doc{"d"}); } assert_not allow(User{"a"}, "read", Doc{"d"}); }': [
        'p:4:20: P504 this fact could not be stored; no rule of the policy can use has_role(User:a, "viewr", Doc:d); did you mean `viewer`? rules use has_role(User, "boss" | "viewer", Doc)'
    ],
}

# Valid policies with all their warnings.
WARNED = {
    "f(user: String, d: Integer) if g(d);": [
        "p:1:1: P602 no rule and no test asks for `f`; remove it, or assert it in a test",
        "p:1:3: P601 `user` is used only here; write `_user` or `_` if that is meant",
    ],
    "actor User {}\ndeclare g(User, String);\nf(u: User) if g(u, d);": [
        "p:3:1: P602 no rule and no test asks for `f`; remove it, or assert it in a test",
        "p:3:20: P601 `d` is used only here; write `_d` or `_` if that is meant",
    ],
    'actor User {}\nresource Doc { permissions = ["read"]; "read" if tagged(resource, tag); }\ndeclare tagged(Doc, String);': [
        "p:2:67: P601 `tag` is used only here; write `_tag` or `_` if that is meant"
    ],
    'actor User {}\nresource Doc { roles = ["viewer"]; }': [
        'p:2:25: P602 no rule uses the role "viewer" of `Doc`; write the rule that uses it, or remove it'
    ],
    'actor User {}\nresource Doc { permissions = ["read"]; }': [
        'p:2:31: P602 no rule grants an actor the permission "read" of `Doc`; write the rule that grants it, or remove it'
    ],
    "actor User {}\nresource Doc { relations = { owner: User }; }": [
        'p:2:30: P602 no rule follows the relation "owner" of `Doc`; write the rule that follows it, or remove it'
    ],
    'actor User {}\nglobal { roles = ["a"]; permissions = ["b"]; }': [
        'p:2:19: P602 no rule uses the role "a" of `global`; write the rule that uses it, or remove it',
        'p:2:40: P602 no rule grants an actor the permission "b" of `global`; write the rule that grants it, or remove it',
    ],
    "test fixture a { f(1); }\ng(x: Integer) if f(x);": [
        "p:1:14: P602 no test uses the fixture `a`; remove it",
        "p:2:1: P602 no rule and no test asks for `g`; remove it, or assert it in a test",
    ],
    "f(x: Integer) if g(x) and x = 1 and x = 2;": [
        "p:1:1: P602 no rule and no test asks for `f`; remove it, or assert it in a test",
        "p:1:1: P603 this rule can never apply; its conditions contradict each other",
    ],
    "f(x: Integer) if g(x) and x in [1, 2] and 3 = x;": [
        "p:1:1: P602 no rule and no test asks for `f`; remove it, or assert it in a test",
        "p:1:1: P603 this rule can never apply; its conditions contradict each other",
    ],
    "f(x: Integer) if g(x) and false;": [
        "p:1:1: P602 no rule and no test asks for `f`; remove it, or assert it in a test",
        "p:1:1: P603 this rule can never apply; its conditions contradict each other",
    ],
    USED + 'f(u: User, d: Doc) if has_permission(u, "write", d);': [
        "p:4:1: P602 no rule and no test asks for `f`; remove it, or assert it in a test",
        'p:4:1: P603 this rule can never apply; no rule and no fact can make has_permission(u, "write", d) hold',
        'p:4:23: P604 `Doc` declares no permission "write"; known are `read`',
    ],
    "f(x: String) if allow(x, x, x) and g(x);\nallow(x: Integer, y: Integer, z: Integer) if h(x, y, z);": [
        "p:1:1: P602 no rule and no test asks for `f`; remove it, or assert it in a test",
        "p:1:1: P603 this rule can never apply; no rule and no fact can make allow(x, x, x) hold",
        "p:2:1: P603 this rule can never apply; a question has an actor, an action that is a String, and a resource",
    ],
    USED + 'f(u: User, d: Doc) if has_role(u, "viewr", d);': [
        "p:4:1: P602 no rule and no test asks for `f`; remove it, or assert it in a test",
        'p:4:23: P604 `Doc` declares no role "viewr"; did you mean `viewer`?',
    ],
    USED + 'f(u: User, d: Doc) if has_relation(d, "parnt", e) and e matches Doc and g(u);': [
        "p:4:1: P602 no rule and no test asks for `f`; remove it, or assert it in a test",
        'p:4:23: P604 `Doc` declares no relation "parnt"; did you mean `parent`?',
    ],
    USED + 'f(u: User) if has_relation(d, "author", d) and d matches Doc and g(u);': [
        "p:4:1: P602 no rule and no test asks for `f`; remove it, or assert it in a test",
        'p:4:15: P604 the relation "author" leads to `User`, not to `Doc`; such a fact cannot follow from the declaration',
    ],
    'global { roles = ["staff"]; permissions = ["x"]; "x" if "staff"; }\nactor User {}\nf(u: User) if has_role(u, "stuff");': [
        "p:3:1: P602 no rule and no test asks for `f`; remove it, or assert it in a test",
        'p:3:15: P604 `global` declares no role "stuff"; did you mean `staff`?',
    ],
    'f(1);\ntest "t" { setup { } }': [
        "p:1:1: P602 no rule and no test asks for `f`; remove it, or assert it in a test",
        'p:2:6: P605 the test "t" asserts nothing; add an `assert`, or remove it',
    ],
    USED + 'test "t" { assert_not has_role(User{"a"}, "viewr", Doc{"d"}); }': [
        'p:4:12: P604 `Doc` declares no role "viewr"; did you mean `viewer`?'
    ],
    'actor User {}\nresource Doc { permissions = ["read"]; }\nhas_permission(u: User, "read", d: Doc) if g(u, d);\nallow(User{"root"}, "read", _: Doc);': [
        "p:4:1: P606 no rule asks for permissions, so they permit nothing; with an `allow` rule of your own, add `allow(actor, action, resource) if has_permission(actor, action, resource);`"
    ],
    "actor User {}\nallow(u: User, 3, d: User) if g(u, d);": [
        "p:2:1: P603 this rule can never apply; a question has an actor, an action that is a String, and a resource"
    ],
    'resource U {}\nresource D { permissions = ["read"]; }\nhas_permission(u: U, "read", d: D) if g(u, d);': [
        'p:2:29: P602 no rule grants an actor the permission "read" of `D`; write the rule that grants it, or remove it'
    ],
    'actor User {}\nis_unsupervised(u: User) if g(u);\nallow(u: User, "x", d: User) if h(u, d) and not is_unsuprevised(u);': [
        "p:2:1: P602 no rule and no test asks for `is_unsupervised`; conditions ask for `is_unsuprevised`, which no rule derives; is it the same?"
    ],
    'actor User {}\ndeclare h(User, User);\nallow(u: User, "x", d: User) if h(u, d);\ntest "t" { assert allow(User{"a"}, "x", u: User) iff h(User{"a"}, v) and u = User{"b"}; }': [
        "p:4:67: P601 `v` is used only here; write `_v` or `_` if that is meant"
    ],
}


def findings(text: str) -> list[str]:
    with pytest.raises(PolicyInvalid) as caught:
        check_policy([PolicyFile("p", text)])
    return [str(diagnostic) for diagnostic in caught.value.diagnostics]


@pytest.mark.parametrize("text", WRONG, ids=range(len(WRONG)))
def test_message(text):
    assert findings(text)[0].splitlines()[0] == WRONG[text]


@pytest.mark.parametrize("text", MORE, ids=range(len(MORE)))
def test_all_messages(text):
    assert [finding.split("\n", 1)[0] for finding in findings(text)] == MORE[text]


@pytest.mark.parametrize("text", WARNED, ids=range(len(WARNED)))
def test_warnings(text):
    warnings = check_policy([PolicyFile("p", text)]).warnings
    assert [str(warning).split("\n", 1)[0] for warning in warnings] == WARNED[text]


def test_nothing_to_warn_of():
    assert check_policy([PolicyFile("p", USED)]).warnings == ()


def test_findings_of_several_files_stand_in_the_order_of_the_files():
    files = [PolicyFile("b", "f(1.5);"), PolicyFile("a", "actor A {"), PolicyFile("c", "g(x) if")]
    with pytest.raises(PolicyInvalid) as caught:
        check_policy(files)
    assert [finding.span.place for finding in caught.value.diagnostics] == [
        "b:1:3",
        "a:1:10",
        "c:1:8",
    ]


def test_files_know_each_others_types():
    files = [PolicyFile("a", 'resource Doc { roles = ["x"]; permissions = ["y"]; "y" if "x"; }')]
    files.append(PolicyFile("b", "actor User {}\nf(d: Doc) if g(d);"))
    assert check_policy(files).types == {"User", "Doc"}
    with pytest.raises(PolicyInvalid) as caught:
        check_policy([*files, PolicyFile("c", "actor User {}")])
    assert "the first block is at b:1:7; join the two" in str(caught.value)


@pytest.mark.parametrize("end", "\n\r\v\f\x1c\x85\u2028\u2029", ids=ascii)
def test_a_comment_hides_nothing_that_an_editor_shows_on_a_line_of_its_own(end):
    text = f"actor User {{}} # a comment{end}f(u: User) if g(u);"
    if end in "\n\r":
        assert any(
            rule.head.predicate == "f" for rule in check_policy([PolicyFile("p", text)]).rules
        )
    else:
        assert f"P001 unexpected character U+{ord(end):04X}" in findings(text)[0]


def test_every_code_has_a_wrong_policy():
    """Each code of the package is the first one of some message above."""
    source = "".join(path.read_text() for path in POLAR.glob("*.py"))
    codes = set(re.findall(r'"(P\d{3})"', source))
    shown = [*WRONG.values(), *chain(*MORE.values()), *chain(*WARNED.values())]
    seen = {code for message in shown for code in re.findall(r": (P\d{3}) ", message)}
    limits = {"P006", "P206"}
    assert codes - limits == seen


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            "#" * (2**20 + 1),
            "p:1:1: P006 the policy has 1048577 bytes; at most 1048576 are allowed",
        ),
        (
            "".join(f"actor A{n} {{}}\n" for n in range(MAX_TYPES + 1)),
            f"p:{MAX_TYPES + 1}:7: P206 the policy declares more than {MAX_TYPES} types",
        ),
    ],
    ids=["bytes", "types"],
)
def test_limits(text, message):
    assert findings(text)[0].startswith(message)


def test_all_errors_at_once_in_source_order_with_a_caret():
    found = findings('actor User {\n  roles = [1];\n  "a" "b";\n}\nf(é, );\nok(1) if;\n')
    assert found == [
        "p:2:12: P010 expected a quoted name, found `1`\n      roles = [1];\n               ^",
        'p:3:7: P010 expected `if`, as in `"view" if "owner";`, found `"b"`\n'
        '      "a" "b";\n          ^^^',
        "p:5:6: P010 expected a variable or a literal, found `)`\n    f(é, );\n         ^",
        "p:6:9: P010 expected a variable or a literal, found `;`\n    ok(1) if;\n            ^",
    ]


def test_a_long_line_of_errors_stays_small():
    with pytest.raises(PolicyInvalid) as caught:
        check_policy([PolicyFile("p", "'" * 20_000)])
    assert len(caught.value.diagnostics) > 10_000
    assert len(caught.value.message) < 200_000


def test_negation_is_judged_on_what_rules_can_reach():
    """A permission may depend on the negation of another permission of the same type."""
    policy = (
        BLOCKS.replace('["read"]', '["read", "blocked"]')
        + """
has_permission(u: User, "read", d: Doc) if shared(u, d) and not has_permission(u, "blocked", d);
has_permission(u: User, "blocked", d: Doc) if banned(u, d);
"""
    )
    built_in = 2
    assert len(check_policy([PolicyFile("p", policy)]).rules) == 2 + built_in


TOKENS = st.sampled_from(
    [
        "actor",
        "resource",
        "User",
        "Doc",
        "{",
        "}",
        "(",
        ")",
        "[",
        "]",
        ";",
        ":",
        ",",
        "=",
        "!=",
        "<",
        "in",
        "matches",
        "if",
        "and",
        "or",
        "not",
        "on",
        "role",
        "roles",
        "=",
        "relations",
        "permissions",
        '"a"',
        '"b"',
        "1",
        "-2",
        "true",
        "_",
        "x",
        "y",
        "has_role",
        "f",
        "#",
        "\n",
        "\t",
        "@",
        "é",
        "\x00",
    ]
)


@given(st.lists(TOKENS, max_size=60).map(" ".join) | st.text(max_size=80))
def test_any_text_gives_a_policy_or_an_error(text):
    found = ()
    try:
        check_policy([PolicyFile("p", text)])
    except PolicyInvalid as error:
        found = error.diagnostics
    assert all("p:" in str(diagnostic) for diagnostic in found)
