"""Images: the one place where value ranges and file formats meet.

Inside the library a picture is float32 in [-1, 1], `b c h w`, RGB. uint8, PIL and PNG exist only
here. A PNG carries the recipe that made it in a text chunk named `phosphene`.
"""

import hashlib
import io
import math
import os
import warnings
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from jaxtyping import Float, UInt8
from PIL import Image, ImageOps, PngImagePlugin
from torch import Tensor

from phosphene.core.errors import ImageError, RecipeError
from phosphene.core.files import write_bytes

Images = Float[Tensor, "b c h w"]
Picture = Float[Tensor, "c h w"]

MAX_PIXELS = 64_000_000
MAX_RECIPE_BYTES = 1_000_000  # Pillow refuses to open a PNG with a larger text chunk
READABLE = ("PNG", "JPEG", "WEBP", "GIF", "BMP", "TIFF")
RECIPE_KEY = "phosphene"


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


def opaque(image: Image.Image) -> Image.Image:
    """Lay a transparent PIL image on white; others stay."""
    if not image.has_transparency_data:
        return image
    image = image.convert("RGBA")
    return Image.alpha_composite(Image.new("RGBA", image.size, "white"), image).convert("RGB")


def open_pil(source: Path | bytes) -> Image.Image:
    """Open and fully decode a picture, turned upright by its EXIF tag, 8 bits a channel.

    Raises:
        ImageError: missing, unreadable, truncated, of another format, with 32-bit pixels, or
            above 64 megapixels.
    """
    name = "the image given" if isinstance(source, bytes) else repr(str(source)[:300])
    try:
        if isinstance(source, Path) and not os.path.isfile(source):
            raise ImageError(f"no image at {name}; check the path")
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # Pillow warns of odd metadata that we do not use
            file = io.BytesIO(source) if isinstance(source, bytes) else source
            with Image.open(file, formats=READABLE) as image:
                width, height = image.size
                if width * height > MAX_PIXELS:
                    raise ImageError(
                        f"{name} has {width} x {height} pixels; at most {MAX_PIXELS:,} are read"
                    )
                if image.mode in ("I", "F"):
                    raise ImageError(f"{name} has 32-bit pixels; save it with 8 or 16 bits")
                image.load()
                return _eight_bit(_upright(image))
    except ImageError:
        raise
    except Image.DecompressionBombError:
        raise ImageError(
            f"{name} has hundreds of millions of pixels; at most {MAX_PIXELS:,} are read"
        ) from None
    except Exception as error:  # damaged files make Pillow's readers raise almost anything
        reason = str(error).splitlines()[0][:120] if str(error) else type(error).__name__
        if "cannot identify" in reason:
            reason = f"not a picture in a known format ({', '.join(READABLE)})"
        raise ImageError(f"cannot read {name}: {reason}") from None


def _upright(image: Image.Image) -> Image.Image:
    try:
        return ImageOps.exif_transpose(image)
    except Exception:  # a damaged EXIF block must not cost the picture
        return image.copy()


def _eight_bit(image: Image.Image) -> Image.Image:
    if not image.mode.startswith("I;16"):
        return image
    # Pillow's own conversion clips at 255 and turns 16-bit greys white
    return Image.fromarray(np.round(np.asarray(image) / 257).astype(np.uint8))


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


def read_recipe(path: Path) -> str:
    """Return the recipe (JSON text) that a PNG carries.

    Raises:
        ImageError: unreadable, or made elsewhere and without a recipe.
    """
    text = open_pil(path).info.get(RECIPE_KEY)
    if not isinstance(text, str):
        raise ImageError(
            f"{str(path)!r} carries no phosphene recipe; only pictures made by phosphene replay"
        )
    return text


def pixel_hash(image: Picture) -> str:
    """Sha256 of size and 8-bit pixels: equal exactly when two pictures look the same."""
    pixels = to_uint8(image)
    digest = hashlib.sha256(repr(tuple(pixels.shape)).encode())
    digest.update(pixels.contiguous().numpy().tobytes())
    return digest.hexdigest()
