"""Shapes: the facts that a policy can use, and the actions that it knows.

A fact is usable if a condition of some rule could ask for it, if it is a role or relation as a block
declares it, or if `declare` says so. `allow` is always derived, never stored; a permission is stored only
if the policy declares that. Where a condition asks for any role on a type, the roles that the type
declares are meant, if it declares any.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from functools import cache
from itertools import chain

from authz_service.errors import InvalidRequest, UnknownType, UnusableFact
from authz_service.facts.fact import Fact
from authz_service.facts.value import BOOLEAN, PRIMITIVE_TYPES, STRING, Value, string
from authz_service.polar.declarations import ACTOR, Declarations
from authz_service.polar.diagnostic import did_you_mean
from authz_service.polar.goals import (
    Comparison,
    Conjunction,
    Membership,
    Rule,
    Term,
    Variable,
    atoms,
    leaves,
)
from authz_service.polar.matching import Arg, MatchIndex, args_of, bits

# Facts of these are no input, whatever conditions ask for them.
DERIVED = frozenset({"allow", "has_permission"})

# So many kinds of facts that are accepted are remembered.
_KINDS_KNOWN = 4096


@dataclass(frozen=True, slots=True)
class ArgShape:
    """What an argument may be: a value of one of `types`, and one of `values` if these are given."""

    types: frozenset[str]
    values: frozenset[Value] | None = None

    def accepts(self, value: Value) -> bool:
        return value.type in self.types and (self.values is None or value in self.values)

    @property
    def accepted(self) -> frozenset[str] | tuple[Value, ...]:
        return self.types if self.values is None else tuple(self.values)

    def covers(self, other: "ArgShape") -> bool:
        """Say whether everything that `other` accepts is accepted here."""
        if not other.types <= self.types:
            return False
        return self.values is None or (other.values is not None and other.values <= self.values)

    def __str__(self) -> str:
        shown = self.values if self.values is not None else self.types
        return " | ".join(sorted(map(str, shown)))


_ANY_STRING = ArgShape(frozenset({STRING}))


@dataclass(frozen=True, slots=True)
class Shape:
    """The facts of one predicate that one condition or declaration can use."""

    predicate: str
    args: tuple[ArgShape, ...]

    def covers(self, other: "Shape") -> bool:
        """Say whether every fact that `other` accepts is accepted here; the arities are equal."""
        return all(own.covers(arg) for own, arg in zip(self.args, other.args, strict=True))

    def __str__(self) -> str:
        return f"{self.predicate}({', '.join(map(str, self.args))})"


@dataclass(frozen=True, slots=True, eq=False)
class AnyOf(AbstractSet[str]):
    """The union of some sets. Types share what a rule says about hundreds of them."""

    parts: tuple[AbstractSet[str], ...]

    def __contains__(self, text: object) -> bool:
        return any(text in part for part in self.parts)

    def __iter__(self) -> Iterator[str]:
        return iter(dict.fromkeys(chain.from_iterable(self.parts)))

    def __len__(self) -> int:
        return len(set().union(*self.parts))


class Shapes:
    """All shapes of a policy, by predicate."""

    def __init__(self, shapes: Iterable[Shape], declarations: Declarations) -> None:
        self.by_predicate: dict[str, list[Shape]] = {}
        self._indexes: dict[tuple[str, int], MatchIndex] = {}
        for shape in dict.fromkeys(shapes):
            group = self.by_predicate.setdefault(shape.predicate, [])
            key = shape.predicate, len(shape.args)
            index = self._indexes.setdefault(key, MatchIndex(len(shape.args)))
            index.add(len(group), (arg.accepted for arg in shape.args))
            group.append(shape)
        self._types = {key: self._types_at(*key) for key in self._indexes}
        everything = chain.from_iterable(self.by_predicate.values())
        listed = (
            arg.values for shape in everything for arg in shape.args if arg.values is not None
        )
        self.named: frozenset[Value] = frozenset().union(*listed)
        """The values that shapes tell apart from others of their type."""
        self._accepted: set[tuple[str | Value, ...]] = set()
        self._declarations = declarations

    def _types_at(self, predicate: str, arity: int) -> list[frozenset[str]]:
        group = [shape.args for shape in self.by_predicate[predicate] if len(shape.args) == arity]
        return [frozenset().union(*(args[i].types for args in group)) for i in range(arity)]

    def accept(self, fact: Fact) -> bool:
        """Say whether some rule can use `fact`."""
        predicate, args = fact
        named = self.named
        # Of two values that no shape names one is accepted if the other of its type is.
        kind = (predicate, *[value if value in named else value.type for value in args])
        if kind in self._accepted:
            return True
        is_accepted = self.may_hold(predicate, args)
        if is_accepted and len(self._accepted) < _KINDS_KNOWN:
            self._accepted.add(kind)
        return is_accepted

    def concrete(self, name: str) -> frozenset[str] | None:
        """Return the types whose values the type `name` accepts, or None if there is no such type."""
        return self._declarations.concrete(name)

    def may_hold(self, predicate: str, args: Sequence[Arg]) -> bool:
        """Say whether some usable fact of `predicate` could have these arguments."""
        index = self._indexes.get((predicate, len(args)))
        return index is not None and index.matching(args) != 0

    def types_of(self, predicate: str, args: Sequence[Value | None]) -> tuple[frozenset[str], ...]:
        """Return the types that arguments of usable facts have, given the values of some (None: any).

        No types if there are no such facts.
        """
        everything = self._types[predicate, len(args)]
        wanted = [
            types if arg is None else arg for arg, types in zip(args, everything, strict=True)
        ]
        found = [
            self.by_predicate[predicate][n].args
            for n in bits(self._indexes[predicate, len(args)].matching(wanted))
        ]
        positions = range(len(args))
        return tuple(frozenset().union(*(shape[i].types for shape in found)) for i in positions)

    def check(self, fact: Fact) -> None:
        """Raise UnknownType or UnusableFact, with the cure, if no rule can use `fact`."""
        if self.accept(fact):
            return
        shapes = self.by_predicate.get(fact.predicate)
        if shapes is None:
            raise self._unknown_predicate(fact)
        types = self._declarations.types
        for position, value in enumerate(fact.args):
            if value.type not in PRIMITIVE_TYPES and value.type not in types:
                hint = did_you_mean(value.type, types)
                message = f"the policy has no type `{value.type}`; {hint}"
                raise UnknownType(message, field=f"args[{position}].entity.type")
        if self._is_reversed(fact):
            message = f"no rule of the policy can use {fact}"
            hint = "the order is has_relation(owner, name, related); swap the two entities"
            raise UnusableFact(f"{message}; {hint}", field="args")
        raise _unusable(fact, shapes)

    def _is_reversed(self, fact: Fact) -> bool:
        """Say whether this is a relation as the old open-source dialect writes it."""
        swapped = Fact(fact.predicate, fact.args[::-1])
        return fact.predicate == "has_relation" and self.accept(swapped)

    def _unknown_predicate(self, fact: Fact) -> InvalidRequest:
        if fact.predicate in DERIVED:
            message = f"`{fact.predicate}` is derived by rules and cannot be stored"
            hint = "store the role or relation that grants it"
            if fact.predicate != "allow":
                hint += f", or `declare {fact.predicate}(...)` in the policy"
        else:
            message = f"no rule of the policy uses a predicate `{fact.predicate}`"
            hint = did_you_mean(fact.predicate, self.by_predicate) or "no facts can be used yet"
        return UnusableFact(f"{message}; {hint}", field="predicate")


def _unusable(fact: Fact, shapes: list[Shape]) -> UnusableFact:
    """Explain by the shapes that come nearest: those that refuse the fewest arguments."""
    same_arity = [shape for shape in shapes if len(shape.args) == len(fact.args)]
    if not same_arity:
        wanted = "; ".join(sorted(map(str, shapes))[:3])
        return UnusableFact(
            f"{fact} has {len(fact.args)} arguments; rules use {wanted}", field="args"
        )
    refused = {shape: _refused(shape, fact) for shape in same_arity}
    fewest = min(map(len, refused.values()))
    nearest = sorted((shape for shape in same_arity if len(refused[shape]) == fewest), key=str)[:50]
    position = refused[nearest[0]][0]
    hint = ""
    value = fact.args[position]
    if value.type == STRING:
        known = [v.id for shape in nearest for v in shape.args[position].values or ()]
        is_slip = known and value.id not in known
        hint = f"; {did_you_mean(value.id, known)}" if is_slip else ""
    hint += " " if hint.endswith("?") else "; "
    telling = [s for s in nearest if not any(t.covers(s) for t in nearest if t is not s)]
    wanted = "; ".join(map(str, (telling or nearest)[:3]))
    return UnusableFact(
        f"no rule of the policy can use {fact}{hint}rules use {wanted}", field=f"args[{position}]"
    )


def _refused(shape: Shape, fact: Fact) -> list[int]:
    pairs = zip(shape.args, fact.args, strict=True)
    return [position for position, (arg, value) in enumerate(pairs) if not arg.accepts(value)]


def shapes_of(rules: Sequence[Rule], declarations: Declarations) -> Shapes:
    """Return the shapes of the facts that `rules` and `declarations` can use."""
    shapes = list(_declared(declarations))
    asked = {
        (atom.predicate, tuple(args_of(atom, rule.types)))
        for rule in rules
        for atom, _ in atoms(rule.body)
        if atom.predicate not in DERIVED and atom.args
    }
    for predicate, args in sorted(asked, key=str):
        shapes.extend(_asked(predicate, tuple(map(_arg_shape, args)), declarations))
    shapes.extend(shape for rule in rules for shape in _compared_roles(rule))
    return Shapes(shapes, declarations)


def _compared_roles(rule: Rule) -> Iterator[Shape]:
    """Yield the roles that the rule names by comparing: `has_role(user, role, team) and role = "boss"`."""
    for atom, _ in atoms(rule.body):
        if atom.predicate != "has_role" or len(atom.args) not in (2, 3):
            continue
        name = atom.args[1]
        named = _compared(rule, name) if isinstance(name, Variable) else frozenset()
        if named:
            actor, _, *owner = map(_arg_shape, args_of(atom, rule.types))
            yield Shape("has_role", (actor, ArgShape(frozenset({STRING}), named), *owner))


def _compared(rule: Rule, variable: Variable) -> frozenset[Value]:
    """Return the Strings that some condition of the rule compares `variable` with by `=` or `in`."""
    found: set[Value] = set()
    for goal in leaves(rule.body):
        match goal:
            case Membership(term, values) if term == variable:
                found.update(values)
            case Comparison("=", left, right) if variable in (left, right):
                found.update(term for term in (left, right) if isinstance(term, Value))
            case _:
                continue
    return frozenset(value for value in found if value.type == STRING)


def _declared(declarations: Declarations) -> Iterator[Shape]:
    actors = ArgShape(declarations.concrete(ACTOR) or frozenset())
    value = cache(string)  # types that extend others share most of their names
    if declarations.globals.roles:
        yield Shape("has_role", (actors, _strings(declarations.globals.roles)))
    for declaration in declarations.types.values():
        own = ArgShape(frozenset({declaration.name}))
        if declaration.roles:
            roles = ArgShape(_ANY_STRING.types, frozenset(map(value, declaration.roles)))
            yield Shape("has_role", (actors, roles, own))
        for name, related in declaration.relations.items():
            types = ArgShape(declarations.concrete(related) or frozenset())
            yield Shape("has_relation", (own, _strings([name]), types))
    for facts in declarations.facts:
        yield Shape(facts.predicate, tuple(map(ArgShape, facts.types)))


def _arg_shape(arg: Arg) -> ArgShape:
    """A flag may be stored as false, too, though rules ask for true only."""
    if isinstance(arg, Value) and arg.type == BOOLEAN:
        return ArgShape(frozenset({BOOLEAN}))
    return (
        ArgShape(frozenset({arg.type}), frozenset({arg}))
        if isinstance(arg, Value)
        else ArgShape(arg)
    )


def _asked(
    predicate: str, args: tuple[ArgShape, ...], declarations: Declarations
) -> Iterator[Shape]:
    any_role = predicate == "has_role" and len(args) in (2, 3) and args[1] == _ANY_STRING
    if not any_role:
        yield Shape(predicate, args)
    elif len(args) == 2:
        roles = declarations.globals.roles
        yield Shape(predicate, (args[0], _strings(roles) if roles else _ANY_STRING))
    else:
        for name in sorted(args[2].types):
            declaration = declarations.types.get(name)
            roles = declaration.roles if declaration else ()
            named = _strings(roles) if roles else _ANY_STRING
            yield Shape(predicate, (args[0], named, ArgShape(frozenset({name}))))


def _strings(names: Iterable[str]) -> ArgShape:
    return ArgShape(frozenset({STRING}), frozenset(map(string, names)))


def actors_of(rules: Sequence[Rule]) -> frozenset[str]:
    """Return the types that may act: those that the first parameter of some `allow` accepts."""
    return frozenset().union(*(rule.types_of(rule.head.args[0]) for rule in _allow_rules(rules)))


def actions_of(
    rules: Sequence[Rule], declarations: Declarations
) -> Mapping[str, AbstractSet[str] | None]:
    """Return the actions that can be asked of each type; None stands for any.

    Known are the declared permissions and the actions that rules name literally. A type that declares
    no permission but whose actions come from facts, such as custom roles, can be asked any action.
    """
    named: dict[frozenset[str], set[str]] = {}
    from_facts = {
        facts.types[2]
        for facts in declarations.facts
        if facts.predicate in DERIVED and len(facts.types) == 3
    }
    for rule in rules:
        head = rule.head
        if head.predicate not in DERIVED or len(head.args) != 3:
            continue
        types = rule.types_of(head.args[2])
        actions = _named_actions(rule, head.args[1])
        if actions is None:
            from_facts.add(types)
        else:
            named.setdefault(types, set()).update(actions)
    known: dict[str, list[AbstractSet[str]]] = {
        name: [frozenset(declaration.permissions)]
        for name, declaration in declarations.types.items()
    }
    for types, actions in named.items():
        for name in types & known.keys():
            known[name].append(actions)
    any_action = frozenset().union(*from_facts)
    return {
        name: None
        if name in any_action and not declarations.types[name].permissions
        else AnyOf(tuple(actions))
        for name, actions in known.items()
    }


def _named_actions(rule: Rule, action: Term) -> AbstractSet[str] | None:
    """Return the actions that the rule is about, as far as it names them; None if facts decide that."""
    if isinstance(action, Value):
        return {action.id}
    return set() if _passes_on(rule, action) else _listed_actions(rule, action)


def _listed_actions(rule: Rule, action: Variable) -> set[str] | None:
    """Return the actions that a condition on all of the rule lists; None if there is no such condition."""
    for goal in rule.body.goals if isinstance(rule.body, Conjunction) else ():
        match goal:
            case Membership(term, values) if term == action:
                return {value.id for value in values if value.type == STRING}
            case Comparison("=", left, right) if action in (left, right):
                named = {term.id for term in (left, right) if isinstance(term, Value)}
                if named:
                    return named
            case _:
                continue
    return None


def _passes_on(rule: Rule, action: Variable) -> bool:
    """Say whether the rule takes its action from another permission, as the default `allow` does."""
    return any(
        atom.predicate in DERIVED and len(atom.args) == 3 and atom.args[1] == action
        for atom, negated in atoms(rule.body)
        if not negated
    )


def _allow_rules(rules: Sequence[Rule]) -> list[Rule]:
    return [rule for rule in rules if rule.head.predicate == "allow" and len(rule.head.args) == 3]
