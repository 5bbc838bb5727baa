"""The zoo: names and paths become models, once each; damage is named."""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from phosphene.core.checksum import sha256_of
from phosphene.core.errors import (
    CheckpointError,
    DeviceError,
    HashMismatch,
    UnknownModel,
    Unsupported,
    WeightsError,
)
from phosphene.core.weights import Shelf, load_into, save_weights
from phosphene.nn.features import FeatureNet
from phosphene.zoo import Zoo, home, registry
from phosphene.zoo.card import Card


class Tiny(nn.Module):
    def __init__(self, width: int) -> None:
        super().__init__()
        self.layer = nn.Linear(width, width)
        self.part: Any = None


def build(tensors: Mapping[str, Tensor], config: Mapping[str, Any], shelf: Shelf) -> Tiny:
    """What a family's builder looks like."""
    model = Tiny(config["width"])
    load_into(model, tensors, "tiny")
    if "part" in config:
        model.part = shelf.model(config["part"])
    return model


def build_note(_tensors: Mapping[str, Tensor], _config: Mapping[str, Any], shelf: Shelf) -> bytes:
    return shelf.read("note.txt")


@pytest.fixture
def zoo(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Zoo:
    known = {"tiny": build, "note": build_note}
    monkeypatch.setattr("phosphene.zoo.zoo.builder", lambda _, arch: known[arch])
    return Zoo(tmp_path / "home")


def save(path: Path, arch: str = "tiny", **config: Any) -> Path:
    save_weights(path, Tiny(2).state_dict(), {"family": "test", "arch": arch, "width": 2, **config})
    return path


def add(zoo: Zoo, name: str, **config: Any) -> Path:
    path = save(registry.model_folder(name, zoo.home) / registry.WEIGHTS_FILE, **config)
    card = Card(
        name=name,
        family="test",
        arch=config.get("arch", "tiny"),
        summary="test",
        parameters=6,
        licence="none",
        source="none",
        trained_on="none",
        bytes=path.stat().st_size,
        sha256=sha256_of(path),
        file=registry.WEIGHTS_FILE,
    )
    registry.register(card, zoo.home)
    return path


def test_by_path_and_once(zoo: Zoo, tmp_path: Path) -> None:
    path = save(tmp_path / "m.safetensors")
    first = zoo.load(str(path))
    assert isinstance(first, Tiny)
    assert zoo.load(str(path)) is first
    assert Zoo(zoo.home).load(str(path)) is not first


def test_a_file_that_changed_is_read_again(zoo: Zoo, tmp_path: Path) -> None:
    path = save(tmp_path / "m.safetensors")
    first = zoo.load(str(path))
    save(path)
    os.utime(path, ns=(1, 1))
    assert not torch.equal(zoo.load(str(path)).layer.weight, first.layer.weight)


def test_by_name_with_a_part(zoo: Zoo) -> None:
    add(zoo, "part")
    add(zoo, "whole", part="part")
    whole = zoo.load("whole", dtype=torch.float64)
    assert whole.layer.weight.dtype == torch.float64
    assert whole.part is zoo.load("part", dtype=torch.float64)
    assert zoo.load("part").layer.weight.dtype == torch.float32
    assert {"part", "whole"} <= {card.name for card in zoo.cards()}


def test_wrong_hash(zoo: Zoo) -> None:
    path = add(zoo, "mine")
    save(path)
    with pytest.raises(HashMismatch):
        zoo.load("mine")


def test_missing_weights(zoo: Zoo) -> None:
    add(zoo, "mine").unlink()
    with pytest.raises(WeightsError, match="the weight file of 'mine' is missing"):
        zoo.load("mine")


def test_card_config_yields_to_the_files(zoo: Zoo) -> None:
    add(zoo, "mine")
    path = zoo.home / "models" / "mine" / "card.toml"
    path.write_text(path.read_text() + "config = {width = 3, extra = 1}\n")
    assert zoo.load("mine").layer.in_features == 2


def test_files_beside_the_weights(zoo: Zoo) -> None:
    path = add(zoo, "noted", arch="note")
    with pytest.raises(WeightsError, match=r"cannot read .*note\.txt"):
        zoo.load("noted")
    (path.parent / "note.txt").write_bytes(b"hello")
    assert zoo.load("noted") == b"hello"


def test_a_pickle_by_path_is_refused(zoo: Zoo, tmp_path: Path) -> None:
    card = registry.card(str(save(tmp_path / "m.safetensors")))
    torch.save({}, tmp_path / "m.pth")
    renamed = card.model_copy(update={"file": str(tmp_path / "m.pth")})
    zoo.card = lambda _: renamed  # type: ignore[method-assign]
    with pytest.raises(CheckpointError, match="models convert"):
        zoo.load("m")


def test_unknown(zoo: Zoo) -> None:
    with pytest.raises(UnknownModel):
        zoo.load("no-such-model")


def test_unknown_kind(tmp_path: Path) -> None:
    path = save(tmp_path / "m.safetensors", arch="other")
    with pytest.raises(Unsupported, match="'other' of family 'test'"):
        Zoo(tmp_path).load(str(path))


@pytest.mark.parametrize("device", ["nonsense", "cuda", "mps", "cpu:x"])
def test_devices_that_are_not_here(zoo: Zoo, tmp_path: Path, device: str) -> None:
    path = save(tmp_path / "m.safetensors")
    if device == "cuda" and torch.cuda.is_available():
        pytest.skip("this machine has one")
    if device == "mps" and torch.backends.mps.is_available():
        pytest.skip("this machine has one")
    with pytest.raises(DeviceError) as caught:
        zoo.load(str(path), device=device)
    assert "\n" not in str(caught.value)


def test_offline_says_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(WeightsError, match="`phosphene models pull efficientnet-lite0`"):
        Zoo(tmp_path).load("efficientnet-lite0")


def test_the_real_feature_network() -> None:
    try:
        network = Zoo(home()).load("efficientnet-lite0")
    except WeightsError as error:
        pytest.skip(str(error))
    assert isinstance(network, FeatureNet)
    parameters = registry.card("efficientnet-lite0").parameters
    folded = sum(p.numel() for p in network.parameters())
    norms = sum(m.conv.out_channels for m in network.modules() if hasattr(m, "norm"))
    assert folded + norms == parameters
