"""Work in another process: what comes back, and what is left when one of the two processes dies."""

import os
import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

import authz
import pytest
from conftest import ServerThread
from examples import policy_text

from authz_service.errors import DeadlinePassed, EngineUnsupported, PreparationFailed
from authz_service.facts.policy_text import PolicyFile
from authz_service.polar.compile import check_policy
from authz_service.polar.diagnostic import PolicyInvalid
from authz_service.server.other_process import elsewhere

TYPES = 200
BIG = "actor User {}\n" + "".join(
    f'resource R{n} {{ roles = ["a", "b"]; permissions = ["p"]; "a" if "b"; "p" if "a"; }}\n'
    for n in range(TYPES)
)


def wanted() -> bool:
    """Say that nobody has given up."""
    return False


def processes_of(parent: int) -> list[int]:
    """Return the ids of the processes that work for `parent`."""
    found = []
    for path in Path("/proc").glob("[0-9]*"):
        try:
            status = (path / "stat").read_text().rpartition(")")[2].split()
            command = (path / "cmdline").read_text()
        except OSError:  # it has just ended
            continue
        if int(status[1]) == parent and "other_process" in command:
            found.append(int(path.name))
    return found


def the_process_of(parent: int) -> int:
    end = time.monotonic() + 20
    while time.monotonic() < end:
        for found in processes_of(parent):
            return found
        time.sleep(0.005)
    raise AssertionError("no process was started")


def is_gone(process: int) -> bool:
    """Say whether the process ends within some seconds; one that nobody has waited for is still there."""
    end = time.monotonic() + 20
    while time.monotonic() < end:
        try:
            os.kill(process, 0)
        except ProcessLookupError:
            return True
        time.sleep(0.02)
    return False


def unsupported() -> None:
    raise EngineUnsupported("not expressed", field="files")


def test_a_result_comes_back():
    assert elsewhere(partial(pow, 2, 100_000), wanted) == 2**100_000
    assert processes_of(os.getpid()) == []


def test_it_gives_way_to_everybody_else():
    here = os.getpriority(os.PRIO_PROCESS, 0)
    assert elsewhere(partial(os.getpriority, os.PRIO_PROCESS, 0), wanted) > here


def test_findings_come_back_as_they_were():
    text = """actor User {}
resource Doc { roles = ["viewer", "owner"]; permissions = ["read"]; "read" if "viewer"; }
test "wrong" { assert allow(User{"a"}, "raed", Doc{"d"}); }
"""
    check = partial(check_policy, (PolicyFile("p.polar", text),))
    with pytest.raises(PolicyInvalid) as here:
        check()
    with pytest.raises(PolicyInvalid) as there:
        elsewhere(check, wanted)
    assert str(here.value) == str(there.value)
    assert here.value.warnings
    for name in ("diagnostics", "warnings"):
        expected, found = getattr(here.value, name), getattr(there.value, name)
        assert [(d.code, d.sentence, d.span) for d in found] == [
            (d.code, d.sentence, d.span) for d in expected
        ]


def test_errors_come_back_with_their_field():
    with pytest.raises(EngineUnsupported, match="not expressed") as caught:
        elsewhere(unsupported, wanted)
    assert caught.value.field == "files"


def test_a_defect_is_no_error_of_the_policy(capfd):
    with pytest.raises(RuntimeError, match="defect"):
        elsewhere(partial(int, "seven"), wanted)
    assert "invalid literal for int() with base 10: 'seven'" in capfd.readouterr().err


def test_it_ends_when_nobody_waits_any_longer():
    with pytest.raises(DeadlinePassed):
        elsewhere(partial(time.sleep, 600), lambda: True)
    assert processes_of(os.getpid()) == []


def test_it_is_killed():
    kill = partial(signal.raise_signal, signal.SIGKILL)
    with pytest.raises(PreparationFailed, match="signal 9"):
        elsewhere(kill, wanted)
    assert processes_of(os.getpid()) == []


def test_it_ends_with_a_server_that_is_killed():
    script = (
        "import time; from functools import partial\n"
        "from authz_service.server.other_process import elsewhere\n"
        "elsewhere(partial(time.sleep, 600), lambda: False)"
    )
    with subprocess.Popen([sys.executable, "-c", script]) as server:
        working = the_process_of(server.pid)
        server.kill()
    assert is_gone(working)


@pytest.fixture
def ready(service):
    service.client.publish_policy({"policy.polar": policy_text("security_company")})
    return service


def ask(service) -> int:
    decision = service.client.authorize("Employee:alice", "disarm", "SecuritySystem:s1")
    return decision.policy_version


def test_a_policy_whose_process_is_killed(ready):
    with ThreadPoolExecutor(1) as thread:
        publishing = thread.submit(ready.client.publish_policy, {"policy.polar": BIG})
        os.kill(the_process_of(os.getpid()), signal.SIGKILL)
        with pytest.raises(authz.Unavailable) as caught:
            publishing.result()
    assert caught.value.reason == "PREPARATION_FAILED"
    assert ask(ready) == 1
    ready.client.publish_policy({"policy.polar": policy_text("security_company") + "\n"})
    assert ask(ready) == 2


def test_a_server_that_stops_leaves_no_process(tmp_path):
    server = ServerThread(database_url=f"sqlite:///{tmp_path}/authz.db", shutdown_seconds=0)
    with (
        authz.Client(f"127.0.0.1:{server.ports.grpc}", timeout=20) as client,
        ThreadPoolExecutor(1) as thread,
    ):
        client.publish_policy({"policy.polar": policy_text("security_company")})
        publishing = thread.submit(client.publish_policy, {"policy.polar": BIG})
        the_process_of(os.getpid())
        server.stop()
        assert processes_of(os.getpid()) == []
        with pytest.raises(authz.AuthzError):
            publishing.result()
