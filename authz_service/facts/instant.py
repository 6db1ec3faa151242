"""Instant: a point in time as one integer, so that expiry is a comparison of two of them."""

from datetime import UTC, datetime, timedelta
from typing import NewType

Instant = NewType("Instant", int)
"""Microseconds since the beginning of 1970, UTC."""

START = Instant(0)
"""Before every commit."""

NEVER = Instant(2**63 - 1)
"""After every instant that a clock can show."""

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


def instant_of(moment: datetime) -> Instant:
    """Return the instant of `moment`, which knows its time zone. Nothing is rounded."""
    return Instant((moment - _EPOCH) // _MICROSECOND)


def datetime_of(instant: Instant) -> datetime:
    return _EPOCH + timedelta(microseconds=instant)
