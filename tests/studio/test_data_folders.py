"""Folders to learn from go by names of a listing; no other name reaches the file system."""

import os

import pytest

from phosphene.core.errors import RecipeError
from phosphene.studio.data_folders import data_folder, folder_name, folder_names, with_data
from phosphene.studio.recipe import Train
from tests.studio.studios import plain_png, wanted

NO_NAMES = [
    "",
    ".",
    "..",
    "../out",
    "cats/.",
    "cats/..",
    "cats/sub",
    "/etc",
    "nowhere",
    "CATS",
    "\0",
]


@pytest.fixture
def root(tmp_path):
    """Two folders, and much that is none."""
    for name in ("data/cats/sub", "data/old owls", "data/.hidden", "data/a.tar", "out"):
        (tmp_path / name).mkdir(parents=True)
    (tmp_path / "out" / "secret.png").write_bytes(plain_png())
    (tmp_path / "data" / "file").write_text("no folder")
    (tmp_path / "data" / "link").symlink_to(tmp_path / "out")
    (tmp_path / "data" / "inner").symlink_to(tmp_path / "data" / "cats")
    return tmp_path / "data"


def test_the_listing_has_folders_alone(root):
    assert folder_names(root) == ["cats", "old owls"]
    assert folder_names(root / "nowhere") == []


@pytest.mark.parametrize("name", [*NO_NAMES, "link", "inner", ".hidden", "a.tar", "file"])
def test_what_is_not_in_the_listing_is_no_folder(root, name):
    with pytest.raises(RecipeError, match="no folder") as error:
        data_folder(root, name)
    assert str(root) not in str(error.value)


def test_a_folder_with_links_out_of_it_is_refused(root):
    assert data_folder(root, "cats") == root / "cats"
    (root / "cats" / "x.png").write_bytes(plain_png())
    (root / "cats" / "y.png").symlink_to(root / "cats" / "x.png")
    assert data_folder(root, "cats") == root / "cats"
    (root / "cats" / "shards.tar").symlink_to(root.parent / "out" / "secret.png")
    with pytest.raises(RecipeError, match="by links"):
        data_folder(root, "cats")


def test_a_folder_that_became_a_link_meanwhile_is_refused(root, monkeypatch):
    # as if it had been a folder when it was listed
    os.rename(root / "cats", root / "were cats")
    (root / "cats").symlink_to(root.parent / "out")
    monkeypatch.setattr("phosphene.studio.data_folders.folder_names", lambda _: ["cats"])
    with pytest.raises(RecipeError, match="by links"):
        data_folder(root, "cats")


def test_a_recipe_names_a_folder_and_gets_its_path(root):
    recipe = Train(learner="gan", steps=1, data="folder:old owls")
    assert folder_name(recipe) == "old owls"
    assert with_data(recipe, root) == recipe.model_copy(update={"data": str(root / "old owls")})
    with pytest.raises(RecipeError, match="--data-dir"):
        with_data(recipe, None)
    with pytest.raises(RecipeError, match="did you mean 'cats'"):
        with_data(recipe.model_copy(update={"data": "folder:cat"}), root)
    for other in (wanted(), Train(learner="gan", steps=1, data="cats"), recipe_without()):
        assert folder_name(other) is None
        assert with_data(other, None) is other


def recipe_without() -> Train:
    return Train(learner="gan", steps=1)
