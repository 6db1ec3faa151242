"""FactStore: the facts and policies of every store, durable, with the log of their changes.

The rules that hold here:

1. A revision is one commit. Revisions are dense: 1, 2, 3, ... without holes, whatever fails.
2. A commit writes the present state and the log together, so replaying the log gives the state.
3. What was returned is durable. What raised is there whole or not at all; the log tells which.
4. Nothing of one store can be seen or touched through another.

Calls block, so an event loop makes them in a thread; threads take turns. It is not known here what
policies or facts mean, nor who may write them.
"""

import secrets
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import batched, groupby
from typing import Final, assert_never

from sqlalchemy import Connection, Engine, Row, and_, bindparam, inspect, select, tuple_, update
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError

from authz_service.errors import NoPolicy, PolicyNotFound, StoreNotFound, StoreUnavailable
from authz_service.facts.change import ChangeBatch, Operation, Write, WriteOutcome
from authz_service.facts.fact import Fact
from authz_service.facts.policy_text import PolicyFile, PolicyVersion
from authz_service.facts.revision import Revision
from authz_service.facts.snapshot import FactSnapshot
from authz_service.store import dialect, tables
from authz_service.store.tables import changes, database, facts, head, metadata, policies, stores
