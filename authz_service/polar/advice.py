"""Warnings: what is valid, and most likely not meant.

P601 a variable that is used once; P602 what is declared and never used; P603 a rule that can never
apply; P604 a name that its type does not declare (see `vocabulary`); P605 a test that asserts nothing;
P606 permissions that no `allow` rule asks for.
"""

from collections import Counter, deque
from collections.abc import Iterable, Iterator, Sequence
from difflib import get_close_matches

from authz_service.facts.value import STRING, Value, string
from authz_service.polar import syntax
from authz_service.polar.declarations import ACTOR, Declarations
from authz_service.polar.diagnostic import Diagnostic, Help
from authz_service.polar.fixpoint import Growing, Intersection
from authz_service.polar.goals import (
    Atom,
    Comparison,
    Conjunction,
    Disjunction,
    Goal,
    Membership,
    Rule,
    Term,
    Variable,
    atoms,
)
from authz_service.polar.matching import Arg, MatchIndex, args_of, bits, mask_of
from authz_service.polar.policy import Policy
from authz_service.polar.vocabulary import undeclared_names

_ASKED_BY_OTHERS = frozenset({"allow", "has_permission", "has_role", "has_relation"})
_DEFAULT = "allow(actor, action, resource) if has_permission(actor, action, resource);"
# Shorthand rules know these without naming them in their head.
_IMPLICIT = frozenset({"actor", "resource", "role", "permission"})


def advise(
    items: Sequence[syntax.Item],
    rules: Sequence[Rule],
    own: int,
    declarations: Declarations,
    policy: Policy,
) -> Iterator[Diagnostic]:
    """Yield the warnings about the valid `policy` that was made of `items`.

    The first `own` of `rules` are the author's; the others are built in.
    """
    for item in items:
        yield from _of_item(item)
    yield from _unused_fixtures(items)
    yield from _unused_names(items, declarations, policy)
    yield from _unused_rules(rules[:own], policy)
    yield from _idle_rules(rules, own, policy)
    yield from _idle_permissions(rules)
    written = [(atom, rule.types) for rule in rules[:own] for atom, _ in atoms(rule.body)]
    written += [(rule.head, rule.types) for rule in rules[:own]]
    written += [(a.atom, a.types) for test in policy.tests for a in test.assertions]
    yield from undeclared_names(written, declarations)


def _of_item(item: syntax.Item) -> Iterator[Diagnostic]:
    match item:
        case syntax.Rule():
            terms = [param.term for param in item.params]
            found = [term for term in terms if isinstance(term, syntax.Variable)]
            yield from _singletons([*found, *_variables(item.body)], frozenset())
        case syntax.Test(assertions=assertions) if assertions:
            for assertion in assertions:
                terms = [param.term for param in assertion.params]
                known = frozenset(t.name for t in terms if isinstance(t, syntax.Variable))
                yield from _singletons(list(_variables(assertion.condition)), known)
        case syntax.Block(shorthands=shorthands):
            for shorthand in shorthands:
                yield from _singletons(list(_variables(shorthand.body)), _IMPLICIT)
        case syntax.Test(assertions=()):
            message = f'the test "{item.name.text}" asserts nothing'
            yield Diagnostic("P605", message, item.name.span, "add an `assert`, or remove it")
        case _:
            return


def _singletons(found: list[syntax.Variable], known: frozenset[str]) -> Iterator[Diagnostic]:
    counts = Counter(variable.name for variable in found)
    for variable in found:
        name = variable.name
        if counts[name] == 1 and not name.startswith("_") and name not in known:
            cure = f"write `_{name}` or `_` if that is meant"
            yield Diagnostic("P601", f"`{name}` is used only here", variable.span, cure)


def _variables(condition: syntax.Condition | None) -> Iterator[syntax.Variable]:
    match condition:
        case syntax.And(conditions) | syntax.Or(conditions):
            for inner in conditions:
                yield from _variables(inner)
        case syntax.Not(inner):
            yield from _variables(inner)
        case syntax.Call(_, args):
            yield from (arg for arg in args if isinstance(arg, syntax.Variable))
        case syntax.Compare(_, left, right):
            yield from (term for term in (left, right) if isinstance(term, syntax.Variable))
        case syntax.Member(syntax.Variable() as term) | syntax.Matches(term):
            yield term
        case _:
            return


def _unused_fixtures(items: Sequence[syntax.Item]) -> Iterator[Diagnostic]:
    tests = [item for item in items if isinstance(item, syntax.Test)]
    used = {line.text for test in tests for line in test.setup if isinstance(line, syntax.Name)}
    for item in items:
        if isinstance(item, syntax.Fixture) and item.name.text not in used:
            message = f"no test uses the fixture `{item.name.text}`"
            yield Diagnostic("P602", message, item.name.span, "remove it")


class _Atoms:
    """Atoms by predicate, for finding those that may match; numbered for each predicate."""

    def __init__(self, found: Iterable[tuple[Atom, Rule]]) -> None:
        self._indexes: dict[tuple[str, int], MatchIndex] = {}
        counts: Counter[tuple[str, int]] = Counter()
        for atom, rule in found:
            index = self._indexes.setdefault(atom.key, MatchIndex(len(atom.args)))
            index.add(counts[atom.key], args_of(atom, rule.types))
            counts[atom.key] += 1

    def matching(self, predicate: str, args: Sequence[Arg]) -> int:
        index = self._indexes.get((predicate, len(args)))
        return index.matching(args) if index is not None else 0


def _unused_names(
    items: Sequence[syntax.Item], declarations: Declarations, policy: Policy
) -> Iterator[Diagnostic]:
    usage = _Usage(declarations, policy)
    for block in (item for item in items if isinstance(item, syntax.Block)):
        for declaration in block.declarations:
            for name in declaration.names:
                missing = usage.missing(block, declaration.kind, name.text)
                if missing:
                    message = f'no rule {missing} "{name.text}" of `{block.name.text}`'
                    verb = missing.split()[0]
                    cure = f"write the rule that {verb} it, or remove it"
                    yield Diagnostic("P602", message, name.span, cure)


def _unused_rules(rules: Sequence[Rule], policy: Policy) -> Iterator[Diagnostic]:
    """Yield a warning for each predicate that rules derive and nothing asks for: misspelled, perhaps."""
    asserted = [assertion for test in policy.tests for assertion in test.assertions]
    bodies = [*(rule.body for rule in policy.rules), *(a.condition.body for a in asserted)]
    asked = {atom.key for body in bodies for atom, _ in atoms(body)}
    asked.update(assertion.atom.key for assertion in asserted)
    derived: dict[tuple[str, int], Rule] = {}
    for rule in rules:
        derived.setdefault(rule.head.key, rule)
    known = [predicate for predicate, _ in asked - derived.keys()]
    for key, rule in derived.items():
        if key not in asked and key[0] not in _ASKED_BY_OTHERS:
            message = f"no rule and no test asks for `{key[0]}`"
            yield Diagnostic("P602", message, rule.span, _other_name(key[0], known))


def _other_name(predicate: str, asked: Sequence[str]) -> Help:
    def cure() -> str:
        close = get_close_matches(predicate, asked, n=1, cutoff=0.8)
        if close:
            return f"conditions ask for `{close[0]}`, which no rule derives; is it the same?"
        return "remove it, or assert it in a test"

    return cure


class _Usage:
    """What the rules ask for and grant."""

    def __init__(self, declarations: Declarations, policy: Policy) -> None:
        self._declarations = declarations
        self._shapes = policy.shapes
        self._asked = _Atoms((atom, rule) for rule in policy.rules for atom, _ in atoms(rule.body))
        self._granted = _Atoms((rule.head, rule) for rule in policy.rules)
        self._actors = declarations.concrete(ACTOR) or frozenset()

    def missing(self, block: syntax.Block, kind: str, name: str) -> str:
        """Return what no rule does with the name that `block` declares; empty if some rule does."""
        own = self._declarations.concrete(block.name.text) or frozenset()
        owner: tuple[Arg, ...] = () if block.keyword == syntax.GLOBAL else (own,)
        args: list[Arg] = [self._actors, string(name), *owner]
        if kind == "roles":
            return "" if self._asked.matching("has_role", args) else "uses the role"
        if kind == "relations":
            args = [*owner, string(name), self._declarations.type_names]
            return "" if self._asked.matching("has_relation", args) else "follows the relation"
        is_granted = self._granted.matching("has_permission", args)
        is_granted = is_granted or self._granted.matching("allow", args)
        is_stored = self._shapes.may_hold("has_permission", args)
        return "" if is_granted or is_stored else "grants an actor the permission"


def _idle_rules(rules: Sequence[Rule], own: int, policy: Policy) -> Iterator[Diagnostic]:
    productive = _Productive(rules, policy)
    for index, rule in enumerate(rules[:own]):
        if not productive.can_apply(index):
            missing = productive.missing(index)
            cure = (
                f"no rule and no fact can make {missing} hold"
                if missing
                else "its conditions contradict each other"
            )
            yield Diagnostic("P603", "this rule can never apply", rule.span, cure)
        elif not _can_be_asked(rule, policy):
            cure = "a question has an actor, an action that is a String, and a resource"
            yield Diagnostic("P603", "this rule can never apply", rule.span, cure)


def _can_be_asked(rule: Rule, policy: Policy) -> bool:
    if rule.head.key != ("allow", 3):
        return True
    actor, action, resource = map(rule.types_of, rule.head.args)
    entities = policy.types
    return STRING in action and not actor.isdisjoint(entities) and not resource.isdisjoint(entities)


def _idle_permissions(rules: Sequence[Rule]) -> Iterator[Diagnostic]:
    """Yield a warning if rules grant permissions, and the author's `allow` rules leave these out."""
    key = ("has_permission", 3)
    is_granted = any(rule.head.key == key for rule in rules)
    is_asked = any(atom.key == key for rule in rules for atom, _ in atoms(rule.body))
    allow = next((rule for rule in rules if rule.head.predicate == "allow"), None)
    if is_granted and not is_asked and allow is not None:
        message = "no rule asks for permissions, so they permit nothing"
        cure = "with an `allow` rule of your own, add `" + _DEFAULT + "`"
        yield Diagnostic("P606", message, allow.span, cure)


class _Productive:
    """Which rules can apply for some facts: the least fixpoint over all rules.

    What can hold is a set with a member, what cannot is an empty one.
    """

    def __init__(self, rules: Sequence[Rule], policy: Policy) -> None:
        self._rules = rules
        self._asked = {
            (index, atom): _truth(
                policy.shapes.may_hold(atom.predicate, list(args_of(atom, rule.types)))
            )
            for index, rule in enumerate(rules)
            for atom, _ in atoms(rule.body)
        }
        self._applies = [
            Growing([self._can_hold(index, rule.body)]) for index, rule in enumerate(rules)
        ]
        self._run()

    def can_apply(self, index: int) -> bool:
        return self._applies[index].members != 0

    def missing(self, index: int) -> Atom | None:
        """Return a condition of the rule that nothing can make true."""
        found = (atom for atom, negated in atoms(self._rules[index].body) if not negated)
        return next((atom for atom in found if not self._asked[index, atom].members), None)

    def _run(self) -> None:
        uses = _Atoms((atom, self._rules[index]) for index, atom in self._asked)
        asked: dict[tuple[str, int], list[Growing]] = {}
        for (_, atom), known in self._asked.items():
            asked.setdefault(atom.key, []).append(known)
        supported = {
            key: mask_of([number for number, known in enumerate(found) if known.members])
            for key, found in asked.items()
        }
        rule_of = dict(zip(self._applies, self._rules, strict=True))
        waiting = deque(applies for applies in self._applies if applies.members)
        while waiting:
            known = waiting.popleft()
            waiting.extend(known.give())
            if known in rule_of:
                head, types = rule_of[known].head, rule_of[known].types
                newly = uses.matching(head.predicate, list(args_of(head, types)))
                newly &= ~supported.get(head.key, 0)
                found = [asked[head.key][number] for number in bits(newly)]
                supported[head.key] = supported.get(head.key, 0) | newly
                waiting.extend(known for known in found if known.take(1))

    def _can_hold(self, index: int, goal: Goal) -> Growing:
        match goal:
            case Atom():
                return self._asked[index, goal]
            case Conjunction(goals) if goals and _is_consistent(goals):
                return Intersection([self._can_hold(index, inner) for inner in goals])
            case Conjunction(goals):
                return _truth(not goals)
            case Disjunction(goals):
                return Growing([self._can_hold(index, inner) for inner in goals])
            case Comparison("=", Value() as left, Value() as right):
                return _truth(left == right)
            case Membership(Value() as term, values):
                return _truth(term in values)
            case _:
                return _truth(True)


def _truth(holds: bool) -> Growing:  # noqa: FBT001 - the value itself, not a flag
    return Growing(members=int(holds))


def _is_consistent(goals: Sequence[Goal]) -> bool:
    """Say whether some value is left for each variable that `=` and `in` compare with literals."""
    left: dict[Term, frozenset[Value]] = {}
    for goal in goals:
        match goal:
            case Comparison("=", Variable() as variable, Value() as value):
                allowed = frozenset({value})
            case Comparison("=", Value() as value, Variable() as variable):
                allowed = frozenset({value})
            case Membership(Variable() as variable, values):
                allowed = frozenset(values)
            case _:
                continue
        left[variable] = left.get(variable, allowed) & allowed
        if not left[variable]:
            return False
    return True
