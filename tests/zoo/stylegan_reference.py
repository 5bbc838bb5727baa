"""StyleGAN2 written flat over tensors in NVIDIA's naming: a second opinion for the converter.

Written from the papers (Karras et al. 2019; 2020) and from what the published names and shapes say:
sample by sample, layer by layer, every filter as zeros between values and a plain sum over taps. It
shares no code with `phosphene.families.gan`. `published` writes the pickle as NVIDIA's classes do,
through stubs of their names.
"""

import math
import pickle
import sys
import types
from collections import OrderedDict
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

Weights = dict[str, Tensor]


@dataclass(frozen=True)
class Shape:
    """The arguments that a published generator is made with."""

    resolution: int = 16
    channels: int = 3
    z_dim: int = 10
    w_dim: int = 12
    c_dim: int = 0
    layers: int = 3
    base: int = 128
    most: int = 16
    architecture: str = "skip"
    clamp: float | None = None
    noise: bool = True
    beside: bool = False  # settings as in the stylegan3 repository
    changes: dict[str, Any] = field(default_factory=dict)

    def widths(self) -> dict[int, int]:
        count = int(math.log2(self.resolution)) - 1
        return {4 << i: min(self.base // (4 << i), self.most) for i in range(count)}

    def arguments(self) -> dict[str, Any]:
        synthesis = {
            "channel_base": self.base,
            "channel_max": self.most,
            "num_fp16_res": 4,
            "conv_clamp": self.clamp,
            "architecture": self.architecture,
            "use_noise": self.noise,
            **self.changes,
        }
        mapping = EasyDict(num_layers=self.layers)
        named = {
            "z_dim": self.z_dim,
            "c_dim": self.c_dim,
            "w_dim": self.w_dim,
            "img_resolution": self.resolution,
            "img_channels": self.channels,
            "mapping_kwargs": mapping,
        }
        return {**named, **synthesis} if self.beside else {**named, "synthesis_kwargs": synthesis}


class EasyDict(dict):
    """Pickles as `dnnlib.util.EasyDict`."""


class Published:
    """Pickles as an instance of one of NVIDIA's persistent classes."""

    def __init__(self, kind: str, **attributes: Any) -> None:
        self.kind = kind
        self.state: dict[str, Any] = {
            "training": False,
            "_parameters": OrderedDict(),
            "_buffers": OrderedDict(),
            "_non_persistent_buffers_set": set(),
            "_backward_hooks": OrderedDict(),
            "_modules": OrderedDict(),
            "_init_args": (),
            "_init_kwargs": {},
            **attributes,
        }

    def __reduce__(self) -> Any:
        source = "raise SystemExit('the source of a pickle was run')"
        meta = {
            "type": "class",
            "version": 6,
            "module_src": source,
            "class_name": self.kind,
            "state": self.state,
        }
        return (sys.modules["torch_utils.persistence"]._reconstruct_persistent_obj, (meta,))  # type: ignore[attr-defined]

    def put(self, kind: str, name: str, value: Tensor) -> None:
        made = nn.Parameter(value) if kind == "_parameters" else value
        self.state[kind][name] = made


@contextmanager
def nvidia_names() -> Iterator[None]:
    """Modules of the names that the pickle mentions, for as long as it is written."""

    def _reconstruct_persistent_obj(meta: Any) -> Any:
        raise AssertionError("a stub was called")

    stubs = {name: types.ModuleType(name) for name in ("torch_utils", "torch_utils.persistence")}
    stubs |= {name: types.ModuleType(name) for name in ("dnnlib", "dnnlib.util")}
    for function, module in (
        (_reconstruct_persistent_obj, "torch_utils.persistence"),
        (EasyDict, "dnnlib.util"),
    ):
        function.__module__ = module
        function.__qualname__ = function.__name__
        setattr(stubs[module], function.__name__, function)
    sys.modules.update(stubs)
    try:
        yield
    finally:
        for name in stubs:
            del sys.modules[name]
        EasyDict.__module__ = __name__


def drawn_weights(shape: Shape, seed: int = 0) -> Weights:
    """Random tensors of every name that a published generator has."""
    generator = torch.Generator().manual_seed(seed)
    weights: Weights = {}

    def draw(name: str, *size: int, scale: float = 1.0) -> None:
        weights[name] = torch.randn(size, generator=generator) * scale

    def dense(name: str, before: int, after: int, rate: float = 1.0) -> None:
        draw(f"{name}.weight", after, before, scale=1 / rate)
        draw(f"{name}.bias", after, scale=0.3 / rate)

    before = shape.z_dim + (shape.w_dim if shape.c_dim else 0)
    if shape.c_dim:
        dense("mapping.embed", shape.c_dim, shape.w_dim)
    for i in range(shape.layers):
        dense(f"mapping.fc{i}", before, shape.w_dim, 0.01)
        before = shape.w_dim
    draw("mapping.w_avg", shape.w_dim)
    widths, below = shape.widths(), 0
    for side, width in widths.items():
        block = f"synthesis.b{side}"
        if side == 4:
            draw(f"{block}.const", width, 4, 4)
        for name, entering in (("conv0", below), ("conv1", width)):
            if entering == 0:
                continue
            layer = f"{block}.{name}"
            dense(f"{layer}.affine", shape.w_dim, entering)
            draw(f"{layer}.weight", width, entering, 3, 3)
            draw(f"{layer}.bias", width)
            if shape.noise:
                draw(f"{layer}.noise_strength")
                draw(f"{layer}.noise_const", side, side)
        if shape.architecture == "skip" or side == shape.resolution:
            dense(f"{block}.torgb.affine", shape.w_dim, width)
            draw(f"{block}.torgb.weight", shape.channels, width, 1, 1)
            draw(f"{block}.torgb.bias", shape.channels)
        if shape.architecture == "resnet" and below:
            draw(f"{block}.skip.weight", width, below, 1, 1)
        below = width
    return weights


BUFFERS = ("noise_const", "w_avg", "resample_filter")
CLASSES = {
    "": "Generator",
    "mapping": "MappingNetwork",
    "synthesis": "SynthesisNetwork",
    "torgb": "ToRGBLayer",
    "skip": "Conv2dLayer",
}


def tree(shape: Shape, weights: Weights) -> Published:
    """The generator as an object, with the attributes that its layers keep."""
    root = Published("Generator", _init_kwargs=shape.arguments())
    taps = torch.tensor([1.0, 3.0, 3.0, 1.0])
    filters = torch.outer(taps, taps) / 64
    blocks = {f"synthesis.b{side}.resample_filter": filters for side in shape.widths()}
    for name, value in {**weights, **blocks}.items():
        at, path = root, name.split(".")
        for part in path[:-1]:
            inner = at.state["_modules"]
            if part not in inner:
                inner[part] = Published(**_described(part, path, shape))
            at = inner[part]
        at.put("_buffers" if path[-1] in BUFFERS else "_parameters", path[-1], value)
    return root


def _described(part: str, path: list[str], shape: Shape) -> dict[str, Any]:
    if part.startswith("b") and part[1:].isdigit():
        return {"kind": "SynthesisBlock", "architecture": shape.architecture}
    if part.startswith("fc"):
        return {"kind": "FullyConnectedLayer", "activation": "lrelu", "bias_gain": 0.01}
    if part in ("affine", "embed"):
        return {"kind": "FullyConnectedLayer", "activation": "linear", "bias_gain": 1}
    if part.startswith("conv"):
        layer = {"use_noise": shape.noise, "activation": "lrelu", "conv_clamp": shape.clamp}
        return {"kind": "SynthesisLayer", **layer}
    clamp = {"conv_clamp": shape.clamp} if part == "torgb" else {}
    return {"kind": CLASSES[part], **clamp}


def published(shape: Shape, weights: Weights, path: Path, protocol: int = 3) -> Path:
    """Write a snapshot as NVIDIA's training does."""
    other = Published("Discriminator", _init_kwargs={"img_resolution": shape.resolution})
    snapshot = {
        "training_set_kwargs": {"class_name": "training.dataset.ImageFolderDataset"},
        "G": tree(shape, {name: -value for name, value in weights.items()}),
        "D": other,
        "G_ema": tree(shape, weights),
        "augment_pipe": None,
    }
    with nvidia_names():
        path.write_bytes(pickle.dumps(snapshot, protocol))
    return path


# --- the network


def paint(shape: Shape, weights: Weights, z: Tensor, classes: Tensor | None = None) -> Tensor:
    """z to pictures with the constant noise, one sample after the other."""
    made = []
    for i, row in enumerate(z):
        w = style(shape, weights, row, None if classes is None else classes[i])
        made.append(picture(shape, weights, w))
    return torch.stack(made)


def style(shape: Shape, weights: Weights, z: Tensor, classes: Tensor | None) -> Tensor:
    x = z / torch.sqrt((z**2).mean() + 1e-8)
    if classes is not None:
        y = dense(weights, "mapping.embed", classes)
        x = torch.cat([x, y / torch.sqrt((y**2).mean() + 1e-8)])
    for i in range(shape.layers):
        x = rectified(dense(weights, f"mapping.fc{i}", x, 0.01)) * math.sqrt(2)
    return x


def picture(shape: Shape, weights: Weights, w: Tensor) -> Tensor:
    x, image = weights["synthesis.b4.const"], None
    root = math.sqrt(0.5)
    for side in shape.widths():
        block = f"synthesis.b{side}"
        residual = shape.architecture == "resnet" and side > 4
        entering = x
        if side > 4:
            x = layer(shape, weights, f"{block}.conv0", x, w, up=True)
        x = layer(shape, weights, f"{block}.conv1", x, w, gain=root if residual else 1.0)
        if residual:
            kernel = weights[f"{block}.skip.weight"] / math.sqrt(entering.shape[0])
            x = x + correlate(filtered(entering, 2, (2, 1), 4.0), kernel) * root
        if image is not None:
            image = filtered(image, 2, (2, 1), 4.0)
        if f"{block}.torgb.weight" in weights:
            painted = to_rgb(shape, weights, f"{block}.torgb", x, w)
            image = painted if image is None else image + painted
    assert image is not None
    return image


def layer(
    shape: Shape, weights: Weights, name: str, x: Tensor, w: Tensor, *, up=False, gain=1.0
) -> Tensor:
    styles = dense(weights, f"{name}.affine", w)
    kernel = weights[f"{name}.weight"] * styles[None, :, None, None]
    kernel = torch.stack([k / torch.sqrt((k**2).sum() + 1e-8) for k in kernel])
    if up:  # beyond the border the filter still gives values, and the kernel reads them
        y = correlate(filtered(x, 2, (3, 2), 4.0), kernel.flip(2, 3))
    else:
        y = correlate(F.pad(x, (1, 1, 1, 1)), kernel)
    if shape.noise:
        y = y + weights[f"{name}.noise_const"] * weights[f"{name}.noise_strength"]
    y = rectified(y + weights[f"{name}.bias"][:, None, None]) * math.sqrt(2) * gain
    return y if shape.clamp is None else y.clamp(-shape.clamp * gain, shape.clamp * gain)


def to_rgb(shape: Shape, weights: Weights, name: str, x: Tensor, w: Tensor) -> Tensor:
    styles = dense(weights, f"{name}.affine", w) / math.sqrt(x.shape[0])
    y = correlate(x, weights[f"{name}.weight"] * styles[None, :, None, None])
    y = y + weights[f"{name}.bias"][:, None, None]
    return y if shape.clamp is None else y.clamp(-shape.clamp, shape.clamp)


def dense(weights: Weights, name: str, x: Tensor, rate: float = 1.0) -> Tensor:
    matrix = weights[f"{name}.weight"] * rate / math.sqrt(len(x))
    return (matrix * x).sum(1) + weights[f"{name}.bias"] * rate


def rectified(x: Tensor) -> Tensor:
    return torch.where(x > 0, x, 0.2 * x)


def correlate(x: Tensor, kernel: Tensor) -> Tensor:
    """What torch calls a convolution, without padding: c h w, o c k k -> o h' w'."""
    side = kernel.shape[2]
    columns = F.unfold(x[None], side)[0]
    return (kernel.flatten(1) @ columns).view(-1, x.shape[1] - side + 1, x.shape[2] - side + 1)


def filtered(x: Tensor, up: int, padding: tuple[int, int], gain: float) -> Tensor:
    """Zeros after each value, zeros around all, then the filter tap by tap."""
    c, h, w = x.shape
    sparse = torch.zeros(c, h * up, w * up, dtype=x.dtype)
    sparse[:, ::up, ::up] = x
    wide = F.pad(sparse, (*padding, *padding))
    taps = [1 / 8, 3 / 8, 3 / 8, 1 / 8]
    rows, columns = wide.shape[1] - 3, wide.shape[2] - 3
    total = torch.zeros(c, rows, columns, dtype=x.dtype)
    for i, a in enumerate(taps):
        for j, b in enumerate(taps):
            total += a * b * gain * wide[:, i : i + rows, j : j + columns]
    return total
