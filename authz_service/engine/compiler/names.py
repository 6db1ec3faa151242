"""Names and comments of generated code: from what an author wrote, and never more than a name or a comment."""

import builtins
import re
from keyword import kwlist, softkwlist

from authz_service.polar.source import Span

# What every generated module finds in its globals, and what its functions call their own things.
GLOBALS = (
    *("INTEGERS", "INTEGER_ZERO", "TYPE_SHIFT", "FEW", "meet", "has_alike", "spend"),
    *("tables_of", "tried_of", "forget"),
)
_OWN = (
    *("facts", "steps", "now", "run", "table", "tables", "saved", "answer", "key"),
    *("found", "tried", "todo", "known", "members", "start", "starts", "is_whole", "is_new"),
)
_RESERVED = frozenset({*kwlist, *softkwlist, *dir(builtins), *GLOBALS, *_OWN})
_MAX_NAME = 60
_MAX_COMMENT = 90


class Names:
    """Identifiers, each given once, and none that `others` have given."""

    def __init__(self, *others: "Names") -> None:
        self.taken: set[str] = set()
        self._others = others
        self._numbers: dict[str, int] = {}

    def new(self, wish: str, *apart: "Names") -> str:
        """Return an ASCII identifier like `wish` that was not given before, nor by `apart`."""
        stem = name = identifier(wish)
        while name in _RESERVED or any(name in n.taken for n in (self, *self._others, *apart)):
            self._numbers[stem] = number = self._numbers.get(stem, 1) + 1
            name = f"{stem}_{number}"
        self.taken.add(name)
        return name


def identifier(text: str) -> str:
    """Return an ASCII identifier that looks like `text`; others may get the same one."""
    words = re.sub(r"[^A-Za-z0-9]+", "_", text).strip("_")[:_MAX_NAME].rstrip("_")
    return words if words and not words[0].isdigit() else f"_{words}" if words else "any"


def comment(text: str) -> str:
    """Return `text` as a comment of one line."""
    # Whatever ends a line, for Python or for a terminal, is not printable.
    shown = "".join(c if c.isprintable() else " " for c in text)
    return f"# {shown[:_MAX_COMMENT]}{'...' if len(shown) > _MAX_COMMENT else ''}"


def origin(span: Span) -> str:
    """Return a comment that says where the rule is and how it begins."""
    if span.source.is_built_in:
        return comment(span.text)
    return comment(f"{span.source.name}:{span.line}  {span.text.splitlines()[0]}")
