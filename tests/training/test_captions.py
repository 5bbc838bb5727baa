from dataclasses import replace

import pytest

from phosphene.core.rng import Rng
from phosphene.training import captions
from phosphene.training.renderings import RENDERINGS
from phosphene.training.sprites import Subject

DOG = Subject(
    "dog-face", "dog face", ("puppy face",), ("pet", "puppy", "red nose"),
    "animals-nature", "animal-mammal", ("flat",), False,
)  # fmt: skip


def rolls(count=200):
    return [Rng((i,)).dice() for i in range(count)]


@pytest.mark.parametrize(
    ("noun", "forms"),
    [
        ("dog face", {"dog face", "a dog face", "the dog face"}),
        ("owl", {"owl", "an owl", "the owl"}),
        ("unicorn", {"unicorn", "a unicorn", "the unicorn"}),
        ("grapes", {"grapes", "the grapes"}),
        (
            "man with red hair",
            {"man with red hair", "a man with red hair", "the man with red hair"},
        ),
        ("fish with chips", {"fish with chips", "a fish with chips", "the fish with chips"}),
        ("compass", {"compass", "a compass", "the compass"}),
        ("cooked rice", {"cooked rice", "the cooked rice"}),
        ("Santa Claus", {"Santa Claus"}),
        ("people hugging", {"people hugging", "the people hugging"}),
    ],
)
def test_articles(noun, forms):
    assert {captions.with_article(noun, dice) for dice in rolls()} == forms


def test_naming_uses_synonyms_and_adjectives():
    names = {captions.naming(DOG, dice, ("small", "purple")) for dice in rolls()}
    assert {"a small purple dog face", "small purple puppy face"} <= names


def test_keywords_do_not_contradict_a_colour():
    plain = {captions.elaborate(DOG, "dog", dice, coloured=False) for dice in rolls(600)}
    assert any("red nose" in caption for caption in plain)
    assert "dog" in plain
    painted = {captions.elaborate(DOG, "dog", dice, coloured=True) for dice in rolls(600)}
    assert all("red" not in c and c.startswith("dog") for c in painted)
    assert captions.elaborate(replace(DOG, keywords=("pet",)), "dog", rolls()[0], False) == "dog"


def test_relations_keep_their_order():
    rows = {captions.relate(["a", "b"], "row", dice) for dice in rolls()}
    assert "a to the left of b" in rows
    assert "b to the right of a" in rows
    assert not any("above" in caption for caption in rows)
    columns = {captions.relate(["a", "b"], "column", dice) for dice in rolls()}
    assert {"a above b", "b below a"} <= columns
    assert "b above a" not in columns
    three = {captions.relate(["a", "b", "c"], "row", dice) for dice in rolls()}
    assert three == {"a, b and c", "a on the left, b in the middle and c on the right"}


@pytest.mark.parametrize("name", RENDERINGS)
def test_every_rendering_can_be_named(name):
    words = {*RENDERINGS[name].medium, *RENDERINGS[name].tags}
    for dice in rolls(60):
        caption = captions.in_style("dog", name, None, dice)
        assert "dog" in caption
        assert any(word in caption for word in words)


def test_phrases_are_no_styles():
    said = {captions.in_style("dog", "trending on artstation", None, dice) for dice in rolls(300)}
    assert {"dog, trending on artstation", "dog in the style of concept art"} <= said
    assert "dog in the style of trending on artstation" not in said


def test_drawing_styles_have_names():
    said = {captions.in_style("dog", None, "3d", dice) for dice in rolls()}
    assert {"dog | 3D", "dog in the style of 3D render", "dog, clay"} <= said
    assert captions.in_style("dog", None, None, rolls()[0]) == "dog"
