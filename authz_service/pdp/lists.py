"""Lists: for which values of a type the policy says yes. Made whole, in one order, and kept for pages.

Rule 1: a list is whole, or an error. Nothing of it is known before.
Rule 2: it has the ids in the order of their bytes, whichever process or engine makes it, so that pages of any
    size put together are the list.
Rule 3: a list depends on state, time, what is listed and context facts, and is known by all of them.
Rule 4: what is kept is bounded in bytes and in time. A list that is gone is made again, of the same state.
"""

import time
from bisect import bisect
from collections import OrderedDict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import chain, repeat
from typing import assert_never

from authz_service.engine.program import Listing
from authz_service.facts.fact import Fact
from authz_service.facts.instant import Instant
from authz_service.facts.revision import ConsistencyToken
from authz_service.facts.value import Value
from authz_service.pdp.decide import Moment
from authz_service.pdp.long_work import Caller, LongBudget, LongWork
from authz_service.polar.policy import Policy

_KEPT_BYTES = 64 * 2**20
_KEPT_SECONDS = 60.0

_BYTES_OF_AN_ID = 100
"""A str has 49 bytes and its characters, the tuple 8 for it. Mostly the facts in memory have the same str."""

_BYTES_OF_A_FACT = 1000

_LIMIT = (
    "the list needed more than {} steps; ask for something narrower, simplify the policy, or raise "
    "`list_steps`"
)

_AT_ONCE = 1000
"""Sorting is one step of the interpreter, in which no other thread runs: with so many it takes a quarter of a
millisecond."""


@dataclass(frozen=True, slots=True)
class ResourceList:
    """The resources of one type on which `actor` may perform `action`."""

    actor: Value
    action: str
    resource_type: str

    def check(self, policy: Policy) -> None:
        policy.check_type(self.actor.type, "actor.type")
        policy.check_actor(self.actor.type, "actor.type")
        policy.check_type(self.resource_type, "resource_type")
        policy.check_action(self.action, self.resource_type)


@dataclass(frozen=True, slots=True)
class ActorList:
    """The actors of one type that may perform `action` on `resource`."""

    actor_type: str
    action: str
    resource: Value

    def check(self, policy: Policy) -> None:
        policy.check_type(self.actor_type, "actor_type")
        policy.check_actor(self.actor_type, "actor_type")
        policy.check_type(self.resource.type, "resource.type")
        policy.check_action(self.action, self.resource.type)


@dataclass(frozen=True, slots=True)
class ActionList:
    """The actions that `actor` may perform on `resource`."""

    actor: Value
    resource: Value

    def check(self, policy: Policy) -> None:
        policy.check_type(self.actor.type, "actor.type")
        policy.check_actor(self.actor.type, "actor.type")
        policy.check_type(self.resource.type, "resource.type")


AnyList = ResourceList | ActorList | ActionList
"""What can be listed. `check` raises UnknownType or UnknownAction unless the policy can mean it."""


@dataclass(frozen=True, slots=True)
class List:
    """The ids that answer a listing, or if `is_any_except`, those that do not, of all that there can be."""

    ids: Sequence[str]
    is_any_except: bool
    policy_version: int
    memory: int
    """About how many bytes it takes."""


@dataclass(frozen=True, slots=True)
class ListKey:
    """All that a list depends on."""

    state: ConsistencyToken
    evaluated_at: Instant
    wanted: AnyList
    context_facts: tuple[Fact, ...]


def key_of(moment: Moment, wanted: AnyList, context_facts: tuple[Fact, ...]) -> ListKey:
    """Return what the list of `wanted` at `moment` is known by."""
    return ListKey(moment.state.token, moment.evaluated_at, wanted, context_facts)


class Lists:
    """Makes lists in threads, and keeps those that are read in pages. `list_steps` bounds the work for one."""

    def __init__(
        self,
        work: LongWork,
        *,
        list_steps: int,
        kept_bytes: int = _KEPT_BYTES,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._work = work
        self._list_steps = list_steps
        self._most_bytes = kept_bytes
        self._clock = clock
        self._kept: OrderedDict[ListKey, tuple[float, List]] = OrderedDict()
        self._bytes = 0

    @property
    def kept_bytes(self) -> int:
        """About how much memory the lists take that are kept."""
        return self._bytes

    async def made(self, moment: Moment, wanted: AnyList, context_facts: tuple[Fact, ...]) -> List:
        """Return the list of `wanted` at `moment`, as if `context_facts` were stored as well.

        Raises UnknownType, UnknownAction or UnusableFact if it cannot be meant so, EvaluationLimitReached,
        and EngineUnsupported if the engine cannot list.
        """
        wanted.check(moment.policy.loaded.policy)
        return await self._work.run(partial(_made, moment, wanted, context_facts, self._list_steps))

    def kept(self, key: ListKey) -> List | None:
        """Return the list of this key if it is kept, and keep it on."""
        found = self._kept.get(key)
        if found is None:
            return None
        self._kept[key] = self._clock(), found[1]
        self._kept.move_to_end(key)
        return found[1]

    def keep(self, key: ListKey, made: List) -> None:
        """Keep a list whose next page may be asked for. One that is too large for that is not kept."""
        if made.memory > self._most_bytes or key in self._kept:
            return
        self._kept[key] = self._clock(), made
        self._bytes += made.memory
        while self._bytes > self._most_bytes:
            self._forget(next(iter(self._kept)))

    def forget_idle(self) -> None:
        """Let go of lists that nobody has read for a while."""
        oldest = self._clock() - _KEPT_SECONDS
        for key in [key for key, (read, *_) in self._kept.items() if read < oldest]:
            self._forget(key)

    def _forget(self, key: ListKey) -> None:
        self._bytes -= self._kept.pop(key)[1].memory


def _made(
    moment: Moment, wanted: AnyList, context_facts: tuple[Fact, ...], steps: int, caller: Caller
) -> List:
    facts = moment.facts_with(context_facts)
    now = moment.second
    budget = LongBudget(steps, caller, _LIMIT.format(steps))
    policy, program = moment.policy.loaded
    match wanted:
        case ResourceList(actor, action, type_name):
            asked = Listing.of_resources(actor, action, type_name)
        case ActorList(type_name, action, resource):
            asked = Listing.of_actors(type_name, action, resource)
        case ActionList(actor, resource):
            asked = Listing.of_actions(actor, resource, policy.actions[resource.type])
        case _:
            assert_never(wanted)
    listed = program.listed(asked, facts, now, budget)
    ids = in_order(listed.ids, caller.give_way)
    size = _BYTES_OF_AN_ID * len(ids) + _BYTES_OF_A_FACT * (1 + len(context_facts))
    return List(ids, listed.is_any_except, moment.policy.version.version, size)


def in_order(ids: Sequence[str], give_way: Callable[[], None]) -> Sequence[str]:
    """Return `ids` sorted by their bytes, in steps that are short for other threads.

    UTF-8 has the order of code points, and so has str.
    """
    bounds = sorted(ids[_AT_ONCE::_AT_ONCE])
    parts: list[list[str]] = [[] for _ in range(len(bounds) + 1)]
    for start in range(0, len(ids), _AT_ONCE):
        some = ids[start : start + _AT_ONCE]
        for place, id_ in zip(map(bisect, repeat(bounds), some), some, strict=True):
            parts[place].append(id_)
        give_way()
    return tuple(chain.from_iterable(_sorted(parts, give_way)))


def _sorted(parts: list[list[str]], give_way: Callable[[], None]) -> Iterator[list[str]]:
    for part in parts:
        part.sort()
        yield part
        give_way()
