"""Glyphs: read out of packages in place, drawn in the middle, written as class folders."""

import io
import json
import tarfile

import numpy as np
import pytest
from PIL import ImageFont

from phosphene.core.errors import MissingTool, RecipeError
from phosphene.training import glyphs
from phosphene.training.folder import FolderSource
from phosphene.training.glyphs import GLYPHS, SIDE, build_glyphs, draw_glyphs, read_family

OWNER = "Copyright 2026 A | B"


@pytest.fixture(scope="module")
def typeface():
    """Pillow's own, which FreeType reads like any other."""
    loaded = ImageFont.load_default(20)
    return loaded.font_bytes  # type: ignore[union-attr]


@pytest.fixture
def pack(tmp_path, typeface):
    """Writes a package with a plain and a bold face, and one in Cyrillic."""

    def write(slug="plain", licence="OFL-1.1", faces=("latin-400-normal", "latin-700-italic")):
        files = {
            "package.json": json.dumps({"license": licence}).encode(),
            "LICENSE": f"\n{OWNER}\nand so on".encode(),
            **{f"files/{slug}-{face}.woff": typeface for face in faces},
            f"files/{slug}-cyrillic-400-normal.woff": b"not read",
            f"files/{slug}-latin-300-normal.woff": b"not read",
        }
        path = tmp_path / "packages" / f"fontsource-{slug}-1.0.0.tgz"
        path.parent.mkdir(exist_ok=True)
        with tarfile.open(path, "w:gz") as archive:
            for name, data in files.items():
                member = tarfile.TarInfo(f"package/{name}")
                member.size = len(data)
                archive.addfile(member, io.BytesIO(data))
        return path

    return write


def ink(image):
    """Where it is black rather than white."""
    return np.asarray(image) < 128


def test_glyphs_stand_in_the_middle_at_their_own_sizes(typeface):
    drawn = draw_glyphs(typeface)
    assert list(drawn) == list(GLYPHS)
    for glyph, image in drawn.items():
        assert (image.size, image.mode) == ((SIDE, SIDE), "L")
        rows, columns = np.nonzero(ink(image).max(1))[0], np.nonzero(ink(image).max(0))[0]
        for found in (rows, columns):
            assert abs(found[0] + found[-1] - (SIDE - 1)) <= 1, glyph
    heights = {g: np.count_nonzero(ink(drawn[g]).max(1)) for g in GLYPHS}
    widths = {g: np.count_nonzero(ink(drawn[g]).max(0)) for g in GLYPHS}
    assert 0.7 * SIDE < max(heights.values()) <= 0.85 * SIDE + 1
    assert widths["I"] < widths["M"] / 2
    assert abs(heights["H"] - heights["E"]) <= 1


def test_a_folder_of_class_folders(pack, tmp_path, monkeypatch):
    packages = pack().parent
    monkeypatch.setattr(glyphs, "PACKAGES", {"@fontsource/plain": "1.0.0"})
    out = tmp_path / "glyphs"
    *_, last = build_glyphs(out, packages)
    assert last.scalars == {"pictures": 72.0, "typefaces": 2.0, "missing": 0.0}
    source = FolderSource(out, SIDE, "all", 1)
    assert source.class_names == tuple(GLYPHS)
    assert len(source) == 72
    assert (out / "A" / "plain-700-italic.png").is_file()
    said = (out / "LICENCES.md").read_text()
    assert "| `@fontsource/plain@1.0.0` | OFL-1.1 | Copyright 2026 A / B |" in said


def test_typefaces_without_some_glyphs(typeface, monkeypatch):
    monkeypatch.setattr(glyphs, "GLYPHS", "A ")
    assert list(draw_glyphs(typeface)) == ["A"]
    monkeypatch.setattr(glyphs, "GLYPHS", " ")
    assert draw_glyphs(typeface) == {}


def test_mistakes(pack, tmp_path, monkeypatch):
    monkeypatch.setattr(glyphs, "PACKAGES", {"@fontsource/plain": "1.0.0"})
    with pytest.raises(RecipeError, match="not an empty folder"):
        next(build_glyphs(pack().parent))
    with pytest.raises(RecipeError, match=r"under 'UNLICENSED'; only OFL-1\.1 and Apache-2\.0"):
        read_family(pack(licence="UNLICENSED"), "@fontsource/plain")
    with pytest.raises(RecipeError, match="holds no typefaces"):
        read_family(pack(faces=()), "@fontsource/plain")
    broken = pack()
    broken.write_bytes(b"no archive")
    with pytest.raises(RecipeError, match=r"cannot read .*delete it to fetch it anew"):
        next(build_glyphs(tmp_path / "glyphs", broken.parent))
    with pytest.raises(RecipeError, match="cannot read a typeface"):
        draw_glyphs(b"no typeface")
    assert not (tmp_path / "glyphs").exists()


def test_without_npm(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(MissingTool, match="npm is needed to fetch @fontsource/abril-fatface"):
        next(build_glyphs(tmp_path / "glyphs", tmp_path / "packages"))
    assert not (tmp_path / "glyphs").exists()
