"""Published StyleGAN2s: NVIDIA's network pickles become phosphene weights.

Opens what stylegan2-ada-pytorch writes and publishes (network-snapshot-*.pkl, ffhq.pkl and so on),
and StyleGAN2 networks of the stylegan3 repository. The pickle holds G, D and G_ema as objects that
ask for their own source text to be run; nothing is: names, numbers and tensors are taken, and what
they describe must be a network that ours computes exactly.

Source: github.com/NVlabs/stylegan2-ada-pytorch, docs and configurations (facts, no code).
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

import torch
from pydantic import BaseModel, ConfigDict, Field, ValidationError
from torch import Tensor

from phosphene.core.errors import CheckpointError, RecipeError
from phosphene.core.module_pickle import parts, read_objects, tensors_of
from phosphene.core.weights import check_fit
from phosphene.families.gan.stylegan2 import Generator
from phosphene.families.gan.stylegan2_config import Architecture, StyleGAN2Config
from phosphene.nn.resample import TAPS

NETWORK = "G_ema"
ARCHITECTURES: Mapping[str, Architecture] = {
    "skip": "skip",
    "resnet": "residual",
    "orig": "plain",
}
PARAMETERS = ("z_dim", "c_dim", "w_dim", "img_resolution", "img_channels")
FILTER_NAME, AVERAGE_NAME = "resample_filter", "mapping.w_avg"
# Settings of speed alone: they change no picture beyond rounding.
SPEED = ("num_fp16_res", "fp16_channels_last", "fused_modconv_default", "use_fp16")

Count = Annotated[int, Field(strict=True, ge=0, le=2**24)]
Number = Annotated[float, Field(strict=True, allow_inf_nan=False)]


class _Mapping(BaseModel):
    """The field `mapping_kwargs`; where a field can take one value, the rest is not ours."""

    model_config = ConfigDict(extra="forbid")

    num_layers: Count = 8
    embed_features: Count | None = None
    layer_features: Count | None = None
    activation: Literal["lrelu"] = "lrelu"
    lr_multiplier: Number = 0.01
    w_avg_beta: Number = 0.995


class _Synthesis(BaseModel):
    """The field `synthesis_kwargs`."""

    model_config = ConfigDict(extra="forbid")

    channel_base: Count = 32768
    channel_max: Count = 512
    conv_clamp: Number | None = None
    architecture: Literal["skip", "resnet", "orig"] = "skip"
    resample_filter: list[Number] = Field(default_factory=lambda: list(TAPS))
    use_noise: bool = True
    activation: Literal["lrelu"] = "lrelu"


class _Network(BaseModel):
    """The arguments a published Generator was made with."""

    model_config = ConfigDict(extra="forbid")

    z_dim: Count
    c_dim: Count
    w_dim: Count
    img_resolution: Count
    img_channels: Count
    mapping_kwargs: _Mapping = Field(default_factory=_Mapping)
    synthesis_kwargs: _Synthesis = Field(default_factory=_Synthesis)


def read_stylegan2(checkpoint: Path) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """Read a published StyleGAN2 as tensors under our names and the config that builds it.

    Args:
        checkpoint: The .pkl file.
    Raises:
        UnsafeModel: it asks for anything but the published classes and tensors.
        CheckpointError: damaged, not a StyleGAN2, or one that ours cannot compute exactly.
        WeightsError: missing or unreadable.
    """
    source = str(checkpoint)
    found = read_objects(checkpoint, (NETWORK,)).get(NETWORK)
    if not isinstance(found, dict):
        raise CheckpointError(f"{source!r} holds no {NETWORK}; give a StyleGAN2 network pickle")
    modules = parts(found, source)
    config = _config(modules, source)
    tensors = {}
    for name, value in tensors_of(modules, source).items():
        if not value.is_floating_point():
            raise CheckpointError(f"{source!r}: {name[:80]!r} is not a tensor of real numbers")
        if name.endswith(f".{FILTER_NAME}"):
            _demand_filter(value, source)
        else:
            tensors["w_avg" if name == AVERAGE_NAME else name] = value
    with torch.device("meta"):
        network = Generator(config)
    check_fit(network, tensors, source)
    side = max(config.sides)
    return tensors, {"family": "gan", "arch": "stylegan2", "size": side, **config.to_dict()}


Modules = Mapping[str, tuple[str, Mapping[str, Any]]]


def _config(modules: Modules, source: str) -> StyleGAN2Config:
    kind, state = modules[""]
    inner = modules.get("synthesis", ("nothing", {}))[0]
    if kind != "Generator" or inner != "SynthesisNetwork" or "synthesis.b4" not in modules:
        other = "StyleGAN3" if "synthesis.input" in modules else f"{kind[:40]!r} of {inner[:40]!r}"
        raise CheckpointError(f"{source!r} holds a {other} network, not a StyleGAN2 generator")
    network = _arguments(state, source)
    mapping, synthesis = network.mapping_kwargs, network.synthesis_kwargs
    if synthesis.resample_filter != list(TAPS):
        raise _other(source, f"resample_filter {synthesis.resample_filter}"[:80])
    for features in (mapping.embed_features, mapping.layer_features):
        if features not in (None, network.w_dim):
            raise _other(source, f"mapping layers of {features} features, not w_dim")
    clamp = _demand_layers(modules, synthesis, mapping, source)
    try:
        return StyleGAN2Config(
            resolution=network.img_resolution,
            channels=network.img_channels,
            z_dim=network.z_dim,
            w_dim=network.w_dim,
            num_classes=network.c_dim,
            mapping_layers=mapping.num_layers,
            mapping_lr=mapping.lr_multiplier,
            w_avg_beta=mapping.w_avg_beta,
            channel_base=synthesis.channel_base,
            channel_max=synthesis.channel_max,
            architecture=ARCHITECTURES[synthesis.architecture],
            layer_noise=synthesis.use_noise,
            conv_clamp=clamp,
        )
    except RecipeError as error:
        raise CheckpointError(f"{source!r}: {error}") from None


def _arguments(state: Mapping[str, Any], source: str) -> _Network:
    """The arguments the network was made with, checked."""
    positional, named = state.get("_init_args", ()), state.get("_init_kwargs")
    plain = isinstance(positional, tuple | list) and isinstance(named, dict)
    if not plain or len(positional) > len(PARAMETERS):
        raise CheckpointError(f"{source!r} does not say how its network was made (_init_kwargs)")
    values = dict(zip(PARAMETERS, positional, strict=False)) | dict(named or {})
    inner = values.get("synthesis_kwargs", {})
    if isinstance(inner, dict):
        # the stylegan3 repository has the synthesis network's settings beside the others
        outer = {
            key: values.pop(key) for key in (*_Synthesis.model_fields, *SPEED) if key in values
        }
        values["synthesis_kwargs"] = {k: v for k, v in (inner | outer).items() if k not in SPEED}
    try:
        return _Network.model_validate(values)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        field = ".".join(str(part)[:40] for part in first["loc"])
        raise CheckpointError(
            f"{source!r}: {field}: {first['msg']}; phosphene's StyleGAN2 cannot be built so"
        ) from None


def _demand_layers(
    modules: Modules, synthesis: _Synthesis, mapping: _Mapping, source: str
) -> float | None:
    """Check that the layers are as the arguments say, and return their clamp.

    The two repositories differ in defaults, so what a layer itself remembers counts for more.
    """
    clamps: set[Any] = set()
    for name, (kind, state) in modules.items():
        if kind in ("SynthesisLayer", "ToRGBLayer"):
            clamps.add(_plain(state.get("conv_clamp", synthesis.conv_clamp)))
        remembered: dict[str, dict[str, Any]] = {
            "SynthesisLayer": {"activation": "lrelu", "use_noise": synthesis.use_noise},
            "SynthesisBlock": {"architecture": synthesis.architecture},
            "FullyConnectedLayer": (
                {"activation": "lrelu", "bias_gain": mapping.lr_multiplier}
                if name.startswith("mapping.fc")
                else {"activation": "linear", "bias_gain": 1}
            ),
        }
        for key, value in remembered.get(kind, {}).items():
            if _plain(state.get(key, value)) != value:
                raise _other(source, f"{name[:60]}.{key} of {str(state[key])[:40]}")
    if len(clamps) != 1:
        raise _other(source, f"layers of several clamps {str(sorted(map(str, clamps)))[:60]}")
    clamp = clamps.pop()
    if clamp is not None and not isinstance(clamp, int | float):
        raise _other(source, f"a clamp of {str(clamp)[:40]}")
    return None if clamp is None else float(clamp)


def _plain(value: Any) -> Any:
    """A value that can be compared; anything but a number, text or None becomes its text."""
    return value if value is None or isinstance(value, int | float | str) else str(value)


def _demand_filter(value: Tensor, source: str) -> None:
    taps = torch.tensor(TAPS) / sum(TAPS)
    wanted = torch.outer(taps, taps)
    if value.shape != wanted.shape or not torch.allclose(value.float(), wanted, atol=1e-6):
        raise _other(source, "another resampling filter than [1, 3, 3, 1]")


def _other(source: str, what: str) -> CheckpointError:
    return CheckpointError(f"{source!r} has {what}; phosphene's StyleGAN2 cannot compute that")
