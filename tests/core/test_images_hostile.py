"""Pictures from outside: other formats, damaged files, bombs. One clear line, never a crash."""

import io
import random
import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from PIL.ExifTags import Base

from phosphene.core.errors import ImageError
from phosphene.core.images import READABLE, open_image, open_pil, png_bytes, to_uint8

RAMP = np.arange(24 * 20 * 3).reshape(24, 20, 3).astype(np.uint8)


def encode(image: Image.Image, file_format: str, **options) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, file_format, **options)
    return buffer.getvalue()


def one_line(source: Path | bytes) -> str:
    """The complaint about a picture that must not open."""
    with pytest.raises(ImageError) as caught:
        open_image(source)
    message = str(caught.value)
    assert len(message.splitlines()) == 1
    assert len(message) < 600
    return message


def png_header(width: int, height: int) -> bytes:
    """A PNG that promises a huge picture in 57 bytes."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return (
            struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
        )

    header = struct.pack(">IIBBBBB", width, height, 1, 0, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", b"") + chunk(b"IEND", b"")


# ---- formats


@pytest.mark.parametrize("file_format", ["PNG", "WEBP", "BMP", "TIFF"])
def test_lossless_formats_are_read_exactly(file_format):
    options = {"lossless": True} if file_format == "WEBP" else {}
    data = encode(Image.fromarray(RAMP), file_format, **options)
    assert np.array_equal(to_uint8(open_image(data)).permute(1, 2, 0).numpy(), RAMP)


def test_jpeg_is_read_nearly():
    flat = Image.new("RGB", (16, 16), (200, 100, 50))
    assert to_uint8(open_image(encode(flat, "JPEG")))[:, 8, 8].tolist() == pytest.approx(
        [200, 100, 50], abs=4
    )


def test_the_first_frame_of_a_gif():
    frames = [Image.new("RGB", (4, 4), colour) for colour in ("red", "blue")]
    data = encode(frames[0], "GIF", save_all=True, append_images=frames[1:])
    assert open_image(data)[:, 0, 0].tolist() == [1, -1, -1]


def test_cmyk_becomes_rgb():
    data = encode(Image.new("CMYK", (8, 8), (0, 255, 255, 0)), "TIFF")
    assert open_image(data)[:, 0, 0].tolist() == [1, -1, -1]


def test_a_palette_with_a_transparent_entry_is_laid_on_white():
    image = Image.new("P", (2, 1))
    image.putpalette([255, 0, 0, 0, 0, 255])
    image.putpixel((1, 0), 1)
    x = open_image(encode(image, "PNG", transparency=0))
    assert x[:, 0, 0].tolist() == [1, 1, 1]
    assert x[:, 0, 1].tolist() == [-1, -1, 1]


@pytest.mark.parametrize(("mode", "colour"), [("RGB", (255, 0, 0)), ("L", 0)])
def test_a_transparent_colour_key_is_laid_on_white(mode, colour):
    data = encode(Image.new(mode, (2, 2), colour), "PNG", transparency=colour)
    assert torch.equal(open_image(data), torch.ones(3, 2, 2))


def test_sixteen_bit_greys_keep_their_range():
    greys = np.linspace(0, 65535, 256).astype(np.uint16).reshape(16, 16)
    x = to_uint8(open_image(encode(Image.fromarray(greys), "PNG")))
    assert np.array_equal(x[0].flatten().numpy(), np.arange(256))
    assert torch.equal(x[0], x[2])


def test_one_bit_and_grey_pictures():
    assert torch.equal(open_image(encode(Image.new("1", (3, 2), 1), "PNG")), torch.ones(3, 2, 3))
    assert open_image(encode(Image.new("L", (3, 2), 255), "PNG"), "L").shape == (1, 2, 3)


@pytest.mark.parametrize("kind", [np.int32, np.float32])
def test_32_bit_pixels_are_refused_not_guessed(kind):
    message = one_line(encode(Image.fromarray(np.ones((4, 4), kind)), "TIFF"))
    assert "32-bit pixels; save it with 8 or 16 bits" in message


@pytest.mark.parametrize(("tag", "corner"), [(1, "red"), (3, "blue"), (6, "green"), (8, "white")])
def test_cameras_pictures_stand_upright(tag, corner):
    """The top left corner after the turn that the EXIF orientation asks for."""
    image = Image.new("RGB", (32, 16))
    for x, y, colour in [(0, 0, "red"), (16, 0, "white"), (0, 8, "green"), (16, 8, "blue")]:
        image.paste(colour, (x, y, x + 16, y + 8))
    exif = Image.Exif()
    exif[Base.Orientation] = tag
    turned = open_pil(encode(image, "PNG", exif=exif))
    assert turned.size == ((32, 16) if tag in (1, 3) else (16, 32))
    assert turned.getpixel((1, 1)) == Image.new("RGB", (1, 1), corner).getpixel((0, 0))


def test_a_damaged_exif_block_does_not_cost_the_picture():
    data = encode(Image.fromarray(RAMP), "PNG", exif=b"Exif\0\0MM\0*\0\0\0\x08\0\x09\x01\x12")
    assert open_image(data).shape == (3, 24, 20)


# ---- what cannot be opened


def test_missing_folder_and_impossible_names(tmp_path):
    assert "no image at" in one_line(tmp_path / "nothing.png")
    assert "check the path" in one_line(tmp_path)
    assert "x.png" in one_line(Path("a\0b/x.png"))
    assert "no image at" in one_line(Path("x" * 10_000 + ".png"))


def test_not_a_picture(tmp_path):
    (tmp_path / "x.png").write_text("hello")
    message = one_line(tmp_path / "x.png")
    assert "not a picture in a known format (PNG, JPEG, WEBP, GIF, BMP, TIFF)" in message
    assert "x.png" in message
    for junk in (b"", b"\x89PNG\r\n\x1a\n", b"<svg/>", bytes(100)):
        assert "the image given" in one_line(junk)


@pytest.mark.parametrize("file_format", ["PPM", "TGA", "ICO", "PCX"])
def test_formats_that_nobody_asked_for_stay_closed(file_format):
    """Each reader that is open is one more that can be attacked."""
    assert "known format" in one_line(encode(Image.new("RGB", (16, 16)), file_format))


@pytest.mark.parametrize("size", [(50_000, 50_000), (2**31 - 1, 1), (8001, 8000)])
def test_a_bomb_is_refused_before_it_unfolds(size):
    message = one_line(png_header(*size))
    assert "at most 64,000,000 are read" in message


def test_a_text_bomb_is_refused():
    """100 MB of zeros in a 100 kB text chunk."""
    text = b"phosphene\0\0" + zlib.compress(bytes(100_000_000), 1)
    chunk = struct.pack(">I", len(text)) + b"zTXt" + text
    chunk += struct.pack(">I", zlib.crc32(b"zTXt" + text))
    png = png_bytes(torch.zeros(3, 4, 4))
    assert "cannot read" in one_line(png[:33] + chunk + png[33:])


@pytest.mark.parametrize("file_format", READABLE)
def test_a_truncated_file_is_an_error_not_half_a_picture(file_format):
    noise = np.random.default_rng(0).integers(0, 255, (64, 64, 3), np.uint8)
    data = encode(Image.fromarray(noise), file_format)
    assert open_image(data).shape == (3, 64, 64)
    for share in (0.9, 0.5, 0.1):
        one_line(data[: int(len(data) * share)])


@pytest.mark.parametrize("file_format", [f for f in READABLE if f != "TIFF"])
def test_damaged_bytes_never_crash(file_format, tmp_path):
    """Not TIFF: its C library prints to stderr; the other readers take the same path."""
    exif = Image.Exif()
    exif[Base.Orientation] = 6
    options = {"exif": exif} if file_format in ("JPEG", "WEBP", "PNG") else {}
    whole = encode(Image.fromarray(RAMP), file_format, **options)
    dice, complaints = random.Random(0), []
    for _ in range(300):
        damaged = bytearray(whole)
        for _ in range(dice.choice((1, 1, 2, 5))):
            damaged[dice.randrange(dice.choice((60, len(damaged))))] = dice.randrange(256)
        try:
            picture = open_image(bytes(damaged))
        except ImageError as error:
            complaints.append(str(error))
        else:
            assert picture.abs().max() <= 1
    assert complaints
    assert all(len(complaint.splitlines()) == 1 for complaint in complaints)
