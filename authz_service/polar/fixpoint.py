"""Least fixpoints: sets that grow until every one has what its parts give it.

A set is the bits of an integer. What is new in a set is handed to the sets that it is a part of, in one
piece for all that came together, and no set looks at all of its parts again. So however many parts there
are and in whatever order they grow, the cost is at most one step for each part and element.
"""

from collections.abc import Iterable, Iterator, Sequence
from heapq import heappop, heappush

from authz_service.polar.graphs import postorder


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

    def users(self) -> Iterator["Growing"]:
        return (user for user, _ in self._users)

    def take(self, members: int, _part: int = 0) -> bool:
        """Take what is new in a part; say if something is new here, and nothing was before."""
        new = members & ~self.members
        was_idle = not self.new
        self.members |= new
        self.new |= new
        return was_idle and new != 0

    def give(self) -> Iterator["Growing"]:
        """Hand on what is new; yield the sets in which that is new."""
        new, self.new = self.new, 0
        for user, number in self._users:
            if user.take(new, number):
                yield user


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


def spread(changed: Sequence[Growing]) -> None:
    """Hand on what is new in the sets `changed` until nothing is new anywhere.

    Goes through the sets in an order in which most come behind their parts, and back by turns: so a set
    mostly takes what is new in one piece, also where sets are parts of each other in a circle.
    """
    sets = postorder(changed, Growing.users, set())[::-1]
    numbers = {known: number for number, known in enumerate(sets)}
    waiting = [number for number, known in enumerate(sets) if known.new]
    direction = 1
    while waiting:
        ahead = sorted(number * direction for number in waiting)
        waiting = []
        while ahead:
            here = heappop(ahead)
            for user in sets[here * direction].give():
                place = numbers[user] * direction
                if place > here:
                    heappush(ahead, place)
                else:
                    waiting.append(numbers[user])
        direction = -direction
