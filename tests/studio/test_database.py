"""The database: versions, whole transactions, readers beside a writer."""

import os
import shutil
import subprocess
import threading
import time
from collections.abc import Iterator
from pathlib import Path

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
        ("mysql://me:secret@host/x", "no database that is known"),
    ],
)
def test_what_is_no_database_is_refused(url, said):
    with pytest.raises(RecipeError) as refused:
        open_database(url)
    assert said in str(refused.value)
    assert "secret" not in str(refused.value)


@pytest.fixture(scope="module")
def postgresql(tmp_path_factory) -> Iterator[str]:
    """The URL of a server of our own, where PostgreSQL and psycopg are installed."""
    pytest.importorskip("psycopg", reason="psycopg is not installed")
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin"))
    programs = Path(shutil.which("initdb") or (found[-1] / "initdb" if found else "/none")).parent
    if not (programs / "initdb").exists():
        pytest.skip("PostgreSQL is not installed")
    folder = tmp_path_factory.mktemp("postgresql")
    user = "postgres" if os.getuid() == 0 else None  # it refuses to be root
    if user is not None:
        shutil.chown(folder, user)
        for parent in folder.parents[:3]:
            parent.chmod(0o755)
    data, port = folder / "data", 5000 + os.getpid() % 50000

    def call(*words: str) -> None:
        subprocess.run([programs / words[0], *words[1:]], user=user, check=True, cwd=folder)

    call("initdb", "-D", str(data), "-A", "trust", "-U", "phosphene", "--no-sync")
    options = f"-p {port} -k {folder} -c listen_addresses="
    call("pg_ctl", "-D", str(data), "-o", options, "-l", str(folder / "log"), "-w", "start")
    yield f"postgresql+psycopg://phosphene@/postgres?host={folder}&port={port}"
    call("pg_ctl", "-D", str(data), "-m", "immediate", "stop")


def test_of_postgresql_writers_take_turns_and_readers_see_one_moment(postgresql):
    """Each writer counts what is there before it adds one more: two at a time would count alike."""
    first, second = open_database(postgresql), open_database(postgresql)

    def count(database) -> None:
        for _ in range(20):
            with database.writing() as connection:
                number = connection.scalar(sa.select(sa.func.count()).select_from(collections))
                time.sleep(0.002)
                add(connection, str(number))  # ids are unique

    threads = [threading.Thread(target=count, args=(each,)) for each in (first, second)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(map(int, names(first))) == list(range(40))
    with first.reading() as connection:
        seen = sa.select(sa.func.count()).select_from(collections)
        before = connection.scalar(seen)
        with second.writing() as writer:
            add(writer, "new")
        assert connection.scalar(seen) == before
    assert len(names(first)) == 41
    first.close()
    second.close()
