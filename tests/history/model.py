"""The little world that histories are about, and what it permits, written down a second time and without Polar.

Users read documents: as readers, or as members of the group that owns the document, if the policy has that rule.
"""

from collections.abc import Iterable
from typing import NamedTuple

POLICIES = {
    # By the name of the variant: whether members of the owning group may read.
    "owners": True,
    "readers": False,
}


class Question(NamedTuple):
    user: str
    document: str


class Change(NamedTuple):
    """A fact that holds from now on, or does not; or a variant of the policy, which is active from now on.

    The kinds: `reader` of user and document, `member` of user and group, `owner` of document and group, `policy` of its
    variant and nothing.
    """

    kind: str
    subject: str
    object: str
    holds: bool


class Model:
    """What holds at one revision."""

    def __init__(self) -> None:
        self._facts: set[tuple[str, str, str]] = set()
        self._groups: dict[str, set[str]] = {}
        self._owners_read = False

    def apply(self, changes: Iterable[Change]) -> None:
        for kind, subject, object_, holds in changes:
            if kind == "policy":
                self._owners_read = POLICIES[subject]
                continue
            if kind == "owner":
                groups = self._groups.setdefault(subject, set())
                (groups.add if holds else groups.discard)(object_)
            fact = (kind, subject, object_)
            (self._facts.add if holds else self._facts.discard)(fact)

    def permits(self, question: Question) -> bool:
        user, document = question
        if ("reader", user, document) in self._facts:
            return True
        return self._owners_read and any(
            ("member", user, group) in self._facts for group in self._groups.get(document, ())
        )


def policy_text(variant: str) -> str:
    """Return the policy in Polar. The variants have the same fact shapes."""
    rule = '"read" if "member" on "owner";' if POLICIES[variant] else ""
    return f"""
actor User {{}}

resource Group {{
    roles = ["member"];
}}

resource Document {{
    permissions = ["read"];
    roles = ["reader"];
    relations = {{ owner: Group }};

    "read" if "reader";
    {rule}
}}
"""
