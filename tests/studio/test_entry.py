"""Rows of the gallery, and PNGs that become rows."""

import io
import zipfile

import pytest
from PIL import Image

from phosphene.core.errors import ImageError
from phosphene.studio.entry import columns_of, described, folded, packed, reencoded
from phosphene.studio.recipe_text import parse_recipe
from phosphene.studio.store import sha256
from tests.studio.studios import hang, picture, plain_png


def test_a_png_of_ours_is_described():
    png = picture("Green  HEART", genes="z|x")
    row = described(png, "job")
    assert row["id"] == sha256(png)
    assert (row["width"], row["height"], row["bytes"]) == (20, 10, len(png))
    assert (row["seed"], row["kind"], row["model"]) == ("7", "imagine", "emoji-vqgan")
    assert (row["genes"], row["words"]) == ("z|x", "green heart")


def test_a_row_is_read_back(studio):
    entry = studio.gallery.get(hang(studio, picture("fox")))
    assert entry.recipe["prompt"] == "fox"
    assert entry.manifest["platform"]["isa"] == "AVX512"
    assert (entry.foreign, entry.favourite, entry.binned, entry.lost) == (None, False, None, False)


def test_what_carries_no_manifest_is_refused():
    with pytest.raises(ImageError, match="no phosphene recipe"):
        described(plain_png(), "job")
    with pytest.raises(ImageError, match="iterations"):
        described(picture(iterations=-1), "job")


def test_words_of_sheets_are_all_their_words():
    of = {"kind": "imagine", "prompt": "fox"}
    sheet = parse_recipe({"kind": "sheet", "of": of, "vary": ["style=neon,mosaic"]})
    words = columns_of(sheet)["words"]
    assert all(word in words for word in ("fox", "neon", "mosaic"))


def test_folding():
    assert folded("  Straße\n ＦＯＸ ") == "strasse fox"


def test_a_file_is_made_anew_with_what_is_understood_alone():
    image = Image.new("P", (3, 2))
    image.info["transparency"] = 0
    buffer = io.BytesIO()
    image.save(buffer, "PNG", icc_profile=b"profile", transparency=0)
    polyglot = buffer.getvalue() + b"<script>alert(1)</script>"
    made = reencoded(polyglot, {"phosphene": "é"})
    with Image.open(io.BytesIO(made)) as opened:
        assert (opened.mode, opened.info) == ("RGBA", {"phosphene": "é"})
    assert b"script" not in made
    assert reencoded(made, {"phosphene": "é"}) == made


def test_a_folder_beside_a_picture_becomes_one_file(tmp_path):
    (tmp_path / "frames").mkdir()
    for name in ("b.png", "a.png"):
        (tmp_path / "frames" / name).write_bytes(name.encode())
    data, ending = packed(tmp_path / "frames")
    assert (ending, packed(tmp_path / "frames")[0]) == (".zip", data)
    assert zipfile.ZipFile(io.BytesIO(data)).namelist() == ["a.png", "b.png"]
    (tmp_path / "x.MP4").write_bytes(b"film")
    assert packed(tmp_path / "x.MP4") == (b"film", ".mp4")
