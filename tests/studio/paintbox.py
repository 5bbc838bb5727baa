"""A zoo in which words are colours: `box` paints patches, `colourist` knows five colours.

`box` is an autoencoder of 4x4 patches, each a colour; `colourist` sees the mean colour of a picture
and reads colours out of a text, all other words are one grey to it; `blind` reads nothing, all
texts are the same to it; `eye` are features that are the picture's own colours.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from phosphene.core.latent import Condition, Latent, LatentSpec, Space
from phosphene.core.weights import save_weights
from phosphene.nn.features import FeatureNet
from phosphene.studio.recipe import Imagine
from phosphene.zoo.builders import BUILDERS

PATCH = 4  # px
COLOURS = {
    "red": (1.0, 0.1, 0.1),
    "green": (0.1, 1.0, 0.1),
    "blue": (0.1, 0.1, 1.0),
    "yellow": (1.0, 1.0, 0.1),
    "pink": (1.0, 0.4, 0.7),
}


class Box(nn.Module):
    """Codes are colours."""

    factor = PATCH

    def __init__(self) -> None:
        super().__init__()
        self.palette = nn.Parameter(torch.tensor(list(COLOURS.values())) - 0.5)
        self.spec = LatentSpec(Space.CODES, (3, None, None), len(COLOURS))

    def grid_of(self, height: int, width: int) -> tuple[int, int]:
        return -(-height // PATCH), -(-width // PATCH)

    def lookup(self, tokens: Latent) -> Latent:
        return Latent(Space.CODES, self.palette[tokens.data].permute(0, 3, 1, 2).contiguous())

    def decode(self, latent: Latent, condition: Condition | None = None) -> Tensor:
        return F.interpolate(latent.data, scale_factor=float(PATCH))

    def encode(self, images: Tensor) -> Latent:
        return Latent(Space.CODES, F.avg_pool2d(images, PATCH))

    def snap(self, codes: Latent) -> Latent:
        return codes

    def confine(self, codes: Latent) -> Latent:
        return codes.with_data(codes.data.clamp(-1, 1))

    def tokens(self, codes: Latent) -> Latent:
        raise NotImplementedError


class Colourist(nn.Module):
    """A `Perceptor` of mean colours."""

    input_size = 8

    def __init__(self, blind: bool) -> None:
        super().__init__()
        self.blind = blind

    def encode_image(self, images: Tensor) -> Tensor:
        return F.normalize(images.mean(dim=(2, 3)) + 1.001, dim=1)

    def encode_text(self, texts: Sequence[str]) -> Tensor:
        return F.normalize(torch.stack([self._colour(text) for text in texts]), dim=1)

    def _colour(self, text: str) -> Tensor:
        known = [] if self.blind else [COLOURS[w] for w in text.split() if w in COLOURS]
        return torch.tensor(known or [(0.5, 0.5, 0.5)]).mean(dim=0)


class Eye(FeatureNet):
    """Features that are the colours of a small picture."""

    def __init__(self) -> None:
        nn.Module.__init__(self)

    def train(self, mode: bool = True) -> "Eye":
        return self

    def signature(self, images: Any, stages: Sequence[int] = (0, 1, 2, 3)) -> Any:
        return [F.adaptive_avg_pool2d(images, 4)]

    def distance(self, images: Any, target: Any, stages: Sequence[int] = (0, 1, 2, 3)) -> Any:
        return (images[0] - target[0]).square().mean(dim=(1, 2, 3))


def build_box(tensors: Mapping[str, Tensor], config: Mapping[str, Any], shelf: Any) -> Box:
    return Box()


def build_judge(tensors: Mapping[str, Tensor], config: Mapping[str, Any], shelf: Any) -> Colourist:
    return Colourist(bool(config["blind"]))


def build_eye(tensors: Mapping[str, Tensor], config: Mapping[str, Any], shelf: Any) -> Eye:
    return Eye()


def paintbox(home: Path) -> dict[str, str]:
    """Write the models into a folder; returns their paths by name."""
    for family, arch, build in (
        ("tokens", "box", "build_box"),
        ("perceptor", "colourist", "build_judge"),
        ("features", "colours", "build_eye"),
    ):
        BUILDERS.setdefault((family, arch), f"{__name__}:{build}")  # type: ignore[attr-defined]
    kinds = {
        "box": {"family": "tokens", "arch": "box"},
        "colourist": {"family": "perceptor", "arch": "colourist", "blind": False},
        "blind": {"family": "perceptor", "arch": "colourist", "blind": True},
        "eye": {"family": "features", "arch": "colours"},
    }
    paths = {}
    for name, kind in kinds.items():
        path = home / f"{name}.safetensors"
        save_weights(path, {"none": torch.zeros(1)}, kind)
        paths[name] = str(path)
    return paths


def box_recipe(models: Mapping[str, str], judge: str = "colourist", **fields: Any) -> Imagine:
    """A recipe that the paint box carries out at once."""
    given = {"prompt": "...", "iterations": 4, "width": 16, "height": 16, "num_cutouts": 1}
    settings = {"learning_rate": 0.3, "cut_policy": "whole", "start": "codebook"}
    own = {"model": models["box"], "perceptors": (models[judge],)}
    return Imagine(**{**given, **settings, **own, **fields})
