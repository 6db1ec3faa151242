"""`authz` with one protection taken away, which the checker of histories must notice: python unsafe.py WHICH serve ...

`safe` takes nothing away. `lagging` is no mistake: a copy that is late now and then, as on a busy machine.
"""

import random
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

from authz_service.cli.main import main
from authz_service.errors import StoreUnavailable
from authz_service.facts.change import ChangeBatch
from authz_service.pdp.consistency import AtLeastAsFresh, Exactly, Freshness, FullyConsistent
from authz_service.replica.replica import Replica
from authz_service.server import snapshots
from authz_service.store import checkpoints
from authz_service.store.committer import Committer
from authz_service.store.pack import Pack

# Stores are small here, and processes seldom live for long; they are to start from checkpoints all the same.
checkpoints._FEWEST_FACTS = 1
checkpoints._USED_UP_TO = 1000
snapshots._FIRST_LOOK_SECONDS = snapshots._LOOK_SECONDS = 1.0

_LATE_SECONDS = 0.1
_LATE = 0.2


def safe() -> None:
    pass


def lagging() -> None:
    catch_up = Replica.catch_up

    def late(self: Replica[Any]) -> None:
        if random.random() < _LATE:
            time.sleep(_LATE_SECONDS)
        catch_up(self)

    Replica.catch_up = late


def tokens_are_not_waited_for() -> None:
    _met_by_anything(AtLeastAsFresh)


def full_consistency_is_not_waited_for() -> None:
    _met_by_anything(FullyConsistent)


def the_past_is_answered_from_now() -> None:
    async def past(
        self: Freshness, store: str, demand: Exactly, _: float | None
    ) -> tuple[Any, Any]:
        state = self._replica.state(store)
        _, instant = await self._earlier(store, demand)
        return state, instant

    Freshness.past = past


def batches_are_skipped() -> None:
    """Some changes are counted as applied, and are not."""
    after = Replica._after

    def skipping(self: Replica[Any], applied: Any, batch: ChangeBatch) -> Any:
        if batch.revision % 50 == 0 and batch.policy is None and batch.event is None:
            empty = replace(batch, inserted=frozenset(), deleted=frozenset())
            return after(self, applied, empty)
        return after(self, applied, batch)

    Replica._after = skipping


def policies_are_late() -> None:
    """The facts of a revision are there before its policy is."""
    active = Replica._active

    def old(self: Replica[Any], version: Any) -> Any:
        made = active(self, version)
        states = self._applied.states
        before = states["default"].policy if "default" in states else None
        return before if before is not None else made

    Replica._active = old


def keys_are_forgotten() -> None:
    Pack.kept = lambda *_: None


def writes_are_acknowledged_before_the_commit() -> None:
    def commit(self: Committer, pack: Sequence[Any]) -> None:
        try:
            with self._database.writing() as connection:
                begun = self._begin(connection)
                for pending in pack:
                    pending.future.set_result(pending.job(begun))
                begun.flush()
                # So long is the moment at which a kill does harm.
                time.sleep(0.05)
        except StoreUnavailable:
            return

    Committer._commit = commit


def _met_by_anything(kind: type) -> None:
    met = Freshness._met

    def anything(self: Freshness, store: str, demand: Any, arrived: float) -> Any:
        if isinstance(demand, kind):
            return self._replica.applied
        return met(self, store, demand, arrived)

    Freshness._met = anything


UNSAFE: dict[str, tuple[Callable[[], None], set[str]]] = {
    # What is taken away, and which rules it breaks.
    "tokens_are_not_waited_for": (tokens_are_not_waited_for, {"behind"}),
    "full_consistency_is_not_waited_for": (full_consistency_is_not_waited_for, {"stale"}),
    "the_past_is_answered_from_now": (the_past_is_answered_from_now, {"elsewhere"}),
    "batches_are_skipped": (batches_are_skipped, {"wrong"}),
    "policies_are_late": (policies_are_late, {"wrong"}),
    "keys_are_forgotten": (keys_are_forgotten, {"lost", "twice", "unasked"}),
    "writes_are_acknowledged_before_the_commit": (
        writes_are_acknowledged_before_the_commit,
        {"lost"},
    ),
}

if __name__ == "__main__":
    which = sys.argv.pop(1)
    for change in which.split("+"):
        {"safe": safe, "lagging": lagging, **{n: f for n, (f, _) in UNSAFE.items()}}[change]()
    main()
