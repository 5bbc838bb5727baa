"""Tiny text-to-image models in a zoo, in the real format and through the real loader."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from torch import Tensor, nn

from phosphene.studio.recipe import Imagine
from phosphene.zoo.builders import BUILDERS
from tests.families.diffusion.toys import TINY, flow
from tests.families.tokens.toys import TINY_TOKENS, transformer
from tests.reader import Reader
from tests.studio.fakes import add


def build_reader(tensors: dict[str, Tensor], config: Mapping[str, Any], shelf: Any) -> Reader:
    return Reader()


def add_illustrators(home: Path) -> None:
    """Put `tiny-text`, `tiny-diffusion` and `tiny-tokens` into a home that has `tiny-vqgan`."""
    BUILDERS.setdefault(("text", "tiny"), f"{__name__}:build_reader")  # type: ignore[attr-defined]
    add(home, "tiny-text", "text", "tiny", nn.Linear(1, 1), {})
    needs = ("tiny-vqgan", "tiny-text")
    add(home, "tiny-diffusion", "diffusion", "latent", flow(), TINY.to_dict(), needs=needs)
    add(
        home,
        "tiny-tokens",
        "tokens",
        "transformer",
        transformer(),
        TINY_TOKENS.to_dict(),
        needs=needs,
    )


def wish(prompt: str = "green heart | flat", **fields: Any) -> Imagine:
    """A recipe that it carries out in milliseconds."""
    own: dict[str, Any] = {"method": "diffusion", "model": "tiny-diffusion", "iterations": 4}
    return Imagine(prompt=prompt, **{**own, "seed": 7, **fields})


def token_wish(prompt: str = "green heart | flat", **fields: Any) -> Imagine:
    """The same, by tokens; one candidate, so that nobody needs to judge."""
    own: dict[str, Any] = {"method": "tokens", "model": "tiny-tokens", "num_candidates": 1}
    return Imagine(prompt=prompt, **{**own, "seed": 7, **fields})
