"""What ends in pictures: where they go, and what lies beside them."""

from pathlib import Path

import pytest

from phosphene.cli.dream import free_name, targets_of
from phosphene.core.errors import RecipeError
from phosphene.studio.recipe import Imagine, Sample

RECIPE = Imagine(prompt="green heart", seed=7, count=2)


@pytest.mark.parametrize(
    ("recipe", "out", "expected"),
    [
        (RECIPE, None, ["green-heart-7.png", "green-heart-8.png"]),
        (RECIPE, Path("a/b"), ["a/b/green-heart-7.png", "a/b/green-heart-8.png"]),
        (RECIPE.model_copy(update={"count": 1}), Path("a/x.png"), ["a/x.png"]),
        (RECIPE.model_copy(update={"count": 1}), Path("X.PNG"), ["X.PNG"]),
    ],
)
def test_targets(recipe, out, expected):
    assert [str(path) for path in targets_of(recipe, out)] == expected


def test_targets_that_cannot_be():
    with pytest.raises(RecipeError, match="need a folder"):
        targets_of(RECIPE, Path("x.png"))
    with pytest.raises(RecipeError, match="carry their recipe"):
        targets_of(RECIPE, Path("x.jpg"))
    with pytest.raises(RecipeError, match="or ask for a --grid"):
        targets_of(Sample(count=2), Path("x.png"))


def test_a_sheet_is_one_file():
    assert targets_of(Sample(seed=3, count=9, layout="grid"), None) == [
        Path("faces-dcgan-3-grid.png")
    ]


def test_a_name_is_free_if_nothing_else_would_be_overwritten(tmp_path):
    path = tmp_path / "x.png"
    assert free_name(path, b"a", [".gif"]) == path
    (tmp_path / "x.gif").touch()
    assert free_name(path, b"a") == path
    assert free_name(path, b"a", [".gif"]) == tmp_path / "x-2.png"
    path.write_bytes(b"a")
    assert free_name(path, b"a", [".gif"]) == path
    assert free_name(path, b"b") == tmp_path / "x-2.png"
    (tmp_path / "x-2.png").mkdir()
    assert free_name(path, b"b") == tmp_path / "x-3.png"
