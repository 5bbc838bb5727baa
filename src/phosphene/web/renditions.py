"""A picture of the gallery as it is asked for: in an exact size, in another format. Loads no torch.

A model paints in the sizes that it can; what is asked for in another size is cropped at the middle
to its shape and resampled (bicubic, antialiased, as `core.images.fit`), and says so in its texts.
The same picture, size and format give the same bytes.
"""

import io
import json
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from phosphene.core.errors import MissingTool, RecipeError
from phosphene.core.image_files import RECIPE_KEY, opaque, open_pil

if TYPE_CHECKING:
    from PIL import Image

RESIZED_KEY = "phosphene-resized"
PNG_SIGNATURE = b"\x89PNG\r\n\x1a\n"
QUALITY = 90
MAX_EXIF = 60_000  # bytes; a JPEG holds no more
MAX_PIXELS = 8_400_000
MEDIA = {
    "png": "image/png",
    "webp": "image/webp",
    "jpeg": "image/jpeg",
    "gif": "image/gif",
    "mp4": "video/mp4",
}
_DESCRIPTION = 0x010E  # EXIF's ImageDescription
_FILM_SECONDS = 120


@dataclass(frozen=True, slots=True)
class Look:
    """How a picture is wanted.

    Args:
        width, height: Exactly; None is as it was painted.
        kind: png, webp or jpeg; of films gif or mp4.
        quality: 1 to 100, of WebP and JPEG.
    """

    width: int | None = None
    height: int | None = None
    kind: str = "png"
    quality: int = QUALITY


def rendered(png: bytes, look: Look, texts: dict[str, str] | None = None) -> bytes:
    """Show a picture as it is wanted.

    Args:
        png: Of the gallery; or a preview, which is a WebP.
        texts: What a PNG carries besides its own texts, by keyword.
    Raises:
        ImageError: its file is damaged.
    """
    image = open_pil(png)
    size = (look.width or image.width, look.height or image.height)
    if look.kind == "png" and size == image.size and not texts and png[:8] == PNG_SIGNATURE:
        return png
    kept = {k: v for k, v in image.info.items() if isinstance(k, str) and isinstance(v, str)}
    image.info = {}
    if size != image.size:
        kept[RESIZED_KEY] = json.dumps({"painted": list(image.size), "shown": list(size)})
        image = _fitted(image, size)
    return _written(image, look, {**kept, **(texts or {})})


def film(data: bytes, kind: str, size: tuple[int, int]) -> bytes:
    """A film in an exact size: cropped at the middle to its shape, and resampled.

    Args:
        data: A mp4 or gif of the gallery.
    Raises:
        RecipeError: an odd size of a mp4, which no player shows.
        MissingTool: no ffmpeg came with imageio-ffmpeg for this platform.
    """
    if kind == "gif":
        return _gif(data, size)
    width, height = size
    if width % 2 or height % 2:
        raise RecipeError(f"width, height: {width} x {height} should be even for a mp4")
    return _mp4(data, width, height)


def _fitted(image: "Image.Image", size: tuple[int, int]) -> "Image.Image":
    from PIL import Image, ImageOps

    if image.mode not in ("L", "RGB", "RGBA"):
        image = image.convert("RGBA" if image.has_transparency_data else "RGB")
    return ImageOps.fit(image, size, Image.Resampling.BICUBIC)


def _written(image: "Image.Image", look: Look, texts: dict[str, str]) -> bytes:
    from PIL import Image, PngImagePlugin

    buffer = io.BytesIO()
    if look.kind == "png":
        info = PngImagePlugin.PngInfo()
        for keyword, text in texts.items():
            info.add_itxt(keyword, text, zip=keyword == RECIPE_KEY)
        image.save(buffer, format="PNG", pnginfo=info)
        return buffer.getvalue()
    exif = Image.Exif()
    told = json.dumps({k: _json(v) for k, v in texts.items() if k in (RECIPE_KEY, RESIZED_KEY)})
    if len(told) < MAX_EXIF:
        exif[_DESCRIPTION] = told  # ASCII, as EXIF wants it
    if look.kind == "jpeg":
        image = opaque(image).convert("RGB")
    image.save(buffer, format=look.kind.upper(), quality=look.quality, exif=exif)
    return buffer.getvalue()


def _json(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return text


def _gif(data: bytes, size: tuple[int, int]) -> bytes:
    from PIL import Image, ImageSequence

    with Image.open(io.BytesIO(data), formats=["GIF"]) as source:
        if source.size == size:
            return data
        frames, pauses = [], []
        for frame in ImageSequence.Iterator(source):
            pauses.append(frame.info.get("duration", 66))
            frames.append(_fitted(frame.convert("RGB"), size))
    buffer = io.BytesIO()
    frames[0].save(
        buffer,
        format="GIF",
        save_all=True,
        append_images=frames[1:],
        duration=pauses,
        loop=0,
    )
    return buffer.getvalue()


def _mp4(data: bytes, width: int, height: int) -> bytes:
    """Through files: a mp4 has its index at the end, and a pipe cannot go back."""
    covering = f"scale={width}:{height}:force_original_aspect_ratio=increase:flags=bicubic"
    # one thread and no dates: the same film gives the same bytes
    exact = ["-threads", "1", "-map_metadata", "-1", "-fflags", "+bitexact", "-flags", "+bitexact"]
    with tempfile.TemporaryDirectory() as folder:
        source, target = Path(folder, "in.mp4"), Path(folder, "out.mp4")
        source.write_bytes(data)
        command = [_ffmpeg(), "-y", "-v", "error", "-i", str(source), "-an"]
        command += ["-vf", f"{covering},crop={width}:{height},setsar=1", *exact]
        command += ["-vcodec", "libx264", "-pix_fmt", "yuv420p", "-crf", "17"]
        command += ["-movflags", "+faststart", str(target)]
        ran = subprocess.run(
            command,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=_FILM_SECONDS,
            check=False,
        )
        if ran.returncode != 0:
            raise MissingTool("ffmpeg could not resize the film")
        return target.read_bytes()


def _ffmpeg() -> str:
    try:
        from imageio_ffmpeg import get_ffmpeg_exe

        return str(get_ffmpeg_exe())
    except (ImportError, RuntimeError):
        raise MissingTool("no ffmpeg came with imageio-ffmpeg; ask for a gif") from None
