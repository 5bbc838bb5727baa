import os
import struct
import zlib

import numpy as np
import pytest
import torch
from PIL import Image

from phosphene.core.errors import RecipeError
from phosphene.training.folder import FolderSource


def save(path, colour=(200, 30, 30), size=(20, 20), **kwargs):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", size, colour).save(path, **kwargs)


def colour_of(example):
    return example.image.float().mean(dim=(1, 2)).round().int().tolist()


def test_captions_names_and_order(tmp_path):
    save(tmp_path / "b-red_dog.png")
    save(tmp_path / "a.jpg", (20, 20, 220))
    save(tmp_path / "cats" / "one.webp", (20, 200, 20))
    (tmp_path / "a.txt").write_text(" a blue\n square \n")
    source = FolderSource(tmp_path, 16)
    assert [source.example(i).caption for i in range(3)] == ["a blue square", "b red dog", "one"]
    assert [source.example(i).concept for i in range(3)] == ["a", "b-red_dog", "cats"]
    assert source.example(0).image.shape == (3, 16, 16)
    assert source.example(0).image.dtype == torch.uint8
    assert source.skipped == {}


@pytest.mark.parametrize("text", [b"", b"\xff\xfe\x00", b"\xef\xbb\xbfa dog"])
def test_odd_caption_files(tmp_path, text):
    save(tmp_path / "fox.png")
    (tmp_path / "fox.txt").write_bytes(text)
    caption = FolderSource(tmp_path, 16).caption(0)
    assert caption in ("fox", "a dog", "\ufffd\ufffd\x00")


def test_other_files_are_counted(tmp_path):
    save(tmp_path / "fox.png")
    (tmp_path / "notes.txt").write_text("no picture of that name")
    (tmp_path / "table.csv").write_text("1,2")
    (tmp_path / ".hidden.png").write_bytes(b"")
    (tmp_path / "broken.png").write_bytes(b"not a picture")
    (tmp_path / "empty.jpg").write_bytes(b"")
    (tmp_path / "page.png").write_text("<html>")
    source = FolderSource(tmp_path, 16)
    assert len(source) == 1
    assert source.skipped == {"not a picture": 2, "unreadable": 3}


def test_a_picture_cut_short_is_replaced_and_counted(tmp_path):
    rng = np.random.default_rng(0)
    noise = rng.integers(0, 255, (64, 64, 3), dtype=np.uint8)
    Image.fromarray(noise).save(tmp_path / "a.png")
    whole = (tmp_path / "a.png").read_bytes()
    (tmp_path / "a.png").write_bytes(whole[: len(whole) // 2])
    save(tmp_path / "b.png", (10, 200, 10))
    source = FolderSource(tmp_path, 16)
    assert len(source) == 2
    assert source.example(0).caption == "b"
    assert source.example(0).caption == "b"
    assert source.skipped == {"broken inside": 1}


def test_a_bomb_is_left_out(tmp_path):
    def chunk(kind, data):
        return (
            struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
        )

    header = struct.pack(">IIBBBBB", 100_000, 100_000, 8, 2, 0, 0, 0)
    bomb = b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(b"\0" * 9))
    (tmp_path / "bomb.png").write_bytes(bomb + chunk(b"IEND", b""))
    save(tmp_path / "fox.png")
    source = FolderSource(tmp_path, 16)
    assert len(source) == 1
    assert sum(source.skipped.values()) == 1


def test_unusual_modes(tmp_path):
    Image.new("CMYK", (20, 20), (0, 255, 255, 0)).save(tmp_path / "a.jpg")
    Image.fromarray(np.full((20, 20), 32768, np.uint16)).save(tmp_path / "b.png")
    Image.new("L", (20, 20), 100).save(tmp_path / "c.png")
    Image.new("RGBA", (20, 20), (0, 0, 0, 0)).save(tmp_path / "d.png")
    palette = Image.new("P", (20, 20), 1)
    palette.putpalette([0, 0, 0, 30, 160, 90])
    palette.save(tmp_path / "e.gif")
    Image.new("1", (20, 20), 1).save(tmp_path / "f.png")
    source = FolderSource(tmp_path, 16)
    colours = [colour_of(source.example(i)) for i in range(6)]
    assert colours[0][0] > 200
    assert colours[0][1] < 60
    assert all(abs(value - 128) <= 1 for value in colours[1]), "half of 16 bits is half of 8"
    assert colours[2] == [100, 100, 100]
    assert colours[3] == [255, 255, 255]
    assert colours[4] == [30, 160, 90]
    assert colours[5] == [255, 255, 255]


def test_exif_turns_pictures_upright(tmp_path):
    pixels = np.zeros((20, 20, 3), np.uint8)
    pixels[:, :10] = 255  # white on the left
    exif = Image.Exif()
    exif[0x0112] = 6  # to be turned by 90 degrees clockwise: white comes to the top
    Image.fromarray(pixels).save(tmp_path / "x.jpg", exif=exif, quality=95)
    image = FolderSource(tmp_path, 16).example(0).image.float()
    assert image[:, :4].mean() > 240
    assert image[:, 12:].mean() < 15


def test_links_stay_inside(tmp_path):
    outside = tmp_path / "outside"
    save(outside / "secret.png")
    (outside / "secret.txt").write_text("a secret")
    root = tmp_path / "root"
    save(root / "fox.png")
    (root / "again.png").symlink_to(root / "fox.png")
    (root / "leak.png").symlink_to(outside / "secret.png")
    (root / "dead.png").symlink_to(root / "nothing.png")
    (root / "more").symlink_to(outside, target_is_directory=True)
    (root / "loop").symlink_to(root, target_is_directory=True)
    (root / "fox.txt").symlink_to(outside / "secret.txt")
    source = FolderSource(root, 16)
    assert [p.name for p in source.paths] == ["again.png", "fox.png"]
    assert source.caption(1) == "fox", "a caption may not leak in either"
    assert source.skipped == {"links that leave the folder, or lead nowhere": 2,
                              "links to folders": 2}  # fmt: skip


def test_splits(tmp_path):
    for i in range(120):
        save(tmp_path / f"{i:03}.png", size=(8, 8))
    parts = [FolderSource(tmp_path, 8, split).paths for split in ("train", "held-out", "all")]
    assert sorted(parts[0] + parts[1]) == parts[2]
    assert 0 < len(parts[1]) < 20


def test_no_usable_picture_is_one_line(tmp_path):
    with pytest.raises(RecipeError, match="it is empty"):
        FolderSource(tmp_path)
    (tmp_path / "x.png").write_bytes(b"")
    with pytest.raises(RecipeError, match="1 unreadable") as caught:
        FolderSource(tmp_path)
    assert "\n" not in str(caught.value)
    with pytest.raises(RecipeError, match="no folder at"):
        FolderSource(tmp_path / "nowhere")


def test_folders_at_the_top_are_classes(tmp_path):
    for name in ("fox", "owl", "owl/old", "cat"):
        save(tmp_path / name / "1.png")
    source = FolderSource(tmp_path, 16)
    assert source.class_names == ("cat", "fox", "owl")
    assert [source.example(i).label for i in range(4)] == [0, 1, 2, 2]
    some = FolderSource(tmp_path, 16, classes=("owl", "cat"))
    assert some.class_names == ("cat", "owl")
    assert [some.example(i).label for i in range(len(some))] == [0, 1, 1]
    with pytest.raises(RecipeError, match="no class 'oul'; did you mean 'owl'"):
        FolderSource(tmp_path, 16, classes=("oul",))
    save(tmp_path / "stray.png")
    stray = FolderSource(tmp_path, 16)
    assert stray.class_names == ()
    assert stray.example(0).label is None


def test_grey_transparent_and_oblong(tmp_path):
    Image.new("RGBA", (40, 20), (200, 0, 0, 128)).save(tmp_path / "x.png")
    grey = FolderSource(tmp_path, (8, 16), channels=1).example(0).image
    assert grey.shape == (1, 8, 16)
    clear = FolderSource(tmp_path, (16, 8), channels=4).example(0).image
    assert clear.shape == (4, 16, 8)
    assert clear[:, 0, 0].tolist() == [200, 0, 0, 128]
    with pytest.raises(RecipeError, match="size 4 is out of range"):
        FolderSource(tmp_path, (16, 4))


def test_each_file_is_looked_at_once(tmp_path, monkeypatch):
    """Whatever the splits: a folder of a hundred thousand files opens in seconds."""
    for i in range(300):
        save(tmp_path / str(i % 3) / f"{i}.png", size=(8, 8))
    opened, real = [], os.open
    monkeypatch.setattr(os, "open", lambda path, *rest: opened.append(path) or real(path, *rest))
    stat, asked = os.stat, []
    monkeypatch.setattr(os, "stat", lambda path, **kw: asked.append(path) or stat(path, **kw))
    source = FolderSource(tmp_path, 8)
    held_out = source.split_off("held-out")
    assert len(source) + len(held_out) == 300
    assert sorted(opened) == sorted(str(path) for path in FolderSource(tmp_path, 8, "all").paths)
    assert [path for path in asked if str(path).endswith(".png")] == []


def test_another_split_is_that_of_a_fresh_look(tmp_path):
    for i in range(120):
        save(tmp_path / f"{i:03}.png", size=(8, 8))
    (tmp_path / "broken.png").write_bytes(b"")
    source = FolderSource(tmp_path, 8)
    held_out = source.split_off("held-out")
    assert held_out.paths == FolderSource(tmp_path, 8, "held-out").paths
    assert held_out.skipped == {"unreadable": 1}
    assert len(source) == len(FolderSource(tmp_path, 8)), "the first one stays as it is"
    few = tmp_path / "few"
    save(few / "x.png")
    with pytest.raises(RecipeError, match="no usable picture for split 'held-out'"):
        FolderSource(few, 16).split_off("held-out")


def test_pipes_and_folders_without_permission(tmp_path, monkeypatch):
    save(tmp_path / "fox.png")
    os.mkfifo(tmp_path / "pipe.png")
    (tmp_path / "closed").mkdir()
    real = os.scandir

    def scandir(path):
        if str(path).rstrip("/").endswith("closed"):
            raise PermissionError(13, "Permission denied")
        return real(path)

    monkeypatch.setattr(os, "scandir", scandir)
    source = FolderSource(tmp_path, 16)
    assert len(source) == 1
    assert source.skipped == {"not a file": 1, "folders that cannot be read": 1}


def test_the_licences_of_our_own_sets_are_nothing_left_out(tmp_path):
    save(tmp_path / "fox.png")
    (tmp_path / "LICENCES.md").write_text("whose it is")
    assert FolderSource(tmp_path, 16).skipped == {}
