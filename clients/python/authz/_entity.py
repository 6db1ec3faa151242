"""Entity: a thing that the policy talks about, such as `User:alice`."""

from dataclasses import dataclass
from typing import Self

from authz._text import malformed, quoted, require_name


@dataclass(frozen=True, slots=True)
class Entity:
    """A thing that the policy talks about: a person, a service, a document.

    Only what the text form needs is checked here; the service judges the rest, such as whether
    the policy knows the type.
    """

    type: str
    id: str

    def __post_init__(self) -> None:
        require_name(self.type, "an entity type")
        if not self.id:
            raise malformed(f"expected an id after `{self.type}:`, found nothing")

    @classmethod
    def parse(cls, text: str) -> Self:
        """Split `Type:id` at its first colon; everything behind it is the id, as it stands.

        `ns::User:alice` is refused: there are no namespaces, and guessing which colon was meant
        would silently name another entity.
        """
        type_name, colon, identifier = text.partition(":")
        if not colon:
            raise malformed(f"expected `Type:id`, found {quoted(text)}")
        if identifier.startswith(":"):
            raise malformed(f"expected `Type:id` without `::`, found {quoted(text)}")
        return cls(type_name, identifier)

    def __str__(self) -> str:
        return f"{self.type}:{self.id}"


def to_entity(entity: Entity | str) -> Entity:
    return entity if isinstance(entity, Entity) else Entity.parse(entity)
