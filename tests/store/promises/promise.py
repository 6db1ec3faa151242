"""Promise: what holds of a store on every database, as a function that fails where it does not."""

from collections.abc import Callable

from world import World

Promise = Callable[[World], None]
PROMISES: list[Promise] = []


def promise(function: Promise) -> Promise:
    PROMISES.append(function)
    return function
