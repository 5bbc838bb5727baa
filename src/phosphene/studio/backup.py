"""A studio as one zip, and back: made while it runs, and whole or not there. Imports no torch.

    backup.json             what it is, and of which version
    studio.sqlite           the database, as it was at one moment
    artifacts/3f/3fa2...    the pictures that it tells of, and what belongs to them
    runs/JOB/...            of jobs that are under way, and of trainings

The database is copied first. A picture's file is there before its row and never changes, so what
the copy tells of can be read afterwards; only what was deleted for ever meanwhile cannot, and the
copy forgets it too.
"""

import json
import re
import shutil
import stat
import time
import zipfile
import zlib
from collections import Counter
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from tempfile import TemporaryDirectory
from typing import NamedTuple

import sqlalchemy as sa

import phosphene
from phosphene.core.errors import NotFound, PhospheneError, RecipeError, StorageError
from phosphene.core.files import make_folder, whole_folder, write_atomic
from phosphene.studio.database import FILE
from phosphene.studio.gallery import Gallery
from phosphene.studio.job import ENDED, State
from phosphene.studio.leases import Held
from phosphene.studio.repair import inspect
from phosphene.studio.store import sha256
from phosphene.studio.studio import Studio, open_studio
from phosphene.studio.tables import artifacts, attachments, jobs

FORMAT = 1
INFO = "backup.json"
CHUNK_BYTES = 1 << 20
FILE_IN_STORE = re.compile(r"artifacts/([0-9a-f]{2})/(\1[0-9a-f]{62})\.[a-z0-9]{1,8}")
FILE_OF_RUN = re.compile(r"runs/[0-9a-f]{32}/[^\\:\0]+")
# of a damaged archive, of one with a password, of one packed in an unknown way
UNREADABLE = (zipfile.BadZipFile, zlib.error, EOFError, RuntimeError, ValueError)


class Kept(NamedTuple):
    """What is in an archive: how many pictures and jobs."""

    pictures: int
    jobs: int


def back_up(studio: Studio, out: Path) -> Kept:
    """Write a studio into a zip, while others may work in it; returns what is in it.

    In the archive, jobs that ran are queued: they go on from their checkpoint.

    Args:
        out: Has its name when it is whole, and not before.
    Raises:
        RecipeError: its database is none of SQLite.
        StorageError: disk full, folder not writable.
    """
    make_folder(out.parent)
    with TemporaryDirectory(prefix=".backup-", dir=out.parent) as folder:
        studio.database.copy_to(Path(folder) / FILE)
        copy = open_studio(Path(folder))
        try:
            write_atomic(out, lambda path: _write(studio, copy, path))
            return _count(copy)
        finally:
            copy.close()


def restore(archive: Path, share: Path) -> Kept:
    """Make a studio of an archive, in a folder that is new or empty; returns what is in it.

    Nothing is written outside of the folder, whatever names the archive gives; and the folder is
    there when all of it is, and agrees with its database.

    Raises:
        RecipeError: the folder is not empty, or this is no archive of a studio, or of a newer one.
        StorageError: the archive is damaged, or the disk is full.
    """
    try:
        with zipfile.ZipFile(archive) as opened, whole_folder(share.absolute()) as folder:
            members = _members(opened, archive)
            _check_room(members, share.absolute().parent)
            for member in members:
                _unpack(opened, member, folder)
            return _checked(folder, archive)
    except PhospheneError:
        raise
    except (OSError, *UNREADABLE) as error:
        reason = getattr(error, "strerror", None) or "it is no zip, or damaged"
        raise StorageError(f"cannot read {str(archive)!r}: {reason}") from None


def _write(studio: Studio, copy: Studio, path: Path) -> None:
    """Fill the zip; the database comes last, since the copy learns what could not be read."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_STORED) as archive:
        for held, state in _running(copy):
            copy.leases.give_back(held, state)
        gone = _write_pictures(studio, copy, archive)
        for name in gone:
            _forget(studio.gallery, copy, name)
        for job, folder in _runs(studio, copy):
            _write_run(archive, job, folder)
        told = {"format": FORMAT, "phosphene": phosphene.__version__, "created": time.time()}
        archive.writestr(INFO, json.dumps(told | _count(copy)._asdict()))
        copy.database.close()  # so that nothing of it is in the log that lies beside it
        archive.write(copy.store.share / FILE, FILE, zipfile.ZIP_DEFLATED)


def _write_pictures(studio: Studio, copy: Studio, archive: zipfile.ZipFile) -> list[str]:
    """Write all files that the copy tells of; returns the pictures whose file is not there."""
    with copy.database.reading() as connection:
        pictures = list(connection.execute(sa.select(artifacts.c.id, artifacts.c.purged)))
        rows = connection.execute(sa.select(attachments.c.sha256, attachments.c.ending))
        beside = {row.sha256: row.ending.partition("|")[2] for row in rows}
    gone, found = [], []
    for name, is_going in pictures:
        if is_going or not _write_file(studio, archive, name, ".png"):
            gone.append(name)
        else:
            found.append(name)
    lost = [n for n, ending in beside.items() if not _write_file(studio, archive, n, ending)]
    with copy.database.writing() as connection:
        for name in found:
            here = artifacts.update().where(artifacts.c.id == name, artifacts.c.lost)
            connection.execute(here.values(lost=False))
        for name in lost:
            connection.execute(attachments.delete().where(attachments.c.sha256 == name))
    return gone


def _write_file(studio: Studio, archive: zipfile.ZipFile, name: str, ending: str) -> bool:
    """Write a file of the store, if it is there and what its name says."""
    try:
        data = studio.store.read(name, ending)
    except NotFound:
        return False
    if sha256(data) != name:
        return False
    archive.writestr(f"artifacts/{name[:2]}/{name}{ending}", data)
    return True


def _forget(gallery: Gallery, copy: Studio, name: str) -> None:
    """What has no file is gone for ever, if somebody wanted that meanwhile; else it is lost."""
    try:
        gallery.get(name)
    except NotFound:
        copy.gallery.erase(name)
        return
    with copy.database.writing() as connection:
        connection.execute(artifacts.update().where(artifacts.c.id == name).values(lost=True))


def _running(copy: Studio) -> list[tuple[Held, State]]:
    """Who holds which jobs, and what these are to become when nobody does."""
    wanted = sa.select(jobs.c.id, jobs.c.worker, jobs.c.turn, jobs.c.wish)
    with copy.database.reading() as connection:
        rows = connection.execute(wanted.where(jobs.c.state == State.RUNNING)).all()
    return [(Held(r.id, r.worker, r.turn), State(r.wish or State.QUEUED)) for r in rows]


def _runs(studio: Studio, copy: Studio) -> Iterator[tuple[str, Path]]:
    """Folders of jobs that have something to go on from, or that keep it."""
    wanted = sa.select(jobs.c.id).where(jobs.c.state.not_in(ENDED) | (jobs.c.kind == "train"))
    with copy.database.reading() as connection:
        names = list(connection.scalars(wanted.order_by(jobs.c.id)))
    for name in names:
        if (folder := studio.store.run_of(name)).is_dir():
            yield name, folder


def _write_run(archive: zipfile.ZipFile, job: str, folder: Path) -> None:
    """Write what is in a run's folder now; a checkpoint first, since others are of its time."""
    paths = sorted(folder.rglob("*"), key=lambda p: ("checkpoint" not in p.name, p.as_posix()))
    for path in paths:
        name = f"runs/{job}/{path.relative_to(folder).as_posix()}"
        if path.is_symlink() or path.name.endswith(".tmp") or not FILE_OF_RUN.fullmatch(name):
            continue
        try:
            source = path.open("rb")
        except OSError:
            continue  # a folder; or the job has ended meanwhile, and its folder with it
        with source, archive.open(zipfile.ZipInfo(name), "w", force_zip64=True) as target:
            shutil.copyfileobj(source, target, CHUNK_BYTES)


def _count(studio: Studio) -> Kept:
    with studio.database.reading() as connection:
        counts = [
            connection.scalar(sa.select(sa.func.count()).select_from(table)) or 0
            for table in (artifacts, jobs)
        ]
    return Kept(*counts)


def _members(archive: zipfile.ZipFile, path: Path) -> list[zipfile.ZipInfo]:
    """The files of an archive, all of which have names that a studio gives.

    Raises:
        RecipeError: they have not, or it is of a newer phosphene.
    """
    found = [member for member in archive.infolist() if not member.is_dir()]
    names = Counter(member.filename for member in found)
    told = json.loads(archive.read(INFO)) if INFO in names and FILE in names else None
    if not isinstance(told, dict) or not isinstance(told.get("format"), int):
        raise RecipeError(f"{str(path)!r} is no backup of a studio")
    if told["format"] > FORMAT:
        raise RecipeError(f"{str(path)!r} was written by a newer phosphene; use that one")
    for member in found:
        if not _is_ours(member) or names[member.filename] > 1:
            raise RecipeError(
                f"{str(path)!r} holds {member.filename[:100]!r}, which no studio has; "
                "nothing was written"
            )
    return found


def _is_ours(member: zipfile.ZipInfo) -> bool:
    """Whether a member is a plain file, at a place where a studio has one."""
    name, mode = member.filename, member.external_attr >> 16
    if stat.S_IFMT(mode) not in (0, stat.S_IFREG):
        return False  # a link leads elsewhere
    if name in (INFO, FILE) or FILE_IN_STORE.fullmatch(name):
        return True
    is_plain = PurePosixPath(name).as_posix() == name and ".." not in name.split("/")
    return is_plain and FILE_OF_RUN.fullmatch(name) is not None


def _check_room(members: list[zipfile.ZipInfo], parent: Path) -> None:
    needed = sum(member.file_size for member in members)
    if needed > (free := shutil.disk_usage(parent).free):
        raise StorageError(f"the studio takes {needed:,} bytes, and the disk has {free:,}")


def _unpack(archive: zipfile.ZipFile, member: zipfile.ZipInfo, folder: Path) -> None:
    if member.filename == INFO:
        return

    def fill(path: Path) -> None:
        with archive.open(member) as source, path.open("wb") as target:
            shutil.copyfileobj(source, target, CHUNK_BYTES)

    write_atomic(folder / member.filename, fill)


def _checked(folder: Path, archive: Path) -> Kept:
    """See that database and files agree."""
    studio = open_studio(folder)
    try:
        report = inspect(studio)
        if not report.is_clean:
            raise StorageError(f"what is in {str(archive)!r} does not agree with itself: {report}")
        return _count(studio)
    finally:
        studio.close()
