"""What folders and shards share: decoding to a size, and living with files that do not decode."""

import hashlib
from abc import ABC, abstractmethod
from collections import Counter
from pathlib import Path

from jaxtyping import UInt8
from torch import Tensor

from phosphene.core.errors import ImageError, RecipeError, did_you_mean
from phosphene.core.images import fit, open_image, to_uint8
from phosphene.training.example import Example

SPLITS = ("train", "held-out", "all")
HELD_OUT_SHARE = 0.05
LEAST_TO_SPLIT = 100
MAX_CAPTION = 1000
BROKEN = "broken inside"  # files whose first bytes promised a picture
MOST_NAMED = 10  # classes, in a message
MODES = {1: "L", 3: "RGB", 4: "RGBA"}  # by number of channels

Size = int | tuple[int, int]  # a square's side, or height and width, px


def sides_of(size: Size) -> tuple[int, int]:
    """Height and width."""
    return size if isinstance(size, tuple) else (size, size)


def demand_split(split: str, size: Size) -> None:
    """Check what every source is asked.

    Raises:
        RecipeError: unknown split, or a size outside 8 to 4096.
    """
    if split not in SPLITS:
        raise RecipeError(f"unknown split {split!r}; use {', '.join(SPLITS)}")
    for side in sides_of(size):
        if not 8 <= side <= 4096:
            raise RecipeError(f"size {side} is out of range; pictures are 8 to 4096 pixels")


def in_split(key: str, total: int, split: str) -> bool:
    """Whether a picture belongs to a split: 5 % are held out by the hash of their key.

    Of fewer than 100 pictures none is held out: all are needed.
    """
    if split == "all" or total < LEAST_TO_SPLIT:
        return split != "held-out"
    digest = hashlib.blake2b(key.encode(errors="replace"), digest_size=4).digest()
    held_out = int.from_bytes(digest, "big") < HELD_OUT_SHARE * 2**32
    return held_out == (split == "held-out")


def chosen_classes(found: set[str], wanted: tuple[str, ...]) -> tuple[str, ...]:
    """The classes of a set in their order: those wanted, or all that were found.

    None at all where a picture has no class (an empty name).

    Raises:
        RecipeError: one that is wanted is not there.
    """
    for name in wanted:
        if name not in found:
            hint = did_you_mean(name, found)
            some = ", ".join(sorted(found - {""})[:MOST_NAMED]) or "none at all"
            rest = " and others" if len(found) > MOST_NAMED else ""
            raise RecipeError(f"the data has no class {name[:60]!r}{hint}; it has {some}{rest}")
    if not wanted and "" in found:
        return ()
    return tuple(sorted(wanted or found))


def clean_caption(text: str, stem: str) -> str:
    """One line of at most 1,000 characters; the file's stem in words where there is no text."""
    caption = " ".join(text.split())[:MAX_CAPTION]
    return caption or " ".join(stem.replace("-", " ").replace("_", " ").split())


def decode(source: Path | bytes, size: Size, channels: int = 3) -> UInt8[Tensor, "c h w"]:
    """Decode a picture, upright, scaled to cover the size and cropped to its centre.

    Args:
        channels: 1 grey, 3 RGB (transparency is laid on white), 4 RGBA.

    Raises:
        ImageError: see `core.images.open_pil`.
    """
    return to_uint8(fit(open_image(source, MODES[channels])[None], *sides_of(size))[0])


class PictureSource(ABC):
    """A list of pictures, some of which may turn out not to decode.

    Attributes:
        skipped: Number of files left out, by reason.
    """

    def __init__(self, size: Size, channels: int = 3) -> None:
        self.size, self.channels = size, channels
        self.skipped: Counter[str] = Counter()
        self._broken: set[int] = set()

    @abstractmethod
    def __len__(self) -> int: ...

    @abstractmethod
    def read(self, index: int) -> Example:
        """Decode one picture; raises ImageError."""

    def example(self, index: int) -> Example:
        """Return picture `index`, or the next readable one where it does not decode.

        Raises:
            IndexError: out of range.
            RecipeError: no picture at all can be decoded.
        """
        total = len(self)
        if not 0 <= index < total:
            raise IndexError(f"index {index} is out of range; there are {total} pictures")
        for step in range(total):
            candidate = (index + step) % total
            if candidate in self._broken:
                continue
            try:
                return self.read(candidate)
            except ImageError:
                self._broken.add(candidate)
                self.skipped[BROKEN] += 1
        raise RecipeError(f"none of the {total} pictures can be decoded")
