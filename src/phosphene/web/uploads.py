"""Pictures that clients send to start from. They go into the gallery, so that the result has a
parent, and are written anew: nothing but their pixels is kept. Loads no torch.
"""

import base64
import binascii
import io
import json

from phosphene.core.errors import ImageError, PhospheneError
from phosphene.core.image_files import RECIPE_KEY, open_pil
from phosphene.studio.entry import described, reencoded
from phosphene.studio.studio import Studio

ORIGIN = "upload"
MAX_BYTES = 32_000_000
MAX_SHOWN = 100_000  # characters of a text of a picture


def from_base64(text: str, name: str) -> bytes:
    """Read a picture out of JSON: base64, with or without `data:image/png;base64,` before it.

    Args:
        name: The field, for messages.
    Raises:
        ImageError: it is a URL, which is not fetched; no base64; or too large.
    """
    if text[:8].lower().startswith(("http:", "https:", "file:", "ftp:")):
        raise ImageError(f"{name}: no URL is fetched; send the picture itself, in base64")
    if text.startswith("data:"):
        text = text.partition(",")[2]
    try:
        data = base64.b64decode(text, validate=False)
    except (binascii.Error, ValueError):
        raise ImageError(f"{name}: should be a picture in base64") from None
    if not 0 < len(data) <= MAX_BYTES:
        raise ImageError(f"{name}: should be a picture of at most {MAX_BYTES:,} bytes in base64")
    return data


def keep(studio: Studio, data: bytes, name: str, title: str = "") -> str:
    """Put a picture that was sent into the gallery; returns its id.

    A picture of ours that comes back is the one that it was, if it is still here.

    Args:
        title: What it is called there.
    Raises:
        ImageError: unreadable or too large.
        StorageError: disk full, folder not writable.
    """
    try:
        image = open_pil(data)
        ours = image.info.get(RECIPE_KEY)
        texts = {RECIPE_KEY: ours} if isinstance(ours, str) and _is_readable(data) else {}
        png = reencoded(data, texts)
    except ImageError as error:
        raise ImageError(f"{name}: {error}") from None
    artifact = studio.store.put(png)
    if texts:
        columns = described(png, ORIGIN)
    else:
        columns = {
            "id": artifact,
            "bytes": len(png),
            "width": image.width,
            "height": image.height,
            "title": title or ORIGIN,
            "words": (title or ORIGIN).casefold(),
            "kind": ORIGIN,
            "model": "",
            "seed": "",
            "recipe": json.dumps({}),
            "manifest": None,
            "genes": "",
            "foreign": None,
            "origin": ORIGIN,
        }
    with studio.database.writing() as connection:
        studio.gallery.insert(connection, columns)
    return artifact


def mask_of(data: bytes, name: str, *, paints_transparent: bool, inverted: bool = False) -> bytes:
    """A mask as ours are: white where the picture is painted anew.

    Args:
        paints_transparent: As OpenAI has it: what is transparent is painted; else what is white.
        inverted: The other way round.
    Raises:
        ImageError: unreadable, too large; or nothing is transparent that should be.
    """
    from PIL import ImageOps

    try:
        image = open_pil(data)
    except ImageError as error:
        raise ImageError(f"{name}: {error}") from None
    if paints_transparent:
        if not image.has_transparency_data:
            raise ImageError(f"{name}: should be transparent where the picture is to be painted")
        grey = ImageOps.invert(image.convert("RGBA").getchannel("A"))
    else:
        grey = image.convert("L")
    if inverted:
        grey = ImageOps.invert(grey)
    buffer = io.BytesIO()
    grey.convert("RGB").save(buffer, format="PNG")
    return buffer.getvalue()


def texts_of(data: bytes, name: str) -> dict[str, str]:
    """All texts that a picture carries, by keyword.

    Raises:
        ImageError: unreadable or too large.
    """
    try:
        info = open_pil(data).info
    except ImageError as error:
        raise ImageError(f"{name}: {error}") from None
    return {k: v[:MAX_SHOWN] for k, v in info.items() if isinstance(k, str) and isinstance(v, str)}


def _is_readable(data: bytes) -> bool:
    try:
        described(data, ORIGIN)
    except PhospheneError:
        return False
    return True
