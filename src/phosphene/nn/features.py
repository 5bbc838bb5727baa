"""A frozen image network whose inner activations say what a picture looks like.

EfficientNet-Lite0 (Tan & Le, arXiv:1905.11946; the Lite variant of the TensorFlow TPU repository:
no squeeze-and-excitation, ReLU6 for swish, stem and head not scaled), trained on ImageNet. Used for
perceptual distances, FID-like scores, projected discriminators and as a sanity classifier.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from phosphene.core.images import Images
from phosphene.core.weights import Shelf, load_into
from phosphene.nn.depthwise import DepthwiseConv2d
from phosphene.nn.frozen_conv import Pads, frozen_conv, is_frozen

Maps = list[Float[Tensor, "_ _ _ _"]]  # each of its own shape; a single target broadcasts

# One row a stage: repeats, kernel, stride, expansion, channels (table 1 of the paper).
STAGES = (
    (1, 3, 1, 1, 16),
    (2, 3, 2, 6, 24),
    (2, 5, 2, 6, 40),
    (3, 3, 2, 6, 80),
    (3, 5, 1, 6, 112),
    (4, 5, 2, 6, 192),
    (1, 3, 1, 6, 320),
)
STEM_CHANNELS = 32
HEAD_CHANNELS = 1280
NUM_CLASSES = 1000
NORM_EPS = 1e-3
# The last block at each resolution, where the feature maps are taken: strides 2, 4, 8, 16, 32.
TAPS = (0, 2, 4, 10, 15)
TAP_CHANNELS = (16, 24, 40, 112, 320)
TAP_STRIDES = (2, 4, 8, 16, 32)
# The network was trained on (p - 127) / 128 with p in 0..255, and p = 127.5 (x + 1) for our x.
INPUT_SCALE = 1 - 2**-8
INPUT_SHIFT = 2**-8
UNIT_EPS = 1e-8


class ConvNorm(nn.Module):
    """Convolution padded as TensorFlow does ("same"), batch norm, and ReLU6 where `active`."""

    def __init__(
        self,
        inputs: int,
        outputs: int,
        kernel: int = 1,
        stride: int = 1,
        *,
        groups: int = 1,
        active: bool = True,
    ) -> None:
        super().__init__()
        self.kernel, self.stride, self.active = kernel, stride, active
        # With stride 1 "same" is symmetric; with stride 2 it depends on the input's size.
        padding = kernel // 2 if stride == 1 else 0
        convolution = DepthwiseConv2d if groups > 1 else nn.Conv2d
        self.conv = convolution(
            inputs, outputs, kernel, stride, padding=padding, groups=groups, bias=False
        )
        self.norm: nn.Module = nn.BatchNorm2d(outputs, eps=NORM_EPS)

    def forward(self, x: Tensor) -> Tensor:
        pads = self._pads(x) if self.stride > 1 else (0, 0, 0, 0)
        if isinstance(self.norm, nn.Identity) and is_frozen(x, self.conv):
            return frozen_conv(x, self.conv, pads, self.active)
        x = self.norm(self.conv(F.pad(x, pads) if any(pads) else x))
        return F.relu6(x, inplace=True) if self.active else x

    def _pads(self, x: Tensor) -> Pads:
        """So that the output is ceil(size / stride); the odd pixel goes right and below."""
        pads: list[int] = []
        for size in (x.shape[-1], x.shape[-2]):
            covered = (-(-size // self.stride) - 1) * self.stride + self.kernel
            total = max(0, covered - size)
            pads += [total // 2, total - total // 2]
        left, right, top, bottom = pads
        return left, right, top, bottom

    def fold(self) -> None:
        """Merge the batch norm, which is affine in eval mode, into the convolution."""
        if not isinstance(self.norm, nn.BatchNorm2d):
            return
        norm, conv = self.norm, self.conv
        mean, var = norm.running_mean, norm.running_var
        assert mean is not None
        assert var is not None
        with torch.no_grad():
            scale = norm.weight / torch.sqrt(var + norm.eps)
            conv.weight.mul_(scale[:, None, None, None])
            conv.bias = nn.Parameter(norm.bias - mean * scale, requires_grad=False)
        self.norm = nn.Identity()


class InvertedBottleneck(nn.Module):
    """Expand, filter each channel on its own, project; with a skip where shapes agree (MBConv)."""

    def __init__(self, inputs: int, outputs: int, kernel: int, stride: int, expansion: int) -> None:
        super().__init__()
        inner = inputs * expansion
        self.expand = ConvNorm(inputs, inner) if expansion > 1 else None
        self.depthwise = ConvNorm(inner, inner, kernel, stride, groups=inner)
        self.project = ConvNorm(inner, outputs, active=False)
        self.skip = stride == 1 and inputs == outputs

    def forward(self, x: Tensor) -> Tensor:
        inner = x if self.expand is None else self.expand(x)
        out: Tensor = self.project(self.depthwise(inner))
        return x + out if self.skip else out


class FeatureNet(nn.Module):
    """EfficientNet-Lite0, frozen: feature maps, pooled features, logits, perceptual distance.

    Takes images in [-1, 1] of any size from 32 pixels up (trained at 224; sizes divisible by 32
    give the reference's padding). Gradients flow to the images, never to the parameters, and the
    module always stays in eval mode.
    """

    def __init__(self) -> None:
        super().__init__()
        self.stem = ConvNorm(3, STEM_CHANNELS, kernel=3, stride=2)
        self.blocks = nn.ModuleList()
        width = STEM_CHANNELS
        for repeats, kernel, stride, expansion, outputs in STAGES:
            for i in range(repeats):
                step = stride if i == 0 else 1
                self.blocks.append(InvertedBottleneck(width, outputs, kernel, step, expansion))
                width = outputs
        self.head = ConvNorm(width, HEAD_CHANNELS)
        self.classifier = nn.Linear(HEAD_CHANNELS, NUM_CLASSES)
        self.requires_grad_(False)
        self.train(False)

    @classmethod
    def from_state(
        cls, tensors: Mapping[str, Tensor], fold: bool = True, source_name: str = "feature weights"
    ) -> "FeatureNet":
        """Build from a state dict in our naming or in that of `efficientnet-lite-pytorch`.

        Args:
            fold: Merge the batch norms into the convolutions (same values up to rounding, faster).
        Raises:
            CheckpointError: the tensors are not those of this network.
        """
        network = cls()
        load_into(network, translated(tensors), source_name)
        if fold:
            network.fold_batch_norm()
        return network

    def train(self, mode: bool = True) -> "FeatureNet":
        """Stay in eval mode: a trainer that calls `.train()` on its parts must not unfreeze us."""
        return super().train(False)

    def fold_batch_norm(self) -> None:
        """Merge all batch norms into their convolutions, for speed."""
        for module in list(self.modules()):
            if isinstance(module, ConvNorm):
                module.fold()

    def forward(self, images: Images, num_maps: int = len(TAPS)) -> Maps:
        """Return the first `num_maps` feature maps, at strides 2, 4, 8, 16, 32.

        Their channels are 16, 24, 40, 112, 320 (`TAP_CHANNELS`); blocks beyond the last map asked
        for are not computed.
        """
        pixels = images.to(self.stem.conv.weight.dtype)
        x = self.stem(pixels * INPUT_SCALE + INPUT_SHIFT)
        maps: Maps = []
        for i, block in enumerate(self.blocks):
            if len(maps) == num_maps:
                break
            x = block(x)
            if i == TAPS[len(maps)]:
                maps.append(x)
        return maps

    def pooled(self, images: Images) -> Float[Tensor, "b 1280"]:
        """Return the head's features averaged over positions: the extractor for FID and KID."""
        out: Tensor = self.head(self(images)[-1]).mean(dim=(2, 3))
        return out

    def logits(self, images: Images) -> Float[Tensor, "b 1000"]:
        """Return ImageNet class scores, in the usual order of the 1000 classes."""
        out: Tensor = self.classifier(self.pooled(images))
        return out

    def signature(self, images: Images, stages: Sequence[int] = (0, 1, 2, 3)) -> Maps:
        """Return the maps of `stages`, channels at unit length: what `distance` compares.

        Compute it once for a fixed target and hand it to `distance` in place of the images.
        """
        maps = self(images, num_maps=max(stages) + 1)
        return [_unit(maps[stage]) for stage in stages]

    def distance(
        self, images: Images | Maps, target: Images | Maps, stages: Sequence[int] = (0, 1, 2, 3)
    ) -> Float[Tensor, " b"]:
        """Return how differently two batches look, one number a sample, in [0, 4]; 0 is equal.

        d = mean over stages and positions of |f/|f| - g/|g||^2, as LPIPS without its learned
        weights (Zhang et al., arXiv:1801.03924, eq. 1).

        Args:
            images: Images, or their `signature` for the same `stages`.
            target: The same; one sample broadcasts.
            stages: Which maps to compare: 0..4 for strides 2..32.
        """
        ours, theirs = (
            self.signature(given, stages) if isinstance(given, Tensor) else given
            for given in (images, target)
        )
        pairs = zip(ours, theirs, strict=True)
        parts = [(f - g).square().sum(dim=1).mean(dim=(1, 2)) for f, g in pairs]
        return torch.stack(parts).mean(dim=0)


def build(tensors: Mapping[str, Tensor], _config: Mapping[str, Any], _shelf: Shelf) -> FeatureNet:
    """Build the network for the zoo; see `FeatureNet.from_state` for the errors."""
    return FeatureNet.from_state(tensors)


def translated(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Rename a state dict of `efficientnet-lite-pytorch` to our names; ours passes unchanged.

    There, a block without expansion still numbers its norms 1 and 2, so norm i always follows
    convolution i of (expand, depthwise, project).
    """
    if "_conv_stem.weight" not in tensors:
        return dict(tensors)
    top = {
        "_conv_stem": "stem.conv",
        "_bn0": "stem.norm",
        "_conv_head": "head.conv",
        "_bn1": "head.norm",
        "_fc": "classifier",
    }
    inner = {
        "_expand_conv": "expand.conv",
        "_bn0": "expand.norm",
        "_depthwise_conv": "depthwise.conv",
        "_bn1": "depthwise.norm",
        "_project_conv": "project.conv",
        "_bn2": "project.norm",
    }
    renamed: dict[str, Tensor] = {}
    for name, tensor in tensors.items():
        match name.split("."):
            case ["_blocks", index, part, leaf] if part in inner:
                renamed[f"blocks.{index}.{inner[part]}.{leaf}"] = tensor
            case [part, leaf] if part in top:
                renamed[f"{top[part]}.{leaf}"] = tensor
            case _:
                renamed[name] = tensor
    return renamed


def _unit(x: Tensor) -> Tensor:
    """Scale each position's channel vector to length 1, in float32 and safe at zero."""
    x = x.float()
    return x * torch.rsqrt(x.square().sum(dim=1, keepdim=True) + UNIT_EPS)
