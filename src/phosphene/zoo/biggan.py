"""Published BigGANs become phosphene weights: Hugging Face's and ajbrock's.

- pytorch-pretrained-BigGAN: DeepMind's BigGAN-deep for 128, 256 and 512 px, a folder with
  `pytorch_model.bin` and `config.json`.
- ajbrock/BigGAN-PyTorch: `G_ema.pth` or `G.pth`, a bare state dict. All but the eps of its norms
  can be read off the shapes; that is 1e-5, which all its training scripts use.

Spectral norm is divided out as either computes it in evaluation; what is left are plain weights.
"""

import itertools
import json
import math
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import torch
import torch.nn.functional as F
from pydantic import BaseModel, ConfigDict, Field, ValidationError
from torch import Tensor

from phosphene.core.errors import CheckpointError, RecipeError
from phosphene.core.unpickle import STATE, read_foreign
from phosphene.core.weights import check_fit
from phosphene.families.gan.biggan import BigGAN
from phosphene.families.gan.biggan_config import BigGANConfig
from phosphene.zoo.imagenet import imagenet_names

HF_WEIGHTS, HF_CONFIG = "pytorch_model.bin", "config.json"
HF_MARK, AJBROCK_MARK = "generator.gen_z.bias", "output_layer.0.gain"
AJBROCK_EPS = 1e-5
MAX_CONFIG_BYTES = 2**16

Tensors = dict[str, Tensor]
Count = Annotated[int, Field(strict=True, gt=0, le=2**16)]


class _HFConfig(BaseModel):
    """The config.json of pytorch-pretrained-BigGAN."""

    model_config = ConfigDict(extra="forbid")

    output_dim: Count
    z_dim: Count
    class_embed_dim: Count
    channel_width: Count
    num_classes: Count
    layers: Annotated[list[tuple[bool, Count, Count]], Field(min_length=2, max_length=40)]
    attention_layer_position: Annotated[int, Field(strict=True, ge=0, le=40)]
    eps: Annotated[float, Field(gt=0, le=1)]
    n_stats: Annotated[int, Field(strict=True, gt=1, le=1024)]


def biggan_file(path: Path) -> Path:
    """The weights of a checkpoint that is named by its file or by its folder."""
    return path / HF_WEIGHTS if path.is_dir() else path


def read_biggan(path: Path, config: Path | None = None) -> tuple[Tensors, dict[str, Any]]:
    """Read a published BigGAN as tensors under our names and the config that builds it.

    Args:
        path: A folder of pytorch-pretrained-BigGAN, or a checkpoint file of either kind.
        config: The config.json of the former; None looks beside the weights.
    Raises:
        RecipeError: a config that is not of a BigGAN we know, or one too many.
        UnsafeModel: a checkpoint that asks for code to be run.
        WeightsError: a checkpoint that is missing, damaged, or of another architecture.
    """
    file = biggan_file(path)
    source = str(file)
    state = _state(read_foreign(file), source)
    if HF_MARK in state:
        shape = huggingface_shape(config or file.with_name(HF_CONFIG))
        tensors = from_huggingface(state, shape, source)
    elif AJBROCK_MARK in state:
        if config is not None:
            raise RecipeError(f"{source!r} is ajbrock's: all is in its shapes, so give no config")
        shape = ajbrock_shape(state, source)
        tensors = _from_ajbrock(state, shape)
    else:
        raise CheckpointError(
            f"{source!r} is no generator of pytorch-pretrained-BigGAN or BigGAN-PyTorch (it has "
            f"neither {HF_MARK!r} nor {AJBROCK_MARK!r})"
        )
    with torch.device("meta"):
        network = BigGAN(shape)
    check_fit(network, tensors, source)
    values = {"family": "gan", "arch": "biggan", "size": max(shape.sides), **shape.to_dict()}
    names = imagenet_names()
    if shape.num_classes == len(names):
        values["class_names"] = list(names)
    return tensors, values


def _state(found: Mapping[Any, Any], source: str) -> Tensors:
    state = found.get(STATE, found)
    if not isinstance(state, Mapping):
        raise CheckpointError(f"{source!r} has a state_dict that is not a table")
    tensors = {}
    for key, value in state.items():
        if not isinstance(key, str) or not isinstance(value, Tensor):
            raise CheckpointError(f"{source!r}: {str(key)[:80]!r} is not a tensor by name")
        tensors[key.removeprefix("module.")] = value  # from a run on several devices
    return tensors


# --- Hugging Face


def huggingface_shape(path: Path) -> BigGANConfig:
    """Read config.json as ours.

    Raises:
        RecipeError: unreadable, or layers that do not come in (same, doubling) pairs.
    """
    try:
        with path.open("rb") as file:
            text = file.read(MAX_CONFIG_BYTES)
        found = _HFConfig.model_validate(json.loads(text))
    except OSError as error:
        reason = "no such file" if isinstance(error, FileNotFoundError) else error.strerror
        raise RecipeError(f"cannot read the config {str(path)!r}: {reason}") from None
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        field = ".".join(str(part)[:40] for part in first["loc"])
        raise RecipeError(f"{str(path)!r}: {field}: {first['msg']}; not a BigGAN-deep") from None
    except (ValueError, RecursionError) as error:
        reason = " ".join(str(error).split())[:100]
        raise RecipeError(f"{str(path)!r} is not JSON: {reason}") from None
    pairs = list(zip(found.layers[::2], found.layers[1::2], strict=False))
    mults = [found.layers[0][1], *(after for _, (_, _, after) in pairs)]
    wanted = [
        layer
        for before, after in itertools.pairwise(mults)
        for layer in ((False, before, before), (True, before, after))
    ]
    regular = (
        found.layers == wanted
        and found.class_embed_dim == found.z_dim
        and (mults[0], mults[-1]) == (16, 1)
    )
    # before which layer attention stands; from the number of layers on there is none
    stage, odd = divmod(found.attention_layer_position, 2)
    attends = found.attention_layer_position < len(found.layers)
    if not regular or (attends and (odd or stage == 0)):
        raise RecipeError(
            f"{str(path)!r} describes a BigGAN-deep that is not built in stages of two layers; "
            "not converted"
        )
    try:
        return BigGANConfig(
            resolution=found.output_dim,
            num_classes=found.num_classes,
            z_dim=found.z_dim,
            embed_dim=found.class_embed_dim,
            width=found.channel_width,
            channel_mults=tuple(mults),
            attention_resolutions=(4 << stage,) if attends else (),
            deep=True,
            depth=2,
            norm_rows=found.n_stats,
            norm_eps=found.eps,
        )
    except RecipeError as error:
        raise RecipeError(f"{str(path)!r}: {error}") from None


def from_huggingface(state: Tensors, shape: BigGANConfig, source: str) -> Tensors:
    heights = shape.attention_resolutions
    position = 2 * (shape.stage_heights.index(heights[0]) + 1) if heights else len(state)
    renamed: Tensors = {}
    for key, value in _divided_by_torch(state, source).items():
        name = key.removeprefix("generator.").replace("running_", "")
        layer = re.fullmatch(r"layers\.(\d+)\.(.+)", name)
        if layer:
            name = _hf_layer(int(layer[1]), layer[2], position)
        for theirs, ours in HF_NAMES.items():
            name = re.sub(theirs, ours, name)
        renamed[name] = value
    return _hf_order(renamed, shape)


HF_NAMES = {
    r"^embeddings\.": "shared.",
    r"^gen_z\.": "linear.",
    r"^bn\.weight$": "norm_out.gain",
    r"^bn\.": "norm_out.",
    r"^conv_to_rgb\.": "conv_out.",
    r"\.means$": ".mean",
    r"\.vars$": ".var",
}


def _hf_layer(index: int, rest: str, position: int) -> str:
    """Our name of a tensor in their flat list, where attention stands before layer `position`."""
    if index == position:
        return f"stages.{position // 2 - 1}.2.{_attention(rest)}"
    block = index - (index > position)
    part, _, leaf = rest.partition(".")
    part = re.sub(r"_(\d)$", lambda m: str(int(m[1]) + 1), part)  # bn_0 is our bn1
    leaf = leaf.replace("scale.", "gain.").replace("offset.", "bias.")
    return f"stages.{block // 2}.{block % 2}.{part}.{leaf}"


def _attention(rest: str) -> str:
    return rest.removeprefix("snconv1x1_").replace("o_conv.", "o.")


def _hf_order(tensors: Tensors, shape: BigGANConfig) -> Tensors:
    """Undo what TensorFlow's order of axes left in the shapes."""
    height, width = shape.bottom
    done = dict(tensors)
    try:
        done["shared.weight"] = tensors["shared.weight"].T
        for name in ("linear.weight", "linear.bias"):  # their first map is h w c
            value = tensors[name]
            apart = value.reshape(height, width, shape.widths[0], *value.shape[1:])
            done[name] = apart.movedim(2, 0).reshape(value.shape)
        for name in ("conv_out.weight", "conv_out.bias"):  # of as many channels three are looked at
            done[name] = tensors[name][: shape.channels]
    except (KeyError, RuntimeError):
        return done  # the check of all names and shapes says what is wrong
    for name, value in tensors.items():
        if name.endswith(".gamma"):
            done[name] = value.reshape(())
    return done


def _divided_by_torch(state: Tensors, source: str) -> Tensors:
    """Fold torch's spectral norm: weight_orig / (u^T W v), with u and v as they were stored."""
    folded: Tensors = {}
    for key, value in state.items():
        stem, _, leaf = key.rpartition(".")
        if leaf in ("weight_u", "weight_v") or (leaf == "weight" and f"{key}_orig" in state):
            continue
        if leaf != "weight_orig":
            folded[key] = value
            continue
        u, v = (state.get(f"{stem}.weight_{side}") for side in "uv")
        matrix = value.flatten(1) if value.ndim > 1 else value[None]
        if u is None or v is None or u.shape != matrix.shape[:1] or v.shape != matrix.shape[1:]:
            raise CheckpointError(
                f"{source!r} lacks {stem}.weight_u or .weight_v, or they do not fit its weight"
            )
        sigma = u.double() @ matrix.double() @ v.double()
        folded[f"{stem}.weight"] = (value.double() / sigma).float()
    return folded


# --- ajbrock


def ajbrock_shape(state: Tensors, source: str) -> BigGANConfig:
    """Read the config off the shapes.

    Raises:
        CheckpointError: tensors that no such network has.
    """
    try:
        return _read_off(state)
    except (KeyError, IndexError, ValueError, ZeroDivisionError) as error:
        reason = " ".join(str(error).split())[:160]
        raise CheckpointError(
            f"{source!r} does not have the shapes of a BigGAN-PyTorch generator ({reason})"
        ) from None


def _read_off(state: Tensors) -> BigGANConfig:
    stages = 1 + max(int(m[1]) for k in state if (m := re.match(r"blocks\.(\d{1,2})\.", k)))
    deep = "blocks.0.0.conv4.weight" in state
    last = "conv4" if deep else "conv2"
    depth = sum(f"blocks.0.{j}.{last}.weight" in state for j in range(16))
    first = state["blocks.0.0.conv1.weight"].shape[1]
    widths = [first]
    for i in range(stages):
        widths.append(state[f"blocks.{i}.{depth - 1}.{last}.weight"].shape[0])
    width = math.gcd(*widths)
    bottom = math.isqrt(state["linear.weight"].shape[0] // first)
    condition, shared = state["blocks.0.0.bn1.gain.weight"], state.get("shared.weight")
    first_dim = state["linear.weight"].shape[1]
    # without a shared embedding, gains are tables with a row for each class
    num_classes, embed_dim = (condition.shape[0], 0) if shared is None else shared.shape
    piece = condition.shape[1] - embed_dim if shared is not None else 0
    hierarchical = deep or piece > 0
    if deep:
        z_dim = first_dim - embed_dim
    else:
        z_dim = first_dim * (stages * depth + 1) if hierarchical else first_dim
    attention = [i for i in range(stages) if f"blocks.{i}.{depth}.theta.weight" in state]
    return BigGANConfig(
        resolution=bottom << stages,
        channels=state["output_layer.2.weight"].shape[0],
        num_classes=num_classes,
        z_dim=z_dim,
        embed_dim=embed_dim,
        width=width,
        channel_mults=tuple(w // width for w in widths),
        attention_resolutions=tuple(bottom << (i + 1) for i in attention),
        deep=deep,
        depth=depth,
        hierarchical=hierarchical,
        norm_eps=AJBROCK_EPS,
    )


AJBROCK_NAMES: Mapping[str, str] = {
    r"^blocks\.": "stages.",
    r"^output_layer\.0\.": "norm_out.",
    r"^output_layer\.2\.": "conv_out.",
    # the averages have three names, by how statistics were gathered across devices
    r"\.(?:bn\.)?(?:stored|running)_(mean|var)$": r".\1",
}
_LEFT_OUT = re.compile(r"(\.u\d+|\.sv\d+|\.accumulation_counter|\.num_batches_tracked)$")


def _from_ajbrock(state: Tensors, shape: BigGANConfig) -> Tensors:
    tensors: Tensors = {}
    for key, value in state.items():
        if _LEFT_OUT.search(key):
            continue
        name = key
        for theirs, ours in AJBROCK_NAMES.items():
            name = re.sub(theirs, ours, name)
        u = state.get(key.removesuffix("weight") + "u0") if key.endswith(".weight") else None
        tensors[name] = _ajbrock_value(name, _divided_by_ajbrock(value, u), shape)
    return tensors


def _ajbrock_value(name: str, value: Tensor, shape: BigGANConfig) -> Tensor:
    """A tensor as ours has it, once its spectral norm is folded."""
    if name.endswith((".mean", ".var")):
        return value[None]
    if name.endswith(".gamma"):
        return value.reshape(())
    if value.ndim != 2:
        return value
    if name.endswith((".gain.weight", ".bias.weight")):
        return _ajbrock_condition(value, shape)
    return _ajbrock_condition(value, shape) if shape.deep and name == "linear.weight" else value


def _ajbrock_condition(weight: Tensor, shape: BigGANConfig) -> Tensor:
    """A linear map's weight with the columns in our order."""
    if not shape.embed_dim:
        return weight.T  # a table of classes
    if shape.deep:  # theirs: embedding, z
        return torch.cat([weight[:, shape.embed_dim :], weight[:, : shape.embed_dim]], dim=1)
    return weight


def _divided_by_ajbrock(weight: Tensor, u: Tensor | None) -> Tensor:
    """Fold their spectral norm: in evaluation, too, they iterate once from the stored u0."""
    if u is None or weight.ndim < 2 or u.numel() != len(weight):
        return weight  # trained without, or an embedding
    matrix = weight.flatten(1).double()
    v = F.normalize(u.double().reshape(1, -1) @ matrix, dim=1)
    sigma = torch.linalg.vector_norm(v @ matrix.T)
    folded: Tensor = (weight.double() / sigma).float()
    return folded
