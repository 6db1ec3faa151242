"""tinytodo: lists of tasks, shared with teams. Tasks play no part in the policy, and are left out."""

from collections.abc import Iterable, Iterator
from random import Random
from typing import Any

from authz_service.facts.fact import Fact
from workloads.cedar_entities import CedarEntities, reference
from workloads.workload import (
    Rows,
    Size,
    Workload,
    entities,
    entity,
    has_group,
    has_relation,
    nesting,
    ties,
)

APPLICATION = entity("Application", 0)
EVERYONES_ACTIONS = ("create_list", "get_lists")
EDITORS_ACTIONS = ("get_list", "update_list", "create_task", "update_task", "delete_task")
OWNERS_ACTIONS = (*EDITORS_ACTIONS, "delete_list", "edit_shares")

_PERMITTED = {"owner": OWNERS_ACTIONS, "editors": EDITORS_ACTIONS, "readers": ("get_list",)}


def facts(random: Random, size: Size) -> Iterator[Fact]:
    for user, team in ties(random, size):
        yield has_group(entity("User", user), entity("Team", team))
    for inner, outer in nesting(random, size):
        yield has_group(entity("Team", inner), entity("Team", outer))
    for list_ in entities("TaskList", size):
        for name, type_ in (("owner", "User"), ("readers", "Team"), ("editors", "Team")):
            yield has_relation(list_, name, entity(type_, random.randrange(size.entities)))


def cedar(known: Iterable[Fact], size: Size) -> list[dict[str, Any]]:
    found = CedarEntities()
    found.add([APPLICATION, *entities("User", size), *entities("Team", size)])
    for fact in known:
        first, last = fact.args[0], fact.args[-1]
        if fact.predicate == "has_group":
            found.put_under(first, last)
        else:
            found.attributes(first)[fact.args[1].id] = reference(last)
    return found.list()


def casbin(known: Iterable[Fact]) -> Rows:
    everyones = [["everyone", str(APPLICATION), action] for action in EVERYONES_ACTIONS]
    rows: dict[str, list[list[str]]] = {"p": everyones, "g": []}
    for fact in known:
        first, last = str(fact.args[0]), str(fact.args[-1])
        if fact.predicate == "has_group":
            rows["g"].append([first, last])
        else:
            rows["p"].extend([last, first, action] for action in _PERMITTED[fact.args[1].id])
    return rows


WORKLOAD = Workload(
    name="tinytodo",
    policy="tinytodo",
    facts=facts,
    facts_per_entity=6.7,
    actions=[
        *((action, "Application") for action in EVERYONES_ACTIONS),
        *((action, "TaskList") for action in OWNERS_ACTIONS),
    ],
    cedar=cedar,
    casbin=casbin,
)
