"""SIGKILL at random moments: what was acknowledged is there, what was not is whole or absent."""

import json
import random
import subprocess
import sys
from pathlib import Path

import authz_service
from authz_service.facts.change import ChangeBatch
from authz_service.facts.revision import Revision
from authz_service.store.fact_store import FactStore

WRITER = Path(__file__).with_name("writer.py")
ROUNDS = 16

# Which users a revision created and deleted, net, as the killed process was told.
Acknowledged = dict[int, tuple[set[str], set[str]]]


def test_no_acknowledged_write_is_lost(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/authz.db"
    chance = random.Random(20260101)
    acknowledged: Acknowledged = {}
    for number in range(ROUNDS):
        write_until_killed(url, number, chance.randrange(120), acknowledged)
        check_whole(url, acknowledged)
    assert len(acknowledged) > ROUNDS


def write_until_killed(url: str, seed: int, lines: int, acknowledged: Acknowledged) -> None:
    process = subprocess.Popen(
        [sys.executable, WRITER, "write", url, str(seed)],
        stdout=subprocess.PIPE,
        text=True,
        env={"PYTHONPATH": str(Path(authz_service.__file__).parents[1])},
    )
    with process:
        assert process.stdout is not None
        heard = [process.stdout.readline() for _ in range(lines + 1)]
        process.kill()
        # What the pipe still holds was acknowledged too; a torn last line was not.
        heard += process.stdout.readlines()
    for line in heard:
        if line.endswith("\n"):
            note(acknowledged, *json.loads(line))


def note(acknowledged: Acknowledged, revision: int, effects: list[tuple[str, str]]) -> None:
    created: set[str] = set()
    deleted: set[str] = set()
    for user, outcome in effects:
        if outcome == "created":
            # Deleted earlier in the same write, it was there before: no net effect.
            (deleted.discard if user in deleted else created.add)(user)
        elif outcome == "deleted":
            (created.discard if user in created else deleted.add)(user)
    if created or deleted:
        assert revision not in acknowledged
        acknowledged[revision] = (created, deleted)


def check_whole(url: str, acknowledged: Acknowledged) -> None:
    store = FactStore.open(url)
    at, (state,) = store.load()
    head = at.revision
    log = store.changes_after(Revision(0), limit=100_000)
    store.close()
    assert [batch.revision for batch in log] == list(range(1, head + 1))
    assert max(acknowledged, default=0) <= head
    present: set[str] = set()
    for batch in log:
        effect = users(batch)
        assert acknowledged.get(batch.revision, effect) == effect
        created, deleted = effect
        assert present.isdisjoint(created)
        assert present >= deleted
        present = (present - deleted) | created
    assert {fact.args[0].id for fact in state.facts} == present
    assert len(state.facts) == len(present)


def users(batch: ChangeBatch) -> tuple[set[str], set[str]]:
    created = {fact.args[0].id for fact in batch.inserted}
    return created, {fact.args[0].id for fact in batch.deleted}
