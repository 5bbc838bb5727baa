"""The gallery: search, favourites, bin, kin."""

import pytest

from phosphene.core.errors import NotFound, WrongState
from phosphene.studio.gallery import Search
from phosphene.studio.repair import inspect
from tests.studio.studios import hang, picture


def found(studio, **conditions) -> list[str]:
    return [entry.title for entry in studio.gallery.search(Search(**conditions)).entries]


@pytest.fixture
def many(studio, clock):
    ids = {}
    for prompt in ("red fox | neon", "Red Owl", "100% cotton_sheep", "fuchs"):
        clock.now += 10
        ids[prompt] = hang(studio, picture(prompt))
    return ids


def test_words_are_found_in_any_order_and_case(studio, many):
    assert found(studio, words="RED") == ["Red Owl", "red fox | neon"]
    assert found(studio, words="neon fox") == ["red fox | neon"]
    assert found(studio, words="owl neon") == []
    # what means something in SQL means itself
    assert found(studio, words="100%") == ["100% cotton_sheep"]
    assert found(studio, words="n_s") == ["100% cotton_sheep"]
    assert found(studio, words="'; drop table artifacts; --") == []


def test_other_conditions(studio, many):
    studio.gallery.star(many["Red Owl"])
    assert found(studio, favourite=True) == ["Red Owl"]
    assert len(found(studio, favourite=False)) == 3
    assert found(studio, since=1020.0, until=1040.0) == ["100% cotton_sheep", "Red Owl"]
    assert found(studio, model="other") == found(studio, kind="walk") == []
    assert len(found(studio, model="emoji-vqgan", kind="imagine")) == 4
    collection = studio.collections.create("animals").id
    studio.collections.add(collection, many["fuchs"])
    assert found(studio, collection=collection) == ["fuchs"]


def test_pages_hold_everything_once(studio, clock):
    for i in range(7):
        clock.now += i % 2  # some were made at the same moment
        hang(studio, picture(f"p{i}"))
    seen, after = [], None
    while True:
        page = studio.gallery.search(Search(), 3, after)
        assert page.total == 7
        seen += [entry.title for entry in page.entries]
        after = page.more
        if after is None:
            break
    assert sorted(seen) == [f"p{i}" for i in range(7)]
    with pytest.raises(NotFound):
        studio.gallery.search(Search(), 3, "nonsense")


def test_the_same_picture_twice_is_one(studio):
    first = hang(studio, picture("fox"))
    studio.gallery.star(first)
    assert hang(studio, picture("fox")) == first
    assert studio.gallery.search(Search()).total == 1
    assert studio.gallery.get(first).favourite


def test_the_bin_and_back(studio, many):
    fox = many["fuchs"]
    with pytest.raises(WrongState, match="not in the bin"):
        studio.gallery.purge(fox)
    studio.gallery.delete(fox)
    assert "fuchs" not in found(studio)
    assert found(studio, bin=True) == ["fuchs"]
    assert studio.store.holds(fox)
    studio.gallery.restore(fox)
    assert "fuchs" in found(studio)
    studio.gallery.delete(fox)
    assert studio.gallery.empty_bin() == 1
    assert not studio.store.holds(fox)
    with pytest.raises(NotFound):
        studio.gallery.get(fox)
    assert inspect(studio).is_clean


def test_a_purge_that_was_broken_off_is_not_seen(studio, many, monkeypatch):
    fox = many["fuchs"]
    studio.gallery.delete(fox)
    with monkeypatch.context() as patched:
        patched.setattr(type(studio.gallery), "erase", lambda *_: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            studio.gallery.purge(fox)
    assert found(studio, bin=True) == []
    assert inspect(studio).purged == [fox]


def test_kin_and_what_belongs_to_a_picture(studio, tmp_path):
    parent = hang(studio, picture("parent"))
    (tmp_path / "x.mp4").write_bytes(b"film")
    beside = studio.gallery.keep_beside({".mp4": tmp_path / "x.mp4"})
    one = hang(studio, picture("one"), parents_of=[parent, "unknown"], beside=beside)
    two = hang(studio, picture("two"), beside=beside)
    assert studio.gallery.kin(one) == ([parent], [])
    assert studio.gallery.kin(parent) == ([], [one])
    ((digest, ending),) = studio.gallery.attached(one).values()
    for name in (one, two):
        assert studio.store.holds(digest, ending)  # the other one still has it
        studio.gallery.delete(name)
        studio.gallery.purge(name)
    assert not studio.store.holds(digest, ending)
    assert studio.gallery.kin(parent) == ([], [])
    assert inspect(studio).is_clean


def test_a_picture_that_was_lost_comes_back_when_it_is_made_again(studio):
    fox = hang(studio, picture("fox"))
    studio.gallery.delete(fox)
    studio.gallery.purge(fox)
    assert hang(studio, picture("fox")) == fox
    assert found(studio) == ["fox"]
