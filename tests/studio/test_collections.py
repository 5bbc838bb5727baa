"""Collections: names, members, and pictures that stay when a collection goes."""

import pytest

from phosphene.core.errors import NotFound, RecipeError, WrongState
from tests.studio.studios import hang, picture


def test_a_collection_counts_what_is_not_in_the_bin(studio):
    animals = studio.collections.create(" My  animals ").id
    fox, owl = (hang(studio, picture(name)) for name in ("fox", "owl"))
    for name in (fox, owl, fox):
        studio.collections.add(animals, name)
    (listed,) = studio.collections.listed()
    assert (listed.name, listed.count) == ("My animals", 2)
    studio.gallery.delete(owl)
    assert studio.collections.listed()[0].count == 1
    studio.collections.remove(animals, fox)
    assert studio.collections.listed()[0].count == 0


def test_deleting_one_leaves_its_pictures(studio):
    animals = studio.collections.create("animals").id
    fox = hang(studio, picture("fox"))
    studio.collections.add(animals, fox)
    studio.collections.delete(animals)
    assert studio.collections.listed() == []
    assert studio.gallery.get(fox).title == "fox"


def test_what_cannot_be(studio):
    animals = studio.collections.create("Animals").id
    with pytest.raises(WrongState):
        studio.collections.create("animals")
    for name in (" ", "x" * 201):
        with pytest.raises(RecipeError, match="characters"):
            studio.collections.create(name)
    with pytest.raises(NotFound, match="picture"):
        studio.collections.add(animals, "0" * 64)
    for change in (studio.collections.add, studio.collections.remove):
        with pytest.raises(NotFound, match="collection"):
            change("nothing", "0" * 64)
    with pytest.raises(NotFound):
        studio.collections.delete("nothing")
