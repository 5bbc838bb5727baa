import pytest

from phosphene.core.errors import RecipeError
from phosphene.studio.recipe_text import parse_recipe, recipe_with


def made(**fields):
    return parse_recipe({"kind": "edit", "seed": 7, "directions": "pc0:2", **fields})


def test_sliders_and_examples_as_they_are_typed():
    recipe = made(
        directions="pc0:2, smile:-1.5",
        attributes={"smile": "3,5,10-17/1,2", "old": "faces/a.png,4 / faces/b.png"},
    )
    assert recipe.directions == ("pc0:2", "smile:-1.5")
    assert recipe.attributes["smile"].having == ("3", "5", "10-17")
    assert recipe.attributes["smile"].lacking == ("1", "2")
    assert recipe.attributes["old"].having == ("faces/a.png", "4")
    assert recipe.attributes["old"].lacking == ("faces/b.png",)
    changed = recipe_with(recipe, {"attributes.young": "8/9"})
    assert changed.attributes["young"].lacking == ("9",)


def test_files_are_named_after_what_moves():
    assert (made().title, made().labels()) == ("faces-dcgan", ["7-pc02"])
    assert made(layout="sheet").labels() == ["7-directions"]
    found = parse_recipe({"kind": "edit", "source": "x/ann.png", "directions": "pc1:-3"})
    assert (found.title, found.labels()) == ("ann", ["pc1-3"])
    assert found.with_seed() is found


def test_a_seed_is_drawn_for_what_has_no_source():
    assert made(seed=None).with_seed().seed is not None


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"source": "a.png"}, "without a seed"),
        ({"directions": ""}, "for example pc0:2"),
        ({"psi": -1}, "psi: -1 should be"),
        ({"attributes": {"smile": "3,5"}}, "with it / without it"),
        ({"attributes": {"smile": "/1"}}, "attributes.smile.having"),
        ({"reach": 0}, "reach"),
        ({"columns": 1}, "columns"),
    ],
)
def test_mistakes(fields, said):
    with pytest.raises(RecipeError, match=said):
        made(**fields)
