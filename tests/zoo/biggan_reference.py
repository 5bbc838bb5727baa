"""Other people's BigGANs, to compare with: the PyPI package's own code, and a plain forward.

The package imports boto3 to download and scipy to draw; neither has to do with its network. So its
modules `model` and `config` alone are imported, with a stand-in for the one that downloads.
"""

import importlib
import importlib.machinery
import itertools
import json
import sys
import warnings
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

PACKAGE = "pytorch_pretrained_biggan"
Weights = dict[str, Tensor]


def published_package() -> tuple[Any, Any]:
    """The modules `model` and `config` of pytorch-pretrained-biggan; skips where it is absent."""
    if f"{PACKAGE}.model" not in sys.modules:
        found = importlib.machinery.PathFinder.find_spec(PACKAGE)
        if found is None or not found.submodule_search_locations:
            pytest.skip("pytorch-pretrained-biggan is not installed; `make test` installs it")
        shell = ModuleType(PACKAGE)
        shell.__path__ = list(found.submodule_search_locations)
        downloads = ModuleType(f"{PACKAGE}.file_utils")
        downloads.__dict__["cached_path"] = None
        sys.modules |= {PACKAGE: shell, downloads.__name__: downloads}
    return importlib.import_module(f"{PACKAGE}.model"), importlib.import_module(f"{PACKAGE}.config")


def huggingface(mults: tuple[int, ...], attention: int, **changes: Any) -> tuple[Any, Any]:
    """Their network with random weights, averages and a trained-looking spectral norm."""
    model, config = published_package()
    layers = []
    for before, after in itertools.pairwise(mults):
        layers += [(False, before, before), (True, before, after)]
    values = {"z_dim": 8, "class_embed_dim": 8, "channel_width": 8, "num_classes": 5, "n_stats": 11}
    shape = config.BigGANConfig(
        output_dim=4 << (len(mults) - 1), layers=layers, attention_layer_position=attention,
        **{**values, **changes},
    )  # fmt: skip
    torch.manual_seed(0)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # it uses torch's older spectral norm
        theirs = model.BigGAN(shape)
    with torch.no_grad():
        for name, value in theirs.named_parameters():
            value.normal_(std=0.1 if name.endswith("bias") else 1.0)
            if name.endswith("gamma"):
                value.fill_(0.7)
        for name, value in theirs.named_buffers():
            if name.endswith("means"):
                value.normal_()
            if name.endswith("vars"):
                value.uniform_(0.5, 2)
        for _ in range(3):  # power iterations: u and v of weights that changed mean nothing
            theirs.train()(torch.randn(1, shape.z_dim), torch.eye(shape.num_classes)[:1], 1.0)
    return theirs.eval(), shape


def written(theirs: Any, shape: Any, folder: Path) -> Path:
    """The folder as the package publishes it."""
    folder.mkdir(parents=True, exist_ok=True)
    torch.save(theirs.state_dict(), folder / "pytorch_model.bin")
    (folder / "config.json").write_text(json.dumps(shape.to_dict()))
    return folder


@dataclass(frozen=True)
class Ajbrock:
    """A generator in the naming of BigGAN-PyTorch, and its plain forward from appendix B.

    Args:
        averages: What the norms' averages are called: by how they were gathered.
    """

    widths: tuple[int, ...] = (16, 8, 8)
    attention: int | None = 1
    num_classes: int = 5
    embed_dim: int = 6
    z_dim: int = 12
    hierarchical: bool = True
    deep: bool = False
    depth: int = 1
    averages: str = "stored_"
    normalised: bool = True

    @property
    def piece(self) -> int:
        """Length of a block's piece of z."""
        if self.deep:
            return self.z_dim
        return self.z_dim // (1 + (len(self.widths) - 1) * self.depth) * self.hierarchical

    def blocks(self) -> list[tuple[int, int, int, int, bool]]:
        """(stage, number in it, width before, width after, doubles) of each block."""
        return [
            (i, j, self.widths[i], self.widths[i + (j == self.depth - 1)], j == self.depth - 1)
            for i in range(len(self.widths) - 1)
            for j in range(self.depth)
        ]

    def weights(self) -> Weights:
        """Random tensors under the names of a G_ema.pth."""
        torch.manual_seed(3)
        found: Weights = {}

        def layer(name: str, *shape: int, bias: bool = True) -> None:
            found[f"{name}.weight"] = torch.randn(shape) * 0.3
            if bias:
                found[f"{name}.bias"] = torch.randn(shape[0]) * 0.1
            if self.normalised:
                found[f"{name}.u0"] = torch.randn(1, shape[0])
                found[f"{name}.sv0"] = torch.ones(1)

        def averages(name: str, width: int) -> None:
            found[f"{name}.{self.averages}mean"] = torch.randn(width) * 0.3
            found[f"{name}.{self.averages}var"] = torch.rand(width) + 0.5
            if self.averages.startswith("bn."):
                found[f"{name}.bn.accumulation_counter"] = torch.zeros(1)

        def norm(name: str, width: int) -> None:
            for leaf in ("gain", "bias"):
                if self.embed_dim:
                    layer(f"{name}.{leaf}", width, self.embed_dim + self.piece, bias=False)
                else:
                    found[f"{name}.{leaf}.weight"] = torch.randn(self.num_classes, width)
            averages(name, width)

        first = self.z_dim + self.embed_dim if self.deep else self.piece or self.z_dim
        layer("linear", self.widths[0] * 16, first)
        if self.embed_dim:
            found["shared.weight"] = torch.randn(self.num_classes, self.embed_dim)
        for i, j, before, after, _ in self.blocks():
            name, inside = f"blocks.{i}.{j}", before // 4
            middle = (inside, inside, 3)
            shapes = [(inside, before, 1), middle, middle, (after, inside, 1)]
            if not self.deep:
                shapes = [(after, before, 3), (after, after, 3)]
                layer(f"{name}.conv_sc", after, before, 1, 1)
            for k, (wide, seen, side) in enumerate(shapes, start=1):
                layer(f"{name}.conv{k}", wide, seen, side, side)
                norm(f"{name}.bn{k}", seen)
        if self.attention is not None:
            name, width = f"blocks.{self.attention}.{self.depth}", self.widths[self.attention + 1]
            few, half = width // 8, width // 2
            parts = {"theta": (few, width), "phi": (few, width), "g": (half, width)}
            for part, (wide, seen) in {**parts, "o": (width, half)}.items():
                layer(f"{name}.{part}", wide, seen, 1, 1, bias=False)
            found[f"{name}.gamma"] = torch.tensor(0.8)
        found["output_layer.0.gain"] = torch.rand(self.widths[-1]) + 0.5
        found["output_layer.0.bias"] = torch.randn(self.widths[-1]) * 0.1
        averages("output_layer.0", self.widths[-1])
        layer("output_layer.2", 3, self.widths[-1], 3, 3)
        return found

    def paint(self, w: Weights, z: Tensor, classes: Tensor) -> Tensor:
        """The generator, written plainly from appendix B."""

        def weight(name: str) -> Tensor:
            value, u = w[f"{name}.weight"], w.get(f"{name}.u0")
            if u is None:
                return value
            matrix = value.reshape(len(value), -1)
            v = u @ matrix
            v = v / v.norm()
            return value / (v @ matrix.T).norm()

        def conv(name: str, x: Tensor) -> Tensor:
            kernel = weight(name)
            return F.conv2d(x, kernel, w.get(f"{name}.bias"), padding=kernel.shape[-1] // 2)

        def unit(name: str, x: Tensor) -> Tensor:
            mean, var = w[f"{name}.{self.averages}mean"], w[f"{name}.{self.averages}var"]
            return (x - mean[:, None, None]) / (var[:, None, None] + 1e-5).sqrt()

        def norm(name: str, x: Tensor, y: Tensor) -> Tensor:
            gain, bias = weight(f"{name}.gain"), weight(f"{name}.bias")
            if self.embed_dim:
                gain, bias = gain.T, bias.T
            out = unit(name, x) * (1 + y @ gain)[..., None, None] + (y @ bias)[..., None, None]
            return out.clamp(min=0)

        def up(x: Tensor) -> Tensor:
            return x.repeat_interleave(2, 2).repeat_interleave(2, 3)

        def attend(name: str, x: Tensor) -> Tensor:
            b, c, h, side = x.shape
            query = conv(f"{name}.theta", x).flatten(2)
            key = F.max_pool2d(conv(f"{name}.phi", x), 2).flatten(2)
            value = F.max_pool2d(conv(f"{name}.g", x), 2).flatten(2)
            shares = torch.softmax(query.transpose(1, 2) @ key, -1)
            looked = (value @ shares.transpose(1, 2)).view(b, c // 2, h, side)
            return x + w[f"{name}.gamma"] * conv(f"{name}.o", looked)

        label = classes @ w["shared.weight"] if self.embed_dim else classes
        whole = torch.cat([label, z], 1)
        size = self.piece if self.hierarchical and not self.deep else self.z_dim
        first, *pieces = z.split(size, 1)
        x = (whole if self.deep else first) @ weight("linear").T + w["linear.bias"]
        x = x.view(len(z), self.widths[0], 4, 4)
        for number, (i, j, _before, after, doubles) in enumerate(self.blocks()):
            name = f"blocks.{i}.{j}"
            y = whole if self.deep else torch.cat([label, *pieces[number : number + 1]], 1)
            h = norm(f"{name}.bn1", x, y)
            if self.deep:
                h = norm(f"{name}.bn2", conv(f"{name}.conv1", h), y)
                h, x = (up(h), up(x)) if doubles else (h, x)
                h = norm(f"{name}.bn3", conv(f"{name}.conv2", h), y)
                h = norm(f"{name}.bn4", conv(f"{name}.conv3", h), y)
                x = conv(f"{name}.conv4", h) + x[:, :after]
            else:
                h = norm(f"{name}.bn2", conv(f"{name}.conv1", up(h)), y)
                x = conv(f"{name}.conv2", h) + conv(f"{name}.conv_sc", up(x))
            if doubles and i == self.attention:
                x = attend(f"blocks.{i}.{self.depth}", x)
        gain, bias = (w[f"output_layer.0.{leaf}"][:, None, None] for leaf in ("gain", "bias"))
        x = (unit("output_layer.0", x) * gain + bias).clamp(min=0)
        return torch.tanh(conv("output_layer.2", x))
