"""What a network says with the prompt and without: led towards the one, away from the other.

Guidance (Ho & Salimans 2022, "Classifier-Free Diffusion Guidance"): with u what a network says for
the negative prompt (or none) and c what it says for the prompt, u + s (c - u). Words that count
more or less are differences of prompts: c is a sum of what it says for several, with weights (Liu
et al. 2022, "Compositional Visual Generation with Composable Diffusion Models"); see `terms_of`.

It holds for whatever a network says of a picture: velocities of a flow, logits of the next token.
"""

from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor


def terms_of(spans: Sequence[tuple[str, float]]) -> list[tuple[str, float]]:
    """Prompts and what each counts, for a text whose parts have weights.

    c = c(t) + sum over parts i of (w_i - 1) (c(t) - c(t without i)): what a part adds to the
    picture is taken w_i times. The weights of the terms add up to 1.
    """
    text = "".join(part for part, _ in spans)
    terms = [(text, 1.0)]
    for i, (_, weight) in enumerate(spans):
        if weight != 1:
            rest = " ".join("".join(part for j, (part, _) in enumerate(spans) if j != i).split())
            terms[0] = (text, terms[0][1] + weight - 1)
            terms.append((rest, 1 - weight))
    return terms


def led(
    said: Sequence[Float[Tensor, "..."]],
    weights: Sequence[float],
    unsaid: Float[Tensor, "..."] | None,
    scale: float,
    shares: Sequence[Float[Tensor, "..."] | None] | None = None,
) -> Float[Tensor, "..."]:
    """u + s (c - u), where c is the weighted sum of `said`; c where `unsaid` is None.

    Args:
        shares: Of each of `said`, the share of each place, 0 to 1, in which it alone is said; None
            says it wherever nothing else is. Words of several things would all speak everywhere,
            and a colour stray to its neighbour.
    """
    shares = [None] * len(said) if shares is None else shares
    pairs = [(w * c, share) for w, c, share in zip(weights, said, shares, strict=True)]
    towards = torch.stack([each for each, share in pairs if share is None]).sum(dim=0)
    parts = [(share, each) for each, share in pairs if share is not None]
    if parts:
        covered = torch.stack([share for share, _ in parts]).sum(dim=0)
        inside = torch.stack([share * each for share, each in parts]).sum(dim=0)
        towards = towards * (1 - covered.clamp(max=1)) + inside / covered.clamp(min=1)
    return towards if unsaid is None else unsaid + scale * (towards - unsaid)
