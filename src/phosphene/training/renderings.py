"""Rendering styles: filters on a composed picture, and what people call them.

They give the incantations of prompts ("a watercolour of ...", "trending on artstation") something
true to refer to. Each takes a few milliseconds at 128 px and changes the picture visibly.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from random import Random
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from phosphene.core.errors import RecipeError, did_you_mean
from phosphene.training import filters, moods
from phosphene.training.pixels import Pixels, from_bytes, to_bytes


@dataclass(frozen=True, slots=True)
class Rendering:
    """One style.

    Args:
        apply: The filter; see `pixels` for the ranges.
        medium: Nouns for "a ... of a dog"; may be empty.
        tags: Words for "dog, ...", "dog | ..." and "dog in the style of ...".
        keeps: What stays true of a caption: all colours, the objects' colours and places (but not
            plain grounds), or shapes alone.
        coarse: Whether it dissolves small objects.
    """

    apply: Callable[[Pixels, Random], Pixels]
    medium: tuple[str, ...]
    tags: tuple[str, ...]
    keeps: Literal["colours", "objects", "shapes"] = "shapes"
    coarse: bool = False


RENDERINGS: Mapping[str, Rendering] = {
    "painting": Rendering(
        filters.painting,
        ("painting", "oil painting", "painting"),
        ("painting", "oil painting", "oil on canvas"),
        "colours",
    ),
    "watercolour": Rendering(
        filters.watercolour,
        ("watercolour", "watercolor painting", "watercolour painting"),
        ("watercolour", "watercolor"),
        "colours",
    ),
    "pencil drawing": Rendering(
        filters.pencil,
        ("pencil drawing", "pencil sketch", "sketch", "drawing"),
        ("pencil drawing", "pencil sketch", "sketch"),
    ),
    "charcoal": Rendering(
        filters.charcoal, ("charcoal drawing",), ("charcoal", "charcoal drawing")
    ),
    "pixel art": Rendering(
        filters.pixel_art, ("pixel art picture",), ("pixel art", "8-bit"), "colours", coarse=True
    ),
    "mosaic": Rendering(
        filters.mosaic, ("mosaic",), ("mosaic", "mosaic tiles"), "colours", coarse=True
    ),
    "stained glass": Rendering(
        filters.stained_glass, ("stained glass window",), ("stained glass",), "objects", coarse=True
    ),
    "neon": Rendering(moods.neon, ("neon sign",), ("neon", "neon lights", "glowing neon")),
    "cyberpunk": Rendering(moods.cyberpunk, (), ("cyberpunk",)),
    "comic": Rendering(
        filters.comic, ("comic book drawing",), ("comic", "comic book", "pop art"), "colours"
    ),
    "vintage photo": Rendering(
        moods.vintage_photo,
        ("vintage photo", "old photograph"),
        ("vintage photo", "vintage", "sepia"),
    ),
    "unreal engine": Rendering(
        moods.unreal_engine, (), ("unreal engine", "rendered in unreal engine"), "objects"
    ),
    "trending on artstation": Rendering(
        moods.artstation, (), ("trending on artstation", "artstation", "concept art"), "objects"
    ),
    "woodcut": Rendering(filters.woodcut, ("woodcut", "woodcut print"), ("woodcut", "linocut")),
    "line art": Rendering(
        filters.line_art, ("line drawing", "outline"), ("line art", "line drawing", "ink outline")
    ),
    "vaporwave": Rendering(moods.vaporwave, (), ("vaporwave", "synthwave")),
    "blueprint": Rendering(filters.blueprint, ("blueprint",), ("blueprint",)),
}


def render(name: str, pixels: NDArray[np.uint8], dice: Random) -> NDArray[np.uint8]:
    """Apply the rendering called `name`.

    Args:
        pixels: RGB 0..255, (size, size, 3).
        dice: Decides grain, palette and the like.
    Returns:
        RGB 0..255 of the same shape.
    Raises:
        RecipeError: no rendering of that name, or the picture is not square RGB.
    """
    if name not in RENDERINGS:
        raise RecipeError(
            f"unknown rendering {name!r}{did_you_mean(name, RENDERINGS)}; "
            f"known: {', '.join(RENDERINGS)}"
        )
    if pixels.ndim != 3 or pixels.shape[2] != 3 or pixels.shape[0] != pixels.shape[1]:
        raise RecipeError(f"renderings take square RGB pictures, not shape {pixels.shape}")
    return to_bytes(RENDERINGS[name].apply(from_bytes(pixels), dice))
