"""A studio: a folder and a database, with the queue and the gallery that are in them."""

from dataclasses import dataclass
from pathlib import Path

from phosphene.studio.collections import Collections
from phosphene.studio.database import Database, open_database, sqlite_url
from phosphene.studio.gallery import Gallery
from phosphene.studio.jobs import Jobs
from phosphene.studio.leases import Leases
from phosphene.studio.store import Store


@dataclass(frozen=True, slots=True)
class Studio:
    """Everything that is kept. Several processes may have the same one open."""

    database: Database
    store: Store
    jobs: Jobs
    leases: Leases
    gallery: Gallery
    collections: Collections

    def close(self) -> None:
        """Give the connections back."""
        self.database.close()


def open_studio(share: Path, url: str | None = None) -> Studio:
    """Open a studio, or found one.

    Args:
        share: Its folder.
        url: Of its database; None is an SQLite file in the folder.
    Raises:
        PhospheneError: as for `open_database`.
    """
    database = open_database(url or sqlite_url(share))
    store = Store(share.absolute())
    return Studio(
        database,
        store,
        Jobs(database),
        Leases(database),
        Gallery(database, store),
        Collections(database),
    )
