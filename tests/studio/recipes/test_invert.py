import pytest

from phosphene.core.errors import RecipeError
from phosphene.studio.recipe_text import parse_recipe


def made(**fields):
    return parse_recipe({"kind": "invert", "photo": "some/where/me.at.home.jpg", **fields})


def test_files_are_named_after_photo_and_model():
    recipe = made(space="w+", video="gif", seed=3)
    assert recipe.space == "w_plus"
    assert (recipe.title, recipe.labels()) == ("me.at.home faces-dcgan", ["inverted"])
    assert recipe.leaves_files
    assert not made().leaves_files
    assert recipe.all_seeds() == (3,)
    assert recipe.with_seed() is recipe
    assert made().with_seed().seed is not None


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"photo": ""}, "photo"),
        ({"space": "class"}, "space: 'class'"),
        ({"iterations": 0}, "iterations"),
        ({"video": "avi"}, "video"),
        ({"prior_weight": -1}, "prior_weight"),
    ],
)
def test_mistakes(fields, said):
    with pytest.raises(RecipeError, match=said):
        made(**fields)
