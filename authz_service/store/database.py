"""Database: transactions on the database, and what its errors mean. The only place that translates them."""

import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext

from sqlalchemy import Connection, Engine
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from authz_service.errors import StoreUnavailable
from authz_service.store import dialect


class Database:
    """An engine, until it is closed. Transactions may run in several threads at a time.

    `bring_up_to_date` makes or changes the tables, in a transaction before any other; a database without it is
    only read. `move` is told before anything is written of a lineage that is recorded, perhaps, and another one
    that the database has now.
    """

    def __init__(
        self,
        engine: Engine,
        bring_up_to_date: Callable[[Connection], None] | None = None,
        move: Callable[[Connection, str | None, str], None] = lambda *_: None,
    ) -> None:
        self.engine = engine
        self._bring_up_to_date = bring_up_to_date
        self._move = move
        self._is_up_to_date = bring_up_to_date is None
        self._is_closed = False
        self._lost_disk: str | None = None
        # A database in memory has one connection for all threads.
        self._serial: AbstractContextManager[object] = (
            nullcontext() if dialect.is_shared(engine) else threading.RLock()
        )

    def close(self) -> None:
        """Let go of the database. Closing twice does no harm; any other call is a defect then."""
        self._is_closed = True
        self.engine.dispose()

    def prepare(self) -> None:
        """Bring the tables up to date, if that is not done yet. Raises StoreUnavailable."""
        if self._bring_up_to_date is not None and not self._is_up_to_date:
            with self._migrating() as connection:
                self._bring_up_to_date(connection)
            self._is_up_to_date = True

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        """Run a transaction that sees one moment of the database. Raises StoreUnavailable."""
        self.prepare()
        with self._translated(), self._serial, self._begun(writing=False) as connection:
            yield connection

    @contextmanager
    def asking(self) -> Iterator[Engine]:
        """Ask a single statement, which needs no transaction around it. Raises StoreUnavailable."""
        self.prepare()
        with self._translated(), self._serial:
            self._check_open()
            yield self.engine

    @contextmanager
    def writing(self) -> Iterator[Connection]:
        """Run a transaction while nobody else writes. Raises StoreUnavailable.

        If it raises, the transaction has no effect, or the connection was lost while it was committed and
        nobody knows.
        """
        self.prepare()
        with (
            self._translated(),
            self._serial,
            dialect.writing_turn(self.engine),
            self._begun(writing=True) as connection,
        ):
            recorded, lineage = dialect.begin_writing(self.engine, connection)
            if lineage not in (None, recorded):
                self._move(connection, recorded, lineage)
            yield connection

    @contextmanager
    def _migrating(self) -> Iterator[Connection]:
        with self._translated(), self._serial, self._begun(writing=True) as connection:
            dialect.begin_migrating(self.engine, connection)
            yield connection

    @contextmanager
    def _begun(self, *, writing: bool) -> Iterator[Connection]:
        self._check_open()
        if writing and self._lost_disk is not None:
            raise StoreUnavailable(self._lost_disk)
        with (
            self.engine.connect() as opened,
            opened.execution_options(writing=writing) as connection,
            connection.begin(),
        ):
            yield connection

    def _check_open(self) -> None:
        if self._is_closed:
            raise RuntimeError("the store is closed")

    @contextmanager
    def _translated(self) -> Iterator[None]:
        try:
            yield
        except PoolTimeout as error:
            message = f"too many requests wait for the database {dialect.place(self.engine)}"
            raise StoreUnavailable(message) from error
        except DBAPIError as error:
            problem = dialect.problem(error, self.engine)
            if problem is None:
                raise
            if dialect.loses_disk(error):
                self._lost_disk = f"{problem}, then start this process anew"
            raise StoreUnavailable(problem) from error
