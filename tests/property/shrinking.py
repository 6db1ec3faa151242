"""The smallest policy and facts, found by leaving things out, that two evaluators still see differently."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace

from rewriting import items_of

from authz_service.facts.fact import Fact
from authz_service.polar.printer import print_items
from authz_service.polar.syntax import And, Block, Item, Not, Or, Rule

Differs = Callable[[str, Sequence[Fact]], bool]

# An attempt takes some hundredths of a second.
ATTEMPTS = 600


def shrunk(text: str, facts: Sequence[Fact], differs: Differs) -> tuple[str, list[Fact]]:
    """Return a small policy and few facts for which `differs` still holds, as it does for those given."""
    left = ATTEMPTS
    kept = list(facts)
    is_smaller = True
    while is_smaller and left > 0:
        is_smaller = False
        for smaller_text, smaller_facts in _smaller(text, kept):
            left -= 1
            if left > 0 and differs(smaller_text, smaller_facts):
                text, kept, is_smaller = smaller_text, smaller_facts, True
                break
    return text, kept


def _smaller(text: str, facts: list[Fact]) -> Iterator[tuple[str, list[Fact]]]:
    if len(facts) > 3:
        yield text, facts[: len(facts) // 2]
        yield text, facts[len(facts) // 2 :]
    for index in range(len(facts)):
        yield text, facts[:index] + facts[index + 1 :]
    items = list(items_of(text))
    for index, item in enumerate(items):
        for fewer in ([], *([smaller] for smaller in _simpler(item))):
            yield print_items([*items[:index], *fewer, *items[index + 1 :]]), facts


def _simpler(item: Item) -> Iterator[Item]:
    match item:
        case Block():
            for index in range(len(item.shorthands)):
                yield replace(item, shorthands=_without(item.shorthands, index))
            for index in range(len(item.declarations)):
                yield replace(item, declarations=_without(item.declarations, index))
        case Rule(body=And(conditions) | Or(conditions)):
            for condition in conditions:
                yield replace(item, body=condition)
            if len(conditions) > 2:
                for index in range(len(conditions)):
                    fewer = replace(item.body, conditions=_without(conditions, index))
                    yield replace(item, body=fewer)
        case Rule(body=Not(inner)):
            yield replace(item, body=inner)


def _without(parts: tuple, index: int) -> tuple:
    return parts[:index] + parts[index + 1 :]
