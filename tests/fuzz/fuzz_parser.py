"""Coverage-guided fuzzing of the policy language: any text is a policy or PolicyInvalid, and nothing else.

What parses is printed and read back, too, and has to be the same. Inputs are made of the tokens in
`polar.dict` and of the statements of the example policies. For an hour, keeping what was found
interesting in the folder `corpus`:

    python tests/fuzz/fuzz_parser.py -max_total_time=3600 -timeout=20 -rss_limit_mb=4096 -max_len=4000 corpus

Every option of libFuzzer can be given. An input that fails is written to `crash-...`; to run it again,
give that file as the only argument. Needs `atheris`.
"""

import random
import re
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import atheris

with atheris.instrument_imports(include=["authz_service.polar"]):
    from authz_service.facts.policy_text import PolicyFile
    from authz_service.polar.compile import check_policy
    from authz_service.polar.diagnostic import Diagnostic, PolicyInvalid
    from authz_service.polar.parser import parse
    from authz_service.polar.printer import print_items
    from authz_service.polar.source import PolicySource
    from authz_service.polar.syntax import Item

HERE = Path(__file__).parent
DICTIONARY = HERE / "polar.dict"
POLICIES = HERE.parent.parent / "policies"

_TOKEN = re.compile(r'\s+|#[^\n]*|"(?:[^"\\\n]|\\.)*"|\w+|.', re.DOTALL)


def check(data: bytes) -> None:
    """Raise whatever should not happen with the text `data`."""
    text = decoded(data)
    try:
        found = check_policy([PolicyFile("p", text)]).warnings
    except PolicyInvalid as invalid:
        found = invalid.diagnostics
    for diagnostic in found:
        assert f"{diagnostic.span.place}: {diagnostic.code} " in str(diagnostic)
    items, findings = read(text)
    if not findings:
        printed = print_items(items)
        assert read(printed) == (items, []), printed


def read(text: str) -> tuple[tuple[Item, ...], list[Diagnostic]]:
    findings: list[Diagnostic] = []
    return parse(PolicySource("p", text), findings), findings


def decoded(data: bytes) -> str:
    return data.decode("utf-8", "surrogateescape")


def mutate(data: bytes, max_size: int, seed: int) -> bytes:
    """Change a few tokens or statements of `data`, or some of its bytes."""
    chance = random.Random(seed)
    way = chance.random()
    if way < 0.1:
        return atheris.Mutate(data, max_size)
    text = chance.choice(STATEMENTS) if way < 0.2 else decoded(data)
    tokens = _TOKEN.findall(text)
    for _ in range(chance.choice((1, 1, 2, 4))):
        chance.choice(CHANGES)(tokens, chance)
    changed = "".join(tokens).encode("utf-8", "surrogateescape")
    # What is cut off somewhere would be a syntax error nearly always.
    return changed if len(changed) <= max_size else data[:max_size]


def _insert(tokens: list[str], chance: random.Random) -> None:
    tokens.insert(chance.randint(0, len(tokens)), chance.choice(TOKENS))


def _replace(tokens: list[str], chance: random.Random) -> None:
    start, end = _part(tokens, chance)
    tokens[start:end] = [chance.choice(TOKENS)]


def _remove(tokens: list[str], chance: random.Random) -> None:
    start, end = _part(tokens, chance)
    del tokens[start:end]


def _copy(tokens: list[str], chance: random.Random) -> None:
    start, end = _part(tokens, chance)
    place = chance.randint(0, len(tokens))
    tokens[place:place] = tokens[start:end]


def _rename(tokens: list[str], chance: random.Random) -> None:
    """Write one token of the text in place of another of its kind: the text often stays a policy."""
    places: dict[str, list[int]] = {}
    for place, token in enumerate(tokens):
        places.setdefault(_kind(token), []).append(place)
    if tokens:
        alike = places[_kind(chance.choice(tokens))]
        tokens[chance.choice(alike)] = tokens[chance.choice(alike)]


def _kind(token: str) -> str:
    return "a" if token[0].isalpha() or token == "_" else token[0]


def _nest(tokens: list[str], chance: random.Random) -> None:
    start, end = _part(tokens, chance)
    opening = chance.choice(("(", "not (", "not not (", "(" * 30))
    tokens[start:end] = [opening, *tokens[start:end], ")" * opening.count("(")]


def _add_statement(tokens: list[str], chance: random.Random) -> None:
    ends = [0, *(place for place, token in enumerate(tokens, 1) if token in (";", "{", "}"))]
    place = chance.choice(ends)
    tokens[place:place] = _TOKEN.findall(chance.choice(STATEMENTS))


def _part(tokens: list[str], chance: random.Random) -> tuple[int, int]:
    start = chance.randint(0, len(tokens))
    return start, min(len(tokens), start + int(chance.expovariate(0.2)))


CHANGES: tuple[Callable[[list[str], random.Random], None], ...] = (
    _rename,
    _rename,
    _add_statement,
    _insert,
    _replace,
    _remove,
    _copy,
    _rename,
    _nest,
    _add_statement,
)


def _tokens_of(dictionary: str) -> Iterator[str]:
    for line in dictionary.splitlines():
        if line.startswith('"'):
            entry = re.sub(r"\\x(..)", lambda m: chr(int(m[1], 16)), line[1:-1])
            text = re.sub(r"\\([\\\"])", r"\1", entry)
            yield text.encode("latin-1").decode()


def _statements_of(policy: str) -> Iterator[str]:
    """Yield the whole policy, and each of its lines and paragraphs."""
    yield policy
    yield from policy.split("\n\n")
    yield from policy.splitlines()


WHOLE = """
actor User {}
actor Bot extends User {}
resource Doc { roles = ["viewer"]; permissions = ["read"]; relations = { parent: Doc, owner: User };
"viewer" if "owner"; "read" if "viewer" on "parent" or global "staff" and is_public(resource);
role if role on "parent"; permission if permission on "parent"; }
resource Folder extends Doc { permissions = ["move"]; "move" if "owner" on "parent" and "read"; }
global { roles = ["staff"]; permissions = ["invite"]; "invite" if "staff"; }
allow(a, p, r) if has_permission(a, p, r) and not (blocked(a, r) and a matches User and r matches Doc);
has_permission(_: User, "read", d: Folder) if late(d, t) and t < @current_unix_time;
has_permission(u: Bot, "read", d: Doc) if (has_tag(d, x) and x in ["a", "b"]) or d = Doc{"d"};
f(x: User) if g(x, y) and g(z, y) and z = y and not f(z, 1) and (x matches! User or x = z);
f(x: User, n) if g(x, _) and n in [1, 2] and not n != 2;
declare has_tag(Doc, String); declare late(Folder, Integer); declare blocked(Actor, Resource);
declare is_public(Resource); declare g(User, User);
test fixture a { has_role(User{"a"}, "viewer", Doc{"d"}); late(Folder{"f"}, 3); }
test "t" { setup { fixture a; has_tag(Doc{"d"}, "a"); } assert allow(User{"a"}, "read", Doc{"d"}); }
test "u" { assert allow(u: User, _: String, Doc{"d"}) iff u = User{"a"}; assert_not f(User{"b"}); }
"""
TOKENS = list(_tokens_of(DICTIONARY.read_text()))
STATEMENTS = [
    *(
        statement
        for path in sorted(POLICIES.rglob("*.polar"))
        for statement in _statements_of(path.read_text(encoding="utf-8"))
        if statement.strip()
    ),
    *WHOLE.splitlines(),
    WHOLE,
]


def main() -> None:
    program, *options = sys.argv
    defaults = [f"-dict={DICTIONARY}", "-len_control=0"]
    atheris.Setup([program, *defaults, *options], check, custom_mutator=mutate)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
