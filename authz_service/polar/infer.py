"""The concrete types that each variable of each rule can have.

A variable that an annotation, `matches` or a comparison with literals restricts has that type. Any
other one can have the types that all predicates around it allow: what rules for the predicate produce,
what the blocks and `declare` say may be stored, and what restricted variables elsewhere ask of it. Where none
of these says anything about an argument, neither does the predicate. This is the least fixpoint of these
constraints, so the order of rules does not matter.

A relation that is named tells more: `has_relation(file, "ward", ward)` is about types that declare "ward" and
those that it leads to from there.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from difflib import get_close_matches
from functools import partial

from authz_service.facts.value import INTEGER, STRING, Value
from authz_service.polar.declarations import ACTOR, Declarations, TypeDeclaration
from authz_service.polar.diagnostic import Diagnostic
from authz_service.polar.fixpoint import Growing, Intersection, spread
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
    leaves,
    types_of,
)
from authz_service.polar.matching import bits
from authz_service.polar.resolve import ResolvedRule
from authz_service.polar.source import Span

_Known = dict[Variable, frozenset[str]]
_Position = tuple[str, int, int]
_Told = tuple[str, frozenset[str]]
_LeafTypes = Callable[[Goal], Iterable[tuple[Variable, Growing]]]

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
    for index, rule in enumerate(rules):
        types = inference.types[index]
        untyped = [v for v in rule.places if not types[v] and not rule.is_default]
        if untyped:
            told = inference.told(index)
            tests_nothing = _tests_nothing(rule.body)
            typed = [other.name for other in rule.places if types[other]]
            findings.extend(
                _untyped(variable, rule.places[variable], told.get(variable, ()), typed)
                for variable in untyped
                if variable not in inference.annotated[index] or not tests_nothing
            )
        _check_orderings(rule.body, types, findings)
    return list(inference.types)


def _untyped(
    variable: Variable, place: Span, told: Sequence[_Told], typed: Sequence[str]
) -> Diagnostic:
    """Return the finding about a variable without a type: nothing told it, or what did contradicts.

    It may be one of the `typed` variables, misspelled.
    """
    if told and not frozenset.intersection(*(types for _, types in told)):
        message = f"no value of `{variable.shown}` can meet all conditions on its type"
        return Diagnostic("P303", message, place, partial(_shown, told))
    message = f"nothing tells the type of `{variable.shown}`"
    cure = f"say what it is, as in `{variable.name} matches User`"
    if close := get_close_matches(variable.name, typed, n=1, cutoff=0.7):
        cure = f"did you mean `{close[0]}`? Otherwise {cure}"
    if variable.is_anonymous:
        cure = "give it a name, and say what it is, as in `x matches User`"
    if f"@{variable.name}" == CURRENT_TIME.name:
        cure = f"the current time is written `{CURRENT_TIME.name}`"
    return Diagnostic("P301", message, place, cure)


def _shown(told: Sequence[_Told]) -> str:
    by_types = {types: where for where, types in reversed(told)}
    shown = [f"{where} wants {' | '.join(sorted(t)) or 'none'}" for t, where in by_types.items()]
    return "; ".join(shown[::-1][:3])


class _Inference:
    """The constraints of all rules and the types found so far; `run` widens these to the fixpoint."""

    def __init__(self, rules: Sequence[ResolvedRule], declarations: Declarations) -> None:
        self._rules = rules
        self._bits = _Bits()
        self._positions: dict[_Position, Growing] = {}
        self._telling: set[_Position] = set()
        self._relations: dict[str, list[tuple[frozenset[str], frozenset[str]]]] = {}
        self._found: dict[tuple[str, int, frozenset[str]], int] = {}
        self._counts = [_occurrences(rule.head) + _occurrences(rule.body) for rule in rules]
        self.types: list[_Known] = []
        self.annotated: list[set[Variable]] = []
        for rule, counts in zip(rules, self._counts, strict=True):
            found = _restrictions(rule.body, counts, self._plain_sets)
            annotated = {v: self._bits.types(known.members) for v, known in found.items()}
            if CURRENT_TIME in rule.places:
                annotated[CURRENT_TIME] = _INTEGERS
            self.annotated.append(set(annotated))
            self.types.append(dict.fromkeys(rule.places, _NO_TYPES) | annotated)
        self._declare(declarations)

    def _declare(self, declarations: Declarations) -> None:
        actors = declarations.concrete(ACTOR) or _NO_TYPES
        for facts in declarations.facts:
            self._widen(facts.predicate, facts.types)
            if (facts.predicate, len(facts.types)) == _RELATION:
                self._widen(_ANY_RELATION, facts.types)
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
        for name, related in declaration.relations.items():
            types = declarations.concrete(related) or _NO_TYPES
            self._widen("has_relation", (own, _STRINGS, types))
            self._relations.setdefault(name, []).append((own, types))

    def run(self) -> None:
        for rule, types in zip(self._rules, self.types, strict=True):
            for atom, _ in atoms(rule.body):
                self._widen_by(atom, types)
        heads = {rule.key for rule in self._rules}
        self._telling = {key for key in self._positions if key[:2] not in heads}
        self._telling |= {(*key, position) for key in heads for position in range(key[1])}
        found = [self._sets_of(index) for index in range(len(self._rules))]
        for index, sets in enumerate(found):
            self._produce(index, sets)
        spread(list(self._positions.values()))
        for types, sets in zip(self.types, found, strict=True):
            types |= {variable: self._bits.types(known.members) for variable, known in sets.items()}

    def _sets_of(self, index: int) -> Mapping[Variable, Growing]:
        """Return the types of the variables of rule `index` that are not annotated, as they will grow."""
        annotated = self.annotated[index]

        # `x = y` tells nothing here: two variables that take their types from each other would both
        # be too narrow.
        def leaf_types(goal: Goal) -> Iterable[tuple[Variable, Growing]]:
            told = self._told(goal, index) if isinstance(goal, Atom) else self._plain_sets(goal)
            return [(variable, types) for variable, types in told if variable not in annotated]

        if len(annotated) == len(self.types[index]):
            return {}
        return _restrictions(self._rules[index].body, self._counts[index], leaf_types)

    def told(self, index: int) -> Mapping[Variable, Sequence[_Told]]:
        """Return what each condition of rule `index` tells of variables, and how it is written."""
        found: dict[Variable, list[_Told]] = {}
        for leaf in leaves(self._rules[index].body):
            told = self._told(leaf, index) if isinstance(leaf, Atom) else self._plain_sets(leaf)
            text = leaf.span.text
            for variable, types in told:
                where = "its declaration" if text == variable.name else f"`{text}`"
                found.setdefault(variable, []).append((where, self._bits.types(types.members)))
        return found

    def _told(self, atom: Atom, index: int) -> Iterator[tuple[Variable, Growing]]:
        relation = _relation_name(atom)
        if relation in self._relations:
            yield from self._told_by_relation(atom, relation, index)
            return
        for number, arg in enumerate(atom.args):
            position = atom.predicate, len(atom.args), number
            if isinstance(arg, Variable) and position in self._telling:
                yield arg, self._at(position)

    def _told_by_relation(
        self, atom: Atom, name: str, index: int
    ) -> Iterator[tuple[Variable, Growing]]:
        """Yield what a declared relation tells: by its blocks, and by the rules that derive it or any."""
        for number, other in ((0, 2), (2, 0)):
            arg = atom.args[number]
            if not isinstance(arg, Variable):
                continue
            members = self._related(name, number, types_of(atom.args[other], self.types[index]))
            derived = self._at((_named(name), 3, number)), self._at((_ANY_RELATION, 3, number))
            yield arg, Growing(derived, members)

    def _related(self, name: str, number: int, known: frozenset[str]) -> int:
        """Return the types that blocks give to argument `number` of a relation; `known` are the other's."""
        key = name, number, known
        if key not in self._found:
            declared = (
                pair[number // 2]
                for pair in self._relations[name]
                if not known or not known.isdisjoint(pair[1 - number // 2])
            )
            self._found[key] = self._bits.of(_NO_TYPES.union(*declared))
        return self._found[key]

    def _plain_sets(self, goal: Goal) -> Iterator[tuple[Variable, Growing]]:
        for variable, types in _plain_types(goal).items():
            yield variable, Growing(members=self._bits.of(types))

    def _produce(self, index: int, sets: Mapping[Variable, Growing]) -> None:
        """Let rule `index` tell the types of its variables, now and as they grow.

        Not its head alone: facts that a condition asks for may be stored, and then other conditions on
        the predicate meet them, too.
        """
        rule = self._rules[index]
        self._widen_by(rule.head, self.types[index])
        for atom in dict.fromkeys((rule.head, *(atom for atom, _ in atoms(rule.body)))):
            for number, arg in enumerate(atom.args):
                if isinstance(arg, Variable) and arg in sets:
                    for predicate in _told_of(atom):
                        self._feed((predicate, len(atom.args), number), sets[arg])

    def _feed(self, position: _Position, types: Growing) -> None:
        fed = self._at(position)
        fed.take(types.members)
        types.join(fed)

    def _widen_by(self, atom: Atom, types: Types) -> None:
        for predicate in _told_of(atom):
            self._widen(predicate, [types_of(arg, types) for arg in atom.args])

    def _widen(self, predicate: str, args: Sequence[frozenset[str]]) -> None:
        for number, types in enumerate(args):
            if types:
                self._at((predicate, len(args), number)).take(self._bits.of(types))

    def _at(self, position: _Position) -> Growing:
        return self._positions.setdefault(position, Growing())


_RELATION = ("has_relation", 3)

# Kept apart from the relations that blocks declare; no author can write these names of predicates.
_ANY_RELATION = "has_relation *"


def _named(relation: str) -> str:
    return f"has_relation {relation}"


def _relation_name(atom: Atom) -> str:
    """Return the relation that the atom names; empty if it names none or is about something else."""
    if atom.key != _RELATION or not isinstance(atom.args[1], Value):
        return ""
    return atom.args[1].id


def _told_of(atom: Atom) -> Sequence[str]:
    """Return the predicates about which the arguments of `atom` tell something."""
    if atom.key != _RELATION:
        return (atom.predicate,)
    name = _relation_name(atom)
    return (atom.predicate, _named(name) if name else _ANY_RELATION)


class _Bits:
    """Sets of types as the bits of integers, and back."""

    def __init__(self) -> None:
        self._numbers: dict[str, int] = {}
        self._names: list[str] = []
        self._of: dict[frozenset[str], int] = {}
        self._types: dict[int, frozenset[str]] = {}

    def of(self, types: frozenset[str]) -> int:
        if types not in self._of:
            self._of[types] = sum(1 << self._number(name) for name in types)
        return self._of[types]

    def types(self, members: int) -> frozenset[str]:
        if members not in self._types:
            self._types[members] = frozenset(self._names[number] for number in bits(members))
        return self._types[members]

    def _number(self, name: str) -> int:
        if name not in self._numbers:
            self._numbers[name] = len(self._names)
            self._names.append(name)
        return self._numbers[name]


def _restrictions(
    goal: Goal, counts: Mapping[Variable, int], leaf_types: _LeafTypes
) -> dict[Variable, Growing]:
    """Return the types that `goal` leaves for the variables that it says something about.

    A negation says something only about variables that occur nowhere but inside of it. `counts` says
    how often each variable occurs in the rule.
    """
    match goal:
        case Conjunction(goals):
            said: list[tuple[Variable, Growing]] = []
            for inner in goals:
                said.extend(_restrictions(inner, counts, leaf_types).items())
            return _met(said)
        case Disjunction(goals):
            return _restrictions_of_alternatives(goals, counts, leaf_types)
        case Negation(inner):
            inside = _occurrences(inner)
            known = _restrictions(inner, counts, leaf_types)
            return {v: types for v, types in known.items() if inside[v] == counts[v]}
        case _:
            return _met(leaf_types(goal))


def _restrictions_of_alternatives(
    goals: Sequence[Goal], counts: Mapping[Variable, int], leaf_types: _LeafTypes
) -> dict[Variable, Growing]:
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
    said = _grouped(said for branch in branches for said in branch.items())
    return {
        variable: types[0] if len(types) == 1 else Growing(types)
        for variable, types in said.items()
        if len(types)
        == (mentions[variable] if inside[variable] == counts[variable] else len(goals))
    }


def _met(said: Iterable[tuple[Variable, Growing]]) -> dict[Variable, Growing]:
    """Return the types of each variable that meet all that is said about it."""
    return {
        variable: types[0] if len(types) == 1 else Intersection(types)
        for variable, types in _grouped(said).items()
    }


def _grouped(said: Iterable[tuple[Variable, Growing]]) -> dict[Variable, list[Growing]]:
    grouped: dict[Variable, list[Growing]] = {}
    for variable, types in said:
        grouped.setdefault(variable, []).append(types)
    return grouped


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
