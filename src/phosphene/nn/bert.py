"""The BERT encoder (Devlin et al., arXiv:1810.04805), for text towers. Knows no tokenizer.

Written plainly because importing it from a model library takes longer than running it: three
seconds before the first prompt.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn

from phosphene.core.errors import CheckpointError
from phosphene.core.weights import load_into

# In a published state dict, which of our layer's tensors each part is.
LAYER_PARTS = {
    "attention.output.dense": "self_attn.out_proj",
    "attention.output.LayerNorm": "norm1",
    "intermediate.dense": "linear1",
    "output.dense": "linear2",
    "output.LayerNorm": "norm2",
}
NAMES = {
    "embeddings.word_embeddings.weight": "words.weight",
    "embeddings.position_embeddings.weight": "positions.weight",
    "embeddings.token_type_embeddings.weight": "types.weight",
    "embeddings.LayerNorm.weight": "norm.weight",
    "embeddings.LayerNorm.bias": "norm.bias",
}
UNUSED = ("pooler.", "embeddings.position_ids", "cls.")


@dataclass(frozen=True, slots=True)
class BertShape:
    """The sizes of an encoder, as a published `config.json` names them."""

    vocab_size: int
    hidden_size: int
    num_hidden_layers: int
    num_attention_heads: int
    intermediate_size: int
    max_position_embeddings: int
    type_vocab_size: int = 2
    layer_norm_eps: float = 1e-12

    @classmethod
    def from_config(cls, config: Mapping[str, Any]) -> "BertShape":
        """Take the sizes out of a published config.

        Raises:
            CheckpointError: a size is missing, or it is a variant we do not have.
        """
        variant = (config.get("hidden_act"), config.get("position_embedding_type", "absolute"))
        if variant != ("gelu", "absolute"):
            raise CheckpointError(
                f"a BERT with {variant[0]!r} and {variant[1]!r} positions is unknown"
            )
        known = {name: config[name] for name in cls.__slots__ if name in config}
        sizes = [value for name, value in known.items() if name != "layer_norm_eps"]
        if any(type(size) is not int or not 0 < size <= 2**20 for size in sizes):
            raise CheckpointError("the text model's config.json has impossible sizes")
        try:
            return cls(**known)
        except TypeError as error:
            raise CheckpointError(f"the text model's config.json is incomplete: {error}") from None


class Bert(nn.Module):
    """Tokens become states: embeddings, then post-norm transformer layers with exact GELU.

    Frozen and always in eval mode.
    """

    def __init__(self, shape: BertShape) -> None:
        super().__init__()
        width = shape.hidden_size
        self.words = _table(shape.vocab_size, width)
        self.positions = _table(shape.max_position_embeddings, width)
        self.types = _table(shape.type_vocab_size, width)
        self.norm = nn.LayerNorm(width, eps=shape.layer_norm_eps)
        layer = nn.TransformerEncoderLayer(
            width,
            shape.num_attention_heads,
            shape.intermediate_size,
            activation="gelu",
            layer_norm_eps=shape.layer_norm_eps,
            batch_first=True,
        )
        self.encoder = nn.TransformerEncoder(
            layer, shape.num_hidden_layers, enable_nested_tensor=False
        )
        self.requires_grad_(False)
        self.train(False)

    @classmethod
    def from_state(
        cls, tensors: Mapping[str, Tensor], config: Mapping[str, Any], source_name: str = "BERT"
    ) -> "Bert":
        """Build from a published state dict and config.

        Raises:
            CheckpointError: they do not fit each other, or are not BERT's.
        """
        network = cls(BertShape.from_config(config))
        load_into(network, translated(tensors), source_name)
        return network

    def train(self, mode: bool = True) -> "Bert":
        """Stay in eval mode."""
        return super().train(False)

    def forward(self, ids: Int[Tensor, "b n"], mask: Bool[Tensor, "b n"]) -> Float[Tensor, "b n d"]:
        """Return the last layer's states; where `mask` is False they are zero."""
        places = torch.arange(ids.shape[1], device=ids.device)
        x = self.norm(self.words(ids) + self.positions(places) + self.types.weight[0])
        states: Tensor = self.encoder(x, src_key_padding_mask=~mask)
        return states * mask[:, :, None]


def _table(rows: int, width: int) -> nn.Embedding:
    """An embedding of zeros: it is loaded, and drawing millions of random numbers takes time.

    (So does the meta device: initialising on it imports torch's compiler, a second and more.)
    """
    return nn.Embedding(rows, width, _weight=torch.zeros(rows, width))


def translated(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Rename a published state dict to ours, where query, key and value are one matrix."""
    renamed: dict[str, Tensor] = {}
    for name, tensor in tensors.items():
        bare = name.removeprefix("bert.")
        if bare.startswith(UNUSED) or ".attention.self." in bare:
            continue
        if bare in NAMES:
            renamed[NAMES[bare]] = tensor
            continue
        prefix, part, leaf = _split(bare)
        renamed[f"{prefix}.{LAYER_PARTS.get(part, part)}.{leaf}"] = tensor
    return renamed | _attention(tensors)


def _split(name: str) -> tuple[str, str, str]:
    """Split `encoder.layer.3.output.dense.bias` into our layer's prefix, the part and the leaf."""
    pieces = name.split(".")
    prefix = ".".join(["encoder", "layers", *pieces[2:3]])
    return prefix, ".".join(pieces[3:-1]), pieces[-1]


def _attention(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Stack query, key and value of each layer."""
    stacked: dict[str, Tensor] = {}
    for name in tensors:
        head, found, leaf = name.removeprefix("bert.").partition(".attention.self.query.")
        if not found:
            continue
        parts = [name.replace(".query.", f".{part}.") for part in ("query", "key", "value")]
        if all(part in tensors for part in parts):
            layer = f"encoder.layers.{head.rsplit('.', 1)[-1]}"
            stacked[f"{layer}.self_attn.in_proj_{leaf}"] = torch.cat([tensors[p] for p in parts])
    return stacked
