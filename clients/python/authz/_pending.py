"""Pending: an answer that is not there yet, and cannot be taken for one.

A plain coroutine is true. `if client.authorize(...)` with a forgotten `await` would permit
everything; a Pending raises instead, and also if it is compared with True or False.
"""

from collections.abc import Coroutine, Generator
from types import TracebackType
from typing import Any, NoReturn, TypeVar

Result = TypeVar("Result")


def refuse_bool(other: object) -> None:
    """Raise TypeError for True and False, from which an answer always differs, whatever it is."""
    if isinstance(other, bool):
        raise TypeError("an answer is no bool: ask `if decision`, or compare its `permitted`")


class Pending(Coroutine[Any, Any, Result]):
    """A coroutine whose truth is refused. Await it, or give it to a task, like any other."""

    __slots__ = ("_coroutine",)

    def __init__(self, coroutine: Coroutine[Any, Any, Result]) -> None:
        self._coroutine = coroutine

    def __bool__(self) -> NoReturn:
        raise TypeError("the answer is not there yet: write `await` in front of the call")

    def __eq__(self, other: object) -> bool:
        refuse_bool(other)
        return self is other

    __hash__ = object.__hash__

    def __await__(self) -> Generator[Any, Any, Result]:
        return self._coroutine.__await__()

    def send(self, value: Any, /) -> Any:  # noqa: ANN401 - as in Coroutine
        return self._coroutine.send(value)

    def throw(
        self,
        typ: Any,  # noqa: ANN401 - as in Coroutine, which has three overloads
        val: Any = None,  # noqa: ANN401
        tb: TracebackType | None = None,
        /,
    ) -> Any:  # noqa: ANN401
        return self._coroutine.throw(typ, val, tb)

    def close(self) -> None:
        self._coroutine.close()
