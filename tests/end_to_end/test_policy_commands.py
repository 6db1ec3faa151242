"""`authz policy validate` and `test`, tests at publication, and a policy that is watched."""

import json
import subprocess
import sys
import threading
import time
from datetime import UTC, datetime
from pathlib import Path
from queue import Empty, Queue

import authz
import pytest
from test_command_line import Serve, run

from authz_service.facts.policy_text import PolicyFile
from authz_service.store.fact_store import FactStore

POLICY = """actor User {}
resource Doc {
  roles = ["viewer"];
  permissions = ["read"];
  "read" if "viewer";
}
"""
TESTS = """test "viewers read" {
  setup { has_role(User{"ann"}, "viewer", Doc{"d"}); }
  assert allow(User{"ann"}, "read", Doc{"d"});
  assert_not allow(User{"bob"}, "read", Doc{"d"});
}
test "actions" {
  setup { has_role(User{"ann"}, "viewer", Doc{"d"}); }
  assert allow(User{"ann"}, action: String, Doc{"d"}) iff action in ["read"];
}
"""


@pytest.fixture
def folder(tmp_path):
    folder = tmp_path / "policy"
    folder.mkdir()
    (folder / "policy.polar").write_text(POLICY)
    (folder / "tests.polar").write_text(TESTS)
    return folder


def test_a_good_policy(folder):
    valid = run("policy", "validate", str(folder))
    assert (valid.returncode, valid.stdout) == (0, "2 files, 2 types, 1 rule, 2 tests: ok\n")
    assert json.loads(run("policy", "validate", str(folder), "--json").stdout) == {
        "errors": [],
        "warnings": [],
    }
    tested = run("policy", "test", str(folder))
    assert tested.returncode == 0
    assert f"  ok   {folder}/tests.polar:4:3  assert_not allow(User" in tested.stdout
    assert tested.stdout.endswith("2 tests, 3 assertions: all passed\n")


def test_only_the_named_tests_run(folder):
    tested = run("policy", "test", str(folder), "--run", "^act", "--json")
    assert [test["name"] for test in json.loads(tested.stdout)["tests"]] == ["actions"]
    none = run("policy", "test", str(folder), "--run", "nothing")
    assert (none.returncode, none.stderr) == (1, "error: no test matches `nothing`\n")
    wrong = run("policy", "test", str(folder), "--run", "(")
    assert wrong.returncode == 2
    assert "is not a regular expression" in wrong.stderr


def test_warnings_are_findings(folder):
    (folder / "more.polar").write_text('has_role(u: User, "viewer", doc: Doc) if g(doc);\n')
    valid = run("policy", "validate", str(folder))
    assert valid.returncode == 1
    assert valid.stdout == (
        f"{folder}/more.polar:1:10: P601 `u` is used only here; write `_u` or `_` if that is meant\n"
        '    has_role(u: User, "viewer", doc: Doc) if g(doc);\n             ^\n1 warning\n'
    )
    [warning] = json.loads(run("policy", "validate", str(folder), "--json").stdout)["warnings"]
    assert (warning["code"], warning["severity"], warning["line"]) == ("P601", "warning", 1)


def test_errors(folder):
    (folder / "more.polar").write_text("f(x) if ;\ng(1.5);\n")
    for command in ("validate", "test"):
        found = run("policy", command, str(folder))
        assert (found.returncode, found.stderr) == (3, "error: the policy has 2 errors\n")
        assert found.stdout.startswith(f"{folder}/more.polar:1:9: P010 expected a variable")
        errors = json.loads(run("policy", command, str(folder), "--json").stdout)["errors"]
        assert [error["code"] for error in errors] == ["P010", "P003"]


def test_failed_assertions(folder):
    text = TESTS.replace('["read"]', '["write"]').replace("assert_not", "assert")
    (folder / "tests.polar").write_text(text)
    tested = run("policy", "test", str(folder))
    assert tested.returncode == 1
    assert "       does not hold\n" in tested.stdout
    assert '       does not hold for action = "write"; holds for action = "read"\n' in tested.stdout
    assert tested.stdout.endswith("2 tests, 3 assertions: 2 failed\n")
    answer = json.loads(run("policy", "test", str(folder), "--json").stdout)
    assert (answer["success"], answer["failed"]) == (False, 2)
    failed = answer["tests"][1]["assertions"][0]
    assert (failed["line"], failed["column"], failed["passed"]) == (8, 3, False)


@pytest.mark.parametrize(
    ("path", "why"),
    [
        ("nowhere.polar", "No such file or directory"),
        ("empty", "there is no .polar file in"),
        ("latin.polar", "byte 4 is not UTF-8"),
    ],
)
def test_files_that_cannot_be_read(tmp_path, path, why):
    (tmp_path / "empty").mkdir()
    (tmp_path / "latin.polar").write_bytes(b"# \xc3\x28")
    (tmp_path / "latin.polar").write_bytes(b"# t\xe9st")
    found = run("policy", "validate", str(tmp_path / path))
    assert (found.returncode, found.stdout) == (2, "")
    assert why in found.stderr


def test_standard_input():
    assert run("policy", "validate", "-", text=POLICY).returncode == 0
    tested = run("policy", "test", "-", "--json", text=POLICY)
    assert (tested.returncode, tested.stderr) == (1, "error: the policy has no tests\n")
    assert json.loads(tested.stdout) == {"success": False, "passed": 0, "failed": 0, "tests": []}
    refused = run("serve", "--policy", "-", "--watch")
    assert (refused.returncode, refused.stdout) == (2, "")
    assert "standard input cannot be watched" in refused.stderr


def test_a_terminal_that_cannot_show_a_character(folder):
    (folder / "more.polar").write_text('f(x: String) if x = "日本" and y;\n')
    found = run("policy", "validate", str(folder), PYTHONIOENCODING="latin-1")
    assert (found.returncode, "\\u65e5\\u672c" in found.stdout) == (3, True)
    found = run("policy", "validate", str(folder), "--json", PYTHONIOENCODING="latin-1")
    assert "日本" in json.loads(found.stdout)["errors"][0]["excerpt"]


def test_errors_in_tests_come_with_the_warnings_that_may_be_their_cause(folder):
    (folder / "more.polar").write_text("f(user: User, doc: Doc) if g(doc);\n")
    (folder / "tests.polar").write_text(
        'test "t" { setup { gg(Doc{"d"}); } assert f(_: User, _: Doc); }'
    )
    found = run("policy", "test", str(folder))
    assert found.returncode == 3
    assert [line.split()[1] for line in found.stdout.splitlines() if ".polar:" in line] == [
        "P504",
        "P601",
    ]
    answer = json.loads(run("policy", "validate", str(folder), "--json").stdout)
    assert [f["code"] for f in (*answer["errors"], *answer["warnings"])] == ["P504", "P601"]


def test_a_policy_whose_tests_fail_is_not_published(tmp_path, folder):
    server = Serve(tmp_path)
    try:
        assert run("policy", "publish", str(folder), target=server.target).returncode == 0
        (folder / "tests.polar").write_text(TESTS.replace("assert_not", "assert"))
        refused = run("policy", "publish", str(folder), target=server.target)
        assert (refused.returncode, refused.stdout) == (1, "")
        assert refused.stderr.startswith(
            f'{folder}/tests.polar:4:3: P510 in test "viewers read": does not hold\n'
        )
        assert refused.stderr.endswith(
            "error: a test fails; --skip-tests publishes it all the same\n"
        )
        with authz.Client(server.target) as client:
            assert client.get_policy().version == 1
            files = {file.name: file.read_text() for file in folder.glob("*.polar")}
            with pytest.raises(authz.PolicyRejected) as caught:
                client.publish_policy(files)
            assert caught.value.reason == "POLICY_TESTS_FAILED"
            assert [finding.code for finding in caught.value.diagnostics] == ["P510"]
        forced = run("policy", "publish", str(folder), "--skip-tests", target=server.target)
        assert (forced.returncode, forced.stdout) == (0, "policy version 2 is active\n")
    finally:
        server.end(15)


class Watched:
    """`authz serve --policy ... --watch`, and what it says about the policy."""

    def __init__(self, folder: Path, *options: str) -> None:
        database = f"sqlite:///{folder.parent / 'authz.db'}"
        addresses = ("--listen", "127.0.0.1:0", "--metrics-listen", "127.0.0.1:0")
        command = [sys.executable, "-m", "authz_service", "serve", "--policy", str(folder)]
        self.process = subprocess.Popen(
            [*command, *options, "--database-url", database, *addresses],
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )
        self._lines: Queue[str] = Queue()
        self._reader = threading.Thread(target=self._read)
        self._reader.start()

    def _read(self) -> None:
        for line in self.process.stdout:
            self._lines.put(line)

    def wait_for(self, words: str) -> None:
        end = time.monotonic() + 20
        heard = ""
        while time.monotonic() < end:
            try:
                heard += self._lines.get(timeout=1)
            except Empty:
                continue
            if words in heard:
                return
        pytest.fail(f"expected {words!r}, heard {heard!r}")

    def end(self) -> int:
        self.process.terminate()
        code = self.process.wait(timeout=20)
        self._reader.join()
        self.process.stdout.close()
        return code


def test_a_watched_policy(folder):
    watched = Watched(folder, "--watch")
    try:
        watched.wait_for("policy version 1 is active, 2 tests passed")
        (folder / "policy.polar").write_text(POLICY.replace('"viewer";', '"viewr";'))
        watched.wait_for("not published: the policy has an error; the policy before")
        (folder / "policy.polar").write_text(POLICY)
        watched.wait_for("policy version 1 is active, 2 tests passed")
        (folder / "tests.polar").write_text(TESTS.replace("assert_not", "assert"))
        watched.wait_for("not published: an assertion fails; the policy before")
        (folder / "tests.polar").unlink()
        watched.wait_for("policy version 2 is active, it has no tests")
        (folder / "policy.polar").unlink()
        watched.wait_for("not published: there is no .polar file in")
        (folder / "policy.polar").write_text(POLICY.replace("Doc", "Document"))
        watched.wait_for("policy version 3 is active")
    finally:
        assert watched.end() == 0


def test_a_watched_policy_may_start_broken(folder):
    (folder / "tests.polar").write_text("test")
    watched = Watched(folder, "--watch")
    try:
        watched.wait_for("not published: the policy has an error")
        (folder / "tests.polar").write_text(TESTS)
        watched.wait_for("policy version 1 is active, 2 tests passed")
    finally:
        assert watched.end() == 0


@pytest.mark.parametrize(
    ("text", "code"), [("test", 3), (TESTS.replace("assert_not", "assert"), 1)]
)
def test_without_watching_a_broken_policy_ends_the_server(tmp_path, folder, text, code):
    (folder / "tests.polar").write_text(text)
    database = f"sqlite:///{tmp_path / 'authz.db'}"
    ended = run("serve", "--policy", str(folder), "--database-url", database)
    assert ended.returncode == code
    assert f"{folder}/tests.polar:" in ended.stdout
    assert (
        run("serve", "--policy", str(tmp_path / "no"), "--database-url", database).returncode == 2
    )
    assert run("serve", "--watch", "--database-url", database).returncode == 2


def test_the_policy_to_follow_can_stand_in_the_environment():
    shown = json.loads(run("config", "--json", AUTHZ_POLICY="a/b:c", AUTHZ_WATCH="true").stdout)
    assert (shown["policy"], shown["watch"]) == (["a/b", "c"], True)


def test_a_stored_policy_that_does_not_compile_ends_the_server(tmp_path):
    """It may have compiled for an older version; deciding by half of it is no choice."""
    database = f"sqlite:///{tmp_path / 'authz.db'}"
    store = FactStore.open(database)
    store.publish("default", (PolicyFile("old.polar", "f(x) if ;"),), datetime.now(UTC))
    store.close()
    ended = run("serve", "--database-url", database)
    assert (ended.returncode, ended.stderr.splitlines()[-1]) == (
        3,
        "error: the stored policy does not compile: the policy has an error",
    )
    assert ended.stdout.startswith("old.polar:1:9: P010 expected a variable")
