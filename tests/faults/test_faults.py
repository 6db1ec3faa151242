"""A few rounds of each fault, and that each test can fail: with a protection broken, it does. `make faults` runs all."""

import os
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import disk_full
import failed_sync
import pytest
from away import slow_database
from bad_policies import bad_policies
from batches import partial_batches
from cold_starts import cold_starts
from damaged_log import damaged_logs, unknown_events
from disk_full import full_disks, full_disks_of_postgresql
from failed_sync import failed_syncs, failed_syncs_of_postgresql
from hot_group import hot_group
from kills import kills
from large_requests import large_requests
from near_limits import lists_near_limits
from postgresql import Server
from restarts import restarts
from sqlalchemy.exc import IntegrityError
from tokens import tokens_ahead
from wide_and_deep import chain, circle, group, wide_and_deep

from authz_service.facts.revision import Revision
from authz_service.pdp import lists
from authz_service.pdp.lists import List
from authz_service.replica.replica import Replica
from authz_service.store.pack import Pack


def quietly(_: int) -> None:
    pass


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    """A server of this module's own, as its processes are killed."""
    made = Server()
    yield made
    made.remove()


@pytest.fixture
def url(tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path}/authz.db"


def test_kills(url: str) -> None:
    assert all(number.holds for number in kills(url, 8, quietly))


def test_kills_with_postgresql(server: Server) -> None:
    assert all(number.holds for number in kills(server.empty_database(), 6, quietly))


@pytest.mark.parametrize(
    "broken", ["acknowledges_before_the_commit", "commits_facts_before_the_log"]
)
def test_a_kill_finds_what_is_not_safe(url: str, broken: str) -> None:
    # An assertion, or an error of the database that gets in its way.
    with pytest.raises((AssertionError, IntegrityError)):
        kills(url, 40, quietly, broken)


def test_a_retry_finds_keys_that_are_forgotten(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Pack, "kept", lambda *_: None)
    with pytest.raises(AssertionError):
        kills(url, 4, quietly)


def test_restarts(tmp_path: Path) -> None:
    restarts(tmp_path, 1, quietly, 2000)


FULL_DISKS = {"SQLite": full_disks, "PostgreSQL": full_disks_of_postgresql}


@pytest.mark.parametrize("database", FULL_DISKS)
def test_a_full_disk(tmp_path: Path, database: str) -> None:
    if reason := disk_full.missing():
        pytest.skip(reason)
    FULL_DISKS[database](tmp_path, 1, quietly)


FAILED_SYNCS = {"SQLite": failed_syncs, "PostgreSQL": failed_syncs_of_postgresql}


@pytest.mark.parametrize("database", FAILED_SYNCS)
def test_a_failed_sync(tmp_path: Path, database: str) -> None:
    if reason := failed_sync.missing():
        pytest.skip(reason)
    FAILED_SYNCS[database](tmp_path, 1, quietly)


def test_a_failed_sync_finds_a_service_that_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if reason := failed_sync.missing():
        pytest.skip(reason)
    # Python runs this before the service, which is a process of its own.
    (tmp_path / "sitecustomize.py").write_text(
        f"import sys; sys.path.append({str(Path(__file__).parent)!r})\n"
        "import broken; broken.goes_on_after_a_failed_sync()\n"
    )
    monkeypatch.setenv("PYTHONPATH", str(tmp_path), prepend=os.pathsep)
    with pytest.raises(AssertionError, match="`after0` was acknowledged"):
        failed_syncs(tmp_path, 1, quietly)


def test_partial_batches(tmp_path: Path) -> None:
    partial_batches(tmp_path, 40, quietly)


def test_bad_policies(tmp_path: Path) -> None:
    bad_policies(tmp_path, 15, quietly)


def test_a_slow_database(tmp_path: Path) -> None:
    numbers = slow_database(tmp_path, 1, quietly, delay=0.2, window=0.5)
    # How p99 compares, and by how many ms a deadline is missed, is measured where nothing else runs.
    timed = ("p99", "who waits")
    assert all(number.holds for number in numbers if not number.name.startswith(timed)), numbers
    late = next(number for number in numbers if number.name.startswith("who waits"))
    assert late.measured < 1


def test_tokens_ahead(tmp_path: Path) -> None:
    tokens_ahead(tmp_path, 20, quietly)


def test_tokens_ahead_finds_an_answer_that_is_older(tmp_path: Path) -> None:
    with pytest.raises(AssertionError, match="older than its token"):
        tokens_ahead(tmp_path, 200, quietly, "ignored_demands")


def test_a_damaged_log(tmp_path: Path) -> None:
    numbers = damaged_logs(tmp_path, 10, quietly)
    assert all(number.holds for number in numbers)


class Trusting(Replica):
    """Applies what comes, whatever its number is."""

    def _check_next(self, revision: Revision) -> None:
        pass


def test_a_damaged_log_finds_a_replica_that_trusts_it(tmp_path: Path) -> None:
    with pytest.raises(AssertionError, match="astray"):
        damaged_logs(tmp_path, 10, quietly, lambda store: Trusting(store, tuple))


def test_unknown_events(tmp_path: Path) -> None:
    unknown_events(tmp_path, 1, quietly)


def test_unknown_events_find_a_process_that_skips_them(tmp_path: Path) -> None:
    with pytest.raises(AssertionError, match="does not stop before the event"):
        unknown_events(tmp_path, 1, quietly, "knows_every_event")


def test_cold_starts(tmp_path: Path) -> None:
    cold_starts(tmp_path, 1, quietly, processes=2, facts=2000)


def test_wide_and_deep(tmp_path: Path) -> None:
    worlds = (lambda: circle(300), lambda: chain(1000), lambda: group(500))
    numbers = wide_and_deep(tmp_path, 1, quietly, worlds)
    assert all(number.holds for number in numbers)


def test_large_requests(tmp_path: Path) -> None:
    large_requests(tmp_path, 1, quietly)


def test_lists_near_limits(tmp_path: Path) -> None:
    lists_near_limits(tmp_path, 40, quietly)


def test_lists_near_limits_find_a_short_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = lists._made

    def short(*args: object) -> List:
        whole = made(*args)
        return replace(whole, ids=whole.ids[:-1])

    monkeypatch.setattr(lists, "_made", short)
    with pytest.raises(AssertionError, match="a short list"):
        lists_near_limits(tmp_path, 4, quietly)


def test_a_hot_group(tmp_path: Path) -> None:
    hot_group(tmp_path, 10, quietly, members=20_000)
