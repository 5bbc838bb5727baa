"""The form of Sheets: what is filled in is a recipe, and the address brings it back."""

from urllib.parse import parse_qsl, urlencode

import pytest

from phosphene.core.errors import RecipeError
from phosphene.studio.recipe_text import parse_recipe
from phosphene.web.pages.layout import Axis, Layout, fields_of, layout_from, layout_of, pairs_of

SAMPLE = {"kind": "sample", "model": "emoji-stylegan2"}
RECIPES = [
    {"of": SAMPLE, "vary": ["psi=0:1:6", "seed=0-7"]},
    {"of": {**SAMPLE, "seed": 3, "transparent": False}, "vary": ["psi=0.5,1"]},
    {"of": {"kind": "imagine", "prompt": "fox, <b>"}, "vary": ['style=["a, b"]', "seed=1-3"]},
    {
        "of": {"kind": "imagine", "prompt": "...", "method": "gan-clip", "iterations": 9},
        "vary": [{"field": "prompt", "values": ["red; rose", "owl | neon"]}, "cut_power=1,2"],
    },
    {
        "of": {"kind": "imagine", "prompt": "7", "zoom": {"scale": 1.1}},
        "vary": [{"field": "perceptors", "values": ["emoji-clip,emoji-clip:2", "emoji-clip"]}],
    },
]


@pytest.mark.parametrize("fields", RECIPES)
def test_the_form_and_the_address_bring_the_recipe_back(fields):
    recipe = parse_recipe({"kind": "sheet", **fields})
    assert layout_of(recipe).recipe() == recipe
    address = parse_qsl(urlencode(pairs_of(recipe)))
    assert layout_from(address).recipe() == recipe
    assert layout_from([]) is None


def test_values_with_commas_go_between_semicolons():
    layout = Layout("vqgan-clip", prompt="fox", across=Axis("style", "flat, red; neon"))
    assert layout.recipe().vary[0].values == ("flat, red", "neon")
    assert layout.recipe().num_cells == 2


def test_one_axis_is_enough_and_none_is_not():
    assert len(Layout(model="x", down=Axis("seed", "0-3")).recipe().vary) == 1
    with pytest.raises(RecipeError, match="choose a field"):
        Layout(across=Axis("seed", " ")).recipe()
    with pytest.raises(RecipeError, match="say what to paint"):
        Layout("vqgan-clip", across=Axis("seed", "0-3")).recipe()
    with pytest.raises(RecipeError, match="0:1:6"):
        Layout(model="x", across=Axis("psi", "--:1:6")).recipe()
    with pytest.raises(RecipeError, match="given twice"):
        Layout(model="x", across=Axis("seed", "1,2"), down=Axis("seed", "3,4")).recipe()


def test_fields_that_can_vary():
    assert fields_of("sample")[:4] == ["seed", "psi", "threshold", "classes"]
    assert "style" not in fields_of("sample")
    assert {"style", "prompt", "iterations", "cut_power"} <= set(fields_of("vqgan-clip"))
    assert not {"kind", "count", "video"} & set(fields_of("vqgan-clip"))
    for name in fields_of("sample"):
        assert Layout(model="x", across=Axis(name, "1,2")).recipe().num_cells == 2


@pytest.mark.parametrize(
    "query", [[("vary", "psi")], [("vary", "kind=a,b")], [("vary", "seed=1,2"), ("count", "4")]]
)
def test_what_is_wrong_in_an_address_is_said(query):
    with pytest.raises(RecipeError):
        layout_from(query)
