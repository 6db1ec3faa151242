"""Every form of shorthand, and the longhand that it stands for: as text, and in what follows from it."""

from itertools import product
from random import Random

import pytest
from examples import NOW, POLICIES, STEPS

from authz_service.engine.program import Budget
from authz_service.engine.reference import ReferenceProgram
from authz_service.facts.fact import Fact
from authz_service.facts.policy_text import PolicyFile
from authz_service.facts.value import BOOLEAN, INTEGER, Value
from authz_service.polar.compile import check_policy, plain_rules
from authz_service.polar.declarations import collect
from authz_service.polar.parser import parse
from authz_service.polar.printer import print_items
from authz_service.polar.source import PolicySource
from authz_service.polar.syntax import Block, Declare, Rule

# `RULE` is replaced; the name of the block that it is put into stands before the colon.
BLOCKS = {
    "global": 'roles = ["staff", "boss"]; permissions = ["invite", "close"];',
    "User": 'roles = ["manager"]; permissions = ["poke"]; relations = { head: User };',
    "Org": 'roles = ["owner", "member"]; permissions = ["read"]; relations = { founder: User };',
    "Doc": 'roles = ["viewer", "editor"]; permissions = ["read", "write"]; '
    "relations = { org: Org, parent: Doc, author: User, plan: Node };",
    "Node": 'roles = ["viewer"]; permissions = ["read"]; relations = { up: Node };',
    "Leaf": "",
}
HEADS = {"global": "global", "User": "actor User", "Leaf": "resource Leaf extends Node"}

GOLDEN = {
    'Doc: "read" if "viewer";': 'has_permission(actor: Actor, "read", resource: Doc) if\n'
    '  has_role(actor, "viewer", resource);',
    'Doc: "viewer" if "editor";': 'has_role(actor: Actor, "viewer", resource: Doc) if\n'
    '  has_role(actor, "editor", resource);',
    'Doc: "read" if "write";': 'has_permission(actor: Actor, "read", resource: Doc) if\n'
    '  has_permission(actor, "write", resource);',
    'Doc: "viewer" if "read";': 'has_role(actor: Actor, "viewer", resource: Doc) if\n'
    '  has_permission(actor, "read", resource);',
    'Doc: "write" if "author";': 'has_permission(actor: Actor, "write", resource: Doc) if\n'
    '  has_relation(resource, "author", actor);',
    'Doc: "editor" if "author" on resource;': 'has_role(actor: Actor, "editor", resource: Doc) if\n'
    '  has_relation(resource, "author", actor);',
    'Doc: "editor" if "owner" on "org";': 'has_role(actor: Actor, "editor", resource: Doc) if\n'
    '  has_relation(resource, "org", related1) and\n  related1 matches Org and\n'
    '  has_role(actor, "owner", related1);',
    'Doc: "read" if "read" on "org";': 'has_permission(actor: Actor, "read", resource: Doc) if\n'
    '  has_relation(resource, "org", related1) and\n  related1 matches Org and\n'
    '  has_permission(actor, "read", related1);',
    'Doc: "viewer" if "founder" on "org";': 'has_role(actor: Actor, "viewer", resource: Doc) if\n'
    '  has_relation(resource, "org", related1) and\n  related1 matches Org and\n'
    '  has_relation(related1, "founder", actor);',
    'User: "manager" if "head";': 'has_role(actor: Actor, "manager", resource: User) if\n'
    '  has_relation(resource, "head", actor);',
    'User: "manager" if "manager" on "head";': 'has_role(actor: Actor, "manager", resource: User) if\n'
    '  has_relation(resource, "head", related1) and\n  related1 matches User and\n'
    '  has_role(actor, "manager", related1);',
    'Doc: role if role on "parent";': "has_role(actor: Actor, role: String, resource: Doc) if\n"
    '  has_relation(resource, "parent", related1) and\n  related1 matches Doc and\n'
    "  has_role(actor, role, related1) and\n  role matches String;",
    'Doc: permission if permission on "parent";': "has_permission(actor: Actor, permission: String, "
    'resource: Doc) if\n  has_relation(resource, "parent", related1) and\n'
    "  related1 matches Doc and\n  has_permission(actor, permission, related1) and\n"
    "  permission matches String;",
    'Doc: "viewer" if role on "org";': 'has_role(actor: Actor, "viewer", resource: Doc) if\n'
    '  has_relation(resource, "org", related1) and\n  related1 matches Org and\n'
    "  has_role(actor, role, related1) and\n  role matches String;",
    'Doc: "read" if role;': 'has_permission(actor: Actor, "read", resource: Doc) if\n'
    "  has_role(actor, role, resource) and\n  role matches String;",
    'Doc: "read" if global "staff";': 'has_permission(actor: Actor, "read", resource: Doc) if\n'
    '  has_role(actor, "staff");',
    'Doc: "write" if global "close";': 'has_permission(actor: Actor, "write", resource: Doc) if\n'
    '  has_permission(actor, "close");',
    "Doc: role if global role;": "has_role(actor: Actor, role: String, resource: Doc) if\n"
    "  has_role(actor, role) and\n  role matches String;",
    'global: "invite" if "staff";': 'has_permission(actor: Actor, "invite") if\n'
    '  has_role(actor, "staff");',
    'global: "staff" if global "boss";': 'has_role(actor: Actor, "staff") if\n'
    '  has_role(actor, "boss");',
    'global: "invite" if is_on(actor);': 'has_permission(actor: Actor, "invite") if\n'
    "  is_on(actor);",
    'Doc: "read" if is_public(resource);': 'has_permission(actor: Actor, "read", resource: Doc) if\n'
    "  is_public(resource);",
    'Doc: "read" if level(actor, resource, 3, true, "x");': "has_permission(actor: Actor, "
    '"read", resource: Doc) if\n  level(actor, resource, 3, true, "x");',
    "Doc: role if grants(actor, role, resource);": "has_role(actor: Actor, role: String, resource: Doc) "
    "if\n  grants(actor, role, resource);",
    'Doc: "read" if "viewer" and is_public(resource);': "has_permission(actor: Actor, "
    '"read", resource: Doc) if\n  has_role(actor, "viewer", resource) and\n  is_public(resource);',
    'Doc: "read" if "viewer" or "author";': 'has_permission(actor: Actor, "read", resource: Doc) if\n'
    '  has_role(actor, "viewer", resource) or\n  has_relation(resource, "author", actor);',
    'Doc: "read" if "viewer" and ("author" or global "staff");': "has_permission(actor: Actor, "
    '"read", resource: Doc) if\n  has_role(actor, "viewer", resource) and\n'
    '  (has_relation(resource, "author", actor) or has_role(actor, "staff"));',
    'Doc: "read" if "owner" on "org" or "viewer" on "parent" and is_x(resource, related1);': (
        'has_permission(actor: Actor, "read", resource: Doc) if\n'
        '  has_relation(resource, "org", related2) and related2 matches Org and '
        'has_role(actor, "owner", related2) or\n'
        '  has_relation(resource, "parent", related3) and related3 matches Doc and '
        'has_role(actor, "viewer", related3) and is_x(resource, related1);'
    ),
    'Doc: "author" if "editor";': 'has_relation(resource: Doc, "author", actor: User) if\n'
    '  has_role(actor, "editor", resource);',
    'Doc: "viewer" if "viewer" on "plan";': 'has_role(actor: Actor, "viewer", resource: Doc) if\n'
    '  has_relation(resource, "plan", related1) and\n  related1 matches Node and\n'
    '  has_role(actor, "viewer", related1);',
    'Node: "read" if "viewer" on "up";': 'has_permission(actor: Actor, "read", resource: Node) if\n'
    '  has_relation(resource, "up", related1) and\n  related1 matches Node and\n'
    '  has_role(actor, "viewer", related1);',
    'Leaf: "read" if "viewer";': 'has_permission(actor: Actor, "read", resource: Leaf) if\n'
    '  has_role(actor, "viewer", resource);',
}
# The call above about `related1` needs a type for it, which only a rule about the predicate can give.
TYPES = "declare is_x(Doc, User);\ndeclare is_on(User);\ndeclare is_public(Doc);\n"
ONWARD = """
has_permission(u: User, "close") if has_role(u, "boss");
has_permission(u: User, "read", d: Doc) if is_reader(u, d);
has_permission(u: User, "read", o: Org) if has_role(u, "member", o);
has_permission(u: User, "write", d: Doc) if has_role(u, "editor", d);
has_permission(u: User, "poke", v: User) if has_role(u, "manager", v);
"""


def policy_text(owner: str, rule: str) -> str:
    blocks = []
    for name, declared in BLOCKS.items():
        inside = f"{declared} {rule if name == owner else ''}"
        blocks.append(f"{HEADS.get(name, f'resource {name}')} {{ {inside} }}")
    return "\n".join(blocks) + "\n" + TYPES + ONWARD


def expansion(text: str) -> str:
    items = parse(PolicySource("p", text), [])
    blocks = [item for item in items if isinstance(item, Block)]
    declares = [item for item in items if isinstance(item, Declare)]
    findings = []
    rules = plain_rules(items, collect(blocks, declares, findings), findings)
    assert not findings
    written = [item for item in items if isinstance(item, Rule)]
    return print_items(rule for rule in rules if rule not in written).rstrip("\n")


@pytest.mark.parametrize("case", GOLDEN, ids=str)
def test_golden(case):
    owner, _, rule = case.partition(": ")
    assert expansion(policy_text(owner, rule)) == GOLDEN[case]


def random_facts(policy, random: Random) -> list[Fact]:
    shapes = [shape for group in policy.shapes.by_predicate.values() for shape in group]
    return [
        Fact(shape.predicate, tuple(value_of(arg, random) for arg in shape.args))
        for shape in random.choices(shapes, k=random.randint(0, 14))
    ]


def value_of(arg, random: Random) -> Value:
    if arg.values is not None:
        return random.choice(sorted(arg.values))
    kind = random.choice(sorted(arg.types))
    ids = {INTEGER: ["1", "3"], BOOLEAN: ["true", "false"], "String": ["viewer", "x"]}
    return Value(kind, random.choice(ids.get(kind, ["a", "b"])))


def derived(policy, facts) -> set[Fact]:
    """Everything that holds about the users, documents and names at hand."""
    values = [Value(kind, i) for kind, i in product(sorted(policy.types), "ab")]
    model = ReferenceProgram(policy).model(facts, values, NOW, Budget(STEPS))
    return set(model)


@pytest.mark.parametrize("case", GOLDEN, ids=str)
def test_shorthand_and_longhand_agree(case):
    owner, _, rule = case.partition(": ")
    short = check_policy([PolicyFile("p", policy_text(owner, rule))])
    long = check_policy([PolicyFile("p", policy_text("", "") + GOLDEN[case])])
    assert short.shapes.by_predicate.keys() == long.shapes.by_predicate.keys()
    assert short.actions == long.actions
    without = check_policy([PolicyFile("p", policy_text("", ""))])
    is_telling = False
    for seed in range(60):
        facts = random_facts(short, Random(seed))
        expected = derived(long, facts)
        assert derived(short, facts) == expected
        is_telling = is_telling or expected != derived(without, facts)
    assert is_telling, "the facts never make the rule fire"


@pytest.mark.parametrize(
    "path", sorted(POLICIES.glob("*/policy.polar")), ids=lambda path: path.parent.name
)
def test_example_policies_agree_with_their_expansion(path):
    text = path.read_text(encoding="utf-8")
    items = parse(PolicySource("p", text), [])
    blocks = [item for item in items if isinstance(item, Block)]
    declares = [item for item in items if isinstance(item, Declare)]
    rules = plain_rules(items, collect(blocks, declares, []), [])
    bare = [Block(b.keyword, b.name, b.parents, b.declarations, (), b.span) for b in blocks]
    short = check_policy([PolicyFile("p", text)])
    long = check_policy([PolicyFile("p", print_items([*bare, *declares, *rules]))])
    for seed in range(10):
        facts = random_facts(short, Random(seed))
        assert derived(short, facts) == derived(long, facts)
