"""Pages of facts, in the order of facts."""

from collections.abc import Sequence
from heapq import nsmallest
from typing import NamedTuple

from authz_service.facts.fact import Fact, FactPattern
from authz_service.facts.snapshot import FactSnapshot


class Page(NamedTuple):
    """Facts in order, and whether further ones follow."""

    facts: Sequence[Fact]
    has_more: bool


def page_of(facts: FactSnapshot, pattern: FactPattern, size: int, after: Fact | None) -> Page:
    """Return the first `size` facts that match and come after `after`.

    Costs a look at every fact of the pattern's predicate. A fact that is stored while all pages are
    read is on exactly one of them, whatever is written in between.
    """
    following = (fact for fact in facts.matching(pattern) if after is None or fact > after)
    found = nsmallest(size + 1, following)
    return Page(found[:size], has_more=len(found) > size)
