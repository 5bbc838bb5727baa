"""What a flow paints after: a plain drawing of what the words name, put together from a sketchbook.

Source: Blattmann et al. 2022, "Semi-Parametric Neural Image Synthesis". A small network cannot know
by heart what a thousand things look like. Shown a drawing of them, it need only learn what words
make of it. The drawing's codes lie below the noised ones, as further channels. Which drawings of a
thing are taken is the seed's choice, so that one prompt has many pictures.
"""

from collections.abc import Callable, Sequence
from typing import NamedTuple, Protocol, runtime_checkable

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int
from torch import Tensor

from phosphene.core.errors import CheckpointError
from phosphene.core.images import Images, resize
from phosphene.core.latent import Latent, Space
from phosphene.core.protocols import Autoencoder, Commission
from phosphene.core.rng import Rng
from phosphene.core.weights import Shelf
from phosphene.nn.insertion import Share, ground, inserted
from phosphene.nn.layout import FULL, Manner, Thing, read_layout, read_manner

TEMPERATURE = 0.02  # of the cosine of names: seeds differ in the drawings that they take
PHRASES = " | "
WHITE = 1.0

Embed = Callable[[Sequence[str]], Float[Tensor, "b n e"]]  # texts' states, padded with zeros


@runtime_checkable
class Book(Protocol):
    """A sketchbook: tokens of pictures, and unit vectors of their captions."""

    tokens: Int[Tensor, "m rows columns"]
    embeddings: Float[Tensor, "m e"]

    def choose(
        self, target: Float[Tensor, " e"], rng: Rng, count: int = 1, temperature: float = 0.01
    ) -> Int[Tensor, "b n"]: ...


class Region(NamedTuple):
    """Where one of several things is drawn, and what is said of it alone."""

    words: str
    share: Share

    def pooled(self, size: int, most: float = 1.0) -> "Region":
        """The region in places of a grid, of which it has at most such a share."""
        return self._replace(share=most * F.adaptive_max_pool2d(self.share, size))


class Drawing(NamedTuple):
    """A drawing of what words name; regions are none where it is one thing."""

    images: Images
    regions: tuple[Region, ...] = ()


class Sketches:
    """Draws what a prompt names.

    Args:
        book: Its captions are in the space of `embed`'s mean states.
        autoencoder: The one whose tokens the book holds.
        side: Of a drawing, in px.
    """

    def __init__(self, book: Book, autoencoder: Autoencoder, embed: Embed, side: int) -> None:
        self.book, self.autoencoder, self.embed, self.side = book, autoencoder, embed, side

    def layout(self, prompt: str) -> tuple[tuple[Thing, ...], Manner]:
        """What is drawn where, of the first phrase, since the others say how it looks; and how."""
        first, *_ = prompt.split(PHRASES)
        text, manner = read_manner(first.strip())
        things = read_layout(text)
        if len(things) == 1:
            return read_layout(first), Manner()
        parts = sum(self._nearest(thing.words) for thing in things) / len(things)
        # the name of one thing may have an "and" in it: knife and fork
        if self._nearest(first) > parts:
            return (Thing(first.strip()),), Manner()
        return things, manner

    def _nearest(self, text: str) -> float:
        """Cosine of the drawing whose name is nearest to a text."""
        return float((self.book.embeddings.float() @ self._direction([text])).max())

    def of(self, commission: Commission, rng: Rng | None) -> Drawing:
        """The drawing that a picture is painted after: with a mask, set into its hole.

        Args:
            rng: See `draw`.
        """
        drawing = self.draw(commission.prompt, rng)
        if commission.init is None or commission.mask is None:
            return drawing
        images = drawing.images
        return Drawing(inserted(commission.init.to(images), commission.mask.to(images), images))

    @torch.no_grad()
    def draw(self, prompt: str, rng: Rng | None = None) -> Drawing:
        """A plain drawing of what a prompt names, 1 3 h w.

        Args:
            rng: Its one seed chooses among drawings of a thing; without one, the nearest is taken.
        """
        _, *looks = prompt.split(PHRASES)
        canvas = torch.full((1, 3, self.side, self.side), WHITE)
        things, manner = self.layout(prompt)
        regions = []
        for number, thing in enumerate(things):
            # the name counts twice: looks are what the words are for
            wanted = self._direction([thing.words, ", ".join([thing.words, *looks])])
            seed = rng.fork(f"thing {number}") if rng else Rng((0,))
            row = self.book.choose(wanted, seed, 1, TEMPERATURE if rng else 0.0)[0]
            tokens = Latent(Space.TOKENS, self.book.tokens[row].long())
            drawing = self.autoencoder.decode(tokens).float().clamp(-1, 1)
            canvas = pasted(canvas.to(drawing.device), drawing, thing)
            if len(things) == 1:
                return Drawing(canvas)
            # its shape, black on white
            shape = pasted(torch.full_like(canvas[:, :1], WHITE), 2 * ground(drawing) - 1, thing)
            words = PHRASES.join([f"{manner.before}{thing.words}{manner.after}", *looks])
            regions.append(Region(words, (shape < 0).to(canvas)))
        return Drawing(canvas, tuple(regions))

    def _direction(self, texts: Sequence[str]) -> Float[Tensor, " e"]:
        return F.normalize(direction(self.embed(texts)).mean(dim=0), dim=0)


def sketches_of(
    name: str, shelf: Shelf, autoencoder: Autoencoder, embed: Embed, side: int
) -> Sketches | None:
    """What draws for a model whose config names a sketchbook; None if it names none.

    Raises:
        CheckpointError: what is named is no sketchbook.
    """
    if not name:
        return None
    book = shelf.model(name)
    if not isinstance(book, Book):
        raise CheckpointError(f"{name!r} is no sketchbook to paint after")
    return Sketches(book, autoencoder, embed, side)


def pasted(canvas: Images, drawing: Images, thing: Thing) -> Images:
    """A canvas with a drawing on it, whose white ground hides nothing."""
    height, width = canvas.shape[-2:]
    scale = thing.side / FULL  # a drawing of the book is so large in its own square
    tall, wide = max(1, round(height * scale)), max(1, round(width * scale))
    top, left = round(thing.y * height - tall / 2), round(thing.x * width - wide / 2)
    small = resize(drawing, tall, wide)
    # what stands out at the border is cut off
    small = small[..., max(0, -top) : height - top, max(0, -left) : width - left]
    top, left = max(0, top), max(0, left)
    rows, columns = slice(top, top + small.shape[-2]), slice(left, left + small.shape[-1])
    canvas = canvas.clone()
    canvas[..., rows, columns] = torch.minimum(canvas[..., rows, columns], small)
    return canvas


def direction(states: Float[Tensor, "b n e"]) -> Float[Tensor, "b e"]:
    """Unit vectors of texts from their words' states, padded with zeros: their mean's."""
    return F.normalize(states.float().sum(dim=1), dim=1)
