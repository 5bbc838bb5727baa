"""A picture of the gallery: a row, and how a PNG becomes one. Imports no torch."""

import io
import json
import unicodedata
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from phosphene.core.errors import ImageError
from phosphene.core.image_files import RECIPE_KEY, open_pil
from phosphene.studio.manifest import Manifest
from phosphene.studio.recipe import Painting
from phosphene.studio.recipe_text import dump_recipe
from phosphene.studio.store import sha256

MAX_TITLE = 300


@dataclass(frozen=True, slots=True)
class Entry:
    """A row of the gallery; see `tables.artifacts` for what is not said here.

    Args:
        id: Sha256 of the PNG.
        seed: Of the picture, in decimal digits; empty where none is known.
        recipe: What it was made by; of pictures from elsewhere, what that comes to here.
        manifest: All of how it came to be; None for pictures from elsewhere.
        genes: Its latent, as `explore.genes_text` writes it; empty if its seed gives it.
        foreign: What another program wrote into it, and what of that has no meaning here.
        binned: Since when it is in the bin; None if it is not.
        lost: Its file is gone.
    """

    id: str
    bytes: int
    width: int
    height: int
    title: str
    kind: str
    model: str
    seed: str
    recipe: dict[str, Any]
    manifest: dict[str, Any] | None
    genes: str
    foreign: dict[str, Any] | None
    origin: str
    created: float
    favourite: bool
    binned: float | None
    lost: bool


def entry_of(row: Any) -> Entry:
    """Read a row of `tables.artifacts`."""
    values = {name: getattr(row, name) for name in Entry.__slots__}
    for name in ("recipe", "manifest", "foreign"):
        values[name] = json.loads(values[name]) if values[name] else None
    values["recipe"] = values["recipe"] or {}
    return Entry(**values)


def folded(text: str) -> str:
    """Text as it is compared in a search: no case, composed, single spaces."""
    return " ".join(unicodedata.normalize("NFKC", text).casefold().split())


def described(png: bytes, origin: str) -> dict[str, Any]:
    """The columns of a PNG that carries a manifest of ours.

    Raises:
        ImageError: it is unreadable, or carries none.
    """
    image = open_pil(png)
    text = image.info.get(RECIPE_KEY)
    if not isinstance(text, str):
        raise ImageError("the picture carries no phosphene recipe")
    try:
        manifest = Manifest.model_validate_json(text)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        field = ".".join(str(part) for part in first["loc"]) or "JSON"
        raise ImageError(
            f"the recipe in the picture cannot be read: {field}: {first['msg']}"
        ) from None
    return {
        "id": sha256(png),
        "bytes": len(png),
        "width": image.width,
        "height": image.height,
        **columns_of(manifest.recipe),
        "seed": str(manifest.seed),
        "manifest": text,
        "genes": manifest.genes,
        "foreign": None,
        "origin": origin,
    }


def columns_of(recipe: Painting, more_words: Iterable[str] = ()) -> dict[str, Any]:
    """The columns that a recipe fills."""
    inner = getattr(recipe, "of", recipe)
    model = getattr(inner, "model_name", None) or getattr(inner, "model", None) or ""
    varied = [value for axis in getattr(recipe, "vary", ()) for value in axis.values]
    words = dict.fromkeys([recipe.title, getattr(inner, "prompt", ""), *varied, *more_words])
    return {
        "title": recipe.title[:MAX_TITLE],
        "words": folded(" ".join(words)),
        "kind": recipe.kind,
        "model": model[:200],
        "recipe": dump_recipe(recipe),
    }


def reencoded(png: bytes, texts: Mapping[str, str]) -> bytes:
    """A picture with its pixels and these texts, and nothing else that was in its file.

    Args:
        png: A picture of any readable kind, from anybody.
        texts: By keyword, as UTF-8.
    Raises:
        ImageError: it is unreadable or too large.
    """
    from PIL import PngImagePlugin

    image = open_pil(png)
    if image.mode not in ("L", "RGB", "RGBA"):
        image = image.convert("RGBA" if image.has_transparency_data else "RGB")
    info = PngImagePlugin.PngInfo()
    for keyword, text in texts.items():
        info.add_itxt(keyword, text, zip=True)
    buffer = io.BytesIO()
    image.info = {}  # colour profiles and comments of others would be written again
    image.save(buffer, format="PNG", pnginfo=info)
    return buffer.getvalue()


def packed(path: Path) -> tuple[bytes, str]:
    """What lies beside a picture, as one file, and that file's ending; a folder becomes a zip.

    The same files give the same bytes.
    """
    if not path.is_dir():
        return path.read_bytes(), path.suffix.lower() or ".bin"
    import zipfile

    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_STORED) as archive:
        for inner in sorted(p for p in path.rglob("*") if p.is_file()):
            member = zipfile.ZipInfo(inner.relative_to(path).as_posix())  # dated 1980
            archive.writestr(member, inner.read_bytes())
    return buffer.getvalue(), ".zip"
