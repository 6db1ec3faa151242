"""The manual of the language, docs/language.md, shows what happens: every policy, message and command."""

import inspect
import json
import os
import random
import re
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import pytest
from examples import NAMES, POLICIES, policy_text

from authz_service.engine.policy_tests import STEPS, run_tests
from authz_service.facts.fact import MAX_ARGS
from authz_service.facts.policy_text import MAX_POLICY_BYTES, PolicyFile
from authz_service.facts.value import INTEGER_MAX, INTEGER_MIN, MAX_ID_BYTES, MAX_NAME_BYTES
from authz_service.polar import compile as polar_compile
from authz_service.polar import condition_parser, parser
from authz_service.polar.declarations import MAX_TYPES, collect
from authz_service.polar.diagnostic import Diagnostic, PolicyInvalid
from authz_service.polar.expand import expand
from authz_service.polar.lexer import Kind, Token, tokenize
from authz_service.polar.printer import print_items
from authz_service.polar.source import PolicySource
from authz_service.polar.syntax import Block, Item
from authz_service.polar.tokens import MAX_NESTING, RESERVED
from authz_service.server.codec import MAX_FILE_NAME_BYTES, MAX_POLICY_FILES

ROOT = POLICIES.parent
MANUAL = (ROOT / "docs" / "language.md").read_text(encoding="utf-8")
README = (ROOT / "README.md").read_text(encoding="utf-8")
NOW = 1_800_000_000


@dataclass(frozen=True)
class Snippet:
    """A fenced block: its language, the words behind that, its text and the section it stands in."""

    language: str
    mark: str
    text: str
    section: str
    start: int
    end: int

    @property
    def line(self) -> int:
        return MANUAL.count("\n", 0, self.start) + 1


def snippets(document: str) -> list[Snippet]:
    sections = [(m.start(), m[1]) for m in re.finditer(r"^## (.+)$", document, re.MULTILINE)]
    found = []
    fences = re.finditer(r"^```(\S+)(.*)\n((?:.*\n)*?)```$", document, re.MULTILINE)
    for fence in fences:
        section = next((name for at, name in reversed(sections) if at < fence.start()), "")
        found.append(
            Snippet(fence[1], fence[2].strip(), fence[3], section, fence.start(), fence.end())
        )
    return found


SNIPPETS = snippets(MANUAL)
[SHORTHAND] = [s for s in SNIPPETS if s.mark == "shorthand"]
[DEFAULT_ALLOW] = [s for s in SNIPPETS if s.mark == "default"]
[DIAGNOSTICS] = [s for s in SNIPPETS if s.mark == "diagnostics"]
[GRAMMAR] = [s for s in SNIPPETS if s.language == "ebnf"]


def shown_below(snippet: Snippet) -> str:
    """Return the text block that stands directly below `snippet`, or nothing."""
    below = next((s for s in SNIPPETS if s.start > snippet.start), None)
    is_next = below is not None and not MANUAL[snippet.end : below.start].strip()
    return below.text if below is not None and is_next and below.language == "text" else ""


def parsed(text: str) -> list[Item]:
    findings: list[Diagnostic] = []
    items = parser.parse(PolicySource("policy.polar", text), findings)
    assert not findings, [str(finding) for finding in findings]
    return list(items)


def findings_of(text: str) -> list[Diagnostic]:
    """Return the errors of a policy, or else its warnings and what its tests find wrong."""
    try:
        policy = polar_compile.check_policy([PolicyFile("policy.polar", text)])
    except PolicyInvalid as error:
        return list(error.diagnostics)
    failures = [
        finding
        for result in run_tests(policy, policy.tests, NOW, STEPS)
        for finding in result.failures
    ]
    return [*policy.warnings, *failures]


def rows(document: str, header: str) -> list[list[str]]:
    """Return the cells of every table whose header line begins with `header`."""
    found = []
    for table in re.finditer(
        rf"^{re.escape(header)}.*\n\|[- |]+\|\n((?:\|.*\n)+)", document, re.MULTILINE
    ):
        for line in table[1].splitlines():
            cells = re.split(r"(?<!\\)\|", line.strip("|"))
            found.append([cell.strip().replace("\\|", "|") for cell in cells])
    assert found, header
    return found


def code_in(cell: str) -> str:
    """Return what stands as code in a cell, its lines joined by blanks."""
    return " ".join(re.findall(r"`([^`]*)`", cell))


# Policies and messages


COMPLETE = [
    s for s in SNIPPETS if s.language == "polar" and not s.mark.startswith(("file=", "def"))
]


@pytest.mark.parametrize("snippet", COMPLETE, ids=lambda s: f"line{s.line}")
def test_policies_mean_what_is_said_about_them(snippet):
    """Valid ones pass their tests, without warnings; wrong ones give the findings below them."""
    found = "".join(f"{finding}\n" for finding in findings_of(snippet.text))
    assert found == shown_below(snippet)
    is_valid = all(finding.is_warning for finding in findings_of(snippet.text))
    assert is_valid == (snippet.mark != "error")


def test_every_text_block_belongs_to_something_that_is_run():
    for before, snippet in pairwise(SNIPPETS):
        if snippet.language == "text":
            assert before.language in ("polar", "diff"), snippet.line
            assert before.language == "diff" or shown_below(before)


def test_default_allow_rules():
    assert parsed(DEFAULT_ALLOW.text) == parsed(polar_compile._DEFAULT_ALLOW.text)


def test_every_form_of_shorthand_and_its_expansion():
    items = parsed(SHORTHAND.text)
    blocks = [item for item in items if isinstance(item, Block)]
    declarations = collect(blocks, [], [])
    expected = {}
    for name in ("Document", "global"):
        [block] = [b for b in blocks if b.name.text == name]
        for short, rule in zip(block.shorthands, expand(block, declarations, []), strict=True):
            written = SHORTHAND.text[short.head.span.start :].partition(";")[0] + ";"
            expected[written] = " ".join(print_items([rule]).split())
    shown = {
        code_in(short): code_in(longhand)
        for short, longhand in rows(MANUAL, "| shorthand")
        if longhand
    }
    assert shown == expected
    assert list(shown) == list(expected)


TOO_MUCH = {
    "P006": "#" * (MAX_POLICY_BYTES + 1),
    "P007": f"{'a' * (MAX_NAME_BYTES + 1)}(1);",
    "P011": f"f(1) if {'(' * (MAX_NESTING + 1)}g(1){')' * (MAX_NESTING + 1)};",
    "P206": "\n".join(f"actor A{number} {{}}" for number in range(MAX_TYPES + 1)),
}
FINDINGS = {cells[0].strip("`"): cells[1:] for cells in rows(MANUAL, "| code")}


@pytest.mark.parametrize("code", FINDINGS)
def test_every_diagnostic_has_an_example_with_its_message(code):
    _, example = FINDINGS[code]
    written, _, message = example.partition("<br>")
    text = TOO_MUCH.get(code) or f"{DIAGNOSTICS.text}{code_in(written)}\n"
    first = findings_of(text)[0]
    assert (first.code, first.sentence) == (code, message)


def test_every_diagnostic_is_listed():
    sources = (path.read_text("utf-8") for path in (ROOT / "authz_service").rglob("*.py"))
    codes = {code for source in sources for code in re.findall(r'"(P\d\d\d)"', source)}
    assert codes == set(FINDINGS)
    assert set(re.findall(r"\bP\d\d\d\b", MANUAL)) == codes


OSO = [cells for cells in rows(MANUAL, "| in the library") if code_in(cells[0]).endswith(";")]


@pytest.mark.parametrize(("old", "new"), OSO, ids=[code_in(old) for old, _ in OSO])
def test_what_the_oso_library_has_is_refused_and_what_is_here_is_not(old, new):
    for text in re.findall(r"`([^`]*;)`", old):
        findings: list[Diagnostic] = []
        parser.parse(PolicySource("policy.polar", text), findings)
        assert findings, text
    for text in re.findall(r"`([^`]*[;}])`", new):
        parsed(text)


# Limits and words


def test_limits():
    shown = [row[1].replace("UTF-8", "") for row in rows(MANUAL, "| what |")]
    numbers = [[int(number) for number in re.findall(r"-?\d+", text)] for text in shown]
    limits = [MAX_POLICY_BYTES, MAX_TYPES, MAX_NESTING, MAX_ARGS]
    published = [MAX_POLICY_FILES, MAX_FILE_NAME_BYTES]
    values = [[MAX_ID_BYTES], [MAX_NAME_BYTES], [INTEGER_MIN, INTEGER_MAX]]
    assert numbers == [*([limit] for limit in limits), published, *values, [STEPS]]
    assert f"1 to {MAX_ID_BYTES} bytes" in MANUAL
    assert f"0 to {MAX_ARGS} arguments, facts 1 to {MAX_ARGS}" in MANUAL
    assert f"{INTEGER_MIN} to {INTEGER_MAX}" in MANUAL


def test_words_and_operators():
    """Every reserved word is named as such; every operator and keyword stands in the grammar."""
    for sentence in re.findall(
        r"reserved[:\w ]*?((?:`\w+`(?:, (?:and )?|\s)*)+)", " ".join(MANUAL.split())
    ):
        assert set(re.findall(r"`(\w+)`", sentence)) == RESERVED
    terminals = set(re.findall(r'"([^"]+)"', GRAMMAR.text))
    assert terminals >= RESERVED
    assert terminals >= set(condition_parser.COMPARISONS)
    assert condition_parser.CURRENT_TIME in terminals
    assert terminals >= {*parser._BLOCKS, *parser._DECLARATIONS, "declare", "assert", "assert_not"}
    explained = " ".join(cells[0] for cells in rows(MANUAL, "| condition | holds"))
    for operator in [*condition_parser.COMPARISONS, *(RESERVED - {"if"}), "matches!"]:
        assert re.search(rf"(?<![\w=<>!]){re.escape(operator)}(?![\w=<>!])", explained), operator


# Headings and links


def anchor(heading: str) -> str:
    """Return the anchor that GitHub gives a heading."""
    return re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")


def test_contents_and_links():
    without_code = re.sub(r"^```.*?^```$", "", MANUAL, flags=re.MULTILINE | re.DOTALL)
    headings = [anchor(h) for h in re.findall(r"^## (.+)$", without_code, re.MULTILINE)]
    contents = re.findall(r"^\d+\. \[.*\]\(#(.*)\)$", without_code, re.MULTILINE)
    assert contents == headings
    anchors = {anchor(h) for h in re.findall(r"^#+ (.+)$", without_code, re.MULTILINE)}
    for document in [ROOT / "README.md", *(ROOT / "docs").rglob("*.md")]:
        text = document.read_text(encoding="utf-8")
        is_manual = document.name == "language.md"
        for target in re.findall(r"\]\((?:\S*language\.md)?#([^)]*)\)", text):
            if is_manual or f"language.md#{target}" in text:
                assert target in anchors, f"{document}: {target}"


# The grammar


class Grammar:
    """A recognizer for the EBNF of the manual: says whether tokens are a `file`, nothing else."""

    def __init__(self, text: str) -> None:
        self._words = re.findall(r'"[^"]+"|\w+|[=;|(){}\[\]]', text)
        self.rules: dict[str, object] = {}
        while self._words:
            name = self._words.pop(0)
            assert self._words.pop(0) == "="
            self.rules[name] = self._alternatives()
            assert self._words.pop(0) == ";"

    def _alternatives(self):
        found = [self._sequence()]
        while self._words[0] == "|":
            self._words.pop(0)
            found.append(self._sequence())
        return ("any", found)

    def _sequence(self):
        found = []
        while self._words[0] not in (";", "|", ")", "}", "]"):
            word = self._words.pop(0)
            if word in "({[":
                inner = self._alternatives()
                self._words.pop(0)
                found.append((word, inner))
            else:
                found.append(("one", word))
        return ("all", found)

    def accepts(self, tokens: list[Token]) -> bool:
        self._tokens = tokens
        self._known: dict[tuple[str, int], set[int]] = {}
        return len(tokens) - 1 in self._ends(self.rules["file"], {0})

    def _ends(self, node, starts: set[int]) -> set[int]:
        """Return where `node` can end if it begins at one of `starts`."""
        match node:
            case ("any", inner):
                return set().union(*(self._ends(one, starts) for one in inner))
            case ("all", inner):
                for one in inner:
                    starts = self._ends(one, starts)
                return starts
            case ("(", inner):
                return self._ends(inner, starts)
            case ("[", inner):
                return starts | self._ends(inner, starts)
            case ("{", inner):
                reached, newest = set(starts), starts
                while newest:
                    newest = self._ends(inner, newest) - reached
                    reached |= newest
                return reached
            case ("one", word):
                return set().union(*(self._ends_of(word, start) for start in starts))
        raise AssertionError(node)

    def _ends_of(self, word: str, start: int) -> set[int]:
        if word in self.rules:
            if (word, start) not in self._known:
                self._known[word, start] = self._ends(self.rules[word], {start})
            return self._known[word, start]
        return {start + 1} if self._is(word, self._tokens[start]) else set()

    def _is(self, word: str, token: Token) -> bool:
        if word.startswith('"'):
            return token.kind in (Kind.NAME, Kind.SYMBOL) and token.text == word.strip('"')
        if word == "NAME":
            return token.kind is Kind.NAME and token.text not in RESERVED
        return token.kind is {"STRING": Kind.STRING, "INTEGER": Kind.INTEGER}[word]


def written_items() -> list[str]:
    """Return each item of every valid policy of the manual and the examples once."""
    texts = [s.text for s in SNIPPETS if s.language == "polar" and s.mark != "error"]
    texts += [policy_text(name) for name in NAMES]
    return list(dict.fromkeys(print_items([item]) for text in texts for item in parsed(text)))


def changed(words: list[str], pool: list[str], chance: random.Random) -> list[str]:
    at = chance.randrange(len(words))
    match chance.choice(["delete", "repeat", "replace", "insert", "swap"]):
        case "delete":
            return words[:at] + words[at + 1 :]
        case "repeat":
            return words[: at + 1] + words[at:]
        case "replace":
            return [*words[:at], chance.choice(pool), *words[at + 1 :]]
        case "insert":
            return [*words[:at], chance.choice(pool), *words[at:]]
        case _:
            return [*words[:at], *words[at : at + 2][::-1], *words[at + 2 :]]


def test_the_grammar_accepts_what_the_parser_accepts_and_nothing_else():
    grammar = Grammar(GRAMMAR.text)
    chance = random.Random(1)
    items = written_items()
    tokens = [tokenize(PolicySource("p", item), []) for item in items]
    texts = [[token.span.text for token in one[:-1]] for one in tokens]
    pool = sorted({word for words in texts for word in words} | {"User", "-7", "iff", "global"})
    accepted = 0
    for number in range(2500):
        words = texts[number % len(texts)]
        text = " ".join(changed(words, pool, chance) if number >= len(texts) else words)
        findings: list[Diagnostic] = []
        parser.parse(PolicySource("p", text), findings)
        # Of P013 the grammar knows nothing: which literals a type can hold.
        is_accepted = {finding.code for finding in findings} <= {"P013"}
        accepted += is_accepted
        assert grammar.accepts(tokenize(PolicySource("p", text), [])) == is_accepted, text
    assert 200 < accepted < 2300


def test_the_grammar_has_every_rule_of_the_parsers():
    docstrings = [
        value.__doc__ or ""
        for module in (parser, condition_parser)
        for value in (module, *vars(module).values())
        if value is module or inspect.isfunction(value)
    ]
    named = {
        name.lower().replace(" ", "_")
        for text in docstrings
        for name in re.findall(r"^\s*([A-Za-z][a-z ]*) = ", text, re.MULTILINE)
    }
    assert len(named) > 20
    assert named <= Grammar(GRAMMAR.text).rules.keys()


# Commands


class Terminal:
    """A folder in which commands run as the manual shows them, and the service that they speak to."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._service: subprocess.Popen | None = None
        self._environment = {k: v for k, v in os.environ.items() if not k.startswith("AUTHZ_")}
        path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
        self._environment |= {"PATH": path, "NO_COLOR": "1", "TERM": "dumb"}
        self._seen = 0
        self._code = 0

    def play(self, snippet: Snippet) -> None:
        """Do what `snippet` shows, and compare."""
        if snippet.mark.startswith("file="):
            file = self._folder / snippet.mark.removeprefix("file=")
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(snippet.text)
        elif snippet.language == "diff":
            self._edit(snippet.text)
        elif snippet.language == "text" and self._service:
            self._expect_of_service(snippet.text)
        elif snippet.language in ("console", "shell-session"):
            for command, expected in re.findall(r"\$ (.*)\n((?:[^$].*\n)*)", snippet.text):
                self._run(command, expected)

    def close(self) -> None:
        if self._service:
            self._service.terminate()
            assert self._service.wait(timeout=20) == 0

    def _run(self, command: str, expected: str) -> None:
        if command == "echo $?":
            assert f"{self._code}\n" == expected
        elif command.startswith("authz serve"):
            self._serve(*command.split()[2:])
            self._expect_of_service(expected)
        else:
            if re.match("authz (check|facts|policy publish)", command) and not self._service:
                self._serve()
            authz = f'authz() {{ "{sys.executable}" -m authz_service "$@"; }};'
            result = subprocess.run(
                ["sh", "-c", f"{authz} {command}"],
                capture_output=True,
                text=True,
                timeout=60,
                cwd=self._folder,
                env=self._environment,
            )
            self._code = result.returncode
            assert result.stdout + result.stderr == expected, command

    def _serve(self, *options: str) -> None:
        addresses = ("--listen", "127.0.0.1:0", "--metrics-listen", "127.0.0.1:0")
        command = [sys.executable, "-m", "authz_service", "serve", *options, *addresses]
        log = self._folder / "log"
        with (self._folder / "out").open("w") as out, log.open("w") as err:
            self._service = subprocess.Popen(
                command, stdout=out, stderr=err, cwd=self._folder, env=self._environment
            )
        lines = waited_for(
            lambda: [line for line in log.read_text().splitlines() if '"serving"' in line]
        )
        target = f"127.0.0.1:{json.loads(lines[0])['grpc_port']}"
        self._environment["AUTHZ_TARGET"] = target

    def _expect_of_service(self, expected: str) -> None:
        out = self._folder / "out"
        waited_for(lambda: len(out.read_text()) >= self._seen + len(expected))
        assert out.read_text()[self._seen :] == expected
        self._seen += len(expected)

    def _edit(self, diff: str) -> None:
        old = "".join(f"{line[1:]}\n" for line in diff.splitlines() if line.startswith("-"))
        new = "".join(f"{line[1:]}\n" for line in diff.splitlines() if line.startswith("+"))
        [file] = [f for f in self._folder.rglob("*.polar") if old in f.read_text()]
        file.write_text(file.read_text().replace(old, new))


def waited_for(condition: Callable):
    end = time.monotonic() + 20
    while not (found := condition()) and time.monotonic() < end:
        time.sleep(0.05)
    return found


def play(found: list[Snippet], folder: Path) -> None:
    terminal = Terminal(folder)
    try:
        for snippet in found:
            terminal.play(snippet)
    finally:
        terminal.close()


@pytest.mark.parametrize(
    "section", dict.fromkeys(s.section for s in SNIPPETS if s.language == "console")
)
def test_commands_print_what_is_shown(section, tmp_path):
    play([s for s in SNIPPETS if s.section == section], tmp_path)


def test_the_commands_of_the_readme_for_policies(tmp_path):
    found = [s for s in snippets(README) if s.section == "A policy"]
    [policy] = [s for s in found if s.language == "polar"]
    (tmp_path / "policy.polar").write_text(policy.text)
    assert [s for s in found if s.language == "shell-session"]
    play(found, tmp_path)
