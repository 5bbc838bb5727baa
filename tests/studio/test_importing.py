"""Pictures from outside: understood, made anew, or refused in one line."""

import io
import json

import pytest
from PIL import Image, PngImagePlugin

from phosphene.core.errors import ImageError
from phosphene.studio.gallery import Search
from phosphene.studio.importing import import_file, import_picture, keep_painted
from phosphene.studio.repair import inspect
from tests.studio.studios import hang, picture, plain_png
from tests.studio.test_foreign import A1111, GRAPH


def test_our_own_picture_comes_back_as_itself(studio):
    mine = picture("fox", genes="z|x")
    name = hang(studio, mine)
    assert import_picture(studio.gallery, mine).id == name
    assert studio.gallery.search(Search()).total == 1
    other = import_picture(studio.gallery, picture("owl") + b"<script>")
    assert (other.title, other.origin, other.seed) == ("owl", "import", "7")
    assert b"script" not in studio.store.read(other.id)


def test_what_was_just_painted_keeps_its_bytes(studio):
    mine = picture("fox")
    entry = keep_painted(studio.gallery, mine)
    assert studio.store.read(entry.id) == mine
    assert keep_painted(studio.gallery, mine) == entry
    with pytest.raises(ImageError, match="no phosphene recipe"):
        keep_painted(studio.gallery, plain_png())


def test_parents_are_known_by_their_hash(studio):
    parent = hang(studio, picture("parent"))
    child = import_picture(studio.gallery, picture("child", inputs={"x.png": parent}))
    assert studio.gallery.kin(child.id).parents == [parent]


def test_pictures_of_other_programs(studio):
    entry = import_picture(studio.gallery, plain_png(parameters=A1111))
    assert (entry.manifest, entry.model, entry.seed) == (None, "dreamy_v8", "123456")
    assert entry.foreign["program"] == "AUTOMATIC1111"
    assert entry.foreign["unmapped"]["CFG scale"] == "7"
    with Image.open(io.BytesIO(studio.store.read(entry.id))) as image:
        assert image.info["parameters"] == A1111  # what the other program needs is still there
    comfy = import_picture(studio.gallery, plain_png(prompt=json.dumps(GRAPH)))
    assert comfy.recipe["prompt"] == "a castle | ugly:-0.5"
    page = studio.gallery.search(Search(words="comfyui castle"))
    assert [e.id for e in page.entries] == [comfy.id]
    assert inspect(studio).is_clean


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (plain_png(), "carries no recipe"),
        (plain_png(parameters="hello"), "carries no recipe"),
        (plain_png(phosphene="{}"), "cannot be read"),
        (b"<html>", "known format"),
        (picture("fox")[:100], "cannot read"),
    ],
)
def test_what_cannot_be_imported(studio, data, said):
    with pytest.raises(ImageError, match=said):
        import_picture(studio.gallery, data)
    assert list(studio.store.all()) == []


def test_a_file(studio, tmp_path):
    (tmp_path / "x.png").write_bytes(picture("fox"))
    assert import_file(studio.gallery, tmp_path / "x.png").title == "fox"
    with pytest.raises(ImageError, match="No such file"):
        import_file(studio.gallery, tmp_path / "y.png")


def bombs() -> dict[str, bytes]:
    """Small files that would be large."""
    buffer = io.BytesIO()
    info = PngImagePlugin.PngInfo()
    info.add_text("parameters", "x" * 80_000_000, zip=True)
    Image.new("L", (1, 1)).save(buffer, "PNG", pnginfo=info)
    wide = io.BytesIO()
    Image.new("1", (30_000, 30_000)).save(wide, "PNG")
    eps = b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n"
    return {"text": buffer.getvalue(), "pixels": wide.getvalue(), "eps": eps}


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["text", "pixels", "eps"])
def test_bombs_are_refused(studio, kind):
    data = bombs()[kind]
    assert len(data) < 300_000
    with pytest.raises(ImageError):
        import_picture(studio.gallery, data)
