"""Makes the disk and the database agree again, and checks that they do. Imports no torch.

A crash can leave a file without a row (it died between the two), a row that was about to go, a half
written file, the folder of a run that has ended. A person, or a disk, can take a file away.
"""

import shutil
from dataclasses import dataclass, field, fields

import sqlalchemy as sa

from phosphene.core.errors import PhospheneError, StorageError
from phosphene.studio.entry import described
from phosphene.studio.job import ENDED
from phosphene.studio.studio import Studio
from phosphene.studio.tables import artifacts, attachments, jobs


@dataclass
class Report:
    """What did not agree, by id.

    Args:
        adopted: Pictures without a row; they get one.
        lost: Rows without their file, or with a damaged one; they are marked, and stay.
        lost_beside: Films and trees whose file is gone; their rows are removed.
        returned: Rows that were marked, and whose file is back.
        purged: Pictures whose purge was begun; it is carried out.
        strays: Files of nobody; they are removed.
        half_written: Removed.
        runs: Folders of jobs that have ended, or that nobody knows; removed.
    """

    adopted: list[str] = field(default_factory=list)
    lost: list[str] = field(default_factory=list)
    lost_beside: list[str] = field(default_factory=list)
    returned: list[str] = field(default_factory=list)
    purged: list[str] = field(default_factory=list)
    strays: list[str] = field(default_factory=list)
    half_written: list[str] = field(default_factory=list)
    runs: list[str] = field(default_factory=list)

    @property
    def is_clean(self) -> bool:
        """Whether everything agreed."""
        return not any(getattr(self, f.name) for f in fields(self))


def inspect(studio: Studio) -> Report:
    """Say what does not agree; changes nothing. Reads every file."""
    report, store = Report(), studio.store
    with studio.database.reading() as connection:
        rows = {r.id: r for r in connection.execute(sa.select(artifacts))}
        wanted = sa.select(attachments.c.sha256, attachments.c.ending)
        beside = {r.sha256: r.ending.partition("|")[2] for r in connection.execute(wanted)}
        ended = sa.select(jobs.c.id, jobs.c.state, jobs.c.kind)
        known = {r.id: r for r in connection.execute(ended)}
    for name, row in rows.items():
        if row.purged:
            report.purged.append(name)
        elif store.holds(name) == row.lost:
            (report.returned if row.lost else report.lost).append(name)
    report.lost_beside = [n for n, ending in beside.items() if not store.holds(n, ending)]
    for name, ending in store.all():
        if ending == ".png" and name in rows:
            continue
        if ending != ".png" and name in beside:
            continue
        is_ours = ending == ".png" and store.holds(name) and _columns(studio, name) is not None
        report.adopted.append(name) if is_ours else report.strays.append(f"{name}{ending}")
    report.half_written = [str(path.relative_to(store.share)) for path in store.half_written()]
    if store.runs.is_dir():
        for folder in sorted(store.runs.iterdir()):
            job = known.get(folder.name)
            if job is None or (job.state in ENDED and job.kind != "train"):
                report.runs.append(folder.name)
    return report


def repair(studio: Studio) -> Report:
    """Make everything agree, and check that it does; returns what did not.

    To be called while no job runs: the file of a picture that is being finished has no row yet.

    Raises:
        StorageError: it still does not agree.
    """
    report, store = inspect(studio), studio.store
    for name in report.purged:
        studio.gallery.erase(name)
    for name in report.adopted:
        columns = _columns(studio, name)
        assert columns is not None
        with studio.database.writing() as connection:
            studio.gallery.insert(connection, columns)
    with studio.database.writing() as connection:
        for name in (*report.lost, *report.returned):
            lost = name in report.lost
            same = artifacts.update().where(artifacts.c.id == name)
            connection.execute(same.values(lost=lost))
        for name in report.lost_beside:
            connection.execute(attachments.delete().where(attachments.c.sha256 == name))
    for name in report.strays:
        (store.artifacts / name[:2] / name).unlink(missing_ok=True)
    for name in report.half_written:
        (store.share / name).unlink(missing_ok=True)
    for name in report.runs:
        shutil.rmtree(store.runs / name, ignore_errors=True)
    after = inspect(studio)
    if not after.is_clean:
        raise StorageError(f"disk and database still do not agree: {after}")
    return report


def tidy_up(studio: Studio) -> None:
    """End what a crash broke off and needs no look at every file: for the start of a server.

    Purges that were begun are carried out, and the folders of runs that have ended are removed.
    """
    with studio.database.reading() as connection:
        purged = list(connection.scalars(sa.select(artifacts.c.id).where(artifacts.c.purged)))
        ended = sa.select(jobs.c.id).where(jobs.c.state.in_(ENDED), jobs.c.kind != "train")
        over = set(connection.scalars(ended))
    for name in purged:
        studio.gallery.erase(name)
    if studio.store.runs.is_dir():
        for folder in studio.store.runs.iterdir():
            if folder.name in over:
                shutil.rmtree(folder, ignore_errors=True)


def _columns(studio: Studio, name: str) -> dict[str, object] | None:
    """The row that a file without one would have; None if it carries no recipe of ours."""
    try:
        return described(studio.store.read(name), "repair")
    except PhospheneError:
        return None
