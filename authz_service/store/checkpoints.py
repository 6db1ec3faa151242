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

from sqlalchemy import Connection, delete, func, insert, or_, select

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
"""... and it is of no use if the log has more than that."""

_TIDIED_AT_ONCE: Final = 8

_TABLE: Final = tables.checkpoints.c


class Checkpoint(NamedTuple):
    """Which one it is, and how large."""

    revision: Revision
    size: int


def read(connection: Connection, form: int) -> bytes | None:
    """Return the newest checkpoint of the form that is whole; None if none is of use."""
    found = _newest(connection, form, is_whole=True)
    if found is None or found.revision < read_head(connection).compacted_to:
        return None
    if _log_bytes(connection, found.revision) > found.size * _USED_UP_TO:
        return None
    pieces = select(_TABLE.body).where(_TABLE.form == form, _TABLE.revision == found.revision)
    return b"".join(connection.scalars(pieces.order_by(_TABLE.piece)))


def is_wanted(connection: Connection, form: int, facts: int) -> bool:
    """Say whether it is time for another one, of so many facts. What was begun counts like what is whole."""
    found = _newest(connection, form, is_whole=False)
    if found is None:
        return facts >= _FEWEST_FACTS
    if found.revision < read_head(connection).compacted_to:
        return True
    return _log_bytes(connection, found.revision) > found.size * _RENEWED_AFTER


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


def _log_bytes(connection: Connection, revision: Revision) -> int:
    log = tables.changes.c
    found = connection.scalar(
        select(func.sum(func.length(log.body))).where(log.revision > revision)
    )
    return int(found or 0)


class Writing:
    """The jobs that write one checkpoint of `form`: `begin` once, `add` for each further piece, then `finish`.

    Each says whether to go on: not if another process is at one as new, or another life has begun.
    """

    def __init__(self, form: int, incarnation: str, revision: Revision) -> None:
        self._form = form
        self._incarnation = incarnation
        self._revision = revision
        self._pieces = 0

    def begin(self, pack: Pack, piece: bytes) -> bool:
        """Write the first piece behind the beginning."""
        as_new = select(_TABLE.piece).where(
            _TABLE.form == self._form, _TABLE.revision >= self._revision
        )
        if pack.connection.execute(as_new.limit(1)).first() is not None:
            return False
        return self.add(pack, piece)

    def add(self, pack: Pack, piece: bytes) -> bool:
        """Write the next piece."""
        if pack.incarnation != self._incarnation:
            return False
        self._pieces += 1
        self._insert(pack, self._pieces, piece)
        return True

    def finish(self, pack: Pack, beginning: bytes) -> bool:
        """Make it whole."""
        own = _TABLE.form == self._form, _TABLE.revision == self._revision
        count = pack.connection.scalar(select(func.count()).where(*own))
        if pack.incarnation != self._incarnation or count != self._pieces:
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
        keys = select(_TABLE.form, _TABLE.revision, _TABLE.piece).where(is_old)
        found = pack.connection.execute(keys.limit(_TIDIED_AT_ONCE)).all()
        for form, revision, piece in found:
            pack.connection.execute(
                delete(tables.checkpoints).where(
                    _TABLE.form == form, _TABLE.revision == revision, _TABLE.piece == piece
                )
            )
        return len(found) == _TIDIED_AT_ONCE

    def _insert(self, pack: Pack, piece: int, body: bytes) -> None:
        pack.connection.execute(
            insert(tables.checkpoints).values(
                form=self._form, revision=self._revision, piece=piece, body=body
            )
        )


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
