"""Strata: rules grouped so that whatever a rule negates is complete before the rule runs.

Rule A depends on rule B if a fact that B derives may be what a condition of A asks for; predicate,
literals and types are compared, so permission "view" may depend on `not` permission "blocked" of the
same type. Rules that depend on each other in a circle share a stratum; a circle through `not` has no
meaning and is refused.
"""

from collections.abc import Sequence

from authz_service.polar.diagnostic import Diagnostic
from authz_service.polar.goals import Rule, Variable, atoms
from authz_service.polar.safety import may_match

_Edges = list[dict[int, bool]]


def stratify(rules: Sequence[Rule], findings: list[Diagnostic]) -> tuple[tuple[Rule, ...], ...]:
    """Return the strata, lowest first; recursion through negation goes to `findings`."""
    edges = _dependencies(rules)
    components = _components(edges)
    for component in components:
        members = set(component)
        for index in component:
            negated = [t for t, is_negated in edges[index].items() if is_negated and t in members]
            if negated:
                findings.append(_finding(rules, edges, index, negated[0], members))
                break
    return tuple(tuple(rules[index] for index in component) for component in components)


def _dependencies(rules: Sequence[Rule]) -> _Edges:
    """Return for each rule the rules it depends on, and whether through a negation."""
    by_predicate: dict[tuple[str, int], list[int]] = {}
    for index, rule in enumerate(rules):
        by_predicate.setdefault((rule.head.predicate, len(rule.head.args)), []).append(index)
    edges: _Edges = []
    for rule in rules:
        targets: dict[int, bool] = {}
        for atom, negated in atoms(rule.body):
            for target in by_predicate.get((atom.predicate, len(atom.args)), ()):
                if may_match(atom, rule.types, rules[target].head, rules[target].types):
                    targets[target] = targets.get(target, False) or negated
        edges.append(targets)
    return edges


def _components(edges: _Edges) -> list[list[int]]:
    """Return the strongly connected components, dependencies first (Tarjan 1972, without recursion)."""
    order: dict[int, int] = {}
    low: dict[int, int] = {}
    stack: list[int] = []
    on_stack: set[int] = set()
    components: list[list[int]] = []
    for root in range(len(edges)):
        if root in order:
            continue
        work = [(root, iter(edges[root]))]
        order[root] = low[root] = len(order)
        stack.append(root)
        on_stack.add(root)
        while work:
            node, targets = work[-1]
            for target in targets:
                if target not in order:
                    order[target] = low[target] = len(order)
                    stack.append(target)
                    on_stack.add(target)
                    work.append((target, iter(edges[target])))
                    break
                if target in on_stack:
                    low[node] = min(low[node], order[target])
            else:
                work.pop()
                if work:
                    parent = work[-1][0]
                    low[parent] = min(low[parent], low[node])
                if low[node] == order[node]:
                    position = stack.index(node)
                    components.append(sorted(stack[position:]))
                    on_stack.difference_update(stack[position:])
                    del stack[position:]
    return components


def _finding(
    rules: Sequence[Rule], edges: _Edges, start: int, negated: int, members: set[int]
) -> Diagnostic:
    path = _path(edges, negated, start, members)
    steps = [_shown(rules[start]), f"not {_shown(rules[negated])}"]
    steps += [_shown(rules[index]) for index in path[1:]]
    return Diagnostic(
        "P402",
        f"this rule depends on its own negation: {' -> '.join(steps)}",
        rules[start].span,
        "break the circle, for example with a name of its own for what is denied",
    )


def _path(edges: _Edges, start: int, end: int, members: set[int]) -> list[int]:
    """Return a shortest path from `start` to `end` inside of `members`."""
    previous: dict[int, int] = {}
    queue = [start]
    for node in queue:
        if node == end:
            break
        for target in edges[node]:
            if target in members and target not in previous and target != start:
                previous[target] = node
                queue.append(target)
    path = [end]
    while path[-1] != start:
        path.append(previous[path[-1]])
    return path[::-1]


def _shown(rule: Rule) -> str:
    literals = [str(arg) for arg in rule.head.args if not isinstance(arg, Variable)]
    return f"{rule.head.predicate}({', '.join(literals)})" if literals else rule.head.predicate
