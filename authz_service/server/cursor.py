"""Cursor: the place in a list behind which the next page begins, as an opaque text for clients.

Rule 1: it names the list wholly: state, time and what is listed. Whoever has it and asks the same again gets
    the same list, from any process, also after a restart.
Rule 2: it is signed with a key of the database. One that was changed, or comes with another request, is
    refused.
"""

import base64
import binascii
import hashlib
import hmac
import json
from dataclasses import dataclass

from authz_service.errors import InvalidPageToken
from authz_service.facts.fact import Fact
from authz_service.facts.instant import Instant
from authz_service.facts.revision import ConsistencyToken, Revision
from authz_service.pdp.lists import AnyList, ListKey

_FIELD = "page_token"
_SIGNATURE_BYTES = 16


@dataclass(frozen=True, slots=True)
class Cursor:
    """The list, how fresh its state was, and the last id of the page before."""

    key: ListKey
    age: float | None
    last: str


def cursor_text(cursor: Cursor, signing_key: bytes) -> str:
    """Return the text of `cursor`, which does not have what the next request states again."""
    place: list[object] = [*cursor.key.state, cursor.key.evaluated_at, cursor.age, cursor.last]
    signature = _signature(signing_key, place, cursor.key.wanted, cursor.key.context_facts)
    return _encoded(json.dumps([signature, *place], ensure_ascii=False).encode())


def read_cursor(
    text: str, signing_key: bytes, wanted: AnyList, context_facts: tuple[Fact, ...]
) -> Cursor:
    """Return the cursor that has this text, for a request that lists `wanted` with these context facts.

    Raises InvalidPageToken for one that was changed, or given out for another request.
    """
    try:
        data = base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
        signature, *place = json.loads(data)
        incarnation, store, revision, instant, age, last = place
    # Text that is nested too deep is a RecursionError.
    except (binascii.Error, ValueError, TypeError, RecursionError):
        raise _refused() from None
    expected = _signature(signing_key, place, wanted, context_facts)
    # More than one text decodes to the same; ours is the one that is given out.
    if _encoded(data) != text or not hmac.compare_digest(ascii(signature), ascii(expected)):
        raise _refused()
    state = ConsistencyToken(incarnation, store, Revision(revision))
    return Cursor(ListKey(state, Instant(instant), wanted, context_facts), age, last)


def _signature(
    signing_key: bytes, place: list[object], wanted: AnyList, context_facts: tuple[Fact, ...]
) -> str:
    # `ascii` of dataclasses and named tuples tells all their fields apart, whatever characters they have.
    content = ascii([place, wanted, context_facts]).encode()
    return hashlib.blake2b(content, key=signing_key, digest_size=_SIGNATURE_BYTES).hexdigest()


def _encoded(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def _refused() -> InvalidPageToken:
    text = (
        "this page token does not belong to this list, or was changed; ask for what the first page was "
        "asked for, or start at the first page"
    )
    return InvalidPageToken(text, field=_FIELD)
