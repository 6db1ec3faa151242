"""Short histories of real services pass the checker; with a protection taken away, they do not. `make history` runs long ones."""

from pathlib import Path

import pytest
from history import record
from new_enemy import new_enemies
from postgresql import Server
from unsafe import UNSAFE


def test_a_history_with_postgresql(server: Server) -> None:
    history = record(server.empty_database(), 3000, database=server)
    assert list(history.violations()) == []
    assert history.unexpected == {}
    assert history.faults


def test_a_history_with_sqlite(tmp_path: Path) -> None:
    history = record(f"sqlite:///{tmp_path}/authz.db", 3000)
    assert list(history.violations()) == []
    assert history.unexpected == {}
    assert history.faults


@pytest.fixture(scope="module")
def server():
    """A server of this module's own, as its processes are killed."""
    made = Server()
    yield made
    made.remove()


TRIES = 6
"""Some need the right moment; so often it is tried to meet it."""

# The one needs a process that is killed within 50 ms, as `tests/faults` kills enough of, the other enough policies that
# are published; both are found by longer histories.
SELDOM = {"policies_are_late", "writes_are_acknowledged_before_the_commit"}


@pytest.mark.parametrize("unsafe", sorted(UNSAFE.keys() - SELDOM))
def test_what_is_unsafe_is_found(tmp_path: Path, unsafe: str) -> None:
    _, rules = UNSAFE[unsafe]
    for number in range(TRIES):
        url = f"sqlite:///{tmp_path}/{number}.db"
        history = record(url, 2000, unsafe=unsafe, seed=number, publish_share=0.03)
        if rules & {violation.rule for violation in history.violations()}:
            return
    pytest.fail(f"{TRIES} histories are as they should be")


def test_a_new_enemy_does_not_get_in(tmp_path: Path) -> None:
    assert new_enemies(f"sqlite:///{tmp_path}/authz.db", 60, with_token=True) == 0


def test_a_new_enemy_gets_in_without_the_token(tmp_path: Path) -> None:
    assert new_enemies(f"sqlite:///{tmp_path}/authz.db", 60, with_token=False) > 0
