"""Opening picture files, which may come from strangers. Imports no torch, and Pillow when used.

The server reads files with this module alone; `images.py` makes tensors of them.
"""

import io
import os
import warnings
from pathlib import Path
from typing import TYPE_CHECKING

from phosphene.core.errors import ImageError

if TYPE_CHECKING:
    from PIL import Image

MAX_PIXELS = 64_000_000
MAX_RECIPE_BYTES = 1_000_000  # Pillow refuses to open a PNG with a larger text chunk
READABLE = ("PNG", "JPEG", "WEBP", "GIF", "BMP", "TIFF")
RECIPE_KEY = "phosphene"


def opaque(image: "Image.Image") -> "Image.Image":
    """Lay a transparent PIL image on white; others stay."""
    from PIL import Image

    if not image.has_transparency_data:
        return image
    image = image.convert("RGBA")
    return Image.alpha_composite(Image.new("RGBA", image.size, "white"), image).convert("RGB")


def open_pil(source: Path | bytes) -> "Image.Image":
    """Open and fully decode a picture, turned upright by its EXIF tag, 8 bits a channel.

    Raises:
        ImageError: missing, unreadable, truncated, of another format, with 32-bit pixels, or
            above 64 megapixels.
    """
    from PIL import Image

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


def _upright(image: "Image.Image") -> "Image.Image":
    from PIL import ImageOps

    try:
        return ImageOps.exif_transpose(image)
    except Exception:  # a damaged EXIF block must not cost the picture
        return image.copy()


def _eight_bit(image: "Image.Image") -> "Image.Image":
    if not image.mode.startswith("I;16"):
        return image
    import numpy as np
    from PIL import Image

    # Pillow's own conversion clips at 255 and turns 16-bit greys white
    return Image.fromarray(np.round(np.asarray(image) / 257).astype(np.uint8))


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
