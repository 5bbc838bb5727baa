"""`phosphene train` on folders as people have them: it says what it leaves out, and learns."""

import io
import os
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.cli.conftest import Command

RECIPE = """
kind = "train"
learner = "gan"
name = "tiny"
size = 16
steps = 3
batch_size = 4
[model]
arch = "dcgan"
width = 4
d_width = 4
z_dim = 6
"""


@pytest.fixture
def train(phosphene: Command) -> Command:
    """Call `phosphene train tiny.toml data ARGUMENTS`."""
    Path("tiny.toml").write_text(RECIPE)
    Path("data").mkdir()
    return lambda *arguments: phosphene("train", "tiny.toml", "data", "-o", "run", *arguments)


def noise(*shape: int) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 255, shape, dtype=np.uint8)


def complaints(err: str) -> list[str]:
    return [line for line in err.splitlines() if not line.startswith("training")]


def test_what_is_left_out_is_said_once_and_first(train: Command, tmp_path: Path) -> None:
    data = Path("data")
    Image.fromarray(noise(20, 30, 3)).save(data / "small.png")
    Image.fromarray(noise(90, 40, 3)).save(data / "large.jpg")
    Image.fromarray(noise(20, 20, 4), "CMYK").save(data / "cmyk.jpg")
    Image.fromarray(noise(20, 20).astype(np.uint16) * 200).save(data / "deep.png")
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.fromarray(noise(20, 40, 3)).save(data / "turned.jpg", exif=exif)
    whole = io.BytesIO()
    Image.fromarray(noise(64, 64, 3)).save(whole, "PNG")
    (data / "cut.png").write_bytes(whole.getvalue()[:5000])
    (data / "broken.png").write_bytes(b"not a picture")
    (data / "empty.jpg").write_bytes(b"")
    (data / "notes.md").write_text("text")
    (data / "small.txt").write_text("a caption")
    outside = tmp_path / "outside.png"
    Image.fromarray(noise(20, 20, 3)).save(outside)
    (data / "leak.png").symlink_to(outside)
    (data / "loop").symlink_to(data.absolute(), target_is_directory=True)
    said = train()
    assert said.code == 0, said.err
    first, *_, last = said.err.splitlines()
    assert first == (
        "phosphene: 6 pictures to learn from; left out: links to folders (1), unreadable (2), "
        "links that leave the folder, or lead nowhere (1), not a picture (1)"
    )
    assert last == (
        "phosphene: 1 of the pictures turned out broken inside, and others stood in for them"
    )
    assert complaints(said.err) == [first, last]
    assert Path("run/tiny.safetensors").exists()


def test_nothing_is_said_where_nothing_is_left_out(train: Command) -> None:
    Image.fromarray(noise(20, 20, 3)).save("data/only.png")
    said = train()
    assert said.code == 0, said.err
    assert complaints(said.err) == []
    assert "s/kimg" in said.err
    assert "d_real" in said.err
    assert list(Path("run").glob("events.out.tfevents.*"))


@pytest.mark.parametrize("names", [(), ("a.txt", "b.txt"), ("a.png", "b.png")])
def test_no_picture_at_all_is_one_line(names: tuple[str, ...], train: Command) -> None:
    for name in names:
        Path("data", name).write_text("text")
    said = train()
    assert said.code == 2
    assert len(said.err.splitlines()) == 1
    assert "no usable picture for split 'train' in 'data'" in said.err
    assert not Path("run").exists()


def test_pictures_that_are_all_broken_inside(train: Command) -> None:
    whole = io.BytesIO()
    Image.fromarray(noise(64, 64, 3)).save(whole, "PNG")
    for i in range(3):
        Path(f"data/{i}.png").write_bytes(whole.getvalue()[:2000])
    said = train()
    assert said.code == 2
    assert said.err == "phosphene: none of the 3 pictures can be decoded\n"
    assert not Path("run").exists()


def test_a_folder_that_cannot_be_read(train: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    def scandir(path: object) -> None:
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr(os, "scandir", scandir)
    said = train()
    assert said.code == 2
    assert "1 folders that cannot be read" in said.err


def test_without_tensorboard(train: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    Image.fromarray(noise(20, 20, 3)).save("data/only.png")
    monkeypatch.setattr("phosphene.studio.train.has_tensorboard", lambda: False)
    said = train()
    assert said.code == 0, said.err
    (line,) = complaints(said.err)
    assert line.startswith("phosphene: no TensorBoard event file, since tensorboard is not")
    assert not list(Path("run").glob("events.out.tfevents.*"))
    assert complaints(train("--set", "tensorboard=false", "-o", "other").err) == []


@pytest.mark.parametrize(
    ("changes", "line"),
    [
        (("sizes=32",), "unknown key 'sizes'; did you mean 'size'?"),
        (("model.widht=8",), "unknown key model.widht; did you mean 'width'?"),
        (("model.arch=dcgn",), "model.arch is 'dcgn'; did you mean 'dcgan'?"),
        (("settings.los=hinge",), "unknown key settings.los; did you mean 'loss'?"),
        (("settings.g_rate=-1",), "g_rate is -1.0; it must be 0 or above"),
        (("size=50",), "DCGAN resolution 50 x 50 is not a map of 4 to 16 px doubled a few times"),
        (("size=5",), "size: '5' should be greater than or equal to 16"),
        (("settings.conditional=true", "classes=fox,oul"), "the data has no class 'oul'; did you"),
        (("classes=zebra",), "the data has no class 'zebra'; it has fox, owl"),
        (("settings.d_steps=3",), "a batch of 4 cannot be shared out over 3 parts of a step"),
        (("model.num_classes=7",), "model.num_classes is 7, and that of the data is 0"),
        (("settings.discriminator=projected", "settings.r1_gamma=1"), "takes no gradient penalty"),
    ],
)
def test_mistakes_are_one_line_and_leave_nothing(
    changes: tuple[str, ...], line: str, train: Command
) -> None:
    for name in ("fox", "owl"):
        Path("data", name).mkdir()
        Image.fromarray(noise(20, 20, 3)).save(f"data/{name}/1.png")
    said = train(*(word for change in changes for word in ("--set", change)))
    assert said.code == 2, said.err
    assert len(said.err.splitlines()) == 1
    assert line in said.err
    assert not Path("run").exists()


def test_classes_of_a_folder_without_any(train: Command) -> None:
    Image.fromarray(noise(20, 20, 3)).save("data/1.png")
    for changes, line in [
        ("settings.conditional=true", "conditional = true, and the data has no classes"),
        ("classes=fox", "the data has no class 'fox'; it has none at all"),
    ]:
        said = train("--set", changes)
        assert said.code == 2
        assert line in said.err
