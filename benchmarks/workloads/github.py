"""github: repositories of organizations, with roles that users, teams and organizations hold."""

from collections.abc import Iterable, Iterator
from random import Random
from typing import Any

from authz_service.facts.fact import Fact
from authz_service.facts.value import Value
from workloads.cedar_entities import CedarEntities, reference
from workloads.workload import (
    Rows,
    Size,
    Workload,
    entities,
    entity,
    has_group,
    has_relation,
    has_role,
    nesting,
    ties,
)

ACTIONS = ("read", "triage", "write", "maintain", "admin_repository")

_ROLES = {
    "Repository": ("reader", "triager", "writer", "maintainer", "admin"),
    "Organization": ("reader", "writer", "admin"),
}
_PERMITTED = {
    "reader": ACTIONS[:1],
    "triager": ACTIONS[:2],
    "writer": ACTIONS[:3],
    "maintainer": ACTIONS[:4],
    "admin": ACTIONS,
}


def facts(random: Random, size: Size) -> Iterator[Fact]:
    for holder, resource in (
        ("Organization", "Organization"),
        ("User", "Organization"),
        ("Team", "Repository"),
        ("User", "Repository"),
    ):
        for actor, number in ties(random, size):
            role = random.choice(_ROLES[resource])
            yield has_role(entity(holder, actor), role, entity(resource, number))
    for group in ("Team", "Organization"):
        for user, number in ties(random, size):
            yield has_group(entity("User", user), entity(group, number))
    for inner, outer in nesting(random, size):
        yield has_group(entity("Team", inner), entity("Team", outer))
    for repository in entities("Repository", size):
        owner = entity("Organization", random.randrange(size.entities))
        yield has_relation(repository, "owner", owner)


def cedar(known: Iterable[Fact], size: Size) -> list[dict[str, Any]]:
    found = CedarEntities()
    for type_, roles in _ROLES.items():
        for resource in entities(type_, size):
            for role in roles:
                found.attributes(resource)[role] = reference(_holders(role, resource))
    for fact in known:
        first, last = fact.args[0], fact.args[-1]
        match fact.predicate:
            case "has_role":
                found.put_under(first, _holders(fact.args[1].id, last))
            case "has_group":
                found.put_under(first, last)
            case _:
                found.attributes(first)["owner"] = reference(last)
    for type_ in ("User", "Team"):
        found.add(entities(type_, size))
    return found.list()


def _holders(role: str, resource: Value) -> Value:
    return Value(f"{resource.type}Permission", f"{role} of {resource.id}")


def casbin(known: Iterable[Fact]) -> Rows:
    rows: dict[str, list[list[str]]] = {"p": [], "g": [], "g2": []}
    for fact in known:
        first, last = str(fact.args[0]), str(fact.args[-1])
        match fact.predicate:
            case "has_role":
                actions = _PERMITTED[fact.args[1].id]
                rows["p"].extend([first, last, action] for action in actions)
            case "has_group":
                rows["g"].append([first, last])
            case _:
                rows["g2"].append([first, last])
    return rows


WORKLOAD = Workload(
    name="github",
    policy="github",
    facts=facts,
    facts_per_entity=17.2,
    actions=[(action, "Repository") for action in ACTIONS],
    cedar=cedar,
    casbin=casbin,
)
