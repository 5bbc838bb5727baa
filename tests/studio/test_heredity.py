"""Genes from Python."""

import pytest

import phosphene
from phosphene.core.errors import RecipeError
from tests.studio.gan_kinds import save_kind


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    return save_kind(tmp_path_factory.mktemp("gans"), "dcgan")


def test_breed(zoo, model, tmp_path):
    ann, bob = phosphene.breed([3, 8], model, children=2, seed=1, zoo=zoo)
    assert (ann.seed, bob.seed) == (1, 2)
    assert ann.replay(zoo).identical
    path = ann.save(tmp_path / "ann.png")
    assert (tmp_path / "ann.tree.json").is_file()
    (tree,) = phosphene.breed([path, 9], children=2, seed=1, layout="tree", zoo=zoo)
    assert len(tree.recipe.family["members"]) == 6


def test_edit(zoo, model, tmp_path):
    moved = phosphene.edit(7, {"sefa0": 2, "sefa1": -0.5}, model, zoo=zoo)
    assert moved.recipe.directions == ("sefa0:2", "sefa1:-0.5")
    path = moved.save(tmp_path / "moved.png")
    sheet = phosphene.edit(path, zoo=zoo, num_directions=2, columns=3, samples=64)
    assert sheet.recipe.layout == "sheet"
    assert sheet.replay(zoo).identical


def test_invert_asks_for_what_it_needs(zoo, model):
    with pytest.raises(phosphene.PhospheneError, match=r"cannot read 'none\.jpg'"):
        phosphene.invert("none.jpg", model, zoo=zoo)
    with pytest.raises(RecipeError, match="unknown key 'steps'"):
        phosphene.invert("none.jpg", model, zoo=zoo, steps=3)
