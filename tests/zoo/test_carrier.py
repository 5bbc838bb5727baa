"""Wheels read in place: members, folders, damage, and names that try to escape."""

import os
import zipfile
from pathlib import Path

import pytest

from phosphene.core.errors import CheckpointError, WeightsError
from phosphene.zoo.carrier import WheelMember, opened


@pytest.fixture
def wheel(tmp_path: Path) -> Path:
    path = tmp_path / "demo-1.0-py3-none-any.whl"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("demo/model/weights", os.urandom(10_000))
        archive.writestr("demo/model/config.json", "{}")
        archive.writestr("demo/model/deeper/x", "x")
        archive.writestr("demo/model/../../escape", "evil")
        archive.writestr("demo/bomb", b"\0" * 10_000_000)
    return path


def test_read_and_walk(wheel: Path) -> None:
    folder = WheelMember(wheel, "demo/model")
    assert not folder.is_file()
    assert (folder / "config.json").is_file()
    assert (folder / "config.json").read_bytes() == b"{}"
    assert (folder / "config.json").parent == folder
    assert (folder / "config.json").name == "config.json"


def test_opened_knows_both_kinds(wheel: Path, tmp_path: Path) -> None:
    with opened(WheelMember(wheel, "demo/model/weights")) as (file, size):
        assert size == len(file.read()) == 10_000
    (tmp_path / "plain").write_bytes(b"abc")
    with opened(tmp_path / "plain") as (file, size):
        assert (file.read(), size) == (b"abc", 3)
    with pytest.raises(WeightsError, match="cannot read"), opened(tmp_path / "nothing"):
        pass


def test_missing_member(wheel: Path) -> None:
    with pytest.raises(CheckpointError, match="holds no 'demo/nothing'"):
        WheelMember(wheel, "demo/nothing").read_bytes()


def test_bombs_are_refused(wheel: Path) -> None:
    with pytest.raises(CheckpointError, match="unpacks to 10,000,000 bytes"):
        WheelMember(wheel, "demo/bomb").read_bytes()


def test_damaged_data_is_noticed(wheel: Path) -> None:
    content = bytearray(wheel.read_bytes())
    content[5_000] ^= 255
    wheel.write_bytes(content)
    with pytest.raises(CheckpointError, match="pull it again"):
        WheelMember(wheel, "demo/model/weights").read_bytes()


@pytest.mark.parametrize("content", [b"", b"not a zip", b"PK\x03\x04" + b"\0" * 40])
def test_not_a_wheel(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "x.whl"
    path.write_bytes(content)
    with pytest.raises(CheckpointError, match="not a readable wheel"):
        WheelMember(path, "x").read_bytes()


def test_unpacked_folder_stays_inside_and_goes_away(wheel: Path, tmp_path: Path) -> None:
    home = tmp_path / "home"
    with WheelMember(wheel, "demo/model").unpacked(home) as folder:
        assert folder.is_relative_to(home)
        assert sorted(os.listdir(folder)) == ["config.json", "weights"]
    assert not folder.exists()
    assert not (tmp_path / "escape").exists()


def test_unpacked_file(wheel: Path, tmp_path: Path) -> None:
    with WheelMember(wheel, "demo/model/config.json").unpacked(tmp_path) as path:
        assert path.name == "config.json"
        assert path.read_text() == "{}"
    with (
        pytest.raises(CheckpointError, match="holds no"),
        WheelMember(wheel, "none").unpacked(tmp_path),
    ):
        pass
