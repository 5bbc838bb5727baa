"""The gallery: every picture, with how it came to be, found again by its words. Imports no torch.

A picture's file is written before its row, and its row goes before its file: whatever happens in
between, there is no row without a file, and `repair.py` finds files without a row.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import sqlalchemy as sa

from phosphene.core.errors import NotFound, WrongState
from phosphene.studio.database import Database
from phosphene.studio.entry import Entry, entry_of, folded, packed
from phosphene.studio.store import Store
from phosphene.studio.tables import artifacts, attachments, collected, made, parents

MAX_FOUND = 200
MAX_WORDS = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Search:
    """Which pictures; all conditions hold.

    Args:
        words: All of them occur in the prompt, in any order, as parts of words too.
        since: Made at this time or later; seconds since 1970, as `until`.
        bin: What is in the bin, instead of what is not.
    """

    words: str = ""
    model: str | None = None
    kind: str | None = None
    job: str | None = None
    since: float | None = None
    until: float | None = None
    favourite: bool | None = None
    collection: str | None = None
    bin: bool = False


class Page(NamedTuple):
    """Pictures, the newest first.

    Args:
        total: How many there are in all.
        more: What to give to `search` for the next page; None if this is the last one.
    """

    entries: list[Entry]
    total: int
    more: str | None


class Kin(NamedTuple):
    """Ids of the pictures that one came from, and of those that came from it."""

    parents: list[str]
    children: list[str]


class Gallery:
    """The pictures of a studio."""

    def __init__(self, database: Database, store: Store) -> None:
        self.database, self.store = database, store

    def insert(
        self,
        connection: sa.Connection,
        columns: Mapping[str, Any],
        *,
        parents_of: Sequence[str] = (),
        beside: Mapping[str, tuple[str, str, int]] | None = None,
    ) -> None:
        """Make the row of a picture whose file is in the store; one that is there stays as it is.

        Args:
            columns: As `entry.described` gives them.
            parents_of: Pictures that it came from, of which those count that are here.
            beside: Sha256, ending and length of attachments in the store, by what they are.
        """
        now, name = self.database.clock(), columns["id"]
        here = sa.select(artifacts.c.lost, artifacts.c.purged).where(artifacts.c.id == name)
        row = connection.execute(here).one_or_none()
        if row is None:
            state = {"created": now, "favourite": False, "purged": False, "lost": False}
            connection.execute(artifacts.insert().values(**columns, **state))
        elif row.lost or row.purged:
            back = {"lost": False, "purged": False, "binned": None}
            connection.execute(artifacts.update().where(artifacts.c.id == name).values(**back))
        for parent in parents_of:
            self._link(connection, name, parent)
        for ending, (digest, suffix, size) in (beside or {}).items():
            _replace(
                connection,
                attachments,
                {"artifact": name, "ending": f"{ending}|{suffix}"[:40]},
                {"sha256": digest, "bytes": size},
            )

    def keep_beside(self, beside: Mapping[str, Path]) -> dict[str, tuple[str, str, int]]:
        """Put what lies beside a picture into the store; the result is for `insert`."""
        kept = {}
        for ending, path in beside.items():
            data, suffix = packed(path)
            kept[ending] = (self.store.put(data, suffix), suffix, len(data))
        return kept

    def get(self, artifact: str) -> Entry:
        """Look a picture up, also in the bin.

        Raises:
            NotFound: no such picture.
        """
        wanted = sa.select(artifacts).where(artifacts.c.id == artifact, ~artifacts.c.purged)
        with self.database.reading() as connection:
            row = connection.execute(wanted).one_or_none()
        if row is None:
            raise NotFound(f"no picture {artifact[:64]!r} in the gallery")
        return entry_of(row)

    def kin(self, artifact: str) -> Kin:
        """The pictures that one came from and led to."""
        with self.database.reading() as connection:
            up = sa.select(parents.c.parent).where(parents.c.child == artifact)
            down = sa.select(parents.c.child).where(parents.c.parent == artifact)
            return Kin(list(connection.scalars(up)), list(connection.scalars(down)))

    def attached(self, artifact: str) -> dict[str, tuple[str, str]]:
        """Sha256 and ending in the store of what belongs to a picture, by what it is."""
        wanted = sa.select(attachments).where(attachments.c.artifact == artifact)
        with self.database.reading() as connection:
            rows = connection.execute(wanted).all()
        return {
            row.ending.partition("|")[0]: (row.sha256, row.ending.partition("|")[2]) for row in rows
        }

    def made_by(self, job: str) -> dict[int, str]:
        """The pictures of a job, by their number."""
        wanted = sa.select(made.c.number, made.c.artifact).where(made.c.job == job)
        with self.database.reading() as connection:
            return {row.number: row.artifact for row in connection.execute(wanted)}

    def made_by_each(self, jobs: Sequence[str]) -> dict[str, dict[int, str]]:
        """The pictures of many jobs."""
        found: dict[str, dict[int, str]] = {job: {} for job in jobs}
        with self.database.reading() as connection:
            for row in connection.execute(sa.select(made).where(made.c.job.in_(jobs))):
                found[row.job][row.number] = row.artifact
        return found

    def search(self, search: Search, limit: int = 50, after: str | None = None) -> Page:
        """Find pictures, the newest first.

        Args:
            after: `Page.more` of the page before.
        Raises:
            NotFound: `after` is of no page.
        """
        where = _conditions(search)
        wanted = sa.select(artifacts).where(*where)
        if after is not None:
            wanted = wanted.where(_later_than(after))
        wanted = wanted.order_by(artifacts.c.created.desc(), artifacts.c.id).limit(limit + 1)
        with self.database.reading() as connection:
            counted = sa.select(sa.func.count()).select_from(artifacts).where(*where)
            total = connection.scalar(counted) or 0
            found = [entry_of(row) for row in connection.execute(wanted)]
        more = f"{found[limit - 1].created!r}_{found[limit - 1].id}" if len(found) > limit else None
        return Page(found[:limit], total, more)

    def star(self, artifact: str, favourite: bool = True) -> Entry:
        """Make a picture a favourite, or not.

        Raises:
            NotFound: no such picture.
        """
        return self._change(artifact, favourite=favourite)

    def delete(self, artifact: str) -> Entry:
        """Put a picture into the bin; `restore` brings it back.

        Raises:
            NotFound: no such picture.
        """
        if (entry := self.get(artifact)).binned is not None:
            return entry
        return self._change(artifact, binned=self.database.clock())

    def restore(self, artifact: str) -> Entry:
        """Take a picture out of the bin.

        Raises:
            NotFound: no such picture.
        """
        return self._change(artifact, binned=None)

    def purge(self, artifact: str) -> None:
        """Delete a picture of the bin for ever.

        Raises:
            NotFound: no such picture.
            WrongState: it is not in the bin.
        """
        if self.get(artifact).binned is None:
            raise WrongState(f"picture {artifact!r} is not in the bin; delete it first")
        self._change(artifact, purged=True)
        self.erase(artifact)

    def empty_bin(self) -> int:
        """Purge all that is in the bin; returns how many."""
        binned = sa.select(artifacts.c.id).where(artifacts.c.binned.is_not(None))
        with self.database.reading() as connection:
            names = list(connection.scalars(binned.where(~artifacts.c.purged)))
        for name in names:
            self.purge(name)
        return len(names)

    def erase(self, artifact: str) -> None:
        """Carry out a purge that is written down: first the files, then the row."""
        beside = self.attached(artifact)
        self.store.remove(artifact)
        for digest, ending in beside.values():
            if not self._belongs_to_others(digest, artifact):
                self.store.remove(digest, ending)
        with self.database.writing() as connection:
            connection.execute(attachments.delete().where(attachments.c.artifact == artifact))
            connection.execute(collected.delete().where(collected.c.artifact == artifact))
            mine = (parents.c.child == artifact, parents.c.parent == artifact)
            connection.execute(parents.delete().where(sa.or_(*mine)))
            connection.execute(artifacts.delete().where(artifacts.c.id == artifact))

    def _belongs_to_others(self, digest: str, artifact: str) -> bool:
        others = sa.select(sa.func.count()).select_from(attachments)
        others = others.where(attachments.c.sha256 == digest, attachments.c.artifact != artifact)
        with self.database.reading() as connection:
            return bool(connection.scalar(others))

    def _change(self, artifact: str, **values: Any) -> Entry:
        self.get(artifact)
        with self.database.writing() as connection:
            connection.execute(
                artifacts.update().where(artifacts.c.id == artifact).values(**values)
            )
            row = connection.execute(sa.select(artifacts).where(artifacts.c.id == artifact)).one()
        return entry_of(row)

    def _link(self, connection: sa.Connection, child: str, parent: str) -> None:
        here = sa.select(artifacts.c.id).where(artifacts.c.id == parent)
        if child != parent and connection.scalar(here) is not None:
            _replace(connection, parents, {"child": child, "parent": parent}, {})


def _replace(
    connection: sa.Connection, table: sa.Table, key: Mapping[str, Any], values: Mapping[str, Any]
) -> None:
    """Insert a row, in place of one with the same key; portably."""
    same = [table.c[name] == value for name, value in key.items()]
    connection.execute(table.delete().where(*same))
    connection.execute(table.insert().values(**key, **values))


def _conditions(search: Search) -> list[sa.ColumnElement[bool]]:
    c = artifacts.c
    found = [~c.purged, c.binned.is_not(None) if search.bin else c.binned.is_(None)]
    for word in folded(search.words).split()[:MAX_WORDS]:
        found.append(c.words.contains(word, autoescape=True))
    if search.model is not None:
        found.append(c.model == search.model)
    if search.kind is not None:
        found.append(c.kind == search.kind)
    if search.since is not None:
        found.append(c.created >= search.since)
    if search.until is not None:
        found.append(c.created < search.until)
    if search.favourite is not None:
        found.append(c.favourite.is_(search.favourite))
    if search.collection is not None:
        members = sa.select(collected.c.artifact)
        found.append(c.id.in_(members.where(collected.c.collection == search.collection)))
    if search.job is not None:
        found.append(c.id.in_(sa.select(made.c.artifact).where(made.c.job == search.job)))
    return found


def _later_than(after: str) -> sa.ColumnElement[bool]:
    """What comes after the last picture of a page."""
    created, _, name = after.partition("_")
    try:
        moment = float(created)
    except ValueError:
        raise NotFound(f"no page after {after[:80]!r}; take `more` of the page before") from None
    c = artifacts.c
    return sa.or_(c.created < moment, sa.and_(c.created == moment, c.id > name))
