"""The digits: read out of a wheel in place, checked, written as a folder of class folders."""

import gzip
import hashlib
import zipfile

import pytest
import torch

from phosphene.core.errors import MissingTool, RecipeError
from phosphene.training import digits
from phosphene.training.batches import Batches
from phosphene.training.digits import build_digits, fetch_wheel, read_digits
from phosphene.training.folder import FolderSource


@pytest.fixture
def packages(tmp_path, monkeypatch):
    """A folder with a wheel of four digits."""
    rows = [[0, 8, 16, *[0] * 61, 3], [16] * 64 + [0], [4] * 64 + [3], [0] * 64 + [9]]
    text = "\n".join(",".join(f"{value:.1f}" for value in row) for row in rows)
    packed = gzip.compress(text.encode(), mtime=0)
    monkeypatch.setattr(digits, "MEMBER_SHA256", hashlib.sha256(packed).hexdigest())
    folder = tmp_path / "packages"
    folder.mkdir()
    with zipfile.ZipFile(folder / digits.WHEEL, "w") as archive:
        archive.writestr(digits.MEMBER, packed)
    return folder


def test_a_folder_of_class_folders(packages, tmp_path):
    steps = list(build_digits(tmp_path / "digits", packages))
    assert len(steps) == 10
    assert steps[-1].scalars == {"pictures": 4.0}
    source = FolderSource(tmp_path / "digits", 8, "all", 1)
    assert source.class_names == ("0", "3", "9")
    assert len(source) == 4
    first = source.example(1)
    assert first.concept == "3"
    assert first.image[0, 0, :4].tolist() == [0, 128, 255, 0]
    assert "CC BY 4.0" in (tmp_path / "digits" / "LICENCES.md").read_text()
    batch = Batches(source, 4).batch(0)
    assert sorted(batch["classes"].tolist()) == [0, 1, 1, 2]
    assert batch["classes"].dtype == torch.int64


def test_mistakes(packages, tmp_path, monkeypatch):
    with pytest.raises(RecipeError, match="not an empty folder"):
        next(build_digits(packages, packages))
    monkeypatch.setattr(digits, "MEMBER_SHA256", "0" * 64)
    with pytest.raises(RecipeError, match=r"has sha256 .* delete it to fetch it anew"):
        next(build_digits(tmp_path / "digits", packages))
    assert not (tmp_path / "digits").exists()
    (packages / digits.WHEEL).write_bytes(b"PK no more")
    with pytest.raises(RecipeError, match="is damaged"):
        read_digits(packages / digits.WHEEL)


@pytest.mark.slow
def test_without_a_network(tmp_path, monkeypatch):
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(tmp_path))
    with pytest.raises(MissingTool, match=r"cannot fetch scikit-learn .*put scikit_learn-1\.7\.2"):
        fetch_wheel(tmp_path / "wheels")
    assert list((tmp_path / "wheels").iterdir()) == []
