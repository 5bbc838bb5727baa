"""The text tower of the embedded models: any text becomes 384 numbers. Knows no images.

MiniLM (Wang et al., arXiv:2002.10957) tuned for sentences (Reimers & Gurevych, arXiv:1908.10084).
It knows English; emoji are put into words first, and other scripts degrade to unknown tokens.
"""

import json
import unicodedata
from collections.abc import Mapping, Sequence
from typing import Any

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float
from tokenizers import Tokenizer
from torch import Tensor, nn

from phosphene.core.errors import CheckpointError
from phosphene.core.weights import Shelf
from phosphene.nn.bert import Bert
from phosphene.prompting.emoji import EmojiNames

MAX_TOKENS = 256
# 256 tokens are seldom more than 2,000 characters; the rest of a novel need not be tokenised.
MAX_CHARACTERS = 20_000
CHUNK = 64


class TextTower(nn.Module):
    """Sentences become unit vectors whose cosine tells how close their meanings are.

    Frozen and deterministic. A text's vector does not depend on its neighbours in the batch, up to
    rounding.
    """

    dim = 384

    def __init__(self, encoder: Bert, tokenizer: Tokenizer, names: EmojiNames) -> None:
        super().__init__()
        self.encoder = encoder
        self._names = names
        self._tokenizer = tokenizer
        self._tokenizer.enable_truncation(MAX_TOKENS)
        self._tokenizer.no_padding()

    def train(self, mode: bool = True) -> "TextTower":
        """Stay in eval mode."""
        return super().train(False)

    @torch.no_grad()
    def encode(self, texts: Sequence[str]) -> Float[Tensor, "b 384"]:
        """Return unit vectors: the mean of the token states, normalised."""
        ids = self._ids(texts)
        # Neighbours of like length waste no work on padding.
        order = sorted(range(len(ids)), key=lambda i: len(ids[i]))
        vectors = torch.empty(len(ids), self.dim, device=self._device)
        for start in range(0, len(order), CHUNK):
            rows = order[start : start + CHUNK]
            states, mask = self._states([ids[i] for i in rows])
            mean = states.float().sum(dim=1) / mask.sum(dim=1, keepdim=True)
            vectors[rows] = F.normalize(mean, dim=1)
        return vectors

    @torch.no_grad()
    def tokens(self, texts: Sequence[str]) -> tuple[Float[Tensor, "b n 384"], Bool[Tensor, "b n"]]:
        """Return each token's state, and a mask that is True where there is one (else zeros)."""
        return self._states(self._ids(texts))

    @property
    def _device(self) -> torch.device:
        return self.encoder.norm.weight.device

    def _ids(self, texts: Sequence[str]) -> list[list[int]]:
        # One at a time: the tokenizer's own batches start threads, which a later fork warns about.
        return [self._tokenizer.encode(self._readable(text)).ids for text in texts]

    def _readable(self, text: str) -> str:
        """Name the emoji, and turn control characters and broken halves of pairs into spaces."""
        text = self._names.translate(text[:MAX_CHARACTERS])
        return "".join(" " if unicodedata.category(c) in ("Cc", "Cs") else c for c in text)

    def _states(self, ids: list[list[int]]) -> tuple[Tensor, Tensor]:
        longest = max(map(len, ids), default=0)
        padded = torch.zeros(len(ids), longest, dtype=torch.int64)
        mask = torch.zeros(len(ids), longest, dtype=torch.bool)
        for row, sentence in enumerate(ids):
            padded[row, : len(sentence)] = torch.tensor(sentence)
            mask[row, : len(sentence)] = True
        padded, mask = padded.to(self._device), mask.to(self._device)
        if not ids:
            return torch.zeros(0, 0, self.dim, device=self._device), mask
        states: Tensor = self.encoder(padded, mask)
        return states, mask


def build(tensors: Mapping[str, Tensor], _config: Mapping[str, Any], shelf: Shelf) -> TextTower:
    """Build the tower for the zoo from a sentence-transformers folder.

    Raises:
        CheckpointError: its config, tokenizer and weights do not fit each other.
    """
    try:
        config = json.loads(shelf.read("config.json"))
    except ValueError as error:
        raise CheckpointError(f"the text model's config.json is damaged: {error}") from None
    try:
        tokenizer = Tokenizer.from_buffer(shelf.read("tokenizer.json"))
    except (ValueError, TypeError) as error:
        raise CheckpointError(f"the text model's tokenizer.json is damaged: {error}") from None
    encoder = Bert.from_state(tensors, config, source_name="MiniLM weights")
    if encoder.norm.normalized_shape != (TextTower.dim,):
        raise CheckpointError(
            f"the text model has {encoder.norm.normalized_shape[0]} channels, not {TextTower.dim}"
        )
    return TextTower(encoder, tokenizer, EmojiNames.load())
