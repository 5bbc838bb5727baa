"""Handing a finished picture over, with what belongs to it: a film, frames. Imports no torch."""

from collections.abc import Mapping
from pathlib import Path

from phosphene.core.files import write_bytes


def hand_over(picture: bytes, beside: Mapping[str, Path], target: Path) -> list[Path]:
    """Write a picture, and copy what lies beside it in the run's folder; returns all paths.

    Args:
        beside: By what follows the target's stem, as ".mp4" or "-frames".
    Raises:
        StorageError: disk full, folder not writable.
    """
    write_bytes(target, picture)
    written = [target]
    for ending, source in beside.items():
        written.append(target.with_name(target.stem + ending))
        _copy(source, written[-1])
    return written


def _copy(source: Path, target: Path) -> None:
    """Copy a file or a folder; of an older folder, numbered pictures that are not in it go."""
    if not source.is_dir():
        write_bytes(target, source.read_bytes())
        return
    new = {path.name for path in source.iterdir()}
    for path in target.glob("[0-9]*.png"):
        if path.stem.isdigit() and path.name not in new:
            path.unlink()
    for name in sorted(new):
        _copy(source / name, target / name)
