"""Revision: the order of commits; ConsistencyToken: its opaque form for clients."""

import base64
import hashlib
from typing import NewType

Revision = NewType("Revision", int)
"""A dense integer, one for each commit to the database, counted from 1. 0 is the empty database."""


def consistency_token(incarnation: str, store: str, revision: Revision) -> str:
    """Return the token that names `revision` of `store` in the database `incarnation`.

    Equal states give equal tokens. The text is URL-safe, about 40 characters long, and ends in a
    checksum, so that a token that was cut or mistyped can be told from a token of another database.
    """
    store_id = hashlib.blake2b(store.encode(), digest_size=6).digest()
    body = b"\x01" + bytes.fromhex(incarnation) + store_id + revision.to_bytes(8, "big")
    checksum = hashlib.blake2b(body, digest_size=4).digest()
    return base64.urlsafe_b64encode(body + checksum).rstrip(b"=").decode()
