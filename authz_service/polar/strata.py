"""Strata: rules grouped so that whatever a rule negates is complete before the rule runs.

Predicates that depend on each other in a circle share a stratum. Where a `not` is part of such a circle,
its rules are looked at one by one: rule A depends on rule B if a fact that B derives may be what a
condition of A asks for; predicate, literals and types are compared, so permission "view" may depend on
`not` permission "blocked" of the same type. A circle of rules through `not` has no meaning and is refused.
"""

from collections.abc import Iterator, Sequence

from authz_service.polar.diagnostic import Diagnostic
from authz_service.polar.goals import Rule, Variable, atoms
from authz_service.polar.graphs import components
from authz_service.polar.matching import MatchIndex, args_of, bits, mask_of

_Key = tuple[str, int]


def stratify(rules: Sequence[Rule], findings: list[Diagnostic]) -> tuple[tuple[Rule, ...], ...]:
    """Return the strata, lowest first; recursion through negation goes to `findings`."""
    by_predicate: dict[_Key, list[Rule]] = {}
    for rule in rules:
        by_predicate.setdefault(rule.head.key, []).append(rule)
    strata: list[tuple[Rule, ...]] = []
    for group in _groups_of_predicates(by_predicate):
        members = [rule for key in group for rule in by_predicate[key]]
        denied = {atom.key for rule in members for atom, negated in atoms(rule.body) if negated}
        if not denied.isdisjoint(group):
            strata += _groups_of_rules(members, findings)
        else:
            strata.append(tuple(members))
    return tuple(strata)


def _groups_of_predicates(by_predicate: dict[_Key, list[Rule]]) -> list[list[_Key]]:
    """Return the predicates that depend on each other in a circle, dependencies first."""
    keys = list(by_predicate)
    numbers = {key: number for number, key in enumerate(keys)}
    edges = []
    for key in keys:
        asked = dict.fromkeys(
            atom.key for rule in by_predicate[key] for atom, _ in atoms(rule.body)
        )
        edges.append([numbers[key] for key in asked if key in numbers])
    return [[keys[number] for number in component] for component in components(edges)]


def _groups_of_rules(
    rules: Sequence[Rule], findings: list[Diagnostic]
) -> Iterator[tuple[Rule, ...]]:
    """Yield the rules that depend on each other in a circle, dependencies first."""
    used, negated = _dependencies(rules)
    for component in _components(used):
        members = mask_of(component)
        for index in component:
            denied = negated[index] & members
            if denied:
                findings.append(_finding(rules, used, index, next(bits(denied)), members))
                break
        yield tuple(rules[index] for index in component)


def _dependencies(rules: Sequence[Rule]) -> tuple[list[int], list[int]]:
    """Return for each rule, as bits, the rules that it depends on, and those of them that it negates."""
    heads: dict[_Key, MatchIndex] = {}
    for index, rule in enumerate(rules):
        group = heads.setdefault(rule.head.key, MatchIndex(len(rule.head.args)))
        group.add(index, args_of(rule.head, rule.types))
    used: list[int] = []
    negated: list[int] = []
    for rule in rules:
        found = {True: 0, False: 0}
        for atom, is_negated in atoms(rule.body):
            if atom.key in heads:
                found[is_negated] |= heads[atom.key].matching(args_of(atom, rule.types))
        used.append(found[True] | found[False])
        negated.append(found[True])
    return used, negated


def _components(edges: Sequence[int]) -> list[list[int]]:
    """Return the strongly connected components, dependencies first (Gabow 2000, without recursion).

    There may be millions of edges. They are bits, so that each step looks at all targets at once.
    """
    components: list[list[int]] = []
    unvisited = (1 << len(edges)) - 1
    stack: list[int] = []
    # Where each part that may become a component begins in the stack, and as bits what lies below it.
    parts: list[tuple[int, int]] = []
    on_stack = 0
    while unvisited:
        work = [next(bits(unvisited))]
        while work:
            node = work[-1]
            if unvisited >> node & 1:
                parts.append((len(stack), on_stack))
                stack.append(node)
                on_stack |= 1 << node
                unvisited ^= 1 << node
            ahead = edges[node] & unvisited
            if ahead:
                work.append(next(bits(ahead)))
                continue
            work.pop()
            while edges[node] & parts[-1][1]:
                parts.pop()
            begin, below = parts[-1]
            if stack[begin] == node:
                components.append(sorted(stack[begin:]))
                del stack[begin:]
                parts.pop()
                on_stack = below
    return components


def _finding(
    rules: Sequence[Rule], used: Sequence[int], start: int, negated: int, members: int
) -> Diagnostic:
    path = _path(used, negated, start, members)
    steps = [_shown(rules[start]), f"not {_shown(rules[negated])}"]
    steps += [_shown(rules[index]) for index in path[1:]]
    return Diagnostic(
        "P402",
        f"this rule depends on its own negation: {' -> '.join(steps)}",
        rules[start].span,
        "break the circle, for example with a name of its own for what is denied",
    )


def _path(used: Sequence[int], start: int, end: int, members: int) -> list[int]:
    """Return a shortest path from `start` to `end` inside of `members`."""
    previous: dict[int, int] = {}
    unseen = members & ~(1 << start)
    queue = [start]
    for node in queue:
        if node == end:
            break
        for target in bits(used[node] & unseen):
            previous[target] = node
            queue.append(target)
        unseen &= ~used[node]
    path = [end]
    while path[-1] != start:
        path.append(previous[path[-1]])
    return path[::-1]


def _shown(rule: Rule) -> str:
    literals = [str(arg) for arg in rule.head.args if not isinstance(arg, Variable)]
    return f"{rule.head.predicate}({', '.join(literals)})" if literals else rule.head.predicate
