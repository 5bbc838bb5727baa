"""Emoji in words, for text towers that never saw one: "Oregon 💚" is read as "Oregon green heart".

Names are Unicode's, from `emoji_names.json` (see scripts/make_emoji_names.py).
"""

import json
from collections.abc import Mapping
from importlib import resources

VARIATION_SELECTORS = dict.fromkeys((0xFE0E, 0xFE0F))
JOINER = "\u200d"
TONES = {
    "\U0001f3fb": "light",
    "\U0001f3fc": "medium-light",
    "\U0001f3fd": "medium",
    "\U0001f3fe": "medium-dark",
    "\U0001f3ff": "dark",
}
WITHOUT_TONES = dict.fromkeys(map(ord, TONES))
FIRST_LETTER = 0x1F1E6  # regional indicator A; two of them are the flag of a country code
TAGS = range(0xE0020, 0xE0080)  # spell the region of a flag after a black flag


class EmojiNames:
    """Replaces every emoji of a text by its name.

    Args:
        names: From emoji, without variation selectors and skin tones, to names.
    """

    def __init__(self, names: Mapping[str, str]) -> None:
        self._names = dict(names)
        self._starts = {emoji[0] for emoji in names}
        # Up to two people, each with a tone of their own, beyond the longest plain emoji.
        self._longest = max(map(len, names)) + 2

    @classmethod
    def load(cls) -> "EmojiNames":
        """Read the table that ships with phosphene."""
        table = resources.files("phosphene.prompting").joinpath("emoji_names.json")
        return cls(json.loads(table.read_text(encoding="utf-8"))["names"])

    def translate(self, text: str) -> str:
        """Return the text with names, set off by spaces, in place of emoji.

        A sequence without a name of its own (a new family, say) becomes the names of its parts;
        an emoji newer than the table stays.
        """
        text = text.translate(VARIATION_SELECTORS)
        parts: list[str] = []
        position = 0
        while position < len(text):
            name, length = self._match(text, position)
            if length == 0:
                parts.append(text[position])
                position += 1
                continue
            position += length
            parts.append(f" {name} ")
            while position < len(text) and _glue(text[position]):
                position += 1
        return "".join(parts)

    def _match(self, text: str, start: int) -> tuple[str, int]:
        """Return the name of the longest emoji at `start` and its length; 0 if there is none."""
        if _letter(text[start]):
            return self._flag(text, start)
        if text[start] not in self._starts:
            return "", 0
        for end in range(min(len(text), start + self._longest), start, -1):
            found = text[start:end]
            name = self._names.get(found) or self._names.get(found.translate(WITHOUT_TONES))
            if name is not None:
                return (name if found in self._names else _toned(name, found)), end - start
        return "", 0

    def _flag(self, text: str, start: int) -> tuple[str, int]:
        pair = text[start : start + 2]
        letters = "".join(map(_letter, pair))
        if len(letters) < 2:
            return letters, 1
        return self._names.get(pair, f"flag: {letters}"), 2


def _toned(name: str, found: str) -> str:
    """Add skin tones the way Unicode names them: "waving hand: dark skin tone"."""
    tones = dict.fromkeys(f"{TONES[c]} skin tone" for c in found if c in TONES)
    return f"{name}{',' if ':' in name else ':'} {', '.join(tones)}"


def _letter(character: str) -> str:
    """Return the letter A to Z a regional indicator stands for, else an empty string."""
    index = ord(character) - FIRST_LETTER
    return chr(ord("A") + index) if 0 <= index < 26 else ""


def _glue(character: str) -> bool:
    """Whether a character only joins or modifies the emoji before it."""
    return character == JOINER or ord(character) in TAGS
