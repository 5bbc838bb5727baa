"""Images: the one place where value ranges and file formats meet.

Inside the library a picture is float32 in [-1, 1], `b c h w`, RGB. uint8, PIL and PNG exist only
here and in `image_files.py`, which opens files without torch. A PNG carries the recipe that made it
in a text chunk named `phosphene`.
"""

import hashlib
import io
import math
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from jaxtyping import Float, UInt8
from PIL import Image, PngImagePlugin
from torch import Tensor

from phosphene.core.errors import RecipeError
from phosphene.core.files import write_bytes
from phosphene.core.image_files import (
    MAX_PIXELS,
    MAX_RECIPE_BYTES,
    READABLE,
    RECIPE_KEY,
    opaque,
    open_pil,
    read_recipe,
)

__all__ = [
    "MAX_PIXELS",
    "MAX_RECIPE_BYTES",
    "READABLE",
    "RECIPE_KEY",
    "Images",
    "Picture",
    "fit",
    "from_pil",
    "from_uint8",
    "grid",
    "on_white",
    "opaque",
    "open_image",
    "open_pil",
    "pixel_hash",
    "png_bytes",
    "read_recipe",
    "resize",
    "save_png",
    "to_pil",
    "to_uint8",
]

Images = Float[Tensor, "b c h w"]
Picture = Float[Tensor, "c h w"]


def to_uint8(images: Float[Tensor, "... c h w"]) -> UInt8[Tensor, "... c h w"]:
    """Round [-1, 1] to 0..255; values outside are clipped."""
    return images.detach().float().add(1).mul(127.5).round().clamp(0, 255).to(torch.uint8).cpu()


def from_uint8(pixels: UInt8[Tensor, "... c h w"]) -> Float[Tensor, "... c h w"]:
    """Spread 0..255 over [-1, 1]."""
    return pixels.float().div(127.5).sub(1)


def to_pil(image: Picture) -> Image.Image:
    """Turn one picture (1, 3 or 4 channels) into a PIL image."""
    pixels = to_uint8(image).permute(1, 2, 0).contiguous().numpy()
    return Image.fromarray(pixels[:, :, 0] if pixels.shape[2] == 1 else pixels)


def from_pil(image: Image.Image, mode: str = "RGB") -> Picture:
    """Turn a PIL image into one picture; transparency is laid on white unless mode is RGBA."""
    if mode != "RGBA":
        image = opaque(image)
    pixels = np.asarray(image.convert(mode))
    if pixels.ndim == 2:
        pixels = pixels[:, :, None]
    return from_uint8(torch.from_numpy(pixels.copy()).permute(2, 0, 1))


def on_white(images: Images) -> Float[Tensor, "b 3 h w"]:
    """Show grey pictures in RGB, and lay transparent ones on white."""
    if images.shape[1] == 4:
        share = (images[:, 3:].clamp(-1, 1) + 1) / 2
        return images[:, :3] * share + (1 - share)
    return images.expand(-1, 3, -1, -1)


def open_image(source: Path | bytes, mode: str = "RGB") -> Picture:
    """Open a picture as a tensor in [-1, 1]; see `open_pil` for the errors."""
    return from_pil(open_pil(source), mode)


def resize(images: Images, height: int, width: int) -> Float[Tensor, "b c {height} {width}"]:
    """Resample to a size with an antialiased bicubic filter, clipped to [-1, 1]."""
    if images.shape[-2:] == (height, width):
        return images
    resampled = F.interpolate(images, size=(height, width), mode="bicubic", antialias=True)
    return resampled.clamp(-1, 1)


def fit(images: Images, height: int, width: int) -> Float[Tensor, "b c {height} {width}"]:
    """Crop the centre to the size's aspect, then scale: the size is covered, undistorted."""
    # crop first: scaling a 1 x 10,000 strip up to cover a square would need gigabytes
    scale = max(height / images.shape[-2], width / images.shape[-1])
    tall = min(images.shape[-2], max(1, round(height / scale)))
    wide = min(images.shape[-1], max(1, round(width / scale)))
    top, left = (images.shape[-2] - tall) // 2, (images.shape[-1] - wide) // 2
    return resize(images[:, :, top : top + tall, left : left + wide], height, width)


def grid(
    images: Images, columns: int | None = None, gap: int = 2
) -> Float[Tensor, "c sheet_h sheet_w"]:
    """Lay a batch out as one contact sheet on white; columns default to a near-square sheet."""
    b, c, h, w = images.shape
    columns = min(b, columns or math.ceil(math.sqrt(b)))
    rows = math.ceil(b / columns)
    sheet = torch.ones(c, rows * (h + gap) + gap, columns * (w + gap) + gap)
    for i, image in enumerate(images.detach().float().cpu()):
        top, left = gap + (i // columns) * (h + gap), gap + (i % columns) * (w + gap)
        sheet[:, top : top + h, left : left + w] = image
    return sheet


def png_bytes(image: Picture, recipe: str | None = None) -> bytes:
    """Encode one picture as PNG, with the recipe (JSON) in an international text chunk.

    Raises:
        RecipeError: the recipe is above 1 MB.
    """
    info = PngImagePlugin.PngInfo()
    if recipe is not None:
        size = len(recipe.encode())
        if size > MAX_RECIPE_BYTES:
            raise RecipeError(
                f"the recipe has {size:,} bytes; a PNG carries at most {MAX_RECIPE_BYTES:,}"
            )
        info.add_itxt(RECIPE_KEY, recipe, zip=True)
    buffer = io.BytesIO()
    to_pil(image).save(buffer, format="PNG", pnginfo=info)
    return buffer.getvalue()


def save_png(image: Picture, path: Path, recipe: str | None = None) -> None:
    """Write one picture as PNG, all or nothing.

    Raises:
        StorageError: disk full, folder not writable.
    """
    write_bytes(path, png_bytes(image, recipe))


def pixel_hash(image: Picture) -> str:
    """Sha256 of size and 8-bit pixels: equal exactly when two pictures look the same."""
    pixels = to_uint8(image)
    digest = hashlib.sha256(repr(tuple(pixels.shape)).encode())
    digest.update(pixels.contiguous().numpy().tobytes())
    return digest.hexdigest()
