"""The `oso` library as its manual shows it: objects of the application, which rules look into.

A relation is a list of objects, roles are sets of resources by the role's name.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING

from authz_service.engine.program import Question
from authz_service.facts.fact import Fact
from authz_service.facts.value import Value
from contenders.contender import Asked, Limits, one_by_one
from workloads.workload import Store, entity

if TYPE_CHECKING:
    from oso import Oso


class Entity:
    """What objects of all types have in common. Equal only to itself."""

    def __init__(self) -> None:
        self.is_public = False
        self.groups: list[Entity] = []
        self.roles: dict[str, set[Entity]] = defaultdict(set)
        self.folder: list[Entity] = []
        self.parent: list[Entity] = []
        self.owner: list[Entity] = []
        self.readers: list[Entity] = []
        self.editors: list[Entity] = []

    def holds(self, role: str, resource: "Entity") -> bool:
        return resource in self.roles.get(role, ())


class OsoObjects:
    """The library with objects."""

    name = "oso objects"

    def __init__(self, limits: Limits) -> None:
        self.limits = limits

    def load(self, store: Store) -> Asked:
        from oso import Oso  # noqa: PLC0415 - may be absent

        oso = Oso()
        objects = _Objects()
        for type_ in ("User", "Group", "Team", "Organization", "Application"):
            oso.register_class(objects.type(type_), name=type_)  # type: ignore[no-untyped-call]
        for type_ in ("Folder", "Document", "Repository", "TaskList"):
            oso.register_class(objects.type(type_), name=type_)  # type: ignore[no-untyped-call]
        oso.load_str(store.workload.text("oso"))
        objects.tell(store.facts)
        return lambda questions: one_by_one(objects.asking(oso), questions)


class _Objects:
    """The objects that stand for entities."""

    def __init__(self) -> None:
        self._types: dict[str, type[Entity]] = {}
        self._objects: dict[Value, Entity] = {}

    def type(self, name: str) -> type[Entity]:
        return self._types.setdefault(name, type(name, (Entity,), {}))

    def of(self, value: Value) -> Entity:
        if value not in self._objects:
            self._objects[value] = self.type(value.type)()
        return self._objects[value]

    def tell(self, facts: Iterable[Fact]) -> None:
        for fact in facts:
            first, last = self.of(fact.args[0]), self.of(fact.args[-1])
            match fact.predicate:
                case "has_group":
                    first.groups.append(last)
                case "has_role":
                    first.roles[fact.args[1].id].add(last)
                case "has_relation":
                    getattr(first, fact.args[1].id).append(last)
                case _:
                    first.is_public = True

    def asking(self, oso: "Oso") -> Callable[[Question], bool]:
        objects, nobody = self._objects, self.of(entity("User", -1))

        def ask(question: Question) -> bool:
            actor = objects.get(question.actor, nobody)
            resource = self.of(question.resource)
            permitted: bool = oso.is_allowed(actor, question.action, resource)
            return permitted

        return ask
