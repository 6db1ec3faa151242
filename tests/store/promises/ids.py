"""What ids promise: they are kept byte for byte."""

from world import (
    World,
    delete,
    exactly,
    facts_now,
    insert,
    outcomes,
    replayed,
    role,
    user,
    write,
)

from authz_service.facts.fact import Fact
from authz_service.facts.value import string
from promises.promise import promise

LOOKALIKES = [
    *("\u00e9", "e\u0301", "e", "E", "alice", "Alice", "ALICE", "alice ", " alice", "\u0430lice"),
    *("K", "\u212a", "k", "\u0131", "\u0130", "i", "I", "\u00df", "ss", "SS", "\uff21", "A", "a"),
    *('"', '""', '","', "'", "''", "\\", '\\"', "],[", '"],["String","x', "%", "_", "*", "**", "?"),
    *(":", "::", "#", "@", ",", "|", "/", "//", "--", ";", "(", ")", "..", "$(x)", "{{x}}", "%s"),
    *(
        "a\u2028b",
        "a b",
        "a\u00a0b",
        "\U0001f600",
        "\ufeffalice",
        "\u200balice",
        "a\u200db",
        "\u202ea",
    ),
    *("null", "NULL", "1", "01", "1.0", "true", "True", "-0", "1e400", "\\u00e9", "\\x00", "NaN"),
    *("user:*", "' OR 1=1 --", "x" * 512, "x" * 511, "\U0001f600" * 128, "\u00e9" * 256),
]


@promise
def ids_are_kept_byte_for_byte(world: World) -> None:
    store = world.open()
    facts = [Fact("p", (user(text),)) for text in LOOKALIKES]
    facts += [Fact(text[:32], (user("x"),)) for text in sorted({text[:32] for text in LOOKALIKES})]
    facts += [Fact("p", (user(text), string(text))) for text in LOOKALIKES]
    # Longer than an entry of an index may be, and alike for as long as possible.
    facts += [Fact("p", (*(user("x" * 512),) * 4, string(text))) for text in LOOKALIKES]
    done = write(store, *insert(*facts))
    assert set(outcomes(done)) == {"created"}
    assert facts_now(store) == set(facts) == replayed(store)
    for fact in facts:
        assert {one.fact for one in store.export("default", exactly(fact))} == {fact}
    gone = facts[::3]
    assert set(outcomes(write(store, *delete(*gone)))) == {"deleted"}
    assert facts_now(world.open()) == set(facts) - set(gone) == replayed(store)
    assert facts_now(store, revision=done.revision) == set(facts)


@promise
def stores_of_all_names_are_apart(world: World) -> None:
    store = world.open()
    for name in LOOKALIKES:
        store.create_store(name)
        write(store, *insert(role(name)), name=name)
    assert set(store.stores()) == {"default", *LOOKALIKES}
    for name in LOOKALIKES:
        assert facts_now(store, name) == {role(name)}
