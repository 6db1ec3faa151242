"""`authz facts`, `authz store` and `authz database` against a real `authz serve` process."""

import json
import re
import signal
import subprocess
import sys

import pytest
from authz import InvalidRequest
from test_command_line import run, serve

from authz_service.cli.fact_text import FactLines

__all__ = ["serve"]

POLICY = """actor User {}
resource Doc { roles = ["reader", "writer"]; permissions = ["read"]; "read" if "reader"; "read" if "writer"; }
"""
ANN, BOB = (f'has_role(User:{user}, "reader", Doc:x)' for user in ("ann", "bob"))


@pytest.fixture
def authz(serve, tmp_path):
    """Run a command against a service with a policy; return exit code, output and errors."""
    server = serve()
    (tmp_path / "policy.polar").write_text(POLICY)

    def command(*args, text=None):
        done = run(*args, target=server.target, text=text)
        assert "Traceback" not in done.stderr
        return done.returncode, done.stdout, done.stderr

    assert command("policy", "publish", str(tmp_path / "policy.polar"))[0] == 0
    command.server = server
    return command


def test_writing(authz):
    assert authz("facts", "write", ANN, "--expires", "8h") == (0, "1 fact: 1 created\n", "")
    [shown] = authz("facts", "read", "--json")[1].splitlines()
    assert "expires_at" in json.loads(shown)
    assert authz("facts", "write", ANN)[1] == "1 fact: 1 changed\n"
    condition = ("--if-not-exists", "has_role(_, _, Doc:x)")
    code, out, err = authz("facts", "write", BOB, *condition)
    assert (code, out) == (2, "")
    assert "precondition 0 does not hold: a fact matches that must not exist" in err
    assert err.endswith("(PRECONDITION_FAILED)\n")
    assert authz("facts", "write", BOB, "--if-exists", "has_role")[0] == 0
    replaced = authz("facts", "write", BOB, "--replace", "has_role(_, _, Doc:x)")
    assert replaced == (0, "1 fact: 1 deleted\n", "")
    assert authz("facts", "write", "--delete-matching", "has_role")[1] == "0 facts: 1 deleted\n"
    for _ in range(2):
        assert authz("facts", "write", ANN, "--key", "k1")[1] == "1 fact: 1 created\n"
    code, _, err = authz("facts", "write", BOB, "--key", "k1")
    assert (code, "IDEMPOTENCY_KEY_REUSED" in err) == (2, True)
    assert authz("facts", "delete-entity", "User:ann") == (0, "1 fact deleted\n", "")
    for wrong in (("--expires", "8"), ("--expires", "2030-01-01"), ("--delete", "--replace", "f")):
        assert authz("facts", "write", ANN, *wrong)[:2] == (2, "")


def test_export_and_import(authz, tmp_path):
    authz("facts", "write", ANN)
    at = authz("facts", "write", BOB, "--expires", "8h", "--json")[1]
    code, exported, said = authz("facts", "export", "--json")
    token = json.loads(at)["consistency_token"]
    assert (code, said) == (0, f"2 facts at {token}\n")
    code, _, err = authz("facts", "write", "--delete-matching", "_")
    assert (code, "name a predicate" in err) == (2, True)
    authz("facts", "write", "--delete-matching", "has_role")
    assert authz("facts", "export")[1] == ""
    assert authz("facts", "export", "--json", "--at", token)[1] == exported
    assert authz("facts", "import", "-", text=exported)[1] == "2 facts: 2 created\n"
    assert authz("facts", "export", "--json")[1] == exported
    _, text, said = authz("facts", "export", "has_role(User:bob, _, _)")
    assert re.fullmatch(re.escape(BOB) + r" until \S+\n", text)
    assert said.startswith("1 fact at ")
    assert authz("facts", "read", "has_role(User:bob, _, _)")[1] == text
    file = tmp_path / "facts"
    file.write_text(f"# all\n\n{ANN}  # of ann\n{text}")
    assert authz("facts", "import", str(file))[1] == "2 facts: 2 existed\n"
    assert authz("facts", "write", "--file", str(file))[1] == "2 facts: 2 existed\n"
    assert authz("facts", "write", "--file", str(file), "--expires", "8h")[0] == 2
    assert authz("facts", "export", "--json")[1] == exported
    for line, problem in (
        (b"f(", "line 2: column 3"),
        (b"{}", "line 2: no fact as JSON"),
        (b"f(\xff)", "line 2: byte 3 is not UTF-8"),
    ):
        file.write_bytes(b"%s\n%s\n" % (ANN.encode(), line))
        code, out, err = authz("facts", "import", str(file))
        assert (code, out) == (2, "")
        assert problem in err
        assert "; nothing is stored (MALFORMED_TEXT)" in err
        assert problem in authz("facts", "write", "--file", str(file))[2]
    file.write_text("\n".join([ANN] * 2100 + ["f("]))
    assert "line 2101: column 3: " in (err := authz("facts", "import", str(file))[2])
    assert "; at most the first 2000 facts are stored" in err
    # As some editors write it, and spreadsheets.
    file.write_bytes(b"\xef\xbb\xbf%s\r\n" % ANN.encode())
    assert authz("facts", "import", str(file))[1] == "1 fact: 1 existed\n"
    for command in ("import", "write --file"):
        assert authz("facts", *command.split(), "/nonexistent") == (
            *(2, ""),
            "error: cannot read /nonexistent: No such file or directory\n",
        )


def test_what_is_exported_is_what_is_imported(authz):
    """As text and as JSON, whatever the ids look like, and whatever the terminal can show."""
    ids = [
        "日本",
        "a b",
        'quo"te',
        " until 2030-01-01T00:00:00Z",
        "# no comment",
        "\\ud83d",
        "é",
        "{",
        "_",
    ]
    facts = [
        f'has_role(User:{json.dumps(one, ensure_ascii=False)}, "reader", Doc:x)' for one in ids
    ]
    assert authz("facts", "write", *facts[::2], "--expires", "8h")[0] == 0
    assert authz("facts", "write", *facts[1::2])[0] == 0
    target = authz.server.target
    for options in ((), ("--json",)):
        exported = run(
            "facts", "export", *options, target=target, PYTHONIOENCODING="ascii:backslashreplace"
        ).stdout
        assert len(exported.splitlines()) == len(ids)
        assert authz("facts", "write", "--delete-matching", "has_role")[0] == 0
        assert (
            authz("facts", "import", "-", text=exported)[1]
            == f"{len(ids)} facts: {len(ids)} created\n"
        )
        assert authz("facts", "export", *options)[1] == exported


@pytest.mark.parametrize(
    "line",
    [
        "f(1) until tomorrow",
        "f(1) until 2030-01-31T12:00:00",
        "f(1) until",
        "until 2030-01-31T12:00:00Z",
        "f(1) f(2) until 2030-01-31T12:00:00Z",
        '{"predicate": "f", "args": [1], "expires": "2030-01-31T12:00:00Z"}',
        '{"predicate": "f", "args": [1], "expires_at": "2030-01-31T12:00:00"}',
        '{"predicate": "f", "args": [{"type": "User", "id": "a", "until": 1}]}',
        '{"predicate": "f", "args": [1.0]}',
        "[" * 100,
        "{" * 10_000,
    ],
)
def test_no_line_is_a_fact_without_its_expiry(line):
    with pytest.raises(InvalidRequest, match=r"facts\.txt, line 3: "):
        list(FactLines([b"# comment", b"", line.encode()], "facts.txt"))


def test_an_import_that_breaks_off_says_where_and_what_is_stored(authz, tmp_path):
    file = tmp_path / "facts"
    lines = [f'has_role(User:u{number}, "reader", Doc:x)' for number in range(1500)]
    for at, said in ((1200, "the first 1000 facts are stored"), (7, "nothing is stored")):
        for wrong in (ANN.replace("reader", "boss"), f"{ANN} until 2020-01-31T12:00:00Z"):
            file.write_text("\n".join(["# head", "", *lines[:at], wrong, *lines[at:]]))
            code, out, err = authz("facts", "import", str(file))
            assert (code, out) == (2, "")
            assert f"error: {file}, line {at + 3}: " in err
            assert said in err
    assert len(authz("facts", "export")[1].splitlines()) == 1000


def test_commands_that_are_stopped_say_nothing_more(authz):
    """Ctrl-C ends a watch, and a pipe that is closed an export; neither looks like an answer."""
    # More than a pipe holds, so that the export cannot be done before the pipe is closed.
    many = (f'has_role(User:{"u" * 200}{number}, "reader", Doc:x)' for number in range(900))
    authz("facts", "write", *many)
    command = [sys.executable, "-m", "authz_service", "facts"]
    target = ("--target", authz.server.target)
    watch = subprocess.Popen(
        [*command, "watch", "--json", *target], stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    assert b"consistency_token" in watch.stdout.readline()
    watch.send_signal(signal.SIGINT)
    _, err = watch.communicate(timeout=20)
    assert (watch.returncode, b"Traceback" in err) == (130, False)
    export = subprocess.Popen(
        [*command, "export", *target], stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    export.stdout.readline()
    export.stdout.close()
    err = export.stderr.read()
    export.stderr.close()
    assert export.wait(timeout=20) == 4
    assert b"Traceback" not in err


def test_watch(authz):
    told = authz("facts", "write", ANN, "--json")[1]
    start = json.loads(told)["consistency_token"]
    authz("facts", "write", BOB, "--delete-matching", "has_role(User:ann, _, _)")
    code, out, err = authz("facts", "watch", "--from", start, "--limit", "1")
    assert (code, err) == (0, "")
    head, *lines = out.splitlines()
    assert lines == [f"+ {BOB}", f"- {ANN}"]
    token = head.split()[-1]
    authz("facts", "write", ANN)
    code, out, err = authz("facts", "watch", "--from", token, "--limit", "1", "--json")
    assert (code, err) == (0, "")
    *checkpoints, change = map(json.loads, out.splitlines())
    assert all(list(one) == ["consistency_token"] for one in checkpoints)
    assert change["inserted"][0]["args"][0] == {"type": "User", "id": "ann"}
    assert authz("facts", "watch", "--from", "nonsense")[0] == 2
    # An empty variable of a script would silently watch from now on, and write without the key.
    assert authz("facts", "watch", "--from", "") == (
        *(2, ""),
        "error: --from is empty; leave it out to begin now\n",
    )
    assert authz("facts", "write", ANN, "--key", "") == (
        *(2, ""),
        "error: --key is empty; leave it out to write without a key\n",
    )


def test_stores(authz):
    assert authz("store", "create", "acme") == (0, "store acme created\n", "")
    code, _, err = authz("store", "create", "acme")
    assert (code, "STORE_EXISTS" in err) == (2, True)
    assert authz("store", "list") == (0, "acme\ndefault\n", "")
    _, _, err = authz("check", "User:ann", "read", "Doc:x", "--store", "acme")
    assert "publish one with `authz policy publish --store acme`" in err
    code, _, err = authz("store", "delete", "acme", text="")
    assert (code, "--yes" in err) == (2, True)
    assert authz("store", "delete", "acme", "--yes") == (0, "store acme deleted\n", "")
    assert json.loads(authz("store", "list", "--json")[1]) == {"stores": ["default"]}
    code, _, err = authz("store", "delete", "default", "--yes")
    assert (code, "STORE_PROTECTED" in err) == (2, True)


def test_a_new_life_after_a_restore(authz, serve, tmp_path):
    token = json.loads(authz("facts", "write", ANN, "--json")[1])["consistency_token"]
    authz.server.end(signal.SIGTERM)
    url = f"sqlite:///{tmp_path / 'authz.db'}"
    begun = run("database", "begin-life", "--database-url", url)
    assert begun.stdout == "a new life begins after revision 2; tokens of before are refused\n"
    refused = run("facts", "read", "--at", token, target=serve().target)
    assert refused.returncode == 2
    assert "REVISION_UNKNOWN" in refused.stderr
    empty = run("database", "begin-life", "--database-url", f"sqlite:///{tmp_path / 'other.db'}")
    assert (empty.returncode, empty.stdout) == (2, "")
    assert empty.stderr == f"error: there is no database {tmp_path / 'other.db'}\n"
    assert not (tmp_path / "other.db").exists()
