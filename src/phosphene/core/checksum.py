"""The sha256 of files, and what to say when it is wrong. Knows no torch."""

import hashlib
from pathlib import Path

from phosphene.core.errors import HashMismatch, WeightsError


def sha256_of(path: Path) -> str:
    """Return the sha256 of a file in hexadecimal.

    Raises:
        WeightsError: it cannot be read.
    """
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise unreadable(path, error) from None


def check_sha256(found: str, wanted: str, name: str) -> None:
    """Compare two sha256 in hexadecimal.

    Raises:
        HashMismatch: they differ.
    """
    if found != wanted.lower():
        raise HashMismatch(
            f"{name!r} has sha256 {found[:16]}..., its card says {wanted.lower()[:16]}...; "
            "it is damaged or another version: delete it and pull it again"
        )


def unreadable(path: Path, error: OSError) -> WeightsError:
    """Say in one line why a weight file could not be read."""
    if isinstance(error, FileNotFoundError):
        return WeightsError(f"no weights at {str(path)!r}; check the path")
    return WeightsError(f"cannot read {str(path)!r}: {error.strerror or error}")
