"""Statement: what is run again and again, put into words once by SQLAlchemy, and run by the driver.

SQLAlchemy goes through some thousand lines around each statement. One about a single row takes five times as
long with them as without; and where nothing of that was run just before, as in a poll, several times that.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from types import MappingProxyType
from typing import Any, NamedTuple, cast

from sqlalchemy import Connection, Dialect, Engine, Executable, PoolProxiedConnection
from sqlalchemy.exc import DBAPIError
from sqlalchemy.sql import ClauseElement

Row = tuple[Any, ...]
Values = Mapping[str, object]
"""By the names of a statement's parameters."""

_NO_VALUES: Values = MappingProxyType({})


class _Text(NamedTuple):
    """A statement in words; what stands at its parameters, by their names; and those that never change."""

    words: str
    names: Sequence[str]
    fixed: Values

    def arguments(self, values: Values) -> Row:
        given = {**self.fixed, **values} if self.fixed else values
        return tuple([given[name] for name in self.names])


class Statement:
    """One statement, for any database. Raises what SQLAlchemy would: DBAPIError, without the values."""

    def __init__(self, query: Executable) -> None:
        self._query = query
        self._texts: dict[str, _Text] = {}

    def rows(self, connection: Connection, values: Values = _NO_VALUES) -> list[Row]:
        """Return all rows, in the transaction of `connection`."""
        text = self._text(connection.dialect)
        with driver_cursor(connection, text.words) as cursor:
            cursor.execute(text.words, text.arguments(values))
            return list(cursor.fetchall())

    def scalar(self, connection: Connection, values: Values = _NO_VALUES) -> Any:  # noqa: ANN401 - of any column
        """Return the first column of the first row; None if there is no row."""
        rows = self.rows(connection, values)
        return rows[0][0] if rows else None

    def run(self, connection: Connection, every: Sequence[Values]) -> None:
        """Change what it says, for each of these values."""
        if not every:
            return
        text = self._text(connection.dialect)
        with driver_cursor(connection, text.words) as cursor:
            cursor.executemany(text.words, list(map(text.arguments, every)))

    def ask(self, engine: Engine, values: Values = _NO_VALUES) -> list[Row]:
        """Return all rows, as they are at one moment during the call: one statement needs nothing around it."""
        text = self._text(engine.dialect)
        try:
            opened = engine.raw_connection()
            try:
                cursor = opened.cursor()
                cursor.execute(text.words, text.arguments(values))
                return list(cursor.fetchall())
            except engine.dialect.loaded_dbapi.Error as error:
                if _is_lost(error, opened, engine.dialect):
                    opened.invalidate(error)
                raise
            finally:
                opened.close()
        except engine.dialect.loaded_dbapi.Error as error:
            raise _translated(error, text.words, engine.dialect) from error

    def _text(self, dialect: Dialect) -> _Text:
        text = self._texts.get(dialect.name)
        if text is None:
            assert isinstance(self._query, ClauseElement)
            compiled: Any = self._query.compile(dialect=dialect)
            names = compiled.positiontup
            given = {name: value for name, value in compiled.params.items() if value is not None}
            text = self._texts[dialect.name] = _Text(str(compiled), names, given)
        return text


@contextmanager
def driver_cursor(connection: Connection, statement: str) -> Iterator[Any]:
    """Yield a cursor of the driver. Raises DBAPIError, as SQLAlchemy would, of `statement`."""
    opened = connection.connection
    try:
        cursor = opened.cursor()
        yield cursor
        cursor.close()
    except connection.dialect.loaded_dbapi.Error as error:
        is_lost = _is_lost(error, opened, connection.dialect)
        if is_lost:
            connection.invalidate(error)
        raise _translated(error, statement, connection.dialect, is_lost=is_lost) from error


def _is_lost(error: Exception, opened: PoolProxiedConnection, dialect: Dialect) -> bool:
    # The declared types have no errors but those of drivers that declare theirs.
    return dialect.is_disconnect(cast("Any", error), opened.dbapi_connection, None)


def _translated(
    error: Exception, statement: str, dialect: Dialect, *, is_lost: bool = False
) -> BaseException:
    """Return the error that SQLAlchemy would make of one of the driver's."""
    return DBAPIError.instance(
        statement,
        None,
        error,
        dialect.loaded_dbapi.Error,
        hide_parameters=True,
        connection_invalidated=is_lost,
        dialect=dialect,
    )
