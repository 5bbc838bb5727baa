import os

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from phosphene.core.errors import RecipeError, StorageError
from phosphene.studio.folder import MAX_SLUG_BYTES, RunFolder, new_run, open_run, slug
from phosphene.studio.recipe import Imagine, Train
from phosphene.studio.recipe_text import dump_recipe

RECIPE = Imagine(prompt="green heart | flat", seed=7)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("green heart | flat", "green-heart-flat"),
        ("Oregon 💚 | painting", "oregon-green-heart-painting"),
        ("绿色的心", "绿色的心"),
        ("../../etc/passwd", "etc-passwd"),
        ("C:\\CON", "c-con"),
        ("\x00\x1b[2J", "2j"),
        (" | ^ |", "picture"),
        ("💚" * 9999, "green-heart-green-heart-green-heart-green-heart"),
        ("a" * 10_000, "a" * 60),
    ],
)
def test_slugs_read_like_their_text(text, expected):
    assert slug(text) == expected


@given(st.text(max_size=300))
@example("\ud800")
@example("İ" * 100)
@example("e\u0301\u0323" * 100)
def test_any_text_makes_a_safe_name(text):
    name = slug(text)
    assert 0 < len(name.encode()) <= MAX_SLUG_BYTES
    assert name.isprintable()
    assert not set(name) & set('/\\:*?"<>|. \0')
    assert not name.startswith("-")
    assert not name.endswith("-")


@given(st.text(min_size=1, max_size=80))
def test_a_run_named_for_any_text_can_be_made(text):
    name = new_run(Imagine(prompt=text, seed=1)).path.name
    assert len(name.encode()) < 120
    assert os.path.basename(name) == name


def test_two_runs_of_the_same_moment_do_not_meet(tmp_path):
    assert new_run(RECIPE, tmp_path).path != new_run(RECIPE, tmp_path).path


def test_begin_and_open(tmp_path):
    folder = RunFolder(tmp_path / "run")
    folder.begin(RECIPE, resume=False)
    assert open_run(folder.path, Imagine) == (folder, RECIPE)
    folder.begin(RECIPE, resume=True)


def test_a_folder_holds_one_run(tmp_path):
    folder = RunFolder(tmp_path)
    folder.begin(RECIPE, resume=False)
    with pytest.raises(StorageError, match="another run"):
        folder.begin(RECIPE, resume=False)
    with pytest.raises(StorageError, match="another run"):
        folder.begin(Imagine(prompt="else"), resume=True)


def test_what_is_no_run_of_pictures(tmp_path):
    with pytest.raises(RecipeError, match="holds no run"):
        open_run(tmp_path, Imagine)
    with pytest.raises(RecipeError, match="holds no run"):
        open_run(tmp_path / "none", Imagine)
    (tmp_path / "recipe.json").write_text(dump_recipe(Train(learner="vqgan", steps=1)))
    with pytest.raises(RecipeError, match="training run"):
        open_run(tmp_path, Imagine)


def test_frames_are_in_order(tmp_path):
    folder = RunFolder(tmp_path)
    for iteration in (100, 2, 30):
        path = folder.frame(7, iteration)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    assert [path.stem for path in folder.frames(7)] == ["000002", "000030", "000100"]
    assert folder.frames(8) == []


def test_tidy(tmp_path):
    folder = RunFolder(tmp_path)
    for path in (folder.checkpoint, folder.preview, folder.frame(7, 0), folder.picture(RECIPE, 7)):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    assert folder.has_checkpoint()
    folder.tidy(keep_frames=True)
    assert not folder.has_checkpoint()
    assert folder.frames(7)
    folder.tidy(keep_frames=False)
    assert [path.name for path in tmp_path.iterdir()] == ["green-heart-flat-7.png"]
