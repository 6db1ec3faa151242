"""gdrive: documents in folders in folders, with owners, viewers and groups of viewers.

The paper's generator grants views to ids that no user and no group has, so that no view ever counts.
`AS_PUBLISHED` does the same; in `FIXED` views count.
"""

from collections.abc import Callable, Iterable, Iterator
from functools import partial
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

ACTIONS = (
    ("create_document", "Folder"),
    ("change_owner", "Document"),
    ("share", "Document"),
    ("write", "Document"),
    ("read", "Document"),
)

_OWNERS_ACTIONS = {
    "Document": ("read", "write", "share", "change_owner"),
    "Folder": ("read", "write", "share", "create_document"),
}


def nobody(type_: str, number: int) -> Value:
    """Return the id that the paper's generator takes for an entity's own, by mistake."""
    return Value(type_, str(number))


def facts(random: Random, size: Size, viewer: Callable[[str, int], Value]) -> Iterator[Fact]:
    for user, group in ties(random, size):
        yield has_group(entity("User", user), entity("Group", group))
    for resource in ("Document", "Folder"):
        for user, number in ties(random, size):
            yield has_role(entity("User", user), "owner", entity(resource, number))
        for actor in ("User", "Group"):
            for holder, number in ties(random, size):
                yield has_role(viewer(actor, holder), "viewer", entity(resource, number))
    for document, folder in ties(random, size):
        yield has_relation(entity("Document", document), "folder", entity("Folder", folder))
    for inner, outer in nesting(random, size):
        yield has_relation(entity("Folder", inner), "parent", entity("Folder", outer))
    for page in entities("Document", size):
        if random.random() < 0.5:
            yield Fact("is_public", (page,))


def cedar(known: Iterable[Fact], size: Size) -> list[dict[str, Any]]:
    found = CedarEntities()
    for user in entities("User", size):
        attributes = found.attributes(user)
        attributes |= {"view": reference(_view(user)), "documents": [], "folders": []}
    for document in entities("Document", size):
        found.attributes(document)["is_public"] = False
    for type_ in ("Folder", "Group"):
        found.add(entities(type_, size))
    for fact in known:
        _tell_cedar(fact, found)
    return found.list()


def _tell_cedar(fact: Fact, found: CedarEntities) -> None:
    first, last = fact.args[0], fact.args[-1]
    match fact.predicate, fact.args[1:2]:
        case "has_group", _:
            found.put_under(_view(last), _view(first))
        case "has_role", (Value(id="owner"),):
            found.attributes(first)[f"{last.type.lower()}s"].append(reference(last))
        case "has_role", _:
            found.put_under(last, _view(first))
        case "has_relation", _:
            found.put_under(first, last)
        case _:
            found.attributes(first)["is_public"] = True


def _view(holder: Value) -> Value:
    return Value(f"{holder.type}View", holder.id)


def casbin(known: Iterable[Fact]) -> Rows:
    rows: dict[str, list[list[str]]] = {"p": [], "g": [], "g2": []}
    for fact in known:
        first, last = str(fact.args[0]), str(fact.args[-1])
        match fact.predicate, fact.args[1:2]:
            case "has_group", _:
                rows["g"].append([first, last])
            case "has_role", (Value(id="owner"),):
                actions = _OWNERS_ACTIONS[fact.args[-1].type]
                rows["p"].extend([first, last, action] for action in actions)
            case "has_role", _:
                rows["p"].append([first, last, "read"])
            case "has_relation", _:
                rows["g2"].append([first, last])
            case _:
                rows["p"].append(["everyone", first, "read"])
    return rows


AS_PUBLISHED = Workload(
    name="gdrive as published",
    policy="gdrive",
    facts=partial(facts, viewer=nobody),
    facts_per_entity=21.6,
    actions=ACTIONS,
    cedar=cedar,
    casbin=casbin,
)
FIXED = AS_PUBLISHED._replace(name="gdrive fixed", facts=partial(facts, viewer=entity))
