"""Which function builds which kind of model: a closed table, so that no file names code to run.

A builder is `build(tensors, config, shelf) -> model`. It lives with the network it builds and is
imported when first used; it knows nothing of cards. `tensors` is empty where the weights are not
one file (published pipelines): such a builder opens `shelf.folder()`.
"""

import importlib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from phosphene.core.errors import Unsupported, did_you_mean
from phosphene.zoo import pipelines, published

if TYPE_CHECKING:
    from torch import Tensor

    from phosphene.core.weights import Shelf

    Builder = Callable[[dict[str, Tensor], Mapping[str, Any], Shelf], Any]

BUILDERS: Mapping[tuple[str, str], str] = {
    ("features", "efficientnet-lite0"): "phosphene.nn.features:build",
    ("text", "minilm"): "phosphene.prompting.text:build",
    ("tokens", "vqgan"): "phosphene.families.tokens.vqgan:build",
    ("tokens", "transformer"): "phosphene.families.tokens.generator:build",
    ("gan", "dcgan"): "phosphene.families.gan.dcgan:build",
    ("gan", "progan"): "phosphene.families.gan.progan:build",
    ("gan", "fastgan"): "phosphene.families.gan.fastgan:build",
    ("gan", "stylegan2"): "phosphene.families.gan.stylegan2:build",
    ("gan", "biggan"): "phosphene.families.gan.biggan:build",
    ("diffusion", "pipeline"): "phosphene.families.diffusion.pipeline:build",
    ("perceptor", "emoji-clip"): "phosphene.prompting.perceptor:build",
    ("perceptor", "transformers"): "phosphene.prompting.hub_perceptor:build",
    ("diffusion", "latent"): "phosphene.families.diffusion.latent:build",
    ("sketches", "sketchbook"): "phosphene.prompting.sketches:build",
}

# Whose builders let a library open `shelf.folder()`: their weights are checked, not read. Which
# files of a folder those are.
OPENS_FOLDER: Mapping[tuple[str, str], Callable[[Path], list[Path]]] = {
    ("perceptor", "transformers"): published.weight_files,
    ("diffusion", "pipeline"): pipelines.weight_files,
}

# What builders read beside the weight file; it shapes the model as the weights do.
BESIDE: Mapping[tuple[str, str], tuple[str, ...]] = {
    ("text", "minilm"): ("config.json", "tokenizer.json"),
    ("perceptor", "transformers"): published.SETTINGS,
}


def builder(family: str, arch: str) -> "Builder":
    """Return the function that builds models of a kind.

    Raises:
        Unsupported: this phosphene knows no such kind.
    """
    found = BUILDERS.get((family, arch))
    if found is None:
        hint = did_you_mean(f"{family}/{arch}", ["/".join(kind) for kind in BUILDERS])
        raise Unsupported(
            f"this phosphene cannot build {arch!r} of family {family!r}{hint}; "
            "upgrade it, or correct the card"
        )
    module, function = found.split(":")
    build: Builder = getattr(importlib.import_module(module), function)
    return build
