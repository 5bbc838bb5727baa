"""A tiny icon world: npm tarballs with a few drawings, and the sprite set built from them."""

import io
import json
import tarfile
from pathlib import Path

import pytest

from phosphene.training import emoji

ROUND = '<circle cx="16" cy="16" r="14" fill="{}"/>'
HEART = '<path fill="{}" d="M16 29 4 16a7 7 0 0 1 12-9 7 7 0 0 1 12 9z"/>'
BOX = '<rect x="4" y="4" width="24" height="24" fill="{}"/>'
DRAWINGS = {
    "sun": ROUND.format("#f9c21b"),
    "red-apple": ROUND.format("#d22"),
    "tennis-ball": ROUND.format("#7c3"),
    "green-heart": HEART.format("#2a4"),
    "broken-heart": HEART.format("#e23"),
    "wrapped-gift": BOX.format("#27d"),
    "dog-face": ROUND.format("#b63"),
    "swan": BOX.format("#b4c"),
    "duck": BOX.format("#2b7"),
    "grapes": ROUND.format("#73c"),
    "flag-france": BOX.format("#00f"),
    "keycap-1": BOX.format("#00f"),
    "middle-finger": BOX.format("#00f"),
    "thumbs-up-dark-skin-tone": BOX.format("#00f"),
    "broken": "<path",
    "ghost": '<circle r="0"/>',
}
# label, code, group, subgroup, tags
RECORDS = [
    ("sun", "2600", 5, 59, ["bright", "rays", "weather"]),
    ("red apple", "1F34E", 4, 42, ["apple", "fruit", "food"]),
    ("tennis", "1F3BE", 6, 62, ["ball", "racquet", "sport"]),
    ("green heart", "1F49A", 0, 14, ["emotion", "love", "green"]),
    ("broken heart", "1F494", 0, 14, ["break", "crushed"]),
    ("wrapped gift", "1F381", 6, 60, ["box", "birthday", "celebration"]),
    ("dog face", "1F436", 3, 34, ["pet", "puppy"]),
    ("swan", "1F9A2", 3, 35, ["bird", "cygnet"]),
    ("duck", "1F986", 3, 35, ["bird"]),
    ("grapes", "1F347", 4, 42, ["fruit", "vine", "wine"]),
    ("flag: France", "1F1EB-1F1F7", 9, 98, ["flag"]),
    ("keycap: 1", "31-FE0F-20E3", 8, 94, []),
    ("middle finger", "1F595", 1, 18, ["hand"]),
    ("ghost", "1F47B", 0, 11, ["creature", "face"]),
]
META = {
    "groups": {"0": "smileys-emotion", "1": "people-body", "3": "animals-nature", "4": "food-drink",
               "5": "travel-places", "6": "activities", "8": "symbols", "9": "flags"},
    "subgroups": {"11": "face-costume", "14": "heart", "18": "hand-single-finger",
                  "34": "animal-mammal", "35": "animal-bird", "42": "food-fruit",
                  "59": "sky-weather", "60": "event", "62": "sport", "94": "keycap",
                  "98": "country-flag"},
}  # fmt: skip


def pack(path: Path, files: dict[str, object]) -> None:
    """Write an npm tarball of JSON files."""
    with tarfile.open(path, "w:gz") as archive:
        for name, content in files.items():
            data = json.dumps(content).encode()
            info = tarfile.TarInfo(f"package/{name}")
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))


def write_packages(folder: Path) -> Path:
    """All the tarballs that `build_emoji` asks for, with the tiny drawings in them."""
    folder.mkdir(parents=True, exist_ok=True)
    records = [
        {"label": label, "hexcode": code, "group": group, "subgroup": subgroup, "tags": tags,
         "emoji": "".join(chr(int(part, 16)) for part in code.split("-"))}
        for label, code, group, subgroup, tags in RECORDS
    ]  # fmt: skip
    names, version = emoji.NAMES_PACKAGE
    pack(
        folder / f"{names}-{version}.tgz",
        {
            "en/data.json": [*records, {"label": "regional indicator A", "hexcode": "1F1E6"}],
            "meta/groups.json": META,
            "en/shortcodes/github.json": {"1F436": "puppy_face", "1F381": ["gift", "present"]},
        },
    )
    icons = {name: {"body": body} for name, body in DRAWINGS.items()}
    wide = {"body": BOX.format("#27d"), "width": 64, "height": 32}
    for icon_set in emoji.SETS:
        files: dict[str, object] = {
            "icons.json": {"icons": icons, "width": 32, "height": 32, "aliases": {
                "gift": {"parent": "wrapped-gift"}, "back": {"parent": "swan", "hFlip": True}}}
        }  # fmt: skip
        if icon_set.style == "flat":
            files["chars.json"] = {"1f3be": "tennis-ball", "2600-fe0f": "sun"}
        if icon_set.style == "fxemoji":
            squeezed = {"acorn": {"body": ROUND.format("#852")}, "heartgreen": icons["green-heart"]}
            files["icons.json"] = {"icons": squeezed | {"swan": wide}, "width": 32, "height": 32}
        pack(folder / icon_set.tarball, files)
    return folder


@pytest.fixture(scope="session")
def packages(tmp_path_factory):
    return write_packages(tmp_path_factory.mktemp("npm") / "packages")


@pytest.fixture(scope="session")
def emoji_set(packages, tmp_path_factory):
    """A sprite set of 48 px; swan, duck and grapes are held out by their names' hashes."""
    out = tmp_path_factory.mktemp("sets") / "emoji"
    for _ in emoji.build_emoji(out, 48, packages):
        pass
    return out
