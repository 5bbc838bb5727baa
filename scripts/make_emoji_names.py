"""Write `src/phosphene/prompting/emoji_names.json` from the npm package emojibase-data (MIT).

    npm pack emojibase-data@17.0.0
    python scripts/make_emoji_names.py emojibase-data-17.0.0.tgz

Keys are emoji without variation selectors and skin tones; values are Unicode's short names.
"""

import json
import sys
import tarfile
from pathlib import Path

TARGET = Path(__file__).parents[1] / "src" / "phosphene" / "prompting" / "emoji_names.json"
MEMBER = "package/en/data.json"
DROPPED = {0xFE0E, 0xFE0F}
TONES = set(range(0x1F3FB, 0x1F400))
REGIONAL = "regional indicator"  # letters of flags; they are read pairwise, not by name


def key(hexcode: str, tones: bool) -> str:
    """Return the characters of `1F44B-1F3FD`, with or without skin tones."""
    points = [int(part, 16) for part in hexcode.split("-")]
    kept = [p for p in points if p not in DROPPED and (tones or p not in TONES)]
    return "".join(map(chr, kept))


def names_of(package: Path) -> dict[str, str]:
    """Read the names out of the package as npm delivers it."""
    with tarfile.open(package) as archive:
        member = archive.extractfile(MEMBER)
        if member is None:
            raise SystemExit(f"{package} holds no {MEMBER}")
        entries = json.load(member)
    names = {key(e["hexcode"], tones=True): e["label"] for e in entries}
    for entry in entries:
        for skin in entry.get("skins", []):
            # Some toned pairs are built from other characters than the plain emoji.
            names.setdefault(key(skin["hexcode"], tones=False), entry["label"])
    return {k: v for k, v in sorted(names.items()) if not v.startswith(REGIONAL)}


def main(package: Path) -> None:
    """Write the table, one name a line."""
    table = {
        "source": f"labels of {package.name.removesuffix('.tgz')} (MIT, (c) Miles Johnson; "
        "names from Unicode CLDR); made by scripts/make_emoji_names.py",
        "names": names_of(package),
    }
    text = json.dumps(table, ensure_ascii=False, indent=0)
    TARGET.write_text(text + "\n", encoding="utf-8")


if __name__ == "__main__":
    if len(sys.argv) != 2:
        raise SystemExit("usage: make_emoji_names.py emojibase-data-17.0.0.tgz")
    main(Path(sys.argv[1]))
