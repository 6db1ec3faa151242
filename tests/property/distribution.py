"""What random policies, facts and questions contain: constructs of the language, and shapes of the data.

Seen in the text where grammar is meant, in the checked rules where meaning is, and in the facts.
"""

import re
from collections.abc import Iterable, Iterator, Sequence
from itertools import combinations

from rewriting import items_of

from authz_service.engine.program import Question
from authz_service.engine.verification import STRANGER, named_values
from authz_service.facts.fact import Fact
from authz_service.facts.value import INTEGER, PRIMITIVE_TYPES, STRING, Value
from authz_service.polar.goals import (
    Atom,
    Conjunction,
    Disjunction,
    Goal,
    Membership,
    Negation,
    Rule,
    Variable,
    atoms,
    leaves,
    variables,
)
from authz_service.polar.graphs import components
from authz_service.polar.policy import Policy
from authz_service.polar.syntax import Block, Item, Shorthand
from authz_service.polar.syntax import Rule as RuleSyntax
from authz_service.polar.syntax import Variable as VariableSyntax

Node = tuple[str, int, str | None]

SHORTHAND = {
    '"a" if "b"': r'^"[^ ]+" if "[^ ]+";',
    '"a" if "b" on "r"': r'" on "',
    '"a" if "r" on resource': r"on resource",
    "role if role on": r"^role if role on",
    "permission if permission on": r"^permission if permission on",
    '"a" if role': r'^".* role(?! on)[ ;)]',
    '"a" if role on': r'^".* role on',
    '"a" if global': r'^".*global "',
    "permission if global": r"^permission if global",
    "shorthand call": r"\(.*(actor|resource)[,)]",
    "role if call": r"^role if \w+\(",
    "shorthand and": r" and ",
    "shorthand or": r" or ",
}
LONGHAND = {
    "not p": r"not [a-z]\w*\(",
    "not (...)": r"not \(",
    "not not": r"not not",
    "not under not": r"not \(.*not ",
    "or": r" or ",
    "or under not": r"not \([^;]* or ",
    "<": r" < ", "<=": r" <= ", ">": r" > ", ">=": r" >= ", "=": r" = ", "!=": r" != ",
    "in": r" in \[",
    "matches": r"matches \w",
    "matches abstract": r"matches Resource",
    "matches!": r"matches!",
    "@current_unix_time": r"@current",
    "@current_unix_time in a head": r"^\w+\([^)]*@current",
    "true as condition": r"(and|if|\() ?true[ ;)]",
    "false as condition": r"(and|if|\() ?false[ ;)]",
    "_ in a head": r"^\w+\([^)]*_[:,)]",
    "_ in a condition": r" if .*[(,] ?_[,)]",
    "object literal": r'\w\{"',
    "object literal in a head": r'^\w+\([^)]*\w\{"',
    "Boolean literal": r"[(,] ?(true|false)[,)]|= (true|false)",
    "negative Integer": r"-\d",
    "Integer of 64 bits": r"\d{12}",
    "text beyond ASCII": r"[^\x00-\x7f]",
    "declare": r"^declare",
    "declare abstract": r"^declare.*(Actor|Resource)",
    "declare has_permission": r"^declare has_permission",
    "rule for a role": r"^has_role",
    "rule for a permission": r"^has_permission",
    "permission that is any String": r"^has_permission\(\w+: User, \w+: String",
    "own allow": r"^allow",
    "allow that asks allow": r"^allow.*allow\(",
    "no arguments": r"\w\(\)",
}  # fmt: skip
SEPARATORS = set('",:()\\ |#{}')
FIXED = {"has_permission", "has_role", "has_relation", "allow"}

# What no pattern finds; a name that is missing here shows when it is seen.
FOUND = {
    "String with separators", "wildcard fact", "fact in the policy", "variable without a type",
    "actor block", "resource block", "global block", "extends", "extends several", "shorthand in global",
    "shorthand for a relation", "4 arguments", "5 arguments", "several arities of a name",
    "recursion", "recursion, linear", "recursion, not linear", "recursion first", "recursion last",
    "recursion of several predicates", "recursion with an output", "negation within recursion",
    "negation over recursion", "negation of the same predicate, other literal", "rule about every value",
    "a type twice in a head", "a variable twice in a head", "a variable twice in a condition",
    "for all (not ... not)", "in under not", "deep nesting",
    "data: no facts", "data: ids with separators", "data: ids beyond ASCII", "data: ids like other values",
    "data: negative Integers", "data: Integers beyond 32 bits", "data: circle", "data: circle of one",
    "data: long path", "data: diamond", "question about a stranger", "question about oneself",
    "question about nothing in the facts", "action with separators",
}  # fmt: skip
EVERY_CONSTRUCT = {*SHORTHAND, *LONGHAND, *FOUND}


def constructs(
    text: str, policy: Policy, facts: Sequence[Fact], questions: Iterable[Question]
) -> set[str]:
    """Return the names of all that is in these."""
    return {
        *_in_text(text),
        *_in_rules(policy),
        *_in_facts(facts),
        *_in_questions(questions, facts),
    }


def _in_text(text: str) -> Iterator[str]:
    items = items_of(text)
    yield from _in_heads(items)
    blocks = [item for item in items if isinstance(item, Block)]
    lines = [_line(s) for block in blocks for s in block.shorthands]
    shorthand = "\n".join(lines)
    longhand = "\n".join(line for line in text.splitlines() if re.match(r"\w+\(|declare", line))
    for patterns, found in ((SHORTHAND, shorthand), (LONGHAND, longhand)):
        for name, pattern in patterns.items():
            if re.search(pattern, found, flags=re.MULTILINE):
                yield name
    for block in blocks:
        yield f"{block.keyword} block"
        if block.parents:
            yield "extends" if len(block.parents) == 1 else "extends several"
        if block.keyword == "global" and block.shorthands:
            yield "shorthand in global"
        names = [n.text for d in block.declarations if d.kind == "relations" for n in d.names]
        if any(s.head.text in names for s in block.shorthands if hasattr(s.head, "text")):
            yield "shorthand for a relation"


def _line(shorthand: Shorthand) -> str:
    return " ".join(shorthand.span.text.split())


def _in_heads(items: Iterable[Item]) -> Iterator[str]:
    for item in items:
        if not isinstance(item, RuleSyntax):
            continue
        terms = [param.term for param in item.params]
        is_open = any(isinstance(term, VariableSyntax) for term in terms)
        if item.body is None:
            yield "wildcard fact" if is_open else "fact in the policy"
        if any(
            isinstance(p.term, VariableSyntax) and p.term.name != "_" and p.type is None
            for p in item.params
        ):
            yield "variable without a type"


def _in_rules(policy: Policy) -> Iterator[str]:
    rules = policy.rules
    circles = _circles(rules)
    for rule in rules:
        yield from _in_rule(rule, circles)
    arities: dict[str, set[int]] = {}
    for rule in rules:
        for name, arity in (rule.head.key, *(atom.key for atom, _ in atoms(rule.body))):
            arities.setdefault(name, set()).add(arity)
            if name not in FIXED and arity >= 4:
                yield f"{arity} arguments"
    if any(len(found) > 1 for name, found in arities.items() if name not in FIXED):
        yield "several arities of a name"
    if any(len({node[:2] for node in circle}) > 1 for circle in circles):
        yield "recursion of several predicates"
    texts = [value.id for value in named_values(policy) if value.type == STRING]
    if any(set(text) & SEPARATORS for text in texts):
        yield "String with separators"


def _node(atom: Atom) -> Node:
    """Return the predicate, and its second argument if it is literal: roles and the like differ in it."""
    literal = atom.args[1] if len(atom.args) > 1 and isinstance(atom.args[1], Value) else None
    return (*atom.key, None if literal is None else str(literal))


def _circles(rules: Sequence[Rule]) -> list[set[Node]]:
    """Return the groups of predicates that depend on themselves."""
    heads = sorted({_node(rule.head) for rule in rules}, key=str)
    asked: dict[Node, set[Node]] = {head: set() for head in heads}
    for rule in rules:
        for atom, _ in atoms(rule.body):
            asked[_node(rule.head)].update(head for head in heads if _may_be(_node(atom), head))
    edges = [[heads.index(node) for node in sorted(asked[head], key=str)] for head in heads]
    groups = ({heads[number] for number in group} for group in components(edges))
    return [group for group in groups if any(asked[node] & group for node in group)]


def _may_be(one: Node, other: Node) -> bool:
    return one[:2] == other[:2] and (one[2] == other[2] or None in (one[2], other[2]))


def _among(atom: Atom, nodes: Iterable[Node]) -> bool:
    return any(_may_be(_node(atom), node) for node in nodes)


def _in_rule(rule: Rule, circles: Sequence[set[Node]]) -> Iterator[str]:
    own: set[Node] = next((circle for circle in circles if _node(rule.head) in circle), set())
    asked = list(atoms(rule.body))
    inside = [atom for atom, negated in asked if not negated and _among(atom, own)]
    denied = [atom for atom, negated in asked if negated]
    if inside:
        yield "recursion"
        yield "recursion, not linear" if len(inside) > 1 else "recursion, linear"
        if denied:
            yield "negation within recursion"
        yield "recursion first" if inside[0] is asked[0][0] else "recursion last"
    if any(_among(atom, circle) for atom in denied for circle in circles):
        yield "negation over recursion"
    if any(atom.key == rule.head.key for atom in denied):
        yield "negation of the same predicate, other literal"
    if not inside and any(
        _is_output(atom, rule)
        for circle in circles
        for atom, negated in asked
        if not negated and _among(atom, circle)
    ):
        yield "recursion with an output"
    if rule.open:
        yield "rule about every value"
    kinds = [frozenset(rule.types_of(arg)) for arg in rule.head.args if isinstance(arg, Variable)]
    if any(one & other - PRIMITIVE_TYPES for one, other in combinations(kinds, 2)):
        yield "a type twice in a head"
    if len(set(rule.head.args)) < len(rule.head.args):
        yield "a variable twice in a head"
    yield from _kinds_of_goals(rule.body, depth=0)


def _is_output(atom: Atom, rule: Rule) -> bool:
    return any(isinstance(arg, Variable) and arg not in variables(rule.head) for arg in atom.args)


def _kinds_of_goals(goal: Goal, depth: int) -> Iterator[str]:
    match goal:
        case Negation(inner):
            if isinstance(inner, Conjunction) and any(
                isinstance(part, Negation) for part in inner.goals
            ):
                yield "for all (not ... not)"
            if any(isinstance(leaf, Membership) for leaf in leaves(inner)):
                yield "in under not"
            yield from _kinds_of_goals(inner, depth + 1)
        case Conjunction(goals) | Disjunction(goals):
            if depth >= 2:
                yield "deep nesting"
            for inner in goals:
                yield from _kinds_of_goals(inner, depth + 1)
        case Atom(_, args) if len(args) != len(set(args)):
            yield "a variable twice in a condition"
        case _:
            return


def _in_facts(facts: Sequence[Fact]) -> Iterator[str]:
    if not facts:
        yield "data: no facts"
    values = {value for fact in facts for value in fact.args}
    yield from _in_values(values)
    for edges in _graphs(facts):
        yield from _in_graph(edges)


def _in_values(values: Iterable[Value]) -> Iterator[str]:
    texts = [value.id for value in values if value.type not in PRIMITIVE_TYPES]
    if any(set(text) & SEPARATORS for text in texts):
        yield "data: ids with separators"
    if any(not text.isascii() for text in texts):
        yield "data: ids beyond ASCII"
    if any(text in ("true", "1", "-9", "_", "*") for text in texts):
        yield "data: ids like other values"
    numbers = [int(value.id) for value in values if value.type == INTEGER]
    if any(number < 0 for number in numbers):
        yield "data: negative Integers"
    if any(abs(number) > 2**31 for number in numbers):
        yield "data: Integers beyond 32 bits"


def _graphs(facts: Sequence[Fact]) -> Iterator[dict[Value, set[Value]]]:
    """Yield the edges that facts of one predicate draw between entities."""
    found: dict[object, dict[Value, set[Value]]] = {}
    for fact in facts:
        entities = [value for value in fact.args if value.type not in PRIMITIVE_TYPES]
        if len(entities) == 2:
            names = tuple(value for value in fact.args if value.type in PRIMITIVE_TYPES)
            key = fact.predicate, len(fact.args), names
            found.setdefault(key, {}).setdefault(entities[0], set()).add(entities[1])
    yield from found.values()


def _in_graph(edges: dict[Value, set[Value]]) -> Iterator[str]:
    for start, targets in edges.items():
        levels = _levels(edges, start)
        if any(start in level for level in levels):
            yield "data: circle"
        if start in targets:
            yield "data: circle of one"
        if len(levels) >= 5:
            yield "data: long path"
        meeting = [target for middle in targets - {start} for target in edges.get(middle, ())]
        if len(meeting) != len(set(meeting)):
            yield "data: diamond"


def _levels(edges: dict[Value, set[Value]], start: Value) -> list[set[Value]]:
    """Return what is reached from `start` in 1, 2, ... steps, each value at its first time."""
    seen: set[Value] = set()
    levels: list[set[Value]] = []
    level = set(edges[start])
    while level:
        levels.append(level)
        seen |= level
        level = {t for value in level for t in edges.get(value, ())} - seen
    return levels


def _in_questions(questions: Iterable[Question], facts: Sequence[Fact]) -> Iterator[str]:
    mentioned = {value for fact in facts for value in fact.args}
    for actor, action, resource in questions:
        if STRANGER in (actor.id, resource.id):
            yield "question about a stranger"
        if actor == resource:
            yield "question about oneself"
        if not {actor, resource} & mentioned:
            yield "question about nothing in the facts"
        if not action.isalnum():
            yield "action with separators"
