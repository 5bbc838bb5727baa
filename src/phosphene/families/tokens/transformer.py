"""A causal transformer over words, then a picture's tokens: what stands at the next place.

Source: Ramesh et al. 2021, "Zero-Shot Text-to-Image Generation" (DALL-E); Esser et al. 2021,
"Taming Transformers for High-Resolution Image Synthesis", section 3.2. A picture's tokens come
row by row, from the top left; the words before them are the states of a frozen text network:

    p(tokens | words) = product over places i of p(t_i | words, t_0 ... t_{i-1})

Two networks share the work, as in MEGABYTE (Yu et al. 2023), since attention over every place costs
too much on a processor: a transformer sees words and whole groups of tokens and says what the next
group is about; a small network that sees this and a place's nearest neighbours, all of them drawn
before it, says the token. Nothing depends on what comes later.

It may be shown a sketch: tokens of a plain drawing of what the words name, all of them known
before the first one is drawn (see `nn.sketching`). Both networks look at the part of it that lies
around what they say next.

Knows no random numbers: `sampling` draws tokens, `transformer_training` teaches it.
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, NamedTuple, Protocol, runtime_checkable

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn

from phosphene.core.errors import CheckpointError, RecipeError

MOST = 2**20  # of any size in a config
DEVIATION = 0.02  # of what places begin with
# rows down and columns right of the places whose tokens are looked at one by one
NEIGHBOURS = ((0, -1), (0, -2), (0, -3), (-1, -1), (-1, 0), (-1, 1), (-2, 0))


@runtime_checkable
class TokenReader(Protocol):
    """A frozen text network."""

    def tokens(
        self, texts: Sequence[str]
    ) -> tuple[Float[Tensor, "b n d"], Bool[Tensor, "b n"]]: ...


class Words(NamedTuple):
    """What a network is told: the sentence's mean state, then each word's; absent ones are 0.

    Args:
        sketch: Tokens of a plain drawing of it, row by row, -1 for a place that shows nothing; None
            shows none.
    """

    states: Float[Tensor, "b n d"]
    present: Bool[Tensor, "b n"]
    sketch: Int[Tensor, "b m"] | None = None


def stacked(words: Sequence[Words]) -> Words:
    """All of them, one below the other: either all with a sketch, or none."""
    shown = [each.sketch for each in words if each.sketch is not None]
    return Words(
        torch.cat([each.states for each in words]),
        torch.cat([each.present for each in words]),
        torch.cat(shown) if shown else None,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenTransformerConfig:
    """Shape of the network.

    Args:
        resolution: Side in px of the pictures.
        grid_size: Tokens along a side.
        vocab: Codebook entries.
        group_size: Neighbours in a row that the transformer takes as one; it divides `grid_size`.
        width: Of the transformer; `heads` divide it.
        token_width: Numbers that stand for a token.
        local_width, local_layers: Of the network that says the tokens of a group one by one.
        text_dim: Of a word's state.
        text_length: Words that it is told one by one; of longer sentences the rest counts in the
            mean alone.
        autoencoder: Name of the model whose tokens these are.
        text: Name of the text network.
        sketches: Name of the sketchbook whose drawings it paints after; empty for none.
    """

    resolution: int = 128
    grid_size: int = 16
    vocab: int = 2048
    group_size: int = 4
    width: int = 320
    heads: int = 5
    layers: int = 8
    token_width: int = 96
    local_width: int = 256
    local_layers: int = 2
    text_dim: int = 384
    text_length: int = 15
    autoencoder: str = "emoji-vqgan"
    text: str = "minilm"
    sketches: str = ""

    def __post_init__(self) -> None:
        """Check the ranges, since configs come from files.

        Raises:
            RecipeError: names the field, its value and the range.
        """
        for name, value in asdict(self).items():
            if name in ("autoencoder", "text"):
                if not isinstance(value, str) or not value:
                    raise RecipeError(f"token transformer {name} should be the name of a model")
            elif name == "sketches":
                if not isinstance(value, str):
                    raise RecipeError("token transformer sketches should be a sketchbook's name")
            elif type(value) is not int or not 1 <= value <= MOST:
                raise RecipeError(
                    f"token transformer {name} is {str(value)[:40]}; "
                    f"it must be a whole number from 1 to {MOST:,}"
                )
        if self.width % self.heads:
            raise RecipeError(
                f"token transformer width {self.width} is no multiple of its heads, {self.heads}"
            )
        if self.grid_size % self.group_size:
            raise RecipeError(
                f"token transformer grid_size {self.grid_size} is no multiple of the group_size "
                f"{self.group_size}"
            )

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> "TokenTransformerConfig":
        """Rebuild from JSON.

        Raises:
            CheckpointError: an unknown field, or a value out of range.
        """
        try:
            return cls(**values)
        except (TypeError, RecipeError) as error:
            raise CheckpointError(f"not a token transformer config: {error}") from None

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)

    @property
    def num_places(self) -> int:
        """Tokens of a picture."""
        return self.grid_size**2


class Shown(NamedTuple):
    """What both networks see of a sketch: the transformer of a group, the other of a place."""

    groups: Float[Tensor, "b n d"]
    places: Float[Tensor, "b m e"]


class Cache:
    """What was computed of all places so far, so that none is computed twice.

    Args:
        rows: Sequences that grow side by side.
        shown: Of their sketches, computed once.
    """

    def __init__(
        self, config: TokenTransformerConfig, rows: int, like: Tensor, shown: Shown | None = None
    ) -> None:
        places = 1 + config.text_length + config.num_places // config.group_size
        shape = (rows, config.heads, places, config.width // config.heads)
        # keys and values of each layer
        self.layers = [(like.new_empty(shape), like.new_empty(shape)) for _ in range(config.layers)]
        self.filled = 0
        self.shown = shown
        self.plan = like  # of the group that is being drawn: b group_size local_width


class Layer(nn.Module):
    """A layer for each place by itself; the squared rectifier is So et al. 2021's ("Primer")."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(width)
        self.rise = nn.Linear(width, 4 * width)
        self.fall = nn.Linear(4 * width, width)
        # it begins as the identity, so that nothing is spent on undoing random layers
        nn.init.zeros_(self.fall.weight)

    def forward(self, x: Float[Tensor, "b n d"]) -> Float[Tensor, "b n d"]:
        y: Tensor = self.fall(F.relu(self.rise(self.norm(x))).square())
        return x + y


class Block(nn.Module):
    """Attention to what came before, then a layer for each place (Radford et al. 2019)."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.norm = nn.LayerNorm(width)
        self.qkv = nn.Linear(width, 3 * width, bias=False)
        self.out = nn.Linear(width, width, bias=False)
        self.layer = Layer(width)
        nn.init.zeros_(self.out.weight)

    def forward(
        self,
        x: Float[Tensor, "b n d"],
        kept: tuple[Tensor, Tensor] | None = None,
        start: int = 0,
    ) -> Float[Tensor, "b n d"]:
        """Places from `start` on; what came before is in `kept`, where these are put, too.

        After the first time one place comes at once.
        """
        q, k, v = self.qkv(self.norm(x)).unflatten(2, (3, self.heads, -1)).unbind(2)
        q, k, v = (part.transpose(1, 2) for part in (q, k, v))  # b heads n d
        if kept is not None:
            stop = start + x.shape[1]
            for buffer, part in zip(kept, (k, v), strict=True):
                buffer[:, :, start:stop] = part
            k, v = (buffer[:, :, :stop] for buffer in kept)
        # Written out: on a processor the fused kernel takes three times as long for so few places.
        scores = torch.matmul(q * q.shape[3] ** -0.5, k.transpose(2, 3))
        if start == 0:
            scores = scores + _later(x.shape[1], scores)
        seen = torch.matmul(scores.softmax(dim=3).to(v.dtype), v)
        y: Tensor = self.layer(x + self.out(seen.transpose(1, 2).flatten(2)))
        return y


class TokenTransformer(nn.Module):
    """Words and the tokens so far in, logits of the next token out."""

    neighbours: Int[Tensor, "n m"]

    def __init__(self, config: TokenTransformerConfig) -> None:
        super().__init__()
        self.config = c = config
        told = 1 + c.text_length
        self.words = nn.Linear(c.text_dim, c.width)
        self.word_places = _drawn(told, c.width)
        # what stands where a sentence has no word any more, for each place its own (DALL-E)
        self.absent = _drawn(told, c.width)
        self.tokens = nn.Embedding(c.vocab + 1, c.token_width)  # the last one: outside the picture
        self.gather = nn.Linear(c.group_size * c.token_width, c.width)
        self.group_places = _drawn(c.num_places // c.group_size, c.width)
        self.blocks = nn.ModuleList(Block(c.width, c.heads) for _ in range(c.layers))
        self.norm = nn.LayerNorm(c.width)
        self.plan = nn.Linear(c.width, c.group_size * c.local_width)
        self.near = nn.Linear(len(NEIGHBOURS) * c.token_width, c.local_width, bias=False)
        self.local = nn.ModuleList(Layer(c.local_width) for _ in range(c.local_layers))
        self.last_norm = nn.LayerNorm(c.local_width)
        self.head = nn.Linear(c.local_width, c.vocab, bias=False)
        if c.sketches:
            size, wide = c.group_size, c.token_width
            # a group, or a place, and what surrounds it
            self.group_sketch = nn.Conv2d(wide, c.width, (3, size + 2), (1, size), padding=1)
            self.place_sketch = nn.Conv2d(wide, c.local_width, 3, padding=1)
        nn.init.normal_(self.head.weight, std=DEVIATION)
        self.register_buffer("neighbours", neighbours_of(c.grid_size), persistent=False)

    def forward(self, tokens: Int[Tensor, "b n"], words: Words) -> Float[Tensor, "b n_and_one k"]:
        """Logits of the first n + 1 tokens, each told those before it; n is less than a picture."""
        shown = self._shown(words)
        x = self._opened(tokens, words, shown)
        for block in self.blocks:
            x = block(x)
        plans = self._plans(x[:, words.states.shape[1] - 1 :])
        return self._said(plans[:, : tokens.shape[1] + 1], tokens, 0, shown)

    def begin(self, tokens: Int[Tensor, "b n"], words: Words) -> tuple[Float[Tensor, "b k"], Cache]:
        """Logits of token n, and the cache with which to go on."""
        shown = self._shown(words)
        x = self._opened(tokens, words, shown)
        cache = Cache(self.config, len(x), x, shown)
        self._attend(x, cache)
        return self._next(tokens, cache), cache

    def go_on(self, tokens: Int[Tensor, "b n"], cache: Cache) -> Float[Tensor, "b k"]:
        """Logits of token n; of the tokens only the last one is new to the cache."""
        group, slot = divmod(tokens.shape[1], self.config.group_size)
        if slot == 0:
            x = self._groups(tokens, group - 1)
            if cache.shown is not None:
                x = x + cache.shown.groups[:, group : group + 1]
            self._attend(x, cache)
        return self._next(tokens, cache)

    def _attend(self, x: Tensor, cache: Cache) -> None:
        """Let the transformer see groups, and plan the next one."""
        start, cache.filled = cache.filled, cache.filled + x.shape[1]
        for block, kept in zip(self.blocks, cache.layers, strict=True):
            x = block(x, kept, start)
        cache.plan = self._plans(x[:, -1:])

    def _next(self, tokens: Tensor, cache: Cache) -> Tensor:
        """Logits of the token that follows, within the group that is planned."""
        place = tokens.shape[1]
        slot = place % self.config.group_size
        return self._said(cache.plan[:, slot : slot + 1], tokens, place, cache.shown)[:, 0]

    def _opened(self, tokens: Tensor, words: Words, shown: Shown | None) -> Float[Tensor, "b n d"]:
        """The words, then whole groups of tokens: each with the sketch of the group after it."""
        told = self.words(words.states.to(self.dtype))
        told = torch.where(words.present[..., None], told, self.absent.to(told.dtype))
        x = torch.cat([told + self.word_places, self._groups(tokens)], dim=1)
        if shown is None:
            return x
        before = words.states.shape[1] - 1
        return x + F.pad(shown.groups[:, : x.shape[1] - before], (0, 0, before, 0))

    def _shown(self, words: Words) -> Shown | None:
        """What is seen of sketches; nothing by a network that paints after none."""
        if not self.config.sketches:
            return None
        size, absent = self.config.grid_size, self.config.vocab
        if words.sketch is None:
            sketch = words.present.new_full((len(words.present), size**2), absent, dtype=torch.long)
        else:
            sketch = torch.where(words.sketch < 0, absent, words.sketch)
        vectors = self.tokens(sketch).transpose(1, 2).unflatten(2, (size, size))
        groups, places = self.group_sketch(vectors), self.place_sketch(vectors)
        return Shown(groups.flatten(2).transpose(1, 2), places.flatten(2).transpose(1, 2))

    def _groups(self, tokens: Tensor, first: int = 0) -> Float[Tensor, "b n d"]:
        """Whole groups of tokens from group `first` on, at their places."""
        size, wide = self.config.group_size, self.gather.in_features
        stop = tokens.shape[1] // size
        vectors = self.tokens(tokens[:, first * size : stop * size])
        x: Tensor = self.gather(vectors.reshape(len(tokens), stop - first, wide))
        return x + self.group_places[first:stop]

    def _plans(self, x: Tensor) -> Float[Tensor, "b n d"]:
        """What the transformer has to say of each place of the groups that come next."""
        plans: Tensor = self.plan(self.norm(x))
        return plans.reshape(len(x), -1, self.config.local_width)

    def _said(
        self, plans: Tensor, tokens: Tensor, first: int, shown: Shown | None
    ) -> Float[Tensor, "b n k"]:
        """Logits of places from `first` on, of which there is a plan each; in float32."""
        stop = first + plans.shape[1]
        places = self.neighbours[first:stop]
        # all that is looked at lies before the place; the column at the end is what is outside
        outside = tokens.new_full((len(tokens), 1), self.config.vocab)
        known = torch.cat([tokens, outside], dim=1)
        near = self.tokens(known[:, places.flatten()])
        x = plans + self.near(near.reshape(len(tokens), len(places), self.near.in_features))
        if shown is not None:
            x = x + shown.places[:, first:stop]
        for layer in self.local:
            x = layer(x)
        logits: Tensor = self.head(self.last_norm(x))
        return logits.float()

    @property
    def dtype(self) -> torch.dtype:
        """Of the network's weights."""
        return self.head.weight.dtype


def neighbours_of(size: int) -> Int[Tensor, "n m"]:
    """For each place the places of its neighbours; -1 for one outside the picture."""
    table = []
    for row in range(size):
        for column in range(size):
            around = [(row + down, column + right) for down, right in NEIGHBOURS]
            table.append([r * size + c if r >= 0 and 0 <= c < size else -1 for r, c in around])
    return torch.tensor(table)


def _later(count: int, like: Tensor) -> Float[Tensor, "n n"]:
    """Minus infinity where a place would see a later one."""
    return like.new_full((count, count), -torch.inf).triu(1)


def _drawn(count: int, width: int) -> nn.Parameter:
    """Vectors to begin with."""
    return nn.Parameter(nn.init.normal_(torch.empty(count, width), std=DEVIATION))


@torch.no_grad()
def read(text: TokenReader, prompts: Sequence[str], length: int) -> Words:
    """What a frozen text network makes of prompts, brought to one length.

    A prompt's words do not depend on its neighbours.
    """
    states, mask = text.tokens(prompts)
    states = states.float()
    mean = F.normalize(states.sum(dim=1, keepdim=True), dim=2) * states.shape[2] ** 0.5
    short = max(0, length - states.shape[1])
    states = F.pad(states[:, :length], (0, 0, 0, short))
    present = F.pad(mask[:, :length], (1, short))
    present[:, 0] = True
    return Words(torch.cat([mean, states], dim=1), present)
