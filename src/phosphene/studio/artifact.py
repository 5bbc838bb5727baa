"""Finished pictures: pixels together with everything that is needed to make them again."""

from dataclasses import dataclass
from pathlib import Path

from pydantic import ValidationError

import phosphene
from phosphene.core.errors import ImageError
from phosphene.core.files import write_bytes
from phosphene.core.images import (
    Picture,
    open_image,
    open_pil,
    pixel_hash,
    png_bytes,
    read_recipe,
)
from phosphene.studio.manifest import Manifest, Platform, Surroundings
from phosphene.studio.recipe import Painting

__all__ = ["Artifact", "Manifest", "Platform", "Surroundings", "artifact_of", "read_artifact"]


@dataclass(frozen=True, slots=True)
class Artifact:
    """A finished picture.

    Args:
        image: Float in [-1, 1], c h w.
    """

    image: Picture
    manifest: Manifest

    def png(self) -> bytes:
        """Encode as PNG with the manifest inside."""
        return png_bytes(self.image, self.manifest.model_dump_json())

    def save(self, path: Path) -> None:
        """Write the PNG, all or nothing.

        Raises:
            StorageError: disk full, folder not writable.
        """
        write_bytes(path, self.png())


def artifact_of(
    image: Picture,
    recipe: Painting,
    index: int,
    iterations: int,
    surroundings: Surroundings,
    frame: bool = False,
    *,
    genes: str = "",
    prompt: str = "",
) -> Artifact:
    """Describe a picture that was made just now.

    Args:
        prompt: Of this picture; it is written down where it is not the recipe's.
    """
    manifest = Manifest(
        phosphene=phosphene.__version__,
        recipe=recipe,
        seed=recipe.all_seeds()[index],
        index=index,
        iterations=iterations,
        frame=frame,
        pixel_sha256=pixel_hash(image),
        genes=genes,
        prompt="" if prompt == getattr(recipe, "prompt", prompt) else prompt,
        **dict(surroundings),
    )
    return Artifact(image, manifest)


def read_artifact(path: Path) -> Artifact:
    """Read a picture with its manifest.

    Raises:
        ImageError: unreadable, made elsewhere, or by a phosphene that wrote it otherwise.
    """
    text = read_recipe(path)
    try:
        manifest = Manifest.model_validate_json(text)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        field = ".".join(str(part) for part in first["loc"]) or "JSON"
        raise ImageError(
            f"the recipe in {str(path)!r} cannot be read: {field}: {first['msg']}; "
            f"it may come from another version than phosphene {phosphene.__version__}"
        ) from None
    return Artifact(open_image(path, _mode(path)), manifest)


def _mode(path: Path) -> str:
    """Grey and transparent pictures are read as what they are."""
    mode = open_pil(path).mode
    return mode if mode in ("L", "RGBA") else "RGB"
