"""The studio's memory: one SQL database, SQLite by default. Imports no torch.

SQLite writes ahead (WAL), so that readers never wait; whoever writes takes the lock when the
transaction begins, and waits for it up to `BUSY_SECONDS`. PostgreSQL goes by its URL.
"""

import sqlite3
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from sqlalchemy.exc import ArgumentError, DBAPIError, IntegrityError, NoSuchModuleError

from phosphene.core.errors import MissingTool, RecipeError, StorageError
from phosphene.core.files import make_folder
from phosphene.studio.tables import VERSION, meta, metadata

BUSY_SECONDS = 30.0
FILE = "studio.sqlite"
TURN = 0x70686F7370  # of writers: the same number in every process ("phosp")
_VERSION_KEY = "schema"

# What leads from a version to the next; each is carried out in the transaction that counts on.
Migration = Callable[[sa.Connection], None]
MIGRATIONS: Mapping[int, Migration] = {}


class Database:
    """Connections to the studio's tables.

    Args:
        clock: Tells the time, in seconds since 1970.
    """

    def __init__(self, engine: sa.Engine, clock: Callable[[], float] = time.time) -> None:
        self._reader = engine
        self._writer = engine.execution_options(writes=True)
        self.clock = clock

    @contextmanager
    def reading(self) -> Iterator[sa.Connection]:
        """A transaction that sees one moment.

        Raises:
            StorageError: the database cannot be read.
        """
        with _named(), self._reader.begin() as connection:
            yield connection

    @contextmanager
    def writing(self) -> Iterator[sa.Connection]:
        """A transaction that is kept whole when the block ends, and not at all if it raises.

        Raises:
            StorageError: the database cannot be written, or is busy for too long.
        """
        with _named(), self._writer.begin() as connection:
            yield connection

    def ping(self) -> None:
        """See that the database answers.

        Raises:
            StorageError: it does not.
        """
        with self.reading() as connection:
            connection.execute(sa.select(1))

    def copy_to(self, path: Path) -> None:
        """Write a copy as it is at one moment; others may go on reading and writing.

        Args:
            path: Of an SQLite file that is not there yet.
        Raises:
            RecipeError: this database is no SQLite.
            StorageError: it cannot be read, or the copy not written.
        """
        if self._reader.dialect.name != "sqlite":
            raise RecipeError(
                f"the database is {self._reader.dialect.name}: save it with its own tool first, "
                "and the folder after it"
            )
        target = sqlite3.connect(path)
        try:
            with self.reading() as connection:
                source = connection.connection.driver_connection
                assert isinstance(source, sqlite3.Connection)
                source.backup(target)
            found = target.execute("PRAGMA quick_check(1)").fetchone()[0]
        except sqlite3.Error as error:
            raise StorageError(f"cannot copy the database: {error}; is the disk full?") from None
        finally:
            target.close()
        if found != "ok":
            raise StorageError(f"the database is damaged: {' '.join(found.split())[:200]}")

    def close(self) -> None:
        """Give all connections back."""
        self._reader.dispose()


def sqlite_url(share: Path) -> str:
    """The URL of the database that lies in the studio's folder."""
    return sa.URL.create("sqlite", database=str(share.absolute() / FILE)).render_as_string()


def open_database(url: str, clock: Callable[[], float] = time.time) -> Database:
    """Open a database and bring its tables to today's version; makes them if there are none.

    Raises:
        RecipeError: not a database URL, or written by a newer phosphene.
        MissingTool: the driver of that database is not installed.
        StorageError: it cannot be opened or written.
    """
    engine = _engine(url)
    database = Database(engine, clock)
    try:
        with database.writing() as connection:
            migrate(connection)
    except BaseException:
        database.close()
        raise
    return database


def migrate(
    connection: sa.Connection,
    migrations: Mapping[int, Migration] = MIGRATIONS,
    version: int = VERSION,
) -> None:
    """Lead the tables forward, step by step.

    Raises:
        RecipeError: they are of a newer version than this.
    """
    if not sa.inspect(connection).has_table(meta.name):
        metadata.create_all(connection)
        connection.execute(meta.insert().values(name=_VERSION_KEY, value=str(version)))
        return
    found = int(connection.scalar(sa.select(meta.c.value).where(meta.c.name == _VERSION_KEY)) or 0)
    if found > version:
        raise RecipeError(
            f"the studio's database has version {found}, and this phosphene knows {version}; "
            "use a newer phosphene, or another --database"
        )
    for step in range(found, version):
        migrations[step](connection)
    connection.execute(meta.update().where(meta.c.name == _VERSION_KEY).values(value=str(version)))


def _engine(url: str) -> sa.Engine:
    try:
        parsed = sa.make_url(url)
        if parsed.get_backend_name() == "postgresql":
            engine = sa.create_engine(parsed, pool_pre_ping=True)
            sa.event.listen(engine, "begin", _begin_in_turn)
            return engine
        if parsed.get_backend_name() != "sqlite":
            raise NoSuchModuleError  # nothing would keep two of its writers apart
    except (ArgumentError, NoSuchModuleError):
        raise RecipeError(
            f"{_hidden(url)!r} is no database that is known here; "
            "use for example sqlite:///studio.sqlite or postgresql://user@host/name"
        ) from None
    except ImportError as error:
        raise MissingTool(f"the driver of {_hidden(url)!r} is not installed: {error}") from None
    if not parsed.database or parsed.database == ":memory:":
        raise RecipeError("workers are processes of their own: name a file, as sqlite:///x.sqlite")
    make_folder(Path(parsed.database).absolute().parent)
    engine = sa.create_engine(parsed, connect_args={"timeout": BUSY_SECONDS})
    sa.event.listen(engine, "connect", _set_up)
    sa.event.listen(engine, "begin", _begin)
    return engine


def _set_up(connection: Any, _record: object) -> None:
    """Leave transactions to us, and set what SQLite forgets between connections."""
    connection.isolation_level = None
    cursor = connection.cursor()
    cursor.execute("PRAGMA journal_mode = WAL")
    cursor.execute("PRAGMA synchronous = NORMAL")
    # KiB: each connection keeps pages that the system keeps anyway, and a server seems to grow
    cursor.execute("PRAGMA cache_size = -256")
    cursor.execute(f"PRAGMA busy_timeout = {int(BUSY_SECONDS * 1000)}")
    cursor.close()


def _begin(connection: sa.Connection) -> None:
    """A writer takes the lock at once: to ask for it after reading could only fail."""
    writes = connection.get_execution_options().get("writes")
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")


def _begin_in_turn(connection: sa.Connection) -> None:
    """Of PostgreSQL: one writer at a time, as in SQLite; a reader sees one moment.

    A writer that has waited for its turn sees what those before it have written.
    """
    writes = connection.get_execution_options().get("writes")
    connection.exec_driver_sql(
        f"SELECT pg_advisory_xact_lock({TURN})"
        if writes
        else "SET TRANSACTION ISOLATION LEVEL REPEATABLE READ"
    )


@contextmanager
def _named() -> Iterator[None]:
    """Say in one line what is wrong with the database."""
    try:
        yield
    except IntegrityError:
        raise  # nothing is wrong with the database: somebody else was faster
    except DBAPIError as error:
        reason = " ".join(str(error.orig).split())[:200]
        raise StorageError(f"the studio's database: {reason}; is its disk full or busy?") from error


def _hidden(url: str) -> str:
    """A URL without its password."""
    head, at, tail = url.rpartition("@")
    return f"{head.partition('://')[0]}://...@{tail}" if at else url[:100]
