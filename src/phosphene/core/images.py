"""Images: the one place where value ranges and file formats meet.

Inside the library a picture is float32 in [-1, 1], `b c h w`, RGB. uint8, PIL and PNG exist only
here. A PNG carries the recipe that made it in a text chunk named `phosphene`.
"""

import hashlib
import io
import math
import warnings
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from jaxtyping import Float, UInt8
from PIL import Image, ImageOps, PngImagePlugin
from torch import Tensor

from phosphene.core.errors import ImageError
from phosphene.core.files import write_bytes

Images = Float[Tensor, "b c h w"]
Picture = Float[Tensor, "c h w"]

MAX_PIXELS = 64_000_000
MAX_RECIPE_BYTES = 4_000_000
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
    if image.mode.startswith("I"):
        image = _to_8_bits(image)
    if mode == "RGB" and image.has_transparency_data:
        image = image.convert("RGBA")
        ground = Image.new("RGBA", image.size, "white")
        image = Image.alpha_composite(ground, image)
    pixels = np.asarray(image.convert(mode))
    if pixels.ndim == 2:
        pixels = pixels[:, :, None]
    return from_uint8(torch.from_numpy(pixels.copy()).permute(2, 0, 1))


def _to_8_bits(image: Image.Image) -> Image.Image:
    """Scale 16-bit grey, which PIL itself would clip to white."""
    values = np.asarray(image.convert("I"))
    if image.mode != "I" or values.max(initial=0) > 255:
        values = (values + 128) // 257
    return Image.fromarray(values.clip(0, 255).astype(np.uint8))


def open_pil(source: Path | bytes) -> Image.Image:
    """Open and fully decode a picture, turned upright by its EXIF tag.

    Raises:
        ImageError: missing, unreadable, truncated, of another format, or above 64 megapixels.
    """
    name = "the image given" if isinstance(source, bytes) else repr(str(source))
    if isinstance(source, Path) and not source.is_file():
        raise ImageError(f"no image at {name}; check the path")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)
            file = io.BytesIO(source) if isinstance(source, bytes) else source
            with Image.open(file, formats=READABLE) as image:
                width, height = image.size
                if width * height > MAX_PIXELS:
                    raise ImageError(
                        f"{name} has {width} x {height} pixels; at most {MAX_PIXELS:,} are read"
                    )
                image.load()
                return ImageOps.exif_transpose(image)
    except ImageError:
        raise
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
        reason = str(error).splitlines()[0][:120] if str(error) else type(error).__name__
        if "cannot identify" in reason:
            reason = f"not a picture in a known format ({', '.join(READABLE)})"
        raise ImageError(f"cannot read {name}: {reason}") from None


def open_image(source: Path | bytes, mode: str = "RGB") -> Picture:
    """Open a picture as a tensor in [-1, 1]; see `open_pil` for the errors."""
    return from_pil(open_pil(source), mode)


def resize(images: Images, height: int, width: int) -> Images:
    """Resample to a size with an antialiased bicubic filter, clipped to [-1, 1]."""
    if images.shape[-2:] == (height, width):
        return images
    resampled = F.interpolate(images, size=(height, width), mode="bicubic", antialias=True)
    return resampled.clamp(-1, 1)


def fit(images: Images, height: int, width: int) -> Images:
    """Scale to cover the size without distortion, then crop the centre."""
    scale = max(height / images.shape[-2], width / images.shape[-1])
    tall = max(height, round(images.shape[-2] * scale))
    wide = max(width, round(images.shape[-1] * scale))
    top, left = (tall - height) // 2, (wide - width) // 2
    return resize(images, tall, wide)[:, :, top : top + height, left : left + width]


def grid(images: Images, columns: int | None = None, gap: int = 2) -> Picture:
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
    """Encode one picture as PNG, with the recipe (JSON) in an international text chunk."""
    info = PngImagePlugin.PngInfo()
    if recipe is not None:
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
    if not isinstance(text, str) or len(text) > MAX_RECIPE_BYTES:
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
