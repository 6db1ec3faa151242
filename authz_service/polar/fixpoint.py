"""Least fixpoints: sets that grow until every one has what its parts give it.

A set is the bits of an integer. What is new in a set is handed to the sets that it is a part of, in one
piece for all that came together, and a set never looks at all of its parts again. So however many parts
there are and in whatever order they grow, the cost is at most one step for each part and element.
"""

from collections import deque
from collections.abc import Iterable, Sequence


class Growing:
    """A set of what it was given and of what any of its parts has."""

    def __init__(self, parts: Iterable["Growing"] = (), members: int = 0) -> None:
        self.members = members
        self.new = 0
        self._users: list[tuple[Growing, int]] = []
        for part in parts:
            self.members |= part.members
            part.join(self)

    def join(self, user: "Growing", number: int = 0) -> None:
        """Give to `user`, of which this is the part `number`, whatever is new from here on."""
        self._users.append((user, number))

    def take(self, members: int, _part: int = 0) -> bool:
        """Take what is new in a part; say if something is new here, and nothing was before."""
        new = members & ~self.members
        was_idle = not self.new
        self.members |= new
        self.new |= new
        return was_idle and new != 0

    def give(self) -> Iterable["Growing"]:
        """Hand on what is new; yield the sets in which that is new."""
        new, self.new = self.new, 0
        return [user for user, number in self._users if user.take(new, number)]


class Intersection(Growing):
    """A set of what all of its parts have, which are one or more."""

    def __init__(self, parts: Sequence[Growing]) -> None:
        super().__init__()
        self._parts = parts
        # What waits at each part: it is in all parts before, and not yet known to be in this one.
        self._waiting = [0] * len(parts)
        self._waiting[0] = -1
        for number, part in enumerate(parts):
            part.join(self, number)
        self.take(parts[0].members, 0)
        self.new = 0

    def take(self, members: int, part: int = 0) -> bool:
        passing = self._waiting[part] & members
        self._waiting[part] ^= passing
        while passing and part + 1 < len(self._parts):
            part += 1
            kept = passing & ~self._parts[part].members
            self._waiting[part] |= kept
            passing ^= kept
        return super().take(passing)


def spread(changed: Iterable[Growing]) -> None:
    """Hand on what is new in the sets `changed` until nothing is new anywhere."""
    waiting = deque(changed)
    while waiting:
        waiting.extend(waiting.popleft().give())
