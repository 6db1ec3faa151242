"""The command line against a real `authz serve` process: outputs, exit codes, signals, kills."""

import json
import os
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import authz
import pytest
import typer
from examples import POLICIES, fact_lines
from typer.testing import CliRunner

from authz_service.cli import main
from authz_service.cli.serve import settings
from authz_service.settings import Settings

ROOT = POLICIES.parent


class Serve:
    """`authz serve` as a process on free ports."""

    def __init__(self, folder: Path, *options: str) -> None:
        self.log = (folder / "log").open("ab")
        database = f"sqlite:///{folder / 'authz.db'}"
        addresses = ("--listen", "127.0.0.1:0", "--metrics-listen", "127.0.0.1:0")
        self.process = subprocess.Popen(
            [
                sys.executable,
                "-m",
                "authz_service",
                "serve",
                "--database-url",
                database,
                *addresses,
                *options,
            ],
            stderr=subprocess.PIPE,
        )
        line = b""
        for line in self.process.stderr:
            if b'"serving"' in line:
                break
        else:
            pytest.fail(f"the service did not start: {line!r}")
        self.started = json.loads(line)
        self.target = f"127.0.0.1:{self.started['grpc_port']}"
        self._drain = threading.Thread(target=self._copy)
        self._drain.start()

    def _copy(self) -> None:
        for line in self.process.stderr:
            self.log.write(line)

    def end(self, number: int) -> int:
        self.process.send_signal(number)
        code = self.process.wait(timeout=20)
        self._drain.join()
        self.process.stderr.close()
        self.log.close()
        return code


@pytest.fixture
def serve(tmp_path):
    running: list[Serve] = []

    def start(*options: str) -> Serve:
        running.append(Serve(tmp_path, *options))
        return running[-1]

    yield start
    for server in running:
        if server.process.poll() is None:
            server.end(signal.SIGTERM)


def run(*args: str, target: str = "", text: str | None = None, **environment: str):
    extra = {"AUTHZ_TARGET": target} if target else {}
    return subprocess.run(
        [sys.executable, "-m", "authz_service", *args],
        capture_output=True,
        text=True,
        input=text,
        timeout=60,
        cwd=ROOT,
        env={**os.environ, "COLUMNS": "200", "NO_COLOR": "1", **extra, **environment},
    )


def test_from_nothing_to_a_decision(serve):
    target = serve().target
    answer = run("check", "Employee:alice", "arm", "SecuritySystem:s1", target=target)
    assert (answer.returncode, answer.stdout) == (4, "")
    assert "has no policy yet; publish one with `authz policy publish` (NO_POLICY)" in answer.stderr

    published = run("policy", "publish", "policies/security_company", target=target)
    assert published.returncode == 0
    assert re.fullmatch(r"policy version 1 is active, \d+ tests passed\n", published.stdout)
    file = "policies/security_company/facts.txt"
    written = run("facts", "write", "--file", file, target=target)
    assert (written.returncode, written.stdout) == (0, "14 facts: 14 created\n")

    permit = run("check", "Employee:alice", "arm", "SecuritySystem:s1", target=target)
    assert (permit.returncode, permit.stdout) == (0, "PERMIT\n")
    deny = run("check", "Employee:bob", "disarm", "SecuritySystem:s1", target=target)
    assert (deny.returncode, deny.stdout) == (1, "DENY\n")
    context = 'has_role(Employee:bob, "manager", Location:acme-hq)'
    asked = ("check", "Employee:bob", "disarm", "SecuritySystem:s1", "-c", context, "--json")
    permit = run(*asked, target=target)
    assert permit.returncode == 0
    assert json.loads(permit.stdout)["decision"] == "PERMIT"
    wrong = run("check", "Employee:bob", "disram", "SecuritySystem:s1", target=target)
    assert (wrong.returncode, wrong.stdout) == (2, "")
    assert "did you mean `disarm`?" in wrong.stderr

    read = run("facts", "read", "is_suspended", target=target)
    assert (read.returncode, read.stdout) == (0, "is_suspended(Employee:sam)\n")
    assert (
        run("facts", "write", "is_suspended(Employee:sam)", "--delete", target=target).returncode
        == 0
    )
    assert run("check", "Employee:sam", "view", "SecuritySystem:s1", target=target).returncode == 0

    everything = run("facts", "read", target=target)
    again = run("facts", "write", "--file", "-", "--json", target=target, text=everything.stdout)
    assert json.loads(again.stdout)["existed"] == 13

    shown = run("policy", "show", "--json", target=target)
    text = json.loads(shown.stdout)["files"]["policies/security_company/policy.polar"]
    assert text == (POLICIES / "security_company" / "policy.polar").read_text()


def test_a_wrong_policy_exits_with_3_and_the_old_one_stays(serve, tmp_path):
    target = serve().target
    assert run("policy", "publish", "policies/github", target=target).returncode == 0
    bad = tmp_path / "bad.polar"
    bad.write_text("actor User {\n  roles = [1];\n}\nf(x) if ;\n")
    refused = run("policy", "publish", str(bad), target=target)
    assert (refused.returncode, refused.stdout) == (3, "")
    assert refused.stderr == (
        f"{bad}:2:12: P010 expected a quoted name, found `1`\n"
        "      roles = [1];\n               ^\n"
        f"{bad}:4:9: P010 expected a variable or a literal, found `;`\n"
        "    f(x) if ;\n            ^\n"
        "error: the policy has 2 errors\n"
    )
    assert "policy version 1" not in refused.stdout
    assert '"policy_version": 1' in run("policy", "show", "--json", target=target).stdout


@pytest.mark.parametrize(
    ("args", "code", "message"),
    [
        (("check", "Employee:alice", "arm"), 2, "Missing argument"),
        (("check", "ns::Employee:alice", "arm", "SecuritySystem:s1"), 2, "::"),
        (("check", "alice", "arm", "SecuritySystem:s1"), 2, "alice"),
        (("facts", "write", "has_role(User:a"), 2, "column"),
        (("facts", "write"), 2, "there are no facts"),
        (("facts", "write", "--file", "/nonexistent"), 2, "cannot read"),
        (("policy", "publish", "/nonexistent"), 2, "cannot read"),
        (("policy", "publish", "docs"), 2, "no .polar file"),
        (("check", "A:a", "b", "C:c", "--timeout", "0.3"), 4, "127.0.0.1:1 "),
        (("store", "list", "--timeout", "0.3"), 4, "`authz serve` starts one, --target or AUTHZ_"),
        (("store", "list", "--target", "127.0.0.1"), 2, "`127.0.0.1` is no address of a service"),
        (("store", "list", "--target", "http://a:1"), 2, "`http://a:1` is no address of a"),
    ],
    ids=range(12),
)
def test_wrong_usage_and_no_service(args, code, message):
    result = run(*args, target="127.0.0.1:1")
    assert (result.returncode, result.stdout) == (code, "")
    assert message in result.stderr
    assert "Traceback" not in result.stderr


def test_sigterm_is_graceful(serve):
    server = serve()
    run("policy", "publish", "policies/security_company", target=server.target)
    assert server.end(signal.SIGTERM) == 0


@pytest.mark.parametrize(("level", "reads_told"), [("info", 0), ("debug", 2)])
def test_answered_reads_are_logged_for_debugging_only(
    serve, tmp_path, monkeypatch, level, reads_told
):
    """Refused ones are logged always, and what changes anything."""
    monkeypatch.setenv("AUTHZ_LOG_LEVEL", level)
    server = serve()
    with authz.Client(server.target, timeout=10) as client:
        client.publish_policy({"p": (POLICIES / "github" / "policy.polar").read_text()})
        for _ in range(2):
            assert not client.authorize("User:ann", "write", "Repository:x").permitted
        with pytest.raises(authz.InvalidRequest):
            client.authorize("User:ann", "write", "Repo:x")
    server.end(signal.SIGTERM)
    lines = map(json.loads, (tmp_path / "log").read_text(encoding="utf-8").splitlines())
    rpcs = [
        (line["level"], line["method"].rpartition("/")[2], line["code"])
        for line in lines
        if line["event"] == "rpc"
    ]
    assert rpcs == [
        ("info", "PublishPolicy", "OK"),
        *[("debug", "Authorize", "OK")] * reads_told,
        ("info", "Authorize", "INVALID_ARGUMENT"),
    ]


def test_two_services_share_a_database(serve):
    """What one writes, the other answers by, soon after."""
    first, second = serve(), serve()
    text = (POLICIES / "security_company" / "policy.polar").read_text()
    question = ("Employee:dave", "disarm", "SecuritySystem:hq-east")
    with (
        authz.Client(first.target, timeout=10) as one,
        authz.Client(second.target, timeout=10) as other,
    ):
        one.publish_policy({"policy.polar": text})
        other.write_facts(insert=fact_lines("security_company"))
        expected = other.authorize(*question)
        give_up = time.monotonic() + 10
        while one.authorize(*question).consistency_token != expected.consistency_token:
            assert time.monotonic() < give_up
        assert one.authorize(*question).permitted == expected.permitted


def test_acknowledged_writes_survive_sigkill(serve):
    """Kill in the middle of writes, ten times: every acknowledged fact and the policy are there."""
    acknowledged: set[str] = set()
    facts = fact_lines("security_company")
    server = serve()
    with authz.Client(server.target, timeout=10) as client:
        text = (POLICIES / "security_company" / "policy.polar").read_text()
        client.publish_policy({"policy.polar": text})
        client.write_facts(insert=facts)
    acknowledged.update(map(str, facts))
    for round_ in range(10):
        client = authz.Client(server.target, timeout=5)
        writing = threading.Event()

        def write(client=client, round_=round_, writing=writing):
            for number in range(100_000):
                pair = [f"is_suspended(Employee:r{round_}-{number}-{half})" for half in "ab"]
                try:
                    # The client tries again, in vain, until the time is over.
                    client.write_facts(insert=pair, timeout=2)
                except authz.AuthzError:
                    return
                acknowledged.update(pair)
                if number == 3:
                    writing.set()

        writer = threading.Thread(target=write)
        writer.start()
        assert writing.wait(20)
        time.sleep(0.003 * round_)  # at another moment of a write each time
        server.end(signal.SIGKILL)
        writer.join()
        client.close()
        server = serve()
        with authz.Client(server.target, timeout=10) as client:
            stored = {str(fact) for fact in client.read_facts()}
            assert acknowledged <= stored
            halves = [re.sub(r"-[ab]\)$", "", fact) for fact in stored if "Employee:r" in fact]
            assert all(halves.count(pair) == 2 for pair in set(halves)), "half of a write is stored"
            assert client.get_policy().version == 1
            assert client.authorize("Employee:alice", "disarm", "SecuritySystem:s1")
            assert not client.authorize(f"Employee:r{round_}-0-a", "view", "SecuritySystem:s1")


def test_config_is_redacted():
    shown = run("config", AUTHZ_DATABASE_URL="postgresql://app:hunter2@db/authz")
    assert shown.returncode == 0
    assert "hunter2" not in shown.stdout + shown.stderr
    assert "app:***@db" in shown.stdout
    urls = "postgresql://app:hunter2@one/authz postgresql://app:hunter2@two/authz"
    shown = run("config", "--json", AUTHZ_READ_DATABASE_URLS=urls)
    assert "hunter2" not in shown.stdout + shown.stderr
    assert json.loads(shown.stdout)["read_database_urls"] == [
        "postgresql://app:***@one/authz",
        "postgresql://app:***@two/authz",
    ]
    shown = run("config", AUTHZ_DATABASE_URL="postgresql://db/authz?user=app&password=hunter2&x=y")
    assert "postgresql://db/authz?user=app&password=***&x=y" in shown.stdout
    for url in (
        "postgresql://app:x@hunter2@db/authz",
        "postgresql://app:x/@hunter2@db/authz",
        "postgresql://app@db/authz?password=hunter2",
        "postgresql://db/authz?user=app&PASSWORD=hunter2&sslpassword=hunter2",
    ):
        shown = run("config", AUTHZ_DATABASE_URL=url)
        assert "***" in shown.stdout
        assert "hunter2" not in shown.stdout + shown.stderr
    shown = run("config", AUTHZ_DATABASE_URL="postgresql://app:hunter2@db/authz")
    for setting in ("AUTHZ_LISTEN", "AUTHZ_DATABASE_URL", "AUTHZ_ENGINE"):
        assert setting in shown.stdout
    meaning = Settings.model_fields["max_staleness_seconds"].description
    narrow = run("config", COLUMNS="80").stdout
    assert f"max_staleness_seconds = 300.0\n    AUTHZ_MAX_STALENESS_SECONDS: {meaning}\n" in narrow
    refused = run("serve", AUTHZ_DATABASE_URL="postgresql://app:hunter2@db/authz")
    assert refused.returncode == 4
    assert "hunter2" not in refused.stdout + refused.stderr
    wrong = run("config", AUTHZ_MAX_BATCH_QUESTIONS="hunter2")
    assert wrong.returncode == 2
    assert "max_batch_questions" in wrong.stderr
    assert "hunter2" not in wrong.stderr


def test_an_address_that_is_taken(serve):
    server = serve()
    for option in ("--listen", "--metrics-listen"):
        taken = run("serve", "--database-url", "sqlite://", option, server.target)
        assert (taken.returncode, taken.stdout) == (4, "")
        assert f"cannot listen on {server.target}" in taken.stderr
        assert "Traceback" not in taken.stderr
    for nonsense in ("nonsense", "127.0.0.1:99999", "127.0.0.1:"):
        refused = run("serve", "--listen", nonsense)
        assert refused.returncode == 2
        assert "(AUTHZ_LISTEN) is wrong: write HOST:PORT, as in 127.0.0.1:50051" in refused.stderr


def test_a_setting_that_is_misspelled(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "authz.toml").write_text('listn = "127.0.0.1:1"\nworkers = "two"\n')
    with pytest.raises(typer.Exit) as refused:
        settings()
    assert refused.value.exit_code == 2
    assert capsys.readouterr().err == (
        "error: the setting `workers` (AUTHZ_WORKERS) is wrong: it should be a valid integer, unable to parse "
        "string as an integer; authz.toml: there is no setting `listn`; did you mean `listen`?\n"
    )


@pytest.mark.parametrize(
    ("variable", "meant"),
    [
        ("AUTHZ_DATABSE_URL", "AUTHZ_DATABASE_URL"),
        ("AUTHZ_DATABASE", "AUTHZ_DATABASE_URL"),
        ("AUTHZ_DB_URL", "AUTHZ_DATABASE_URL"),
        ("authz_databaseurl", "AUTHZ_DATABASE_URL"),
        ("AUTHZ_POLICIES", "AUTHZ_POLICY"),
        ("AUTHZ_MAX_STALENESS", "AUTHZ_MAX_STALENESS_SECONDS"),
    ],
)
def test_a_variable_that_is_misspelled(variable, meant):
    """With the default instead, an empty database, the service would deny what it should permit."""
    says = (
        f"error: the variable {variable} of the environment sets nothing; did you mean {meant}?\n"
    )
    for command in ("serve", "config"):
        refused = run(command, **{variable: "sqlite:///hunter2.db"})
        assert (refused.returncode, refused.stdout, refused.stderr) == (2, "", says)


def test_variables_that_are_not_for_the_service(tmp_path, monkeypatch):
    """What Kubernetes tells of services, what only other commands use, and parts of what is set."""
    monkeypatch.chdir(tmp_path)
    others = {
        "AUTHZ_SERVICE_HOST": "10.0.0.1",
        "AUTHZ_SERVICE_PORT_GRPC": "50051",
        "AUTHZ_PORT_50051_TCP_ADDR": "10.0.0.1",
        "AUTHZ_PORT": "tcp://10.0.0.1:50051",
        "AUTHZ_DATABASE_PORT": "tcp://10.0.0.2:5432",
        "AUTHZ_DATABASE_SERVICE_HOST": "10.0.0.2",
        "AUTHZ_TARGET": "127.0.0.1:1",
        "AUTHZ_STORE": "acme",
        "AUTHZ_CANARY": "1",
    }
    for name, value in others.items():
        monkeypatch.setenv(name, value)
    assert settings().misspelled() == {}
    monkeypatch.setenv("AUTHZ_DATABASE_USER", "app")
    with pytest.raises(typer.Exit):
        settings()
    assert settings(database_url="sqlite:///a.db").database_url == "sqlite:///a.db"
    (tmp_path / "authz.toml").write_text('database_url = "sqlite:///b.db"\n')
    assert settings().database_url == "sqlite:///b.db"
    monkeypatch.setenv("AUTHZ_DATABASE_URL", "sqlite:///c.db")
    assert settings().database_url == "sqlite:///c.db"


def test_running_requests_end_before_the_service_does(serve):
    """SIGTERM in the middle of a long batch: it is answered in full, and the exit code is 0."""
    server = serve("--engine", "reference")
    with authz.Client(server.target, timeout=20) as client:
        client.publish_policy({"p": (POLICIES / "github" / "policy.polar").read_text()})
        client.write_facts(insert=fact_lines("github"))
        questions = [("User:sue", "write", "Repository:anvil")] * 300
        with ThreadPoolExecutor(1) as pool:
            batch = pool.submit(client.authorize_batch, questions)
            time.sleep(0.2)
            assert not batch.done()
            assert server.end(signal.SIGTERM) == 0
            assert [answer.permitted for answer in batch.result()] == [True] * 300


def commands(app: typer.Typer, *path: str) -> Iterator[tuple[str, ...]]:
    """Yield the words of each command that does something."""
    for command in app.registered_commands:
        yield (*path, command.name or command.callback.__name__.replace("run_policy_tests", "test"))
    for group in app.registered_groups:
        yield from commands(group.typer_instance, *path, group.name)


@pytest.mark.parametrize("command", ["--version", "policy validate policies/rbac --json"])
def test_a_command_whose_output_is_closed(command):
    """Who closes the output wants the exit code alone."""
    python = f"{sys.executable} -m authz_service {command} >&-"
    ended = subprocess.run(python, shell=True, cwd=ROOT, stderr=subprocess.PIPE, timeout=60)
    assert (ended.returncode, ended.stderr) == (0, b"")


def help_of(*command: str) -> str:
    shown = CliRunner().invoke(main.app, [*command, "--help"], prog_name="authz")
    assert shown.exit_code == 0
    return shown.stdout


@pytest.mark.parametrize("command", sorted(commands(main.app)), ids=" ".join)
def test_help_teaches(command):
    """It has an example that can be copied, names what is to be given, and has no frames in the way."""
    shown = help_of(*command)
    assert re.search(rf"Example: authz .*{' '.join(command)}", shown)
    assert not re.search(r"[│╭]|<(str|int|float|path|list|bool)", shown.partition("Options:")[2])


@pytest.mark.parametrize("group", [[], ["facts"], ["policy"], ["store"], ["list"]])
def test_help_of_groups_says_what_each_command_does(group):
    summaries = help_of(*group).partition("Commands:")[2]
    assert "..." not in summaries


@pytest.mark.parametrize(
    "command",
    ["check User:ann read Doc:x", "check User:ann read Doc:x --json", "facts read", "facts export"],
)
def test_an_answer_that_cannot_be_written_is_no_decision(serve, command):
    target = serve().target
    with authz.Client(target) as client:
        client.publish_policy(
            {
                "p": 'actor User {} resource Doc { permissions = ["read"]; roles = ["a"]; "read" if "a"; }'
            }
        )
        client.write_facts(insert=[f'has_role(User:ann, "a", Doc:{n})' for n in range(1000)])
    command = [sys.executable, "-m", "authz_service", *command.split(), "--target", target]
    with Path("/dev/full").open("w") as full:
        ended = subprocess.run(command, stdout=full, stderr=subprocess.PIPE, text=True, timeout=60)
    assert (ended.returncode, ended.stderr) == (
        4,
        "error: the output cannot be written: No space left on device\n",
    )
    reading, writing = os.pipe()
    os.close(reading)
    ended = subprocess.run(command, stdout=writing, stderr=subprocess.PIPE, text=True, timeout=60)
    os.close(writing)
    assert (ended.returncode, ended.stderr) == (4, "")


def test_the_demo_runs_and_compares(tmp_path):
    """`make run ONCE=1` in another folder, on other ports than the default ones."""
    environment = {**os.environ, "AUTHZ_METRICS_LISTEN": "127.0.0.1:0"}
    command = [
        sys.executable,
        str(POLICIES / "run.py"),
        str(POLICIES / "security_company"),
        "--once",
        "--port",
        "50991",
    ]
    shown = subprocess.run(
        command, cwd=tmp_path, capture_output=True, text=True, env=environment, timeout=60
    )
    assert shown.returncode == 0, shown.stderr
    assert "16 questions, 0 answers other than expected" in shown.stdout
    cases = tmp_path / "wrong"
    cases.mkdir()
    for name in ("policy.polar", "facts.txt", "cases.txt"):
        text = (POLICIES / "security_company" / name).read_text()
        (cases / name).write_text(
            text.replace("PERMIT      Employee:vic ", "DENY        Employee:vic ")
        )
    command[2] = str(cases)
    shown = subprocess.run(
        command, cwd=tmp_path, capture_output=True, text=True, env=environment, timeout=60
    )
    assert shown.returncode == 1
    assert "16 questions, 1 answers other than expected" in shown.stdout
    (cases / "facts.txt").unlink()
    shown = subprocess.run(command, capture_output=True, text=True, env=environment, timeout=60)
    assert (shown.returncode, shown.stderr) == (2, "")
    assert "facts.txt; run a policy with cases" in " ".join(shown.stdout.split())


def test_ctrl_c_while_a_command_is_loaded():
    """Commands that run are ended by typer, with the same exit code."""
    program = (
        "import os, signal, sys\n"
        "class Loading:\n"
        "    def find_spec(self, name, *_):\n"
        "        if name == 'authz_service.cli.main':\n"
        "            os.kill(os.getpid(), signal.SIGINT)\n"
        "sys.meta_path.insert(0, Loading())\n"
        "from authz_service.__main__ import main\n"
        "main()\n"
    )
    ended = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert (ended.returncode, ended.stdout, ended.stderr) == (130, "", "")


def test_a_policy_that_orphans_facts_needs_force(serve, tmp_path):
    target = serve().target
    before, after = tmp_path / "before.polar", tmp_path / "after.polar"
    after.write_text(
        'actor User {} resource Doc { permissions = ["read"]; roles = ["a"]; "read" if "a"; }'
    )
    before.write_text(after.read_text() + " declare has_permission(User, String, Doc);")
    assert run("policy", "publish", str(before), target=target).returncode == 0
    fact = 'has_permission(User:bob, "read", Doc:x)'
    assert run("facts", "write", fact, target=target).returncode == 0
    refused = run("policy", "publish", str(after), target=target)
    assert (refused.returncode, refused.stdout) == (2, "")
    assert refused.stderr == (
        f"{fact}\nerror: a stored fact would be of no use to the policy; delete them, or publish it with "
        "--force (FACTS_ORPHANED)\n"
    )
    as_json = run("policy", "publish", str(after), "--json", target=target)
    assert json.loads(as_json.stdout) == {"orphaned": [fact], "count": 1}
    forced = run("policy", "publish", str(after), "--force", target=target)
    assert (forced.returncode, forced.stdout) == (
        0,
        "policy version 2 is active, it has no tests\n",
    )
    assert run("facts", "read", target=target).stdout == f"{fact}\n"
