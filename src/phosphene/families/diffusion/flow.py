"""The network of latent diffusion: where an autoencoder's noised codes should move, as words say.

The network is that of Stable Diffusion 3 (Esser et al. 2024, "Scaling Rectified Flow Transformers
for High-Resolution Image Synthesis"), from diffusers: patches of codes and words' states attend to
one another, and the sentence's place among pictures joins the time. It predicts the velocity of a
straight path between a picture's codes and noise (rectified flow, Liu et al. 2022):

    x = (1 - sigma) x0 + sigma e,   v = e - x0,   so x0 = x - sigma v

Knows no steps: `sampling` walks the path, `training` teaches it.
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, NamedTuple, Protocol, runtime_checkable

import torch
import torch.nn.functional as F
from diffusers import SD3Transformer2DModel
from jaxtyping import Bool, Float
from torch import Tensor, nn

from phosphene.core.errors import CheckpointError, RecipeError
from phosphene.core.latent import Latent, Space
from phosphene.families.diffusion.packed import PackedTransformer, pack

MOST = 8192  # of any size in a config
TIMES = 1000  # what the network calls sigma = 1


@runtime_checkable
class Reader(Protocol):
    """A frozen text network with a space of whole sentences, best one that pictures share."""

    def tokens(
        self, texts: Sequence[str]
    ) -> tuple[Float[Tensor, "b n d"], Bool[Tensor, "b n"]]: ...

    def read(
        self, states: Float[Tensor, "b n d"], mask: Bool[Tensor, "b n"]
    ) -> Float[Tensor, "b e"]:
        """Unit vectors of sentences from their words' states."""
        ...


class Words(NamedTuple):
    """What a network is told: each word's state, the sentence's, and what it is shown with them.

    Args:
        sketch: Normalised codes of a plain drawing of it; None, or zeros, shows none.
    """

    states: Float[Tensor, "b n d"]
    sentence: Float[Tensor, "b e"]
    sketch: Float[Tensor, "b d h w"] | None = None


def stacked(words: Sequence[Words]) -> Words:
    """All of them, one below the other; shorter ones padded with zeros.

    Either all come with a sketch, or none.
    """
    longest = max(each.states.shape[1] for each in words)
    states = [F.pad(each.states, (0, 0, 0, longest - each.states.shape[1])) for each in words]
    shown = [each.sketch for each in words if each.sketch is not None]
    sentences = torch.cat([each.sentence for each in words])
    return Words(torch.cat(states), sentences, torch.cat(shown) if shown else None)


def parted(words: Words, rows: Sequence[int]) -> list[Words]:
    """Split what `stacked` put together into parts of so many rows."""
    parts = [torch.split(each, list(rows)) for each in words if each is not None]
    return [Words(*part) for part in zip(*parts, strict=True)]


@dataclass(frozen=True, slots=True, kw_only=True)
class LatentDiffusionConfig:
    """Shape of the network.

    Args:
        resolution: Side in px of the pictures.
        latent_channels: Of a code.
        latent_size: Codes along a side.
        patch_size: Codes along a side of what the transformer takes as one.
        width: Of the transformer; `heads` divide it.
        text_dim: Of a word's state.
        sentence_dim: Of a sentence's vector.
        text_length: Words that every sentence is padded to; longer ones keep their length.
        autoencoder: Name of the model whose codes these are.
        text: Name of the text network: a perceptor, whose sentences lie where pictures do.
        sketches: Name of the sketchbook whose drawings it paints after; empty for none.
    """

    resolution: int = 128
    latent_channels: int = 8
    latent_size: int = 16
    patch_size: int = 2
    width: int = 288
    heads: int = 6
    layers: int = 6
    text_dim: int = 384
    sentence_dim: int = 256
    text_length: int = 16
    autoencoder: str = "emoji-vqgan"
    text: str = "emoji-clip"
    sketches: str = ""

    def __post_init__(self) -> None:
        """Check the ranges, since configs come from files.

        Raises:
            RecipeError: names the field, its value and the range.
        """
        for name, value in asdict(self).items():
            if name in ("autoencoder", "text"):
                if not isinstance(value, str) or not value:
                    raise RecipeError(f"latent diffusion {name} should be the name of a model")
            elif name == "sketches":
                if not isinstance(value, str):
                    raise RecipeError("latent diffusion sketches should be a sketchbook's name")
            elif type(value) is not int or not 1 <= value <= MOST:
                raise RecipeError(
                    f"latent diffusion {name} is {str(value)[:40]}; "
                    f"it must be a whole number from 1 to {MOST:,}"
                )
        if self.width % self.heads:
            raise RecipeError(f"latent diffusion width {self.width} is no multiple of {self.heads}")
        if self.latent_size % self.patch_size:
            raise RecipeError(
                f"latent diffusion latent_size {self.latent_size} is no multiple of the patch size "
                f"{self.patch_size}"
            )

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> "LatentDiffusionConfig":
        """Rebuild from JSON.

        Raises:
            CheckpointError: an unknown field, or a value out of range.
        """
        try:
            return cls(**values)
        except (TypeError, RecipeError) as error:
            raise CheckpointError(f"not a latent diffusion config: {error}") from None

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)


def transformer_of(config: LatentDiffusionConfig) -> SD3Transformer2DModel:
    """The network of a config, freshly initialised."""
    return SD3Transformer2DModel(
        sample_size=config.latent_size,
        patch_size=config.patch_size,
        in_channels=config.latent_channels * (2 if config.sketches else 1),
        out_channels=config.latent_channels,
        num_layers=config.layers,
        attention_head_dim=config.width // config.heads,
        num_attention_heads=config.heads,
        joint_attention_dim=config.text_dim,
        caption_projection_dim=config.width,
        pooled_projection_dim=config.sentence_dim,
        pos_embed_max_size=config.latent_size // config.patch_size,
        qk_norm="rms_norm",
    )


class Flow(nn.Module):
    """The network with the scale of its codes: codes in, velocity out.

    Args:
        mean, std: Buffers, of each channel of the autoencoder's codes; filled by training.
    """

    mean: Float[Tensor, " d"]
    std: Float[Tensor, " d"]

    def __init__(self, config: LatentDiffusionConfig) -> None:
        super().__init__()
        self.config = config
        self.transformer = transformer_of(config)
        self.packed: PackedTransformer | None = None
        # its joined weights are copies, which other weights would leave behind
        self.register_load_state_dict_post_hook(_unpack)  # type: ignore[no-untyped-call]
        self.register_buffer("mean", torch.zeros(config.latent_channels))
        self.register_buffer("std", torch.ones(config.latent_channels))

    def forward(
        self, x: Float[Tensor, "b d h w"], sigma: Float[Tensor, " b"], words: Words
    ) -> Float[Tensor, "b d h w"]:
        """Velocity at noised, normalised codes, in float32."""
        if self.config.sketches:
            sketch = torch.zeros_like(x) if words.sketch is None else words.sketch.to(x)
            x = torch.cat([x, sketch], dim=1)
        x, states, sentence = (v.to(self.dtype) for v in (x, words.states, words.sentence))
        if self.packed is not None and not torch.is_grad_enabled():
            velocity: Tensor = self.packed(x, states, sentence, sigma * TIMES)
            return velocity.float()
        velocity = self.transformer(
            x,
            encoder_hidden_states=states,
            pooled_projections=sentence,
            timestep=sigma * TIMES,
            return_dict=False,
        )[0]
        return velocity.float()

    def pack(self) -> "Flow":
        """Be quicker without gradients, where the network is frozen; see `packed`."""
        self.packed = pack(self.transformer)
        return self

    @property
    def dtype(self) -> torch.dtype:
        """Of the network's weights."""
        dtype: torch.dtype = self.transformer.proj_out.weight.dtype
        return dtype

    def normalised(self, codes: Float[Tensor, "b d h w"]) -> Float[Tensor, "b d h w"]:
        """Codes with a mean of 0 and a deviation of 1 in each channel."""
        return (codes.float() - self.mean.view(1, -1, 1, 1)) / self.std.view(1, -1, 1, 1)

    def codes(self, x: Float[Tensor, "b d h w"]) -> Latent:
        """The autoencoder's codes of normalised ones."""
        return Latent(
            Space.CODES, x.float() * self.std.view(1, -1, 1, 1) + self.mean.view(1, -1, 1, 1)
        )


def _unpack(flow: Flow, _keys: Any) -> None:
    flow.packed = None


@torch.no_grad()
def read(text: Reader, prompts: Sequence[str], length: int) -> Words:
    """What a frozen text network makes of prompts: states padded with zeros, and sentences.

    A prompt's words do not depend on its neighbours, as long as none is longer than `length`.
    """
    states, mask = text.tokens(prompts)
    sentence = text.read(states, mask).float()
    short = max(0, length - states.shape[1])
    # of about the size that the network's other inputs have
    return Words(F.pad(states.float(), (0, 0, 0, short)), sentence * sentence.shape[1] ** 0.5)
