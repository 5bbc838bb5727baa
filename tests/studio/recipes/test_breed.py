import json

import pytest

from phosphene.core.errors import RecipeError
from phosphene.studio.recipe import Breed
from phosphene.studio.recipe_text import dump_recipe, parse_recipe, recipe_with
from phosphene.studio.recipes.fields import MAX_SEED


def made(**fields):
    return parse_recipe({"kind": "breed", "parents": "3,8", **fields})


def test_parents_as_they_are_typed():
    recipe = made(parents="3, a.png,sheet.png:2", space="w+")
    assert recipe.parents == ("3", "a.png", "sheet.png:2")
    assert recipe.space == "w_plus"
    assert parse_recipe({"kind": "breed", "tree": "x.tree.json"}).parents == ()


def test_files_are_named_after_model_and_parents():
    recipe = made(model="runs/my.safetensors", parents="3,some/where/ann.png", seed=5, children=2)
    assert recipe.title == "my 3xann"
    assert recipe.labels() == ["children"]
    assert recipe.model_copy(update={"layout": "files"}).labels() == ["1", "2"]
    assert recipe.model_copy(update={"layout": "tree"}).labels() == ["tree"]
    for layout in ("sheet", "files", "tree"):
        assert Breed(tree="x.json", layout=layout).labels() == ["tree"]
    assert recipe.all_seeds() == (5, 6)
    assert recipe.leaves_files


def test_a_seed_is_drawn_once():
    recipe = made().with_seed()
    assert recipe.seed is not None
    assert recipe.with_seed() is recipe
    tree = Breed(tree="x.json")
    assert tree.with_seed() is tree  # nobody is born


def test_a_complete_recipe_is_text_and_back():
    recipe = recipe_with(made(), {"mutation": "0.5", "psi": "0.7", "columns": "3"})
    assert (recipe.mutation, recipe.psi, recipe.columns) == (0.5, 0.7, 3)
    filled = recipe.model_copy(update={"family": {"members": [{"id": "3"}]}, "born": ("a",)})
    assert parse_recipe(json.loads(dump_recipe(filled))) == filled


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"parents": ""}, "^parents: should be two or more, for example 3,8"),
        ({"psi": -0.5}, "psi: -0.5 should be greater than or equal to 0"),
        ({"mutation": 1.5}, "mutation"),
        ({"space": "q"}, "space: 'q'"),
        ({"children": 0}, "children"),
        ({"seed": MAX_SEED, "children": 2}, "^seed: should leave room for 2"),
        ({"parents": ",".join(map(str, range(17)))}, "parents"),
    ],
)
def test_mistakes(fields, said):
    with pytest.raises(RecipeError, match=said):
        made(**fields)


def test_no_two_children_have_a_sibling_in_common():
    recipe = made(seed=5, children=3, siblings=4)
    seeds = [seed for child in range(3) for seed in recipe.sibling_seeds(child)]
    assert sorted(seeds) == list(range(5, 17))
    assert recipe.all_seeds() == (5, 6, 7)
    chosen = {"members": [{"id": "a", "seed": 11}, {"id": "b", "seed": 6}, {"id": "c", "seed": 7}]}
    grown = recipe.model_copy(update={"family": chosen, "born": ("a", "b", "c")})
    assert grown.all_seeds() == (11, 6, 7)
    with pytest.raises(RecipeError, match="leave room for 12"):
        made(seed=MAX_SEED - 5, children=3, siblings=4)
