"""CedarEntities: the entities of a workload in the form that Cedar reads."""

from collections.abc import Iterable
from typing import Any

from authz_service.facts.value import Value


def reference(value: Value) -> dict[str, dict[str, str]]:
    """Return `value` as the content of an attribute."""
    return {"__entity": uid(value)}


def uid(value: Value) -> dict[str, str]:
    return {"type": value.type, "id": value.id}


class CedarEntities:
    """Entities that grow by attributes and parents until all facts have been told."""

    def __init__(self) -> None:
        self._entities: dict[Value, dict[str, Any]] = {}

    def add(self, entities: Iterable[Value]) -> None:
        for value in entities:
            self.attributes(value)

    def attributes(self, value: Value) -> dict[str, Any]:
        """Return the attributes of `value`, to be filled."""
        attributes: dict[str, Any] = self._entity(value)["attrs"]
        return attributes

    def put_under(self, child: Value, parent: Value) -> None:
        self._entity(parent)
        self._entity(child)["parents"].append(uid(parent))

    def list(self) -> list[dict[str, Any]]:
        return list(self._entities.values())

    def _entity(self, value: Value) -> dict[str, Any]:
        if value not in self._entities:
            self._entities[value] = {"uid": uid(value), "attrs": {}, "parents": []}
        return self._entities[value]
