"""Studios for tests: in a folder of their own, with a clock that is set, and pictures at once."""

import io
import json
from pathlib import Path
from typing import Any

from PIL import Image, PngImagePlugin

from phosphene.core.image_files import RECIPE_KEY
from phosphene.studio.entry import described, reencoded
from phosphene.studio.recipe import Recipe
from phosphene.studio.recipe_text import parse_recipe
from phosphene.studio.studio import Studio, open_studio

PLATFORM = {
    "torch": "2.13.0",
    "threads": 1,
    "machine": "x86_64",
    "isa": "AVX512",
    "device": "cpu",
    "dtype": "float32",
}


class Clock:
    """A clock that goes when it is told to."""

    def __init__(self, now: float = 1000.0) -> None:
        self.now = now

    def __call__(self) -> float:
        return self.now


def studio_in(folder: Path, clock: Clock | None = None) -> Studio:
    """Open a studio."""
    studio = open_studio(folder)
    if clock is not None:
        studio.database.clock = clock
    return studio


def wanted(prompt: str = "fox", **fields: Any) -> Recipe:
    """A recipe; nobody carries it out."""
    return parse_recipe({"kind": "imagine", "prompt": prompt, "seed": 7, **fields})


def picture(prompt: str = "fox", colour: str = "red", **manifest: Any) -> bytes:
    """A PNG of one colour with a manifest, as `imagine` writes them."""
    told = {
        "models": {"emoji-vqgan": "aa"},
        "inputs": {},
        "platform": PLATFORM,
        "phosphene": "0.1.0",
        "recipe": {"kind": "imagine", "prompt": prompt, "seed": 7},
        "seed": 7,
        "index": 0,
        "iterations": 3,
        "pixel_sha256": "dd",
        **manifest,
    }
    return reencoded(plain_png(colour), {RECIPE_KEY: json.dumps(told)})


def plain_png(colour: str = "red", **texts: str) -> bytes:
    """A PNG of one colour with other texts."""
    info = PngImagePlugin.PngInfo()
    for key, text in texts.items():
        info.add_text(key, text)
    buffer = io.BytesIO()
    Image.new("RGB", (20, 10), colour).save(buffer, "PNG", pnginfo=info)
    return buffer.getvalue()


def hang(studio: Studio, png: bytes, **more: Any) -> str:
    """Put a picture into the gallery; returns its id."""
    name = studio.store.put(png)
    with studio.database.writing() as connection:
        studio.gallery.insert(connection, described(png, "job"), **more)
    return name
