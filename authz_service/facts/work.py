"""Work: what is done a part at a time, so that a thread that does so beside others can give way to them."""

from collections.abc import Callable, Generator
from typing import TypeVar

T = TypeVar("T")

Work = Generator[None, None, T]
"""What returns a T in the end, and yields between parts of about a millisecond."""


def done_unless_stopped(work: Work[T], goes_on: Callable[[], bool]) -> T | None:
    """Do what `done` does, but end it, and return None, once the rest after a part says not to go on."""
    while True:
        try:
            next(work)
        except StopIteration as end:
            result: T = end.value
            return result
        if not goes_on():
            return None


def done(work: Work[T], rest: Callable[[], object] = lambda: None) -> T:
    """Do all of `work`, with a rest after each part, and return what it returns."""
    while True:
        try:
            next(work)
        except StopIteration as end:
            result: T = end.value
            return result
        rest()
