"""The embedded perceptor: images and texts in one space, small enough for two cores.

A CLIP (Radford et al. 2021, "Learning Transferable Visual Models From Natural Language
Supervision") whose image tower is EfficientNet-Lite0 and whose text tower is a frozen MiniLM with
a small trained reader on top. Knows nothing of prompts' grammar, cutouts or optimisation.
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Protocol, runtime_checkable

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float
from torch import Tensor, nn

from phosphene.core.errors import CheckpointError
from phosphene.core.images import Images, resize
from phosphene.core.weights import Shelf, load_into
from phosphene.nn.features import TAP_CHANNELS, FeatureNet


@runtime_checkable
class TokenReader(Protocol):
    """A frozen text network."""

    def tokens(
        self, texts: Sequence[str]
    ) -> tuple[Float[Tensor, "b n 384"], Bool[Tensor, "b n"]]: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class PerceptorConfig:
    """Shape of the embedded perceptor.

    Args:
        input_size: Side in px of the pictures the image tower sees.
        embed_dim: Length of the shared embedding.
        text_width: Width of the frozen text network's states.
        text_heads: Attention heads of the reader on top of it.
    """

    input_size: int = 96
    embed_dim: int = 256
    text_width: int = 384
    text_heads: int = 6

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> "PerceptorConfig":
        """Rebuild from JSON."""
        try:
            return cls(**values)
        except TypeError as error:
            raise CheckpointError(f"not a perceptor config: {error}") from None

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)


class ImageTower(nn.Module):
    """EfficientNet-Lite0 features of two depths, averaged over positions, projected."""

    def __init__(self, config: PerceptorConfig) -> None:
        super().__init__()
        self.features = FeatureNet()
        self.features.fold_batch_norm()
        self.features.classifier = nn.Identity()  # type: ignore[assignment]
        fine, coarse = TAP_CHANNELS[2], TAP_CHANNELS[3]
        self.project = nn.Linear(1280 + fine + coarse, config.embed_dim)

    def forward(self, images: Images) -> Float[Tensor, "b d"]:
        maps = self.features(images)
        top = self.features.head(maps[-1])
        pooled = torch.cat([m.mean(dim=(2, 3)) for m in (top, maps[2], maps[3])], dim=1)
        embedding: Tensor = self.project(pooled)
        return embedding


class TextReader(nn.Module):
    """One transformer layer over frozen token states, averaged, projected."""

    def __init__(self, config: PerceptorConfig) -> None:
        super().__init__()
        width = config.text_width
        self.layer = nn.TransformerEncoderLayer(
            width, config.text_heads, 2 * width, dropout=0.0, batch_first=True, norm_first=True
        )
        self.project = nn.Linear(2 * width, config.embed_dim)

    def forward(
        self, states: Float[Tensor, "b n w"], mask: Bool[Tensor, "b n"]
    ) -> Float[Tensor, "b d"]:
        read = self.layer(states, src_key_padding_mask=~mask)
        weights = (mask / mask.sum(dim=1, keepdim=True))[:, :, None].to(states.dtype)
        both = torch.cat([(read * weights).sum(dim=1), (states * weights).sum(dim=1)], dim=1)
        embedding: Tensor = self.project(both)
        return embedding


class EmojiPerceptor(nn.Module):
    """A `Perceptor`: `encode_image` and `encode_text` give unit vectors of one space."""

    def __init__(self, config: PerceptorConfig, text: TokenReader) -> None:
        super().__init__()
        self.config = config
        self.input_size = config.input_size
        self.image = ImageTower(config)
        self.reader = TextReader(config)
        self.log_scale = nn.Parameter(torch.tensor(2.996))  # log of the inverse temperature: 20
        # a plain attribute behind a tuple, so that the frozen network is not saved with ours
        self._text = (text,)

    def encode_image(self, images: Images) -> Float[Tensor, "b d"]:
        """Unit embeddings of pictures in [-1, 1], any size; differentiable."""
        sized = resize(images, self.input_size, self.input_size)
        return F.normalize(self.image(sized.contiguous(memory_format=torch.channels_last)), dim=1)

    def encode_text(self, texts: Sequence[str]) -> Float[Tensor, "b d"]:
        """Unit embeddings of texts."""
        return self.read(*self.tokens(texts))

    @torch.no_grad()
    def tokens(self, texts: Sequence[str]) -> tuple[Float[Tensor, "b n 384"], Bool[Tensor, "b n"]]:
        """The frozen text network's states of texts, for `read`."""
        return self._text[0].tokens(texts)

    def read(
        self, states: Float[Tensor, "b n w"], mask: Bool[Tensor, "b n"]
    ) -> Float[Tensor, "b d"]:
        """Unit embeddings of texts from their states; differentiable in the reader."""
        return F.normalize(self.reader(states, mask), dim=1)


def build(tensors: Mapping[str, Tensor], config: Mapping[str, Any], shelf: Shelf) -> EmojiPerceptor:
    """Build the embedded perceptor for the zoo, ready to judge.

    Raises:
        CheckpointError: not a perceptor's config, or tensors of another one.
        WeightsError: the text network is not here.
    """
    extra = ("family", "arch", "size", "text")
    shape = {k: v for k, v in config.items() if k not in extra}
    text: TokenReader = shelf.model(str(config.get("text", "minilm")))
    model = EmojiPerceptor(PerceptorConfig.from_dict(shape), text)
    load_into(model, tensors, "the weight file")
    model.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    return model.requires_grad_(False).eval()
