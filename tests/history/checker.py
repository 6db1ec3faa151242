"""Whether a history of what clients asked, and were told, is one that the promises of consistency allow.

A history is of several clients, that talk to several processes about one store. Every answer says at which revision
it was given, so nothing is searched for: the log is the order of all writes, and each operation is compared with it.
The rules, each with the name under which `violations` reports it:

    lost        a write that was acknowledged is in the log, at the revision that was told, as it was asked for
    twice       no write is in the log more than once, whether or not its outcome was known
    unasked     nothing is in the log that nobody asked for
    refused     a write that was refused is not in the log
    order       a write that began after another was acknowledged has the higher revision
    future      an answer is given at a revision of which the write had begun before the answer came
    behind      an answer is not older than the token that its question demanded
    stale       a fully consistent answer is not older than any write that was acknowledged before it was asked for
    elsewhere   a question about one revision is answered at that revision
    wrong       an answer is the one of the policy and the facts at its revision

Costs n log n, as the answers themselves say where in the order they belong; Elle (VLDB 2020) calls that a recoverable
version order, and Jepsen's rule for unknown outcomes is the one of `twice`.
"""

import bisect
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple

from model import Change, Model, Question


class Write(NamedTuple):
    """A write of facts or a policy; `name` is its own. Times are of one monotonic clock, in any unit.

    `revision` is what was told; None if nobody knows what became of it. `is_refused`: certainly nothing.
    """

    name: str
    called: int
    returned: int
    revision: int | None
    is_refused: bool = False


class Read(NamedTuple):
    """A question that was answered. `at_least`, `exactly`: revisions that it demanded."""

    client: str
    called: int
    returned: int
    question: Question
    permitted: bool
    revision: int
    at_least: int = 0
    exactly: int | None = None
    is_full: bool = False


class Logged(NamedTuple):
    """What the log says of one revision: the name of the write, and what it changed."""

    revision: int
    name: str
    changes: Sequence[Change]


class Violation(NamedTuple):
    """A broken rule, and what broke it."""

    rule: str
    what: Write | Read | Logged


def violations(
    writes: Sequence[Write], reads: Sequence[Read], log: Sequence[Logged]
) -> Iterator[Violation]:
    """Yield what broke a rule. `log` is whole, in order of revisions; a write that did nothing is not in it."""
    asked = {write.name: write for write in writes}
    assert len(asked) == len(writes)
    yield from _in_log(asked, log)
    yield from _in_order(writes)
    yield from _in_time(asked, reads, log)
    yield from _right(reads, log)


def _in_log(asked: Mapping[str, Write], log: Sequence[Logged]) -> Iterator[Violation]:
    landed: dict[str, int] = {}
    for logged in log:
        if logged.name in landed:
            yield Violation("twice", logged)
        if logged.name not in asked:
            yield Violation("unasked", logged)
        landed[logged.name] = logged.revision
    for write in asked.values():
        if write.is_refused and write.name in landed:
            yield Violation("refused", write)
        if write.revision is not None and landed.get(write.name) != write.revision:
            yield Violation("lost", write)


def _in_order(writes: Sequence[Write]) -> Iterator[Violation]:
    known = [write for write in writes if write.revision is not None]
    acknowledged = _Acknowledged(known)
    for write in known:
        if write.revision <= acknowledged.newest(write.called):
            yield Violation("order", write)


def _in_time(
    asked: Mapping[str, Write], reads: Iterable[Read], log: Sequence[Logged]
) -> Iterator[Violation]:
    begun = {logged.revision: asked[logged.name].called for logged in log if logged.name in asked}
    acknowledged = _Acknowledged([w for w in asked.values() if w.revision is not None])
    for read in reads:
        if begun.get(read.revision, read.called) > read.returned:
            yield Violation("future", read)
        if read.revision < read.at_least:
            yield Violation("behind", read)
        if read.is_full and read.revision < acknowledged.newest(read.called):
            yield Violation("stale", read)
        if read.exactly is not None and read.revision != read.exactly:
            yield Violation("elsewhere", read)


def _right(reads: Iterable[Read], log: Sequence[Logged]) -> Iterator[Violation]:
    model = Model()
    following = iter(log)
    logged = next(following, None)
    for read in sorted(reads, key=lambda read: read.revision):
        while logged is not None and logged.revision <= read.revision:
            model.apply(logged.changes)
            logged = next(following, None)
        if model.permits(read.question) is not read.permitted:
            yield Violation("wrong", read)


class _Acknowledged:
    """The newest revision that had been acknowledged at any time."""

    def __init__(self, writes: Iterable[Write]) -> None:
        self._times: list[int] = []
        self._newest: list[int] = []
        newest = 0
        for write in sorted(writes, key=lambda write: write.returned):
            newest = max(newest, write.revision or 0)
            self._times.append(write.returned)
            self._newest.append(newest)

    def newest(self, time: int) -> int:
        """Return the newest revision acknowledged before `time`, 0 if there was none."""
        place = bisect.bisect_left(self._times, time)
        return self._newest[place - 1] if place else 0
