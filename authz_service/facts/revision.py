"""Revision: the order of commits; ConsistencyToken: its opaque form for clients."""

import base64
import binascii
import hashlib
from typing import NamedTuple, NewType

from authz_service.errors import InvalidToken, RevisionUnknown, TokenOfAnotherStore

Revision = NewType("Revision", int)
"""A dense integer, one for each commit to the database, counted from 1. 0 is the empty database."""

EMPTY = Revision(0)

_FORM = b"\x02"
_CHECKSUM_BYTES = 4
_BODY_BYTES = 1 + 8 + 8 + 8


class ConsistencyToken(NamedTuple):
    """A revision of a store, in one life of one database.

    `incarnation` is the life: a database that was restored from a backup gets another one, as its next
    revisions are not those that were given out before. `store` is the number of the store, which no later
    store of the same name has.
    """

    incarnation: str
    store: int
    revision: Revision

    def __str__(self) -> str:
        """Return the text for clients: URL-safe, 39 characters, equal for equal states.

        It ends in a checksum, so that a token that was cut or mistyped can be told from a foreign one.
        """
        body = _FORM + bytes.fromhex(self.incarnation)
        body += self.store.to_bytes(8, "big") + self.revision.to_bytes(8, "big")
        return base64.urlsafe_b64encode(body + _checksum(body)).rstrip(b"=").decode()

    @classmethod
    def parse(cls, text: str) -> "ConsistencyToken":
        """Return the token that has this text. Raises InvalidToken."""
        try:
            data = base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
        except (binascii.Error, ValueError):
            data = b""
        body, checksum = data[:-_CHECKSUM_BYTES], data[-_CHECKSUM_BYTES:]
        if len(body) != _BODY_BYTES or body[:1] != _FORM or checksum != _checksum(body):
            message = "the consistency token is none of ours; pass it on exactly as it was returned"
            raise InvalidToken(message, field="consistency_token")
        token = cls(
            body[1:9].hex(),
            int.from_bytes(body[9:17], "big"),
            Revision(int.from_bytes(body[17:], "big")),
        )
        # More than one text decodes to the same bytes; ours is the one that is given out.
        if str(token) != text:
            message = "the consistency token was changed; pass it on exactly as it was returned"
            raise InvalidToken(message, field="consistency_token")
        return token

    def checked(self, incarnation: str, store: int, head: Revision) -> Revision:
        """Return the revision, which has been reached by `store` of a database that is at `head`.

        Raises TokenOfAnotherStore, and RevisionUnknown for a token of another life of the database, or of a
        revision that it does not have.
        """
        if self.incarnation != incarnation:
            message = (
                "the consistency token is of another database, or of this one before it was restored; "
                "read again what you keep it with, and take the token of that answer"
            )
            raise RevisionUnknown(message, field="consistency_token")
        if self.store != store:
            message = "the consistency token is of another store"
            raise TokenOfAnotherStore(message, field="consistency_token")
        if self.revision > head:
            message = (
                f"the database does not have revision {self.revision}; it may have been restored"
            )
            raise RevisionUnknown(message, field="consistency_token")
        return self.revision


def _checksum(body: bytes) -> bytes:
    return hashlib.blake2b(body, digest_size=_CHECKSUM_BYTES).digest()
