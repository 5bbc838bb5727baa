"""How tokens are drawn, one after the other: temperature, top-k, top-p, guidance, known tokens.

With logits l: those of the prompt led away from the negative prompt's (`nn.guidance`), divided by
the temperature; of their softmax only the k most likely tokens, and of those the fewest that
together reach probability p (Holtzman et al. 2020, "The Curious Case of Neural Text
Degeneration"). Each place has one number u in [0, 1), and takes the first token at which the
cumulated probability exceeds u: so a picture depends on its own numbers alone.

Tokens that are known are not drawn but taken, and what comes later is told of them: later in the
order of rows, for the network sees nothing below.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from phosphene.core.protocols import Choice
from phosphene.core.rng import Rng
from phosphene.families.tokens.transformer import TokenTransformer, Words, stacked
from phosphene.nn.guidance import led


class Term(NamedTuple):
    """Some words, and what they count: everywhere, or within their share of each place."""

    words: Words
    weight: float = 1.0
    shares: Float[Tensor, "b n"] | None = None


class Known(NamedTuple):
    """Tokens of a picture that is there, and where others are drawn instead."""

    tokens: Int[Tensor, "b n"]
    anew: Bool[Tensor, " n"]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Sampling:
    """How pictures are drawn.

    Args:
        guidance_scale: 1 is off.
        known: What is kept of a picture; None draws every token.
    """

    choice: Choice
    guidance_scale: float = 1.0
    known: Known | None = None


def probabilities(logits: Float[Tensor, "b k"], choice: Choice) -> Float[Tensor, "b k"]:
    """What each token is drawn with, float64, rows adding up to 1.

    Of tokens that are equally likely where a row is cut, those of lower index stay.
    """
    if choice.temperature == 0:
        best = logits.argmax(dim=1, keepdim=True)
        return torch.zeros_like(logits, dtype=torch.float64).scatter_(1, best, 1.0)
    chances = (logits.double() / choice.temperature).softmax(dim=1)
    if choice.top_k == 0 and choice.top_p == 1:
        return chances
    falling, order = chances.sort(dim=1, descending=True, stable=True)
    if choice.top_k:
        falling[:, choice.top_k :] = 0
        falling = falling / falling.sum(dim=1, keepdim=True)
    # a token stays while those before it have not reached p: the most likely one always does
    falling[falling.cumsum(dim=1) - falling >= choice.top_p] = 0
    kept = torch.zeros_like(chances).scatter_(1, order, falling)
    return kept / kept.sum(dim=1, keepdim=True)


def picked(chances: Float[Tensor, "b k"], u: Float[Tensor, " b"]) -> Int[Tensor, " b"]:
    """The token of each row at which the cumulated probability exceeds u, in [0, 1)."""
    cumulated = chances.double().cumsum(dim=1)
    reached = (u.to(cumulated) * cumulated[:, -1])[:, None]
    return torch.searchsorted(cumulated, reached, right=True)[:, 0]


def numbers(rng: Rng, places: int, candidates: int = 1) -> Float[Tensor, "b n"]:
    """u of each place of each candidate, seed by seed; a candidate's are its own, however many."""
    drawn = [rng.fork("tokens").fork(i).uniform(places) for i in range(candidates)]
    return torch.stack(drawn, dim=1).flatten(0, 1)


@torch.no_grad()
def draw(
    network: TokenTransformer,
    terms: Sequence[Term],
    unsaid: Words,
    u: Float[Tensor, "b n"],
    sampling: Sampling,
) -> Iterator[Int[Tensor, "b m"]]:
    """Draw a picture's tokens for each row of the terms' words, led away from `unsaid`.

    Args:
        u: In [0, 1), of each place of a picture.
    Yields:
        The tokens so far, whenever a row of the picture is complete; the rows above the first one
        in which something is drawn come together with it.
    """
    size, count = network.config.grid_size, network.config.num_places
    known, anew = _given(sampling.known, u)
    places = anew.nonzero().flatten().tolist()
    first, stop = (places[0], places[-1] + 1) if places else (count, count)
    asked = [term for term in terms if term.weight]
    told = [term.words for term in asked] + ([unsaid] if sampling.guidance_scale != 1 else [])
    weights = [term.weight for term in asked]
    words = stacked(told)
    tokens = known[:, :first]
    if places:
        logits, cache = network.begin(tokens.repeat(len(told), 1), words)
    for place in range(first, stop):
        new = known[:, place]
        if anew[place]:
            said = logits.chunk(len(told))
            away = said[-1] if len(told) > len(asked) else None
            here = [None if t.shares is None else t.shares[:, place, None] for t in asked]
            steered = led(said[: len(asked)], weights, away, sampling.guidance_scale, here)
            new = picked(probabilities(steered, sampling.choice), u[:, place])
        tokens = torch.cat([tokens, new[:, None]], dim=1)
        if (place + 1) % size == 0 and place + 1 < stop:
            yield tokens
        if place + 1 < stop:
            logits = network.go_on(tokens.repeat(len(told), 1), cache)
    # nothing is drawn any more: what is left comes row by row as it is
    for row in range((stop - 1) // size, size):
        yield torch.cat([tokens, known[:, stop : (row + 1) * size]], dim=1)


def first_row(known: Known | None, size: int) -> int:
    """The first row in which something is drawn; the last row if nothing is."""
    places = known.anew.nonzero().flatten().tolist() if known else [0]
    return places[0] // size if places else size - 1


def _given(known: Known | None, u: Tensor) -> tuple[Tensor, Tensor]:
    """Known tokens of every row, and where they are not taken."""
    if known is None:
        empty = torch.zeros(u.shape, dtype=torch.int64, device=u.device)
        return empty, torch.ones(u.shape[1], dtype=torch.bool, device=u.device)
    return known.tokens.expand(len(u), -1), known.anew
