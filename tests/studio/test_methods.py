"""What each method paints with, and which fields it has."""

import pytest

from phosphene.core.errors import RecipeError
from phosphene.studio.methods import METHODS, Guide, demand_own_fields
from phosphene.studio.recipe import Imagine
from tests.studio.illustrators import wish


def test_an_illustrator_that_can_be_told_is_a_guide(zoo):
    assert isinstance(zoo.load("tiny-diffusion"), Guide)
    assert not isinstance(zoo.load("tiny-vqgan"), Guide)


@pytest.mark.parametrize("method", METHODS)
def test_a_plain_recipe_has_no_foreign_fields(method):
    demand_own_fields(Imagine(prompt="fox", method=method))


@pytest.mark.parametrize(
    ("method", "fields"),
    [
        ("vqgan-clip", {"guidance_scale": 2.0}),
        ("vqgan-clip", {"push": 0.1}),
        ("gan-clip", {"symmetry": "sides"}),
        ("guided-diffusion", {"learning_rate": 0.1}),
        ("guided-diffusion", {"zoom": {}}),
        ("vqgan-clip", {"cut_overview": "0:1, 9:0", "cut_policy": "random"}),
    ],
)
def test_foreign_fields_are_named(method, fields):
    with pytest.raises(RecipeError, match=f"{next(iter(fields))}: "):
        demand_own_fields(wish(**{"method": method, "model": None, **fields}))
