"""Eight processes write at the same time: dense revisions, none that shows late, and nobody starves."""

import json
import subprocess
import sys
import time
from pathlib import Path

from world import START, replayed

import authz_service
from authz_service.facts.revision import Revision
from authz_service.store.fact_store import FactStore

CROWD = Path(__file__).with_name("crowd.py")
PROCESSES = 8
WRITES = 60
HEAD = PROCESSES * WRITES


def start(url: str, seed: int) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, CROWD, url, str(seed), str(WRITES)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env={"PYTHONPATH": str(Path(authz_service.__file__).parents[1])},
    )


def test_eight_processes(url: str) -> None:
    store = FactStore.open(url)
    processes = [start(url, seed) for seed in range(PROCESSES)]
    for process in processes:
        assert process.stdout.readline() == "open\n"
    for process in processes:
        process.stdin.write("go\n")
        process.stdin.flush()
    polls = follow(store)
    acknowledged = [
        [json.loads(line) for line in process.communicate()[0].splitlines()]
        for process in processes
    ]
    assert [process.returncode for process in processes] == [0] * PROCESSES

    assert polls > 3  # the reader did see it grow
    for acks in acknowledged:
        revisions = [revision for revision, _ in acks]
        assert revisions == sorted(revisions)
        assert len(set(revisions)) == WRITES
    revisions = sorted(revision for acks in acknowledged for revision, _ in acks)
    assert revisions == list(range(1, HEAD + 1))
    check_log(store, dict(ack for acks in acknowledged for ack in acks))
    state = store.load()[1][0]
    assert replayed(store) == set(state.facts)
    assert len([fact for fact in state.facts if fact.predicate == "own"]) == HEAD
    store.close()


def follow(store: FactStore) -> int:
    """Poll the log until all is there; a revision that showed later than the next one would be a hole."""
    after, polls = START, 0
    give_up = time.monotonic() + 60
    while after < HEAD:
        assert time.monotonic() < give_up
        head = store.head().revision
        batches = store.changes_after(after)
        assert [batch.revision for batch in batches] == list(
            range(after + 1, after + len(batches) + 1)
        )
        polls += bool(batches)
        after = Revision(after + len(batches))
        assert after >= head
    return polls


def check_log(store: FactStore, acknowledged: dict[int, list[str]]) -> None:
    """Each outcome is what the log says was true just then."""
    present: set[object] = set()
    for batch in store.changes_after(START, limit=HEAD):
        created, outcome = acknowledged[batch.revision]
        assert created == "created"
        shared = [fact for fact in batch.inserted if fact.predicate == "shared"]
        gone = list(batch.deleted)
        assert (len(shared), len(gone)) == {
            "created": (1, 0),
            "existed": (0, 0),
            "deleted": (0, 1),
            "missing": (0, 0),
        }[outcome]
        assert present.isdisjoint(shared)
        assert present.issuperset(gone)
        present = (present - set(gone)) | set(shared)
