"""Collections of pictures: names, and what is in them. Imports no torch."""

import secrets
from dataclasses import dataclass

import sqlalchemy as sa

from phosphene.core.errors import NotFound, RecipeError, WrongState
from phosphene.studio.database import Database
from phosphene.studio.entry import folded
from phosphene.studio.tables import artifacts, collected, collections

MAX_NAME = 200


@dataclass(frozen=True, slots=True)
class Collection:
    """A collection.

    Args:
        count: Pictures in it that are not in the bin.
    """

    id: str
    name: str
    created: float
    count: int


class Collections:
    """The collections of a studio; a picture may be in several, or in none."""

    def __init__(self, database: Database) -> None:
        self.database = database

    def create(self, name: str) -> Collection:
        """Make an empty collection.

        Raises:
            RecipeError: a name that is empty or too long.
            WrongState: there is one of that name.
        """
        name = " ".join(name.split())
        if not name or len(name) > MAX_NAME:
            raise RecipeError(f"name: should have 1 to {MAX_NAME} characters")
        now, made = self.database.clock(), secrets.token_hex(16)
        with self.database.writing() as connection:
            taken = connection.scalars(sa.select(collections.c.name))
            if any(folded(other) == folded(name) for other in taken):
                raise WrongState(f"there is a collection {name!r}")
            connection.execute(collections.insert().values(id=made, name=name, created=now))
        return Collection(made, name, now, 0)

    def listed(self) -> list[Collection]:
        """All collections, by name."""
        counted = (
            sa.select(collected.c.collection, sa.func.count().label("count"))
            .join(artifacts, artifacts.c.id == collected.c.artifact)
            .where(artifacts.c.binned.is_(None))
            .group_by(collected.c.collection)
            .subquery()
        )
        wanted = sa.select(collections, counted.c.count).outerjoin(
            counted, counted.c.collection == collections.c.id
        )
        with self.database.reading() as connection:
            rows = connection.execute(wanted.order_by(collections.c.name)).all()
        return [Collection(row[0], row[1], row[2], row[3] or 0) for row in rows]

    def add(self, collection: str, artifact: str) -> None:
        """Put a picture into a collection; nothing if it is there.

        Raises:
            NotFound: no such collection or picture.
        """
        with self.database.writing() as connection:
            _demand(connection, collection)
            if (
                connection.scalar(sa.select(artifacts.c.id).where(artifacts.c.id == artifact))
                is None
            ):
                raise NotFound(f"no picture {artifact[:64]!r} in the gallery")
            connection.execute(collected.delete().where(*_is(collection, artifact)))
            connection.execute(
                collected.insert().values(
                    collection=collection, artifact=artifact, added=self.database.clock()
                )
            )

    def remove(self, collection: str, artifact: str) -> None:
        """Take a picture out of a collection; it stays in the gallery.

        Raises:
            NotFound: no such collection.
        """
        with self.database.writing() as connection:
            _demand(connection, collection)
            connection.execute(collected.delete().where(*_is(collection, artifact)))

    def delete(self, collection: str) -> None:
        """Delete a collection; its pictures stay in the gallery.

        Raises:
            NotFound: no such collection.
        """
        with self.database.writing() as connection:
            _demand(connection, collection)
            connection.execute(collected.delete().where(collected.c.collection == collection))
            connection.execute(collections.delete().where(collections.c.id == collection))


def _is(collection: str, artifact: str) -> tuple[sa.ColumnElement[bool], ...]:
    return collected.c.collection == collection, collected.c.artifact == artifact


def _demand(connection: sa.Connection, collection: str) -> None:
    found = connection.scalar(sa.select(collections.c.id).where(collections.c.id == collection))
    if found is None:
        raise NotFound(f"no collection {collection[:64]!r}")
