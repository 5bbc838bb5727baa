"""LoRA: changes to a model's weights in a small file, added to the weights when it is loaded.

W' = W + s (alpha / r) B A      with A: r x in, B: out x r, s the strength that the user names

Hu et al. 2021, "LoRA: Low-Rank Adaptation of Large Language Models". Files of diffusers (old and
new names) and of kohya-ss are read. A strength of 0 leaves every weight as it is, bit for bit.
"""

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import torch
from jaxtyping import Float
from safetensors import safe_open
from torch import Tensor, nn

from phosphene.core.errors import CheckpointError, Unsupported
from phosphene.core.weights import read_weights

# Endings of names: of A, of B, and of what goes with them.
DOWN = re.compile(r"[._]lora(?:_linear_layer)?[._](?:A|down)(?:\.default)?\.weight$")
UP = re.compile(r"[._]lora(?:_linear_layer)?[._](?:B|up)(?:\.default)?\.weight$")
ALPHA = re.compile(r"(?:[._]lora(?:_linear_layer)?(?:[._](?:A|down)\.weight)?)?\.alpha$")
SETTINGS_KEY = "lora_adapter_metadata"
ODD_SETTINGS = (".use_dora", ".use_rslora", ".alpha_pattern", ".lora_bias")
DORA = ("dora_scale", "lora_magnitude_vector")
# By what files of kohya-ss begin with: the part that is meant.
KOHYA = {
    "lora_unet_": "unet_",
    "lora_transformer_": "transformer_",
    "lora_te_": "text_encoder_",
    "lora_te1_": "text_encoder_",
    "lora_te2_": "text_encoder_2_",
}
FOREIGN_BLOCKS = ("lora_unet_input_blocks_", "lora_unet_output_blocks_", "lora_unet_middle_block_")


class LoRA(NamedTuple):
    """A file, and how strongly it is to act; 1 is as it was trained."""

    path: Path
    strength: float = 1.0


class _Change(NamedTuple):
    down: Tensor
    up: Tensor
    alpha: float | None


def apply_lora(parts: Mapping[str, Any], lora: LoRA) -> int:
    """Add a LoRA to the weights of a pipeline's networks; returns how many it changes.

    Args:
        parts: Networks by the name that diffusers gives them.
    Raises:
        WeightsError: no such file, or damaged.
        CheckpointError: made for another model.
        Unsupported: another kind of change than LoRA.
    """
    tensors, _ = read_weights(lora.path)
    name = str(lora.path)
    changes = _changes(_diffusers_names(tensors, parts), _stated_alphas(lora.path, name), name)
    places = _places(parts)
    planned = [(_place(key, places, name), change) for key, change in changes.items()]
    for layer, change in planned:  # nothing is changed if something does not fit
        _check_shape(layer, change, name)
    if lora.strength:
        for layer, change in planned:
            _add(layer, change, lora.strength)
    return len(planned)


@torch.no_grad()
def _add(layer: nn.Module, change: _Change, strength: float) -> None:
    weight: Tensor = layer.weight  # type: ignore[assignment]
    rank = change.down.shape[0]
    scale = strength * (1.0 if change.alpha is None else change.alpha / rank)
    product = change.up.float().flatten(1) @ change.down.float().flatten(1)
    weight.copy_(weight.float() + scale * product.reshape(weight.shape).to(weight.device))


def _check_shape(layer: nn.Module, change: _Change, name: str) -> None:
    weight: Tensor = layer.weight  # type: ignore[assignment]
    down, up = change.down, change.up
    fits = (
        down.ndim >= 2
        and up.ndim >= 2
        and up.flatten(1).shape[1] == down.shape[0]
        and up.shape[0] == weight.shape[0]
        and down[0].numel() == weight[0].numel()
    )
    if not fits:
        raise CheckpointError(
            f"{name!r} does not fit: it changes a weight of {list(weight.shape)} by "
            f"{list(up.shape)} times {list(down.shape)}; it was made for another model"
        )


def _changes(
    tensors: Mapping[str, Float[Tensor, "..."]], stated: Mapping[str, float], name: str
) -> dict[str, _Change]:
    """Pairs of A and B by the layer's name, with its dots as underscores.

    Args:
        stated: Alphas by what names begin with, for layers without one of their own.
    """
    if any(mark in key for key in tensors for mark in DORA):
        raise Unsupported(f"{name!r} is a DoRA; phosphene knows plain LoRAs")
    downs: dict[str, Tensor] = {}
    ups: dict[str, Tensor] = {}
    alphas: dict[str, float] = {}
    for key, tensor in tensors.items():
        for pattern, found in ((DOWN, downs), (UP, ups)):
            if pattern.search(key):
                found[_flat(pattern.sub("", key))] = tensor
                break
        else:
            if not ALPHA.search(key) or tensor.numel() != 1:
                raise Unsupported(
                    f"{name!r} holds {key[:100]!r}, which is no part of a LoRA; "
                    "phosphene knows plain LoRAs"
                )
            alphas[_flat(ALPHA.sub("", key))] = float(tensor)
    if not downs or downs.keys() != ups.keys():
        raise CheckpointError(f"{name!r} holds no LoRA: its pairs of matrices are incomplete")
    for key in downs.keys() - alphas.keys():
        for start, alpha in stated.items():
            if key.startswith(f"{start}_"):
                alphas[key] = alpha
    return {key: _Change(downs[key], ups[key], alphas.get(key)) for key in downs}


def _stated_alphas(path: Path, name: str) -> dict[str, float]:
    """What diffusers writes of a LoRA's settings into the file's metadata: alphas by part."""
    with safe_open(path, "pt") as file:
        text = (file.metadata() or {}).get(SETTINGS_KEY, "{}")
    try:
        settings = json.loads(text)
        odd = [key for key, value in settings.items() if value and key.endswith(ODD_SETTINGS)]
        alphas = {
            key.removesuffix(".lora_alpha"): float(value)
            for key, value in settings.items()
            if key.endswith(".lora_alpha")
        }
    except (ValueError, TypeError, AttributeError, RecursionError):
        raise CheckpointError(f"{name!r} is damaged: its settings cannot be read") from None
    if odd:
        raise Unsupported(f"{name!r} uses {odd[0][:60]!r}; phosphene knows plain LoRAs")
    return alphas


def _diffusers_names(tensors: dict[str, Tensor], parts: Mapping[str, Any]) -> dict[str, Tensor]:
    """Names of blocks as diffusers counts them, where a file counts as the XL paper's code does."""
    if not any(key.startswith(FOREIGN_BLOCKS) for key in tensors) or "unet" not in parts:
        return tensors
    from diffusers import StableDiffusionXLPipeline

    named, alphas = StableDiffusionXLPipeline.lora_state_dict(
        dict(tensors), unet_config=parts["unet"].config
    )
    return {**named, **{key: torch.tensor(value) for key, value in (alphas or {}).items()}}


def _places(parts: Mapping[str, Any]) -> dict[str, nn.Module]:
    """Layers with a matrix, by their flat names."""
    found: dict[str, nn.Module] = {}
    for part, network in parts.items():
        for path, module in network.named_modules():
            if isinstance(module, nn.Linear | nn.Conv2d):
                flat = _flat(f"{part}.{path}")
                # older transformers had a level more; files name it still
                found[flat.replace("_text_model_", "_", 1)] = module
    return found


def _place(key: str, places: Mapping[str, nn.Module], name: str) -> nn.Module:
    found = places.get(key.replace("_text_model_", "_", 1))
    if found is None:
        raise CheckpointError(
            f"{name!r} changes {key[:100]!r}, which this model does not have; "
            "it was made for another model"
        )
    return found


def _flat(key: str) -> str:
    """One spelling for a layer's name in all kinds of files."""
    key = key.replace(".processor.", ".").replace(".base_layer", "")
    key = re.sub(r"attn([12])\.to_out$", r"attn\1.to_out.0", key)
    for start, meant in KOHYA.items():
        if key.startswith(start):
            return meant + key.removeprefix(start).replace(".", "_")
    return key.replace(".", "_")
