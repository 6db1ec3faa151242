"""What the documents show is what happens: commands, snippets, reasons and settings."""

import contextlib
import io
import re
import shlex
import subprocess
import sys
from pathlib import Path

import grpc
import pytest
from examples import POLICIES, fact_lines, load, permits, policy_text, snapshot

from authz_service.server import status
from authz_service.settings import Settings

ROOT = POLICIES.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")


def blocks(language: str, document: str = README) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", document, flags=re.DOTALL)


def commands(block: str) -> list[tuple[str, str]]:
    """Return the arguments of each `authz`, and what it prints."""
    return re.findall(r"\$ authz (.*)\n((?:[^$].*\n)*)", block)


def run(command: str, target: str) -> str:
    done = subprocess.run(
        [sys.executable, "-m", "authz_service", *shlex.split(command), "--target", target],
        capture_output=True,
        text=True,
        timeout=60,
        cwd=ROOT,
    )
    return done.stdout + done.stderr


@pytest.fixture
def demo(service):
    service.client.publish_policy({"policy.polar": policy_text("security_company")})
    service.client.write_facts(insert=fact_lines("security_company"))
    return service


def test_the_commands_of_the_readme(demo):
    [block] = blocks("console")
    for command, expected in commands(block):
        assert run(command, demo.target) == expected, command


# A consistency token is a time's neighbour in what a watch prints: both are others in every run.
VARYING = re.compile(
    r"\b[\w-]{39}(?![\w-])|\b\d{4}-\d\d-\d\dT[\d:.]+\+00:00(?= [\w-]{39}$)", re.MULTILINE
)


def test_the_commands_of_the_document_about_facts(demo):
    document = (ROOT / "docs" / "facts.md").read_text(encoding="utf-8")
    found: dict[str, str] = {}
    shown = [pair for block in blocks("console", document) for pair in commands(block)]
    for command, expected in shown:
        printed = run(VARYING.sub(lambda token: found[token[0]], command), demo.target)
        assert VARYING.sub("...", printed) == VARYING.sub("...", expected), command
        found.update(zip(VARYING.findall(expected), VARYING.findall(printed), strict=True))
    assert {command.split()[1] for command, _ in shown if command.startswith("facts")} == {
        *("write", "read", "delete-entity", "import", "export", "watch")
    }
    # The pages that follow are read with the same service, and show the facts of the beginning.
    assert set(demo.client.read_facts()) == set(fact_lines("security_company"))


PAGE_TOKEN = re.compile(r"\b[\w-]{100,}")


def test_the_commands_of_the_document_about_lists(demo):
    document = (ROOT / "docs" / "lists.md").read_text(encoding="utf-8")
    found: dict[str, str] = {}
    shown = [pair for block in blocks("console", document) for pair in commands(block)]
    for command, expected in shown:
        printed = run(PAGE_TOKEN.sub(lambda token: found[token[0]], command), demo.target)
        assert PAGE_TOKEN.sub("...", printed) == PAGE_TOKEN.sub("...", expected), command
        found.update(zip(PAGE_TOKEN.findall(expected), PAGE_TOKEN.findall(printed), strict=True))
    assert {command.split()[1] for command, _ in shown} == {"resources", "actors", "actions"}


def test_the_python_of_the_document_about_lists(demo):
    document = (ROOT / "docs" / "lists.md").read_text(encoding="utf-8")
    snippets, expected = blocks("python", document), blocks("text", document)
    for snippet, text in zip(snippets, expected, strict=True):
        printed = io.StringIO()
        with contextlib.redirect_stdout(printed):
            exec(compile(snippet.replace("127.0.0.1:50051", demo.target), "lists.md", "exec"), {})
        assert printed.getvalue() == text


def test_the_commands_of_the_document_about_queries(demo):
    document = (ROOT / "docs" / "queries.md").read_text(encoding="utf-8")
    shown = [pair for block in blocks("console", document) for pair in commands(block)]
    for command, expected in shown:
        assert run(command, demo.target) == expected, command
    [snippet], [expected] = blocks("python", document), blocks("text", document)
    assert printed(snippet, demo.target) == expected


def test_the_document_about_explanations(demo):
    document = (ROOT / "docs" / "explain.md").read_text(encoding="utf-8")
    for block in blocks("console", document):
        for command, expected in commands(block):
            assert run(command, demo.target) == expected, command
    [snippet] = blocks("python", document)
    with contextlib.redirect_stdout(io.StringIO()) as printed:
        exec(compile(snippet, "explain.md", "exec"), {"client": demo.client})
    assert "add has_role(Employee:bob" in printed.getvalue()


def test_the_python_of_the_readme(demo):
    [snippet] = blocks("python")
    [expected] = blocks("text")
    assert printed(snippet, demo.target) == expected


def printed(snippet: str, target: str) -> str:
    """Return what the snippet prints when the service is at `target`."""
    written = io.StringIO()
    with contextlib.redirect_stdout(written):
        exec(compile(snippet.replace("127.0.0.1:50051", target), "snippet", "exec"), {})
    return written.getvalue()


def test_the_policy_of_the_readme():
    [text] = blocks("polar")
    loaded = load(text)
    facts = snapshot(
        'has_relation(Document:d, "folder", Folder:f)',
        'has_role(User:ann, "writer", Folder:f)',
        'has_role(User:bob, "writer", Folder:f)',
        "is_public(Document:p)",
        "is_banned(User:bob)",
    )
    assert permits(loaded, facts, "User:ann write Document:d")
    assert permits(loaded, facts, "User:eve read Document:p")
    assert not permits(loaded, facts, "User:eve read Document:d")
    assert not permits(loaded, facts, "User:bob read Document:d")


def test_make_targets_of_the_readme_exist():
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    for target in re.findall(r"^make (\S+)", "\n".join(blocks("sh")), flags=re.MULTILINE):
        assert re.search(rf"^{target}:", makefile, flags=re.MULTILINE)


def test_every_reason_is_documented_with_its_status():
    documented = dict(
        re.findall(
            r"^\| `([A-Z_]+)` \| ([A-Z_]+) \|",
            (ROOT / "docs" / "errors.md").read_text(),
            re.MULTILINE,
        )
    )
    expected = {cls.reason: code.name for cls, code in status.TABLE.items()}
    assert documented == {**expected, "INTERNAL": grpc.StatusCode.INTERNAL.name}


def test_every_setting_says_what_it_means():
    assert all(field.description for field in Settings.model_fields.values())


def test_links_lead_somewhere():
    for document in [*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md"), *POLICIES.rglob("*.md")]:
        for target in re.findall(
            r"\]\(([^)#]+)(?:#[^)]*)?\)", document.read_text(encoding="utf-8")
        ):
            assert (document.parent / target).exists(), f"{document}: {target}"


def test_every_promise_of_consistency_has_its_test():
    promised = re.findall(r"`(test_\w+)`", (ROOT / "docs" / "consistency.md").read_text())
    sources = [*ROOT.glob("tests/**/test_*.py"), *ROOT.glob("clients/python/tests/test_*.py")]
    tests = set(
        re.findall(r"^def (test_\w+)", "\n".join(map(Path.read_text, sources)), re.MULTILINE)
    )
    assert promised
    assert not set(promised) - tests
