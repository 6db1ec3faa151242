"""PolicyFile and PolicyVersion: a policy as text, not understood here."""

from datetime import datetime
from typing import NamedTuple

MAX_POLICY_BYTES = 2**20
"""How much text all files of a policy may hold together, in UTF-8."""


class PolicyFile(NamedTuple):
    """One file of a policy: a name for messages, unique in the policy, and the Polar text."""

    name: str
    text: str


class PolicyVersion(NamedTuple):
    """A published policy. Versions count from 1 in each store."""

    version: int
    files: tuple[PolicyFile, ...]
    published_at: datetime
