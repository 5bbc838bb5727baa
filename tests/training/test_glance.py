"""Sizes by the first bytes are those that Pillow finds; what is no picture is named."""

import struct
from pathlib import Path

import pytest
from PIL import Image

from phosphene.core.errors import ImageError
from phosphene.training import glance
from phosphene.training.glance import size_of

SIZE = (37, 21)


def saved(path: Path, mode: str = "RGB", **options: object) -> str:
    Image.new(mode, SIZE).save(path, **options)
    return str(path)


@pytest.mark.parametrize(
    ("name", "mode", "options"),
    [
        ("a.png", "RGB", {}),
        ("b.png", "I;16", {}),
        ("c.jpg", "RGB", {"progressive": True}),
        ("d.jpg", "CMYK", {}),
        ("e.jpg", "L", {"exif": b"Exif\0\0" + b"x" * 60_000, "comment": b"y" * 900}),
        ("f.webp", "RGBA", {}),
        ("g.gif", "P", {}),
        ("h.bmp", "RGB", {}),
        ("i.tiff", "RGB", {}),
    ],
)
def test_sizes(name: str, mode: str, options: dict[str, object], tmp_path: Path) -> None:
    assert size_of(saved(tmp_path / name, mode, **options)) == SIZE


@pytest.mark.parametrize("name", ["a.png", "b.jpg"])
def test_common_kinds_are_not_opened_twice(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = saved(tmp_path / name)
    monkeypatch.setattr(glance, "_by_pillow", None)
    assert size_of(path) == SIZE


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"text",
        b"\x89PNG\r\n\x1a\n",
        b"\x89PNG\r\n\x1a\n" + b"\0" * 40,
        b"\xff\xd8\xff",
        b"\xff\xd8\xff\xe0\x00\x00" + b"\0" * 20,  # a segment of no length
        b"\xff\xd8\xff\xe0\xff\xff" + b"\0" * 20,  # one beyond the end
        b"RIFF\0\0\0\0WEBP",
        b"GIF89a",
    ],
)
def test_no_picture(content: bytes, tmp_path: Path) -> None:
    (tmp_path / "x").write_bytes(content)
    with pytest.raises(ImageError, match="unreadable"):
        size_of(str(tmp_path / "x"))


def test_what_cannot_be_opened(tmp_path: Path) -> None:
    for path in (tmp_path / "nothing", tmp_path):
        with pytest.raises(ImageError, match="unreadable"):
            size_of(str(path))


def test_too_large_and_empty(tmp_path: Path) -> None:
    for width, height in ((100_000, 100_000), (0, 5)):
        header = b"\x89PNG\r\n\x1a\n" + struct.pack(">I4sII", 13, b"IHDR", width, height)
        (tmp_path / "x.png").write_bytes(header + b"\0" * 20)
        with pytest.raises(ImageError, match="above 64,000,000 pixels"):
            size_of(str(tmp_path / "x.png"))


def test_32_bits(tmp_path: Path) -> None:
    with pytest.raises(ImageError, match="with 32-bit pixels"):
        size_of(saved(tmp_path / "x.tiff", "F"))
