"""A tiny text-to-image model in a zoo, in the real format and through the real loader."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from torch import Tensor, nn

from phosphene.studio.recipe import Imagine
from phosphene.zoo.builders import BUILDERS
from tests.families.diffusion.toys import TINY, Reader, flow
from tests.studio.fakes import add


def build_reader(tensors: dict[str, Tensor], config: Mapping[str, Any], shelf: Any) -> Reader:
    return Reader()


def add_illustrator(home: Path) -> str:
    """Put `tiny-text` and `tiny-diffusion` into a home that has `tiny-vqgan`; returns its name."""
    BUILDERS.setdefault(("text", "tiny"), f"{__name__}:build_reader")  # type: ignore[attr-defined]
    add(home, "tiny-text", "text", "tiny", nn.Linear(1, 1), {})
    needs = ("tiny-vqgan", "tiny-text")
    add(home, "tiny-diffusion", "diffusion", "latent", flow(), TINY.to_dict(), needs=needs)
    return "tiny-diffusion"


def wish(prompt: str = "green heart | flat", **fields: Any) -> Imagine:
    """A recipe that it carries out in milliseconds."""
    own: dict[str, Any] = {"method": "diffusion", "model": "tiny-diffusion", "iterations": 4}
    return Imagine(prompt=prompt, **{**own, "seed": 7, **fields})
