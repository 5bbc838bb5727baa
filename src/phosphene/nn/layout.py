"""Which things a prompt names, and where they are to stand: "a fox next to an owl".

Reads the English that captions of composed scenes are written in (`training.captions`), and no
more: what it does not know is one thing in the middle.
"""

import re
from typing import NamedTuple

FULL, HALF, THIRD, ASIDE, SMALL, TINY = 0.92, 0.46, 0.3, 0.5, 0.42, 0.35


class Manner(NamedTuple):
    """What a phrase says of all its things: in front of the first, and after the last."""

    before: str = ""
    after: str = ""


class Thing(NamedTuple):
    """What is to be seen in a square: its side and centre are shares of the picture."""

    words: str
    side: float = FULL
    x: float = 0.5
    y: float = 0.5


# the first that fits is taken; whether a stands before b, and whether they form a row or a column
RELATIONS = tuple(
    (re.compile(pattern, re.IGNORECASE), first, row)
    for pattern, first, row in (
        (r"(?P<a>.+) on the left,? and (?P<b>.+) on the right", True, True),
        (r"(?P<a>.+) on the right,? and (?P<b>.+) on the left", False, True),
        (r"(?P<a>.+?) (?:to the )?left of (?P<b>.+)", True, True),
        (r"(?P<a>.+?) (?:to the )?right of (?P<b>.+)", False, True),
        (r"(?P<a>.+) (?:above|over|on top of) (?P<b>.+)", True, False),
        (r"(?P<a>.+) (?:below|beneath|underneath|under) (?P<b>an? .+|the .+)", False, False),
        (r"(?P<a>.+) (?:next to|beside|and) (?P<b>.+)", True, True),
    )
)
THREE = tuple(
    re.compile(pattern, re.IGNORECASE)
    for pattern in (
        r"(?P<a>.+) on the left, (?P<b>.+) in the middle,? and (?P<c>.+) on the right",
        r"(?P<a>[^,]+), (?P<b>[^,]+),? and (?P<c>[^,]+)",
    )
)
PLACES = tuple(
    (re.compile(rf" {words}(?: corner)?\b", re.IGNORECASE), x, y)
    for words, x, y in (
        ("(?:in|at) the (?:top|upper) left", 0, 0),
        ("(?:in|at) the (?:top|upper) right", 1, 0),
        ("(?:in|at) the (?:bottom|lower) left", 0, 1),
        ("(?:in|at) the (?:bottom|lower) right", 1, 1),
        ("at the top", 0.5, 0),
        ("at the bottom", 0.5, 1),
        ("on the left", 0, 0.5),
        ("on the right", 1, 0.5),
    )
)
SIZES = (
    (re.compile(r"\b(?:tiny|very small)\b", re.IGNORECASE), TINY),
    (re.compile(r"\bsmall\b", re.IGNORECASE), SMALL),
)


MEDIUM = re.compile(
    r"(?:an? |the )?(?:[\w-]+ ){0,3}?(?:painting|drawing|sketch|watercolou?r|picture"
    r"|photo(?:graph)?|mosaic|window|sign|sticker) of ",
    re.IGNORECASE,
)
STYLE = re.compile(r"(?:, (?!an? |the |and )[^,]+| in the style of [^,]+)$", re.IGNORECASE)


def read_manner(text: str) -> tuple[str, Manner]:
    """A phrase without what it says of all its things, and that: "a sketch of a fox and an owl"."""
    found = MEDIUM.match(text)
    before = found.group() if found else ""
    text = text[len(before) :]
    found = STYLE.search(text)
    after = found.group() if found else ""
    return text[: len(text) - len(after)], Manner(before, after)


def read_layout(text: str) -> tuple[Thing, ...]:
    """The one, two or three things of a phrase, in the order in which they are named."""
    text = text.strip()
    for pattern in THREE:
        if found := pattern.fullmatch(text):
            return tuple(
                Thing(words, THIRD, (i + 0.5) / 3, 0.5)
                for i, words in enumerate(found.group("a", "b", "c"))
            )
    for pattern, first, row in RELATIONS:
        if found := pattern.fullmatch(text):
            ends = (0.25, 0.75) if first else (0.75, 0.25)
            return tuple(
                Thing(words, HALF, *((end, 0.5) if row else (0.5, end)))
                for words, end in zip(found.group("a", "b"), ends, strict=True)
            )
    return (_alone(text),)


def _alone(text: str) -> Thing:
    """One thing: as large as it is said to be, and where."""
    side = next((size for pattern, size in SIZES if pattern.search(text)), FULL)
    for pattern, x, y in PLACES:
        if found := pattern.search(text):
            words = (text[: found.start()] + text[found.end() :]).strip()
            side = min(side, ASIDE)
            free = 1 - side
            return Thing(words or text, side, side / 2 + x * free, side / 2 + y * free)
    return Thing(text, side)
