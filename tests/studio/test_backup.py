"""Backups: made while others work, whole or not there, and restored into nothing but a studio."""

import json
import os
import random
import signal
import stat
import subprocess
import sys
import threading
import time
import zipfile
from pathlib import Path

import pytest
import sqlalchemy as sa

from phosphene.core.errors import PhospheneError, RecipeError, StorageError
from phosphene.studio import backup as module
from phosphene.studio.backup import FILE, INFO, Kept, back_up, restore
from phosphene.studio.gallery import Search
from phosphene.studio.job import State
from phosphene.studio.repair import inspect
from phosphene.studio.tables import artifacts
from tests.studio.processes import ROOT
from tests.studio.studios import hang, picture, studio_in, wanted
from tests.web.painters import Painter

JOB = "0" * 32
BACKUP = """
import sys
from pathlib import Path
from phosphene.studio.backup import back_up
from phosphene.studio.studio import open_studio
studio = open_studio(Path(sys.argv[1]))
print("go", flush=True)
back_up(studio, Path(sys.argv[2]))
"""


def restored(tmp_path, archive):
    """What an archive gives, which agrees with itself."""
    for number in range(100):
        share = tmp_path / f"restored{number}"
        if not share.exists():
            break
    restore(archive, share)
    studio = studio_in(share)
    assert inspect(studio).is_clean
    return studio


def test_everything_comes_back(studio, tmp_path):
    (tmp_path / "x.mp4").write_bytes(b"film")
    beside = studio.gallery.keep_beside({".mp4": tmp_path / "x.mp4"})
    fox = hang(studio, picture("fox"), beside=beside)
    cub = hang(studio, picture("cub"), parents_of=[fox])
    studio.gallery.star(fox)
    studio.gallery.delete(cub)
    shelf = studio.collections.create("animals").id
    studio.collections.add(shelf, fox)
    queued, ended = studio.jobs.submit(wanted("later")), studio.jobs.submit(wanted("never"))
    studio.jobs.cancel(ended.id)
    out = tmp_path / "deep" / "backup.zip"
    assert back_up(studio, out) == Kept(2, 2)
    assert [path.name for path in out.parent.iterdir()] == ["backup.zip"]

    again = restored(tmp_path, out)
    assert again.gallery.get(fox) == studio.gallery.get(fox)
    assert again.gallery.kin(cub).parents == [fox]
    assert again.gallery.attached(fox) == studio.gallery.attached(fox)
    assert again.store.read(*again.gallery.attached(fox)[".mp4"]) == b"film"
    assert [e.id for e in again.gallery.search(Search(collection=shelf)).entries] == [fox]
    assert [e.id for e in again.gallery.search(Search(bin=True)).entries] == [cub]
    assert [job.id for job in again.jobs.waiting()] == [queued.id]
    assert again.jobs.get(ended.id) == studio.jobs.get(ended.id)
    again.close()


def test_jobs_under_way_go_on_from_their_checkpoint(studio, tmp_path):
    names = [studio.jobs.submit(wanted(f"p{i}")).id for i in range(3)]
    for name in names:
        studio.leases.claim("elsewhere:1:a")
        folder = studio.store.run_of(name)
        (folder / "frames").mkdir(parents=True)
        (folder / "checkpoint.safetensors").write_bytes(b"c")
        (folder / "frames" / "000010.png").write_bytes(b"f")
        (folder / ".12.tmp").write_bytes(b"half")
        (folder / "link").symlink_to(tmp_path)
    studio.jobs.pause(names[1])
    studio.jobs.cancel(names[2])
    out = tmp_path / "x.zip"
    back_up(studio, out)
    assert studio.jobs.get(names[0]).state is State.RUNNING  # here nothing has changed
    again = restored(tmp_path, out)
    states = [again.jobs.get(name) for name in names]
    assert [job.state for job in states] == [State.QUEUED, State.PAUSED, State.CANCELLED]
    assert [job.deaths for job in states] == [0, 0, 0]
    for name in names[:2]:
        there = again.store.run_of(name).rglob("*")
        assert {p.name for p in there if p.is_file()} == {"checkpoint.safetensors", "000010.png"}
    assert not again.store.run_of(names[2]).exists()
    again.close()


def test_what_has_no_file_is_said_or_forgotten(studio, tmp_path, monkeypatch):
    names = [hang(studio, picture(f"p{i}")) for i in range(5)]
    lost, damaged, back, going, gone = names
    studio.store.path(lost).unlink()
    studio.store.path(damaged).write_bytes(b"x")
    (tmp_path / "x.mp4").write_bytes(b"film")
    beside = studio.gallery.keep_beside({".mp4": tmp_path / "x.mp4"})
    kept = hang(studio, picture("with film"), beside=beside)
    studio.store.remove(beside[".mp4"][0], ".mp4")
    with studio.database.writing() as connection:
        connection.execute(artifacts.update().where(artifacts.c.id == back).values(lost=True))
        connection.execute(artifacts.update().where(artifacts.c.id == going).values(purged=True))

    copy_to = studio.database.copy_to

    def then_it_goes(path):
        copy_to(path)
        studio.gallery.delete(gone)
        studio.gallery.purge(gone)

    monkeypatch.setattr(studio.database, "copy_to", then_it_goes)
    assert back_up(studio, tmp_path / "x.zip") == Kept(4, 0)
    again = restored(tmp_path, tmp_path / "x.zip")
    states = {e.id: e.lost for e in again.gallery.search(Search()).entries}
    assert states == {lost: True, damaged: True, back: False, kept: False}
    assert again.gallery.attached(kept) == {}
    again.close()


@pytest.mark.slow
def test_a_backup_is_of_one_moment_while_others_work(tmp_path):
    studio = studio_in(tmp_path / "studio")
    over, failures = threading.Event(), []

    def visit() -> None:
        dice, number = random.Random(7), 0
        try:
            while not over.is_set():
                number += 1
                studio.jobs.submit(wanted(f"p{number}", count=2))
                for entry in studio.gallery.search(Search(), 5).entries:
                    if dice.random() < 0.3:
                        studio.gallery.delete(entry.id)
                        studio.gallery.purge(entry.id)
                time.sleep(0.01)
        except PhospheneError as error:
            failures.append(error)

    visitor = threading.Thread(target=visit)
    with Painter(studio).at_work():
        visitor.start()
        try:
            outs = []
            for number in range(6):
                time.sleep(0.2)
                outs.append(tmp_path / f"{number}.zip")
                back_up(studio, outs[-1])
        finally:
            over.set()
            visitor.join()
    assert failures == []
    pictures = 0
    for out in outs:
        again = restored(tmp_path, out)
        for job in again.jobs.listed([State.DONE]):
            assert set(again.gallery.made_by(job.id)) == {0, 1}
        assert not again.jobs.listed([State.RUNNING])
        pictures += again.gallery.search(Search()).total
        again.close()
    assert pictures > 0
    studio.close()


@pytest.mark.slow
def test_a_kill_leaves_no_half_archive(studio, tmp_path):
    for number in range(40):
        hang(studio, picture(f"p{number}"))
    out, dice, killed = tmp_path / "out" / "x.zip", random.Random(5), 0
    environment = {**os.environ, "PYTHONPATH": str(ROOT / "src")}
    for _ in range(6):
        process = subprocess.Popen(
            [sys.executable, "-c", BACKUP, str(studio.store.share), str(out)],
            env=environment,
            stdout=subprocess.PIPE,
            text=True,
        )
        assert process.stdout is not None
        assert process.stdout.readline() == "go\n"
        time.sleep(dice.uniform(0, 0.05))
        process.kill()
        process.communicate()
        killed += process.returncode == -signal.SIGKILL
        if out.exists():
            restored(tmp_path, out).close()
            out.unlink()
    assert killed > 0
    back_up(studio, out)
    restored(tmp_path, out).close()


def test_a_folder_with_anything_in_it_is_left_alone(studio, tmp_path):
    back_up(studio, tmp_path / "x.zip")
    share = tmp_path / "share"
    share.mkdir()
    (share / "mine.txt").write_text("mine")
    with pytest.raises(RecipeError, match="not an empty folder"):
        restore(tmp_path / "x.zip", share)
    assert [path.name for path in share.iterdir()] == ["mine.txt"]
    (share / "mine.txt").unlink()
    assert restore(tmp_path / "x.zip", share) == Kept(0, 0)


@pytest.fixture
def good(studio, tmp_path):
    """An archive of one picture."""
    hang(studio, picture("fox"))
    back_up(studio, tmp_path / "good.zip")
    return tmp_path / "good.zip"


def with_member(good: Path, name: str, data: bytes = b"evil", mode: int = 0) -> Path:
    """The archive with one more member."""
    out = good.with_name("evil.zip")
    out.write_bytes(good.read_bytes())
    info = zipfile.ZipInfo(name)
    info.external_attr = mode << 16
    with zipfile.ZipFile(out, "a") as archive:
        archive.writestr(info, data)
    return out


def refused(archive: Path, error: type[PhospheneError], said: str) -> None:
    """The archive is refused in one line, and leaves nothing."""
    top = archive.parent
    before = sorted(top.parent.rglob("*"))
    with pytest.raises(error, match=said) as raised:
        restore(archive, top / "share")
    assert "\n" not in str(raised.value)
    assert sorted(top.parent.rglob("*")) == before


NAMES = [
    "../evil.txt",
    "/tmp/evil.txt",
    "artifacts/../../evil.txt",
    "artifacts/aa/../../../evil.txt",
    f"artifacts/00/{'1' * 64}.png",
    f"artifacts/11/{'1' * 64}.png/x",
    f"artifacts/11/{'1' * 64}.png\n",
    f"runs/{JOB}/../../../evil.txt",
    f"runs/{JOB}/..",
    f"runs/{JOB}//etc/passwd",
    f"runs/{JOB}/./x",
    "runs/../../evil.txt",
    f"runs/{JOB}/a\\..\\..\\..\\evil.txt",
    f"runs/{JOB}/C:evil.txt",
    "C:\\evil.txt",
    "evil.txt",
    f"{FILE}-wal",
    "thumbnails/aa/x.webp",
]


@pytest.mark.slow
@pytest.mark.parametrize("name", NAMES)
def test_no_member_leaves_the_folder(good, name):
    refused(with_member(good, name), RecipeError, "which no studio has")


@pytest.mark.slow
def test_no_link_and_no_device_is_restored(good):
    for kind in (stat.S_IFLNK, stat.S_IFBLK, stat.S_IFIFO, stat.S_IFDIR):
        archive = with_member(good, f"runs/{JOB}/x", b"/etc/passwd", kind | 0o777)
        refused(archive, RecipeError, "which no studio has")
    with pytest.warns(UserWarning, match="Duplicate name"):
        archive = with_member(good, FILE)
    refused(archive, RecipeError, "which no studio has")


@pytest.mark.slow
def test_what_is_no_backup_is_refused(good, tmp_path):
    other = tmp_path / "other.zip"
    other.write_bytes(b"PK nothing")
    refused(other, StorageError, "no zip, or damaged")
    with zipfile.ZipFile(other, "w") as archive:
        archive.writestr("gallery.json", "[]")
    refused(other, RecipeError, "is no backup of a studio")
    for told in ("[", "[]", '{"format": "1"}', "\xff"):
        with zipfile.ZipFile(other, "w") as archive:
            archive.writestr(INFO, told.encode("latin-1"))
            archive.writestr(FILE, b"")
        refused(other, PhospheneError, "is no backup|damaged")
    with zipfile.ZipFile(other, "w") as archive:
        archive.writestr(INFO, json.dumps({"format": module.FORMAT + 1}))
        archive.writestr(FILE, b"")
    refused(other, RecipeError, "newer phosphene")
    refused(tmp_path / "missing.zip", StorageError, "No such file")


def test_what_is_damaged_is_refused(good, tmp_path):
    whole, bad = good.read_bytes(), tmp_path / "bad.zip"
    png = whole.index(b"\x89PNG")
    for data in (whole[:-40], whole[: png + 16] + b"xx" + whole[png + 18 :]):
        bad.write_bytes(data)
        refused(bad, StorageError, "damaged")
    extra = picture("another")
    name = module.sha256(extra)
    refused(
        with_member(good, f"artifacts/{name[:2]}/{name}.png", extra), StorageError, "does not agree"
    )
    with zipfile.ZipFile(bad, "w") as archive:
        archive.writestr(INFO, json.dumps({"format": 1}))
        archive.writestr(FILE, b"no database at all" * 100)
    refused(bad, StorageError, "not a database")


def test_a_disk_that_is_too_small_is_said_before_anything_is_written(good, monkeypatch):
    usage = type("Usage", (), {"free": 10})
    monkeypatch.setattr(module.shutil, "disk_usage", lambda _: usage)
    refused(good, StorageError, "bytes, and the disk has 10")


def test_another_database_is_for_its_own_tool(studio, tmp_path, monkeypatch):
    monkeypatch.setattr(studio.database._reader.dialect, "name", "postgresql")
    with pytest.raises(RecipeError, match="postgresql: save it with its own tool first"):
        back_up(studio, tmp_path / "x.zip")
    monkeypatch.undo()
    assert not (tmp_path / "x.zip").exists()


def test_the_copy_of_a_damaged_database_is_refused(studio, tmp_path):
    with studio.database.writing() as connection:
        connection.execute(sa.text("PRAGMA writable_schema = ON"))
        connection.execute(sa.text("UPDATE sqlite_master SET rootpage = 9999 WHERE name = 'made'"))
    with pytest.raises(StorageError):
        back_up(studio, tmp_path / "x.zip")
    assert not (tmp_path / "x.zip").exists()
