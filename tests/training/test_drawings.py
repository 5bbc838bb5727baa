"""Emoji drawings one by one: classes by subgroup, splits, channels, shapes."""

import pytest
import torch

from phosphene.core.errors import RecipeError
from phosphene.training.data import DrawingSource, FolderSource, SceneSource, View, open_source
from phosphene.training.example import Source


def test_every_drawing_with_its_subgroup(emoji_set):
    source = DrawingSource(emoji_set, 32, "all")
    assert isinstance(source, Source)
    assert "heart" in source.class_names
    assert list(source.class_names) == sorted(source.class_names)
    for index in range(len(source)):
        subject, style = source.drawings[index]
        example = source.example(index)
        assert example.image.shape == (3, 32, 32)
        assert source.class_names[example.label] == subject.subgroup
        assert example.caption == f"{subject.label} | {style}"
    with pytest.raises(IndexError):
        source.example(len(source))


def test_splits_share_their_classes(emoji_set):
    train, held = (DrawingSource(emoji_set, 32, split) for split in ("train", "held-out"))
    assert train.class_names == held.class_names
    names = [{subject.name for subject, _ in s.drawings} for s in (train, held)]
    assert not names[0] & names[1]
    assert names[1] == {"swan", "duck", "grapes"}


def test_some_classes_and_styles(emoji_set):
    source = DrawingSource(emoji_set, 32, "all", classes=("heart",), styles=("flat", "noto"))
    assert source.class_names == ("heart",)
    assert {style for _, style in source.drawings} == {"flat", "noto"}
    assert {subject.subgroup for subject, _ in source.drawings} == {"heart"}
    with pytest.raises(RecipeError, match="no class 'hearts'; did you mean 'heart'"):
        DrawingSource(emoji_set, classes=("hearts",))
    with pytest.raises(RecipeError, match="no style 'oil'; it has 3d, blob"):
        DrawingSource(emoji_set, styles=("oil",))
    with pytest.raises(RecipeError, match="no such drawings"):
        DrawingSource(emoji_set, split="held-out", classes=("heart",))


def test_transparent_grey_and_oblong(emoji_set):
    clear = DrawingSource(emoji_set, (32, 48), "all", 4, classes=("heart",)).example(0).image
    assert clear.shape == (4, 32, 48)
    assert clear[3, 0, 0] == 0
    assert clear[3, 16, 24] == 255
    # laid on white, the clear drawing is the opaque one
    opaque = DrawingSource(emoji_set, (32, 48), "all", 3, classes=("heart",)).example(0).image
    alpha = clear[3:].float() / 255
    laid = clear[:3].float() * alpha + 255 * (1 - alpha)
    torch.testing.assert_close(laid, opaque.float(), atol=1.5, rtol=0)
    grey = DrawingSource(emoji_set, 16, "all", 1).example(0).image
    assert grey.shape == (1, 16, 16)


def test_views(emoji_set, tmp_path):
    assert isinstance(open_source(emoji_set, 32, view=View(drawings=True)), DrawingSource)
    assert isinstance(open_source(emoji_set, 32), SceneSource)
    with pytest.raises(RecipeError, match=r"scenes are square RGB .* ask for drawings"):
        open_source(emoji_set, 32, view=View(channels=4))
    with pytest.raises(RecipeError, match="scenes are square"):
        open_source(emoji_set, (32, 48))
    (tmp_path / "fox").mkdir()
    from PIL import Image

    Image.new("RGB", (9, 9)).save(tmp_path / "fox" / "x.png")
    found = open_source(tmp_path, (8, 16), view=View(channels=1))
    assert isinstance(found, FolderSource)
    assert found.example(0).image.shape == (1, 8, 16)
    with pytest.raises(RecipeError, match="no emoji set; leave out drawings"):
        open_source(tmp_path, 8, view=View(drawings=True))
