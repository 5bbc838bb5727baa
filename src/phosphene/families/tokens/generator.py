"""Image tokens: words become a picture, token by token, row by row (an `Illustrator`).

Source: Ramesh et al. 2021, "Zero-Shot Text-to-Image Generation" (DALL-E): a transformer draws the
tokens, the decoder of a VQGAN paints them, and of several candidates a perceptor takes the one
that fits the words best (there `Commission.judge`).

A picture to start from is completed: its upper rows are kept and the others drawn below them, or
with a mask all is kept that the mask does not touch. What is drawn knows what is above and to the
left of it only.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import cache, partial
from typing import Any

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int
from torch import Tensor, nn

from phosphene.core.errors import CheckpointError, RecipeError
from phosphene.core.images import Images
from phosphene.core.latent import Latent, Space
from phosphene.core.protocols import Autoencoder, Choice, Commission, Habits, Step
from phosphene.core.rng import Rng
from phosphene.core.streams import on_threads
from phosphene.core.weights import Shelf, load_into
from phosphene.families.tokens.sampling import (
    Known,
    Sampling,
    Term,
    draw,
    first_row,
    numbers,
)
from phosphene.families.tokens.transformer import (
    TokenReader,
    TokenTransformer,
    TokenTransformerConfig,
    Words,
    read,
)
from phosphene.nn.guidance import terms_of
from phosphene.nn.sketching import Drawing, Sketches, sketches_of

# chosen by looking: more guidance spreads a colour over the ground
GUIDANCE_SCALE = 1.5
CHOICE = Choice(temperature=0.7, top_k=256, top_p=0.95, num_candidates=4)
MOST_CANDIDATES = 64
SMALL = 512  # a transformer up to this width gains nothing from a second thread
PAPER = 1.0  # what is shown where nothing is drawn yet: white


class TokenPainter(nn.Module):
    """A trained transformer with its autoencoder and its text network: words to pictures.

    Args:
        sketches: Draws what the transformer paints after, if it does.
    """

    samplers: tuple[str, ...] = ()

    def __init__(
        self,
        network: TokenTransformer,
        autoencoder: Autoencoder,
        text: TokenReader,
        sketches: Sketches | None = None,
    ) -> None:
        super().__init__()
        self.network = network
        self.autoencoder = autoencoder
        self.text = text
        self.sketches = sketches
        side = network.config.resolution
        self.habits = Habits(height=side, width=side, guidance_scale=GUIDANCE_SCALE, choice=CHOICE)

    def check(self, commission: Commission) -> None:
        """See that a picture can be drawn.

        Raises:
            RecipeError: another size than its own, or candidates that nobody judges.
        """
        side = self.network.config.resolution
        if (commission.height, commission.width) != (side, side):
            raise RecipeError(
                f"size {commission.width} x {commission.height}: this model draws {side} x {side} "
                "px; leave the size out, or take --method vqgan-clip, which paints any"
            )
        candidates = (commission.choice or CHOICE).num_candidates
        if not 1 <= candidates <= MOST_CANDIDATES:
            raise RecipeError(f"num_candidates is {candidates}; use 1 to {MOST_CANDIDATES}")
        if candidates > 1 and commission.judge is None:
            raise RecipeError(f"{candidates} candidates need a judge; name a perceptor")

    def illustrate(self, commission: Commission, rng: Rng) -> Iterator[Step]:
        """Draw one picture; see `core.protocols.Illustrator`.

        While rows arrive the first candidate is shown; the last step shows the best one.
        """
        steps = self._steps(commission, rng)
        return on_threads(steps, 1) if self.network.config.width <= SMALL else steps

    @torch.no_grad()
    def _steps(self, commission: Commission, rng: Rng) -> Iterator[Step]:
        self.check(commission)
        known = self._known(commission)
        choice = commission.choice or CHOICE
        count = choice.num_candidates
        drawn, size = self._drawn(commission, count), self.network.config.grid_size
        sketch = torch.cat([self.encode(each.images) for each in drawn]) if drawn else None
        terms = [
            Term(_repeated(self.read(prompt), count, sketch), weight)
            for prompt, weight in terms_of(commission.spans)
        ]
        if len(terms) == 1:  # weights are of words of the whole
            terms += _parts(drawn, size, lambda words: _repeated(self.read(words), count, sketch))
        unsaid = _repeated(self.read(commission.negative_prompt), count, sketch)
        u = numbers(rng, size**2, count).to(unsaid.states.device)
        sampling = Sampling(choice=choice, guidance_scale=commission.guidance_scale, known=known)
        first = first_row(known, size)
        for row, tokens in enumerate(draw(self.network, terms, unsaid, u, sampling), first):
            if row < size - 1:
                view = cache(partial(self._so_far, tokens[:1], commission))
                yield Step(row - first, size - first, view)
        images, scalars = self._best(self.decode(tokens), commission)
        yield Step(size - 1 - first, size - first, images, scalars)

    def read(self, prompt: str) -> Words:
        """What the network is told of a prompt."""
        return read(self.text, [prompt], self.network.config.text_length)

    def _drawn(self, commission: Commission, count: int) -> list[Drawing]:
        """The drawings that candidates are painted after, each its own, if they are."""
        if self.sketches is None or not commission.prompt.strip():
            return []
        rng, drawn = commission.drawing, []
        for number in range(count):
            # the first one has what other models paint after with the same seed
            own = rng.fork("candidate").fork(number) if rng and number else rng
            drawn.append(self.sketches.of(commission, own))
        return drawn

    @torch.no_grad()
    def encode(self, images: Images) -> Int[Tensor, "b n"]:
        """Pictures to tokens, row by row."""
        return self.autoencoder.tokens(self.autoencoder.encode(images)).data.flatten(1)

    @torch.no_grad()
    def decode(self, tokens: Int[Tensor, "b n"]) -> Images:
        """Whole rows of tokens to (the upper part of) pictures, clipped to [-1, 1]."""
        rows = tokens.view(len(tokens), -1, self.network.config.grid_size)
        return self.autoencoder.decode(Latent(Space.TOKENS, rows)).clamp(-1, 1)

    def _known(self, commission: Commission) -> Known | None:
        """What is kept of the picture to start from."""
        if commission.init is None:
            return None
        size = self.network.config.grid_size
        tokens = self.encode(commission.init)
        if commission.mask is None:
            anew = torch.zeros(size, size, dtype=torch.bool, device=tokens.device)
            anew[size - max(1, round(size * commission.strength)) :] = True
            return Known(tokens, anew.flatten())
        # a token that is touched at all is drawn anew; what is kept of it is laid over the picture
        return Known(tokens, F.adaptive_max_pool2d(commission.mask, size).flatten() > 0)

    def _so_far(self, tokens: Int[Tensor, "1 n"], commission: Commission) -> Images:
        """The rows that are there, above what was there before."""
        drawn = self.decode(tokens)
        below = torch.full_like(drawn[:, :, :1], PAPER).expand(-1, -1, commission.height, -1)
        under = below if commission.init is None else commission.init.to(drawn)
        return torch.cat([drawn, under[:, :, drawn.shape[2] :]], dim=2)

    def _best(
        self, images: Images, commission: Commission
    ) -> tuple[Float[Tensor, "1 c h w"], dict[str, float]]:
        """The candidate that is shown, and how far it and the others are from the words."""
        if commission.mask is not None and commission.init is not None:
            images = torch.lerp(commission.init.to(images), images, commission.mask.to(images))
        if len(images) == 1 or commission.judge is None:
            return images[:1], {}
        distances = commission.judge(images)
        best = int(distances.argmin())
        return images[best : best + 1], {
            "candidate": float(best),
            "distance": float(distances[best]),
            "mean_distance": float(distances.mean()),
        }


def _parts(drawn: Sequence[Drawing], size: int, read: Callable[[str], Words]) -> Iterator[Term]:
    """Words of each of several things, where candidates have it drawn."""
    for each in zip(*(drawing.regions for drawing in drawn), strict=True):
        shares = torch.cat([region.pooled(size).share.flatten(1) for region in each])
        yield Term(read(each[0].words), 1.0, shares)


def _repeated(words: Words, count: int, sketch: Int[Tensor, "b n"] | None) -> Words:
    """The same words for so many rows, each with its own sketch."""
    states, present = (part.expand(count, *part.shape[1:]) for part in words[:2])
    return Words(states, present, sketch)


def build(tensors: Mapping[str, Tensor], config: Mapping[str, Any], shelf: Shelf) -> TokenPainter:
    """Build a token painter for the zoo, ready to draw.

    Raises:
        CheckpointError: not its config, tensors of another one, or parts that do not fit.
    """
    shape = {k: v for k, v in config.items() if k not in ("family", "arch", "size")}
    network = TokenTransformer(TokenTransformerConfig.from_dict(shape))
    load_into(network, tensors, "the weight file")
    c = network.config
    autoencoder, text = shelf.model(c.autoencoder), shelf.model(c.text)
    if not isinstance(autoencoder, Autoencoder) or not isinstance(text, TokenReader):
        raise CheckpointError(
            f"{c.autoencoder!r} and {c.text!r} are no autoencoder and text network, which a token "
            "painter is made of"
        )
    demand_vocab(c, autoencoder)
    sketches = sketches_of(
        c.sketches, shelf, autoencoder, lambda texts: text.tokens(texts)[0], c.resolution
    )
    return TokenPainter(network.requires_grad_(False).eval(), autoencoder, text, sketches)


def demand_vocab(config: TokenTransformerConfig, autoencoder: Autoencoder) -> None:
    """See that the tokens are those of the autoencoder.

    Raises:
        CheckpointError: its codebook has another size.
    """
    if autoencoder.spec.vocab != config.vocab:
        raise CheckpointError(
            f"the transformer knows {config.vocab} tokens, and {config.autoencoder!r} has "
            f"{autoencoder.spec.vocab}; take the autoencoder it was trained with"
        )
