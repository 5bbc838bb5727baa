"""The StyleGAN2 converter: the same pictures as a plain forward, and nothing in the file is run."""

import pickle
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from phosphene.core.errors import CheckpointError, PhospheneError, UnsafeModel, WeightsError
from phosphene.core.latent import Condition, Latent, Space
from phosphene.families.gan.generator import StyledGenerator
from phosphene.zoo.convert import convert
from phosphene.zoo.stylegan import read_stylegan2
from phosphene.zoo.zoo import Zoo
from tests.zoo.stylegan_reference import (
    Published,
    Shape,
    Weights,
    drawn_weights,
    nvidia_names,
    paint,
    published,
    tree,
)

TOLERANCE = 1e-4
SHAPES = {
    "skip": Shape(),
    "residual": Shape(architecture="resnet"),
    "plain": Shape(architecture="orig"),
    "conditional": Shape(c_dim=3),
    "conditional residual, grey": Shape(c_dim=4, architecture="resnet", channels=1, layers=2),
    "clamped so that it shows": Shape(clamp=0.4),
    "clamped residual": Shape(clamp=0.4, architecture="resnet"),
    "no noise, 32 px": Shape(noise=False, resolution=32, channels=4, base=256),
    "stylegan3's repository": Shape(beside=True, clamp=256),
}


def opened(shape: Shape, weights: Weights, folder: Path, protocol: int = 3) -> StyledGenerator:
    """The way of a user: convert, then load it by its name."""
    path = published(shape, weights, folder / "network-snapshot-000000.pkl", protocol)
    convert("stylegan2", path, None, "mine", folder)
    model = Zoo(folder).load("mine")
    assert isinstance(model, StyledGenerator)
    return model


def condition(shape: Shape, count: int) -> Condition:
    if not shape.c_dim:
        return Condition()
    return Condition(classes=torch.softmax(torch.randn(count, shape.c_dim), 1))


@pytest.mark.parametrize("name", SHAPES)
@torch.no_grad()
def test_agrees_with_the_plain_forward(name: str, tmp_path: Path) -> None:
    shape = SHAPES[name]
    weights = drawn_weights(shape)
    model = opened(shape, weights, tmp_path)
    z, asked = torch.randn(3, shape.z_dim), condition(shape, 3)
    wanted = paint(shape, weights, z, asked.classes)
    found = model.decode(Latent(Space.Z, z), asked)
    assert float(wanted.std()) > 0.1, "a constant would prove nothing"
    torch.testing.assert_close(found, wanted, atol=TOLERANCE, rtol=TOLERANCE)
    torch.testing.assert_close(model.w_avg, weights["mapping.w_avg"])
    alone = model.decode(Latent(Space.Z, z[1:2]), Condition(classes=_row(asked, 1)))
    torch.testing.assert_close(alone, wanted[1:2], atol=TOLERANCE, rtol=TOLERANCE)


def _row(asked: Condition, index: int) -> torch.Tensor | None:
    return None if asked.classes is None else asked.classes[index : index + 1]


@pytest.mark.parametrize("protocol", [2, 3, 4, 5])
def test_every_protocol(protocol: int, tmp_path: Path) -> None:
    shape, weights = SHAPES["skip"], drawn_weights(SHAPES["skip"])
    path = published(shape, weights, tmp_path / "x.pkl", protocol)
    tensors, config = read_stylegan2(path)
    expected = {name.replace("mapping.w_avg", "w_avg"): v for name, v in weights.items()}
    assert tensors.keys() == expected.keys()
    for name, value in expected.items():
        torch.testing.assert_close(tensors[name], value)
    assert (config["family"], config["arch"], config["size"]) == ("gan", "stylegan2", 16)


def test_a_card_says_where_it_comes_from(tmp_path: Path) -> None:
    shape = SHAPES["conditional"]
    model = opened(shape, drawn_weights(shape), tmp_path)
    card = Zoo(tmp_path).card("mine")
    assert (card.family, card.arch, card.size) == ("gan", "stylegan2", 16)
    assert "network-snapshot-000000.pkl" in card.summary
    assert model.num_classes == 3


@pytest.mark.parametrize(
    ("shape", "reason"),
    [
        (Shape(changes={"architecture": "odd"}), "synthesis_kwargs.architecture: Input should be"),
        (Shape(changes={"resample_filter": [1, 2, 1]}), r"resample_filter \[1.0, 2.0, 1.0\]"),
        (Shape(changes={"activation": "relu"}), "synthesis_kwargs.activation"),
        (Shape(changes={"kernel_size": 5}), "synthesis_kwargs.kernel_size: Extra inputs"),
        (Shape(changes={"channel_base": 64}), "mis-shaped"),
        (Shape(changes={"channel_base": 8}), "leaves no channels"),
        (Shape(changes={"architecture": "resnet"}), "architecture of skip"),
        (Shape(changes={"use_noise": False}), "use_noise of True"),
        (Shape(changes={"channel_max": "wide"}), "channel_max: Input should be"),
        (Shape(c_dim=3, changes={}), "lacks mapping.embed"),
    ],
)
def test_a_network_that_ours_is_not(shape: Shape, reason: str, tmp_path: Path) -> None:
    weights = drawn_weights(replace(shape, c_dim=0))
    with pytest.raises(CheckpointError, match=reason) as caught:
        read_stylegan2(published(shape, weights, tmp_path / "x.pkl"))
    assert "\n" not in str(caught.value)


def dumped(value: Any, path: Path) -> Path:
    with nvidia_names():
        path.write_bytes(pickle.dumps(value, 3))
    return path


def spoiled(place: str, key: str, value: Any) -> Published:
    """A generator with one attribute of one part changed."""
    root = tree(Shape(), drawn_weights(Shape()))
    at = root
    for part in filter(None, place.split(".")):
        at = at.state["_modules"][part]
    if key in ("_parameters", "_buffers"):
        at.state[key]["extra"] = value
    else:
        at.state[key] = value
    return root


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (("synthesis.b8.conv0", "conv_clamp", 3.0), "layers of several clamps"),
        (("mapping.fc0", "bias_gain", 0.1), "mapping.fc0.bias_gain of 0.1"),
        (("mapping.fc1", "activation", "relu"), "mapping.fc1.activation of relu"),
        (("synthesis.b8", "_buffers", torch.ones(3)), "unknown synthesis.b8.extra"),
        (("synthesis.b8", "_buffers", "text"), "'synthesis.b8.extra' is not a tensor"),
        (("synthesis.b8", "_parameters", torch.ones(2).long()), "not a tensor of real numbers"),
        (("synthesis.b8", "_modules", {"conv0": 3}), "'conv0' is not a torch module"),
        (("synthesis", "_modules", []), "'synthesis' is not a torch module"),
        (("", "_init_kwargs", None), "does not say how its network was made"),
        (("", "_init_kwargs", {"z_dim": 10}), "c_dim: Field required"),
        (("", "_init_args", (1, 2, 3, 4, 5, 6)), "does not say how its network was made"),
    ],
)
def test_a_network_with_a_surprise(
    change: tuple[str, str, Any], reason: str, tmp_path: Path
) -> None:
    path = dumped({"G_ema": spoiled(*change)}, tmp_path / "x.pkl")
    with pytest.raises(CheckpointError, match=reason) as caught:
        read_stylegan2(path)
    assert "\n" not in str(caught.value)


def test_another_filter_is_refused(tmp_path: Path) -> None:
    root = spoiled("synthesis.b8", "training", False)
    root.state["_modules"]["synthesis"].state["_modules"]["b8"].state["_buffers"][
        "resample_filter"
    ] = torch.ones(4, 4) / 16
    with pytest.raises(CheckpointError, match="another resampling filter"):
        read_stylegan2(dumped({"G_ema": root}, tmp_path / "x.pkl"))


@pytest.mark.parametrize(
    ("value", "error", "reason"),
    [
        ({}, CheckpointError, "holds no G_ema"),
        ({"G_ema": None}, CheckpointError, "holds no G_ema"),
        ([1], CheckpointError, "holds a list, not a table"),
        ({"G_ema": Published("Discriminator")}, CheckpointError, "not a StyleGAN2 generator"),
        ({"G_ema": {"class": 1, "state": 2}}, CheckpointError, "not a torch module"),
        ({"G_ema": {}, "D": pickle.Unpickler}, CheckpointError, "not a torch module"),
    ],
)
def test_what_is_no_stylegan(
    value: Any, error: type[PhospheneError], reason: str, tmp_path: Path
) -> None:
    with pytest.raises(error, match=reason):
        read_stylegan2(dumped(value, tmp_path / "x.pkl"))


def test_stylegan3_is_named(tmp_path: Path) -> None:
    root = tree(Shape(), drawn_weights(Shape()))
    root.state["_modules"]["synthesis"].state["_modules"] = {"input": Published("SynthesisInput")}
    with pytest.raises(CheckpointError, match="holds a StyleGAN3 network"):
        read_stylegan2(dumped({"G_ema": root}, tmp_path / "x.pkl"))


def test_a_class_of_another_name_is_refused(tmp_path: Path) -> None:
    path = dumped({"G_ema": torch.nn.Linear(1, 1)}, tmp_path / "x.pkl")
    with pytest.raises(UnsafeModel, match=r"torch\.nn\.modules\.linear\.Linear"):
        read_stylegan2(path)


def test_a_file_that_is_missing(tmp_path: Path) -> None:
    with pytest.raises(WeightsError, match=r"no weights at .*x\.pkl.*; check the path"):
        read_stylegan2(tmp_path / "x.pkl")
