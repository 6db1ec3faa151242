"""The new enemy: somebody who lost a permission must not see what was written afterwards, whichever process is asked.

Each round: a user who may read a document is removed at one process; then the document is changed, and another fact is
written with it at a second process; then a third process is asked about the user, with the token of that second write.
It must deny. The copies are late now and then. The same without the token shows what the token is good for.

python tests/history/new_enemy.py [--rounds 10000]
"""

import argparse
import sys
import tempfile
import threading
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import grpc
from authz.v1 import authorization_service_pb2 as pb
from authz.v1.authorization_service_pb2_grpc import AuthorizationServiceStub
from authz.v1.fact_service_pb2_grpc import FactServiceStub
from client import question_fields, write_request
from history import History, begin, serving
from model import Change, Question

_THREADS = 4
_SECONDS = 20.0
_GROUP = "g0"


class Stage:
    """One user and one document, and three processes."""

    def __init__(self, name: str, targets: list[str]) -> None:
        self._name = name
        self._channels = [grpc.insecure_channel(target) for target in targets]
        self._writes = 0

    def play(self, *, with_token: bool) -> bool:
        """Say whether the new enemy got in."""
        user, document = f"user-{self._name}", f"document-{self._name}"
        question = Question(user, document)
        # The rest of the story begins when every process has seen that the user may.
        token = self._write(0, Change("owner", document, _GROUP, True))
        token = self._write(0, Change("member", user, _GROUP, True))
        for process in range(3):
            assert self._may(process, question, token), "who may read is denied"
        self._write(0, Change("member", user, _GROUP, False))
        token = self._write(1, Change("reader", "somebody", document, True))
        return self._may(2, question, token if with_token else None)

    def _write(self, process: int, change: Change) -> str:
        self._writes += 1
        request = write_request(f"{self._name}-{self._writes}", [change])
        stub = FactServiceStub(self._channels[process])
        token: str = stub.WriteFacts(request, timeout=_SECONDS).consistency_token
        return token

    def _may(self, process: int, question: Question, token: str | None) -> bool:
        demand = None
        if token is not None:
            tokens = pb.AtLeastAsFresh(consistency_tokens=[token])
            demand = pb.Consistency(at_least_as_fresh=tokens)
        request = pb.AuthorizeRequest(**question_fields(question), consistency=demand)
        stub = AuthorizationServiceStub(self._channels[process])
        decision = stub.Authorize(request, timeout=_SECONDS).decision
        assert decision in (pb.DECISION_PERMIT, pb.DECISION_DENY)
        return decision == pb.DECISION_PERMIT


def new_enemies(
    url: str,
    rounds: int,
    *,
    with_token: bool,
    unsafe: str = "lagging",
    progress: Callable[[int], None] = lambda _: None,
) -> int:
    """Return in how many of so many rounds the new enemy got in."""
    counted: Counter[bool] = Counter()
    failures: list[BaseException] = []

    def play(stage: Stage) -> None:
        try:
            while counted.total() < rounds and not failures:
                counted[stage.play(with_token=with_token)] += 1
                progress(counted.total())
        except BaseException as failure:  # noqa: BLE001 - it is raised again, by the thread that waits
            failures.append(failure)

    with (
        tempfile.TemporaryDirectory(prefix="authz-enemy-") as folder,
        serving(url, Path(folder), unsafe) as processes,
    ):
        begin(processes[0].target, History())
        targets = [process.target for process in processes]
        threads = [
            threading.Thread(target=play, args=[Stage(f"s{number}", targets)])
            for number in range(_THREADS)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    if failures:
        raise failures[0]
    return counted[True]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=10_000)
    rounds = parser.parse_args().rounds

    def progress(done: int) -> None:
        print(f"\r{done:,} of {rounds:,}", end="", file=sys.stderr, flush=True)

    got_in = {}
    for with_token in (True, False):
        with tempfile.TemporaryDirectory(prefix="authz-enemy-") as folder:
            url = f"sqlite:///{folder}/authz.db"
            some = rounds if with_token else max(1, rounds // 10)
            got_in[with_token] = new_enemies(url, some, with_token=with_token, progress=progress)
            print(file=sys.stderr)
            word = "with" if with_token else "without"
            print(
                f"{some:,} rounds {word} the token: the new enemy got in {got_in[with_token]:,} times"
            )
    return 1 if got_in[True] or not got_in[False] else 0


if __name__ == "__main__":
    sys.exit(main())
