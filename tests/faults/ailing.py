"""`authz` with an ailment that breaks out when a file appears: python ailing.py AILMENT FILE serve ...

Ailments whose name begins with `unwatched_` are the same without the watchdog.
"""

import asyncio
import os
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from authz_service.cli.main import main
from authz_service.facts.change import ChangeBatch
from authz_service.facts.policy_text import PolicyVersion
from authz_service.facts.revision import Revision
from authz_service.pdp.consistency import Freshness
from authz_service.pdp.decide import PolicyDecisionPoint
from authz_service.replica.follower import Follower
from authz_service.replica.replica import Replica
from authz_service.server.watchdog import Watchdog
from authz_service.store import reading
from authz_service.store.fact_store import FactStore

UNKNOWN_KIND = "of-a-later-version"

_LONG = 3600.0


def dead_follower(is_ill: Callable[[], bool]) -> None:
    """The task ends, as if somebody had cancelled it. Requests may still ask for rounds of their own."""
    healthy = Follower._try

    async def try_once(self: Follower, told: str) -> str:
        if is_ill():
            raise asyncio.CancelledError
        return await healthy(self, told)

    Follower._try = try_once


def hung_applier(is_ill: Callable[[], bool]) -> None:
    healthy = Replica.catch_up

    def catch_up(self: Replica) -> None:
        if is_ill():
            time.sleep(_LONG)
        healthy(self)

    Replica.catch_up = catch_up


def spinning_applier(is_ill: Callable[[], bool]) -> None:
    healthy = Replica.catch_up

    def catch_up(self: Replica) -> None:
        while is_ill():
            pass
        healthy(self)

    Replica.catch_up = catch_up


def starved_loop(is_ill: Callable[[], bool]) -> None:
    """Something in the event loop does not come to an end."""
    healthy = Follower._try

    async def try_once(self: Follower, told: str) -> str:
        if is_ill():
            time.sleep(_LONG)  # noqa: ASYNC251 - that is the ailment
        return await healthy(self, told)

    Follower._try = try_once


def silent_database(is_ill: Callable[[], bool]) -> None:
    """The database takes the question, and never answers: no ailment of the process."""
    healthy = FactStore.head

    def head(self: FactStore):
        while is_ill():
            time.sleep(0.01)
        return healthy(self)

    FactStore.head = head


def full_pipe(is_ill: Callable[[], bool]) -> None:
    """As `starved_loop`, and whoever reads the log has gone to sleep, too."""
    starved_loop(is_ill)
    _unread_log(is_ill)


def full_pipe_and_hung_applier(is_ill: Callable[[], bool]) -> None:
    hung_applier(is_ill)
    _unread_log(is_ill)


def _unread_log(is_ill: Callable[[], bool]) -> None:
    write = os.write

    class Blocked:
        def write(self, text: str) -> int:
            if is_ill():
                time.sleep(_LONG)
            return write(2, text.encode())

        def flush(self) -> None:
            pass

    sys.stderr = Blocked()


def no_bound(_is_ill: Callable[[], bool]) -> None:
    """Questions are answered however old the copy is."""
    healthy = PolicyDecisionPoint.__init__

    def init(self: PolicyDecisionPoint, *arguments: object, **options: object) -> None:
        healthy(self, *arguments, **{**options, "max_staleness": float("inf")})

    PolicyDecisionPoint.__init__ = init


def ignored_demands(_is_ill: Callable[[], bool]) -> None:
    """Whatever is demanded, what is there answers."""
    Freshness._met = lambda self, *_: self._replica.applied


def knows_every_event(_is_ill: Callable[[], bool]) -> None:
    """A newer version, to which an event of this name does nothing, as far as this one can tell."""
    healthy = reading._batch

    def batch(
        revision: Revision, rows: Sequence[reading._LogRow], policy: PolicyVersion | None
    ) -> ChangeBatch:
        first = rows[0]
        if first.kind == UNKNOWN_KIND:
            return ChangeBatch(
                revision, first.name, frozenset(), frozenset(), store_number=first.store
            )
        return healthy(revision, rows, policy)

    reading._batch = batch


AILMENTS = {
    ailment.__name__: ailment
    for ailment in (
        dead_follower,
        hung_applier,
        spinning_applier,
        starved_loop,
        silent_database,
        full_pipe,
        full_pipe_and_hung_applier,
        no_bound,
        ignored_demands,
        knows_every_event,
    )
}


if __name__ == "__main__":
    name, file = sys.argv[1], Path(sys.argv[2])
    if name.startswith("unwatched_"):
        Watchdog.start = lambda _: None
    if name != "healthy":
        AILMENTS[name.removeprefix("unwatched_")](file.exists)
    sys.argv[1:] = sys.argv[3:]
    main()
