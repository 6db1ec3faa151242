"""Histories of real services: several processes on one database, several clients, and what goes wrong meanwhile.

Processes are killed and started again, or stopped for a while; PostgreSQL is ended as by a power cut. Afterwards every
answer is compared with the log.

python tests/history/history.py [--operations 1000000] [--database sqlite|postgresql]
"""

import argparse
import json
import os
import random
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path

import grpc
from authz.v1.policy_service_pb2 import PublishPolicyRequest
from authz.v1.policy_service_pb2_grpc import PolicyServiceStub
from checker import Logged, Read, Violation, Write, violations
from client import MARKS, Work, named_policy, revision_of
from model import Change, Question
from postgresql import Server
from unsafe import UNSAFE

import authz_service
from authz_service.errors import StoreUnavailable
from authz_service.facts.change import ChangeBatch
from authz_service.facts.revision import EMPTY
from authz_service.store.fact_store import FactStore

_HERE = Path(__file__).parent
_SERVERS = 3
_CLIENTS = 2
_THREADS = 4
_START_SECONDS = 60
_PAUSES = (0.5, 3.0)
_STOPPED_SECONDS = (0.2, 2.0)

# What a client may be told meanwhile, without a decision.
_EXPECTED_ERRORS = ("UNAVAILABLE", "DEADLINE_EXCEEDED", "CANCELLED", "ABORTED")


@dataclass
class History:
    """What clients were told, what the log says, and how often something went wrong on purpose."""

    writes: list[Write] = field(default_factory=list)
    reads: list[Read] = field(default_factory=list)
    log: list[Logged] = field(default_factory=list)
    errors: Counter[str] = field(default_factory=Counter)
    faults: Counter[str] = field(default_factory=Counter)

    def violations(self) -> Iterator[Violation]:
        return violations(self.writes, self.reads, self.log)

    @property
    def unexpected(self) -> Mapping[str, int]:
        """Errors that nothing which goes wrong here explains."""
        return {
            error: count
            for error, count in self.errors.items()
            if not error.startswith(_EXPECTED_ERRORS)
        }


class Process:
    """One serving process, on the same port each time that it is started."""

    def __init__(self, url: str, folder: Path, unsafe: str) -> None:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.target = f"127.0.0.1:{free.getsockname()[1]}"
        self._command = [
            *(sys.executable, str(_HERE / "unsafe.py"), unsafe, "serve"),
            *("--database-url", url, "--listen", self.target, "--metrics-listen", "127.0.0.1:0"),
        ]
        self._log = folder / "log"
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(self._command, stderr=log, env=_environment())

    def send(self, number: signal.Signals) -> None:
        assert self._process is not None
        self._process.send_signal(number)

    def end(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.wait()

    @property
    def has_ended(self) -> bool:
        return self._process is None or self._process.poll() is not None


def record(
    url: str,
    operations: int,
    *,
    database: Server | None = None,
    unsafe: str = "safe",
    faults: bool = True,
    seed: int = 1,
    publish_share: float = 0.002,
    progress: Callable[[int], None] = lambda _: None,
) -> History:
    """Have clients do about so many operations on a new database, and return what came of it."""
    history = History()
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="authz-history-")))
        processes = stack.enter_context(serving(url, folder, unsafe))
        begin(processes[0].target, history)
        clients = _clients(
            folder, [one.target for one in processes], operations, seed, publish_share
        )
        chance = random.Random(seed)
        while any(client.poll() is None for client in clients):
            time.sleep(chance.uniform(*_PAUSES) if faults else 0.5)
            progress(_lines(folder))
            if faults:
                _do_harm(processes, database, chance, history.faults)
        assert all(client.returncode == 0 for client in clients)
        for file in sorted(folder.glob("client-*")):
            _take(file, history)
        for process in processes:
            process.end()
    history.log = list(_logged(url))
    return history


@contextmanager
def serving(url: str, folder: Path, unsafe: str) -> Iterator[Sequence[Process]]:
    processes = [Process(url, folder, unsafe) for _ in range(_SERVERS)]
    try:
        for process in processes:
            process.start()
        for process in processes:
            _wait_for(process)
        yield processes
    finally:
        for process in processes:
            process.end()


def _wait_for(process: Process) -> None:
    with grpc.insecure_channel(process.target) as channel:
        grpc.channel_ready_future(channel).result(timeout=_START_SECONDS)
    assert not process.has_ended


def begin(target: str, history: History) -> None:
    """Publish the first policy."""
    with grpc.insecure_channel(target) as channel:
        name = "first"
        request = PublishPolicyRequest(
            files=[{"name": "policy.polar", "text": named_policy(name, "owners")}]
        )
        called = time.monotonic_ns()
        answer = PolicyServiceStub(channel).PublishPolicy(request, timeout=_START_SECONDS)
        history.writes.append(
            Write(name, called, time.monotonic_ns(), revision_of(answer.consistency_token))
        )


def _clients(
    folder: Path, targets: list[str], operations: int, seed: int, publish_share: float
) -> list[subprocess.Popen[str]]:
    clients = []
    for number in range(_CLIENTS):
        work = Work(
            targets,
            str(folder / f"client-{number}"),
            f"c{number}",
            _THREADS,
            operations // _CLIENTS,
            seed,
            publish_share if number == 0 else 0,
        )
        client = subprocess.Popen(
            [sys.executable, str(_HERE / "client.py")],
            stdin=subprocess.PIPE,
            text=True,
            env=_environment(),
        )
        assert client.stdin is not None
        client.stdin.write(json.dumps(asdict(work)))
        client.stdin.close()
        clients.append(client)
    return clients


def _environment() -> dict[str, str]:
    root = Path(authz_service.__file__).parents[1]
    return {**os.environ, "PYTHONPATH": os.pathsep.join(map(str, (root, root / "clients/python")))}


def _do_harm(
    processes: Sequence[Process],
    database: Server | None,
    chance: random.Random,
    faults: Counter[str],
) -> None:
    for process in processes:
        if process.has_ended:
            # It may have left service by itself, as it must.
            process.start()
            return
    process = chance.choice(processes)
    match chance.randrange(5):
        case 0:
            process.end()
            process.start()
            faults["processes killed"] += 1
        case 1 if database is not None:
            database.stop("immediate")
            time.sleep(chance.random())
            database.start()
            faults["databases ended"] += 1
        case _:
            process.send(signal.SIGSTOP)
            time.sleep(chance.uniform(*_STOPPED_SECONDS))
            process.send(signal.SIGCONT)
            faults["processes stopped for a while"] += 1


def _lines(folder: Path) -> int:
    """Return about how many operations are recorded; they are some 80 bytes each."""
    return sum(file.stat().st_size for file in folder.glob("client-*")) // 80


def _take(file: Path, history: History) -> None:
    with file.open() as lines:
        for line in lines:
            kind, *rest = json.loads(line)
            if kind == "write":
                history.writes.append(Write(*rest))
            elif kind == "read":
                client, called, returned, user, document, *others = rest
                question = Question(user, document)
                history.reads.append(Read(client, called, returned, question, *others))
            else:
                history.errors.update(rest[0])


def _logged(url: str) -> Iterator[Logged]:
    store = _open(url)
    revision = EMPTY
    while batches := store.changes_after(revision):
        for batch in batches:
            assert batch.revision == revision + 1, "the log has a gap"
            revision = batch.revision
            if batch.event is None:
                yield _read_batch(batch)
    store.close()


def _open(url: str) -> FactStore:
    give_up = time.monotonic() + _START_SECONDS
    while True:
        try:
            return FactStore.open(url)
        except StoreUnavailable:
            if time.monotonic() > give_up:
                raise
            time.sleep(0.1)


def _read_batch(batch: ChangeBatch) -> Logged:
    if batch.policy is not None:
        _, name, variant = batch.policy.files[0].text.split("\n", 1)[0].split()
        return Logged(batch.revision, name, [Change("policy", variant, "", True)])
    name = ""
    changes = []
    for facts, holds in ((batch.inserted, True), (batch.deleted, False)):
        for fact in facts:
            subject, kind, about = (arg.id for arg in fact.args)
            if about == MARKS:
                name = subject
            else:
                changes.append(Change(kind, subject, about, holds))
    return Logged(batch.revision, name, changes)


def lines_of(history: History, found: Counter[str]) -> Iterator[str]:
    """Yield what is to be said of a history."""
    operations = len(history.writes) + len(history.reads)
    demands = Counter(
        "fully consistent"
        if read.is_full
        else "exactly one revision"
        if read.exactly is not None
        else "at least as fresh"
        if read.at_least
        else "nothing"
        for read in history.reads
    )
    unknown = sum(write.revision is None and not write.is_refused for write in history.writes)
    yield f"{operations:,} operations recorded, {len(history.log):,} revisions in the log"
    yield f"  {len(history.writes):,} writes, of {unknown:,} nobody knew what became of them"
    yield f"  {len(history.reads):,} answers, which demanded:"
    yield from (f"    {count:>9,}  {demand}" for demand, count in demands.most_common())
    yield from (f"  {count:>9,}  {fault}" for fault, count in history.faults.most_common())
    yield from (f"  {count:>9,}  {error}" for error, count in history.errors.most_common())
    yield from (f"  {count:>9,}  VIOLATED: {rule}" for rule, count in found.most_common())
    yield f"{found.total()} violations, {sum(history.unexpected.values())} errors without a cause"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--operations", type=int, default=1_000_000)
    parser.add_argument("--database", choices=("sqlite", "postgresql"), default="sqlite")
    parser.add_argument("--unsafe", choices=("safe", *UNSAFE), default="safe")
    parser.add_argument("--seed", type=int, default=1)
    arguments = parser.parse_args()

    def progress(done: int) -> None:
        print(f"\r{done:,} of {arguments.operations:,}", end="", file=sys.stderr, flush=True)

    with ExitStack() as stack:
        server = None
        if arguments.database == "postgresql":
            server = Server()
            stack.callback(server.remove)
            url = server.empty_database()
        else:
            folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="authz-history-"))
            url = f"sqlite:///{folder}/authz.db"
        history = record(
            url,
            arguments.operations,
            database=server,
            unsafe=arguments.unsafe,
            seed=arguments.seed,
            progress=progress,
        )
    print(file=sys.stderr)
    found = Counter(violation.rule for violation in history.violations())
    print(*lines_of(history, found), sep="\n")
    return 1 if found or history.unexpected else 0


if __name__ == "__main__":
    sys.exit(main())
