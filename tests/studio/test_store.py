"""Files by their sha256: whole, never changed, never anywhere else."""

import io

import pytest
from PIL import Image

from phosphene.core.errors import ImageError, NotFound
from phosphene.studio.store import PREVIEW_SIDE, sha256, webp
from tests.studio.studios import plain_png


def test_data_is_named_by_its_content(studio):
    name = studio.store.put(b"data", ".mp4")
    assert name == sha256(b"data") == studio.store.put(b"data", ".mp4")
    assert studio.store.read(name, ".mp4") == b"data"
    assert list(studio.store.all()) == [(name, ".mp4")]
    assert studio.store.holds(name, ".mp4")
    assert not studio.store.holds(name)


def test_a_damaged_file_is_written_again(studio):
    name = studio.store.put(b"data")
    studio.store.path(name).write_bytes(b"dat")
    assert not studio.store.holds(name)
    studio.store.put(b"data")
    assert studio.store.read(name) == b"data"


@pytest.mark.parametrize(
    "name", ["", "../secret", "a" * 63, "A" * 64, "a" * 63 + "/", "%2e" * 20, "a" * 64 + "\n"]
)
def test_no_name_is_a_path(studio, name):
    for use in (studio.store.path, studio.store.read, studio.store.thumbnail, studio.store.remove):
        with pytest.raises(NotFound):
            use(name)
    with pytest.raises(NotFound):
        studio.store.path("a" * 64, "/../x")


def test_thumbnails_are_small_and_made_again(studio):
    name = studio.store.put(plain_png())
    path = studio.store.thumbnail(name)
    path.unlink()
    with Image.open(studio.store.thumbnail(name)) as image:
        assert (image.format, image.size) == ("WEBP", (20, 10))
    studio.store.remove(name)
    assert not path.exists()
    with pytest.raises(NotFound):
        studio.store.thumbnail(name)
    broken = studio.store.put(b"no picture")
    with pytest.raises(ImageError):
        studio.store.thumbnail(broken)


def test_a_preview_keeps_its_shape():
    small = Image.open(io.BytesIO(webp(Image.new("RGB", (400, 100)), PREVIEW_SIDE)))
    assert small.size == (160, 40)
    assert Image.open(io.BytesIO(webp(Image.new("RGBA", (4, 4)), 9))).mode == "RGBA"


def test_what_a_crash_left_is_found(studio):
    name = studio.store.put(b"data")
    half = studio.store.path(name).with_name(".0123.tmp")
    half.write_bytes(b"da")
    assert studio.store.half_written() == [half]
    assert list(studio.store.all()) == [(name, ".png")]
