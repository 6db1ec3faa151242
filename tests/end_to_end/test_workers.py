"""Several workers on one port: they answer alike, end and are replaced, and nobody outside needs to know."""

import os
import shutil
import signal
import threading
from concurrent.futures import ThreadPoolExecutor

import grpc
import pytest
from authz.v1 import fact_pb2
from authz.v1 import fact_service_pb2 as pb
from authz.v1.fact_service_pb2_grpc import FactServiceStub
from examples import POLICIES, cases, fact_lines
from group import QUESTION, WORKERS, Group, running, wait_until, worker_of
from postgresql import Server
from test_command_line import run
from world import World

NAME = "security_company"
QUESTIONS = [case[1:] for case in cases(NAME)]
EXPECTED = [case[0] for case in cases(NAME)]
WRITERS = 12
# A connection that is shared with nobody, and calls that are sent once.
ALONE = (("grpc.use_local_subchannel_pool", 1), ("grpc.enable_retries", 0))


def begin(folder, *options):
    """Start workers that watch a policy of their own, and give them facts."""
    policy = shutil.copytree(POLICIES / NAME, folder / "policy")
    group = Group(folder, "--policy", str(policy), "--watch", *options)
    group.clients(1)[0].write_facts(insert=fact_lines(NAME))
    return group


@pytest.fixture(scope="module")
def sqlite(tmp_path_factory):
    group = begin(tmp_path_factory.mktemp("sqlite"))
    yield group
    if group.process.poll() is None:
        group.end(signal.SIGTERM)


@pytest.fixture(scope="module")
def postgresql(tmp_path_factory):
    server = Server()
    url = server.another_database("authz")
    group = begin(tmp_path_factory.mktemp("postgresql"), "--database-url", url)
    group.database = url
    yield group
    if group.process.poll() is None:
        group.end(signal.SIGTERM)
    server.remove()


@pytest.fixture(params=["sqlite", "postgresql"])
def group(request):
    return request.getfixturevalue(request.param)


def test_workers_answer_alike(group):
    clients = group.clients()
    assert len(set(map(worker_of, clients))) == WORKERS
    for client in clients:
        wait_until(
            lambda client=client: (
                [answer.permitted for answer in client.authorize_batch(QUESTIONS)] == EXPECTED
            )
        )
    clients[0].write_facts(insert=["is_suspended(Employee:alice)"])
    for client in clients:
        wait_until(lambda client=client: not client.authorize(*QUESTION))
    clients[-1].write_facts(delete=["is_suspended(Employee:alice)"])
    for client in clients:
        wait_until(lambda client=client: client.authorize(*QUESTION).permitted)


def test_the_pages_of_a_list_come_from_any_worker(group):
    clients = group.clients()
    asked = ("Employee:alice", "disarm", "SecuritySystem")
    pages = [clients[0].list_resources_page(*asked, page_size=1)]
    # It is gone by now, for those who look at what is there.
    clients[0].write_facts(insert=["is_suspended(Employee:alice)"])
    for client in clients:
        page = client.list_resources_page(*asked, page_size=1, page_token=pages[0].next_page_token)
        pages.append(page)
        wait_until(lambda client=client: not list(client.list_resources(*asked)))
    clients[0].write_facts(delete=["is_suspended(Employee:alice)"])
    assert [[one.id for one in page.entities] for page in pages[:2]] == [["s1"], ["s2"]]
    assert all(page == pages[1] for page in pages[1:])
    assert pages[0].origin == pages[1].origin


def test_all_workers_write(group):
    """Revisions are dense: each write has one of its own."""
    clients = group.clients()

    def write(number):
        return clients[number].write_facts(insert=[f"is_suspended(Employee:w{number})"])

    with ThreadPoolExecutor(len(clients)) as threads:
        written = list(threads.map(write, range(len(clients))))
    assert len({result.consistency_token for result in written}) == len(clients)
    wait_until(lambda: len(list(clients[0].read_facts("is_suspended"))) >= len(clients))


def test_what_is_watched_is_published_once(sqlite):
    clients = sqlite.clients()
    policy = sqlite.folder / "policy" / "policy.polar"
    before = clients[0].get_policy().version
    policy.write_text(policy.read_text() + "\n# changed\n")
    wait_until(lambda: set(sqlite.of_workers("authz_policy_version")) == {before + 1})
    assert {client.get_policy().version for client in clients} == {before + 1}


def test_metrics_are_those_of_all_workers(group):
    clients = group.clients()
    before = group.decisions()
    assert len(set(map(worker_of, clients))) == WORKERS
    for client in clients:
        client.authorize_batch([QUESTION] * 10)
    assert group.decisions() - before == 11 * len(clients)
    for name in ("authz_worker_up", "authz_worker_ready"):
        assert group.of_workers(name) == [1] * WORKERS
    revisions = group.of_workers("authz_revision")
    assert min(revisions) > 0


@pytest.mark.parametrize(
    ("group", "number"),
    [("sqlite", signal.SIGTERM), ("postgresql", signal.SIGKILL)],
    indirect=["group"],
    ids=["ended", "killed"],
)
def test_a_worker_that_ends_is_replaced(group, number):
    """Clients notice nothing but the time of another attempt."""
    clients = group.clients(8)
    processes, restarts, decisions = group.processes(), group.restarts(), group.decisions()
    assert len(processes) == WORKERS
    is_over = threading.Event()

    def ask(client):
        asked = 0
        while not is_over.is_set():
            assert client.authorize(*QUESTION)
            asked += 1
            is_over.wait(0.005)
        return asked

    with ThreadPoolExecutor(len(clients)) as threads:
        asking = [threads.submit(ask, client) for client in clients]
        try:
            wait_until(lambda: group.decisions() > decisions + 100)
            os.kill(min(processes), number)
            wait_until(lambda: group.restarts() == restarts + 1)
            wait_until(lambda: group.of_workers("authz_worker_ready") == [1] * WORKERS)
        finally:
            is_over.set()
        asked = sum(each.result() for each in asking)
    assert len(group.processes()) == WORKERS
    # What the worker had counted when it was last asked is still counted.
    assert decisions + 100 < group.decisions() <= decisions + asked + len(clients)
    assert len({worker_of(client) for client in group.clients()}) == WORKERS


def test_a_worker_without_life_is_down_and_replaced(sqlite):
    restarts = sqlite.restarts()
    stopped = min(sqlite.processes())
    os.kill(stopped, signal.SIGSTOP)
    assert sorted(sqlite.of_workers("authz_worker_up")) == [0, 1]
    assert sorted(sqlite.of_workers("authz_worker_ready")) == [0, 1]
    wait_until(lambda: sqlite.restarts() == restarts + 1)
    wait_until(lambda: sqlite.of_workers("authz_worker_ready") == [1] * WORKERS)
    assert stopped not in running()


def test_a_taken_port_is_refused(sqlite, tmp_path):
    """As it is with one process, though these would share it with each other."""
    addresses = ("--listen", sqlite.target, "--metrics-listen", "127.0.0.1:0")
    database = f"sqlite:///{tmp_path / 'authz.db'}"
    refused = run("serve", *addresses, "--database-url", database, "--workers", "2")
    assert refused.returncode == 4
    said = f"error: cannot listen on {sqlite.target}; is another server running there?"
    assert refused.stderr.count(said) == 1


def test_what_keeps_workers_from_starting_is_said_once(tmp_path):
    """In the same words, and with the same exit code, as with one process."""
    bad = tmp_path / "bad.polar"
    bad.write_text("actor User {\n  roles = [1];\n}\n")
    addresses = ("--listen", "127.0.0.1:0", "--metrics-listen", "127.0.0.1:0")
    database = ("--database-url", f"sqlite:///{tmp_path / 'authz.db'}")
    refused = run("serve", *addresses, *database, "--policy", str(bad), "--workers", "2")
    assert refused.returncode == 3
    assert refused.stdout == (
        f"{bad}:2:12: P010 expected a quoted name, found `1`\n"
        "      roles = [1];\n               ^\n"
    )
    said = [line for line in refused.stderr.splitlines() if not line.startswith("{")]
    assert said == ["error: the policy has an error"]


def test_sigterm_lets_what_was_accepted_end(postgresql):
    """What is stored is what was acknowledged: no write failed that a worker had begun. The last test of its group."""
    began = threading.Barrier(WRITERS + 1)

    def write(number):
        acknowledged = set()
        with grpc.insecure_channel(postgresql.target, ALONE) as channel:
            write_facts = FactServiceStub(channel).WriteFacts
            while True:
                name = f"t{number}-{len(acknowledged)}"
                args = [{"entity": {"type": "Employee", "id": name}}]
                fact = fact_pb2.Fact(predicate="is_suspended", args=args)
                request = pb.WriteFactsRequest(writes=[{"insert": fact}])
                try:
                    write_facts(request, timeout=20)
                except grpc.RpcError as error:
                    return acknowledged, error.code()
                acknowledged.add(name)
                if len(acknowledged) == 5:
                    began.wait(20)

    with ThreadPoolExecutor(WRITERS) as threads:
        writing = [threads.submit(write, number) for number in range(WRITERS)]
        began.wait(20)
        assert postgresql.end(signal.SIGTERM) == 0
        ends = [each.result() for each in writing]
    acknowledged = set().union(*(names for names, _ in ends))
    # Nobody accepts connections any more, or the request came to a server that had begun to stop.
    assert {code for _, code in ends} <= {
        grpc.StatusCode.UNAVAILABLE,
        grpc.StatusCode.CANCELLED,
    }
    with World(postgresql.database) as world:
        facts = [str(stored.fact) for stored in world.open().export("default")]
    stored = {fact for fact in facts if "Employee:t" in fact}
    assert stored == {f"is_suspended(Employee:{name})" for name in acknowledged}


def test_no_worker_outlives_its_supervisor(sqlite):
    """The last test of its group."""
    workers = sqlite.processes()
    assert len(workers) == WORKERS
    sqlite.end(signal.SIGKILL)
    wait_until(lambda: not workers & running())
