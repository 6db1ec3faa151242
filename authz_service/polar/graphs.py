"""Graphs: nodes in the order of a depth-first walk, and the groups of nodes that lie on circles together.

Without recursion, so that a chain of thousands of nodes is no deeper than others.
"""

from collections.abc import Callable, Hashable, Iterable, Sequence
from typing import TypeVar

N = TypeVar("N", bound=Hashable)


def postorder(roots: Iterable[N], targets: Callable[[N], Iterable[N]], seen: set[N]) -> list[N]:
    """Return what `roots` lead to and was not `seen`, each node behind those that it leads to.

    On a circle that cannot be, so one of its nodes comes before a node that it leads to.
    """
    found: list[N] = []
    for root in roots:
        path = [] if root in seen else [(root, iter(targets(root)))]
        seen.add(root)
        while path:
            node, ahead = path[-1]
            target = next((node for node in ahead if node not in seen), None)
            if target is None:
                found.append(node)
                path.pop()
            else:
                seen.add(target)
                path.append((target, iter(targets(target))))
    return found


def components(targets: Sequence[Iterable[int]]) -> list[list[int]]:
    """Return the strongly connected components, those first that others lead to (Sharir 1981)."""
    sources: list[list[int]] = [[] for _ in targets]
    for node, ahead in enumerate(targets):
        for target in ahead:
            sources[target].append(node)
    last_first = reversed(postorder(range(len(targets)), sources.__getitem__, set()))
    seen: set[int] = set()
    found = (postorder([node], targets.__getitem__, seen) for node in last_first)
    return [sorted(component) for component in found if component]
