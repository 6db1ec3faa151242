"""The concrete types that each variable of each rule can have.

A variable that an annotation, `matches` or a comparison with literals restricts has that type. Any
other one can have the types that all predicates around it allow: what rules for the predicate produce,
what the blocks declare as roles and relations, and what restricted variables elsewhere ask of it. This
is the least fixpoint of these constraints, so the order of rules does not matter.
"""

from collections import Counter, deque
from collections.abc import Callable, Iterable, Sequence

from authz_service.facts.value import INTEGER, STRING
from authz_service.polar.declarations import ACTOR, Declarations
from authz_service.polar.diagnostic import Diagnostic
from authz_service.polar.goals import (
    Atom,
    Comparison,
    Conjunction,
    Disjunction,
    Goal,
    Membership,
    Negation,
    Term,
    TypeTest,
    Variable,
    atoms,
)
from authz_service.polar.resolve import ResolvedRule, users_of

Types = dict[Variable, frozenset[str]]
LeafTypes = Callable[[Variable, Goal], frozenset[str] | None]

_NO_TYPES: frozenset[str] = frozenset()
_INTEGERS = frozenset({INTEGER})
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
                findings.append(
                    Diagnostic("P301", f"nothing tells the type of `{variable.name}`", place, cure)
                )
            elif not types[variable] and variable in annotated and not _tests_nothing(rule.body):
                message = f"no value of `{variable.name}` can meet all conditions on its type"
                findings.append(Diagnostic("P303", message, place))
        _check_orderings(rule.body, types, findings)
    return inference.types


class _Inference:
    """The constraints of all rules and the types found so far; `run` widens these to the fixpoint."""

    def __init__(self, rules: Sequence[ResolvedRule], declarations: Declarations) -> None:
        self._rules = rules
        self._positions: dict[tuple[str, int, int], frozenset[str]] = {}
        self._counts = [_occurrences(rule.head) + _occurrences(rule.body) for rule in rules]
        self.types: list[Types] = []
        self.annotated: list[set[Variable]] = []
        for rule, counts in zip(rules, self._counts, strict=True):
            annotated = {
                variable: types
                for variable in rule.places
                if (types := _restriction(variable, rule.body, counts, _plain_types)) is not None
            }
            self.annotated.append(set(annotated))
            self.types.append(dict.fromkeys(rule.places, _NO_TYPES) | annotated)
        self._declare(declarations)

    def _declare(self, declarations: Declarations) -> None:
        actors = declarations.concrete(ACTOR) or _NO_TYPES
        strings = frozenset({STRING})
        for declaration in declarations.types.values():
            own = frozenset({declaration.name})
            if declaration.roles:
                self._widen("has_role", (actors, strings, own))
            for related in declaration.relations.values():
                types = declarations.concrete(related) or _NO_TYPES
                self._widen("has_relation", (own, strings, types))

    def run(self) -> None:
        for rule, types in zip(self._rules, self.types, strict=True):
            for atom, _ in atoms(rule.body):
                self._widen(atom.predicate, [_types_of(arg, types) for arg in atom.args])
        users = users_of(self._rules)
        waiting = deque(range(len(self._rules)))
        while waiting:
            index = waiting.popleft()
            head = self._rules[index].head
            if self._settle(index):
                waiting.extend(users.get((head.predicate, len(head.args)), ()))

    def _settle(self, index: int) -> bool:
        """Find the types of rule `index` by what is known; say if its head tells more than before."""
        rule, types = self._rules[index], self.types[index]
        # `x = y` tells nothing here: two variables that take their types from each other would both
        # be too narrow.
        for variable in rule.places.keys() - self.annotated[index]:
            found = _restriction(variable, rule.body, self._counts[index], self._leaf_types)
            if found is not None:
                types[variable] = found
        head = [_types_of(arg, types) for arg in rule.head.args]
        return self._widen(rule.head.predicate, head)

    def _widen(self, predicate: str, args: Sequence[frozenset[str]]) -> bool:
        changed = False
        for position, types in enumerate(args):
            key = (predicate, len(args), position)
            known = self._positions.get(key, _NO_TYPES)
            if not types <= known:
                self._positions[key] = known | types
                changed = True
        return changed

    def _leaf_types(self, variable: Variable, goal: Goal) -> frozenset[str] | None:
        match goal:
            case Atom(predicate, args):
                return _intersection(
                    self._positions.get((predicate, len(args), position), _NO_TYPES)
                    for position, arg in enumerate(args)
                    if arg == variable
                )
            case _:
                return _plain_types(variable, goal)


def _restriction(
    variable: Variable,
    goal: Goal,
    counts: Counter[Variable],
    leaf_types: LeafTypes,
) -> frozenset[str] | None:
    """Return the types that `goal` leaves for `variable`; None if it says nothing about it.

    A negation says something only about variables that occur nowhere but inside of it.
    """
    match goal:
        case Conjunction(goals):
            return _intersection(
                types
                for inner in goals
                if (types := _restriction(variable, inner, counts, leaf_types)) is not None
            )
        case Disjunction(goals):
            is_private = _occurrences(goal)[variable] == counts[variable]
            if is_private:  # branches without it say nothing about it
                goals = tuple(inner for inner in goals if _occurrences(inner)[variable])
            branches = [_restriction(variable, inner, counts, leaf_types) for inner in goals]
            known = [types for types in branches if types is not None]
            return _NO_TYPES.union(*known) if known and len(known) == len(branches) else None
        case Negation(inner):
            if _occurrences(inner)[variable] < counts[variable]:
                return None
            return _restriction(variable, inner, counts, leaf_types)
        case _:
            return leaf_types(variable, goal)


def _plain_types(variable: Variable, goal: Goal) -> frozenset[str] | None:
    """Return what `goal` alone says about `variable`, whatever the other rules are."""
    match goal:
        case TypeTest():
            return goal.types if goal.variable == variable else None
        case Membership(term, values) if term == variable:
            return frozenset(value.type for value in values)
        case Comparison(operator, left, right) if variable in (left, right):
            if operator in _ORDERINGS:
                return _INTEGERS
            other = right if left == variable else left
            if operator == "=" and not isinstance(other, Variable):
                return frozenset({other.type})
            return None
        case _:
            return None


def _types_of(term: Term, types: Types) -> frozenset[str]:
    return types[term] if isinstance(term, Variable) else frozenset({term.type})


def _intersection(sets: Iterable[frozenset[str]]) -> frozenset[str] | None:
    result: frozenset[str] | None = None
    for types in sets:
        result = types if result is None else result & types
    return result


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
    match goal:
        case Atom(_, args):
            return Counter(arg for arg in args if isinstance(arg, Variable))
        case Comparison(_, left, right):
            return Counter(term for term in (left, right) if isinstance(term, Variable))
        case Membership(term):
            return Counter([term] if isinstance(term, Variable) else [])
        case TypeTest(variable):
            return Counter([variable])
        case Negation(inner):
            return _occurrences(inner)
        case Conjunction(goals) | Disjunction(goals):
            return sum(map(_occurrences, goals), Counter())


def _check_orderings(goal: Goal, types: Types, findings: list[Diagnostic]) -> None:
    match goal:
        case Comparison(operator, left, right) if operator in _ORDERINGS:
            for term in (left, right):
                wrong = _types_of(term, types) - _INTEGERS
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
