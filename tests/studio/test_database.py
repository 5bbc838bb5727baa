"""The database: versions, whole transactions, readers beside a writer."""

import threading

import pytest
import sqlalchemy as sa

from phosphene.core.errors import RecipeError, StorageError
from phosphene.studio import database as module
from phosphene.studio.database import migrate, open_database, sqlite_url
from phosphene.studio.tables import VERSION, collections, meta


def names(database) -> list[str]:
    with database.reading() as connection:
        return list(connection.scalars(sa.select(collections.c.name)))


def add(connection, name: str) -> None:
    connection.execute(collections.insert().values(id=name, name=name, created=0.0))


def test_it_stays(tmp_path):
    url = sqlite_url(tmp_path)
    for _ in range(2):
        database = open_database(url)
        with database.reading() as connection:
            assert connection.scalar(sa.select(meta.c.value)) == str(VERSION)
            assert connection.exec_driver_sql("PRAGMA journal_mode").scalar() == "wal"
        database.close()


def test_a_transaction_is_whole_or_nothing(tmp_path):
    database = open_database(sqlite_url(tmp_path))

    def fail(connection):
        add(connection, "half")
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError), database.writing() as connection:
        fail(connection)
    assert names(database) == []


def test_readers_do_not_wait_for_a_writer_and_writers_wait_for_each_other(tmp_path):
    database = open_database(sqlite_url(tmp_path))
    written = threading.Event()

    def second() -> None:
        with database.writing() as connection:
            add(connection, "second")
        written.set()

    with database.writing() as connection:
        add(connection, "first")
        assert names(database) == []
        thread = threading.Thread(target=second)
        thread.start()
        assert not written.wait(0.2)
    thread.join()
    assert sorted(names(database)) == ["first", "second"]


def test_a_database_that_is_busy_for_too_long_says_so(tmp_path, monkeypatch):
    monkeypatch.setattr(module, "BUSY_SECONDS", 0.05)
    database = open_database(sqlite_url(tmp_path))
    with database.writing(), pytest.raises(StorageError, match="locked"), database.writing():
        pass


def test_tables_are_led_forward_step_by_step(tmp_path):
    database = open_database(sqlite_url(tmp_path))
    done = []
    steps = {VERSION: lambda c: done.append(1), VERSION + 1: lambda c: done.append(2)}
    for _ in range(2):
        with database.writing() as connection:
            migrate(connection, steps, VERSION + 2)
    assert done == [1, 2]
    with pytest.raises(RecipeError, match=f"has version {VERSION + 2}.*newer phosphene"):
        open_database(sqlite_url(tmp_path))


def test_a_step_that_fails_leaves_the_version_as_it_was(tmp_path):
    database = open_database(sqlite_url(tmp_path))

    def fails(connection):
        add(connection, "half")
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError), database.writing() as connection:
        migrate(connection, {VERSION: fails}, VERSION + 1)
    assert names(database) == []
    open_database(sqlite_url(tmp_path)).close()


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("nonsense", "no database"),
        ("magic://me:secret@host/x", "magic://...@host/x"),
        ("sqlite://", "name a file"),
    ],
)
def test_what_is_no_database_is_refused(url, said):
    with pytest.raises(RecipeError) as refused:
        open_database(url)
    assert said in str(refused.value)
    assert "secret" not in str(refused.value)
