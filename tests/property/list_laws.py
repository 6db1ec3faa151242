"""The law of lists: a list has exactly what checks permit, and whole types where it has what nobody knows."""

from collections.abc import Iterable, Iterator, Sequence
from random import Random

from laws import STEPS, snapshots
from random_scenes import Facts
from schemas import NOW

from authz_service.engine.compiled import CompiledProgram
from authz_service.engine.program import Budget, Listed, Listing, Question
from authz_service.engine.reference import ReferenceProgram
from authz_service.facts.snapshot import FactSnapshot
from authz_service.polar.policy import Policy

LISTINGS = 9


def listings(policy: Policy, questions: Iterable[Question]) -> dict[str, Listing]:
    """Return all lists that `questions` are about, under what they ask for."""
    found = {}
    for actor, action, resource in questions:
        declared = policy.actions[resource.type]
        found[f"{actor} {action} {resource.type}"] = Listing.of_resources(
            actor, action, resource.type
        )
        found[f"{actor.type} {action} {resource}"] = Listing.of_actors(actor.type, action, resource)
        found[f"{actor} ? {resource}"] = Listing.of_actions(actor, resource, declared)
    return found


def expected(policy: Policy, asked: Sequence[Listing], facts: FactSnapshot) -> list[Listed]:
    return ReferenceProgram(policy).all_listed(asked, facts, NOW, Budget(STEPS))


def wrong_lists(
    program: CompiledProgram,
    asked: dict[str, Listing],
    facts: FactSnapshot,
    right: Sequence[Listed],
) -> Iterator[str]:
    """Yield the lists that are not as they should be, or for which there is no code."""
    for (name, one), wanted in zip(asked.items(), right, strict=True):
        try:
            found = program.listed(one, facts, NOW, Budget(STEPS))
        except Exception as error:  # noqa: BLE001 - whatever it is, it is no list
            yield f"{name} is {type(error).__name__}: {error}"
            continue
        if sorted(found.values) != sorted(wanted.values) or found[::2] != wanted[::2]:
            yield f"{name} is {found} and not {wanted}"
    yield from (f"{kind} was not compiled" for kind in program.uncompiled)


def broken_lists(random: Random, policy: Policy, drawn: Facts) -> Iterator[str]:
    """Yield the lists of some of the questions that are wrong, in whatever way the facts came about."""
    every = listings(policy, drawn.questions)
    asked = {name: every[name] for name in random.sample([*every], min(LISTINGS, len(every)))}
    facts = FactSnapshot(drawn.facts)
    right = expected(policy, [*asked.values()], facts)
    program = CompiledProgram(policy)
    for way, snapshot in (("stored", facts), *snapshots(random, drawn)):
        yield from (f"{way}: {wrong}" for wrong in wrong_lists(program, asked, snapshot, right))
