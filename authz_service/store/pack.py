"""Pack: what one transaction commits: several writes, each at its revision, as if they came one by one.

Rule 1: all of it happens under the lock of the head row, so what a job reads is what it changes.
Rule 2: revisions are dense. They are counted here, and written with the log, last before the commit.
Rule 3: a job raises before it changes anything, or not at all.
Rule 4: time does not go back from one revision to the next, whatever the clocks of different machines say.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from typing import Any, Final, NamedTuple

from sqlalchemy import Connection, bindparam, func, insert, select, tuple_, update
from sqlalchemy import delete as delete_rows

from authz_service.errors import PolicyChanged, StoreNotFound
from authz_service.facts.fact import Fact
from authz_service.facts.instant import Instant
from authz_service.facts.revision import ConsistencyToken, Revision
from authz_service.store import tables
from authz_service.store.dialect import insert_rows
from authz_service.store.head import read_head
from authz_service.store.ledger import Ledger
from authz_service.store.rows import Effect, Kind, decode_effects, encode_effects
from authz_service.store.statement import Statement

_STORE: Final = Statement(
    select(tables.stores.c.number).where(
        tables.stores.c.name == bindparam("of_name"), tables.stores.c.deleted.is_(None)
    )
)
_LAST: Final = Statement(
    select(tables.stores.c.revision).where(tables.stores.c.number == bindparam("of_store"))
)
_POLICY_VERSION: Final = Statement(
    select(func.max(tables.policies.c.version)).where(
        tables.policies.c.store == bindparam("of_store")
    )
)
_KEPT: Final = Statement(
    select(tables.idempotency_keys.c.content, tables.idempotency_keys.c.written).where(
        tables.idempotency_keys.c.store == bindparam("of_store"),
        tables.idempotency_keys.c.key == bindparam("of_key"),
        tables.idempotency_keys.c.kept_until > bindparam("instant"),
    )
)
_SET_LAST: Final = Statement(
    update(tables.stores)
    .where(tables.stores.c.number == bindparam("of_store"))
    .values(revision=bindparam("last"))
)
_SET_HEAD: Final = Statement(
    update(tables.head).values(revision=bindparam("reached"), committed_at=bindparam("instant"))
)

# So many effects stand in one row of the log, so that no row is larger than a database allows.
_PART = 1000


class ActiveVersion(NamedTuple):
    """The version of the policy, 0 for none, that is active in the store of this number.

    A store that was made again under the same name counts its versions from 1 again, and a database that was
    restored goes on from those that it has.
    """

    incarnation: str
    store: int
    version: int


class Pack:
    """One transaction that writes, at `instant`."""

    def __init__(self, connection: Connection, now: Instant) -> None:
        head = read_head(connection)
        self.connection = connection
        self.ledger = Ledger(connection)
        self.instant = Instant(max(now, head.committed_at))
        self.incarnation = head.incarnation
        self.compacted_to = head.compacted_to
        self.revision = head.revision
        self._committed = self.revision
        # Rows of `changes`, in the order of its columns.
        self._log: list[tuple[Revision, int, int, Instant, str, str]] = []
        self._keys: dict[tuple[int, str], dict[str, Any]] = {}
        self._stores: dict[str, int] = {}
        self._policy_versions: dict[int, int] = {}
        self._last: dict[int, Revision] = {}

    def token(self, store: int) -> ConsistencyToken:
        """Return the token of all that was done to `store` so far.

        Its revision is one of that store, also after a job that changed nothing: whoever follows the store
        comes by every token that was given out.
        """
        if store not in self._last:
            last = _LAST.scalar(self.connection, {"of_store": store})
            self._last[store] = Revision(last or 0)
        return ConsistencyToken(self.incarnation, store, self._last[store])

    def store(self, name: str) -> int:
        """Return the number of a store. Raises StoreNotFound."""
        if name not in self._stores:
            self._stores[name] = store_number(self.connection, name)
        return self._stores[name]

    def foresee(self, named: Iterable[tuple[str, Iterable[Fact]]]) -> None:
        """Read in a few statements what jobs are going to ask of the ledger: facts of stores."""
        facts: defaultdict[str, list[Fact]] = defaultdict(list)
        for name, some in named:
            facts[name] += some
        for name, some in facts.items():
            # Whoever names a store that is none hears of it from the job.
            with suppress(StoreNotFound):
                self.ledger.fetch(self.store(name), some)

    def forget_store(self, name: str) -> None:
        self._stores.pop(name, None)

    def policy_version(self, store: int) -> int:
        """Return the active version of the policy of `store`, 0 if there is none."""
        if store not in self._policy_versions:
            newest = _POLICY_VERSION.scalar(self.connection, {"of_store": store})
            self._policy_versions[store] = newest or 0
        return self._policy_versions[store]

    def check_active(self, store: int, expected: ActiveVersion | None) -> None:
        """Raise PolicyChanged unless the policy of `store` is still the expected one; None expects none."""
        active = ActiveVersion(self.incarnation, store, self.policy_version(store))
        if expected not in (None, active):
            message = f"policy version {active.version} was published meanwhile; try again"
            raise PolicyChanged(message)

    def set_policy_version(self, store: int, version: int) -> None:
        self._policy_versions[store] = version

    def advance(self, store: int, kind: Kind, *bodies: str) -> Revision:
        """Take the next revision, which does to `store` what the bodies say."""
        self.revision = self._last[store] = Revision(self.revision + 1)
        for part, body in enumerate(bodies):
            self._log.append((self.revision, part, store, self.instant, kind.value, body))
        return self.revision

    def advance_facts(self, store: int, effects: Sequence[Effect]) -> Revision:
        """Take the next revision, for effects on facts. The ledger is changed by whoever calls."""
        pieces = (effects[start : start + _PART] for start in range(0, len(effects), _PART))
        return self.advance(store, Kind.FACTS, *map(encode_effects, pieces))

    def effects_since(self, store: int, revision: Revision) -> Iterator[Effect]:
        """Yield what happened to the facts of `store` after `revision`, in this pack or before."""
        log = tables.changes
        bodies = self.connection.scalars(
            select(log.c.body)
            .where(log.c.revision > revision, log.c.store == store, log.c.kind == Kind.FACTS.value)
            .order_by(log.c.revision, log.c.part)
        ).all()
        for body in bodies:
            yield from decode_effects(body)
        for _, _, of_store, _, kind, body in self._log:
            if of_store == store and kind == Kind.FACTS.value:
                yield from decode_effects(body)

    def kept(self, store: int, key: str) -> tuple[str, str] | None:
        """Return content and result of the write that had this idempotency key, if it is still kept."""
        row = self._keys.get((store, key))
        if row is not None:
            return row["content"], row["written"]
        return kept(self.connection, store, key, self.instant)

    def keep(self, store: int, key: str, content: str, written: str, until: Instant) -> None:
        """Remember a write by its idempotency key."""
        self._keys[store, key] = {
            "store": store,
            "key": key,
            "content": content,
            "written": written,
            "kept_until": until,
        }

    def flush(self) -> None:
        """Write all of it, the revision last."""
        self.ledger.flush()
        if self._keys:
            table = tables.idempotency_keys
            places = tuple_(table.c.store, table.c.key)
            self.connection.execute(delete_rows(table).where(places.in_(list(self._keys))))
            self.connection.execute(insert(table), list(self._keys.values()))
        if self.revision == self._committed:
            return
        insert_rows(self.connection, tables.changes, self._log)
        last = {store: revision for revision, _, store, *_ in self._log}
        _SET_LAST.run(
            self.connection,
            [{"of_store": store, "last": revision} for store, revision in last.items()],
        )
        _SET_HEAD.run(self.connection, [{"reached": self.revision, "instant": self.instant}])


def kept(connection: Connection, store: int, key: str, instant: Instant) -> tuple[str, str] | None:
    """Return content and result of the write that had this idempotency key, if it is kept at `instant`."""
    rows = _KEPT.rows(connection, {"of_store": store, "of_key": key, "instant": instant})
    return rows[0] if rows else None


def store_number(connection: Connection, name: str) -> int:
    """Return the number of the store that has this name now. Raises StoreNotFound."""
    number = _STORE.scalar(connection, {"of_name": name})
    if number is None:
        message = f"there is no store `{name}`"
        raise StoreNotFound(message, field="store")
    return int(number)
