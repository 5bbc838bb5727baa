import json
import stat

import pytest
from PIL import Image

from phosphene.core.errors import MissingTool, RecipeError, StorageError
from phosphene.training import emoji
from tests.training.conftest import pack, write_packages


def index_of(root):
    return json.loads((root / "index.json").read_text())


def test_keeps_pictures_and_drops_signs(emoji_set):
    index = index_of(emoji_set)
    assert set(index["concepts"]) == {
        "acorn", "sun", "red-apple", "tennis", "green-heart", "broken-heart", "wrapped-gift",
        "dog-face", "swan", "duck", "grapes",
    }  # fmt: skip
    assert index["size"] == 48
    assert index["styles"] == [s.style for s in emoji.SETS]


def test_index_tells_names_groups_and_styles(emoji_set):
    concepts = index_of(emoji_set)["concepts"]
    gift = concepts["wrapped-gift"]
    assert gift["label"] == "wrapped gift"
    assert set(gift["names"]) == {"gift", "present"}
    assert gift["keywords"] == ["box", "birthday", "celebration"]
    assert (gift["group"], gift["subgroup"], gift["char"]) == ("activities", "event", "\U0001f381")
    assert gift["styles"] == ["3d", "flat", "noto", "blob", "twemoji"]
    assert "puppy face" in concepts["dog-face"]["names"]
    assert concepts["green-heart"]["styles"][-1] == "fxemoji", "matched by FxEmojis' own name"
    assert concepts["acorn"]["styles"] == ["fxemoji"]
    assert "3d" in concepts["tennis"]["styles"], "its code point is told by another set"
    assert not any("back" in c["names"] for c in concepts.values()), "a mirror is no synonym"


def test_files_match_the_index(emoji_set):
    for name, concept in index_of(emoji_set)["concepts"].items():
        for style in concept["styles"]:
            with Image.open(emoji_set / "sprites" / style / f"{name}.png") as image:
                assert image.mode == "RGBA"
                assert image.size == (48, 48)
                assert image.getchannel("A").getbbox() is not None
    drawn = {p.relative_to(emoji_set).as_posix() for p in (emoji_set / "sprites").rglob("*.png")}
    told = {
        f"sprites/{style}/{name}.png"
        for name, concept in index_of(emoji_set)["concepts"].items()
        for style in concept["styles"]
    }
    assert drawn == told


def test_wide_drawings_are_letterboxed_in_the_centre(emoji_set):
    with Image.open(emoji_set / "sprites" / "fxemoji" / "swan.png") as image:
        _, top, _, bottom = image.getchannel("A").getbbox()
    assert abs((top + bottom) / 2 - 24) < 7
    assert top >= 12
    assert bottom <= 36


def test_licences_name_every_set(emoji_set):
    text = (emoji_set / "LICENCES.md").read_text()
    for icon_set in emoji.SETS:
        assert f"{icon_set.package}@{icon_set.version}" in text
        assert icon_set.licence in text
        assert icon_set.author in text


def test_steps_count_the_sprites(packages, tmp_path):
    steps = list(emoji.build_emoji(tmp_path / "set", 16, packages))
    assert [step.index for step in steps] == list(range(steps[0].total))
    assert steps[-1].scalars["sprites"] == 10 * 5 + 3
    assert steps[-1].scalars["blank"] == 5, "the ghost of five sets"


@pytest.mark.slow
def test_processes_draw_the_same(packages, emoji_set, tmp_path):
    for _ in emoji.build_emoji(tmp_path / "set", 48, packages, workers=2):
        pass
    assert index_of(tmp_path / "set") == index_of(emoji_set)


def test_closing_early_leaves_nothing(packages, tmp_path):
    steps = emoji.build_emoji(tmp_path / "set", 16, packages)
    next(steps)
    steps.close()
    assert list(tmp_path.iterdir()) == []


def test_an_existing_folder_stays(packages, tmp_path):
    out = tmp_path / "set"
    out.mkdir()
    (out / "mine.txt").write_text("keep")
    with pytest.raises(RecipeError, match="not an empty folder"):
        next(emoji.build_emoji(out, 16, packages))
    assert (out / "mine.txt").read_text() == "keep"


def test_refuses_sizes_out_of_range(packages, tmp_path):
    with pytest.raises(RecipeError, match="size 8 is out of range"):
        next(emoji.build_emoji(tmp_path / "set", 8, packages))


def test_without_npm_it_says_so(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(MissingTool, match=r"npm is needed to fetch emojibase-data@17\.0\.0"):
        next(emoji.build_emoji(tmp_path / "set", 16, tmp_path / "npm"))
    assert not (tmp_path / "set").exists()


def fake_npm(folder, script):
    npm = folder / "bin" / "npm"
    npm.parent.mkdir()
    npm.write_text(f"#!/bin/sh\n{script}\n")
    npm.chmod(npm.stat().st_mode | stat.S_IXUSR)


def test_npm_packs_what_is_missing_once(tmp_path, monkeypatch):
    fake_npm(tmp_path, 'echo "$@" >> "$LOG"; : > "$5/iconify-json-noto-1.2.9.tgz"')
    monkeypatch.setenv("PATH", f"{tmp_path}/bin:/usr/bin:/bin")
    monkeypatch.setenv("LOG", str(tmp_path / "log"))
    for _ in range(2):
        path = emoji.fetch_package("@iconify-json/noto", "1.2.9", tmp_path / "npm")
        assert path.name == "iconify-json-noto-1.2.9.tgz"
    calls = (tmp_path / "log").read_text().splitlines()
    assert len(calls) == 1
    assert calls[0].startswith("pack @iconify-json/noto@1.2.9 --silent --pack-destination ")


def test_npm_failing_is_one_line(tmp_path, monkeypatch):
    fake_npm(tmp_path, 'echo "npm ERR! 404 not found" >&2; exit 1')
    monkeypatch.setenv("PATH", f"{tmp_path}/bin:/usr/bin:/bin")
    with pytest.raises(MissingTool, match=r"could not fetch x@1\.0\.0: npm ERR! 404 not found"):
        emoji.fetch_package("x", "1.0.0", tmp_path / "npm")
    assert list((tmp_path / "npm").iterdir()) == []


@pytest.mark.parametrize("content", [b"", b"not a tarball", b"\x1f\x8b\x08\x00broken"])
def test_a_broken_package_is_named(tmp_path, content):
    folder = write_packages(tmp_path / "npm")
    (folder / emoji.SETS[2].tarball).write_bytes(content)
    with pytest.raises(RecipeError, match=r"noto-1\.2\.9\.tgz.*delete it"):
        next(emoji.build_emoji(tmp_path / "set", 16, folder))
    assert not (tmp_path / "set").exists()


def test_a_package_without_icons_is_named(tmp_path):
    folder = write_packages(tmp_path / "npm")
    pack(folder / emoji.SETS[0].tarball, {"info.json": {}})
    with pytest.raises(RecipeError, match=r"lacks icons\.json"):
        next(emoji.build_emoji(tmp_path / "set", 16, folder))


def test_a_full_disk_is_a_storage_error(packages, tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(StorageError):
        next(emoji.build_emoji(tmp_path / "file" / "set", 16, packages))
