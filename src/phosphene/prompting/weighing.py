"""What a perceptor is told of a text in which some words count more than others."""

from collections.abc import Callable, Sequence

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

from phosphene.prompting.emphasis import Spans, plain, shared_weight, without

Encode = Callable[[Sequence[str]], Float[Tensor, "_ _"]]


@torch.no_grad()
def embed_words(encode: Encode, texts: Sequence[Spans]) -> Float[Tensor, "m d"]:
    """Unit embeddings of texts, in which parts with another weight than 1 count more or less.

    e = normalise(E(t) + sum over parts i of (w_i - 1) (E(t) - E(t without i))), where E is the
    encoder, t the plain text. What a part adds to the text's meaning is taken w_i times. At
    weights of 1 that is E(t), bit for bit; at w_i = 0 of a single part, E(t without i); below 0 it
    points away from what the part means.

    A text whose parts have all the same weight is its plain text: nothing stands out of it.

    Args:
        encode: Texts to unit vectors. Plain texts are encoded in one batch, what is left of them
            without a part in a second one.
        texts: Their parts, none empty.
    """
    rows = encode([plain(spans) for spans in texts])
    stressed = [
        (row, span.weight - 1, without(spans, i))
        for row, spans in enumerate(texts)
        if shared_weight(spans) is None
        for i, span in enumerate(spans)
        if span.weight != 1
    ]
    if not stressed:
        return rows
    numbers, excesses, rests = zip(*stressed, strict=True)
    different = list(dict.fromkeys(rests))
    known = dict(zip(different, encode(different).float(), strict=True))
    moved = rows.float().clone()
    for row, excess, rest in zip(numbers, excesses, rests, strict=True):
        moved[row] += excess * (rows[row].float() - known[rest])
    changed = sorted(set(numbers))
    moved[changed] = F.normalize(moved[changed], dim=1)
    return moved.to(rows.dtype)
