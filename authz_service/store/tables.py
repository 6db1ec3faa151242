"""The tables. Text is compared byte by byte on every database."""

from sqlalchemy import (
    BigInteger,
    Column,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    PrimaryKeyConstraint,
    Table,
)

from authz_service.store.dialect import TEXT

metadata = MetaData()

# One row. `incarnation` is the life of this database, empty until the first process opens it; `revision` is
# the one dense counter of commits, `committed_at` the instant of the last one, which never goes back.
# History is whole from `compacted_to` on. `lineage` is what `dialect` tells of where the last write was made.
head = Table(
    "head",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=False),
    Column("incarnation", TEXT, nullable=False),
    Column("revision", BigInteger, nullable=False),
    Column("committed_at", BigInteger, nullable=False),
    Column("compacted_to", BigInteger, nullable=False),
    Column("lineage", TEXT),
)

# One row: the key by which the processes know what one of them has signed.
signing = Table(
    "signing",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=False),
    Column("key", TEXT, nullable=False),
)

# `number` is the revision that made the store, 0 for the default one: no two stores ever have the same.
# `revision` is the last one that belongs to it.
stores = Table(
    "stores",
    metadata,
    Column("number", BigInteger, primary_key=True, autoincrement=False),
    Column("name", TEXT, nullable=False),
    Column("revision", BigInteger, nullable=False),
    Column("deleted", BigInteger),
)
Index(
    "stores_name",
    stores.c.name,
    unique=True,
    sqlite_where=stores.c.deleted.is_(None),
    postgresql_where=stores.c.deleted.is_(None),
)

# The facts that are stored now. `key` tells the arguments, see `rows`; `args` has them if the key is too
# long for an index. `created` is the revision since which the fact is stored with this expiry.
facts = Table(
    "facts",
    metadata,
    Column("store", BigInteger, ForeignKey("stores.number"), nullable=False),
    Column("predicate", TEXT, nullable=False),
    Column("key", TEXT, nullable=False),
    Column("args", TEXT),
    Column("created", BigInteger, nullable=False),
    Column("expires_at", BigInteger),
    PrimaryKeyConstraint("store", "predicate", "key"),
    sqlite_with_rowid=False,  # rows stand in the primary key itself
)
Index(
    "facts_expires_at",
    facts.c.expires_at,
    sqlite_where=facts.c.expires_at.is_not(None),
    postgresql_where=facts.c.expires_at.is_not(None),
)

# Facts as they were stored from `created` until before `deleted`.
past_facts = Table(
    "past_facts",
    metadata,
    Column("store", BigInteger, ForeignKey("stores.number"), nullable=False),
    Column("predicate", TEXT, nullable=False),
    Column("key", TEXT, nullable=False),
    Column("args", TEXT),
    Column("created", BigInteger, nullable=False),
    Column("deleted", BigInteger, nullable=False),
    Column("expires_at", BigInteger),
    PrimaryKeyConstraint("store", "predicate", "key", "created"),
    sqlite_with_rowid=False,  # rows stand in the primary key itself
)
Index("past_facts_deleted", past_facts.c.deleted)

# The log: what each revision did to its store. `kind` is one of `rows.Kind` and says what is in `body`. What is
# long goes on in further parts.
changes = Table(
    "changes",
    metadata,
    Column("revision", BigInteger, nullable=False),
    Column("part", Integer, nullable=False),
    Column("store", BigInteger, nullable=False),
    Column("committed_at", BigInteger, nullable=False),
    Column("kind", TEXT, nullable=False),
    Column("body", TEXT, nullable=False),
    PrimaryKeyConstraint("revision", "part"),
)
Index("changes_committed_at", changes.c.committed_at)

policies = Table(
    "policies",
    metadata,
    Column("store", BigInteger, ForeignKey("stores.number"), nullable=False),
    Column("version", Integer, nullable=False),
    Column("revision", BigInteger, nullable=False),
    Column("files", TEXT, nullable=False),
    Column("published_at", TEXT, nullable=False),
    PrimaryKeyConstraint("store", "version"),
)

# Writes that succeeded, for those who do not know that they did.
idempotency_keys = Table(
    "idempotency_keys",
    metadata,
    Column("store", BigInteger, ForeignKey("stores.number"), nullable=False),
    Column("key", TEXT, nullable=False),
    Column("content", TEXT, nullable=False),
    Column("kept_until", BigInteger, nullable=False),
    Column("written", TEXT, nullable=False),
    PrimaryKeyConstraint("store", "key"),
)
Index("idempotency_keys_kept_until", idempotency_keys.c.kept_until)

# Copies of everything at one revision, to start from. Each has pieces from 1 on; piece 0, the beginning, is
# written last, and what lacks it is not whole. `form` says how the bytes are to be understood.
checkpoints = Table(
    "checkpoints",
    metadata,
    Column("form", Integer, nullable=False),
    Column("revision", BigInteger, nullable=False),
    Column("piece", Integer, nullable=False),
    Column("body", LargeBinary, nullable=False),
    PrimaryKeyConstraint("form", "revision", "piece"),
)
