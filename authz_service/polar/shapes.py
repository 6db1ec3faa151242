"""Shapes: the facts that a policy can use, and the actions that it knows.

A fact is usable if a condition of some rule could ask for it, or if it is a role or relation as a block
declares it. Permissions and `allow` are always derived, never stored. Where a condition asks for any
role on a type, the roles that the type declares are meant, if it declares any.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from authz_service.errors import InvalidRequest, UnknownType, UnusableFact
from authz_service.facts.fact import Fact
from authz_service.facts.value import PRIMITIVE_TYPES, STRING, Value, string
from authz_service.polar.declarations import ACTOR, Declarations
from authz_service.polar.diagnostic import did_you_mean
from authz_service.polar.goals import Atom, Rule, Variable, atoms

DERIVED_ONLY = frozenset({"allow", "has_permission"})


@dataclass(frozen=True, slots=True)
class ArgShape:
    """What an argument may be: a value of one of `types`, and one of `values` if these are given."""

    types: frozenset[str]
    values: frozenset[Value] | None = None

    def accepts(self, value: Value) -> bool:
        return value.type in self.types and (self.values is None or value in self.values)

    def covers(self, other: "ArgShape") -> bool:
        """Say whether everything that `other` accepts is accepted here."""
        if not other.types <= self.types:
            return False
        return self.values is None or (other.values is not None and other.values <= self.values)

    def __str__(self) -> str:
        shown = self.values if self.values is not None else self.types
        return " | ".join(sorted(map(str, shown)))


@dataclass(frozen=True, slots=True)
class Shape:
    """The facts of one predicate that one condition or declaration can use."""

    predicate: str
    args: tuple[ArgShape, ...]

    def accepts(self, fact: Fact) -> bool:
        return len(self.args) == len(fact.args) and all(
            arg.accepts(value) for arg, value in zip(self.args, fact.args, strict=True)
        )

    def covers(self, other: "Shape") -> bool:
        """Say whether every fact that `other` accepts is accepted here; the arities are equal."""
        return all(own.covers(arg) for own, arg in zip(self.args, other.args, strict=True))

    def __str__(self) -> str:
        return f"{self.predicate}({', '.join(map(str, self.args))})"


class Shapes:
    """All shapes of a policy, by predicate."""

    def __init__(self, shapes: Iterable[Shape], types: Iterable[str]) -> None:
        self.by_predicate: dict[str, list[Shape]] = {}
        for shape in dict.fromkeys(shapes):
            self.by_predicate.setdefault(shape.predicate, []).append(shape)
        self._types = frozenset(types)

    def accept(self, fact: Fact) -> bool:
        """Say whether some rule can use `fact`."""
        shapes = self.by_predicate.get(fact.predicate, ())
        return any(shape.accepts(fact) for shape in shapes)

    def check(self, fact: Fact) -> None:
        """Raise UnknownType or UnusableFact, with the cure, if no rule can use `fact`."""
        shapes = self.by_predicate.get(fact.predicate)
        if shapes is None:
            raise self._unknown_predicate(fact)
        if self.accept(fact):
            return
        for position, value in enumerate(fact.args):
            if value.type not in self._types | PRIMITIVE_TYPES:
                hint = did_you_mean(value.type, self._types)
                message = f"the policy has no type `{value.type}`; {hint}"
                raise UnknownType(message, field=f"args[{position}].entity.type")
        raise _unusable(fact, shapes)

    def _unknown_predicate(self, fact: Fact) -> InvalidRequest:
        if fact.predicate in DERIVED_ONLY:
            message = f"`{fact.predicate}` is derived by rules and cannot be stored"
            hint = "store the role or relation that grants it"
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
    nearest = sorted((shape for shape in same_arity if len(refused[shape]) == fewest), key=str)
    position = refused[nearest[0]][0]
    hint = ""
    value = fact.args[position]
    if value.type == STRING:
        known = [v.id for shape in nearest for v in shape.args[position].values or ()]
        hint = f"; {did_you_mean(value.id, known)}" if known else ""
    telling = [s for s in nearest if not any(t.covers(s) for t in nearest if t is not s)]
    wanted = "; ".join(map(str, (telling or nearest)[:3]))
    return UnusableFact(
        f"no rule of the policy can use {fact}{hint}; rules use {wanted}", field=f"args[{position}]"
    )


def _refused(shape: Shape, fact: Fact) -> list[int]:
    pairs = zip(shape.args, fact.args, strict=True)
    return [position for position, (arg, value) in enumerate(pairs) if not arg.accepts(value)]


def shapes_of(rules: Sequence[Rule], declarations: Declarations) -> Shapes:
    """Return the shapes of the facts that `rules` and `declarations` can use."""
    shapes = list(_declared(declarations))
    for rule in rules:
        for atom, _ in atoms(rule.body):
            if atom.predicate not in DERIVED_ONLY:
                shapes.extend(_asked(atom, rule, declarations))
    return Shapes(shapes, declarations.types)


def _declared(declarations: Declarations) -> Iterator[Shape]:
    actors = ArgShape(declarations.concrete(ACTOR) or frozenset())
    for declaration in declarations.types.values():
        own = ArgShape(frozenset({declaration.name}))
        if declaration.roles:
            yield Shape("has_role", (actors, _strings(declaration.roles), own))
        for name, related in declaration.relations.items():
            types = ArgShape(declarations.concrete(related) or frozenset())
            yield Shape("has_relation", (own, _strings([name]), types))


def _asked(atom: Atom, rule: Rule, declarations: Declarations) -> Iterator[Shape]:
    args = tuple(
        ArgShape(rule.types[arg])
        if isinstance(arg, Variable)
        else ArgShape(frozenset({arg.type}), frozenset({arg}))
        for arg in atom.args
    )
    any_role = (
        atom.predicate == "has_role" and len(args) == 3 and args[1] == ArgShape(frozenset({STRING}))
    )
    if not any_role:
        yield Shape(atom.predicate, args)
        return
    for name in sorted(args[2].types):
        declaration = declarations.types.get(name)
        roles = _strings(declaration.roles) if declaration and declaration.roles else args[1]
        yield Shape(atom.predicate, (args[0], roles, ArgShape(frozenset({name}))))


def _strings(names: Iterable[str]) -> ArgShape:
    return ArgShape(frozenset({STRING}), frozenset(map(string, names)))


def actors_of(rules: Sequence[Rule]) -> frozenset[str]:
    """Return the types that may act: those that the first parameter of some `allow` accepts."""
    return frozenset().union(*(rule.types_of(rule.head.args[0]) for rule in _allow_rules(rules)))


def actions_of(
    rules: Sequence[Rule], declarations: Declarations
) -> Mapping[str, frozenset[str] | None]:
    """Return the actions that can be asked of each type; None stands for any.

    Known are the declared permissions and the actions that rules name literally. A type that declares
    no permission but whose actions come from facts, such as custom roles, can be asked any action.
    """
    return {name: _actions(name, rules, declarations) for name in declarations.types}


def _actions(name: str, rules: Sequence[Rule], declarations: Declarations) -> frozenset[str] | None:
    actions = set(declarations.types[name].permissions)
    is_any = False
    for rule in rules:
        head = rule.head
        if head.predicate not in DERIVED_ONLY or len(head.args) != 3:
            continue
        if name not in rule.types_of(head.args[2]):
            continue
        if not isinstance(head.args[1], Variable):
            actions.add(head.args[1].id)
        elif not _passes_on(rule, head.args[1]):
            is_any = True
    return None if is_any and not declarations.types[name].permissions else frozenset(actions)


def _passes_on(rule: Rule, action: Variable) -> bool:
    """Say whether the rule takes its action from another permission, as the default `allow` does."""
    return any(
        atom.predicate in DERIVED_ONLY and len(atom.args) == 3 and atom.args[1] == action
        for atom, negated in atoms(rule.body)
        if not negated
    )


def _allow_rules(rules: Sequence[Rule]) -> list[Rule]:
    return [rule for rule in rules if rule.head.predicate == "allow" and len(rule.head.args) == 3]
