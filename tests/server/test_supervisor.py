"""What keeps a supervisor from starting its workers, as errors; the rest is in tests/end_to_end/test_workers.py."""

import asyncio
import pickle

import pytest

from authz_service.errors import FactsOrphaned, StoreUnavailable
from authz_service.polar.diagnostic import PolicyInvalid
from authz_service.server.app import ListenFailed, StoredPolicyInvalid
from authz_service.server.supervisor import Supervisor
from authz_service.settings import Settings


def start(**settings):
    """Start a supervisor, and stop it whatever comes of that."""

    async def main():
        addresses = {"listen": "127.0.0.1:0", "metrics_listen": "127.0.0.1:0"}
        supervisor = Supervisor(Settings(workers=2, **{**addresses, **settings}))
        try:
            await supervisor.start(None)
        finally:
            await supervisor.stop()

    asyncio.run(main())


def test_a_database_in_memory_is_for_one_process():
    with pytest.raises(StoreUnavailable, match="leave out --workers"):
        start(database_url="sqlite://")


def test_a_database_that_cannot_be_opened(tmp_path):
    with pytest.raises(StoreUnavailable, match="check that its folder exists"):
        start(database_url=f"sqlite:///{tmp_path}/no/folder.db")


def test_a_port_for_metrics_that_is_taken(shared, tmp_path):
    metrics = f"127.0.0.1:{shared.metrics_port}"
    with pytest.raises(ListenFailed, match=f"cannot listen on {metrics}.*AUTHZ_METRICS_LISTEN"):
        start(database_url=f"sqlite:///{tmp_path}/authz.db", metrics_listen=metrics)


def test_errors_pass_between_processes():
    orphaned = FactsOrphaned(["f(A:a)", "f(A:b)"], 7)
    again = pickle.loads(pickle.dumps(orphaned))
    assert (again.facts, again.count, again.message) == (orphaned.facts, 7, orphaned.message)
    invalid = pickle.loads(pickle.dumps(StoredPolicyInvalid(PolicyInvalid([]))))
    assert isinstance(invalid.cause, PolicyInvalid)
