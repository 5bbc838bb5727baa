"""Tables: what is written down of them is what the version counts."""

import hashlib

from sqlalchemy.schema import CreateTable

from phosphene.studio.database import MIGRATIONS
from phosphene.studio.tables import VERSION, metadata

# sha256 of the tables of each version: who changes a table changes the version too, and adds a step
SHAPES = {1: "0ede9f8713a1baf4"}


def shape() -> str:
    text = "\n".join(str(CreateTable(table)) for table in metadata.sorted_tables)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def test_a_change_of_the_tables_has_a_version_and_a_step():
    assert shape() == SHAPES[VERSION]
    assert set(MIGRATIONS) == set(range(1, VERSION))
