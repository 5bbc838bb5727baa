"""The built sprite set in memory: decoded on first use, cropped to what is visible, recoloured."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from phosphene.core.errors import RecipeError
from phosphene.core.images import open_pil
from phosphene.training.emoji_names import COLOURS
from phosphene.training.pixels import from_image, to_image

# name -> (hue 0..1, saturation factor, brightening exponent)
_HUES: Mapping[str, tuple[float, float, float]] = {
    "red": (0.0, 1.1, 1.0),
    "orange": (0.075, 1.2, 0.6),
    "yellow": (0.145, 1.1, 0.4),
    "green": (0.35, 1.0, 1.0),
    "turquoise": (0.485, 0.95, 0.75),
    "blue": (0.61, 1.05, 0.9),
    "purple": (0.77, 0.9, 0.9),
    "pink": (0.92, 0.6, 0.45),
    "golden": (0.12, 1.1, 0.75),
}
_RAINBOW = (0.0, 1.0, 0.85)
RECOLOURS = (*_HUES, "rainbow", "black and white")

_DIRECTED = frozenset(
    {
        "left",
        "right",
        "clockwise",
        "hand",
        "index",
        "clock",
        "keyboard",
        "calendar",
        "piano",
        "guitar",
        "book",
        "scroll",
        "newspaper",
        "receipt",
        "page",
        "memo",
        "letter",
        "mail",
        "card",
        "chart",
        "map",
        "globe",
        "abacus",
        "money",
        "banknote",
        "ok",
    }
)
_DIRECTED_SUBGROUPS = frozenset(
    {
        "book-paper",
        "mail",
        "money",
        "office",
        "phone",
        "computer",
        "moon",
        "time",
        "place-map",
        "game",
        "writing",
    }
)


@dataclass(frozen=True, slots=True)
class Subject:
    """One concept of the set, as `index.json` tells it."""

    name: str
    label: str
    names: tuple[str, ...]
    keywords: tuple[str, ...]
    group: str
    subgroup: str
    styles: tuple[str, ...]
    held_out: bool

    @property
    def words(self) -> frozenset[str]:
        return frozenset(self.label.lower().replace("-", " ").split())

    @property
    def coloured(self) -> bool:
        """Whether its name already says a colour, or it is a person: never recoloured."""
        said = self.words | {word for name in self.names for word in name.lower().split()}
        skin = self.group == "people-body" or self.subgroup in ("heart", "geometric")
        return skin or bool(said & COLOURS)

    @property
    def mirrors(self) -> bool:
        """Whether a mirrored picture is as true: no text, no side, no dial."""
        return not (self.words & _DIRECTED or self.subgroup in _DIRECTED_SUBGROUPS)


def read_subjects(root: Path) -> dict[str, Subject]:
    """Read `index.json` of a built set.

    Raises:
        RecipeError: missing, broken or of another version.
    """
    path = root / "index.json"
    try:
        index = json.loads(path.read_text(encoding="utf-8"))
        version = index["version"]
        if version != 1:
            raise RecipeError(f"{str(path)!r} has version {version}; this phosphene reads 1")
        return {name: _subject(name, entry) for name, entry in index["concepts"].items()}
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        if isinstance(error, RecipeError):
            raise
        raise RecipeError(
            f"no emoji set at {str(root)!r} ({error}); build it with `phosphene data emoji`"
        ) from None


def _subject(name: str, entry: Mapping[str, Any]) -> Subject:
    return Subject(
        name,
        entry["label"],
        tuple(entry["names"]),
        tuple(entry["keywords"]),
        entry["group"],
        entry["subgroup"],
        tuple(entry["styles"]),
        bool(entry["held_out"]),
    )


@dataclass(slots=True)
class Sprite:
    """A drawing cropped to its visible box, RGBA, with three figures about it.

    Args:
        colour: Mean colour 0..255 of what is visible.
        vividness: Share of the visible pixels with a colour of their own.
        fullness: Share of the box that is visible; a disc has pi / 4, a square 1.
    """

    image: Image.Image
    colour: NDArray[np.float32]
    vividness: float
    fullness: float


class SpriteShelf:
    """Sprites by style and concept; each file is decoded once."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self._sprites: dict[tuple[str, str], Sprite] = {}

    def sprite(self, style: str, concept: str) -> Sprite:
        """Return a sprite.

        Raises:
            ImageError: the file is missing or broken.
        """
        key = (style, concept)
        if key not in self._sprites:
            image = open_pil(self.root / "sprites" / style / f"{concept}.png").convert("RGBA")
            box = image.getchannel("A").point(lambda a: 255 if a > 24 else 0).getbbox()
            self._sprites[key] = _measure(image.crop(box) if box else image)
        return self._sprites[key]


def _measure(image: Image.Image) -> Sprite:
    pixels = np.asarray(image)
    visible = pixels[..., 3] > 128
    colours = pixels[visible][:, :3] if visible.any() else pixels.reshape(-1, 4)[:, :3]
    high = colours.max(axis=1).astype(np.float32)
    spread = high - colours.min(axis=1)
    vivid = (spread > 0.3 * high) & (high > 80)
    mean = colours.mean(axis=0).astype(np.float32)
    return Sprite(image, mean, float(vivid.mean()), float(visible.mean()))


def recolour(image: Image.Image, name: str) -> Image.Image:
    """Paint the coloured pixels of an RGBA drawing in another hue; shading stays.

    Args:
        name: One of `RECOLOURS`.
    """
    alpha = image.getchannel("A")
    if name == "black and white":
        return Image.merge("LA", (image.convert("L"), alpha)).convert("RGBA")
    hsv = from_image(image.convert("RGB").convert("HSV"))
    hue, saturation, value = np.moveaxis(hsv, 2, 0)
    target, factor, lift = _HUES.get(name, _RAINBOW)
    own = ((saturation - 0.12) / 0.2).clip(0, 1)
    if name == "rainbow":
        rows, columns = np.indices(hue.shape)
        hue = ((rows + columns) * (0.85 / sum(hue.shape))).astype(np.float32)
        saturation = saturation * (1 - own) + np.maximum(saturation, 0.65) * own
    else:
        hue = np.full(hue.shape, target, dtype=np.float32)
    saturation = (saturation * factor).clip(0, 1) * own + saturation * 0.3 * (1 - own)
    value = value * (1 - own) + value**lift * own
    painted = np.stack([hue, saturation, value], axis=2)
    rgb = to_image(painted, "HSV").convert("RGB")
    rgb.putalpha(alpha)
    return rgb
