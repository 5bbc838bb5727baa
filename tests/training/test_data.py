import json
import tarfile

import pytest
from PIL import Image

from phosphene.core.errors import RecipeError
from phosphene.training.data import (
    Batches,
    FolderSource,
    SceneSource,
    ShardSource,
    Source,
    open_source,
)


@pytest.fixture
def folder(tmp_path):
    root = tmp_path / "pictures"
    root.mkdir()
    Image.new("RGB", (9, 9), (255, 0, 0)).save(root / "red-square.png")
    return root


@pytest.fixture
def shard(folder, tmp_path):
    path = tmp_path / "shards" / "a.tar"
    path.parent.mkdir()
    with tarfile.open(path, "w") as archive:
        archive.add(folder / "red-square.png", "red-square.png")
    return path


def test_the_emoji_set(emoji_set):
    source = open_source(emoji_set, 32, seed=5, split="held-out")
    assert isinstance(source, SceneSource)
    assert source.example(0).image.shape == (3, 32, 32)
    assert source.example(0).concept in ("swan", "duck", "grapes")
    assert source.example(3).caption != open_source(emoji_set, 32, seed=6).example(3).caption


def test_folders_and_shards(folder, shard):
    opened = [
        (folder, FolderSource),
        (str(folder), FolderSource),
        (shard, ShardSource),
        (str(shard.parent / "*.tar"), ShardSource),
        (str(shard.parent / "{a,a}.tar"), ShardSource),
        (shard.parent, ShardSource),
    ]
    for location, kind in opened:
        source = open_source(location, 8)
        assert isinstance(source, kind)
        assert isinstance(source, Source)
        assert len(source) == 1
        assert source.example(0).caption == "red square"


@pytest.mark.parametrize("index", ["[]", "{", json.dumps({"version": 1, "files": []})])
def test_a_foreign_index_is_no_emoji_set(folder, index):
    (folder / "index.json").write_text(index)
    assert isinstance(open_source(folder, 8), FolderSource)


@pytest.mark.parametrize(
    ("location", "message"),
    [
        ("nowhere", "no training data at 'nowhere'"),
        ("nowhere.tar", "no shard at 'nowhere.tar'"),
        ("", "no picture|no usable picture|no training data"),
    ],
)
def test_nothing_there_is_one_line(location, message, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(RecipeError, match=message) as caught:
        open_source(location, 8)
    assert "\n" not in str(caught.value)


def test_wrong_sizes_and_splits(folder):
    with pytest.raises(RecipeError, match="size 0"):
        open_source(folder, 0)
    with pytest.raises(RecipeError, match="unknown split"):
        open_source(folder, 8, split="test")


def test_any_source_can_be_batched(folder):
    batch = Batches(open_source(folder, 8), 3).batch(0)
    assert batch["images"].shape == (3, 3, 8, 8)
    assert batch["captions"] == ("red square",) * 3
