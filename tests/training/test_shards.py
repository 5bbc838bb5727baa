import gzip
import io
import tarfile

import pytest
import torch
from PIL import Image

from phosphene.core.errors import RecipeError
from phosphene.training.shards import ShardSource, find_shards


def png(value):
    buffer = io.BytesIO()
    Image.new("RGB", (12, 12), (value, 0, 0)).save(buffer, "PNG")
    return buffer.getvalue()


def write_shard(path, files):
    with tarfile.open(path, "w") as archive:
        for name, data in files.items():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))


@pytest.fixture
def shards(tmp_path):
    """Three shards of four samples; the red value is the sample's number."""
    for shard in range(3):
        files = {}
        for i in range(4):
            number = shard * 4 + i
            files[f"set/{number:04}.png"] = png(number * 10)
            files[f"set/{number:04}.txt"] = f"red {number}".encode()
            if i == 0:
                files[f"set/{number:04}.cls"] = b"7\n"
        write_shard(tmp_path / f"data-{shard:03}.tar", files)
    return tmp_path


def numbers(source):
    return [int(source.example(i).image[0, 0, 0]) // 10 for i in range(len(source))]


def test_samples_in_order_by_index(shards):
    source = ShardSource(str(shards / "data-{000..002}.tar"), 12)
    assert len(source) == 12
    assert numbers(source) == list(range(12))
    assert source.example(5).caption == "red 5"
    assert source.example(5).concept == "0005"
    assert source.example(4).concept == "7"
    assert source.example(4).image.shape == (3, 12, 12)


def test_access_is_random_and_repeatable(shards):
    source = ShardSource(shards / "data-001.tar", 12)
    first = source.example(3)
    source.example(0)
    again = ShardSource(shards / "data-001.tar", 12).example(3)
    assert torch.equal(first.image, again.image)
    assert first.caption == again.caption == "red 7"


def test_globs_lists_and_duplicates(shards):
    assert len(find_shards(str(shards / "*.tar"))) == 3
    one = shards / "data-000.tar"
    assert find_shards([one, str(shards / "data-00{0,2}.tar")]) == [one, shards / "data-002.tar"]
    for missing in (str(shards / "data-{000..003}.tar"), str(shards / "x*.tar"), []):
        with pytest.raises(RecipeError, match="no shard"):
            find_shards(missing)


def test_missing_captions_pictures_and_folders(tmp_path):
    files = {"red-fox.png": png(10), "lonely.txt": b"no picture", "b.json": b"{}", "dir/c": b""}
    write_shard(tmp_path / "a.tar", files)
    source = ShardSource(tmp_path / "a.tar", 12)
    assert len(source) == 1
    assert source.example(0).caption == "red fox"
    assert source.skipped == {"without a picture": 1}


def test_a_broken_picture_is_replaced(tmp_path):
    write_shard(tmp_path / "a.tar", {"a.png": b"broken", "a.txt": b"a", "b.png": png(10)})
    source = ShardSource(tmp_path / "a.tar", 12)
    assert source.example(0).caption == "b"
    assert source.skipped == {"broken inside": 1}


def test_links_in_a_shard_are_not_followed(tmp_path):
    with tarfile.open(tmp_path / "a.tar", "w") as archive:
        link = tarfile.TarInfo("passwd.png")
        link.type, link.linkname = tarfile.SYMTYPE, "/etc/passwd"
        archive.addfile(link)
    with pytest.raises(RecipeError, match="no picture"):
        ShardSource(tmp_path / "a.tar", 12)


def test_broken_shards_are_named(shards):
    whole = (shards / "data-000.tar").read_bytes()
    (shards / "cut.tar").write_bytes(whole[:700])
    (shards / "zip.tar").write_bytes(gzip.compress(whole))
    (shards / "text.tar").write_text("hello" * 300)
    (shards / "empty.tar").write_bytes(b"")
    for name in ("cut", "zip", "text", "empty"):
        with pytest.raises(RecipeError, match=rf"{name}\.tar") as caught:
            ShardSource(shards / f"{name}.tar", 12)
        assert "\n" not in str(caught.value)


def test_a_shard_that_vanishes_is_no_crash_in_the_middle(shards):
    source = ShardSource(str(shards / "*.tar"), 12)
    (shards / "data-000.tar").unlink()
    assert source.example(0).caption == "red 4"
