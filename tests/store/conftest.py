"""The databases that every promise of the store must hold on. There are no exemptions."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from postgresql import Server
from world import World


@pytest.fixture(scope="session")
def postgresql() -> Iterator[Server]:
    server = Server()
    yield server
    server.remove()


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """A new database."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path}/authz.db"
    server: Server = request.getfixturevalue("postgresql")
    return server.empty_database()


@pytest.fixture
def world(url: str) -> Iterator[World]:
    with World(url) as made:
        yield made
