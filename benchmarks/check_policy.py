"""What checking a policy costs as it grows: at most 2.5 times as much when the text doubles.

Each family is a kind of text, valid or not, that grows with n and is meant to be hard for some stage.
Measured is the CPU time of `check_policy` at n, 2n and 4n, the best of three; what seems to grow faster
is measured again. Exits with 1 if a family does grow faster. The largest texts take long enough to be
measured well; for families about types they have as many types as a policy can have.

    python benchmarks/check_policy.py [--json] [FAMILY...]
"""

import argparse
import gc
import json
import sys
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass, replace
from itertools import pairwise
from math import isqrt

from rich.console import Console
from rich.table import Table

from authz_service.facts.policy_text import PolicyFile
from authz_service.polar.compile import check_policy
from authz_service.polar.declarations import MAX_TYPES
from authz_service.polar.diagnostic import PolicyInvalid
from authz_service.polar.tokens import MAX_NESTING

LIMIT = 2.5
ROUNDS = 3
AGAIN = 3
DEEP = MAX_NESTING - 4
# At 4n there are nearly as many types as there can be.
TYPES = MAX_TYPES // 4 - 3

Text = Callable[[int], str]


@dataclass(frozen=True, slots=True)
class Family:
    """Texts of one kind. `n` is the size of the smallest one that is measured."""

    name: str
    n: int
    text: Text


@dataclass(frozen=True, slots=True)
class Measured:
    """The cost of a family at n, 2n and 4n, and what comes of its largest text."""

    family: str
    outcome: str
    sizes: list[int]
    seconds: list[float]

    @property
    def ratios(self) -> list[float]:
        return [after / before for before, after in pairwise(self.seconds)]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("family", nargs="*", help="only families with this in their names")
    parser.add_argument("--json", action="store_true", help="print JSON instead of a table")
    arguments = parser.parse_args()
    wanted = arguments.family or [""]
    found = []
    for family in FAMILIES:
        if any(word in family.name for word in wanted):
            print(family.name, file=sys.stderr)
            found.append(measure(family))
    found.sort(key=lambda measured: max(measured.ratios), reverse=True)
    if arguments.json:
        print(json.dumps([{**asdict(m), "ratios": m.ratios} for m in found], indent=2))
    else:
        Console(width=150).print(table(found))
    sys.exit(any(max(measured.ratios) > LIMIT for measured in found))


def measure(family: Family) -> Measured:
    texts = [family.text(family.n * factor) for factor in (1, 2, 4)]
    measured = Measured(family.name, outcome(texts[-1]), [*map(len, texts)], _best(texts))
    for _ in range(AGAIN):
        if max(measured.ratios) > LIMIT:
            pairs = zip(measured.seconds, _best(texts), strict=True)
            measured = replace(measured, seconds=[min(pair) for pair in pairs])
    return measured


def _best(texts: Sequence[str]) -> list[float]:
    rounds = [[cpu(text) for text in texts] for _ in range(ROUNDS)]
    return [min(seconds) for seconds in zip(*rounds, strict=True)]


def cpu(text: str) -> float:
    """Return the CPU seconds that it takes to check `text`."""
    gc.collect()
    start = time.process_time()
    outcome(text)
    return time.process_time() - start


def outcome(text: str) -> str:
    """Return what comes of `text`: a policy, with or without warnings, or the codes of its errors."""
    try:
        warnings = check_policy([PolicyFile("p", text)]).warnings
    except PolicyInvalid as invalid:
        codes = {diagnostic.code for diagnostic in invalid.diagnostics}
        return f"{len(invalid.diagnostics)} errors: {', '.join(sorted(codes))}"
    codes = {diagnostic.code for diagnostic in warnings}
    return f"{len(warnings)} warnings: {', '.join(sorted(codes))}" if warnings else "valid"


def table(found: Sequence[Measured]) -> Table:
    shown = Table("family", "KiB", "seconds", "ratios", "outcome")
    for measured in found:
        shown.add_row(
            measured.family,
            " / ".join(f"{size / 1024:.0f}" for size in measured.sizes),
            " / ".join(f"{seconds:.2f}" for seconds in measured.seconds),
            " / ".join(f"{ratio:.2f}" for ratio in measured.ratios),
            measured.outcome,
        )
    return shown


BASE = """actor User {}
resource Doc {
  roles = ["viewer"]; permissions = ["read"]; relations = { owner: User };
  "read" if "viewer";
}
declare g(User, User);
declare has_tag(Doc, String);
"""
USER = "actor User {}\n"


def numbered(line: str, numbers: Iterable[int]) -> list[str]:
    """Return a line for each number: # stands for the number, % for the one behind it."""
    return [line.replace("#", str(i)).replace("%", str(i + 1)) for i in numbers]


def lines(line: str, before: str = BASE) -> Text:
    return lambda n: before + "\n".join(numbered(line, range(n)))


def one_rule(condition: str, first: str = "g(x, _)", by: str = " and ") -> Text:
    """Return a rule with a condition for each number."""
    return lambda n: f"{BASE}h(x: User) if {by.join([first, *numbered(condition, range(n))])};"


def joined(*texts: Text) -> Text:
    return lambda n: "".join(text(n) for text in texts)


def names(form: str, n: int) -> str:
    return ", ".join(numbered(form, range(n)))


def doc(n: int) -> str:
    """Return a type of n roles and n permissions."""
    roles, permissions = names('"role#"', n), names('"perm#"', n)
    return f"{USER}resource Doc {{ roles = [{roles}]; permissions = [{permissions}]; }}\n"


def in_block(declaration: str, rule: str) -> Text:
    """Return a block with n names, written for $, and a shorthand rule for each number."""
    form = "rel#: Doc" if "relations" in declaration else '"name#"'
    return lambda n: (
        f"{USER}resource Doc {{ {declaration.replace('$', names(form, n))}"
        f"{''.join(numbered(rule, range(n)))} }}"
    )


def types(line: str, before: str = USER, by: int = 1) -> Text:
    """Return n lines, as far as there can be so many types if each line declares `by` of them."""
    return lambda n: before + "\n".join(numbered(line, range(min(n, MAX_TYPES - 10) // by))) + "\n"


def rules_over_types(block: str, rule: str) -> Text:
    return joined(types(block), lambda n: lines(rule, "")(10 * n))


def extends_all(before_only: bool) -> Text:  # noqa: FBT001 - the one choice there is
    """Return types that each extend all types before them, and perhaps the one behind."""

    def text(n: int) -> str:
        count = min(isqrt(n), MAX_TYPES - 10)
        blocks = [f"{USER}resource T0 {{}}"]
        for i in range(1, count):
            after = [] if before_only else [f"T{(i + 1) % count}"]
            parents = ", ".join([*after, *numbered("T#", range(i))])
            blocks.append(f'resource T{i} extends {parents} {{ roles = ["r{i}"]; }}')
        return "\n".join(blocks)

    return text


def ring(rule: str, each: int) -> Text:
    """Return a ring of rules; & stands for the number before. From some places types come in."""

    def text(n: int) -> str:
        count, kinds = each * n, min(n, MAX_TYPES - 10)
        rules = [
            rule.replace("#", str(i))
            .replace("%", str((i + 1) % count))
            .replace("&", str((i - 1) % count))
            for i in range(count)
        ]
        rules += [f"p{count * i // kinds}(_: T{i});" for i in range(kinds)]
        return types("actor T# {} declare q(T#);", "")(n) + "\n".join(rules)

    return text


def sets_of_types(n: int) -> str:
    """Return rules whose variables have types that no other rule's variables have together."""
    kinds = min(n, MAX_TYPES - 10)
    rules = numbered("actor T# {}", range(kinds))
    for i in range(kinds):
        some = {(i * 7 + j * j) % kinds for j in range(1, 12)}
        rules.append(f"s{i}(x) if {' or '.join(numbered('x matches T#', some))};")
    for i in range(10 * n):
        some = {i % kinds, i * i % kinds, i * 31 % kinds}
        rules.append(f"f(x) if ({' or '.join(numbered('s#(x)', some))}) and h(x);")
    return "\n".join(rules)


def one_by_one(rule: str, last: str) -> Text:
    """Return a chain of rules that begins to work from its end, and a rule that asks for all."""
    return lambda n: "\n".join(
        [one_rule("w#(x)")(n), *numbered(rule, range(n)), last.replace("#", str(n))]
    )


def triangle(head: str, asked: str, last: str) -> Text:
    """Return rules that each ask for all behind them, and the last one for the first."""

    def text(n: int) -> str:
        count = isqrt(n)
        rules = [BASE, f"{head} if p0(x);".replace("#", str(count)), last.replace("#", str(count))]
        for i in range(count):
            behind = numbered(asked, reversed(range(i + 1, count + 1)))
            rules.append(f"{head.replace('#', str(i))} if {' and '.join(behind)};")
        return "\n".join(rules)

    return text


def levels(width: int) -> str:
    """Return `or` in `and` in `or`, with chains of `=` that can be evaluated from their end only."""
    last = DEEP * width
    inner = f"v{last} = x and v{last} matches User"
    for level in reversed(range(DEEP)):
        first = level * width
        link = "v# = v% and v# matches User"
        chain = " and ".join(numbered(link, range(first, first + width)))
        inner = f"{chain} and ({inner})" if level % 2 else f"({inner} and {chain} or v{first} = x)"
    return inner


def staged_choices(n: int) -> str:
    """Return one `or` of n branches that each wait for a variable of another `or`."""
    big = " or ".join(numbered("v# < 5", range(n)))
    small = " and ".join(numbered("(v# = 1 or v# = 2)", range(n)))
    return f"{BASE}h(x: User) if g(x, _) and ({big}) and {small};"


def never(n: int) -> str:
    """Return a rule whose conditions come true one by one, but for one that never does."""
    asked = " and ".join(numbered("w#(x)", range(n)))
    rule = f'h(x: User) if {asked} and has_permission(x, "read", d) and d matches User;'
    return "\n".join([BASE, rule, *numbered("w#(x: User) if g(x, _);", range(n))])


def with_fixture(uses: str) -> Text:
    """Return a fixture of n facts, and n uses of it."""
    fact = 'has_tag(Doc{"d"}, "t#");'
    before, _, after = uses.partition("...")
    use, _, after = after.partition("...")
    return lambda n: (
        f"{BASE}f(d: Doc) if has_tag(d, _);\ntest fixture a {{ {''.join(numbered(fact, range(n)))} }}\n"
        f"{before}{''.join(numbered(use, range(n)))}{after}"
    )


def backwards(n: int) -> str:
    chain = numbered("v% = v# and v# matches User", reversed(range(n)))
    return f"{BASE}h(x: User) if {' and '.join(chain)} and v{n} matches User and v0 = x;"


def circle(rule: str) -> Text:
    return lambda n: (
        BASE + "\n".join(rule.replace("#", str(i)).replace("%", str((i + 1) % n)) for i in range(n))
    )


ROLE = '"r#"'
SHORTHAND = '"a" if "b"; '
PARENTHESES = f"f(x: User) if {'(' * DEEP}g(x, _){')' * DEEP};"
NEGATIONS = f"f(x: User) if g(x, _) and {'not ' * DEEP}g(x, x);"
TO_THE_RIGHT = f"f(x: User) if {'g(x, _) and (' * DEEP}g(x, _){')' * DEEP};"
WILDCARDS = joined(one_rule('f(x, "s#")'), lines('f(_: User, "s#");', "\n"))
ASSERTION = 'assert allow(u: User, "read", Doc{"#"}) iff u = User{"a"} or u = User{"#"};'
RESOURCES = "r matches Resource and s matches Resource"

FAMILIES = [
    Family("rules without parameters", 4000, lines("f();")),
    Family("facts of many predicates", 1500, lines("f#(1);")),
    Family("facts of one predicate", 1500, lines('f("v#");')),
    Family("rules of one predicate", 700, lines('f(x: User, "s#") if g(x, _);')),
    Family("chain of predicates", 700, joined(lines("p%(x) if p#(x);"), lines("p0(_: User);", ""))),
    Family("chain of literals", 700, lines('f(x: User, "s#") if f(x, "s%");')),
    Family("negated chain", 500, lines('f(x: User, "s#") if g(x, _) and not f(x, "s%");')),
    Family("negated circle", 500, circle('f(x: User, "s#") if g(x, _) and not f(x, "s%");')),
    Family("all rules negated", 500, lines('f(x: User, "s#") if g(x, _) and not f(x, _);')),
    Family("wildcards", 600, WILDCARDS),
    Family("wildcards one by one", 500, one_by_one("w#(x: User) if w%(x);", "w#(_: User);")),
    Family("types one by one", 500, one_by_one("w#(x) if w%(x);", "w#(_: User);")),
    Family("triangle of types", 5000, triangle("p#(x)", "p#(x)", "p#(_: User);")),
    Family("triangle of wildcards", 5000, triangle("p#(x: User)", "p#(x)", "p#(x: User);")),
    Family(
        "triangle of choices",
        1500,
        triangle("p#(x: User)", "(p#(x) or p#(x) and g(x, y#))", "p#(x: User);"),
    ),
    Family("conditions", 1500, one_rule("g(x, _)")),
    Family("alternatives", 1500, one_rule("g(x, _)", by=" or ")),
    Family("variables", 1000, one_rule("g(v#, v%)", "g(x, v0)")),
    Family("variables without type", 1000, one_rule("s#(v#) and t#(v#)")),
    Family("variables of two types", 700, one_rule("v# matches User and has_tag(v#, _)")),
    Family("equal variables, last first", 1000, backwards),
    Family("comparisons", 700, one_rule("v% in [1] and v# < v%", "g(x, _) and v0 = 1")),
    Family("alternatives of equals", 700, one_rule("v# = x and v# matches User", by=" or ")),
    Family("choices one by one", 400, staged_choices),
    Family("choices", 700, one_rule("(v# = 1 or v# = 2)")),
    Family("conditions one by one", 500, never),
    Family("negations", 1000, one_rule("not g(x, v#)")),
    Family("lists", 1000, one_rule('has_tag(_, t#) and t# in ["#", "%"]')),
    Family(
        "one list", 6000, lambda n: f"{BASE}f(d: Doc) if has_tag(d, t) and t in [{names('#', n)}];"
    ),
    Family("deep conditions", 8, lines(f"h#(x: User) if {levels(1)};")),
    Family("one deep condition", 6, lambda n: f"{BASE}h(x: User) if {levels(n)};"),
    Family("parentheses", 120, lines(PARENTHESES)),
    Family("nested negations", 20, lines(NEGATIONS)),
    Family("nested to the right", 20, lines(TO_THE_RIGHT)),
    Family("roles", 700, in_block("roles = [$];", '"name#" if "name0" or "name1";')),
    Family("permissions", 700, in_block('roles = ["r"]; permissions = [$];', '"name#" if "r";')),
    Family(
        "relations", 500, in_block('roles = ["r"]; relations = { $ };', '"r" if "r" on "rel#";')
    ),
    Family("unknown names in blocks", 500, in_block("roles = [$];", '"name#" if "nmae#";')),
    Family(
        "roles in rules",
        600,
        joined(doc, lines('f(x: User) if has_role(x, "role#", d) and d matches Doc;', "")),
    ),
    Family(
        "unknown roles in rules",
        600,
        joined(doc, lines('f(x: User) if has_role(x, "rloe#", d) and d matches Doc;', "")),
    ),
    Family(
        "unknown actions in tests",
        500,
        joined(doc, lines('test "#" { assert_not allow(User{"a"}, "prem#", Doc{"d"}); }', "")),
    ),
    Family(
        "unknown facts in tests",
        400,
        joined(doc, lines('test "#" { setup { has_role(User{"a"}, "rloe#", Doc{"d"}); } }', "")),
    ),
    Family("unknown types", 1000, joined(types("resource Type# {}"), lines("f(_: Tpye#);", ""))),
    Family("swapped relations", 500, lines('f(d: Doc, u: User) if has_relation(u, "owner", d);')),
    Family(
        "chain of types",
        35,
        types('resource T% extends T# { roles = ["r#"]; }', "resource T0 {}\n"),
    ),
    Family(
        "names that types inherit",
        5,
        joined(
            lambda n: f"{USER}resource T0 {{ roles = [{names(ROLE, 23 * n)}]; }}\n",
            types('resource T% extends T# { permissions = ["p#"]; "p#" if "r0"; }', ""),
        ),
    ),
    Family(
        "diamonds of types",
        35,
        types(
            'resource A% extends A#, B# { roles = ["a#"]; }\n'
            'resource B% extends A#, B# { roles = ["b#"]; }',
            f"{USER}resource A0 {{}}\nresource B0 {{}}\n",
            by=2,
        ),
    ),
    Family("types that extend all before", 8000, extends_all(before_only=True)),
    Family("circles of types", 8000, extends_all(before_only=False)),
    Family(
        "the same type extended again",
        2000,
        lambda n: (
            f"resource A {{ roles = [{names(ROLE, n)}]; }}\nresource B extends {'A, ' * n}A {{}}"
        ),
    ),
    Family("types around a ring", TYPES, ring("p#(x) if p%(x);", 8)),
    Family("types both ways around a ring", TYPES, ring("p#(x) if q(x) and (p%(x) or p&(x));", 4)),
    Family("sets of types", TYPES, sets_of_types),
    Family(
        "conditions on all types",
        TYPES,
        rules_over_types(
            'resource T# { roles = ["r"]; }', 'f(x: User, r: Resource) if has_role(x, "r", r);'
        ),
    ),
    Family(
        "unknown roles on all types",
        TYPES,
        rules_over_types(
            'resource T# { roles = ["r"]; }', 'f(x: User, r: Resource) if has_role(x, "n#", r);'
        ),
    ),
    Family(
        "relations on all types",
        TYPES,
        rules_over_types(
            "resource T# { relations = { up: T#, to: User }; }",
            f'f(r) if has_relation(r, "up", _) and has_relation(r, "to", s) and {RESOURCES};',
        ),
    ),
    Family(
        "relations to all types",
        TYPES,
        joined(
            types(
                "resource T% extends T0 {}", f"{USER}resource T0 {{ relations = {{ up: T0 }}; }}\n"
            ),
            lambda n: lines('f#(r) if has_relation(r, "up", s) and f%(s);', "")(10 * n),
        ),
    ),
    Family(
        "actions on all types",
        TYPES,
        rules_over_types("resource T# {}", 'has_permission(_: User, "p#", _: Resource);'),
    ),
    Family(
        "listed actions on all types",
        TYPES,
        joined(
            types('resource T# { permissions = ["p#"]; }'),
            lambda n: f"has_permission(_: User, p, _: Resource) if p in [{names(ROLE, 50 * n)}];",
        ),
    ),
    Family("duplicate blocks", 3000, lines("actor User {}")),
    Family(
        "tests", 400, lines(f'test "#" {{ setup {{ has_tag(Doc{{"#"}}, "a"); }} {ASSERTION} }}')
    ),
    Family(
        "assertions",
        500,
        lambda n: f'{BASE}test "t" {{ {"".join(numbered(ASSERTION, range(n)))} }}',
    ),
    Family("fixtures", 1200, lines('test fixture a# { has_tag(Doc{"#"}, "a"); }')),
    Family(
        "a fixture in all tests", 600, with_fixture('...test "#" { setup { fixture a; } }\n...')
    ),
    Family("a fixture again", 1000, with_fixture('test "t" { setup { ...fixture a; ...} }')),
    Family("declarations", 1500, lines("declare fact#(User, Doc);")),
    Family("declarations of one predicate", 1500, lines("declare fact(User, Doc);")),
    Family(
        "usable facts", 500, lines('f(x: User) if has_tag(d, "t#") and d matches Doc and g(x, x);')
    ),
    Family("variables used once", 700, lines("f(x: User) if g(x, y) and g(x, z);")),
    Family("syntax errors", 4000, lines("f(] ;")),
    Family("errors in one block", 4000, lambda n: "actor User {" + "x = ;\n" * n + "}"),
    Family("errors in one line", 4000, lambda n: "f(] ; " * n),
    Family("open braces", 4000, lines("actor A { {")),
    Family("unexpected characters", 30_000, lambda n: "'" * n),
    Family("strings without end", 4000, lines('"abc')),
    Family("foreign words", 1500, lines("@flag f(x.y); forall(x); f(x) if x := 3;")),
    Family("one long string", 200_000, lambda n: f'f("{"a" * n}");'),
    Family("one long name", 200_000, lambda n: f"f{'a' * n}(1);"),
    Family("one long number", 200_000, lambda n: f"f({'9' * n});"),
    Family(
        "long names",
        400,
        lambda n: f"actor {'A' * n * 200} {{}}\n" + f"f(_: {'A' * n * 2}B);\n" * 200,
    ),
    Family(
        "errors in a block of a long name",
        2000,
        lambda n: f"resource {'A' * 10 * n} {{ {SHORTHAND * n} }}",
    ),
    Family("comments", 10_000, lambda n: "# a comment\n" * n),
    Family("objects", 1000, lines('f(Doc{"d#"}, User{"u"});')),
    Family("nested objects", 20_000, lambda n: f"f({'A{' * n}"),
]


if __name__ == "__main__":
    main()
