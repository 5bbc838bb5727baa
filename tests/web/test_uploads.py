"""Pictures that clients send are pixels, and nothing else."""

import base64
import io

import pytest
from PIL import Image, PngImagePlugin

from phosphene.core.errors import ImageError
from phosphene.studio.repair import inspect
from phosphene.web import uploads
from phosphene.web.uploads import from_base64, keep, mask_of, texts_of
from tests.studio.studios import hang, picture, plain_png, studio_in


@pytest.fixture
def studio(tmp_path):
    studio = studio_in(tmp_path)
    yield studio
    studio.close()


def test_base64_with_and_without_what_browsers_put_before_it(monkeypatch):
    text = base64.b64encode(b"picture").decode()
    assert from_base64(text, "x") == from_base64(f"data:image/png;base64,{text}", "x") == b"picture"
    for url in ("http://127.0.0.1/x.png", "HTTPS://x.y/z", "file:///etc/passwd"):
        with pytest.raises(ImageError, match="no URL is fetched"):
            from_base64(url, "x")
    for wrong in ("", "a", "é"):
        with pytest.raises(ImageError, match="x: should be"):
            from_base64(wrong, "x")
    monkeypatch.setattr(uploads, "MAX_BYTES", 3)
    with pytest.raises(ImageError, match="at most"):
        from_base64(text, "x")


def test_nothing_but_pixels_is_kept(studio):
    info = PngImagePlugin.PngInfo()
    info.add_text("parameters", "secret")
    buffer = io.BytesIO()
    image = Image.new("RGB", (20, 10), "red")
    image.save(buffer, "PNG", pnginfo=info)
    name = keep(studio, buffer.getvalue(), "image", "sent to me")
    kept = studio.store.read(name)
    assert b"secret" not in kept
    assert Image.open(io.BytesIO(kept)).info == {}
    entry = studio.gallery.get(name)
    assert (entry.title, entry.origin, entry.width, entry.recipe) == (
        "sent to me",
        "upload",
        20,
        {},
    )
    assert keep(studio, plain_png(), "image") == name  # the same pixels are there once
    assert inspect(studio).is_clean


def test_a_picture_of_ours_that_comes_back_is_the_one_that_it_was(studio):
    name = hang(studio, picture("fox"))
    assert keep(studio, picture("fox"), "image", "sent") == name
    entry = studio.gallery.get(name)
    assert (entry.title, entry.origin) == ("fox", "job")


def test_what_is_no_picture_is_refused(studio):
    for data in (b"", b"<svg/>", b"\x89PNG"):
        with pytest.raises(ImageError, match="image: "):
            keep(studio, data, "image")
    forged = plain_png(phosphene="{}")
    assert studio.gallery.get(keep(studio, forged, "image")).manifest is None


def shown(data: bytes) -> tuple[int, int]:
    image = Image.open(io.BytesIO(data)).convert("L")
    return image.getpixel((0, 0)), image.getpixel((1, 0))


def test_masks_of_both_kinds_become_ours():
    clear, grey = io.BytesIO(), io.BytesIO()
    image = Image.new("RGBA", (2, 1), (9, 9, 9, 255))
    image.putpixel((0, 0), (9, 9, 9, 0))
    image.save(clear, "PNG")
    half = Image.new("L", (2, 1), 0)
    half.putpixel((0, 0), 255)
    half.save(grey, "PNG")
    assert shown(mask_of(clear.getvalue(), "mask", paints_transparent=True)) == (255, 0)
    assert shown(mask_of(grey.getvalue(), "mask", paints_transparent=False)) == (255, 0)
    turned = mask_of(grey.getvalue(), "mask", paints_transparent=False, inverted=True)
    assert shown(turned) == (0, 255)
    with pytest.raises(ImageError, match="transparent"):
        mask_of(grey.getvalue(), "mask", paints_transparent=True)


def test_texts_are_read():
    assert texts_of(plain_png(parameters="x"), "image") == {"parameters": "x"}
    with pytest.raises(ImageError, match="image: "):
        texts_of(b"", "image")
