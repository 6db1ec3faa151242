"""The concrete types that each variable of each rule can have.

A variable that an annotation, `matches` or a comparison with literals restricts has that type. Any
other one can have the types that all predicates around it allow: what rules for the predicate produce,
what the blocks and `declare` say may be stored, and what restricted variables elsewhere ask of it. Where none
of these says anything about an argument, neither does the predicate. This is the least fixpoint of these
constraints, so the order of rules does not matter.
"""

from collections import Counter, deque
from collections.abc import Callable, Mapping, Sequence

from authz_service.facts.value import INTEGER, STRING
from authz_service.polar.declarations import ACTOR, Declarations, TypeDeclaration
from authz_service.polar.diagnostic import Diagnostic
from authz_service.polar.goals import (
    CURRENT_TIME,
    Atom,
    Comparison,
    Conjunction,
    Disjunction,
    Goal,
    Membership,
    Negation,
    Types,
    TypeTest,
    Variable,
    atoms,
    types_of,
)
from authz_service.polar.resolve import ResolvedRule, users_of

_Known = dict[Variable, frozenset[str]]
_LeafTypes = Callable[[Goal], _Known]

_NO_TYPES: frozenset[str] = frozenset()
_INTEGERS = frozenset({INTEGER})
_STRINGS = frozenset({STRING})
_ORDERINGS = frozenset({"<", "<=", ">", ">="})


def infer(
    rules: Sequence[ResolvedRule], declarations: Declarations, findings: list[Diagnostic]
) -> list[Types]:
    """Return the types of the variables of each rule, in the order of `rules`.

    Variables without a type, and order comparisons of other things than Integers, go to `findings`.
    """
    inference = _Inference(rules, declarations)
    inference.run()
    for rule, types, annotated in zip(rules, inference.types, inference.annotated, strict=True):
        for variable, place in rule.places.items():
            if not types[variable] and variable not in annotated and not rule.is_default:
                cure = f"say what it is, as in `{variable.name} matches User`"
                if variable.is_anonymous:
                    cure = "give it a name, and say what it is, as in `x matches User`"
                message = f"nothing tells the type of `{variable.shown}`"
                findings.append(Diagnostic("P301", message, place, cure))
            elif not types[variable] and variable in annotated and not _tests_nothing(rule.body):
                message = f"no value of `{variable.shown}` can meet all conditions on its type"
                findings.append(Diagnostic("P303", message, place))
        _check_orderings(rule.body, types, findings)
    return list(inference.types)


class _Inference:
    """The constraints of all rules and the types found so far; `run` widens these to the fixpoint."""

    def __init__(self, rules: Sequence[ResolvedRule], declarations: Declarations) -> None:
        self._rules = rules
        self._positions: dict[tuple[str, int, int], frozenset[str]] = {}
        self._telling: set[tuple[str, int, int]] = set()
        self._counts = [_occurrences(rule.head) + _occurrences(rule.body) for rule in rules]
        self.types: list[_Known] = []
        self.annotated: list[set[Variable]] = []
        for rule, counts in zip(rules, self._counts, strict=True):
            annotated = _restrictions(rule.body, counts, _plain_types)
            if CURRENT_TIME in rule.places:
                annotated[CURRENT_TIME] = _INTEGERS
            self.annotated.append(set(annotated))
            self.types.append(dict.fromkeys(rule.places, _NO_TYPES) | annotated)
        self._declare(declarations)

    def _declare(self, declarations: Declarations) -> None:
        actors = declarations.concrete(ACTOR) or _NO_TYPES
        for facts in declarations.facts:
            self._widen(facts.predicate, facts.types)
        if declarations.globals.roles:
            self._widen("has_role", (actors, _STRINGS))
        for declaration in declarations.types.values():
            self._declare_type(declaration, actors, declarations)

    def _declare_type(
        self, declaration: TypeDeclaration, actors: frozenset[str], declarations: Declarations
    ) -> None:
        own = frozenset({declaration.name})
        if declaration.roles:
            self._widen("has_role", (actors, _STRINGS, own))
        for related in declaration.relations.values():
            types = declarations.concrete(related) or _NO_TYPES
            self._widen("has_relation", (own, _STRINGS, types))

    def run(self) -> None:
        for rule, types in zip(self._rules, self.types, strict=True):
            for atom, _ in atoms(rule.body):
                self._widen(atom.predicate, [types_of(arg, types) for arg in atom.args])
        heads = {rule.key for rule in self._rules}
        self._telling = {key for key in self._positions if key[:2] not in heads}
        self._telling |= {(*key, position) for key in heads for position in range(key[1])}
        users = users_of(self._rules)
        waiting = deque(range(len(self._rules)))
        is_waiting = [True] * len(self._rules)
        while waiting:
            index = waiting.popleft()
            is_waiting[index] = False
            if self._settle(index):
                for user in users.get(self._rules[index].key, ()):
                    if not is_waiting[user]:
                        is_waiting[user] = True
                        waiting.append(user)

    def _settle(self, index: int) -> bool:
        """Find the types of rule `index` by what is known; say if its head tells more than before."""
        rule, annotated = self._rules[index], self.annotated[index]
        # `x = y` tells nothing here: two variables that take their types from each other would both
        # be too narrow.
        found = _restrictions(rule.body, self._counts[index], self._leaf_types)
        self.types[index] |= {v: types for v, types in found.items() if v not in annotated}
        head = [types_of(arg, self.types[index]) for arg in rule.head.args]
        return self._widen(rule.head.predicate, head)

    def _widen(self, predicate: str, args: Sequence[frozenset[str]]) -> bool:
        changed = False
        for position, types in enumerate(args):
            key = (predicate, len(args), position)
            known = self._positions.get(key, _NO_TYPES)
            if types is not known and not types <= known:
                self._positions[key] = known | types
                changed = True
        return changed

    def _leaf_types(self, goal: Goal) -> _Known:
        if not isinstance(goal, Atom):
            return _plain_types(goal)
        known: _Known = {}
        for position, arg in enumerate(goal.args):
            if isinstance(arg, Variable):
                key = goal.predicate, len(goal.args), position
                if key in self._telling:
                    _narrow(known, arg, self._positions.get(key, _NO_TYPES))
        return known


def _restrictions(goal: Goal, counts: Mapping[Variable, int], leaf_types: _LeafTypes) -> _Known:
    """Return the types that `goal` leaves for the variables that it says something about.

    A negation says something only about variables that occur nowhere but inside of it. `counts` says
    how often each variable occurs in the rule.
    """
    match goal:
        case Conjunction(goals):
            known: _Known = {}
            for inner in goals:
                for variable, types in _restrictions(inner, counts, leaf_types).items():
                    _narrow(known, variable, types)
            return known
        case Disjunction(goals):
            return _restrictions_of_alternatives(goals, counts, leaf_types)
        case Negation(inner):
            inside = _occurrences(inner)
            known = _restrictions(inner, counts, leaf_types)
            return {v: types for v, types in known.items() if inside[v] == counts[v]}
        case _:
            return leaf_types(goal)


def _restrictions_of_alternatives(
    goals: Sequence[Goal], counts: Mapping[Variable, int], leaf_types: _LeafTypes
) -> _Known:
    """A variable can have the types that any branch allows, if each branch says something about it.

    Where it occurs in no other place of the rule, branches without it have nothing to say.
    """
    branches = [_restrictions(inner, counts, leaf_types) for inner in goals]
    inside: Counter[Variable] = Counter()
    mentions: Counter[Variable] = Counter()
    for inner in goals:
        occurrences = _occurrences(inner)
        inside.update(occurrences)
        mentions.update(occurrences.keys())
    said: dict[Variable, list[frozenset[str]]] = {}
    for branch in branches:
        for variable, types in branch.items():
            said.setdefault(variable, []).append(types)
    return {
        variable: _NO_TYPES.union(*types)
        for variable, types in said.items()
        if len(types)
        == (mentions[variable] if inside[variable] == counts[variable] else len(goals))
    }


def _narrow(known: _Known, variable: Variable, types: frozenset[str]) -> None:
    before = known.get(variable)
    known[variable] = types if before is None or before is types else before & types


def _plain_types(goal: Goal) -> _Known:
    """Return what `goal` alone says about its variables, whatever the other rules are."""
    match goal:
        case TypeTest(variable, types):
            return {variable: types}
        case Membership(Variable() as term, values):
            return {term: frozenset(value.type for value in values)}
        case Comparison(operator, left, right):
            if operator in _ORDERINGS:
                return {term: _INTEGERS for term in (left, right) if isinstance(term, Variable)}
            if operator == "=" and isinstance(left, Variable) and not isinstance(right, Variable):
                return {left: frozenset({right.type})}
            if operator == "=" and isinstance(right, Variable) and not isinstance(left, Variable):
                return {right: frozenset({left.type})}
            return {}
        case _:
            return {}


def _tests_nothing(goal: Goal) -> bool:
    """Say whether a test names an abstract type without any type of its own, such as `Actor` yet."""
    match goal:
        case TypeTest():
            return not goal.types
        case Negation(inner):
            return _tests_nothing(inner)
        case Conjunction(goals) | Disjunction(goals):
            return any(map(_tests_nothing, goals))
        case _:
            return False


def _occurrences(goal: Goal) -> Counter[Variable]:
    found: Counter[Variable] = Counter()
    _count_occurrences(goal, found)
    return found


def _count_occurrences(goal: Goal, found: Counter[Variable]) -> None:
    match goal:
        case Atom(_, args):
            found.update(arg for arg in args if isinstance(arg, Variable))
        case Comparison(_, left, right):
            found.update(term for term in (left, right) if isinstance(term, Variable))
        case Membership(Variable() as term):
            found[term] += 1
        case TypeTest(variable):
            found[variable] += 1
        case Negation(inner):
            _count_occurrences(inner, found)
        case Conjunction(goals) | Disjunction(goals):
            for inner in goals:
                _count_occurrences(inner, found)
        case _:
            return


def _check_orderings(goal: Goal, types: Types, findings: list[Diagnostic]) -> None:
    match goal:
        case Comparison(operator, left, right) if operator in _ORDERINGS:
            for term in (left, right):
                wrong = types_of(term, types) - _INTEGERS
                if wrong:
                    message = f"`{operator}` compares Integers, not {', '.join(sorted(wrong))}"
                    findings.append(Diagnostic("P302", message, goal.span))
        case Negation(inner):
            _check_orderings(inner, types, findings)
        case Conjunction(goals) | Disjunction(goals):
            for inner in goals:
                _check_orderings(inner, types, findings)
        case _:
            return
