"""A text network for tests, which hashes words."""

import hashlib
from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

from phosphene.core.rng import Rng

TEXT_DIM, SENTENCE_DIM = 8, 6


class Reader:
    """Each word is a direction of its own, whatever stands beside it."""

    def tokens(self, texts: Sequence[str]) -> tuple[Tensor, Tensor]:
        words = [["<s>", *text.split()] for text in texts]
        longest = max(map(len, words))
        states = torch.zeros(len(texts), longest, TEXT_DIM)
        mask = torch.zeros(len(texts), longest, dtype=torch.bool)
        for row, sentence in enumerate(words):
            for column, word in enumerate(sentence):
                seed = int(hashlib.sha256(word.encode()).hexdigest()[:8], 16)
                states[row, column] = Rng((seed,)).normal(TEXT_DIM)[0]
                mask[row, column] = True
        return states, mask

    def read(self, states: Tensor, mask: Tensor) -> Tensor:
        mean = states.sum(dim=1) / mask.sum(dim=1, keepdim=True)
        return F.normalize(mean[:, :SENTENCE_DIM], dim=1)
