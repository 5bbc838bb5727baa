import pytest

from phosphene.core.errors import RecipeError
from phosphene.studio.recipe_text import parse_recipe


def test_its_seeds_and_files():
    mix = parse_recipe({"kind": "mix", "model": "m", "rows": "1,2", "columns": 7})
    assert mix.all_seeds() == (1, 2, 7)
    assert (mix.title, mix.labels()) == ("m mix coarse", ["1"])
    assert mix.with_seed() is mix


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({}, "'model' is missing; a generator with styles"),
        ({"model": "m", "rows": "x"}, "rows: should be seeds and ranges"),
        ({"model": "m", "columns": "3-1"}, "columns: should name ranges"),
        ({"model": "m", "layer": "fine"}, "did you mean 'layers'"),
        ({"model": "m", "rows": "0-99", "columns": "0-99"}, "10,201 pictures; use up to 1024"),
    ],
)
def test_mistakes(fields, said):
    with pytest.raises(RecipeError) as caught:
        parse_recipe({"kind": "mix", **fields})
    assert said in str(caught.value)
