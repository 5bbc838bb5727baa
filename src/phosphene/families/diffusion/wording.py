"""Words that count more or less than others, for text encoders of CLIP.

e_i = e0_i + w_i (e_i - e0_i)

where e are the encoder's states of the prompt's tokens, e0 those of the empty prompt at the same
places, and w the weight of the words that a token belongs to. As in ComfyUI (`encode_token_weights`
of comfy/sd1_clip.py). AUTOMATIC1111 takes w_i e_i and scales all back to the old mean; that mean
can be near 0, and then nothing is left of the picture.
"""

from collections.abc import Sequence
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

Spans = Sequence[tuple[str, float]]


def is_plain(spans: Spans) -> bool:
    """Whether all words count alike, 1."""
    return all(weight == 1 for _, weight in spans)


def token_weights(tokenizer: Any, spans: Spans) -> Float[Tensor, " tokens"]:
    """The weight of each token of a prompt, padded to what the tokenizer's model reads.

    A token that reaches over two parts has the weight of the first.
    """
    prompt = "".join(text for text, _ in spans)
    coded = tokenizer(
        prompt,
        padding="max_length",
        max_length=tokenizer.model_max_length,
        truncation=True,
        return_offsets_mapping=True,
    )
    of_character = [weight for text, weight in spans for _ in text]
    # start, end and padding have no width
    weights = [of_character[start] if end > start else 1.0 for start, end in coded.offset_mapping]
    return torch.tensor(weights)


def weighed(
    states: Float[Tensor, "b tokens d"],
    empty: Float[Tensor, "b tokens d"],
    weights: Float[Tensor, " tokens"],
) -> Float[Tensor, "b tokens d"]:
    """Let tokens count as much as their weights say, beside those of the empty prompt."""
    factor = weights.to(states.device, states.dtype)[:, None]
    return torch.where(factor == 1, states, empty + factor * (states - empty))


def unread(tokenizer: Any, prompt: str) -> int:
    """How many tokens of a prompt are beyond what the tokenizer's model reads."""
    count = len(tokenizer(prompt, truncation=False, verbose=False).input_ids)
    return max(0, count - int(tokenizer.model_max_length))
