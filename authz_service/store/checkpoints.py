"""Checkpoints: whole copies of all stores at one revision, in the database, to start from.

A process that starts takes the newest one and goes on with the log, which takes a fifth of the time of reading
every fact. What is in a copy only `replica.saved` knows; here it is bytes of some form.

Rule 1: the pieces of a checkpoint are written one after the other, so that no other write waits for long; the
    first one, with which it is whole, comes last, in a transaction that finds all others there.
Rule 2: a checkpoint belongs to one life of the database; those of the life before go with it.
Rule 3: it is read only where the log goes on from it, and where that is shorter than to read the facts.
"""

from collections.abc import Iterable, Iterator
from typing import Final, NamedTuple

from sqlalchemy import ColumnElement, Connection, delete, func, insert, or_, select

from authz_service.facts.revision import Revision
from authz_service.store import tables
from authz_service.store.head import read_head
from authz_service.store.pack import Pack

PIECE_BYTES: Final = 256 * 1024
"""So many are written to a disk in some milliseconds."""

_FEWEST_FACTS: Final = 50_000
"""Fewer are read from their table in a tenth of a second."""

# A byte of the log takes some two times as long as one of a checkpoint takes off the reading of facts.
_RENEWED_AFTER: Final = 1 / 8
"""There is to be a new one once the log since has that share of its bytes ..."""

_USED_UP_TO: Final = 1 / 2
"""... and it is of no use if the log has more than that, ..."""

_ROW_BYTES: Final = 300
"""... where each row of it, mostly a revision, takes as long as so many bytes of large ones."""

_LEAST_BYTES: Final = 15 * _FEWEST_FACTS
"""One that has fewer, as most of its facts are gone, is renewed as if it had these."""

_TIDIED_AT_ONCE: Final = 8

_TABLE: Final = tables.checkpoints.c


class Checkpoint(NamedTuple):
    """Which one it is, and how large."""

    revision: Revision
    size: int


class Look(NamedTuple):
    """Whether there should be another checkpoint, and the newest one if it is not whole."""

    is_wanted: bool
    unfinished: Checkpoint | None


def read(connection: Connection, form: int) -> bytes | None:
    """Return the newest checkpoint of the form that is whole; None if none is of use."""
    found = _newest(connection, form, is_whole=True)
    if found is None or found.revision < read_head(connection).compacted_to:
        return None
    if _log_bytes(connection, found.revision, _ROW_BYTES) > found.size * _USED_UP_TO:
        return None
    pieces = select(_TABLE.body).where(_TABLE.form == form, _TABLE.revision == found.revision)
    return b"".join(connection.scalars(pieces.order_by(_TABLE.piece)))


def look(
    connection: Connection, form: int, facts: int, revision: Revision, left: Checkpoint | None
) -> Look:
    """Say whether a copy of so many facts at `revision` should become one.

    While somebody writes one it should not. Whoever wrote what was unfinished at the look before, `left`, is
    gone if that is as it was.
    """
    newest = _newest(connection, form, is_whole=False)
    whole = _newest(connection, form, is_whole=True)
    unfinished = None if newest == whole else newest
    is_wanted = unfinished == left and _is_wanted(connection, whole, facts, revision)
    return Look(is_wanted, unfinished)


def _is_wanted(
    connection: Connection, newest: Checkpoint | None, facts: int, revision: Revision
) -> bool:
    if newest is None:
        return facts >= _FEWEST_FACTS
    if newest.revision >= revision:
        return False
    if newest.revision < read_head(connection).compacted_to:
        return True
    size = max(newest.size, _LEAST_BYTES)
    return _log_bytes(connection, newest.revision) > size * _RENEWED_AFTER


def _newest(connection: Connection, form: int, *, is_whole: bool) -> Checkpoint | None:
    query = (
        select(_TABLE.revision, func.sum(func.length(_TABLE.body)))
        .where(_TABLE.form == form)
        .group_by(_TABLE.revision)
        .order_by(_TABLE.revision.desc())
        .limit(1)
    )
    if is_whole:
        query = query.having(func.min(_TABLE.piece) == 0)
    row = connection.execute(query).first()
    return None if row is None else Checkpoint(Revision(row[0]), int(row[1]))


def _log_bytes(connection: Connection, revision: Revision, for_each_row: int = 0) -> int:
    log = tables.changes.c
    query = select(func.sum(func.length(log.body)), func.count()).where(log.revision > revision)
    size, rows = connection.execute(query).one()
    return int(size or 0) + int(rows) * for_each_row


class Writing:
    """The jobs that write one checkpoint of `form`: `begin` once, `add` for each further piece, then `finish`.

    Each says whether to go on: not if another process is at one as new, or another life has begun. What was
    `left` unfinished is cleared away before: `clear` until it says that there is no more.
    """

    def __init__(
        self, form: int, incarnation: str, revision: Revision, left: Checkpoint | None = None
    ) -> None:
        self._form = form
        self._incarnation = incarnation
        self._revision = revision
        self._left = left
        self._pieces = 0

    def clear(self, pack: Pack) -> bool:
        """Remove some of what was left; say whether there may be more."""
        if self._left is None:
            return False
        is_left = (_TABLE.form == self._form) & (_TABLE.revision == self._left.revision)
        return _remove_some(pack, is_left)

    def begin(self, pack: Pack, piece: bytes) -> bool:
        """Write the first piece behind the beginning."""
        # A copy of what the database has lost, without another life, is one of nothing.
        if self._revision > pack.revision:
            return False
        as_new = select(_TABLE.piece).where(
            _TABLE.form == self._form, _TABLE.revision >= self._revision
        )
        if pack.connection.execute(as_new.limit(1)).first() is not None:
            return False
        return self.add(pack, piece)

    def add(self, pack: Pack, piece: bytes) -> bool:
        """Write the next piece."""
        if not self._may_go_on(pack):
            return False
        self._pieces += 1
        self._insert(pack, self._pieces, piece)
        return True

    def finish(self, pack: Pack, beginning: bytes) -> bool:
        """Make it whole."""
        if not self._may_go_on(pack):
            return False
        self._insert(pack, 0, beginning)
        return True

    def tidy(self, pack: Pack) -> bool:
        """Remove some of what nobody needs once this one is whole; say whether there may be more."""
        # Those of other forms are for other programs, as long as they can start from them.
        is_old = or_(
            (_TABLE.form == self._form) & (_TABLE.revision < self._revision),
            _TABLE.revision < pack.compacted_to,
        )
        return _remove_some(pack, is_old)

    def _may_go_on(self, pack: Pack) -> bool:
        """Say whether all that was written is there, and nothing of others: they may have taken it for left."""
        own = _TABLE.form == self._form, _TABLE.revision == self._revision
        count = pack.connection.scalar(select(func.count()).where(*own))
        return pack.incarnation == self._incarnation and count == self._pieces

    def _insert(self, pack: Pack, piece: int, body: bytes) -> None:
        pack.connection.execute(
            insert(tables.checkpoints).values(
                form=self._form, revision=self._revision, piece=piece, body=body
            )
        )


def _remove_some(pack: Pack, condition: ColumnElement[bool]) -> bool:
    """Remove some of the pieces that meet `condition`; say whether there may be more."""
    keys = select(_TABLE.form, _TABLE.revision, _TABLE.piece).where(condition)
    found = pack.connection.execute(keys.limit(_TIDIED_AT_ONCE)).all()
    for form, revision, piece in found:
        pack.connection.execute(
            delete(tables.checkpoints).where(
                _TABLE.form == form, _TABLE.revision == revision, _TABLE.piece == piece
            )
        )
    return len(found) == _TIDIED_AT_ONCE


def in_pieces(some: Iterable[bytes]) -> Iterator[bytes]:
    """Yield the same bytes in pieces of `PIECE_BYTES`, the last one of fewer."""
    rest = bytearray()
    for part in some:
        rest += part
        while len(rest) >= PIECE_BYTES:
            yield bytes(rest[:PIECE_BYTES])
            del rest[:PIECE_BYTES]
    if rest:
        yield bytes(rest)
