"""Frames on disk become a video: H.264 in mp4, or an animated GIF. Knows no model."""

import subprocess
from collections.abc import Iterator, Sequence
from io import BufferedIOBase
from pathlib import Path
from typing import cast

import numpy as np
from PIL import Image

from phosphene.core.errors import MissingTool, RecipeError, StorageError
from phosphene.core.files import write_atomic
from phosphene.core.images import opaque, open_pil

CRF = 17  # constant quality that looks lossless
# yuv420p and even sides: the only H.264 that every player and browser shows
MP4 = ["-vcodec", "libx264", "-pix_fmt", "yuv420p", "-crf", str(CRF), "-movflags", "+faststart"]
# a palette of its own for each frame, found while streaming
GIF = [
    "-filter_complex",
    "split[a][b];[a]palettegen=stats_mode=single[p];[b][p]paletteuse=new=1:dither=sierra2_4a",
    "-loop",
    "0",
]
FORMATS = {".mp4": ["-f", "mp4", *MP4], ".gif": ["-f", "gif", *GIF]}


def write_video(frames: Sequence[Path], path: Path, fps: int) -> None:
    """Join frames into a video, all or nothing; the name's ending says which kind.

    Frames are read one at a time; all are of the first one's size, odd sides are padded by a px.

    Args:
        fps: 1 to 60; a GIF rounds the time of a frame to hundredths of a second.
    Raises:
        RecipeError: no frames, or another ending.
        MissingTool: no ffmpeg came with imageio-ffmpeg for this platform.
        StorageError: the disk is full, the folder not writable.
    """
    if not frames:
        raise RecipeError("a video needs at least one frame; lower save_every")
    if path.suffix not in FORMATS:
        raise RecipeError(f"cannot make a video {path.suffix[:20]!r}; use .mp4 or .gif")
    write_atomic(path, lambda temporary: _encode(frames, temporary, fps, FORMATS[path.suffix]))


def _encode(frames: Sequence[Path], path: Path, fps: int, output: list[str]) -> None:
    width, height = _even(open_pil(frames[0]).size)
    raw = ["-f", "rawvideo", "-pix_fmt", "rgb24", "-s", f"{width}x{height}", "-r", str(fps)]
    command = [_ffmpeg(), "-y", "-v", "error", *raw, "-i", "-", "-an", *output, str(path)]
    # Not imageio_ffmpeg.write_frames: it does not tell when ffmpeg failed, as on a full disk.
    # A session of its own keeps Ctrl-C from reaching ffmpeg before us.
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stderr=subprocess.PIPE, start_new_session=True
    ) as process:
        assert process.stdin is not None
        assert process.stderr is not None
        try:
            _feed(cast(BufferedIOBase, process.stdin), _pixels(frames, width, height))
            complaint = process.stderr.read().decode("utf-8", "replace").strip()
        except BaseException:
            process.kill()
            raise
    if process.returncode != 0:
        reason = complaint.splitlines()[-1] if complaint else f"code {process.returncode}"
        raise StorageError(f"cannot write the video: ffmpeg failed: {reason[:200]}")


def _feed(pipe: BufferedIOBase, frames: Iterator[bytes]) -> None:
    """Hand frames over; when ffmpeg has died, its own last words say why."""
    try:
        with pipe:
            for frame in frames:
                pipe.write(frame)
    except BrokenPipeError:
        return


def _pixels(frames: Sequence[Path], width: int, height: int) -> Iterator[bytes]:
    for path in frames:
        image = opaque(open_pil(path)).convert("RGB")
        if _even(image.size) != (width, height):
            image = image.resize((width, height), Image.Resampling.LANCZOS)
        pixels = np.asarray(image)
        room = ((0, height - pixels.shape[0]), (0, width - pixels.shape[1]), (0, 0))
        yield np.pad(pixels, room, mode="edge").tobytes()


def _even(size: tuple[int, int]) -> tuple[int, int]:
    return size[0] + size[0] % 2, size[1] + size[1] % 2


def _ffmpeg() -> str:
    from imageio_ffmpeg import get_ffmpeg_exe

    try:
        return str(get_ffmpeg_exe())
    except RuntimeError:
        raise MissingTool(
            "no ffmpeg for this platform; install ffmpeg and set IMAGEIO_FFMPEG_EXE to it"
        ) from None
