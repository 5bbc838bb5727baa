"""Checksums: the right one passes, everything else is named."""

import hashlib
from pathlib import Path

import pytest

from phosphene.core.checksum import check_sha256, sha256_of
from phosphene.core.errors import HashMismatch, WeightsError


def test_sha256_of(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"phosphene" * 100_000)
    assert sha256_of(path) == hashlib.sha256(b"phosphene" * 100_000).hexdigest()


def test_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(WeightsError, match=r"no weights at .*nothing"):
        sha256_of(tmp_path / "nothing")


def test_upper_case_is_the_same_hash() -> None:
    check_sha256("ab" * 32, "AB" * 32, "x")


def test_mismatch_shows_both() -> None:
    with pytest.raises(HashMismatch, match=r"'x' has sha256 ab.*its card says cd"):
        check_sha256("ab" * 32, "cd" * 32, "x")
