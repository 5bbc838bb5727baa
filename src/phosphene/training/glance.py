"""How large a picture is, by a glance at its first bytes: for folders of a hundred thousand."""

import os
import struct
import warnings

from PIL import Image

from phosphene.core.errors import ImageError
from phosphene.core.images import MAX_PIXELS, READABLE

PNG = b"\x89PNG\r\n\x1a\n"
JPEG = b"\xff\xd8\xff"
GLANCE = 512  # bytes
# the markers of JPEG that begin a frame, whose size follows: all of C0 to CF that are no tables
FRAMES = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}


def size_of(path: str) -> tuple[int, int]:
    """Width and height in px, without decoding; whether the rest is sound shows in decoding.

    Raises:
        ImageError: in two words, what it is instead of a picture that can be read.
    """
    try:
        width, height = _by_first_bytes(path) or _by_pillow(path)
    except ImageError:  # a ValueError, too
        raise
    except (OSError, ValueError, SyntaxError, struct.error, Image.DecompressionBombError):
        raise ImageError("unreadable") from None
    if width * height > MAX_PIXELS or min(width, height) < 1:
        raise ImageError(f"above {MAX_PIXELS:,} pixels")
    return width, height


def _by_first_bytes(path: str) -> tuple[int, int] | None:
    """The size of a PNG or JPEG; None of what takes a closer look."""
    file = os.open(path, os.O_RDONLY)
    try:
        start = os.read(file, GLANCE)
        if start.startswith(PNG) and start[12:16] == b"IHDR":
            width, height = struct.unpack_from(">II", start, 16)
            return width, height
        return _in_jpeg(file, start) if start.startswith(JPEG) else None
    finally:
        os.close(file)


def _in_jpeg(file: int, start: bytes) -> tuple[int, int] | None:
    """Go from segment to segment until one holds the frame."""
    at = 2
    while True:
        segment = start[at : at + 9] if at + 9 <= len(start) else os.pread(file, 9, at)
        if len(segment) < 9 or segment[0] != 0xFF:
            return None
        if segment[1] in FRAMES:
            height, width = struct.unpack_from(">HH", segment, 5)
            return width, height
        at += 2 + int(struct.unpack_from(">H", segment, 2)[0])


def _by_pillow(path: str) -> tuple[int, int]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # a hostile header is counted, not reported
        with Image.open(path, formats=READABLE) as image:
            if image.mode in ("I", "F"):
                raise ImageError("with 32-bit pixels")
            return image.size
