"""LoRAs by name: `model+lora.safetensors:0.8` is a pipeline with a change laid over its weights.

Several may follow one another; without a number the strength is 1. A LoRA is a file on this
computer. Imports no torch.
"""

import math
import os
import re
from pathlib import Path

from phosphene.core.errors import RecipeError, UnknownModel, Unsupported
from phosphene.zoo.card import Card
from phosphene.zoo.pipelines import ARCH, FAMILY

LORAS_KEY = "loras"  # of a card's config, for the builder: pairs of a path and a strength
MOST = 10.0  # size of a strength
_NAMED = re.compile(r"(.+?)((?:\+[^+\0]+?\.safetensors(?::[^:+/\\]*)?)+)")
_ONE = re.compile(r"\+([^+\0]+?\.safetensors)(?::([^:+/\\]*))?(?=\+|$)")

Adapter = tuple[str, float]


def split(name: str) -> tuple[str, tuple[Adapter, ...]]:
    """Part a model's name from the LoRAs that follow it: paths and strengths.

    A path that exists is a path, whatever it is called.

    Raises:
        RecipeError: a strength that is no number, or too large.
    """
    found = _NAMED.fullmatch(name)
    if found is None or os.path.exists(name):
        return name, ()
    return found[1], tuple((path, _strength(text)) for path, text in _ONE.findall(found[2]))


def with_loras(card: Card, loras: tuple[Adapter, ...]) -> Card:
    """The card of a pipeline with LoRAs.

    Raises:
        Unsupported: the model is no pipeline.
        UnknownModel: no such file.
    """
    if (card.family, card.arch) != (FAMILY, ARCH):
        raise Unsupported(
            f"{card.name!r} takes no LoRA: it is of family {card.family!r}; LoRAs are for "
            "published diffusion pipelines"
        )
    paths = [(Path(path).expanduser().absolute(), strength) for path, strength in loras]
    for path, _ in paths:
        if not os.path.isfile(path):
            raise UnknownModel(f"no LoRA {str(path)!r}; name a .safetensors file")
    listed = [[str(path), strength] for path, strength in paths]
    return card.model_copy(update={"config": {**card.config, LORAS_KEY: listed}})


def files(card: Card) -> list[Path]:
    """The files of a card's LoRAs."""
    listed = card.config.get(LORAS_KEY)
    if (card.family, card.arch) != (FAMILY, ARCH) or not isinstance(listed, list):
        return []
    return [Path(str(entry[0])) for entry in listed if isinstance(entry, list) and entry]


def _strength(text: str) -> float:
    if not text:
        return 1.0
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not abs(value) <= MOST:
        raise RecipeError(f"a LoRA's strength is a number up to {MOST:g}, not {text[:40]!r}")
    return value
