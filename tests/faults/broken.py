"""Protections of the store, broken: what a fault test must notice. They are for SQLite, and for a process of their own."""

import time
from collections.abc import Callable
from typing import Any

from authz_service.store.committer import Committer
from authz_service.store.ledger import Ledger

# So long is the moment at which a kill does harm.
_SECONDS = 0.01


def acknowledges_before_the_commit() -> None:
    def commit(self: Committer, pack: Any) -> None:
        with self._database.writing() as connection:
            begun = self._begin(connection)
            for pending in pack:
                pending.future.set_result(pending.job(begun))
            begun.flush()
            time.sleep(_SECONDS)

    Committer._commit = commit


def commits_facts_before_the_log() -> None:
    flush = Ledger.flush

    def commit(self: Ledger) -> None:
        flush(self)
        self._connection.exec_driver_sql("COMMIT")
        time.sleep(_SECONDS)
        self._connection.exec_driver_sql("BEGIN IMMEDIATE")

    Ledger.flush = commit


def goes_on_after_a_failed_sync() -> None:
    from authz_service.store import dialect  # noqa: PLC0415

    dialect.loses_disk = lambda _: False


BROKEN: dict[str, Callable[[], None]] = {
    function.__name__: function
    for function in (
        acknowledges_before_the_commit,
        commits_facts_before_the_log,
        goes_on_after_a_failed_sync,
    )
}
