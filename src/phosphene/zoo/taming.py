"""Published VQGANs: CompVis checkpoints (.ckpt) with their YAML become phosphene weights.

Opens what taming-transformers trained (f16 with 1,024 and 16,384 codes, f8, Gumbel f8 with 8,192
codes), the first stages of latent-diffusion (f8 with 256 and 16,384 codes, f4, f16), and the VQGAN
inside a taming transformer or a latent diffusion checkpoint. The YAML names classes to import;
none is: a closed table says what each name means, and unknown ones are refused.

Source: github.com/CompVis/taming-transformers and github.com/CompVis/latent-diffusion, configs.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

import torch
import yaml  # type: ignore[import-untyped]
from pydantic import BaseModel, ConfigDict, Field, ValidationError
from torch import Tensor

from phosphene.core.errors import CheckpointError, RecipeError, did_you_mean
from phosphene.core.unpickle import STATE, read_foreign
from phosphene.core.weights import check_fit
from phosphene.families.tokens.vqgan import VQGAN, CodebookKind, VQGANConfig

CODEBOOKS: Mapping[str, CodebookKind] = {
    "taming.models.vqgan.VQModel": "euclidean",
    "taming.models.vqgan.VQNoDiscModel": "euclidean",
    "taming.models.vqgan.GumbelVQ": "gumbel",
    "ldm.models.autoencoder.VQModel": "euclidean",
    "ldm.models.autoencoder.VQModelInterface": "euclidean",
}
# Models that hold a VQGAN: its config is their `first_stage_config`, its tensors have a prefix.
HOLDERS = frozenset(
    {
        "taming.models.cond_transformer.Net2NetTransformer",
        "ldm.models.diffusion.ddpm.LatentDiffusion",
    }
)
HOLDER_PREFIX = "first_stage_model."
# What training leaves in the state dict and painting does not need: discriminator and LPIPS,
# averages, a projection for viewing segmentations, a table of the codes a transformer used.
LEFT_OUT = ("loss.", "model_ema.", "colorize", "quantize.used")
LEFT_OUT_KEYS = frozenset({"optimizer_states", "lr_schedulers", "callbacks", "loops"})
MAX_YAML_BYTES = 2**16

Count = Annotated[int, Field(strict=True, gt=0, le=2**20)]
Counts = Annotated[tuple[Count, ...], Field(max_length=10)]


class _Layers(BaseModel):
    """The field `ddconfig`: how encoder and decoder are built.

    Where a field can take one value, the other ones make networks that differ from ours.
    """

    model_config = ConfigDict(extra="forbid")

    double_z: Literal[False]
    z_channels: Count
    resolution: Count
    in_channels: Literal[3]
    out_ch: Literal[3]
    ch: Count
    ch_mult: Counts
    num_res_blocks: Count
    attn_resolutions: Counts
    dropout: float = 0.0
    resamp_with_conv: Literal[True] = True
    give_pre_end: Literal[False] = False
    tanh_out: Literal[False] = False
    use_linear_attn: Literal[False] = False
    attn_type: Literal["vanilla"] = "vanilla"


class _Params(BaseModel):
    """The field `params` of a VQGAN; losses, schedules and paths in it are not looked at."""

    model_config = ConfigDict(extra="ignore")

    embed_dim: Count
    n_embed: Count
    ddconfig: _Layers
    remap: Any = None


def read_taming(checkpoint: Path, config: Path) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """Read a published VQGAN as tensors under our names and the config that builds it.

    Args:
        checkpoint: The .ckpt file.
        config: The .yaml file published with it.
    Raises:
        RecipeError: a config that is not of a VQGAN we know.
        UnsafeModel: a checkpoint that asks for code to be run.
        WeightsError: a checkpoint that is missing, damaged, or does not fit the config.
    """
    shape, prefix = read_config(config)
    source = str(checkpoint)
    found = read_foreign(checkpoint, skip=LEFT_OUT_KEYS)
    state = found.get(STATE, found)
    if not isinstance(state, dict):
        raise CheckpointError(f"{source!r} has a state_dict that is not a table")
    tensors: dict[str, Tensor] = {}
    for key, value in state.items():
        if not isinstance(key, str) or not key.startswith(prefix):
            continue
        name = key.removeprefix(prefix)
        if name.startswith(LEFT_OUT):
            continue
        if not isinstance(value, Tensor) or not value.is_floating_point():
            raise CheckpointError(f"{source!r}: {key[:80]!r} is not a tensor of real numbers")
        tensors[name.replace("quantize.embed.", "quantize.embedding.")] = value
    with torch.device("meta"):
        network = VQGAN(shape)
    check_fit(network, tensors, source)
    size = shape.resolution
    return tensors, {"family": "tokens", "arch": "vqgan", "size": size, **shape.to_dict()}


def read_config(path: Path) -> tuple[VQGANConfig, str]:
    """Read a CompVis YAML as our config, and the prefix of the VQGAN's tensors.

    Raises:
        RecipeError: unreadable, of another model, or of a VQGAN that ours cannot be.
    """
    model = _section(_load(path), "model", path)
    target, prefix = _target(model, path), ""
    if target in HOLDERS:
        inner = _section(model, "params", path)
        model, prefix = _section(inner, "first_stage_config", path), HOLDER_PREFIX
        target = _target(model, path)
    if target not in CODEBOOKS:
        hint = did_you_mean(target[:80], [*CODEBOOKS, *HOLDERS])
        raise RecipeError(
            f"{str(path)!r} describes a {target[:80]!r}, not a VQGAN that phosphene knows{hint}"
        )
    try:
        params = _Params.model_validate(_section(model, "params", path))
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        field = ".".join(str(part)[:40] for part in first["loc"])
        raise RecipeError(
            f"{str(path)!r}: {field}: {first['msg']}; phosphene's VQGAN cannot be built so"
        ) from None
    layers, codebook = params.ddconfig, CODEBOOKS[target]
    if codebook == "gumbel" and (params.embed_dim != layers.z_channels or params.remap):
        raise RecipeError(
            f"{str(path)!r}: a Gumbel VQGAN needs embed_dim equal to z_channels, and no remap"
        )
    return _shape(params, codebook, path), prefix


def _shape(params: _Params, codebook: CodebookKind, path: Path) -> VQGANConfig:
    layers = params.ddconfig
    try:
        return VQGANConfig(
            resolution=layers.resolution,
            channels=layers.ch,
            channel_mults=layers.ch_mult,
            num_res_blocks=layers.num_res_blocks,
            attention_resolutions=layers.attn_resolutions,
            z_channels=layers.z_channels,
            embed_dim=params.embed_dim,
            codebook_size=params.n_embed,
            codebook=codebook,
            norm_groups=32,
        )
    except RecipeError as error:
        raise RecipeError(f"{str(path)!r}: {error}") from None


def _load(path: Path) -> Any:
    try:
        with path.open("rb") as file:
            text = file.read(MAX_YAML_BYTES + 1)
    except OSError as error:
        reason = "no such file" if isinstance(error, FileNotFoundError) else error.strerror
        raise RecipeError(f"cannot read the config {str(path)!r}: {reason}") from None
    if len(text) > MAX_YAML_BYTES:
        raise RecipeError(f"{str(path)!r} is beyond 64 kB; a VQGAN's config has a page")
    try:
        return yaml.safe_load(text)
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        reason = " ".join(str(error).split())[:160]
        raise RecipeError(f"{str(path)!r} is not a plain YAML file: {reason}") from None


def _section(table: Any, name: str, path: Path) -> Mapping[str, Any]:
    found = table.get(name) if isinstance(table, dict) else None
    if not isinstance(found, dict):
        raise RecipeError(
            f"{str(path)!r} has no section {name!r}; give the .yaml published with the checkpoint"
        )
    return found


def _target(model: Mapping[str, Any], path: Path) -> str:
    target = model.get("target")
    if not isinstance(target, str):
        raise RecipeError(f"{str(path)!r} does not say what model it is (no model.target)")
    return target
