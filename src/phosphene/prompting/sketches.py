"""A sketchbook: small pictures with captions, one of which is a start for an optimisation.

An optimisation that starts from noise spends its steps on finding a shape. So the embedded model
comes with some thousand scenes of its training set, as codebook indices (half a kilobyte each),
and starts from one whose caption is near the prompt; which of those is the seed's choice. Captions
are compared first, not pictures: a text network knows more things than a perceptor that saw some
thousands.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int
from torch import Tensor, nn

from phosphene.core.errors import CheckpointError
from phosphene.core.images import Images, from_uint8, resize
from phosphene.core.latent import Latent, Space
from phosphene.core.protocols import Autoencoder
from phosphene.core.rng import Rng
from phosphene.core.weights import Shelf, load_into


class Sketchbook(nn.Module):
    """Tokens of `count` pictures of an autoencoder, and an embedding of each caption."""

    tokens: Int[Tensor, "m h w"]
    embeddings: Float[Tensor, "m d"]

    def __init__(self, count: int, height: int, width: int, embed_dim: int) -> None:
        super().__init__()
        self.register_buffer("tokens", torch.zeros(count, height, width, dtype=torch.int16))
        self.register_buffer("embeddings", torch.zeros(count, embed_dim))

    def choose(
        self, target: Float[Tensor, " d"], rng: Rng, count: int = 1, temperature: float = 0.01
    ) -> Int[Tensor, "b n"]:
        """Different sketches for each seed, drawn from softmax(cosine / temperature).

        Args:
            count: Sketches a seed, fewer where the book has fewer.
            temperature: 0 takes the nearest.
        """
        cosine = self.embeddings.float() @ target.float()
        # the largest of these are draws without replacement (Kool et al. 2019, Gumbel top-k)
        uniform = rng.fork("sketch").uniform(len(cosine)).clamp(1e-20, 1 - 1e-7)
        noise = -torch.log(-torch.log(uniform))
        return (cosine + temperature * noise).topk(min(count, len(cosine)), dim=1).indices

    @torch.no_grad()
    def paint(self, indices: Int[Tensor, " b"], decoder: Autoencoder) -> Images:
        """The sketches as pictures in [-1, 1]."""
        tokens = self.tokens[indices].long()
        return decoder.decode(Latent(Space.TOKENS, tokens)).clamp(-1, 1)


def extend(images: Images, height: int, width: int) -> Float[Tensor, "b c {height} {width}"]:
    """Give pictures another shape by extending their borders, then scale to the size."""
    h, w = images.shape[-2:]
    scale = min(height / h, width / w)
    tall, wide = max(1, round(height / scale)), max(1, round(width / scale))
    top, left = max(0, tall - h) // 2, max(0, wide - w) // 2
    pads = (left, max(0, wide - w) - left, top, max(0, tall - h) - top)
    return resize(F.pad(images, pads, mode="replicate"), height, width)


class Reader(Protocol):
    """A text network that gives unit vectors."""

    def encode(self, texts: Sequence[str]) -> Float[Tensor, "b d"]: ...


class SketchLearner:
    """A `Learner` that fills a sketchbook: each step draws one batch of scenes into it."""

    def __init__(self, painter: Autoencoder, reader: Reader) -> None:
        self.painter, self.reader = painter, reader
        self.tokens: list[Tensor] = []
        self.embeddings: list[Tensor] = []

    @torch.no_grad()
    def step(self, batch: Mapping[str, Any], index: int, total: int, rng: Rng) -> dict[str, float]:
        """Add a batch of pictures and the embeddings of their captions."""
        images = from_uint8(batch["images"])
        tokens = self.painter.tokens(self.painter.encode(images)).data
        self.tokens.append(tokens.to(torch.int16))
        self.embeddings.append(self.reader.encode(batch["captions"]).half())
        return {"sketches": float(sum(map(len, self.tokens)))}

    @torch.no_grad()
    def preview(self, batch: Mapping[str, Any], rng: Rng) -> Images:
        """The first sketches."""
        tokens = torch.cat(self.tokens)[: len(batch["images"])].long()
        return self.painter.decode(Latent(Space.TOKENS, tokens)).clamp(-1, 1)

    def state(self) -> dict[str, Any]:
        """What has been drawn so far."""
        return {"tokens": torch.cat(self.tokens), "embeddings": torch.cat(self.embeddings)}

    def load_state(self, state: Mapping[str, Any]) -> None:
        """Continue from `state()`."""
        self.tokens, self.embeddings = [state["tokens"]], [state["embeddings"]]

    def export(self) -> tuple[nn.Module, dict[str, Any]]:
        """The book and its config."""
        tokens, embeddings = torch.cat(self.tokens), torch.cat(self.embeddings)
        count, height, width = tokens.shape
        config = {
            "count": count,
            "height": height,
            "width": width,
            "embed_dim": embeddings.shape[1],
        }
        book = Sketchbook(**config)
        book.tokens.copy_(tokens)
        book.embeddings.copy_(embeddings)
        return book, config


def build(tensors: Mapping[str, Tensor], config: Mapping[str, Any], _shelf: Shelf) -> Sketchbook:
    """Build a sketchbook for the zoo.

    Raises:
        CheckpointError: the tensors are not those of a sketchbook.
    """
    sizes = [config.get(key) for key in ("count", "height", "width", "embed_dim")]
    if not all(isinstance(size, int) and 0 < size <= 1_000_000 for size in sizes):
        raise CheckpointError(f"not a sketchbook's config: {dict(config)}")
    book = Sketchbook(*(int(size) for size in sizes if size is not None))
    load_into(book, tensors, "sketchbook weights")
    return book
