"""A zoo of tiny models, in the real formats and through the real loader.

`tiny-vqgan` paints 16 px pictures of 4x4 codes; `tiny-judge` is a perceptor of one random matrix.
A picture takes milliseconds.
"""

import hashlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from phosphene.core.images import resize
from phosphene.core.rng import Rng
from phosphene.core.weights import load_into, save_weights
from phosphene.families.tokens.vqgan import VQGAN, VQGANConfig
from phosphene.studio.recipe import Imagine
from phosphene.zoo import Zoo
from phosphene.zoo.builders import BUILDERS
from phosphene.zoo.card import Card
from phosphene.zoo.registry import model_folder, register

SIZE = 16
TINY = VQGANConfig(
    resolution=SIZE,
    channels=8,
    channel_mults=(1, 1, 2),
    num_res_blocks=1,
    attention_resolutions=(),
    z_channels=8,
    embed_dim=4,
    codebook_size=32,
    codebook="cosine",
)


class Judge(nn.Module):
    """A `Perceptor` that sees 8 px and knows any text as a random direction."""

    input_size = 8

    def __init__(self) -> None:
        super().__init__()
        self.matrix = nn.Parameter(torch.zeros(3 * 8 * 8, 6))

    def encode_image(self, images: Tensor) -> Tensor:
        return F.normalize(resize(images, 8, 8).flatten(1) @ self.matrix, dim=1)

    def encode_text(self, texts: Sequence[str]) -> Tensor:
        seeds = [int(hashlib.sha256(text.encode()).hexdigest()[:8], 16) for text in texts]
        return F.normalize(Rng(tuple(seeds)).normal(6), dim=1)


def build_judge(tensors: dict[str, Tensor], config: Mapping[str, Any], shelf: Any) -> Judge:
    judge = Judge()
    load_into(judge, tensors, "judge")
    return judge


def register_judge() -> None:
    """Teach the zoo the fake kind of perceptor."""
    BUILDERS.setdefault(("perceptor", "judge"), f"{__name__}:build_judge")  # type: ignore[attr-defined]


def tiny_model(seed: int = 0) -> VQGAN:
    """A VQGAN with random weights."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return VQGAN(TINY)


def make_zoo(home: Path, seed: int = 0) -> Zoo:
    """Write the tiny models into a home and open it."""
    register_judge()
    add(home, "tiny-vqgan", "tokens", "vqgan", tiny_model(seed), TINY.to_dict())
    judge = Judge()
    judge.matrix.data = Rng((seed,)).fork("judge").normal(3 * 8 * 8, 6)[0]
    add(home, "tiny-judge", "perceptor", "judge", judge, {})
    return Zoo(home)


def add(
    home: Path,
    name: str,
    family: str,
    arch: str,
    model: nn.Module,
    config: dict[str, Any],
    *,
    needs: tuple[str, ...] = (),
) -> None:
    """Put a model into a home."""
    path = model_folder(name, home) / "model.safetensors"
    save_weights(path, model.state_dict(), {"family": family, "arch": arch, **config})
    card = Card(
        name=name,
        family=family,
        arch=arch,
        summary="made for a test",
        size=SIZE,
        parameters=1,
        licence="none",
        source="a test",
        trained_on="nothing",
        sha256=hashlib.sha256(path.read_bytes()).hexdigest(),
        bytes=path.stat().st_size,
        file=path.name,
        needs=needs,
    )
    register(card, home)


def tiny(prompt: str = "green heart | flat", **fields: Any) -> Imagine:
    """A recipe that the tiny models carry out in milliseconds."""
    defaults: dict[str, Any] = {
        "model": "tiny-vqgan",
        "perceptors": ("tiny-judge",),
        "iterations": 6,
        "width": SIZE,
        "height": SIZE,
        "seed": 7,
        "num_cutouts": 2,
    }
    return Imagine(prompt=prompt, **{**defaults, **fields})
